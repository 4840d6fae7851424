//! People: the list, one person's pages, and the three acts: deactivate, reactivate, remove.

mod create;
mod credentials;
mod deactivate;
mod list;
mod problems;
mod profile;
mod reactivate;
mod remove;
mod settings;
mod standing;
mod typed;

use axum::Router;
use offgate_core::credential::Credential;
use offgate_core::id::UserId;
use offgate_core::records::Records as _;
use offgate_core::user::{User, UserRecord};
use offgate_store::{Reader, StoreError};

use super::Console;
use super::failure::Failure;

pub(crate) use standing::DoorsStanding;

pub(crate) fn router() -> Router<Console> {
    Router::new()
        .merge(list::router())
        .merge(create::router())
        .merge(profile::router())
        .merge(settings::router())
        .merge(credentials::router())
        .merge(deactivate::router())
        .merge(reactivate::router())
        .merge(remove::router())
}

/// The person an address names.
fn person(reader: &Reader, id: &str) -> Result<User, Failure> {
    let id: UserId = id.parse().map_err(|_| Failure::NotFound)?;
    match reader.user(id)?.ok_or(Failure::NotFound)? {
        UserRecord::Present(person) => Ok(person),
        UserRecord::Removed(tombstone) => {
            let zone = super::times::zone(reader)?;
            let at = offgate_core::calendar::write_full(&zone, tombstone.removed_at);
            Err(Failure::Gone(format!(
                "Their profile was erased on {at}. What is left is the number {id}, under which \
                 the history still adds up."
            )))
        }
    }
}

/// What somebody holds: PINs first, then cards, then plates, each the oldest first.
fn held(reader: &Reader, user: UserId) -> Result<Vec<Credential>, StoreError> {
    let mut credentials = reader.credentials_of(user)?;
    put_in_order(&mut credentials);
    Ok(credentials)
}

fn put_in_order(credentials: &mut [Credential]) {
    credentials
        .sort_by_key(|credential| (credential.means.kind(), credential.added_at, credential.id));
}

/// A text with a capital at its beginning and a full stop at its end.
fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters.next().map(char::to_uppercase);
    let text: String = first.into_iter().flatten().chain(characters).collect();
    if text.ends_with(['.', '!', '?']) {
        text
    } else {
        text + "."
    }
}

/// "1 door", "12 doors".
fn counted(number: usize, word: &str) -> String {
    if number == 1 {
        format!("1 {word}")
    } else {
        format!("{number} {word}s")
    }
}

/// "PIN", "PIN and card ··4821", "PIN, card ··4821 and plate BAB123".
fn listed(words: &[String]) -> String {
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
