//! What a person presents at a door: PINs, NFC cards, licence plates.

use crate::id::{CredentialId, UserId};
use crate::parameters::Timestamp;
use crate::pin::{PinCandidate, PinDigest, PinLength};
use crate::text::{Label, TextError, line};

/// What a card or tag says when it is presented. Upper-case hexadecimal or printable ASCII.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardToken(String);

impl CardToken {
    /// The fewest and the most characters.
    pub const LIMITS: (usize, usize) = (4, 64);

    /// Reads a token as a reader, a form or a file gives it. Spaces, colons and dashes between
    /// the digits of a hexadecimal number are dropped; letters are upper-cased.
    ///
    /// # Errors
    /// Too short, too long, or with a character no reader sends.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = line(text, 128)?;
        let token: String = text
            .chars()
            .filter(|character| !matches!(character, ' ' | ':' | '-'))
            .map(|character| character.to_ascii_uppercase())
            .collect();
        let (fewest, most) = Self::LIMITS;
        if token.chars().any(|character| !character.is_ascii_graphic()) {
            return Err(TextError::Shape(
                "a card number has letters and digits only",
            ));
        }
        if token.len() < fewest {
            return Err(TextError::Shape("a card number has at least 4 characters"));
        }
        if token.len() > most {
            return Err(TextError::TooLong {
                limit: most,
                length: token.len(),
            });
        }
        Ok(Self(token))
    }

    /// The token as it is compared and hashed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for CardToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CardToken(…)")
    }
}

/// The number printed on a card, by which people tell cards apart. Opens nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DisplayNumber(String);

impl DisplayNumber {
    /// Reads the number.
    ///
    /// # Errors
    /// Empty, longer than 40 characters, or with a character that shows nothing.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        line(text, 40).map(Self)
    }

    /// The number a card shows when nobody typed one: the last four characters of its token.
    #[must_use]
    pub fn of_token(token: &CardToken) -> Self {
        Self(tail(&token.0).to_owned())
    }

    /// The number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its last four characters, as in "card ··4821".
    #[must_use]
    pub fn last_four(&self) -> &str {
        tail(&self.0)
    }
}

fn tail(text: &str) -> &str {
    let start = text
        .char_indices()
        .rev()
        .nth(3)
        .map_or(0, |(position, _)| position);
    &text[start..]
}

/// A number plate, normalised: upper-case letters and digits only, look-alike separators gone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Plate(String);

impl Plate {
    /// Reads a plate as somebody types it or a camera reads it.
    ///
    /// # Errors
    /// Fewer than 2 or more than 12 letters and digits, or other characters than letters, digits
    /// and separators.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = line(text, 40)?;
        let mut plate = String::new();
        for character in text.chars() {
            match character {
                ' ' | '-' | '.' | '·' | '•' | '_' => {}
                character if character.is_alphanumeric() => plate.extend(character.to_uppercase()),
                _ => {
                    return Err(TextError::Shape(
                        "a licence plate has letters and digits only",
                    ));
                }
            }
        }
        if (2..=12).contains(&plate.chars().count()) {
            Ok(Self(plate))
        } else {
            Err(TextError::Shape(
                "a licence plate has 2 to 12 letters and digits",
            ))
        }
    }

    /// The normalised plate.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Plate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Plate(…)")
    }
}

/// Whether a plate belongs to one person or is known to be shared (a pool car).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlateSharing {
    /// Nobody else may hold it.
    Unique,
    /// Others may hold it too; shown as such everywhere.
    Shared,
}

/// What is presented, and how it is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// A code typed at a keypad. Only its digest is kept.
    Pin {
        /// What it is recognised by.
        digest: PinDigest,
        /// How many digits it has.
        length: PinLength,
    },
    /// An NFC card or tag.
    NfcCard {
        /// What it is recognised by.
        token: CardToken,
        /// What is printed on it.
        display_number: DisplayNumber,
    },
    /// A number plate that a camera reads.
    LicencePlate {
        /// What it is recognised by.
        plate: Plate,
        /// One person's or knowingly shared.
        sharing: PlateSharing,
    },
}

/// The kinds of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialKind {
    /// A code.
    Pin,
    /// An NFC card or tag.
    NfcCard,
    /// A number plate.
    LicencePlate,
}

impl CredentialKind {
    /// All kinds, the recommended one first.
    pub const ALL: [Self; 3] = [Self::Pin, Self::NfcCard, Self::LicencePlate];

    /// The stable name used in rows, forms and the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::NfcCard => "nfc",
            Self::LicencePlate => "plate",
        }
    }

    /// The word on pages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pin => "PIN",
            Self::NfcCard => "card",
            Self::LicencePlate => "plate",
        }
    }

    /// The kind with this stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Means {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> CredentialKind {
        match self {
            Self::Pin { .. } => CredentialKind::Pin,
            Self::NfcCard { .. } => CredentialKind::NfcCard,
            Self::LicencePlate { .. } => CredentialKind::LicencePlate,
        }
    }

    /// How a page names it without giving it away: "PIN", "card ··4821", "plate B·AB 123".
    #[must_use]
    pub fn short_name(&self) -> String {
        match self {
            Self::Pin { .. } => "PIN".to_owned(),
            Self::NfcCard { display_number, .. } => {
                format!("card ··{}", display_number.last_four())
            }
            Self::LicencePlate { plate, .. } => format!("plate {}", plate.as_str()),
        }
    }
}

/// Whether a credential may be used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialState {
    /// Its holder has it.
    Usable,
    /// Reported lost or stolen: refused at every door, whoever presents it.
    Lost {
        /// When it was reported.
        since: Timestamp,
    },
}

/// One credential of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Which; a card that is issued again gets a new one.
    pub id: CredentialId,
    /// Whose.
    pub user: UserId,
    /// What is presented.
    pub means: Means,
    /// What the holder calls it.
    pub label: Option<Label>,
    /// Usable or lost.
    pub state: CredentialState,
    /// When it was added.
    pub added_at: Timestamp,
}

/// A credential somebody asks to add; the rules decide whether it may be.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// Its id, made by the surface.
    pub id: CredentialId,
    /// What the holder calls it.
    pub label: Option<Label>,
    /// What is presented.
    pub means: NewMeans,
}

/// The means of a [`NewCredential`].
#[derive(Clone, Debug)]
pub enum NewMeans {
    /// A PIN, with what the rules must know of it.
    Pin(PinCandidate),
    /// A card or tag.
    NfcCard {
        /// What it says when presented.
        token: CardToken,
        /// What is printed on it.
        display_number: DisplayNumber,
    },
    /// A plate.
    LicencePlate {
        /// The plate.
        plate: Plate,
        /// Whether a second holder is intended.
        sharing: PlateSharing,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_normalised() {
        let token = |text: &str| CardToken::parse(text).map(|token| token.0);
        assert_eq!(token("04:a2:2b-19 f0"), Ok("04A22B19F0".to_owned()));
        assert!(token("abc").is_err());
        assert!(token(&"a".repeat(65)).is_err());
        assert!(token("ünicode").is_err());
    }

    #[test]
    fn plates_are_normalised() {
        let plate = |text: &str| Plate::parse(text).map(|plate| plate.0);
        assert_eq!(plate(" b-ab 123 "), Ok("BAB123".to_owned()));
        assert_eq!(plate("мо 77"), Ok("МО77".to_owned()));
        assert!(plate("B/AB").is_err());
        assert!(plate("1").is_err());
    }

    #[test]
    fn the_last_four_of_a_short_number_is_all_of_it() {
        assert_eq!(
            DisplayNumber::parse("12").expect("a number").last_four(),
            "12"
        );
        assert_eq!(
            DisplayNumber::parse("é04821")
                .expect("a number")
                .last_four(),
            "4821"
        );
    }
}
