//! The entries of a door's table, their bytes, and the hash of a set of them.

use crate::agent::HashKey;

/// Which entry: its kind and the id of what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey {
    /// The kind's number.
    pub kind: u8,
    /// The id of the user, door, … it is about.
    pub id: [u8; 16],
}

/// The hash of a whole table, however it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableHash(pub [u8; 32]);

impl TableHash {
    /// The hash of the table without entries.
    pub const EMPTY: Self = Self([0; 32]);

    /// The hash of the table with one more entry.
    #[must_use]
    pub fn with(self, _key: &HashKey, _encoded: &[u8]) -> Self {
        unimplemented!()
    }

    /// The hash of the table with one entry fewer.
    #[must_use]
    pub fn without(self, _key: &HashKey, _encoded: &[u8]) -> Self {
        unimplemented!()
    }
}
