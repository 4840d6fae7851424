//! The keys of the server itself, as the log tells of them. The keys are kept elsewhere.

/// Something that is kept with the store's keys and can be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKey {
    /// Signs the keys below it.
    Issuing,
    /// With which the server speaks to agents.
    Link,
    /// Signs the log.
    Log,
    /// With which backups are encrypted.
    Backup,
    /// The passphrase that locks the root's key.
    Passphrase,
}

impl ServerKey {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Issuing,
        Self::Link,
        Self::Log,
        Self::Backup,
        Self::Passphrase,
    ];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Issuing => "issuing",
            Self::Link => "link",
            Self::Log => "log",
            Self::Backup => "backup",
            Self::Passphrase => "passphrase",
        }
    }

    /// By what a file keeps it.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The one that is kept as this.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.number() == number)
    }
}

/// That one was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyReplaced {
    /// Which.
    pub key: ServerKey,
    /// SHA-256 of the new one's certificate, if it has one.
    pub fingerprint: Option<[u8; 32]>,
}
