//! The folder of keys: files that only their owner may read, there whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use offgate_core::parameters::Timestamp;

use super::KeysError;

/// Its name in the data directory.
pub(super) const FOLDER: &str = "keys";
/// Held while a file is replaced, so that two programs do not replace it at once.
const LOCK: &str = "lock";

/// The folder `keys` of a data directory.
pub(crate) struct Folder {
    path: PathBuf,
    /// How many more times the disk is touched before the power goes, in tests.
    #[cfg(test)]
    pub(super) steps: std::sync::atomic::AtomicU32,
}

/// Tells one version of a file from the next without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    file: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// When the file was last written.
    pub(super) const fn modified(self) -> Timestamp {
        Timestamp::from_seconds(self.modified.0)
    }
}

impl Folder {
    /// Opens it, and makes it if it is not there.
    pub(crate) fn open(data: &Path) -> Result<Self, KeysError> {
        let path = data.join(FOLDER);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| KeysError::File("keys", error))?;
        Ok(Self {
            path,
            #[cfg(test)]
            steps: u32::MAX.into(),
        })
    }

    /// Where a file in it is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// All of a file, if there is one.
    pub(super) fn read(&self, name: &'static str) -> Result<Option<Vec<u8>>, KeysError> {
        match std::fs::read(self.path(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(KeysError::File(name, error)),
        }
    }

    /// Which version of a file is there.
    pub(super) fn stamp(&self, name: &'static str) -> Result<Stamp, KeysError> {
        let metadata =
            std::fs::metadata(self.path(name)).map_err(|error| KeysError::File(name, error))?;
        Ok(Stamp {
            file: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }

    /// Writes a file so that it is there whole or not at all, and only its owner may read it.
    pub(crate) fn write(&self, name: &'static str, bytes: &[u8]) -> Result<(), KeysError> {
        let passing = self.path(&format!("{name}.new"));
        let write = || {
            self.step()?;
            let mut file = OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .mode(0o600)
                .open(&passing)?;
            let (first, rest) = bytes.split_at(bytes.len() / 2);
            file.write_all(first)?;
            self.step()?;
            file.write_all(rest)?;
            file.sync_all()?;
            self.step()?;
            std::fs::rename(&passing, self.path(name))?;
            self.step()?;
            self.sync()
        };
        write().map_err(|error| KeysError::File(name, error))
    }

    /// Removes files; those that are not there already are as they should be.
    pub(super) fn remove(&self, names: &[&'static str]) -> Result<(), KeysError> {
        for name in names {
            let remove = || {
                self.step()?;
                std::fs::remove_file(self.path(name))?;
                self.sync()
            };
            match remove() {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(KeysError::File(name, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Keeps every other program from replacing files, until what this returns is dropped.
    pub(super) fn lock(&self) -> Result<File, KeysError> {
        let lock = || {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(self.path(LOCK))?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|error| KeysError::File(LOCK, error))
    }

    fn sync(&self) -> std::io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    #[cfg(test)]
    fn step(&self) -> std::io::Result<()> {
        use std::sync::atomic::Ordering::Relaxed;
        self.steps
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
            .map(|_| ())
            .map_err(|_| std::io::Error::other("the power went"))
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "tests cut the power here"
    )]
    const fn step(&self) -> std::io::Result<()> {
        Ok(())
    }
}
