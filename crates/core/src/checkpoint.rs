//! Checkpoints: what a store signs about its log, so that whoever holds one can tell later whether
//! the log continues from there.

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

use crate::id::StoreId;
use crate::parameters::{Epoch, Timestamp};
use crate::tree::TreeHash;

/// What a checkpoint is signed as.
const KIND: &str = "offgate checkpoint";
/// The version of its fields.
const VERSION: u16 = 1;
/// The most certificates in a chain.
const CHAIN_LIMIT: usize = 8;
/// The most bytes of a signed checkpoint.
pub const SIGNED_LIMIT: usize = 32 * 1024;

/// The log up to a revision, as a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log.
    pub store: StoreId,
    /// In which epoch the store signs this.
    pub epoch: Epoch,
    /// How many entries: the revision of the last one.
    pub size: u64,
    /// The hash of the tree with these entries as leaves.
    pub root: TreeHash,
    /// When it was signed, by the store's clock.
    pub at: Timestamp,
}

/// A checkpoint as it was signed, with what shows whose signature it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The bytes that were signed: see [`Checkpoint::statement`].
    pub statement: Vec<u8>,
    /// The log key's Ed25519 signature over them.
    pub signature: [u8; 64],
    /// The log key's certificate and those above it in DER, the root's last.
    pub chain: Vec<Vec<u8>>,
}

/// The bytes are no checkpoint in its one encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint of a known version")]
pub struct NotACheckpoint;

/// `[kind, version, store, [counter, nonce], size, root, at]`.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Statement {
    #[n(0)]
    kind: String,
    #[n(1)]
    version: u16,
    #[n(2)]
    store: ByteArray<16>,
    #[n(3)]
    epoch: (u64, ByteArray<16>),
    #[n(4)]
    size: u64,
    #[n(5)]
    root: ByteArray<32>,
    #[n(6)]
    at: i64,
}

/// `[statement, signature, [certificate, …]]`.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Signed {
    #[n(0)]
    statement: ByteVec,
    #[n(1)]
    signature: ByteArray<64>,
    #[n(2)]
    chain: Vec<ByteVec>,
}

fn encode(value: impl Encode<()>) -> Vec<u8> {
    minicbor::to_vec(value).unwrap_or_else(|_| unreachable!("writing to memory cannot fail"))
}

impl Checkpoint {
    /// The bytes that are signed: deterministic CBOR,
    /// `["offgate checkpoint", 1, store, [epoch, nonce], size, root, at]`.
    #[must_use]
    pub fn statement(&self) -> Vec<u8> {
        encode(Statement {
            kind: KIND.to_owned(),
            version: VERSION,
            store: (*self.store.as_bytes()).into(),
            epoch: (self.epoch.counter, self.epoch.nonce.into()),
            size: self.size,
            root: self.root.0.into(),
            at: self.at.microseconds(),
        })
    }

    /// Reads the bytes of [`Self::statement`]. Says nothing about who signed them.
    ///
    /// # Errors
    /// They are something else.
    pub fn read(statement: &[u8]) -> Result<Self, NotACheckpoint> {
        let read: Statement = minicbor::decode(statement).map_err(|_| NotACheckpoint)?;
        let checkpoint = Self {
            store: StoreId::from_bytes(*read.store),
            epoch: Epoch {
                counter: read.epoch.0,
                nonce: *read.epoch.1,
            },
            size: read.size,
            root: TreeHash(*read.root),
            at: Timestamp::from_microseconds(read.at),
        };
        if checkpoint.statement() == statement {
            Ok(checkpoint)
        } else {
            Err(NotACheckpoint)
        }
    }
}

impl SignedCheckpoint {
    /// Its bytes, for a row, a message or a file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(Signed {
            statement: self.statement.clone().into(),
            signature: self.signature.into(),
            chain: self.chain.iter().cloned().map(Into::into).collect(),
        })
    }

    /// Reads the bytes of [`Self::encode`]. Says nothing about whose signature it is.
    ///
    /// # Errors
    /// They are something else, or more than a checkpoint needs.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotACheckpoint> {
        if bytes.len() > SIGNED_LIMIT {
            return Err(NotACheckpoint);
        }
        let read: Signed = minicbor::decode(bytes).map_err(|_| NotACheckpoint)?;
        let signed = Self {
            statement: read.statement.into(),
            signature: read.signature.into(),
            chain: read.chain.into_iter().map(Into::into).collect(),
        };
        if signed.chain.len() <= CHAIN_LIMIT && signed.encode() == bytes {
            Ok(signed)
        } else {
            Err(NotACheckpoint)
        }
    }
}
