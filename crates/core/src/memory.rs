//! Records kept in memory: the plainest engine there can be.

/// Records in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {}
