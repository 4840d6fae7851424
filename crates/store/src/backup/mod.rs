//! Backups of a store: files that a bare machine and the passphrase are enough to read.
//!
//! Owns: their form (`docs/backup.md` describes it), how one is taken while the store is in use,
//! where they lie and how long, and how one is put back. Refuses to know: when one is due
//! ([`offgate_core::backup`] says), and how the passphrase locks the key.
//!
//! The database and the server's keys are in one file per night; the vault and the key that opens
//! it are in a file each, of which only the newest is kept: what was erased since is not in it, and
//! people whose names are sealed in older files are beyond reach once its key was replaced.

mod archive;
mod cipher;
mod header;
mod restore;
mod shelf;
mod take;

use std::path::{Path, PathBuf};

pub use header::{Contents, Header};
pub use restore::{Restoring, is_half_restored};
pub use shelf::{Listed, Reading, Shelf};
pub use take::Source;

use crate::error::StoreError;
use crate::vault::VaultError;

/// The key under which backups are encrypted, and the same locked with the passphrase, as each
/// backup carries it.
#[derive(Clone, PartialEq, Eq)]
pub struct BackupKey {
    /// The key. A secret.
    pub key: [u8; 32],
    /// It, locked. Whoever has the passphrase can open this.
    pub locked: Vec<u8>,
}

impl std::fmt::Debug for BackupKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BackupKey(…)")
    }
}

/// Why there is no backup, or why one is of no use.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Its folder or its file cannot be used: not there, full, not writable.
    #[error("{0} cannot be used: {1}")]
    File(PathBuf, #[source] std::io::Error),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The vault could not be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What was copied, or put back, is not a whole store.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// A backup is being made already.
    #[error("another backup is being made")]
    Busy,
    /// It is no backup, or of a newer Offgate.
    #[error("{0} is no backup that this Offgate knows")]
    NotABackup(PathBuf),
    /// The key is another, or the file was changed since it was written.
    #[error("{0} is damaged, or its key is another")]
    Unreadable(PathBuf),
    /// It is of something else than what was asked for.
    #[error("{0} is a backup of something else")]
    SomethingElse(PathBuf),
    /// There is something in the directory into which to restore.
    #[error("{0} is not empty: a backup is restored into a directory of its own")]
    NotEmpty(PathBuf),
}

impl BackupError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |error| {
            if error.kind() == std::io::ErrorKind::InvalidData {
                Self::Unreadable(path.to_owned())
            } else {
                Self::File(path.to_owned(), error)
            }
        }
    }
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(StoreError::from(error))
    }
}
