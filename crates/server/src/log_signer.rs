//! The key that signs for the log, as the store uses it.

use std::sync::Arc;

use offgate_store::{CheckpointSigner, LogSignature, SignerFailed};

use crate::keys::Keys;

/// Signs checkpoints of the log with the log's key as it is at each moment.
pub struct LogSigner(Arc<Keys>);

impl LogSigner {
    /// Signs with the log's key among these.
    #[must_use]
    pub const fn new(keys: Arc<Keys>) -> Self {
        Self(keys)
    }
}

impl CheckpointSigner for LogSigner {
    fn sign(&self, statement: &[u8]) -> Result<LogSignature, SignerFailed> {
        let held = self.0.held();
        let signature = held.log().sign(statement).map_err(|_| SignerFailed)?;
        Ok(LogSignature {
            signature,
            chain: held.log().chain.clone(),
        })
    }
}
