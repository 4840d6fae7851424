//! Small words: sentences, counts, lists.

/// A text with a capital at its beginning and a full stop at its end.
pub(crate) fn sentence(words: &str) -> String {
    let text = capital(words);
    if text.ends_with(['.', '!', '?']) {
        text
    } else {
        text + "."
    }
}

/// A text with a capital at its beginning.
pub(crate) fn capital(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters).collect()
}

/// "1 door", "12 doors".
pub(crate) fn counted(number: usize, word: &str) -> String {
    if number == 1 {
        format!("1 {word}")
    } else {
        format!("{number} {word}s")
    }
}

/// "PIN", "PIN and card ··4821", "PIN, card ··4821 and plate BAB123".
pub(crate) fn listed(words: &[String]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_as_sentences() {
        assert_eq!(sentence("this is so"), "This is so.");
        assert_eq!(sentence("élan!"), "Élan!");
        assert_eq!(counted(1, "door"), "1 door");
        let words = ["PIN", "card ··4821", "plate BAB123"].map(str::to_owned);
        assert_eq!(listed(&words), "PIN, card ··4821 and plate BAB123");
        assert_eq!(listed(&words[..2]), "PIN and card ··4821");
        assert_eq!(listed(&[]), "nothing");
    }
}
