//! Whether a proof about a log is signed by the log key of the store with a certain root.

use offgate_core::checkpoint::SignedCheckpoint;
use offgate_core::log_proof::{LogProof, Shown, Shows, ShowsNothing};

use crate::chain::NotVouchedFor;
use crate::join_token::RootFingerprint;
use crate::log_key::{LogKey, NotSigned};

/// How many certificates a chain has: the log key's, the issuing one, the root.
const CHAIN: usize = 3;

/// Why a proof is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBelieved {
    /// Its hashes show nothing.
    #[error(transparent)]
    ShowsNothing(#[from] ShowsNothing),
    /// It is of a store with another root.
    #[error("it is signed below another root")]
    AnotherRoot,
    /// What vouches for the key that signed it does not.
    #[error("what vouches for its key does not: {0}")]
    NotVouchedFor(#[from] NotVouchedFor),
    /// The signature is not that of the key.
    #[error("a signature is not the log key's")]
    NotSigned(#[from] NotSigned),
    /// The later checkpoint is signed below an issuing key that had been replaced.
    #[error("the later checkpoint is signed below a key that had been replaced")]
    Replaced,
}

/// Checks that a checkpoint is signed by the log key of the store with this root, and says which
/// key that is.
///
/// # Errors
/// It is not.
pub fn signed_below(
    checkpoint: &SignedCheckpoint,
    root: RootFingerprint,
) -> Result<LogKey, NotBelieved> {
    // Neither more certificates than are looked at nor the root elsewhere than at the end.
    match &checkpoint.chain[..] {
        chain if chain.len() != CHAIN => return Err(NotVouchedFor::Certificate.into()),
        [.., last] if RootFingerprint::of(last) != root => return Err(NotBelieved::AnotherRoot),
        _ => {}
    }
    let key = LogKey::of(&checkpoint.chain, root)?;
    key.verify(&checkpoint.statement, &checkpoint.signature)?;
    Ok(key)
}

/// Checks a proof below the root that is known, or without one below the root that it names itself:
/// then it agrees with itself, and who signed it is not known.
///
/// # Errors
/// It is not believed.
pub fn check(proof: &LogProof, known: Option<RootFingerprint>) -> Result<Shown<'_>, NotBelieved> {
    let named = RootFingerprint(proof.root);
    if known.is_some_and(|known| known != named) {
        return Err(NotBelieved::AnotherRoot);
    }
    let key = signed_below(&proof.checkpoint, named)?;
    if let Shows::Continuation { older, .. } = &proof.shows
        && signed_below(older, named)?.issued_under() > key.issued_under()
    {
        return Err(NotBelieved::Replaced);
    }
    Ok(proof.shown()?)
}
