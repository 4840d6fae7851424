//! Taking a backup, while others go on reading and writing.

use std::path::{Path, PathBuf};

use offgate_core::id::StoreId;
use offgate_core::parameters::{Randomness, Revision, Timestamp};

use super::header::{Contents, Header};
use super::shelf::{Listed, Shelf};
use super::{BackupError, BackupKey};
use crate::engine::StoreIdentity;
use crate::sqlite::{self, DATABASE_FILE, Sqlite, copy, tables};
use crate::vault::{VAULT_FILE, VAULT_FOLDER, VaultError, wrapping};

/// What the copy of a database is called until it is encrypted.
const COPY: &str = "backup-copy";
/// The folder of the server's keys.
const KEYS: &str = "keys";
/// The most bytes of a file with keys.
const KEY_FILE_LIMIT: u64 = 1 << 20;
/// How often the vault is copied again because its key was replaced meanwhile.
const TRIES: u32 = 3;

/// What is backed up.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The data directory.
    pub data: &'a Path,
    /// Under what it is encrypted.
    pub key: &'a BackupKey,
    /// The time.
    pub now: Timestamp,
    /// Fit for keys.
    pub randomness: &'a dyn Randomness,
}

impl Source<'_> {
    /// Makes a backup of the database as it is at one moment, with the server's keys, then one of
    /// the vault, and takes away what is kept no longer.
    ///
    /// # Errors
    /// Here and below: it was not put on the shelf; what was there before is there still.
    pub fn take(&self, shelf: &Shelf) -> Result<Listed, BackupError> {
        let _lock = shelf.lock()?;
        let copied = self.data.join(COPY);
        let taken = self.take_store(&copied, shelf);
        // It holds people in the clear. One that cannot be removed is replaced by the next.
        let removed = remove(&copied);
        let taken = taken?;
        removed?;
        // After the database, so that every key that it needs is in it.
        self.take_vault_locked(taken.header.store, shelf)?;
        shelf.tidy(self.now)?;
        Ok(taken.listed)
    }

    /// Makes a backup of the vault in place of the one before, for when somebody was erased.
    ///
    /// # Errors
    /// As there.
    pub fn take_vault(&self, shelf: &Shelf) -> Result<(), BackupError> {
        let _lock = shelf.lock()?;
        let identity = sqlite::identity(&Sqlite::open_reader(&self.data.join(DATABASE_FILE))?)?;
        self.take_vault_locked(identity.store, shelf)
    }

    fn header(&self, store: StoreId, contents: Contents) -> Header {
        let mut salt = [0; 32];
        self.randomness.fill(&mut salt);
        Header {
            made_at: self.now,
            store,
            contents,
            locked_key: self.key.locked.clone(),
            salt,
        }
    }

    fn take_store(&self, copied: &Path, shelf: &Shelf) -> Result<Taken, BackupError> {
        copy::copy(&self.data.join(DATABASE_FILE), copied)?;
        let (identity, revision) = look_at(copied)?;
        let epoch = identity.epoch;
        let header = self.header(identity.store, Contents::Store { epoch, revision });
        let mut files = vec![(DATABASE_FILE.to_owned(), copied.to_owned())];
        files.extend(self.key_files()?);
        let path = shelf.put(&header, self.key, &files)?;
        let size = std::fs::metadata(&path)
            .map_err(BackupError::file(&path))?
            .len();
        let listed = Listed {
            path,
            made_at: self.now,
            size,
        };
        Ok(Taken { listed, header })
    }

    fn take_vault_locked(&self, store: StoreId, shelf: &Shelf) -> Result<(), BackupError> {
        let copied = self.data.join(VAULT_FOLDER).join(COPY);
        let taken = self.try_vault(&copied, store, shelf);
        let removed = remove(&copied);
        let key = taken?;
        removed?;
        shelf.keep_vault_key(key)
    }

    fn try_vault(&self, copied: &Path, store: StoreId, shelf: &Shelf) -> Result<i64, BackupError> {
        let folder = self.data.join(VAULT_FOLDER);
        for _ in 0..TRIES {
            copy::copy(&folder.join(VAULT_FILE), copied)?;
            let key = crate::vault::number(copied)?;
            let key_file = wrapping::path(&folder, key);
            let key_name = wrapping::name(key);
            let header = self.header(store, Contents::VaultKey { key });
            let files = [(format!("{VAULT_FOLDER}/{key_name}"), key_file)];
            match shelf.put(&header, self.key, &files) {
                Ok(_) => {}
                // It was replaced after the copy was made.
                Err(BackupError::File(_, error))
                    if error.kind() == std::io::ErrorKind::NotFound =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            }
            let header = self.header(store, Contents::Vault { key });
            let files = [(format!("{VAULT_FOLDER}/{VAULT_FILE}"), copied.to_owned())];
            shelf.put(&header, self.key, &files)?;
            return Ok(key);
        }
        Err(VaultError::WrappingKey.into())
    }

    /// The files with the server's keys, by the names they have in a backup.
    fn key_files(&self) -> Result<Vec<(String, PathBuf)>, BackupError> {
        let folder = self.data.join(KEYS);
        let failed = |error| BackupError::File(folder.clone(), error);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let about = entry.metadata().map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // Half written files and locks are not part of what is there.
            if about.is_file()
                && (1..=KEY_FILE_LIMIT).contains(&about.len())
                && !name.ends_with(".new")
            {
                files.push((format!("{KEYS}/{name}"), entry.path()));
            }
        }
        files.sort();
        Ok(files)
    }
}

struct Taken {
    listed: Listed,
    header: Header,
}

fn remove(copied: &Path) -> Result<(), BackupError> {
    match std::fs::remove_file(copied) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(BackupError::File(copied.to_owned(), error))
        }
        _ => Ok(()),
    }
}

/// Which store a copy is of, and its last change. A copy that is not whole is none.
pub(super) fn look_at(database: &Path) -> Result<(StoreIdentity, Revision), BackupError> {
    let connection = Sqlite::open_reader(database)?;
    let damage = tables::damage(&connection)?;
    if !damage.is_empty() {
        return Err(BackupError::Damaged(damage.join("; ")));
    }
    let identity = sqlite::identity(&connection)?;
    Ok((identity, tables::head(&connection)?))
}
