//! What holds a door shut.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use offgate_core::id::DoorId;

/// What holds a door shut, and lets go for a moment when told.
pub trait Strike: Send + Sync {
    /// Lets go. Called on the deciding thread: it must hand the order over and return.
    fn unlock(&self, door: DoorId);
}

/// A strike that only counts.
#[derive(Debug, Default)]
pub struct SimulatedStrike {
    unlocked: Mutex<BTreeMap<DoorId, u64>>,
}

impl SimulatedStrike {
    /// How often a door was unlocked.
    #[must_use]
    pub fn times(&self, door: DoorId) -> u64 {
        let unlocked = self.unlocked.lock().unwrap_or_else(PoisonError::into_inner);
        unlocked.get(&door).copied().unwrap_or(0)
    }
}

impl Strike for SimulatedStrike {
    fn unlock(&self, door: DoorId) {
        tracing::debug!(%door, "unlocked");
        let mut unlocked = self.unlocked.lock().unwrap_or_else(PoisonError::into_inner);
        *unlocked.entry(door).or_default() += 1;
    }
}
