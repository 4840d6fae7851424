//! The keys of the link, as files in the data directory that only its owner may read.
//!
//! A folder `keys` holds the seeds of root, issuing and link key, 32 random bytes each, and the
//! root's certificate with those made from it. A later issue puts the root under a passphrase.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use offgate_core::parameters::Randomness;
use offgate_link::identity::{Authority, IdentityError};

/// The keys could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file could not be read or written.
    #[error("the file {0} cannot be used")]
    File(&'static str, #[source] std::io::Error),
    /// A file is not what it should be.
    #[error("the file {0} is damaged")]
    Damaged(&'static str),
    /// The certificates could not be made.
    #[error("the certificates cannot be made")]
    Certificates(#[from] IdentityError),
}

const SEEDS: &str = "link-seeds";
const CERTIFICATES: &str = "link-certificates";

/// Reads the keys in a data directory, or makes them when there are none.
///
/// # Errors
/// The files cannot be read, written or understood.
pub fn open(data: &Path, randomness: &dyn Randomness) -> Result<Authority, KeysError> {
    let folder = folder(data)?;
    let path = folder.join(SEEDS);
    let seeds = match std::fs::read(&path) {
        Ok(bytes) => <[u8; 96]>::try_from(bytes).map_err(|_| KeysError::Damaged(SEEDS))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut seeds = [0; 96];
            randomness.fill(&mut seeds);
            write(&folder, SEEDS, &seeds)?;
            seeds
        }
        Err(error) => return Err(KeysError::File(SEEDS, error)),
    };
    let mut parts = [[0; 32]; 3];
    for (part, bytes) in parts.iter_mut().zip(seeds.chunks_exact(32)) {
        part.copy_from_slice(bytes);
    }
    let mut authority = Authority::create(parts)?;
    // A certificate has a random serial number, so the chain is made once and kept: agents know
    // the root by its very bytes.
    let path = folder.join(CERTIFICATES);
    match File::open(&path) {
        Ok(mut file) => {
            let mut chain = Vec::new();
            for _ in 0..3 {
                let mut length = [0; 4];
                file.read_exact(&mut length)
                    .map_err(|_| KeysError::Damaged(CERTIFICATES))?;
                let length = u32::from_be_bytes(length) as usize;
                if length > 16 * 1024 {
                    return Err(KeysError::Damaged(CERTIFICATES));
                }
                let mut certificate = vec![0; length];
                file.read_exact(&mut certificate)
                    .map_err(|_| KeysError::Damaged(CERTIFICATES))?;
                chain.push(certificate);
            }
            authority.root.chain = chain[2..].to_vec();
            authority.issuing.chain = chain[1..].to_vec();
            authority.link.chain = chain;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut bytes = Vec::new();
            for certificate in &authority.link.chain {
                let length = u32::try_from(certificate.len())
                    .map_err(|_| KeysError::Damaged(CERTIFICATES))?;
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(certificate);
            }
            write(&folder, CERTIFICATES, &bytes)?;
        }
        Err(error) => return Err(KeysError::File(CERTIFICATES, error)),
    }
    Ok(authority)
}

/// The folder of keys in a data directory, made if it is not there.
pub(crate) fn folder(data: &Path) -> Result<PathBuf, KeysError> {
    let folder = data.join("keys");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| KeysError::File("keys", error))?;
    Ok(folder)
}

/// Writes a file so that it is there whole or not at all, and only its owner may read it.
pub(crate) fn write(folder: &Path, name: &'static str, bytes: &[u8]) -> Result<(), KeysError> {
    let failed = |error| KeysError::File(name, error);
    let passing = folder.join(format!("{name}.new"));
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&passing)
        .map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&passing, folder.join(name)).map_err(failed)?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}
