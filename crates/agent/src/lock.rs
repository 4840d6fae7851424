//! One agent per folder: two would give out the same event numbers and acknowledge each other's
//! table.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// Held for as long as the agent runs; the kernel lets go when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

/// Why the folder could not be taken.
#[derive(Debug)]
pub(crate) enum NotLocked {
    /// Another process has it.
    InUse,
    /// The lock file cannot be made.
    Io(io::Error),
}

impl FolderLock {
    pub(crate) fn take(folder: &Path) -> Result<Self, NotLocked> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join("lock"))
            .map_err(NotLocked::Io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(NotLocked::InUse),
            Err(error) => Err(NotLocked::Io(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = FolderLock::take(folder.path()).expect("free");
        assert!(matches!(
            FolderLock::take(folder.path()),
            Err(NotLocked::InUse)
        ));
        drop(lock);
        FolderLock::take(folder.path()).expect("free again");
    }
}
