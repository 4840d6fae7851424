//! The file: a signed cover, and the parts that it lists.

use aws_lc_rs::digest::{SHA256, digest};
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use offgate_core::id::StoreId;
use offgate_core::parameters::{Epoch, Timestamp};

use super::{ANNEX, decode, encode};
use crate::join_token::RootFingerprint;
use crate::message::WireEpoch;

/// What the file says that it is.
const KIND: &str = "offgate proof";
/// What its cover is signed as.
const COVER_KIND: &str = "offgate proof cover";
/// The version of the fields of both.
const VERSION: u16 = 1;
/// The most bytes of a proof.
pub const FILE_LIMIT: usize = 32 << 20;

/// `[kind, version, cover, [[name, part], …]]`, the cover and each part as byte strings.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    kind: String,
    #[n(1)]
    version: u16,
    #[n(2)]
    cover: ByteVec,
    #[n(3)]
    parts: Vec<(String, ByteVec)>,
}

/// `[statement, signature, [certificate, …]]`.
#[derive(Encode, Decode)]
#[cbor(array)]
struct WireSigned {
    #[n(0)]
    statement: ByteVec,
    #[n(1)]
    signature: ByteArray<64>,
    #[n(2)]
    chain: Vec<ByteVec>,
}

/// `[kind, version, store, epoch, root, made at, [[name, hash], …]]`.
#[derive(Encode, Decode)]
#[cbor(array)]
struct WireCover {
    #[n(0)]
    kind: String,
    #[n(1)]
    version: u16,
    #[n(2)]
    store: ByteArray<16>,
    #[n(3)]
    epoch: WireEpoch,
    #[n(4)]
    root: ByteArray<32>,
    #[n(5)]
    made_at: i64,
    #[n(6)]
    parts: Vec<(String, ByteArray<32>)>,
}

/// What is signed: which store says this and when, and the hash of every part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cover {
    pub(super) store: StoreId,
    pub(super) epoch: Epoch,
    pub(super) root: RootFingerprint,
    pub(super) made_at: Timestamp,
    pub(super) parts: Vec<(String, [u8; 32])>,
}

impl Cover {
    /// The bytes that are signed.
    pub(super) fn statement(&self) -> Vec<u8> {
        encode(WireCover {
            kind: COVER_KIND.to_owned(),
            version: VERSION,
            store: (*self.store.as_bytes()).into(),
            epoch: self.epoch.into(),
            root: self.root.0.into(),
            made_at: self.made_at.microseconds(),
            parts: self
                .parts
                .iter()
                .map(|(name, hash)| (name.clone(), (*hash).into()))
                .collect(),
        })
    }

    pub(super) fn read(statement: &[u8]) -> Option<Self> {
        let read: WireCover = decode(statement)?;
        let known = read.kind == COVER_KIND && read.version == VERSION;
        known.then(|| Self {
            store: StoreId::from_bytes(*read.store),
            epoch: read.epoch.into(),
            root: RootFingerprint(*read.root),
            made_at: Timestamp::from_microseconds(read.made_at),
            parts: read
                .parts
                .into_iter()
                .map(|(name, hash)| (name, *hash))
                .collect(),
        })
    }
}

/// The cover as it was signed, with what shows whose signature it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedCover {
    pub(super) statement: Vec<u8>,
    pub(super) signature: [u8; 64],
    pub(super) chain: Vec<Vec<u8>>,
}

/// A proof. What it shows is for [`super::check()`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    pub(super) cover: Vec<u8>,
    pub(super) parts: Vec<(String, Vec<u8>)>,
}

/// The bytes are no proof in its one encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a proof of a known version, or its frame was altered")]
pub struct Malformed;

/// The annex is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has no annex")]
pub struct NoAnnex;

impl ProofFile {
    pub(super) fn new(cover: &SignedCover, parts: Vec<(String, Vec<u8>)>) -> Self {
        let cover = encode(WireSigned {
            statement: cover.statement.clone().into(),
            signature: cover.signature.into(),
            chain: cover.chain.iter().cloned().map(Into::into).collect(),
        });
        Self { cover, parts }
    }

    pub(super) fn signed(&self) -> Option<SignedCover> {
        let read: WireSigned = decode(&self.cover)?;
        Some(SignedCover {
            statement: read.statement.into(),
            signature: *read.signature,
            chain: read.chain.into_iter().map(Into::into).collect(),
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(Wire {
            kind: KIND.to_owned(),
            version: VERSION,
            cover: self.cover.clone().into(),
            parts: self
                .parts
                .iter()
                .map(|(name, part)| (name.clone(), part.clone().into()))
                .collect(),
        })
    }

    /// Reads the bytes of [`Self::encode`]. Says nothing about what they show.
    ///
    /// # Errors
    /// They are something else, or more than a proof needs.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > FILE_LIMIT {
            return Err(Malformed);
        }
        let read: Wire = decode(bytes).ok_or(Malformed)?;
        if read.kind != KIND || read.version != VERSION {
            return Err(Malformed);
        }
        Ok(Self {
            cover: read.cover.into(),
            parts: read
                .parts
                .into_iter()
                .map(|(name, part)| (name, part.into()))
                .collect(),
        })
    }

    /// The same without its annex: nobody is named in it, and it shows what it showed.
    ///
    /// # Errors
    /// It has none.
    pub fn detached(&self) -> Result<Self, NoAnnex> {
        let mut detached = self.clone();
        detached.parts.retain(|(name, _)| name != ANNEX);
        if detached.parts.len() == self.parts.len() {
            return Err(NoAnnex);
        }
        Ok(detached)
    }
}

/// By what the cover knows a part.
pub(super) fn hash(part: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, part).as_ref());
    hash
}
