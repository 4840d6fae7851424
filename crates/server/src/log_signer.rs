//! The key that signs for the log, as the store uses it.

use std::path::Path;

use offgate_core::parameters::Randomness;
use offgate_link::acknowledgement::SigningKey;
use offgate_store::{CheckpointSigner, LogSignature, SignerFailed};

use crate::keys::{KeysError, open as open_keys};

/// The key that signs checkpoints of the log, read into memory.
#[derive(Debug)]
pub struct LogSigner {
    key: SigningKey,
    chain: Vec<Vec<u8>>,
}

impl LogSigner {
    /// Reads it from a data directory; makes the keys when there are none.
    ///
    /// # Errors
    /// The files cannot be read, written or understood.
    pub fn open(data: &Path, randomness: &dyn Randomness) -> Result<Self, KeysError> {
        let identity = open_keys(data, randomness)?.link;
        Ok(Self {
            key: SigningKey::from_pkcs8(identity.key).map_err(|_| KeysError::Damaged("log key"))?,
            chain: identity.chain,
        })
    }
}

impl CheckpointSigner for LogSigner {
    fn sign(&self, statement: &[u8]) -> Result<LogSignature, SignerFailed> {
        Ok(LogSignature {
            signature: self.key.sign(statement),
            chain: self.chain.clone(),
        })
    }
}
