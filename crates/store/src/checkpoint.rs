//! Who signs for the log.

/// Signs checkpoints of the log with the store's log key, and shows why that key may.
pub trait CheckpointSigner: Send + Sync {
    /// Ed25519 over these bytes.
    ///
    /// # Errors
    /// The key cannot be used. Then the batch that asked for it has not happened.
    fn sign(&self, statement: &[u8]) -> Result<[u8; 64], SignerFailed>;

    /// The log key's certificate and those above it in DER, the root's last.
    fn chain(&self) -> &[Vec<u8>];
}

/// The log key could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key that signs for the log cannot be used")]
pub struct SignerFailed;
