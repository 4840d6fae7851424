//! What is presented at an agent’s doors, and what comes of it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use offgate_agent::reader::Answer;
use offgate_core::door_event::Happening;
use offgate_core::id::DoorId;
use offgate_core::place::Direction;
use offgate_core::table::admission::{Holder, Presented, Reason};

use crate::faults::DeliberateFault;
use crate::oracle::Violation;
use crate::story::{About, STRANGER};
use crate::world::World;

impl World {
    /// Somebody stands at a door of an agent.
    pub(crate) fn stands(&mut self, a: usize, door: usize, presented: &Presented) {
        let (now, time) = (self.now, self.time());
        let direction = if self.random.one_in(12) {
            Direction::Out
        } else {
            Direction::In
        };
        let by_card = self.has(DeliberateFault::TombstoneByCard)
            && self
                .oracle
                .credentials(&bytes_of(presented))
                .any(|id| self.agents[a].dead_cards.contains(&id));
        let agent = &mut self.agents[a];
        let Some(door) = agent.doors.get(door).copied() else {
            return;
        };
        agent.boot(now, time);
        if agent.asleep || by_card {
            return;
        }
        let Some(process) = &mut agent.process else {
            return;
        };
        self.counters.presented += 1;
        let before = agent.strikes.0.load(Ordering::Relaxed);
        let answer = process.judge.decide(door, direction, Ok(presented.clone()));
        let opened = agent.strikes.0.load(Ordering::Relaxed) > before;
        let events =
            std::mem::take(&mut *agent.events.lock().unwrap_or_else(PoisonError::into_inner));
        if direction == Direction::Out {
            if !opened || answer != Answer::Granted {
                self.breaks(Violation {
                    promise: "G0",
                    about: About::door(door),
                    words: "a reader on the way out refused".to_owned(),
                });
            }
            return;
        }
        let mut holder = events.first().and_then(|event| match event.happening {
            Happening::Granted { holder, .. } => Some(holder),
            Happening::Refused { holder, .. } => holder,
            Happening::WayOut { .. } | Happening::KeypadSlowed => None,
        });
        self.tell_of_standing(door, holder, answer);
        if !opened {
            return;
        }
        self.counters.opened += 1;
        let bytes = bytes_of(presented);
        if self.has(DeliberateFault::ReissuedCardIsFormerHolders) {
            holder = self.oracle.first_holder(&bytes);
        }
        if let Err(violation) = self.oracle.opened(door, &bytes, holder, time) {
            self.breaks(violation);
        }
    }

    pub(super) fn tell_of_standing(
        &mut self,
        door: DoorId,
        holder: Option<Holder>,
        answer: Answer,
    ) {
        let who = holder.map(|holder| holder.user);
        let about = About {
            door: Some(door),
            user: who.or(Some(STRANGER)),
        };
        let name = who.map_or("somebody unknown".to_owned(), |who| self.name_of(who));
        let at = self.door_name(door);
        self.tell(about, || format!("{name} stands at {at}: {answer}"));
    }

    /// Whether a door would open now on the way in; none while its keypad judges nothing.
    pub(crate) fn would_open(
        &mut self,
        a: usize,
        door: DoorId,
        presented: &Presented,
    ) -> Option<bool> {
        let (now, time) = (self.now, self.time());
        if self.has(DeliberateFault::TombstoneByCard)
            && self
                .oracle
                .credentials(&bytes_of(presented))
                .any(|id| self.agents[a].dead_cards.contains(&id))
        {
            return Some(false);
        }
        let agent = &mut self.agents[a];
        agent.boot(now, time);
        let process = agent.process.as_mut()?;
        let presented = Ok(presented.clone());
        match process.judge.decide(door, Direction::In, presented) {
            Answer::Granted => Some(true),
            Answer::Refused(Reason::TooManyAttempts) => None,
            Answer::Refused(_) => Some(false),
        }
    }
}

/// What an oracle knows of something presented.
pub(crate) fn bytes_of(presented: &Presented) -> Vec<u8> {
    match presented {
        Presented::Pin(digest) => [&[0], &digest.as_bytes()[..]].concat(),
        Presented::NfcCard(token) => [&[1], token.as_str().as_bytes()].concat(),
        Presented::LicencePlate(plate) => [&[2], plate.as_str().as_bytes()].concat(),
    }
}
