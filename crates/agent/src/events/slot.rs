//! The bytes of the event file: a header, then slots of equal size.
//!
//! | header, one slot long | bytes |
//! |---|---|
//! | magic `OFFGEVT1` | 8 |
//! | enrolment: the agent's id | 16 |
//! | number of slots | 4 |
//! | the newest number given before this file was written | 8 |
//! | how many events were lost by then | 8 |
//! | BLAKE3 of these 44 bytes | 32 |
//!
//! | slot | bytes |
//! |---|---|
//! | sequence, from 1; 0: never used | 8 |
//! | 1 routine, 2 alarm | 1 |
//! | length of the event | 1 |
//! | how many events were lost since the enrolment, when this one was written | 8 |
//! | event, then zeros | 126 |
//! | BLAKE3 of (enrolment, the 144 bytes before), cut to 16 | 16 |

use offgate_core::id::AgentId;

/// Bytes of a slot, and of the header.
pub(super) const SLOT: usize = 160;
/// The longest event.
pub(super) const LONGEST: usize = 126;
const EVENT: usize = 18;
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

/// What came before the slots of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// How many slots there are.
    pub(super) slots: u32,
    /// The newest number given before the file was written.
    pub(super) given: u64,
    /// How many events were lost by then.
    pub(super) lost: u64,
}

pub(super) fn encode_header(enrolment: AgentId, header: Header) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..24].copy_from_slice(enrolment.as_bytes());
    bytes[24..28].copy_from_slice(&header.slots.to_be_bytes());
    bytes[28..36].copy_from_slice(&header.given.to_be_bytes());
    bytes[36..44].copy_from_slice(&header.lost.to_be_bytes());
    let checksum = blake3::hash(&bytes[..44]);
    bytes[44..76].copy_from_slice(checksum.as_bytes());
    bytes
}

/// Reads the header of a file for this enrolment.
pub(super) fn decode_header(enrolment: AgentId, bytes: &[u8]) -> Option<Header> {
    let header = Header {
        slots: u32::from_be_bytes(*bytes.get(24..)?.first_chunk()?),
        given: number(bytes, 28)?,
        lost: number(bytes, 36)?,
    };
    (bytes.get(..SLOT)? == encode_header(enrolment, header)).then_some(header)
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot<'a> {
    pub(super) sequence: u64,
    pub(super) weight: Weight,
    /// How many events were lost since the enrolment, when this one was written.
    pub(super) lost: u64,
    /// At most [`LONGEST`] bytes.
    pub(super) event: &'a [u8],
}

pub(super) fn encode(enrolment: AgentId, slot: Slot<'_>) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(&slot.sequence.to_be_bytes());
    bytes[8] = match slot.weight {
        Weight::Routine => 1,
        Weight::Alarm => 2,
    };
    // The caller keeps to LONGEST, which fits a byte.
    bytes[9] = slot.event.len() as u8;
    bytes[10..EVENT].copy_from_slice(&slot.lost.to_be_bytes());
    bytes[EVENT..EVENT + slot.event.len()].copy_from_slice(slot.event);
    let checksum = checksum(enrolment, &bytes[..CHECKED]);
    bytes[CHECKED..].copy_from_slice(&checksum);
    bytes
}

/// Reads a slot. `None`: never used, torn, or damaged.
pub(super) fn decode(enrolment: AgentId, bytes: &[u8]) -> Option<Slot<'_>> {
    let (checked, kept) = bytes.split_at_checked(CHECKED)?;
    let sequence = number(checked, 0)?;
    let weight = match checked[8] {
        1 => Weight::Routine,
        2 => Weight::Alarm,
        _ => return None,
    };
    let event = checked.get(EVENT..EVENT + usize::from(checked[9]))?;
    let whole = sequence != 0 && checksum(enrolment, checked) == kept;
    whole.then_some(Slot {
        sequence,
        weight,
        lost: number(checked, 10)?,
        event,
    })
}

fn checksum(enrolment: AgentId, checked: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(enrolment.as_bytes()).update(checked);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    bytes
}
