//! The example's log: its leaves, its checkpoint, and the proof that one continues another.

use std::convert::Infallible;

use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::id::StoreId;
use offgate_core::parameters::Timestamp;
use offgate_core::tree::{self, Peaks, Subtree, TreeHash, prove_consistency};
use offgate_link::chain::IssuingNumber;
use offgate_link::identity::Authority;

use crate::table::*;

/// The hashes of the leaves of the example's log.
pub(crate) fn leaves() -> Vec<TreeHash> {
    (1..=7).map(|entry: u8| TreeHash::leaf(&[entry])).collect()
}

pub(crate) fn subtree(wanted: Subtree) -> Result<TreeHash, Infallible> {
    let leaves = &leaves()[..wanted.completed_at() as usize];
    let mut peaks = Peaks::EMPTY;
    for leaf in &leaves[(wanted.number << wanted.level) as usize..] {
        peaks.push(*leaf);
    }
    Ok(peaks.root())
}

pub(crate) fn checkpoint_at(size: u64) -> Checkpoint {
    Checkpoint {
        store: StoreId::from_bytes(STORE),
        epoch: epoch().into(),
        size,
        root: tree::root(size, subtree).unwrap_or_else(|never| match never {}),
        at: Timestamp::from_microseconds(NOW),
    }
}

/// What the example's agent holds.
pub(crate) fn checkpoint() -> Checkpoint {
    checkpoint_at(3)
}

pub(crate) fn consistency() -> Vec<TreeHash> {
    prove_consistency(3, 7, subtree).unwrap_or_else(|never| match never {})
}

pub(crate) fn store_keys() -> Authority {
    let seeds = [[0x28; 32], [0x29; 32], [0x2a; 32], [0x2b; 32]];
    Authority::create(seeds, IssuingNumber(1)).expect("keys")
}

pub(crate) fn signed_checkpoint() -> SignedCheckpoint {
    let (log, statement) = (store_keys().log, checkpoint_at(7).statement());
    SignedCheckpoint {
        signature: log.sign(&statement).expect("a signature"),
        statement,
        chain: log.chain,
    }
}
