//! What may go wrong with a store, by what its caller will do about it.

use crate::checkpoint::SignerFailed;
use crate::vault::VaultError;

/// Why a store did not answer. Never "there is none": that is an answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is busy, its disk is full or does not work. Nothing was changed; try again.
    #[error("the store is not available just now")]
    Unavailable(#[source] rusqlite::Error),
    /// Whether the change was made is not known. Ask again under the same command id.
    #[error("whether this was carried out is not known; ask again under the same id")]
    OutcomeUnknown,
    /// The vault, with the keys of people's details, does not work. Nothing was changed; try again.
    #[error("the vault is not available just now")]
    Vault(#[from] VaultError),
    /// What is stored makes no sense.
    #[error("the store is damaged: {0}")]
    Damaged(&'static str),
    /// A newer Offgate made it.
    #[error("the store was made by a newer Offgate (schema {found}, this one knows {known})")]
    TooNew {
        /// The schema that is there.
        found: i64,
        /// The newest this build knows.
        known: i64,
    },
    /// The log could not be signed for. Nothing was changed.
    #[error("the log could not be signed for")]
    NotSigned(#[from] SignerFailed),
    /// An older Offgate made it, and it was not opened by this one yet.
    #[error("the store was made by an older Offgate; `offgate serve` brings it up to date")]
    TooOld,
    /// The database could not be copied, so what had to be copied first was not begun.
    #[error("the database could not be copied; nothing was changed")]
    Copy(#[source] std::io::Error),
    /// A backup is being put back there, or was and did not come to an end.
    #[error("a restore into this data directory was not finished; run it again")]
    HalfRestored,
    /// The data directory cannot be used.
    #[error("the data directory cannot be used")]
    Directory(#[source] std::io::Error),
    /// The store was closed, or too much waits for it already.
    #[error("the store takes no more commands just now")]
    Overloaded,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(error)
    }
}
