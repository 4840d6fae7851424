//! A copy of a database as it is at one moment, while others go on writing it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Sqlite;
use crate::error::StoreError;

/// What a copy is called while it is written.
pub(super) fn passing(to: &Path) -> PathBuf {
    to.with_extension("new")
}

/// Copies a database without its free pages, there whole or not at all, and only for its owner to
/// read. What has that name is replaced.
pub(crate) fn copy(database: &Path, to: &Path) -> Result<(), StoreError> {
    let passing = passing(to);
    // What a copy that was interrupted left.
    match std::fs::remove_file(&passing) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StoreError::Copy(error));
        }
        _ => {}
    }
    // The engine writes into an empty file that is there; this one is private from the beginning.
    let file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&passing)
        .map_err(StoreError::Copy)?;
    let copied = vacuum_into(database, &passing).and_then(|()| {
        file.sync_all()
            .and_then(|()| std::fs::rename(&passing, to))
            .and_then(|()| File::open(to.parent().unwrap_or(to))?.sync_all())
            .map_err(StoreError::Copy)
    });
    if copied.is_err() {
        // The room it took may be what is missing. What made it fail is what is told.
        let _ = std::fs::remove_file(&passing);
    }
    copied
}

fn vacuum_into(database: &Path, to: &Path) -> Result<(), StoreError> {
    let name = to
        .to_str()
        .ok_or(StoreError::Damaged("the data directory's name is not text"))?;
    let connection = Sqlite::open_reader(database)?;
    connection
        .execute("VACUUM INTO ?1", [name])
        .map_err(|error| StoreError::Copy(io::Error::other(error)))?;
    Ok(())
}
