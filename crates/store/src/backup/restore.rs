//! Putting a backup back on a bare machine.
//!
//! While it is being put back a file in the data directory says so, and nobody opens a store
//! there: a restore that was cut short is begun again, and never served.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use offgate_core::parameters::{Epoch, Randomness, Timestamp};
use rusqlite::Connection;

use super::shelf::Reading;
use super::take::look_at;
use super::{BackupError, Contents, Header};
use crate::sqlite::DATABASE_FILE;

/// The file that says that a restore into this directory is not finished.
const MARKER: &str = "restoring";

/// Whether a restore into this directory was begun and not finished: nothing in it may be used.
#[must_use]
pub fn is_half_restored(data: &Path) -> bool {
    data.join(MARKER).exists()
}

/// A data directory into which a backup is being put back.
#[derive(Debug)]
pub struct Restoring {
    data: PathBuf,
}

impl Restoring {
    /// Begins, in a directory that is not there, or empty, or where a restore was cut short.
    ///
    /// # Errors
    /// There is something in it, or it cannot be used.
    pub fn begin(data: &Path) -> Result<Self, BackupError> {
        let failed = |error| BackupError::File(data.to_owned(), error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data)
            .map_err(failed)?;
        let marker = data.join(MARKER);
        if !marker.exists() {
            if std::fs::read_dir(data).map_err(failed)?.next().is_some() {
                return Err(BackupError::NotEmpty(data.to_owned()));
            }
            File::create(&marker)
                .and_then(|file| file.sync_all())
                .and_then(|()| sync_folder(data))
                .map_err(failed)?;
        }
        // All that is here beside the marker was put here by a restore.
        for entry in std::fs::read_dir(data).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path != marker {
                if path.is_dir() {
                    std::fs::remove_dir_all(&path)
                } else {
                    std::fs::remove_file(&path)
                }
                .map_err(failed)?;
            }
        }
        Ok(Self {
            data: data.to_owned(),
        })
    }

    /// Puts the files of a backup in their places.
    ///
    /// # Errors
    /// It cannot be read, was changed, its key is another, or there is no room.
    pub fn unpack(&self, backup: Reading, key: &[u8; 32]) -> Result<Header, BackupError> {
        let header = backup.header().clone();
        backup.files(key, |name, _, file| {
            let path = self.data.join(name);
            let folder = path.parent().unwrap_or(&self.data);
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
            let mut to = OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(&path)?;
            io::copy(file, &mut to)?;
            to.sync_all()?;
            sync_folder(folder)
        })?;
        if let Contents::Store { epoch, revision } = header.contents {
            let (identity, last) = look_at(&self.data.join(DATABASE_FILE))?;
            if (identity.store, identity.epoch, last) != (header.store, epoch, revision) {
                return Err(BackupError::Damaged(
                    "it is another than the backup says".to_owned(),
                ));
            }
        }
        Ok(header)
    }

    /// Gives the store an epoch of its own, above every epoch it had. Counted in microseconds since
    /// 1970 where that is more, so that it is also above that of an earlier restore, which this
    /// backup does not know of. Where the clock was set back between two restores it is not, and
    /// doors that were heard by the earlier one take nothing from this one.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn new_epoch(
        &self,
        now: Timestamp,
        randomness: &dyn Randomness,
    ) -> Result<Epoch, BackupError> {
        let mut nonce = [0; 16];
        randomness.fill(&mut nonce);
        let now = u64::try_from(now.microseconds()).unwrap_or(0);
        let connection = Connection::open(self.data.join(DATABASE_FILE))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let own: i64 =
            connection.query_row("SELECT epoch_counter FROM store", [], |row| row.get(0))?;
        let own = u64::try_from(own).unwrap_or(0);
        let counter = own.saturating_add(1).max(now);
        connection.execute(
            "UPDATE store SET epoch_counter = ?1, epoch_nonce = ?2",
            rusqlite::params![i64::try_from(counter).unwrap_or(i64::MAX), nonce],
        )?;
        Ok(Epoch { counter, nonce })
    }

    /// Where it is being put.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// All is in its place: from here on the store may be opened.
    ///
    /// # Errors
    /// The marker could not be taken away.
    pub fn finish(self) -> Result<(), BackupError> {
        std::fs::remove_file(self.data.join(MARKER))
            .and_then(|()| sync_folder(&self.data))
            .map_err(BackupError::file(&self.data))
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
