//! The bytes of one frame of the log: what changed, durable together.

use super::bytes::{Bytes, cut};
use super::snapshot::{Position, RowKey, Rows, read_row_key, write_row_key};

const HEADER: usize = 24;
const CHECKSUM: usize = 16;
const FOOTER: usize = CHECKSUM + 1;
const MARK: u8 = 0xa5;
const GONE: u32 = u32::MAX;

/// The checksum of a frame, over everything before it in its log.
pub(super) type Chain = [u8; CHECKSUM];

/// One entry that is new, other, or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// Which entry.
    pub key: RowKey,
    /// None: the entry goes.
    pub entry: Option<Vec<u8>>,
}

/// Brings rows up to date.
pub(crate) fn apply(changes: Vec<RowChange>, rows: &mut Rows) {
    for RowChange { key, entry } in changes {
        match entry {
            Some(entry) => rows.insert(key, entry),
            None => rows.remove(&key),
        };
    }
}

/// The bytes of a frame and the chain after it. `None` for a frame longer than 4 GiB.
pub(super) fn encode(
    generation: u64,
    chain: &Chain,
    position: &Position,
    changes: &[RowChange],
) -> Option<(Vec<u8>, Chain)> {
    let mut bytes = vec![0; HEADER];
    position.write(&mut bytes);
    bytes.extend_from_slice(&u32::try_from(changes.len()).ok()?.to_be_bytes());
    for change in changes {
        write_row_key(&change.key, &mut bytes);
        let (length, entry) = match &change.entry {
            Some(entry) => {
                let length = u32::try_from(entry.len())
                    .ok()
                    .filter(|length| *length != GONE)?;
                (length, entry.as_slice())
            }
            None => (GONE, [].as_slice()),
        };
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    let payload = u32::try_from(bytes.len() - HEADER).ok()?;
    bytes[..4].copy_from_slice(&payload.to_be_bytes());
    bytes[4..12].copy_from_slice(&position.revision.number().to_be_bytes());
    bytes[12..20].copy_from_slice(&generation.to_be_bytes());
    let check: [u8; 4] = cut(&blake3::hash(&bytes[..20]));
    bytes[20..24].copy_from_slice(&check);
    let next = chain_after(chain, &bytes);
    bytes.extend_from_slice(&next);
    bytes.push(MARK);
    Some((bytes, next))
}

fn chain_after(chain: &Chain, header_and_payload: &[u8]) -> Chain {
    let mut hasher = blake3::Hasher::new();
    hasher.update(chain).update(header_and_payload);
    cut(&hasher.finalize())
}

/// What begins at some byte of a log.
pub(super) enum Next {
    /// Nothing was written from here on.
    End,
    /// A whole frame of this many bytes.
    Frame {
        length: usize,
        position: Position,
        changes: Vec<RowChange>,
        chain: Chain,
    },
    /// A frame whose payload is whole and whose last few bytes did not reach the disk. Nobody was
    /// told that it is durable, and nothing follows it.
    Nearly {
        position: Position,
        changes: Vec<RowChange>,
    },
    /// A frame that did not reach the disk. Nobody was told that it is durable.
    Torn,
    /// A frame that did reach the disk and is no longer what was written.
    Damaged,
}

/// Reads what begins at byte `at` of a log whose last byte that is not zero is at `last`.
pub(super) fn next(log: &[u8], at: usize, last: usize, generation: u64, chain: &Chain) -> Next {
    let (Some(rest), Some(last)) = (log.get(at..), last.checked_sub(at)) else {
        return Next::End;
    };
    if last < HEADER {
        return Next::Torn;
    }
    let Some((payload, revision)) = read_header(&rest[..HEADER], generation) else {
        return Next::Damaged;
    };
    let end_of_payload = HEADER + payload;
    let Some(footer) = rest.get(end_of_payload..end_of_payload + FOOTER) else {
        return Next::Damaged;
    };
    if last < end_of_payload {
        return Next::Torn;
    }
    let next = chain_after(chain, &rest[..end_of_payload]);
    let arrived = (last + 1 - end_of_payload).min(FOOTER);
    if arrived < FOOTER {
        // Eight bytes of the checksum that fit are proof enough of the payload; fewer bytes than
        // that are missing from no frame that was written to its end.
        return match (
            arrived <= CHECKSUM && footer[..arrived] == next[..arrived],
            arrived,
        ) {
            (true, 8..) => match read_payload(&rest[HEADER..end_of_payload]) {
                Some((position, changes)) => Next::Nearly { position, changes },
                None => Next::Damaged,
            },
            (true, _) => Next::Torn,
            (false, _) => Next::Damaged,
        };
    }
    if footer[..CHECKSUM] != next || footer[CHECKSUM] != MARK {
        return Next::Damaged;
    }
    match read_payload(&rest[HEADER..end_of_payload]) {
        Some((position, changes)) if position.revision.number() == revision => Next::Frame {
            length: end_of_payload + FOOTER,
            position,
            changes,
            chain: next,
        },
        _ => Next::Damaged,
    }
}

fn read_header(header: &[u8], generation: u64) -> Option<(usize, u64)> {
    let check: [u8; 4] = cut(&blake3::hash(&header[..20]));
    let mut from = Bytes(header);
    let payload = usize::try_from(from.u32()?).ok()?;
    let revision = from.u64()?;
    (from.u64()? == generation && from.array()? == check).then_some((payload, revision))
}

fn read_payload(payload: &[u8]) -> Option<(Position, Vec<RowChange>)> {
    let mut from = Bytes(payload);
    let position = Position::read(&mut from)?;
    let mut changes = Vec::new();
    for _ in 0..from.u32()? {
        let key = read_row_key(&mut from)?;
        let entry = match from.u32()? {
            GONE => None,
            length => Some(from.take(usize::try_from(length).ok()?)?.to_vec()),
        };
        changes.push(RowChange { key, entry });
    }
    from.is_empty().then_some((position, changes))
}
