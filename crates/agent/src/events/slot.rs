//! The bytes of the event file: a header, then slots of equal size.
//!
//! | header, one slot long | bytes |
//! |---|---|
//! | magic `OFFGEVT1` | 8 |
//! | enrolment: the agent's id | 16 |
//! | number of slots | 4 |
//! | the newest number given before this file was written | 8 |
//! | BLAKE3 of these 36 bytes | 32 |
//!
//! | slot | bytes |
//! |---|---|
//! | sequence, from 1; 0: never used | 8 |
//! | 1 routine, 2 alarm | 1 |
//! | length of the event | 1 |
//! | event, then zeros | 134 |
//! | BLAKE3 of (enrolment, the 144 bytes before), cut to 16 | 16 |

use offgate_core::id::AgentId;

/// Bytes of a slot, and of the header.
pub(super) const SLOT: usize = 160;
/// The longest event.
pub(super) const LONGEST: usize = 134;
const CHECKED: usize = SLOT - 16;
const MAGIC: &[u8; 8] = b"OFFGEVT1";

/// Which events give way first when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Somebody was admitted, or refused for a reason of every day.
    Routine,
    /// Somebody should look at it.
    Alarm,
}

pub(super) fn encode_header(enrolment: AgentId, slots: u32, given: u64) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..24].copy_from_slice(enrolment.as_bytes());
    bytes[24..28].copy_from_slice(&slots.to_be_bytes());
    bytes[28..36].copy_from_slice(&given.to_be_bytes());
    let checksum = blake3::hash(&bytes[..36]);
    bytes[36..68].copy_from_slice(checksum.as_bytes());
    bytes
}

/// Reads the header of a file for this enrolment: its number of slots, and the newest number given
/// before it was written.
pub(super) fn decode_header(enrolment: AgentId, bytes: &[u8]) -> Option<(u32, u64)> {
    let slots = u32::from_be_bytes(*bytes.get(24..)?.first_chunk()?);
    let given = u64::from_be_bytes(*bytes.get(28..)?.first_chunk()?);
    let expected = encode_header(enrolment, slots, given);
    (bytes.get(..SLOT)? == expected).then_some((slots, given))
}

pub(super) fn encode(
    enrolment: AgentId,
    sequence: u64,
    weight: Weight,
    event: &[u8],
) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(&sequence.to_be_bytes());
    bytes[8] = match weight {
        Weight::Routine => 1,
        Weight::Alarm => 2,
    };
    // The caller keeps to LONGEST, which fits a byte.
    bytes[9] = event.len() as u8;
    bytes[10..10 + event.len()].copy_from_slice(event);
    let checksum = checksum(enrolment, &bytes[..CHECKED]);
    bytes[CHECKED..].copy_from_slice(&checksum);
    bytes
}

/// Reads a slot. `None`: never used, torn, or damaged.
pub(super) fn decode(enrolment: AgentId, bytes: &[u8]) -> Option<(u64, Weight, &[u8])> {
    let (checked, kept) = bytes.split_at_checked(CHECKED)?;
    let sequence = u64::from_be_bytes(*checked.first_chunk()?);
    let weight = match checked[8] {
        1 => Weight::Routine,
        2 => Weight::Alarm,
        _ => return None,
    };
    let event = checked.get(10..10 + usize::from(checked[9]))?;
    (sequence != 0 && checksum(enrolment, checked) == kept).then_some((sequence, weight, event))
}

fn checksum(enrolment: AgentId, checked: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(enrolment.as_bytes()).update(checked);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    bytes
}
