//! A door that works on its own for longer for a while: before maintenance, by an act of its own.
//!
//! It is set with a reason and an end, and its end comes by itself. What was refused before is not
//! reached by it: see [`crate::confirmation::settings_without`].

use std::time::Duration;

use crate::id::DoorId;
use crate::parameters::Timestamp;
use crate::place::{Door, LeaseLength};
use crate::text::Note;

/// For how long ahead a longer limit may be set, at most: whoever needs it for longer changes the
/// door's own.
pub const AT_MOST: Duration = Duration::from_secs(31 * 24 * 3600);

/// How much longer a door works on its own, until when, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongerLimit {
    /// Which door.
    pub door: DoorId,
    /// How long it works on its own meanwhile: longer than otherwise.
    pub lease: LeaseLength,
    /// When that ends.
    pub until: Timestamp,
    /// Why.
    pub reason: Note,
}

/// How long a door works on its own now, with a longer limit if one is in force.
#[must_use]
pub fn in_force(door: &Door, longer: Option<&LongerLimit>) -> LeaseLength {
    longer.map_or(door.lease, |longer| door.lease.max(longer.lease))
}
