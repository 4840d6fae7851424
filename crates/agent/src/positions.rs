//! How this agent's doors stand, as their contacts say.
//!
//! Owns: the last word of each contact, and since when it holds. It is not kept on disk: after a
//! start nothing is known of a door until its contact says something. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use offgate_core::door_position::{Position, SaidPosition};
use offgate_core::id::DoorId;
use tokio::sync::watch;

use crate::clock::BootClock;

/// What the contacts said last.
pub(crate) struct Positions {
    /// How each door stands, and since when, by the boot clock.
    said: watch::Sender<BTreeMap<DoorId, (Position, Duration)>>,
    clock: Arc<dyn BootClock>,
}

impl Positions {
    pub(crate) fn new(clock: Arc<dyn BootClock>) -> Self {
        Self {
            said: watch::Sender::default(),
            clock,
        }
    }

    /// Takes the word of a door's contact. The same word again changes nothing.
    pub(crate) fn note(&self, door: DoorId, position: Position) {
        let now = self.clock.now();
        self.said.send_if_modified(|said| {
            let is_new = said.get(&door).is_none_or(|(known, _)| *known != position);
            if is_new {
                said.insert(door, (position, now));
            }
            is_new
        });
    }

    /// Follows the contacts for one connection, which is to be told all that is known.
    pub(crate) fn follow(&self) -> Followed {
        let said = self.said.subscribe();
        let is_due = !said.borrow().is_empty();
        Followed {
            said,
            is_due,
            clock: Arc::clone(&self.clock),
        }
    }
}

/// What one connection has been told of the contacts.
pub(crate) struct Followed {
    said: watch::Receiver<BTreeMap<DoorId, (Position, Duration)>>,
    /// Whether there is something that it was not told.
    is_due: bool,
    clock: Arc<dyn BootClock>,
}

impl Followed {
    /// Waits until a contact says something else. May be dropped at any time.
    pub(crate) async fn changed(&mut self) {
        // Whoever sends lives as long as the agent.
        if self.said.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.is_due = true;
    }

    /// All doors that have a contact, if there is anything that was not told.
    pub(crate) fn untold(&mut self) -> Option<Vec<SaidPosition>> {
        if !std::mem::take(&mut self.is_due) {
            return None;
        }
        let now = self.clock.now();
        let said = self.said.borrow_and_update();
        let each = said.iter().map(|(door, (position, since))| SaidPosition {
            door: *door,
            position: *position,
            lasts: now.saturating_sub(*since),
        });
        Some(each.collect())
    }
}
