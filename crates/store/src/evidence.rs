//! What is on record that shows a refusal to somebody outside.

use offgate_core::id::{AgentId, DoorId};
use offgate_core::parameters::Timestamp;

/// A signed acknowledgement, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptReceipt {
    /// The bytes that were signed.
    pub statement: Vec<u8>,
    /// The agent's signature.
    pub signature: [u8; 64],
    /// When it came.
    pub received_at: Timestamp,
}

/// What there is of one door that must confirm a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorRecord {
    /// Which.
    pub door: DoorId,
    /// Who decided for it when the refusal was decided.
    pub agent: AgentId,
    /// The first acknowledgement that confirmed it.
    pub receipt: Option<KeptReceipt>,
    /// When that agent asked for its lease the last time before the refusal, as far as that counts.
    pub renewed_at: Option<Timestamp>,
}
