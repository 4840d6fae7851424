//! The folder in which backups lie.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use offgate_core::backup::outlived;
use offgate_core::calendar::{read_stamp, write_stamp};
use offgate_core::parameters::Timestamp;

use super::cipher::{Opening, Sealing};
use super::header::{Contents, Header};
use super::{BackupError, BackupKey, archive};

/// What every name ends with.
const ENDING: &str = ".backup";
/// What the names of backups of the store begin with; then comes when they were made.
const STORE: &str = "offgate-";
/// The backup of the vault.
const VAULT: &str = "vault.backup";
/// What the name of the backup of the vault's key begins with; then comes its number.
const VAULT_KEY: &str = "vault-key-";
/// What a file is called while it is written.
const PASSING: &str = ".new";
/// Held by whoever writes.
const LOCK: &str = "lock";

/// A folder of backups.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

/// A backup on a shelf.
#[derive(Debug)]
pub struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// When it was made, by its name.
    pub made_at: Timestamp,
    /// How many bytes it has.
    pub size: u64,
}

impl Shelf {
    /// The shelf in this folder. It is made when something is put on it.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The backups of the store, the newest first. None when there is no folder yet.
    ///
    /// # Errors
    /// Here and below: the folder or a file in it cannot be used.
    pub fn list(&self) -> Result<Vec<Listed>, BackupError> {
        let failed = |error| BackupError::File(self.folder.clone(), error);
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let made_at = name
                .to_str()
                .and_then(|name| name.strip_prefix(STORE)?.strip_suffix(ENDING))
                .and_then(read_stamp);
            if let Some(made_at) = made_at {
                found.push(Listed {
                    size: entry.metadata().map_err(failed)?.len(),
                    path: entry.path(),
                    made_at,
                });
            }
        }
        found.sort_by_key(|backup| std::cmp::Reverse(backup.made_at));
        Ok(found)
    }

    /// When the newest backup of the store was made.
    ///
    /// # Errors
    /// As for [`Self::list`].
    pub fn newest(&self) -> Result<Option<Timestamp>, BackupError> {
        Ok(self.list()?.first().map(|backup| backup.made_at))
    }

    /// When the newest backup of the store under this key was made. One under another key may be
    /// opened by another passphrase.
    ///
    /// # Errors
    /// As for [`Self::list`].
    pub fn newest_under(&self, key: &BackupKey) -> Result<Option<Timestamp>, BackupError> {
        let Some(newest) = self.list()?.into_iter().next() else {
            return Ok(None);
        };
        match Reading::open(&newest.path) {
            Ok(backup) if backup.header.locked_key == key.locked => Ok(Some(newest.made_at)),
            Ok(_) | Err(BackupError::NotABackup(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes those away that are kept no longer.
    ///
    /// # Errors
    /// As for [`Self::list`].
    pub fn tidy(&self, now: Timestamp) -> Result<(), BackupError> {
        let backups = self.list()?;
        let made: Vec<_> = backups.iter().map(|backup| backup.made_at).collect();
        let outlived = outlived(&made, now);
        for backup in backups {
            if outlived.contains(&backup.made_at) {
                std::fs::remove_file(&backup.path).map_err(BackupError::file(&backup.path))?;
            }
        }
        Ok(())
    }

    /// Makes the folder, and makes sure that nobody else writes into it until the file is dropped.
    pub(super) fn lock(&self) -> Result<File, BackupError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(BackupError::file(&self.folder))?;
        let path = self.folder.join(LOCK);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(BackupError::file(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Busy),
            Err(TryLockError::Error(error)) => return Err(BackupError::File(path, error)),
        }
        // What somebody who was killed left takes room that is needed.
        for entry in std::fs::read_dir(&self.folder).map_err(BackupError::file(&self.folder))? {
            let path = entry.map_err(BackupError::file(&self.folder))?.path();
            if path.to_string_lossy().ends_with(PASSING) {
                std::fs::remove_file(&path).map_err(BackupError::file(&path))?;
            }
        }
        Ok(file)
    }

    /// Where the backup of the vault is.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.folder.join(VAULT)
    }

    /// Where the backup of the vault's key of this number is.
    #[must_use]
    pub fn vault_key(&self, number: i64) -> PathBuf {
        self.folder.join(format!("{VAULT_KEY}{number}{ENDING}"))
    }

    /// Takes the backups of the vault's other keys away: with them older copies of the vault are
    /// worth nothing. To be called by whoever holds the lock.
    pub(super) fn keep_vault_key(&self, number: i64) -> Result<(), BackupError> {
        let failed = |error| BackupError::File(self.folder.clone(), error);
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let of_a_key = path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(VAULT_KEY) && name.ends_with(ENDING));
            if of_a_key && path != self.vault_key(number) {
                std::fs::remove_file(&path).map_err(BackupError::file(&path))?;
            }
        }
        Ok(())
    }

    fn place(&self, header: &Header) -> PathBuf {
        match header.contents {
            Contents::Store { .. } => self
                .folder
                .join(format!("{STORE}{}{ENDING}", write_stamp(header.made_at))),
            Contents::Vault { .. } => self.vault(),
            Contents::VaultKey { key } => self.vault_key(key),
        }
    }

    /// Writes a backup of these files. It is there whole or not at all, and only its owner may
    /// read it. To be called by whoever holds the lock.
    pub(super) fn put(
        &self,
        header: &Header,
        key: &BackupKey,
        files: &[(String, PathBuf)],
    ) -> Result<PathBuf, BackupError> {
        let path = self.place(header);
        let mut passing = path.clone().into_os_string();
        passing.push(PASSING);
        let passing = PathBuf::from(passing);
        let written = write(&passing, header, key, files)
            .and_then(|()| {
                std::fs::rename(&passing, &path)?;
                File::open(&self.folder)?.sync_all()
            })
            .map_err(|error| BackupError::File(path.clone(), error));
        if written.is_err() {
            // What made it fail is what is told.
            let _ = std::fs::remove_file(&passing);
        }
        written.map(|()| path)
    }
}

fn write(
    passing: &Path,
    header: &Header,
    key: &BackupKey,
    files: &[(String, PathBuf)],
) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(passing)?;
    header.write(&mut file)?;
    let mut sealing = Sealing::new(BufWriter::new(&file), &header.file_key(&key.key));
    for (name, path) in files {
        archive::put(&mut sealing, name, &mut File::open(path)?)?;
    }
    archive::end(&mut sealing)?;
    sealing.finish()?.flush()?;
    file.sync_all()
}

/// A backup that is being read.
pub struct Reading {
    path: PathBuf,
    header: Header,
    rest: BufReader<File>,
}

impl Reading {
    /// Reads its header.
    ///
    /// # Errors
    /// It cannot be read, or is no backup.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(BackupError::file(path))?;
        let mut rest = BufReader::with_capacity(128 * 1024, file);
        let header = Header::read(path, &mut rest)?;
        Ok(Self {
            path: path.to_owned(),
            header,
            rest,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says of itself.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Opens all of it with the backup key, and gives every file in it, with its length, to `each`.
    /// Only when this returns well was all of it what was written.
    pub(super) fn files(
        self,
        key: &[u8; 32],
        each: impl FnMut(&str, u64, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), BackupError> {
        let mut opening = Opening::new(self.rest, &self.header.file_key(key));
        archive::take_all(&mut opening, each).map_err(BackupError::file(&self.path))
    }

    /// Reads all of it and says what is in it: names and lengths.
    ///
    /// # Errors
    /// It cannot be read, was changed, or its key is another.
    pub fn verify(self, key: &[u8; 32]) -> Result<Vec<(String, u64)>, BackupError> {
        let mut found = Vec::new();
        self.files(key, |name, length, file| {
            io::copy(file, &mut io::sink())?;
            found.push((name.to_owned(), length));
            Ok(())
        })?;
        Ok(found)
    }
}
