//! The ring of door events: bounded, in order, numbered from the enrolment on.
//!
//! An event gets its number when it is recorded and may be sent once it is durable, so a number
//! that the server has seen is never given to another event. Numbers that are missing are events
//! that gave way, or that no disk would take; how many is counted and kept with the events.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use offgate_core::id::AgentId;

use super::recorder::Kept;
use super::slot::{self, Header, LONGEST, SLOT, Slot, Weight};
use crate::disk::{Disk, DiskFile};

const NAME: &str = "events.ring";
const UNFINISHED: &str = "events.ring.new";

/// How many events an agent keeps unless told otherwise.
pub(crate) const CAPACITY: u32 = 100_000;

/// Some events, to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The number of the last of them, or the one asked for if there are none.
    pub(crate) newest: u64,
    /// How many were lost before the first of them, since the enrolment.
    pub(crate) lost: u64,
    pub(crate) events: Vec<Vec<u8>>,
}

struct Held {
    slot: u32,
    event: Vec<u8>,
}

/// The ring.
pub(crate) struct EventRing<D> {
    disk: D,
    enrolment: AgentId,
    capacity: u32,
    /// None until the file is known to take writes.
    file: Option<Box<dyn DiskFile>>,
    held: BTreeMap<u64, Held>,
    routine: BTreeSet<u64>,
    free: Vec<u32>,
    next: u64,
    /// The server has everything up to this number.
    stored: u64,
    /// Everything held up to this number is durable.
    durable: u64,
    /// How many events were lost since the enrolment.
    lost: u64,
    /// The newest number in the file and its slot, if the file's header does not vouch for it. The
    /// slot is not written to before a newer number is durable: else a torn write could make the
    /// ring forget a number that the server has seen, and give it out again.
    anchor: Option<(u64, u32)>,
}

impl<D: Disk> EventRing<D> {
    /// Opens the ring of this enrolment, or makes it. One of another enrolment, or one that cannot
    /// be read, is replaced. A disk that refuses all of this still leaves a ring in memory: doors
    /// open and refuse whether or not their events can be kept.
    pub(crate) fn open(mut disk: D, enrolment: AgentId, capacity: u32) -> Self {
        let capacity = capacity.max(2);
        let bytes = disk.read(NAME).unwrap_or_default();
        let mut ring = Self {
            disk,
            enrolment,
            capacity,
            file: None,
            held: BTreeMap::new(),
            routine: BTreeSet::new(),
            free: (0..capacity).rev().collect(),
            next: 1,
            stored: 0,
            durable: 0,
            lost: 0,
            anchor: None,
        };
        let header = slot::decode_header(enrolment, &bytes);
        if bytes.len() > SLOT {
            ring.take_over(&bytes[SLOT..]);
        }
        if let Some(header) = header {
            ring.next = ring.next.max(header.given.saturating_add(1));
            ring.lost = ring.lost.max(header.lost);
            if header.slots == capacity
                && bytes.len() == (capacity as usize + 1) * SLOT
                && let Ok(mut file) = ring.disk.open(NAME)
                // What the process before this one wrote and did not sync.
                && file.sync().is_ok()
            {
                ring.file = Some(file);
                ring.move_anchor();
            }
        }
        if ring.file.is_some() || ring.write_anew().is_ok() {
            ring.durable = ring.next - 1;
        }
        ring
    }

    /// Takes what slots hold. Slots know their enrolment, so those of another are not taken.
    fn take_over(&mut self, slots: &[u8]) {
        let mut found: Vec<(Slot<'_>, u32)> = slots
            .chunks_exact(SLOT)
            .zip(0..)
            .filter_map(|(bytes, at)| Some((slot::decode(self.enrolment, bytes)?, at)))
            .collect();
        found.sort_unstable_by_key(|(slot, _)| slot.sequence);
        let surplus = found.len().saturating_sub(self.capacity as usize);
        for (found, slot) in found.into_iter().skip(surplus) {
            self.next = found.sequence.saturating_add(1);
            self.lost = self.lost.max(found.lost);
            self.insert(
                found.sequence,
                found.weight,
                Held {
                    slot,
                    event: found.event.to_vec(),
                },
            );
        }
        self.lost += surplus as u64;
        let used: BTreeSet<u32> = self.held.values().map(|held| held.slot).collect();
        self.free.retain(|slot| !used.contains(slot));
    }

    fn insert(&mut self, sequence: u64, weight: Weight, held: Held) {
        self.held.insert(sequence, held);
        if weight == Weight::Routine {
            self.routine.insert(sequence);
        }
    }

    /// Takes an event in, in memory and to the file; it is durable after [`Self::sync`]. The
    /// oldest routine event gives way when there is no room, or the oldest of all when there is
    /// no routine one. An event that is too long for a slot leaves its number as a gap.
    pub(crate) fn record(&mut self, weight: Weight, encode: impl FnOnce(u64) -> Vec<u8>) -> u64 {
        let sequence = self.next;
        self.next += 1;
        let event = encode(sequence);
        let slot = match event.len() {
            0..=LONGEST => self.free.pop().or_else(|| self.make_room()),
            _ => None,
        };
        let Some(slot) = slot else {
            self.lost += 1;
            return sequence;
        };
        let slot_of = Slot {
            sequence,
            weight,
            lost: self.lost,
            event: &event,
        };
        let bytes = slot::encode(self.enrolment, slot_of);
        self.insert(sequence, weight, Held { slot, event });
        let offset = (u64::from(slot) + 1) * SLOT as u64;
        if let Some(file) = &mut self.file
            && file.write_at(offset, &bytes).is_err()
        {
            self.file = None;
        }
        sequence
    }

    /// Counts events that happened and could not be recorded.
    pub(crate) fn miss(&mut self, events: u64) {
        self.next = self.next.saturating_add(events);
        self.lost = self.lost.saturating_add(events);
    }

    fn make_room(&mut self) -> Option<u32> {
        let anchor = self.anchor.map(|(sequence, _)| sequence);
        let may_go = |sequence: &&u64| Some(**sequence) != anchor;
        let oldest = self
            .routine
            .iter()
            .find(may_go)
            .or_else(|| self.held.keys().find(may_go))
            .copied()?;
        self.routine.remove(&oldest);
        self.lost += 1;
        self.held.remove(&oldest).map(|held| held.slot)
    }

    /// The newest number held is durable: the one that was the newest may give way.
    fn move_anchor(&mut self) {
        let Some((newest, held)) = self.held.last_key_value() else {
            return;
        };
        let newest = (*newest, held.slot);
        if let Some((sequence, slot)) = self.anchor.replace(newest)
            && sequence != newest.0
            && !self.held.contains_key(&sequence)
        {
            self.free.push(slot);
        }
    }

    /// Makes everything recorded durable. After a failure the whole ring is written to a new file
    /// before anything more is called durable.
    ///
    /// # Errors
    /// What was recorded since the last success may not be durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let synced = match &mut self.file {
            Some(file) => file.sync().is_ok(),
            None => false,
        };
        if !synced {
            self.file = None;
            self.write_anew()?;
        } else {
            self.move_anchor();
        }
        self.durable = self.next - 1;
        Ok(())
    }

    fn write_anew(&mut self) -> io::Result<()> {
        let header = Header {
            slots: self.capacity,
            given: self.next - 1,
            lost: self.lost,
        };
        let mut bytes = Vec::with_capacity((self.capacity as usize + 1) * SLOT);
        bytes.extend_from_slice(&slot::encode_header(self.enrolment, header));
        let mut slots = 0..self.capacity;
        for (sequence, held) in &mut self.held {
            // Never more held than there are slots.
            let Some(slot) = slots.next() else { break };
            held.slot = slot;
            let weight = if self.routine.contains(sequence) {
                Weight::Routine
            } else {
                Weight::Alarm
            };
            let (sequence, lost) = (*sequence, self.lost);
            let slot = Slot {
                sequence,
                weight,
                lost,
                event: &held.event,
            };
            bytes.extend_from_slice(&slot::encode(self.enrolment, slot));
        }
        self.free = slots.rev().collect();
        bytes.resize((self.capacity as usize + 1) * SLOT, 0);
        let mut file = self.disk.create(UNFINISHED)?;
        file.write_at(0, &bytes)?;
        file.sync()?;
        self.disk.rename(UNFINISHED, NAME)?;
        self.disk.sync_folder()?;
        self.file = Some(file);
        self.anchor = None;
        Ok(())
    }

    /// The durable events after a number that the server does not have, the oldest first: at most
    /// `limit`.
    pub(crate) fn after(&self, sequence: u64, limit: usize) -> Batch {
        let from = sequence.max(self.stored).saturating_add(1);
        let durable = self
            .held
            .range(from..)
            .take_while(|(sequence, _)| **sequence <= self.durable);
        let taken: Vec<_> = durable.take(limit).collect();
        let newest = taken.last().map_or(sequence, |(sequence, _)| **sequence);
        // All that are lost, less those lost after the first of these.
        let lost = taken.first().map_or(self.lost, |(first, _)| {
            let numbers = self.next - **first;
            let held = self.held.range(**first..).count() as u64;
            self.lost.saturating_sub(numbers.saturating_sub(held))
        });
        let events = taken
            .into_iter()
            .map(|(_, held)| held.event.clone())
            .collect();
        Batch {
            newest,
            lost,
            events,
        }
    }

    /// The server has everything up to this number: room for others. Numbers go on behind it, even
    /// if this agent lost the file in which it had counted so far.
    pub(crate) fn server_has(&mut self, up_to: u64) {
        self.stored = self.stored.max(up_to);
        self.next = self.next.max(up_to.saturating_add(1));
        let rest = self.held.split_off(&up_to.saturating_add(1));
        let anchor = self.anchor.map(|(_, slot)| slot);
        let slots = self.held.values().map(|held| held.slot);
        self.free.extend(slots.filter(|slot| Some(*slot) != anchor));
        self.held = rest;
        self.routine = self.routine.split_off(&up_to.saturating_add(1));
    }

    /// How the ring is.
    pub(crate) fn kept(&self) -> Kept {
        Kept {
            durable: self.durable,
            waiting: self.held.len() as u64,
            lost: self.lost,
        }
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
