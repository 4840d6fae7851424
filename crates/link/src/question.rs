//! A question to a door, and its signed answer.
//!
//! The server asks what the door's own decision would be if a credential were presented now. That is
//! no presentation: whoever answers opens nothing, counts no attempt and records nothing in
//! anybody's history, and an answer tells of the question and never of what is presented. What the
//! agent signs covers the question by its SHA-256 alone. The question's id is random and forgotten
//! with the question, so that what is kept of an answer does not tell how the agent knew the
//! credential.

use aws_lc_rs::digest::{SHA256, digest};
use minicbor::{Decode, Encode};
use offgate_core::agent::AgentKey;
use offgate_core::credential::CredentialKind;
use offgate_core::id::{CredentialId, DoorId, QuestionId, StoreId};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::place::Direction;
use offgate_core::question::{Answer, Question, Said};
use offgate_core::table::admission::{ClockTrust, Reason, Sought};
use offgate_core::table::entry::{CredentialHash, TableHash};

use crate::acknowledgement::{NotBelieved, verify};
use crate::message::{Bytes16, Bytes32, Malformed, ToAgent, WireEpoch, WireQuestion};

/// What an answer is signed as.
const KIND: &str = "offgate answer";
/// The version of its fields.
const VERSION: u16 = 1;

impl From<&Question> for WireQuestion {
    fn from(question: &Question) -> Self {
        Self {
            id: (*question.id.as_bytes()).into(),
            credential: (*question.credential.as_bytes()).into(),
            kind: match question.sought.kind {
                CredentialKind::Pin => 0,
                CredentialKind::NfcCard => 1,
                CredentialKind::LicencePlate => 2,
            },
            hash: question.sought.hash.0.into(),
            door: (*question.door.as_bytes()).into(),
            way: way(question.direction),
        }
    }
}

impl TryFrom<WireQuestion> for Question {
    type Error = Malformed;

    fn try_from(question: WireQuestion) -> Result<Self, Malformed> {
        Ok(Self {
            id: QuestionId::from_bytes(*question.id),
            credential: CredentialId::from_bytes(*question.credential),
            sought: Sought {
                kind: match question.kind {
                    0 => CredentialKind::Pin,
                    1 => CredentialKind::NfcCard,
                    2 => CredentialKind::LicencePlate,
                    _ => return Err(Malformed),
                },
                hash: CredentialHash(*question.hash),
            },
            door: DoorId::from_bytes(*question.door),
            direction: direction(question.way).ok_or(Malformed)?,
        })
    }
}

const fn way(direction: Direction) -> u8 {
    match direction {
        Direction::In => 0,
        Direction::Out => 1,
    }
}

const fn direction(way: u8) -> Option<Direction> {
    match way {
        0 => Some(Direction::In),
        1 => Some(Direction::Out),
        _ => None,
    }
}

/// SHA-256 over the message that asks, by which an answer names its question.
#[must_use]
pub fn digest_of(question: &Question) -> [u8; 32] {
    let mut bytes = [0; 32];
    let question = question.into();
    let message = ToAgent::Question { question }.encode();
    bytes.copy_from_slice(digest(&SHA256, &message).as_ref());
    bytes
}

/// `[kind, version, store, epoch, revision, hash, question, credential, door, way, said, at, clock,
/// reason, holder]`: the bytes that are signed.
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
    question: Bytes32,
    #[n(7)]
    credential: Bytes16,
    #[n(8)]
    door: Bytes16,
    #[n(9)]
    way: u8,
    /// 0 granted, 1 way out, 2 refused.
    #[n(10)]
    said: u8,
    #[n(11)]
    at: i64,
    /// 0 believed, 1 not.
    #[n(12)]
    clock: u8,
    #[n(13)]
    reason: Option<u8>,
    #[n(14)]
    holder: Option<Bytes16>,
}

/// The bytes that are signed and sent.
#[must_use]
pub fn statement(answer: &Answer) -> Vec<u8> {
    let (said, reason, holder) = match answer.said {
        Said::Granted { holder } => (0, None, Some(holder)),
        Said::WayOut => (1, None, None),
        Said::Refused { reason } => (2, Some(reason as u8), None),
    };
    let statement = Statement {
        kind: KIND.to_owned(),
        version: VERSION,
        store: (*answer.store.as_bytes()).into(),
        epoch: answer.epoch.into(),
        revision: answer.revision.number(),
        hash: answer.hash.0.into(),
        question: answer.question.into(),
        credential: (*answer.credential.as_bytes()).into(),
        door: (*answer.door.as_bytes()).into(),
        way: way(answer.direction),
        said,
        at: answer.at.microseconds(),
        clock: match answer.clock {
            ClockTrust::Trusted => 0,
            ClockTrust::Untrusted => 1,
        },
        reason,
        holder: holder.map(|holder| (*holder.as_bytes()).into()),
    };
    minicbor::to_vec(statement).unwrap_or_else(|_| unreachable!("writing to memory cannot fail"))
}

/// Reads an answer that `key` signed.
///
/// # Errors
/// The signature does not match, or the bytes are no answer.
pub fn verified(key: &AgentKey, bytes: &[u8], signature: &[u8; 64]) -> Result<Answer, NotBelieved> {
    verify(key, bytes, signature)?;
    let answer = read(bytes).ok_or(NotBelieved::Malformed)?;
    // Kind, version and how it is written are compared with this too.
    if statement(&answer) == bytes {
        Ok(answer)
    } else {
        Err(NotBelieved::Malformed)
    }
}

fn read(bytes: &[u8]) -> Option<Answer> {
    let read: Statement = minicbor::decode(bytes).ok()?;
    Some(Answer {
        store: StoreId::from_bytes(*read.store),
        epoch: read.epoch.into(),
        revision: Revision::new(read.revision),
        hash: TableHash(*read.hash),
        question: *read.question,
        credential: CredentialId::from_bytes(*read.credential),
        door: DoorId::from_bytes(*read.door),
        direction: direction(read.way)?,
        said: match (read.said, read.reason, read.holder) {
            (0, None, Some(holder)) => Said::Granted {
                holder: CredentialId::from_bytes(*holder),
            },
            (1, None, None) => Said::WayOut,
            (2, Some(reason), None) => Said::Refused {
                reason: *Reason::ALL.get(usize::from(reason))?,
            },
            _ => return None,
        },
        at: Timestamp::from_microseconds(read.at),
        clock: match read.clock {
            0 => ClockTrust::Trusted,
            1 => ClockTrust::Untrusted,
            _ => return None,
        },
    })
}
