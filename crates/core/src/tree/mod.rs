//! The log as a tree: the Merkle tree of RFC 6962 (section 2.1) with SHA-256.
//!
//! Owns: hashes of leaves and nodes, a tree that only grows, proofs and their verification, and
//! the bytes of a leaf. A node whose leaves are all there never changes again, so those are what a
//! store keeps; everything else is made of at most 64 of them.
//!
//! Refuses to know: where hashes are kept, and who signs for a root.

mod leaf;
mod proof;

use sha2::{Digest as _, Sha256};

pub use leaf::Leaf;
pub use proof::{
    NotProven, PROOF_LIMIT, prove_consistency, prove_inclusion, verify_consistency,
    verify_inclusion,
};

/// The hash of a leaf, a node or a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHash(pub [u8; 32]);

impl TreeHash {
    /// The hash of a tree without leaves: SHA-256 of nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self(Sha256::digest([]).into())
    }

    /// The hash of a leaf with these bytes.
    #[must_use]
    pub fn leaf(bytes: &[u8]) -> Self {
        Self(
            Sha256::new()
                .chain_update([0])
                .chain_update(bytes)
                .finalize()
                .into(),
        )
    }

    /// The hash of the node above two others.
    #[must_use]
    pub fn node(left: Self, right: Self) -> Self {
        let mut bytes = [1; 65];
        bytes[1..33].copy_from_slice(&left.0);
        bytes[33..].copy_from_slice(&right.0);
        Self(Sha256::digest(bytes).into())
    }
}

impl std::fmt::Debug for TreeHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "TreeHash({self})")
    }
}

impl std::fmt::Display for TreeHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// A subtree whose leaves are all there: 2^`level` of them, the `number`th such run from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subtree {
    /// How far above the leaves its top is; at most 63.
    pub level: u32,
    /// Its place among those of its level, from zero.
    pub number: u64,
}

impl Subtree {
    /// The size of the tree whose last leaf completed it. At least one.
    #[must_use]
    pub const fn completed_at(self) -> u64 {
        (self.number + 1) << self.level
    }
}

/// The largest power of two that is less than `count`, which is at least two.
const fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

/// The hash of the leaves from `from` up to `to`, a range that a tree of RFC 6962 has a node for.
fn range<E>(
    from: u64,
    to: u64,
    hash: &mut impl FnMut(Subtree) -> Result<TreeHash, E>,
) -> Result<TreeHash, E> {
    let count = to - from;
    if count == 0 {
        return Ok(TreeHash::empty());
    }
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        return hash(Subtree {
            level,
            number: from >> level,
        });
    }
    let middle = from + split(count);
    Ok(TreeHash::node(
        range(from, middle, hash)?,
        range(middle, to, hash)?,
    ))
}

/// The hash of a whole tree of this size.
///
/// # Errors
/// Those of `hash`, which gives the hash of a complete subtree.
pub fn root<E>(
    size: u64,
    mut hash: impl FnMut(Subtree) -> Result<TreeHash, E>,
) -> Result<TreeHash, E> {
    range(0, size, &mut hash)
}

/// A tree that grows, of which only the largest complete subtrees are kept, one for each bit that
/// is set in its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peaks {
    size: u64,
    /// The largest, leftmost first.
    hashes: Vec<TreeHash>,
}

impl Peaks {
    /// A tree without leaves.
    pub const EMPTY: Self = Self {
        size: 0,
        hashes: Vec::new(),
    };

    /// The tree of this size.
    ///
    /// # Errors
    /// Those of `hash`, which gives the hash of a complete subtree.
    pub fn of<E>(
        size: u64,
        mut hash: impl FnMut(Subtree) -> Result<TreeHash, E>,
    ) -> Result<Self, E> {
        let mut hashes = Vec::with_capacity(size.count_ones() as usize);
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            let number = (size >> level) - 1;
            hashes.push(hash(Subtree { level, number })?);
        }
        Ok(Self { size, hashes })
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf. Answers with the hashes of every subtree that it completes: the leaf itself
    /// first, each of the others twice as large as the one before.
    pub fn push(&mut self, leaf: TreeHash) -> Vec<TreeHash> {
        let mut completed = vec![leaf];
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                hash = TreeHash::node(left, hash);
                completed.push(hash);
            }
        }
        self.hashes.push(hash);
        self.size += 1;
        completed
    }

    /// The hash of the whole tree.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        let mut peaks = self.hashes.iter().rev().copied();
        peaks.next().map_or_else(TreeHash::empty, |smallest| {
            peaks.fold(smallest, |right, left| TreeHash::node(left, right))
        })
    }
}
