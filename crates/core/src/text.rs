//! Text that people type: what is allowed in it, how long it may be, how it is folded for search.
//!
//! Every type here is a newtype whose only constructor checks, so that no other module has to.
//! Order and folding are decided here and nowhere else: no database collation is trusted.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Why a piece of text was not taken. The field it belongs to is known by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing, or nothing but spaces.
    #[error("enter something here")]
    Empty,
    /// Longer than the field takes.
    #[error("at most {limit} characters; this has {length}")]
    TooLong {
        /// The most characters the field takes.
        limit: usize,
        /// How many were given.
        length: usize,
    },
    /// A control character, or one that reverses the direction of text and so can disguise a name.
    #[error("contains an invisible character (U+{code:04X}) that is not allowed here")]
    Forbidden {
        /// The character's code point.
        code: u32,
    },
    /// Right kind of characters, wrong shape; the words say what is expected.
    #[error("{0}")]
    Shape(&'static str),
}

/// Characters that show nothing and change how the text around them reads.
pub(crate) fn is_forbidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}'
                | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}'
                | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'
        )
}

/// Trims, composes (NFC) and checks one line of text of at most `limit` characters.
pub(crate) fn line(text: &str, limit: usize) -> Result<String, TextError> {
    let text = text.trim();
    let length = text.chars().count();
    if length > limit {
        return Err(TextError::TooLong { limit, length });
    }
    if let Some(character) = text.chars().find(|character| is_forbidden(*character)) {
        return Err(TextError::Forbidden {
            code: character.into(),
        });
    }
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    Ok(text.nfc().collect())
}

/// The form under which text is searched and sorted: no accents, no case.
#[must_use]
pub fn fold(text: &str) -> String {
    text.nfkd()
        .filter(|character| !is_combining_mark(*character))
        .flat_map(char::to_lowercase)
        .map(|character| match character {
            'ß' => 's',
            'ø' => 'o',
            'ł' => 'l',
            'đ' => 'd',
            'ı' => 'i',
            other => other,
        })
        .collect()
}

macro_rules! lines {
    ($($(#[$doc:meta])* $name:ident, $limit:literal)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The most characters it may have.
            pub const LIMIT: usize = $limit;

            /// Reads it from what somebody typed.
            ///
            /// # Errors
            /// Empty, too long, or with a character that shows nothing.
            pub fn parse(text: &str) -> Result<Self, TextError> {
                line(text, $limit).map(Self)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// Personal data stays out of logs and panics.
        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )+};
}

lines! {
    /// A part of a person's name.
    PersonName, 100
    /// A telephone number, as the site writes it.
    Phone, 40
    /// The number under which an employer knows a person.
    EmployeeNumber, 40
    /// What a thing (door, group, policy, …) is called.
    Title, 100
    /// What a holder calls one of their credentials: "blue key fob".
    Label, 60
    /// Why somebody was deactivated or a rule overridden, in an operator's words.
    Note, 500
}

/// An e-mail address, as typed; compared by its folded form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// The most characters it may have.
    pub const LIMIT: usize = 254;

    /// Reads an address. Only the shape is checked; whether it works, only sending tells.
    ///
    /// # Errors
    /// As for any line of text, or not of the form `name@host`.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = line(text, Self::LIMIT)?;
        let shaped = match text.split_once('@') {
            Some((name, host)) => {
                !name.is_empty()
                    && !host.is_empty()
                    && !host.contains('@')
                    && !host.starts_with('.')
                    && !host.ends_with('.')
                    && !text.contains(char::is_whitespace)
            }
            None => false,
        };
        if shaped {
            Ok(Self(text))
        } else {
            Err(TextError::Shape(
                "an e-mail address looks like name@example.com",
            ))
        }
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Email {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(
            PersonName::parse("  Zoë ").map(|name| name.0),
            Ok("Zoë".to_owned())
        );
        assert_eq!(PersonName::parse("   "), Err(TextError::Empty));
        assert_eq!(
            PersonName::parse(&"x".repeat(10_000)),
            Err(TextError::TooLong {
                limit: 100,
                length: 10_000
            })
        );
        for (text, code) in [
            ("a\u{202E}b", 0x202E),
            ("a\u{7}b", 7),
            ("a\nb", 10),
            ("\u{2066}a", 0x2066),
        ] {
            assert_eq!(PersonName::parse(text), Err(TextError::Forbidden { code }));
        }
    }

    #[test]
    fn folding_forgets_accents_and_case() {
        assert_eq!(fold("ÅSA Þórsdóttir"), "asa þorsdottir");
        assert_eq!(fold("Łukasz"), "lukasz");
    }

    #[test]
    fn addresses_are_shaped() {
        assert!(Email::parse("a@b.example").is_ok());
        for text in ["a", "@b", "a@", "a@b@c", "a b@c"] {
            assert!(Email::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn personal_data_has_no_debug_form() {
        let name = PersonName::parse("Planted").expect("a name");
        assert!(!format!("{name:?}").contains("Planted"));
    }
}
