//! What can be kept outside of a store and checked without it: a signed checkpoint, and with it that
//! an entry is in the log, or that the log continues from an earlier checkpoint.
//!
//! Owns: the file's one encoding, and what its hashes show. Refuses to know: whose signatures the
//! checkpoints bear.

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

use crate::checkpoint::{Checkpoint, SIGNED_LIMIT, SignedCheckpoint};
use crate::tree::{Leaf, PROOF_LIMIT, TreeHash, verify_consistency, verify_inclusion};

/// What the file says that it is.
const KIND: &str = "offgate log proof";
/// The version of its fields.
const VERSION: u16 = 1;
/// The most bytes of a proof.
pub const PROOF_FILE_LIMIT: usize = 3 * SIGNED_LIMIT;

/// A checkpoint, and what is shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// SHA-256 of the certificate of the root that it says it is signed below.
    pub root: [u8; 32],
    /// The log as it was signed for.
    pub checkpoint: SignedCheckpoint,
    /// What is shown of it.
    pub shows: Shows,
}

/// What is shown of a log beside its checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Nothing more.
    Checkpoint,
    /// It has this entry.
    Entry {
        /// The bytes of the entry's leaf.
        leaf: Vec<u8>,
        /// The hashes beside the way from the leaf to the root of the tree.
        hashes: Vec<TreeHash>,
    },
    /// It continues from an earlier checkpoint.
    Continuation {
        /// That checkpoint.
        older: SignedCheckpoint,
        /// What the two trees have in common, and what was added.
        hashes: Vec<TreeHash>,
    },
}

/// What a proof says of the log, if whoever signed it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<'a> {
    /// The log.
    pub log: Checkpoint,
    /// The entry, if it is about one.
    pub entry: Option<Leaf<'a>>,
    /// The earlier checkpoint, if it is about one.
    pub older: Option<Checkpoint>,
}

/// Why a proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShowsNothing {
    /// The bytes are no proof in its one encoding.
    #[error("it is not a proof of a known version, or was altered")]
    NotAProof,
    /// The entry is not in the tree that was signed for.
    #[error("the entry is not in the log that was signed for")]
    Entry,
    /// The log that was signed for later does not go on from the earlier one.
    #[error("the later log does not continue the earlier one")]
    Continuation,
    /// The checkpoints are of two stores, or the later is of an earlier epoch.
    #[error("the two checkpoints are not of one log")]
    AnotherLog,
}

/// `[kind, version, root, checkpoint, leaf or null, older checkpoint or null, [hash, …]]`.
#[derive(Encode, Decode)]
#[cbor(array)]
struct File {
    #[n(0)]
    kind: String,
    #[n(1)]
    version: u16,
    #[n(2)]
    root: ByteArray<32>,
    #[n(3)]
    checkpoint: ByteVec,
    #[n(4)]
    leaf: Option<ByteVec>,
    #[n(5)]
    older: Option<ByteVec>,
    #[n(6)]
    hashes: Vec<ByteArray<32>>,
}

impl LogProof {
    /// Its bytes: deterministic CBOR,
    /// `["offgate log proof", 1, root, checkpoint, leaf or null, older or null, [hash, …]]`, with
    /// each checkpoint as the byte string of [`SignedCheckpoint::encode`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (leaf, older, hashes) = match &self.shows {
            Shows::Checkpoint => (None, None, &[][..]),
            Shows::Entry { leaf, hashes } => (Some(leaf.clone().into()), None, &hashes[..]),
            Shows::Continuation { older, hashes } => {
                (None, Some(older.encode().into()), &hashes[..])
            }
        };
        minicbor::to_vec(File {
            kind: KIND.to_owned(),
            version: VERSION,
            root: self.root.into(),
            checkpoint: self.checkpoint.encode().into(),
            leaf,
            older,
            hashes: hashes.iter().map(|hash| hash.0.into()).collect(),
        })
        .unwrap_or_else(|_| unreachable!("writing to memory cannot fail"))
    }

    /// Reads the bytes of [`Self::encode`]. Says nothing about what they show.
    ///
    /// # Errors
    /// They are something else, or more than a proof needs.
    pub fn decode(bytes: &[u8]) -> Result<Self, ShowsNothing> {
        let not_one = |_| ShowsNothing::NotAProof;
        if bytes.len() > PROOF_FILE_LIMIT {
            return Err(ShowsNothing::NotAProof);
        }
        let read: File = minicbor::decode(bytes).map_err(|_| ShowsNothing::NotAProof)?;
        let hashes: Vec<_> = read
            .hashes
            .into_iter()
            .map(|hash| TreeHash(*hash))
            .collect();
        let shows = match (read.leaf, read.older) {
            (None, None) => Shows::Checkpoint,
            (Some(leaf), None) => Shows::Entry {
                leaf: leaf.into(),
                hashes,
            },
            (None, Some(older)) => Shows::Continuation {
                older: SignedCheckpoint::decode(&older).map_err(not_one)?,
                hashes,
            },
            (Some(_), Some(_)) => return Err(ShowsNothing::NotAProof),
        };
        let proof = Self {
            root: *read.root,
            checkpoint: SignedCheckpoint::decode(&read.checkpoint).map_err(not_one)?,
            shows,
        };
        // The kind, the version and how it is written are compared with this too.
        if proof.encode() == bytes {
            Ok(proof)
        } else {
            Err(ShowsNothing::NotAProof)
        }
    }

    /// What its hashes show. Whose signatures it bears is for whoever knows the root.
    ///
    /// # Errors
    /// They do not show what they should.
    pub fn shown(&self) -> Result<Shown<'_>, ShowsNothing> {
        let read = |signed: &SignedCheckpoint| {
            Checkpoint::read(&signed.statement).map_err(|_| ShowsNothing::NotAProof)
        };
        let log = read(&self.checkpoint)?;
        let (mut entry, mut older) = (None, None);
        match &self.shows {
            Shows::Checkpoint => {}
            Shows::Entry { leaf, hashes } => {
                let read = Leaf::decode(leaf).ok_or(ShowsNothing::NotAProof)?;
                let number = read.revision.checked_sub(1).ok_or(ShowsNothing::Entry)?;
                verify_inclusion(TreeHash::leaf(leaf), number, log.size, log.root, hashes)
                    .map_err(|_| ShowsNothing::Entry)?;
                entry = Some(read);
            }
            Shows::Continuation {
                older: signed,
                hashes,
            } => {
                let read = read(signed)?;
                let one_log = read.store == log.store
                    && (read.epoch.counter < log.epoch.counter || read.epoch == log.epoch);
                if !one_log {
                    return Err(ShowsNothing::AnotherLog);
                }
                verify_consistency((read.size, read.root), (log.size, log.root), hashes)
                    .map_err(|_| ShowsNothing::Continuation)?;
                older = Some(read);
            }
        }
        Ok(Shown { log, entry, older })
    }
}

const _: () = assert!(2 * SIGNED_LIMIT + (PROOF_LIMIT + 4) * 35 < PROOF_FILE_LIMIT);
