//! The files of wrapping keys: `wrapping-<number>.key`, 32 bytes each. One is in use at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::seal::SealingKey;

/// What a key's file is called.
pub(crate) fn name(number: i64) -> String {
    format!("wrapping-{number}.key")
}

/// Where a key's file is.
pub(crate) fn path(folder: &Path, number: i64) -> PathBuf {
    folder.join(name(number))
}

/// Makes a key's file, durable when this returns. One of the same number is gone.
pub(super) fn write(folder: &Path, number: i64, key: &SealingKey) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path(folder, number))?;
    file.write_all(key.as_bytes())?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Reads a key.
pub(super) fn read(folder: &Path, number: i64) -> io::Result<SealingKey> {
    let bytes = std::fs::read(path(folder, number))?;
    <[u8; 32]>::try_from(bytes.as_slice())
        .map(SealingKey::from_bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a key has 32 bytes"))
}

/// Overwrites and deletes every key but the one in use.
pub(super) fn destroy_others(folder: &Path, in_use: i64) -> io::Result<()> {
    let mut destroyed = false;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.strip_prefix("wrapping-")?.strip_suffix(".key"))
            .and_then(|number| number.parse::<i64>().ok());
        if number.is_some_and(|number| number != in_use) {
            let file = OpenOptions::new().write(true).open(entry.path())?;
            file.write_all_at(&[0; 32], 0)?;
            file.sync_all()?;
            std::fs::remove_file(entry.path())?;
            destroyed = true;
        }
    }
    if destroyed {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
