//! What the deciding thread owns, and one decision.

use std::collections::BTreeMap;
use std::time::Duration;

use offgate_core::credential::CredentialKind;
use offgate_core::id::DoorId;
use offgate_core::parameters::Timestamp;
use offgate_core::place::Direction;
use offgate_core::table::Table;
use offgate_core::table::admission::{
    self, Decision, DoorState, Holder, Keypad, Lease, Lockdown, Presented, Reason,
};
use offgate_core::table::entry::TableHash;
use offgate_core::table::keypad::{KeypadDelay, Slowing};

use super::{EntryChange, Look, Surroundings};
use crate::clock::WallTrust;
use crate::events::event::{DoorEvent, Happened};
use crate::reader::{Answer, Offered};

pub(super) struct Judge {
    surroundings: Surroundings,
    /// None: there is none that could be trusted, and every way in refuses.
    table: Option<Table>,
    /// When the last renewal that was answered had been asked for, by the boot clock. None after
    /// every start: what was heard before it counts for nothing.
    heard: Option<Duration>,
    trust: WallTrust,
    /// Wrong PINs at the reader on the way in of each door.
    keypads: BTreeMap<DoorId, KeypadDelay>,
}

impl Judge {
    pub(super) fn new(table: Option<Table>, surroundings: Surroundings) -> Self {
        let trust = WallTrust::default();
        Self {
            surroundings,
            table,
            heard: None,
            trust,
            keypads: BTreeMap::new(),
        }
    }

    pub(super) fn decide(
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
        let keypad = match (kind, direction) {
            (CredentialKind::Pin, Direction::In) => self.keypad(door, boot),
            _ => Keypad::Ready,
        };
        let (happened, holder) = match direction {
            Direction::Out => (
                Happened::Granted,
                self.holder_on_the_way_out(door, presented, now),
            ),
            // Not judged at all: an answer of any other kind would tell right from wrong.
            Direction::In if keypad == Keypad::Slowed => {
                (Happened::Refused(Reason::TooManyAttempts), None)
            }
            Direction::In => self.judge(door, presented, boot, now),
        };
        // The order goes out before anything else, and before the next change of the table.
        if happened == Happened::Granted {
            self.surroundings.strike.unlock(door);
        }
        let clock = self.trust.of(now, boot);
        let event = DoorEvent {
            door,
            direction,
            at: now,
            clock,
            kind,
            holder,
            outcome: happened,
        };
        self.surroundings.recorder.record(event);
        if (kind, direction) == (CredentialKind::Pin, Direction::In) && keypad == Keypad::Ready {
            self.count_pin(happened, boot, event);
        }
        match happened {
            Happened::Refused(reason) => Answer::Refused(reason),
            Happened::Granted | Happened::KeypadSlowed => Answer::Granted,
        }
    }

    fn keypad(&self, door: DoorId, boot: Duration) -> Keypad {
        self.keypads
            .get(&door)
            .map_or(Keypad::Ready, |delay| delay.state(boot))
    }

    fn holder_on_the_way_out(
        &self,
        door: DoorId,
        presented: Result<Presented, Offered>,
        now: Timestamp,
    ) -> Option<Holder> {
        let (table, presented) = (self.table.as_ref()?, presented.ok()?);
        let state = DoorState::ORDINARY;
        match admission::admit(table, state, &presented, door, Direction::Out, now) {
            Decision::WayOut(holder) | Decision::Refused { holder, .. } => holder,
            Decision::Granted { holder, .. } => Some(holder),
        }
    }

    fn judge(
        &self,
        door: DoorId,
        presented: Result<Presented, Offered>,
        boot: Duration,
        now: Timestamp,
    ) -> (Happened, Option<Holder>) {
        // Without a table, or without what it takes to read it, the door is as good as cut off.
        let (Some(table), Ok(presented)) = (&self.table, presented) else {
            return (Happened::Refused(Reason::CutOff), None);
        };
        let state = DoorState {
            lease: self.lease(table, door, boot),
            lockdown: Lockdown::Off,
            keypad: Keypad::Ready,
            clock: self.trust.of(now, boot),
        };
        match admission::admit(table, state, &presented, door, Direction::In, now) {
            Decision::Granted { holder, .. } => (Happened::Granted, Some(holder)),
            Decision::WayOut(holder) => (Happened::Granted, holder),
            Decision::Refused { reason, holder } => (Happened::Refused(reason), holder),
        }
    }

    fn lease(&self, table: &Table, door: DoorId, boot: Duration) -> Lease {
        match (self.heard, table.lease(door)) {
            (Some(heard), Some(length)) if boot < heard.saturating_add(length.duration()) => {
                Lease::Running
            }
            _ => Lease::Ended,
        }
    }

    /// Only a PIN nobody has counts as wrong: one that is refused for its holder's hours was
    /// typed rightly.
    fn count_pin(&mut self, happened: Happened, boot: Duration, event: DoorEvent) {
        match happened {
            Happened::Granted => drop(self.keypads.remove(&event.door)),
            Happened::Refused(Reason::Unknown) => {
                let delay = self.keypads.entry(event.door).or_default();
                if let Slowing::Begun(_) = delay.wrong(boot) {
                    let slowed = DoorEvent {
                        outcome: Happened::KeypadSlowed,
                        ..event
                    };
                    self.surroundings.recorder.record(slowed);
                }
            }
            Happened::Refused(_) | Happened::KeypadSlowed => {}
        }
    }

    pub(super) fn change(&mut self, changes: Vec<EntryChange>) -> TableHash {
        let Some(table) = &mut self.table else {
            return TableHash::EMPTY;
        };
        for change in changes {
            match change {
                EntryChange::Put(entry) => table.put(entry),
                EntryChange::Delete(key) => table.delete(key),
            }
        }
        table.hash()
    }

    pub(super) fn replace(&mut self, table: Option<Table>) {
        self.table = table;
        let known = |door: &DoorId| {
            self.table
                .as_ref()
                .is_some_and(|it| it.lease(*door).is_some())
        };
        self.keypads.retain(|door, _| known(door));
    }

    pub(super) fn renewed(&mut self, asked_at: Duration) {
        self.heard = self.heard.max(Some(asked_at));
    }

    pub(super) fn void_lease(&mut self) {
        self.heard = None;
    }

    pub(super) fn told(&mut self, server: Timestamp) {
        self.trust.told(server, self.surroundings.boot_clock.now());
    }

    pub(super) fn look(&self) -> Look {
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
