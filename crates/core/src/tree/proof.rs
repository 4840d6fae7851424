//! Proofs: that a leaf is in a tree, and that a tree continues an earlier one. Verified by the
//! algorithms of RFC 9162 (sections 2.1.3.2 and 2.1.4.2), which need nothing but the proof.

use super::{Subtree, TreeHash, range, split};

/// The most hashes that a proof about fewer than 2⁶⁴ leaves can have.
pub const PROOF_LIMIT: usize = 65;

/// The proof does not show what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not show it")]
pub struct NotProven;

/// Proves that a tree of this size has its leaf with this number (from zero, less than `size`):
/// the hashes beside the way from the leaf to the root.
///
/// # Errors
/// Those of `hash`, which gives the hash of a complete subtree.
pub fn prove_inclusion<E>(
    number: u64,
    size: u64,
    mut hash: impl FnMut(Subtree) -> Result<TreeHash, E>,
) -> Result<Vec<TreeHash>, E> {
    let (mut from, mut to) = (0, size);
    let mut proof = Vec::new();
    while to.saturating_sub(from) > 1 {
        let middle = from + split(to - from);
        if number < middle {
            proof.push(range(middle, to, &mut hash)?);
            to = middle;
        } else {
            proof.push(range(from, middle, &mut hash)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// Proves that a tree of one size continues that of an earlier, not larger one.
///
/// # Errors
/// Those of `hash`, which gives the hash of a complete subtree.
pub fn prove_consistency<E>(
    old: u64,
    new: u64,
    mut hash: impl FnMut(Subtree) -> Result<TreeHash, E>,
) -> Result<Vec<TreeHash>, E> {
    if old == 0 {
        return Ok(Vec::new());
    }
    let (mut from, mut to) = (0, new);
    let mut proof = Vec::new();
    while old < to {
        let middle = from + split(to - from);
        if old <= middle {
            proof.push(range(middle, to, &mut hash)?);
            to = middle;
        } else {
            proof.push(range(from, middle, &mut hash)?);
            from = middle;
        }
    }
    // The whole of the old tree is known to whoever holds it.
    if from != 0 {
        proof.push(range(from, to, &mut hash)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that the leaf with this number is in the tree with this size and root.
///
/// # Errors
/// The proof does not show it.
pub fn verify_inclusion(
    leaf: TreeHash,
    number: u64,
    size: u64,
    root: TreeHash,
    proof: &[TreeHash],
) -> Result<(), NotProven> {
    if number >= size || proof.len() > PROOF_LIMIT {
        return Err(NotProven);
    }
    let (mut here, mut last, mut hash) = (number, size - 1, leaf);
    for beside in proof {
        if last == 0 {
            return Err(NotProven);
        }
        if here & 1 == 1 || here == last {
            hash = TreeHash::node(*beside, hash);
            climb(&mut here, &mut last);
        } else {
            hash = TreeHash::node(hash, *beside);
        }
        here >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == root {
        Ok(())
    } else {
        Err(NotProven)
    }
}

/// Checks that the tree with the size and root of `new` continues that of `old`.
///
/// # Errors
/// The proof does not show it.
pub fn verify_consistency(
    old: (u64, TreeHash),
    new: (u64, TreeHash),
    proof: &[TreeHash],
) -> Result<(), NotProven> {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    let is = |shown: bool| if shown { Ok(()) } else { Err(NotProven) };
    if old_size > new_size || proof.len() > PROOF_LIMIT {
        return Err(NotProven);
    }
    if old_size == new_size {
        return is(proof.is_empty() && old_root == new_root);
    }
    if old_size == 0 {
        return is(proof.is_empty() && old_root == TreeHash::empty());
    }
    let (mut here, mut last) = (old_size - 1, new_size - 1);
    let complete = here.trailing_ones();
    here >>= complete;
    last >>= complete;
    let (first, rest) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(NotProven)?;
        (*first, rest)
    };
    let (mut old_hash, mut new_hash) = (first, first);
    for beside in rest {
        if last == 0 {
            return Err(NotProven);
        }
        if here & 1 == 1 || here == last {
            old_hash = TreeHash::node(*beside, old_hash);
            new_hash = TreeHash::node(*beside, new_hash);
            climb(&mut here, &mut last);
        } else {
            new_hash = TreeHash::node(new_hash, *beside);
        }
        here >>= 1;
        last >>= 1;
    }
    is(last == 0 && old_hash == old_root && new_hash == new_root)
}

/// Skips the levels at which the right edge of the tree has nothing beside it.
fn climb(here: &mut u64, last: &mut u64) {
    while *here & 1 == 0 && *here != 0 {
        *here >>= 1;
        *last >>= 1;
    }
}
