//! Readers: where people present what they hold, and what they see for an answer.
//!
//! Owns: what can be offered and answered, and the simulated reader. Refuses to know: the table,
//! the lease, the link.

mod line;
pub mod simulated;
mod socket_path;

use offgate_core::credential::{CardToken, CredentialKind, Plate};
use offgate_core::pin::Pin;
use offgate_core::place::Direction;
use offgate_core::table::admission::Reason;
use offgate_core::text::TextError;

/// Something a person offers to a reader.
#[derive(Clone, Debug)]
pub enum Offered {
    /// A code, typed.
    Pin(Pin),
    /// A card or tag, held to it.
    NfcCard(CardToken),
    /// A plate, seen by a camera.
    LicencePlate(Plate),
}

impl Offered {
    /// Reads what was typed, held to the reader, or seen.
    ///
    /// # Errors
    /// It is nothing that a reader of this kind could have read.
    pub fn parse(kind: CredentialKind, value: &str) -> Result<Self, TextError> {
        match kind {
            CredentialKind::Pin => Pin::parse(value).map(Self::Pin),
            CredentialKind::NfcCard => CardToken::parse(value).map(Self::NfcCard),
            CredentialKind::LicencePlate => Plate::parse(value).map(Self::LicencePlate),
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> CredentialKind {
        match self {
            Self::Pin(_) => CredentialKind::Pin,
            Self::NfcCard(_) => CredentialKind::NfcCard,
            Self::LicencePlate(_) => CredentialKind::LicencePlate,
        }
    }
}

/// Which reader: a door has at most one for each way here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// The door's name, or its id.
    pub door: String,
    /// Which way through it.
    pub direction: Direction,
}

/// What the door answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It opened.
    Granted,
    /// It stayed shut.
    Refused(Reason),
}

/// What a reader shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// Come in.
    Green,
    /// No.
    Red,
    /// Not now: the keypad waits.
    Amber,
}

impl Answer {
    /// The light that goes on. It tells the person at the door nothing that [`Answer`]'s reason
    /// does, except that typing on is no use for a while.
    #[must_use]
    pub const fn light(self) -> Light {
        match self {
            Self::Granted => Light::Green,
            Self::Refused(Reason::TooManyAttempts) => Light::Amber,
            Self::Refused(_) => Light::Red,
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Granted => formatter.write_str("granted"),
            Self::Refused(reason) => write!(formatter, "refused: {}", reason.name()),
        }
    }
}
