//! Signed statements: an agent's acknowledgement of its table, and its proof that it has its key.
//!
//! Every signature covers a kind, a version and the bytes as sent, so that nothing signed for one
//! purpose can be shown for another.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use minicbor::{Decode, Encode};
use offgate_core::agent::AgentKey;
use offgate_core::id::{DoorId, StoreId};
use offgate_core::parameters::{Epoch, Revision};
use offgate_core::table::entry::TableHash;

use crate::message::{Bytes16, Bytes32, WireEpoch};

/// What an acknowledgement is signed as.
const KIND: &str = "offgate acknowledgement";
/// The version of its fields.
const VERSION: u16 = 2;

/// What an agent says of itself: my durable table is this one, I decide by it from now on, and
/// follow these refusals of later changes already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Whose changes the table is made of.
    pub store: StoreId,
    /// The epoch its revision belongs to.
    pub epoch: Epoch,
    /// The revision the table has reached.
    pub revision: Revision,
    /// The table's hash.
    pub hash: TableHash,
    /// The doors that are decided by it, in the order of their ids.
    pub doors: Vec<DoorId>,
    /// Refusals of later changes of this epoch that are durable beside the table and followed
    /// already, in the order of the changes.
    pub above: Vec<Above>,
}

/// A refusal that is followed though the table has not reached its change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Above {
    /// The random id of the person or the credential.
    pub subject: [u8; 16],
    /// The change that refused it.
    pub revision: Revision,
}

/// `[kind, version, store, epoch, revision, hash, doors, above]`: the bytes that are signed.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Statement {
    #[n(0)]
    kind: String,
    #[n(1)]
    version: u16,
    #[n(2)]
    store: Bytes16,
    #[n(3)]
    epoch: WireEpoch,
    #[n(4)]
    revision: u64,
    #[n(5)]
    hash: Bytes32,
    #[n(6)]
    doors: Vec<Bytes16>,
    #[n(7)]
    above: Vec<WireAbove>,
}

/// `[subject, revision]`.
#[derive(Encode, Decode)]
#[cbor(array)]
struct WireAbove {
    #[n(0)]
    subject: Bytes16,
    #[n(1)]
    revision: u64,
}

/// Why an acknowledgement is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBelieved {
    /// The signature is not this key's over these bytes.
    #[error("the signature does not match")]
    Signature,
    /// The bytes are no acknowledgement of a version known here.
    #[error("not an acknowledgement of a known version")]
    Malformed,
}

impl Acknowledgement {
    /// The bytes that are signed and sent.
    #[must_use]
    pub fn statement(&self) -> Vec<u8> {
        let statement = Statement {
            kind: KIND.to_owned(),
            version: VERSION,
            store: (*self.store.as_bytes()).into(),
            epoch: WireEpoch {
                counter: self.epoch.counter,
                nonce: self.epoch.nonce.into(),
            },
            revision: self.revision.number(),
            hash: self.hash.0.into(),
            doors: self
                .doors
                .iter()
                .map(|door| (*door.as_bytes()).into())
                .collect(),
            above: self
                .above
                .iter()
                .map(|above| WireAbove {
                    subject: above.subject.into(),
                    revision: above.revision.number(),
                })
                .collect(),
        };
        minicbor::to_vec(statement)
            .unwrap_or_else(|_| unreachable!("writing to memory cannot fail"))
    }

    /// Reads a statement that `key` signed.
    ///
    /// # Errors
    /// The signature does not match, or the bytes are no acknowledgement.
    pub fn verify(
        key: &AgentKey,
        statement: &[u8],
        signature: &[u8; 64],
    ) -> Result<Self, NotBelieved> {
        verify(key, statement, signature)?;
        let read: Statement = minicbor::decode(statement).map_err(|_| NotBelieved::Malformed)?;
        if read.kind != KIND || read.version != VERSION {
            return Err(NotBelieved::Malformed);
        }
        let acknowledgement = Self {
            store: StoreId::from_bytes(*read.store),
            epoch: Epoch {
                counter: read.epoch.counter,
                nonce: *read.epoch.nonce,
            },
            revision: Revision::new(read.revision),
            hash: TableHash(*read.hash),
            doors: read
                .doors
                .iter()
                .map(|door| DoorId::from_bytes(**door))
                .collect(),
            above: read
                .above
                .iter()
                .map(|above| Above {
                    subject: *above.subject,
                    revision: Revision::new(above.revision),
                })
                .collect(),
        };
        if acknowledgement.statement() == statement {
            Ok(acknowledgement)
        } else {
            Err(NotBelieved::Malformed)
        }
    }
}

pub(crate) fn verify(
    key: &AgentKey,
    statement: &[u8],
    signature: &[u8; 64],
) -> Result<(), NotBelieved> {
    UnparsedPublicKey::new(&ED25519, key.0)
        .verify(statement, signature)
        .map_err(|_| NotBelieved::Signature)
}

/// What an agent signs when it enrols: that whoever shows this secret has this key.
#[must_use]
pub fn enrolment_statement(secret: &[u8; 16], key: &AgentKey) -> Vec<u8> {
    let mut statement = b"offgate enrolment 1".to_vec();
    statement.extend_from_slice(secret);
    statement.extend_from_slice(&key.0);
    statement
}

/// Checks an agent's proof that it has its key.
///
/// # Errors
/// It does not.
pub fn verify_enrolment(
    secret: &[u8; 16],
    key: &AgentKey,
    possession: &[u8; 64],
) -> Result<(), NotBelieved> {
    verify(key, &enrolment_statement(secret, key), possession)
}

/// An agent's own key pair. Made on the spot and kept where it was made.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    document: Vec<u8>,
}

/// The bytes are not an Ed25519 key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key pair in PKCS#8")]
pub struct NotAKey;

impl SigningKey {
    /// Makes a key from 32 random bytes.
    ///
    /// # Errors
    /// Never for 32 bytes; the library that makes it says so by a value.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, NotAKey> {
        // PKCS#8 version 1 of an Ed25519 seed is this prefix and the seed (RFC 8410, section 7).
        let mut document = vec![
            0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
        ];
        document.extend_from_slice(seed);
        Self::from_pkcs8(document)
    }

    /// Reads a key as [`Self::pkcs8`] wrote it.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn from_pkcs8(document: Vec<u8>) -> Result<Self, NotAKey> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document).map_err(|_| NotAKey)?;
        Ok(Self { pair, document })
    }

    /// The key as a file keeps it. A secret.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.document
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> AgentKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.pair.public_key().as_ref());
        AgentKey(key)
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, statement: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(statement).as_ref());
        signature
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningKey(…)")
    }
}
