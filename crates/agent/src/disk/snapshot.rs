//! The bytes of a snapshot: a whole table.

use std::collections::BTreeMap;

use offgate_core::id::StoreId;
use offgate_core::parameters::{Epoch, Revision};
use offgate_core::table::entry::{EntryKey, TableHash};

use super::bytes::Bytes;

const MAGIC: &[u8; 8] = b"OFFGTAB1";

/// Which table: whose, how far, and the hash of all its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Whose changes it is made of.
    pub store: StoreId,
    /// In which epoch.
    pub epoch: Epoch,
    /// The revision it has reached.
    pub revision: Revision,
    /// The hash of its entries.
    pub hash: TableHash,
}

/// A table as it is kept: where it stands, and its encoded entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Where it stands.
    pub position: Position,
    /// Its entries, and the refusals beside them.
    pub rows: Rows,
}

/// Encoded entries by key.
pub type Rows = BTreeMap<RowKey, Vec<u8>>;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// An entry of the table.
    Entry(EntryKey),
    /// A refusal of a table before this one, by whom or what it is about. No message names one: a
    /// server cannot take it out, only rule something later.
    Held([u8; 16]),
}

/// The kind of rows that are no entries of the table.
const HELD: u8 = 0xff;

/// A file's checksum.
pub(super) type Checksum = [u8; 32];

impl Position {
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(self.store.as_bytes());
        into.extend_from_slice(&self.epoch.counter.to_be_bytes());
        into.extend_from_slice(&self.epoch.nonce);
        into.extend_from_slice(&self.revision.number().to_be_bytes());
        into.extend_from_slice(&self.hash.0);
    }

    pub(super) fn read(from: &mut Bytes<'_>) -> Option<Self> {
        Some(Self {
            store: StoreId::from_bytes(from.array()?),
            epoch: Epoch {
                counter: from.u64()?,
                nonce: from.array()?,
            },
            revision: Revision::new(from.u64()?),
            hash: TableHash(from.array()?),
        })
    }
}

pub(super) fn write_row_key(key: &RowKey, into: &mut Vec<u8>) {
    match key {
        RowKey::Entry(key) => {
            into.push(key.kind as u8);
            into.extend_from_slice(&key.id);
        }
        RowKey::Held(subject) => {
            into.push(HELD);
            into.extend_from_slice(subject);
        }
    }
}

pub(super) fn read_row_key(from: &mut Bytes<'_>) -> Option<RowKey> {
    match (from.u8()?, from.array()?) {
        (HELD, subject) => Some(RowKey::Held(subject)),
        (kind, id) => EntryKey::from_parts(kind, id).map(RowKey::Entry),
    }
}

/// The bytes of a snapshot and their checksum. `None` for a table no file can hold: more than
/// 2^32 rows, or a row of 4 GiB.
pub(super) fn encode(
    generation: u64,
    position: &Position,
    rows: &Rows,
) -> Option<(Vec<u8>, Checksum)> {
    let size: usize = rows.values().map(|entry| entry.len() + 21).sum();
    let mut bytes = Vec::with_capacity(size + 132);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&generation.to_be_bytes());
    position.write(&mut bytes);
    bytes.extend_from_slice(&u32::try_from(rows.len()).ok()?.to_be_bytes());
    for (key, entry) in rows {
        write_row_key(key, &mut bytes);
        bytes.extend_from_slice(&u32::try_from(entry.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    let checksum = *blake3::hash(&bytes).as_bytes();
    bytes.extend_from_slice(&checksum);
    Some((bytes, checksum))
}

/// Reads a snapshot back. `None`: damaged.
pub(super) fn decode(bytes: &[u8], generation: u64) -> Option<(Contents, Checksum)> {
    let (body, checksum) = bytes.split_last_chunk::<32>()?;
    if blake3::hash(body).as_bytes() != checksum {
        return None;
    }
    let mut from = Bytes(body);
    if from.array::<8>()? != *MAGIC || from.u64()? != generation {
        return None;
    }
    let position = Position::read(&mut from)?;
    let mut rows = Rows::new();
    for _ in 0..from.u32()? {
        let key = read_row_key(&mut from)?;
        let length = usize::try_from(from.u32()?).ok()?;
        rows.insert(key, from.take(length)?.to_vec());
    }
    from.is_empty()
        .then_some((Contents { position, rows }, *checksum))
}
