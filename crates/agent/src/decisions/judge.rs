//! What the deciding thread owns, and one decision.

use std::collections::BTreeMap;
use std::time::Duration;

use offgate_core::credential::CredentialKind;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::DoorId;
use offgate_core::parameters::Timestamp;
use offgate_core::place::Direction;
use offgate_core::question::{Question, Said};
use offgate_core::table::Table;
use offgate_core::table::admission::{
    self, Decision, DoorState, Holder, Keypad, Lockdown, Presented, Reason, Sought,
};
use offgate_core::table::entry::{EntryKey, RulingEntry, TableHash};
use offgate_core::table::keypad::{KeypadDelay, Slowing};
use offgate_link::agent_end::Testimony;

use super::{Asked, Changed, DiskState, EntryChange, Look, Surroundings};
use crate::clock::WallTrust;
use crate::reader::{Answer, Offered};

/// What the deciding thread owns.
pub struct Judge {
    surroundings: Surroundings,
    /// None: there is none that could be trusted, and every way in refuses.
    table: Option<Table>,
    /// When the last renewal that was answered had been asked for, by the boot clock. None after
    /// every start of the machine: what was heard before it counts for nothing.
    heard: Option<Duration>,
    trust: WallTrust,
    disk: DiskState,
    /// Wrong PINs at the reader on the way in of each door.
    keypads: BTreeMap<DoorId, KeypadDelay>,
}

impl Judge {
    /// A judge with the table from disk.
    #[must_use]
    pub fn new(table: Option<Table>, surroundings: Surroundings) -> Self {
        let trust = WallTrust::default();
        let disk = DiskState::Works;
        Self {
            surroundings,
            table,
            heard: None,
            trust,
            disk,
            keypads: BTreeMap::new(),
        }
    }

    /// Somebody stands at a door. A PIN comes digested; as typed if there is no salt to digest it
    /// with.
    pub fn decide(
        &mut self,
        door: DoorId,
        direction: Direction,
        presented: Result<Presented, Offered>,
    ) -> Answer {
        let boot = self.surroundings.boot_clock.now();
        let now = self.surroundings.clock.now();
        let kind = match &presented {
            Ok(presented) => presented.kind(),
            Err(offered) => offered.kind(),
        };
        let keypad = self.keypad(kind, door, direction, boot);
        let happening = self.would(door, direction, kind, self.sought(presented), boot, now);
        let answer = match happening {
            Happening::Granted { .. } | Happening::WayOut { .. } => Answer::Granted,
            Happening::Refused { reason, .. } => Answer::Refused(reason),
            Happening::KeypadSlowed => Answer::Refused(Reason::TooManyAttempts),
        };
        // The order goes out before anything else, and before the next change of the table.
        if answer == Answer::Granted {
            self.surroundings.strike.unlock(door);
        }
        // The recorder gives the number.
        let event = DoorEvent {
            sequence: 0,
            at: now,
            door,
            direction,
            presented: kind,
            happening,
        };
        (self.surroundings.record)(event);
        if (kind, direction) == (CredentialKind::Pin, Direction::In) && keypad == Keypad::Ready {
            self.count_pin(answer, boot, event);
        }
        answer
    }

    /// The table that is in force.
    #[must_use]
    pub const fn table(&self) -> Option<&Table> {
        self.table.as_ref()
    }

    /// What would be decided if this were presented now. Changes nothing, and nobody hears of it.
    pub(super) fn question(&self, question: &Question) -> Asked {
        let boot = self.surroundings.boot_clock.now();
        let now = self.surroundings.clock.now();
        let Question {
            door,
            direction,
            sought,
            ..
        } = *question;
        let said = match self.would(door, direction, sought.kind, Some(sought), boot, now) {
            Happening::Granted { holder, .. } => Said::Granted {
                holder: holder.credential,
            },
            Happening::WayOut { .. } => Said::WayOut,
            Happening::Refused { reason, .. } => Said::Refused { reason },
            Happening::KeypadSlowed => Said::Refused {
                reason: Reason::TooManyAttempts,
            },
        };
        Asked {
            said,
            hash: self.table.as_ref().map_or(TableHash::EMPTY, Table::hash),
            at: now,
            clock: self.trust.of(now, boot),
        }
    }

    /// The decision. What is done about it is for whoever asks: presenting and being asked differ in
    /// nothing before that.
    fn would(
        &self,
        door: DoorId,
        direction: Direction,
        kind: CredentialKind,
        sought: Option<Sought>,
        boot: Duration,
        now: Timestamp,
    ) -> Happening {
        match direction {
            Direction::Out => Happening::WayOut {
                holder: self.holder_on_the_way_out(door, sought, now),
            },
            // Not judged at all: an answer of any other kind would tell right from wrong.
            Direction::In if self.keypad(kind, door, direction, boot) == Keypad::Slowed => {
                Happening::Refused {
                    reason: Reason::TooManyAttempts,
                    holder: None,
                }
            }
            Direction::In => self.judge(door, sought, boot, now),
        }
    }

    /// What the table is searched for. None without a table, or without what it takes to search it.
    fn sought(&self, presented: Result<Presented, Offered>) -> Option<Sought> {
        Some(presented.ok()?.sought(self.table.as_ref()?.hash_key()))
    }

    fn keypad(
        &self,
        kind: CredentialKind,
        door: DoorId,
        direction: Direction,
        boot: Duration,
    ) -> Keypad {
        match (kind, direction) {
            (CredentialKind::Pin, Direction::In) => self
                .keypads
                .get(&door)
                .map_or(Keypad::Ready, |delay| delay.state(boot)),
            _ => Keypad::Ready,
        }
    }

    fn holder_on_the_way_out(
        &self,
        door: DoorId,
        sought: Option<Sought>,
        now: Timestamp,
    ) -> Option<Holder> {
        let (table, sought) = (self.table.as_ref()?, sought?);
        let state = DoorState::ORDINARY;
        match admission::admit_sought(table, state, sought, door, Direction::Out, now) {
            Decision::WayOut(holder) | Decision::Refused { holder, .. } => holder,
            Decision::Granted { holder, .. } => Some(holder),
        }
    }

    fn judge(
        &self,
        door: DoorId,
        sought: Option<Sought>,
        boot: Duration,
        now: Timestamp,
    ) -> Happening {
        // Without a table, or without what it takes to read it, the door is as good as cut off.
        let (Some(table), Some(sought)) = (&self.table, sought) else {
            return Happening::Refused {
                reason: Reason::CutOff,
                holder: None,
            };
        };
        let state = DoorState {
            lease: table.lease_after(door, self.heard.map(|heard| boot.saturating_sub(heard))),
            lockdown: Lockdown::Off,
            keypad: Keypad::Ready,
            clock: self.trust.of(now, boot),
        };
        match admission::admit_sought(table, state, sought, door, Direction::In, now) {
            Decision::Granted { holder, policy } => Happening::Granted { holder, policy },
            Decision::WayOut(holder) => Happening::WayOut { holder },
            Decision::Refused { reason, holder } => Happening::Refused { reason, holder },
        }
    }

    /// Only a PIN nobody has counts as wrong: one that is refused for its holder's hours was
    /// typed rightly.
    fn count_pin(&mut self, answer: Answer, boot: Duration, event: DoorEvent) {
        match answer {
            Answer::Granted => drop(self.keypads.remove(&event.door)),
            Answer::Refused(Reason::Unknown) => {
                let delay = self.keypads.entry(event.door).or_default();
                if let Slowing::Begun(_) = delay.wrong(boot) {
                    let slowed = DoorEvent {
                        happening: Happening::KeypadSlowed,
                        ..event
                    };
                    (self.surroundings.record)(slowed);
                }
            }
            Answer::Refused(_) => {}
        }
    }

    /// Changes the table, if that leads to this hash.
    pub fn change(&mut self, changes: Vec<EntryChange>, becomes: TableHash) -> Changed {
        let Some(table) = &mut self.table else {
            return Changed::Mismatch;
        };
        if hash_after(table, &changes) != becomes {
            return Changed::Mismatch;
        }
        for change in changes {
            match change {
                EntryChange::Put(entry) => table.put(entry),
                EntryChange::Delete(key) => table.delete(key),
            }
        }
        Changed::InForce
    }

    /// Replaces the table. Refusals of the one before that the new one says nothing later about
    /// stand beside it from now on, and are answered.
    pub fn replace(&mut self, mut table: Table) -> Vec<RulingEntry> {
        if let Some(before) = &self.table {
            table.hold_all_of(before);
        }
        let held = table.held().cloned().collect();
        self.table = Some(table);
        let known = |door: &DoorId| {
            self.table
                .as_ref()
                .is_some_and(|it| it.lease(*door).is_some())
        };
        self.keypads.retain(|door, _| known(door));
        held
    }

    /// Follows refusals beside the table. Without a table every way in refuses anyway.
    pub fn hold(&mut self, refusals: Vec<RulingEntry>) {
        if let Some(table) = &mut self.table {
            refusals.into_iter().for_each(|refusal| table.hold(refusal));
        }
    }

    /// The refusals that stand, with the store's seals.
    #[must_use]
    pub fn refusals(&self, which: Testimony) -> Vec<RulingEntry> {
        let Some(table) = &self.table else {
            return Vec::new();
        };
        match which {
            Testimony::Everything => table.refusals().cloned().collect(),
            Testimony::WhatIsHeld => table.held().cloned().collect(),
        }
    }

    /// The server answered a renewal that was asked for at this time of the boot clock.
    pub fn renewed(&mut self, asked_at: Duration) {
        if self.disk == DiskState::Works {
            self.heard = self.heard.max(Some(asked_at));
        }
    }

    /// The disk works or fails. While it fails, and until the next renewal after that, the lease is
    /// void.
    pub fn disk(&mut self, state: DiskState) {
        self.disk = state;
        if state == DiskState::Fails {
            self.heard = None;
        }
    }

    /// The server said what time it is.
    pub fn told(&mut self, server: Timestamp) {
        self.trust.told(server, self.surroundings.boot_clock.now());
    }

    /// How it is.
    #[must_use]
    pub fn look(&self) -> Look {
        let boot = self.surroundings.boot_clock.now();
        let left = |table: &Table| {
            let lengths = table.doors().filter_map(|door| table.lease(door));
            let ends = self.heard?.saturating_add(lengths.min()?.duration());
            Some(ends.saturating_sub(boot))
        };
        Look {
            salt: self.table.as_ref().and_then(Table::pin_salt),
            lease_left: self.table.as_ref().and_then(left).unwrap_or_default(),
        }
    }
}

/// The hash of the table as it would be after these changes.
fn hash_after(table: &Table, changes: &[EntryChange]) -> TableHash {
    let mut hash = table.hash();
    // What earlier ones of these changes make of an entry.
    let mut changed: BTreeMap<EntryKey, Option<Vec<u8>>> = BTreeMap::new();
    for change in changes {
        let (key, after) = match change {
            EntryChange::Put(entry) => (entry.key(), Some(entry.encode())),
            EntryChange::Delete(key) => (*key, None),
        };
        let before = match changed.get(&key) {
            Some(before) => before.as_deref(),
            None => table.entry(&key),
        };
        if let Some(before) = before {
            hash = hash.without(table.hash_key(), before);
        }
        if let Some(after) = &after {
            hash = hash.with(table.hash_key(), after);
        }
        changed.insert(key, after);
    }
    hash
}
