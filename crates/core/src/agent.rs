//! Agents as the server knows them: keys, doors, and the tokens with which they join.

use std::collections::BTreeSet;

use crate::id::{AgentId, DoorId, JoinTokenId};
use crate::parameters::{Randomness, Revision, Timestamp};
use crate::text::Title;

/// An agent's Ed25519 public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentKey(pub [u8; 32]);

/// The key of an agent's credential hashes: its own, so that two doors' tables have nothing in
/// common and a table without its key names no card.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// The key with these bytes, as stored or sent.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A new key.
    #[must_use]
    pub fn random(randomness: &dyn Randomness) -> Self {
        let mut bytes = [0; 32];
        randomness.fill(&mut bytes);
        Self(bytes)
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HashKey(…)")
    }
}

/// Whether an agent may still speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// It may connect.
    Enrolled,
    /// Its key is refused.
    Revoked {
        /// Since when.
        at: Timestamp,
    },
}

/// Whether an agent can make its table durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskState {
    /// It can.
    Works,
    /// A write failed, and not everything is written anew yet.
    Fails,
}

/// The program beside one or more doors. Which doors, the doors say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Which.
    pub id: AgentId,
    /// The last change to it.
    pub revision: Revision,
    /// What it is called; unique.
    pub name: Title,
    /// The key it made when it joined.
    pub key: AgentKey,
    /// The key of its table's hashes.
    pub hash_key: HashKey,
    /// When it joined; numbers of its events are counted from here.
    pub enrolled_at: Timestamp,
    /// Whether it may connect.
    pub state: AgentState,
}

/// What a join token's secret is recognised by: SHA-256 of its 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JoinSecretHash(pub [u8; 32]);

/// What became of a join token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinTokenState {
    /// May be used, once.
    Open,
    /// An agent joined with it. The same key may ask again, when the answer was lost.
    Used {
        /// Which agent.
        by: AgentId,
    },
    /// An operator took it back.
    Withdrawn,
}

/// An invitation for one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken {
    /// Which.
    pub id: JoinTokenId,
    /// What its secret is recognised by.
    pub secret: JoinSecretHash,
    /// What the agent will be called.
    pub name: Title,
    /// The doors it will decide for.
    pub doors: BTreeSet<DoorId>,
    /// It is refused from this instant on.
    pub expires_at: Timestamp,
    /// Open, used or withdrawn.
    pub state: JoinTokenState,
}

impl JoinToken {
    /// How long a token may be used.
    pub const LIFE: std::time::Duration = std::time::Duration::from_secs(3600);
}
