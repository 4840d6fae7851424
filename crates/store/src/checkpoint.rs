//! What is signed for the log, once for each batch that changed it, and by whom.

use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::parameters::Timestamp;
use offgate_core::ruling::Seal;

use crate::engine::{Engine, Ledger};
use crate::error::StoreError;

/// What only this store's servers can make: signatures of the log's checkpoints, and seals of
/// rulings.
pub trait StoreSigner: Send + Sync {
    /// Ed25519 over these bytes.
    ///
    /// # Errors
    /// The key cannot be used. Then the batch that asked for it has not happened.
    fn sign(&self, statement: &[u8]) -> Result<LogSignature, SignerFailed>;

    /// The seal of a ruling's statement ([`offgate_core::ruling::Ruling::statement`]). It is the
    /// same whenever it is made, also after a restore.
    fn seal(&self, statement: &[u8]) -> Seal;
}

/// A signature of the log key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSignature {
    /// Ed25519.
    pub signature: [u8; 64],
    /// The log key's certificate and those above it in DER, the root's last.
    pub chain: Vec<Vec<u8>>,
}

/// The log key could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key that signs for the log cannot be used")]
pub struct SignerFailed;

/// What a stored checkpoint says.
pub(crate) fn read(signed: &SignedCheckpoint) -> Result<Checkpoint, StoreError> {
    Checkpoint::read(&signed.statement)
        .map_err(|_| StoreError::Damaged("a checkpoint that is none"))
}

/// Signs for the log as it is now, in the transaction that made it so.
///
/// # Errors
/// It could not: the transaction must not be committed.
pub fn sign(
    batch: &mut dyn Ledger,
    signer: &dyn StoreSigner,
    now: Timestamp,
) -> Result<(), StoreError> {
    let identity = batch.identity();
    let (size, root) = batch.tree()?;
    let checkpoint = Checkpoint {
        store: identity.store,
        epoch: identity.epoch,
        size: size.number(),
        root,
        at: now,
    };
    let statement = checkpoint.statement();
    let LogSignature { signature, chain } = signer.sign(&statement)?;
    let signed = SignedCheckpoint {
        statement,
        signature,
        chain,
    };
    batch.keep_checkpoint(&checkpoint, &signed)
}

/// Signs for the log of a store that was just opened, unless that was done in this epoch: it is
/// new, restored, or from before there were checkpoints.
pub(crate) fn sign_when_opened(
    engine: &mut dyn Engine,
    signer: &dyn StoreSigner,
    now: Timestamp,
) -> Result<(), StoreError> {
    engine.batch(&mut |batch| {
        let newest = match batch.newest_checkpoint()? {
            Some(newest) => Some(read(&newest)?),
            None => None,
        };
        if newest.is_some_and(|newest| newest.epoch == batch.identity().epoch) {
            return Ok(());
        }
        sign(batch, signer, now)
    })
}
