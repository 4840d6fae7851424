//! Finding things by their ids. Ids are random, so folding their bytes together spreads them as
//! well as a hash that costs ten times as much.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Things, each found by its id.
pub(super) type ById<Id, T> = HashMap<Id, T, BuildHasherDefault<Fold>>;

/// The bytes of an id folded into a number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // Multiplied, so that ids that differ in one byte end apart too.
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}
