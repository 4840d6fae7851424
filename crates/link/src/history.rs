//! Whether a store's history continues the one that an agent has seen.

use std::cmp::Ordering;

use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::id::StoreId;
use offgate_core::parameters::Epoch;
use offgate_core::tree::{TreeHash, verify_consistency};

use crate::join_token::RootFingerprint;
use crate::log_key::LogKey;

/// Why a history is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Doubt {
    /// The checkpoint is not signed by the log key of the store this agent belongs to.
    #[error("the checkpoint is not signed by this store's log key")]
    NotSigned,
    /// The checkpoint is of an earlier epoch than the one that was seen.
    #[error("the history is of an epoch that is over")]
    OlderEpoch,
    /// The checkpoint is of another epoch with the same counter: two stores go on from one.
    #[error("two stores go on from the same one")]
    OtherEpoch,
    /// The history is shorter than the one that was seen.
    #[error("the history was cut")]
    Shorter,
    /// What was seen is not the beginning of the history.
    #[error("the history was rewritten")]
    Rewritten,
}

/// Why a store that says that it is in one epoch cannot be the one whose epoch is held. A higher one
/// is a restore.
pub(crate) fn epoch_doubt(held: Epoch, shown: Epoch) -> Option<Doubt> {
    match shown.counter.cmp(&held.counter) {
        Ordering::Less => Some(Doubt::OlderEpoch),
        Ordering::Equal if shown != held => Some(Doubt::OtherEpoch),
        Ordering::Equal | Ordering::Greater => None,
    }
}

/// The checkpoint that a server shows, if this store's log key signed it and its history continues
/// the one of the checkpoint that is held. A higher epoch is a restore, and begins anew.
///
/// Whichever issuing key vouches for the log key: a checkpoint may be older than the issuing key
/// that is in use, and the connection it came over told which server shows it.
///
/// # Errors
/// Why it is not believed.
pub fn continues(
    held: Option<&Checkpoint>,
    store: StoreId,
    root: RootFingerprint,
    shown: &SignedCheckpoint,
    proof: &[TreeHash],
) -> Result<Checkpoint, Doubt> {
    LogKey::of(&shown.chain, root)
        .map_err(|_| Doubt::NotSigned)?
        .verify(&shown.statement, &shown.signature)
        .map_err(|_| Doubt::NotSigned)?;
    let new = Checkpoint::read(&shown.statement).map_err(|_| Doubt::NotSigned)?;
    if new.store != store {
        return Err(Doubt::NotSigned);
    }
    let Some(held) = held else {
        return Ok(new);
    };
    if let Some(doubt) = epoch_doubt(held.epoch, new.epoch) {
        return Err(doubt);
    }
    if new.epoch != held.epoch {
        return Ok(new);
    }
    if new.size < held.size {
        return Err(Doubt::Shorter);
    }
    verify_consistency((held.size, held.root), (new.size, new.root), proof)
        .map_err(|_| Doubt::Rewritten)?;
    Ok(new)
}
