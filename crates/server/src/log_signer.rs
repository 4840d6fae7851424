//! The keys with which the store signs for its log and seals its rulings, as it uses them.

use std::sync::Arc;

use offgate_core::ruling::Seal;
use offgate_store::{LogSignature, SignerFailed, StoreSigner};

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

impl StoreSigner for LogSigner {
    fn sign(&self, statement: &[u8]) -> Result<LogSignature, SignerFailed> {
        let held = self.0.held();
        let signature = held.log().sign(statement).map_err(|_| SignerFailed)?;
        Ok(LogSignature {
            signature,
            chain: held.log().chain.clone(),
        })
    }

    fn seal(&self, statement: &[u8]) -> Seal {
        self.0.seal(statement)
    }
}
