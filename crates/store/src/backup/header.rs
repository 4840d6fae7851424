//! What stands in the clear at the beginning of a backup.

use std::io::{self, Read, Write};
use std::path::Path;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use offgate_core::id::StoreId;
use offgate_core::parameters::{Epoch, Revision, Timestamp};

use super::BackupError;

/// What every backup begins with. The number is the version of its form.
const MAGIC: &[u8; 17] = b"offgate backup 1\n";
/// The most bytes of a header.
const LIMIT: u32 = 16 * 1024;

/// What a backup is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// The database and the server's keys.
    Store {
        /// The store's epoch then.
        epoch: Epoch,
        /// The last change in it.
        revision: Revision,
    },
    /// The vault without the key that opens it.
    Vault {
        /// The number of the key that opens it.
        key: i64,
    },
    /// The key that opens the vault.
    VaultKey {
        /// Its number.
        key: i64,
    },
}

/// What is known of a backup without its key. Not to be believed before the rest was opened: the
/// key of the rest is made from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// When it was made.
    pub made_at: Timestamp,
    /// Of which store.
    pub store: StoreId,
    /// What of it.
    pub contents: Contents,
    /// The backup key, locked with the passphrase.
    pub locked_key: Vec<u8>,
    /// Tells the keys of two backups apart.
    pub(super) salt: [u8; 32],
}

/// `[made at, store, contents, locked key, salt]`.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    /// Microseconds since 1970.
    #[n(0)]
    made_at: i64,
    #[n(1)]
    store: ByteArray<16>,
    #[n(2)]
    contents: WireContents,
    #[n(3)]
    locked_key: ByteVec,
    #[n(4)]
    salt: ByteArray<32>,
}

/// `[0, [epoch counter, epoch nonce, revision]]`, `[1, [key]]` or `[2, [key]]`.
#[derive(Encode, Decode)]
enum WireContents {
    #[n(0)]
    Store {
        #[n(0)]
        counter: u64,
        #[n(1)]
        nonce: ByteArray<16>,
        #[n(2)]
        revision: u64,
    },
    #[n(1)]
    Vault {
        #[n(0)]
        key: i64,
    },
    #[n(2)]
    VaultKey {
        #[n(0)]
        key: i64,
    },
}

impl From<Contents> for WireContents {
    fn from(contents: Contents) -> Self {
        match contents {
            Contents::Store { epoch, revision } => Self::Store {
                counter: epoch.counter,
                nonce: epoch.nonce.into(),
                revision: revision.number(),
            },
            Contents::Vault { key } => Self::Vault { key },
            Contents::VaultKey { key } => Self::VaultKey { key },
        }
    }
}

impl From<WireContents> for Contents {
    fn from(contents: WireContents) -> Self {
        match contents {
            WireContents::Store {
                counter,
                nonce,
                revision,
            } => Self::Store {
                epoch: Epoch {
                    counter,
                    nonce: *nonce,
                },
                revision: Revision::new(revision),
            },
            WireContents::Vault { key } => Self::Vault { key },
            WireContents::VaultKey { key } => Self::VaultKey { key },
        }
    }
}

impl Header {
    /// Its bytes, those before it included.
    pub(super) fn encode(&self) -> Vec<u8> {
        let wire = Wire {
            made_at: self.made_at.microseconds(),
            store: (*self.store.as_bytes()).into(),
            contents: self.contents.into(),
            locked_key: self.locked_key.clone().into(),
            salt: self.salt.into(),
        };
        let body = minicbor::to_vec(wire)
            .unwrap_or_else(|_| unreachable!("writing to memory cannot fail"));
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        [MAGIC.as_slice(), &length.to_be_bytes(), &body].concat()
    }

    /// Reads one from the beginning of a file, and leaves the rest to be read.
    pub(super) fn read(path: &Path, from: &mut impl Read) -> Result<Self, BackupError> {
        Self::parse(from)
            .map_err(|error| BackupError::File(path.to_owned(), error))?
            .ok_or_else(|| BackupError::NotABackup(path.to_owned()))
    }

    fn parse(from: &mut impl Read) -> io::Result<Option<Self>> {
        let (mut magic, mut length) = ([0; 17], [0; 4]);
        if !fills(from, &mut magic)? || magic != *MAGIC || !fills(from, &mut length)? {
            return Ok(None);
        }
        let length = u32::from_be_bytes(length);
        if length > LIMIT {
            return Ok(None);
        }
        let mut body = vec![0; length as usize];
        if !fills(from, &mut body)? {
            return Ok(None);
        }
        let Ok(wire) = minicbor::decode::<Wire>(&body) else {
            return Ok(None);
        };
        let header = Self {
            made_at: Timestamp::from_microseconds(wire.made_at),
            store: StoreId::from_bytes(*wire.store),
            contents: wire.contents.into(),
            locked_key: wire.locked_key.into(),
            salt: *wire.salt,
        };
        // One encoding only: the key of the rest is made from these bytes.
        Ok((header.encode()[MAGIC.len() + 4..] == body).then_some(header))
    }

    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.encode())
    }

    /// The key of this backup alone. Any other header makes another key.
    pub(super) fn file_key(&self, backup_key: &[u8; 32]) -> [u8; 32] {
        *blake3::Hasher::new_keyed(backup_key)
            .update(b"offgate backup file key")
            .update(&self.encode())
            .finalize()
            .as_bytes()
    }
}

/// Reads as many bytes, if there are as many. A file that is too short is not one that cannot be
/// read.
fn fills(from: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
