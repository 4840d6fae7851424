//! The agent's end of the conversation.
//!
//! Owns: when to greet, what may be applied, when to acknowledge, when a lease is renewed. The
//! runtime carries its outputs out in order: it applies changes in the thread that decides, makes
//! them durable, and says so; only then does this machine have an acknowledgement signed.

use std::collections::VecDeque;
use std::time::Duration;

use offgate_core::agent::DiskState;
use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::door_event::DoorEvent;
use offgate_core::door_position::SaidPosition;
use offgate_core::id::{DoorId, StoreId};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::question::Question;
use offgate_core::server_address::{ServerAddress, ServerAddresses};
use offgate_core::table::entry::{Entry, EntryKey, RulingEntry, TableHash};
use offgate_core::text::Title;
use offgate_core::tree::TreeHash;

use crate::acknowledgement::{Above, Acknowledgement};
use crate::history::{Doubt, continues, epoch_doubt};
use crate::join_token::RootFingerprint;
use crate::message::{OVERTAKING_LIMIT, RefusalCode, ToAgent, ToServer};
use crate::{HEARTBEAT, PROTOCOL, SILENCE};

/// How often the lease is renewed: a third of the shortest lease a door may have.
pub const RENEW_EVERY: Duration = Duration::from_secs(3);

/// How often the newest checkpoint is asked for, so that no more than this of the log can be
/// rewritten without an agent noticing.
pub const WITNESS_EVERY: Duration = Duration::from_secs(60);

/// Which table an agent holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whose changes it is made of.
    pub store: StoreId,
    /// In which epoch.
    pub epoch: Epoch,
    /// The revision it has reached.
    pub revision: Revision,
    /// Its hash.
    pub hash: TableHash,
}

/// Changes to a table, all of which belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// What to take out first.
    pub deletes: Vec<EntryKey>,
    /// What to put in then.
    pub puts: Vec<Entry>,
    /// Which table this leads to. One that does not is not to be applied at all.
    pub becomes: Held,
}

/// What happens to this end.
#[derive(Clone, Debug)]
pub enum Input {
    /// The connection stands.
    Connected,
    /// A message arrived.
    Message(ToAgent),
    /// A message arrived that is none.
    Malformed,
    /// Changes or a whole table did not lead to the hash they were said to; nothing was applied.
    Mismatch,
    /// The table in force is this one, and it is durable.
    Durable {
        /// Which table.
        held: Held,
        /// How many of the refusals that came ahead of it on this connection are durable.
        overtaken: u64,
    },
    /// There are events that the server does not have, the oldest of them here.
    Events {
        /// How many before the first of these are lost for good.
        lost: u64,
        /// At most [`crate::message::EVENTS_LIMIT`], in order.
        events: Vec<DoorEvent>,
    },
    /// How its doors with a contact stand, all of them; see [`AgentEnd::speaks`].
    Positions(Vec<SaidPosition>),
    /// Its disk keeps what it is told, or no longer does; see [`AgentEnd::speaks`].
    Disk(DiskState),
    /// Time has passed. Due at least every second.
    Tick,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message.
    Send(ToServer),
    /// Keep this checkpoint durably, in place of the one before, before anything that follows.
    Witness(Checkpoint),
    /// Apply changes in memory at once, then make them durable and say so.
    Apply(Changes),
    /// Throw the table away for this one, at once in memory, then make it durable and say so.
    Replace(Changes),
    /// Follow these refusals at once in memory, beside the table that is in force and every later one,
    /// then make them durable and say so.
    Hold(Vec<RulingEntry>),
    /// Sign this and send it.
    Acknowledge(Acknowledgement),
    /// Show the server these refusals.
    Testify(Testimony),
    /// Have the thread that decides say what it would decide, by the table it has, and send its
    /// answer signed. Nothing is opened, counted or recorded.
    Answer {
        /// What is asked.
        question: Question,
        /// The table in force.
        held: Held,
    },
    /// Doors may decide on their own, counted from this instant of the boot clock.
    LeaseFrom(Duration),
    /// The server's time of day.
    ServerTime(Timestamp),
    /// What its doors are called.
    Doors(Vec<(DoorId, Title)>),
    /// Where the server is found, beside what this agent was told when it was set up.
    Addresses(ServerAddresses),
    /// The server has the events up to this number.
    EventsStored(u64),
    /// End this connection.
    Close(Ending),
}

/// Which refusals an agent shows the server it has greeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Testimony {
    /// Those of tables before the one it has, which that one says nothing later about.
    WhatIsHeld,
    /// All that stand: the table is of another epoch than the server's, or a whole one was asked for
    /// whatever there is.
    Everything,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The server was silent for too long.
    Silent,
    /// The server said something that makes no sense here. The next connection asks for a whole
    /// table.
    Protocol,
    /// The server ended it.
    Refused(RefusalCode),
    /// The server's history does not continue what this agent has seen. Nothing of it was taken.
    Doubted(Doubt),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Greeted,
    /// Welcomed; nothing is taken before history was shown.
    Welcomed,
    Speaking,
    Closed,
}

/// The agent's end of one connection.
#[derive(Clone, Debug)]
pub struct AgentEnd {
    phase: Phase,
    software: String,
    store: StoreId,
    root: RootFingerprint,
    doors: Vec<DoorId>,
    /// What Welcome said, until history was shown.
    welcome: Vec<Output>,
    /// The newest checkpoint that was verified.
    seen: Option<Checkpoint>,
    /// When it was asked for the last time.
    witness_asked_at: Duration,
    witness_waiting: bool,
    /// What was last said to be durable.
    durable: Option<Held>,
    /// What is in force in memory, durable or not.
    in_force: Option<Held>,
    /// The first table that this conversation is about: the one that the greeting named, or else
    /// the whole one that came. What becomes durable of tables before that is no news to the server.
    first: Option<(Epoch, Revision)>,
    /// What Welcome said.
    epoch: Option<Epoch>,
    /// A whole table that is arriving.
    arriving: Option<(Revision, Vec<Entry>)>,
    /// How many parts of whole tables have arrived.
    parts: u64,
    /// Refusals that came ahead of the table, in their order, without those that it has reached.
    overtaken: VecDeque<Above>,
    /// How many of those it has reached.
    reached: u64,
    /// How many came ahead, durable, with those that the table has reached.
    overtaken_durable: u64,
    /// The question that waits for its answer, and the instant before it was sent.
    asked: Option<(u64, Duration)>,
    next_ask: u64,
    events_waiting: bool,
    heard_at: Duration,
    said_at: Duration,
    renewed_at: Option<Duration>,
}

impl AgentEnd {
    /// The most entries a whole table may have.
    pub const TABLE_LIMIT: usize = 2_000_000;

    /// An end for a new connection to `store`, whose root has this fingerprint. `seen` is the
    /// newest checkpoint that was kept. `durable` is the table on disk; none asks for a whole one.
    /// `now` is the boot clock, here and below.
    #[must_use]
    pub fn new(
        store: StoreId,
        root: RootFingerprint,
        seen: Option<Checkpoint>,
        durable: Option<Held>,
        software: String,
        now: Duration,
    ) -> Self {
        Self {
            phase: Phase::Waiting,
            software,
            store,
            root,
            doors: Vec::new(),
            welcome: Vec::new(),
            seen,
            witness_asked_at: now,
            witness_waiting: false,
            durable,
            in_force: durable,
            first: durable.map(|held| (held.epoch, held.revision)),
            epoch: None,
            arriving: None,
            parts: 0,
            overtaken: VecDeque::new(),
            reached: 0,
            overtaken_durable: 0,
            asked: None,
            next_ask: 1,
            events_waiting: false,
            heard_at: now,
            said_at: now,
            renewed_at: None,
        }
    }

    /// Takes an input at an instant of the boot clock.
    pub fn handle(&mut self, input: Input, now: Duration) -> Vec<Output> {
        if self.phase == Phase::Closed {
            return Vec::new();
        }
        match input {
            Input::Connected => self.greet(now),
            Input::Message(message) => {
                self.heard_at = now;
                self.hear(message, now)
            }
            Input::Malformed | Input::Mismatch => self.close(Ending::Protocol),
            Input::Durable { held, overtaken } => {
                self.durable = Some(held);
                self.overtaken_durable = overtaken;
                self.drop_reached(held);
                self.acknowledge()
            }
            Input::Events { lost, events } => self.tell(lost, &events, now),
            Input::Positions(said) => self.tell_positions(said, now),
            Input::Disk(state) => self.tell_disk(state, now),
            Input::Tick => self.tick(now),
        }
    }

    /// Whether a batch of events is wanted now: one at a time is under way.
    #[must_use]
    pub fn wants_events(&self) -> bool {
        self.speaks() && !self.events_waiting
    }

    /// Whether the server takes what there is to tell: it was greeted, and its history goes on.
    #[must_use]
    pub fn speaks(&self) -> bool {
        self.phase == Phase::Speaking
    }

    fn greet(&mut self, now: Duration) -> Vec<Output> {
        self.phase = Phase::Greeted;
        self.said_at = now;
        let own = self.durable.filter(|held| held.store == self.store);
        vec![Output::Send(ToServer::Hello {
            versions: vec![PROTOCOL],
            software: self.software.clone(),
            store: own.map(|held| (*held.store.as_bytes()).into()),
            epoch: own.map(|held| held.epoch.into()),
            revision: own.map_or(0, |held| held.revision.number()),
            hash: own.map_or(TableHash::EMPTY, |held| held.hash).0.into(),
            checkpoint: self.seen.as_ref().map(Into::into),
        })]
    }

    fn hear(&mut self, message: ToAgent, now: Duration) -> Vec<Output> {
        match (self.phase, message) {
            (_, ToAgent::Refused { code, .. }) => self.close(Ending::Refused(code)),
            (
                Phase::Greeted,
                ToAgent::Welcome {
                    version,
                    store,
                    epoch,
                    now: time,
                    doors,
                    addresses,
                },
            ) => {
                if version != PROTOCOL || StoreId::from_bytes(*store) != self.store {
                    return self.close(Ending::Protocol);
                }
                let mut named = Vec::with_capacity(doors.len());
                for door in doors {
                    let Ok(name) = Title::parse(&door.name) else {
                        return self.close(Ending::Protocol);
                    };
                    named.push((DoorId::from_bytes(*door.door), name));
                }
                let addresses: Result<Vec<_>, _> = addresses
                    .iter()
                    .map(|address| ServerAddress::parse(address))
                    .collect();
                let Ok(addresses) = addresses.and_then(ServerAddresses::new) else {
                    return self.close(Ending::Protocol);
                };
                let epoch = Epoch::from(epoch);
                // Where what it has seen of the log was lost, its table still says in which epoch.
                let lost = self.in_force.filter(|_| self.seen.is_none());
                if let Some(doubt) = lost.and_then(|held| epoch_doubt(held.epoch, epoch)) {
                    return self.close(Ending::Doubted(doubt));
                }
                self.phase = Phase::Welcomed;
                self.epoch = Some(epoch);
                self.witness_waiting = true;
                self.witness_asked_at = now;
                self.doors = named.iter().map(|(door, _)| *door).collect();
                self.doors.sort_unstable();
                self.welcome = vec![
                    Output::ServerTime(Timestamp::from_microseconds(time)),
                    Output::Doors(named),
                    Output::Addresses(addresses),
                ];
                Vec::new()
            }
            (Phase::Welcomed | Phase::Speaking, ToAgent::History { signed, proof })
                if self.witness_waiting =>
            {
                let proof: Vec<_> = proof.iter().map(|hash| TreeHash(**hash)).collect();
                self.witness(&signed, &proof, now)
            }
            (
                Phase::Speaking,
                ToAgent::Delta {
                    previous,
                    revision,
                    deletes,
                    puts,
                    hash,
                },
            ) => {
                let Some(in_force) = self.in_force.filter(|held| {
                    Some(held.epoch) == self.epoch
                        && held.revision.number() == previous
                        && revision > previous
                        && self.arriving.is_none()
                }) else {
                    return self.close(Ending::Protocol);
                };
                let deletes: Option<Vec<_>> = deletes
                    .iter()
                    .map(|key| EntryKey::from_parts(key.kind, *key.id))
                    .collect();
                let (Some(deletes), Some(puts)) = (deletes, entries(&puts)) else {
                    return self.close(Ending::Protocol);
                };
                let becomes = Held {
                    revision: Revision::new(revision),
                    hash: TableHash(*hash),
                    ..in_force
                };
                self.in_force = Some(becomes);
                vec![Output::Apply(Changes {
                    deletes,
                    puts,
                    becomes,
                })]
            }
            (Phase::Speaking, ToAgent::SnapshotBegin { revision }) => {
                self.arriving = Some((Revision::new(revision), Vec::new()));
                Vec::new()
            }
            (Phase::Speaking, ToAgent::SnapshotPart { puts }) => {
                match (&mut self.arriving, entries(&puts)) {
                    (Some((_, arrived)), Some(entries))
                        if arrived.len() + entries.len() <= Self::TABLE_LIMIT =>
                    {
                        arrived.extend(entries);
                        self.parts += 1;
                        self.said_at = now;
                        vec![Output::Send(ToServer::Arrived { parts: self.parts })]
                    }
                    _ => self.close(Ending::Protocol),
                }
            }
            (Phase::Speaking, ToAgent::SnapshotEnd { revision, hash }) => {
                let (Some((begun, puts)), Some(epoch)) = (self.arriving.take(), self.epoch) else {
                    return self.close(Ending::Protocol);
                };
                if begun.number() != revision {
                    return self.close(Ending::Protocol);
                }
                let becomes = Held {
                    store: self.store,
                    epoch,
                    revision: begun,
                    hash: TableHash(*hash),
                };
                let of_this = |(of, _): &(Epoch, Revision)| *of == epoch;
                self.first = self.first.filter(of_this).or(Some((epoch, begun)));
                self.in_force = Some(becomes);
                vec![Output::Replace(Changes {
                    deletes: Vec::new(),
                    puts,
                    becomes,
                })]
            }
            (Phase::Speaking, ToAgent::Overtake { rulings }) => self.overtake(&rulings),
            (Phase::Speaking, ToAgent::Renewed { ask }) => match self.asked.take() {
                // The lease runs from before the question was sent, not from the answer.
                Some((asked, at)) if asked == ask && self.in_force.is_some() => {
                    vec![Output::LeaseFrom(at)]
                }
                _ => self.close(Ending::Protocol),
            },
            (Phase::Speaking, ToAgent::EventsStored { up_to }) => {
                self.events_waiting = false;
                vec![Output::EventsStored(up_to)]
            }
            (Phase::Speaking, ToAgent::Question { question }) => match Question::try_from(question)
            {
                Ok(question) => self.answer(question),
                Err(_) => self.close(Ending::Protocol),
            },
            (Phase::Speaking, ToAgent::Ping { now: time }) => {
                vec![Output::ServerTime(Timestamp::from_microseconds(time))]
            }
            _ => self.close(Ending::Protocol),
        }
    }

    /// Takes refusals that overtook a table. Where there is no table, there is nothing that they could
    /// refuse, and nothing that could be said of them.
    fn overtake(&mut self, rulings: &[minicbor::bytes::ByteVec]) -> Vec<Output> {
        let refusal = |bytes: &minicbor::bytes::ByteVec| match Entry::decode(bytes) {
            Ok(Entry::Ruling(entry)) => {
                let ruling = entry.ruling()?;
                let ours = ruling.ruled.refuses() && Some(ruling.epoch) == self.epoch;
                ours.then_some((entry, ruling.subject, ruling.revision))
            }
            Ok(_) | Err(_) => None,
        };
        let refusals: Option<Vec<_>> = rulings.iter().map(refusal).collect();
        let room = OVERTAKING_LIMIT.saturating_sub(self.overtaken.len());
        let Some(refusals) =
            refusals.filter(|refusals| self.in_force.is_some() && refusals.len() <= room)
        else {
            return self.close(Ending::Protocol);
        };
        let above = refusals.iter().map(|(_, subject, revision)| Above {
            subject: *subject,
            revision: *revision,
        });
        self.overtaken.extend(above);
        vec![Output::Hold(
            refusals.into_iter().map(|(entry, ..)| entry).collect(),
        )]
    }

    /// Forgets of the refusals that came ahead those that the durable table has.
    fn drop_reached(&mut self, held: Held) {
        if Some(held.epoch) != self.epoch {
            return;
        }
        while self.reached < self.overtaken_durable
            && let Some(first) = self.overtaken.front()
            && first.revision <= held.revision
        {
            self.overtaken.pop_front();
            self.reached += 1;
        }
    }

    /// Takes the server's newest checkpoint, if it continues the one that was seen; otherwise
    /// nothing more is taken from this server.
    fn witness(&mut self, signed: &[u8], proof: &[TreeHash], now: Duration) -> Vec<Output> {
        self.witness_waiting = false;
        let shown = SignedCheckpoint::decode(signed)
            .map_err(|_| Doubt::NotSigned)
            .and_then(|shown| continues(self.seen.as_ref(), self.store, self.root, &shown, proof));
        let shown = match shown {
            Ok(shown) => shown,
            Err(doubt) => {
                let held = self.seen.as_ref().map(Into::into);
                let mut outputs: Vec<_> = held
                    .map(|held| Output::Send(ToServer::Doubted { held }))
                    .into_iter()
                    .collect();
                outputs.extend(self.close(Ending::Doubted(doubt)));
                return outputs;
            }
        };
        if Some(shown.epoch) != self.epoch {
            return self.close(Ending::Protocol);
        }
        let mut outputs = Vec::new();
        if self.seen != Some(shown) {
            self.seen = Some(shown);
            outputs.push(Output::Witness(shown));
        }
        if self.phase == Phase::Welcomed {
            self.phase = Phase::Speaking;
            outputs.append(&mut self.welcome);
            // Before anything that could have the server rely on this agent.
            outputs.push(Output::Testify(match self.in_force {
                Some(held) if Some(held.epoch) == self.epoch => Testimony::WhatIsHeld,
                // Whatever there is in memory, of whichever epoch, was not offered.
                Some(_) | None => Testimony::Everything,
            }));
            // The last acknowledgement may have been lost with the last connection.
            outputs.extend(self.acknowledge());
            outputs.extend(self.renew(now));
        }
        outputs
    }

    /// Asks for a newer checkpoint when the last one is old.
    fn ask_for_history(&mut self, now: Duration) -> Option<Output> {
        let due = now.saturating_sub(self.witness_asked_at) >= WITNESS_EVERY;
        let held = self.seen.as_ref()?.into();
        if self.phase != Phase::Speaking || self.witness_waiting || !due {
            return None;
        }
        self.witness_waiting = true;
        self.witness_asked_at = now;
        self.said_at = now;
        Some(Output::Send(ToServer::Witness { held }))
    }

    /// Has the durable table acknowledged, if it is the one in force and of this conversation.
    fn acknowledge(&self) -> Vec<Output> {
        let is_ours = |held: &Held| {
            let first = self.first.filter(|(epoch, _)| *epoch == held.epoch);
            first.is_some_and(|(_, first)| held.revision >= first)
        };
        match self.durable.filter(is_ours) {
            Some(held) if self.phase == Phase::Speaking && Some(held.epoch) == self.epoch => {
                vec![Output::Acknowledge(Acknowledgement {
                    store: held.store,
                    epoch: held.epoch,
                    revision: held.revision,
                    hash: held.hash,
                    doors: self.doors.clone(),
                    above: self.durable_above(held.revision),
                })]
            }
            _ => Vec::new(),
        }
    }

    /// Changes are carried out in the order in which they came, so what is in force now is what
    /// will decide.
    fn answer(&mut self, question: Question) -> Vec<Output> {
        let Some(epoch) = self.epoch else {
            return self.close(Ending::Protocol);
        };
        let held = self.in_force.unwrap_or(Held {
            store: self.store,
            epoch,
            revision: Revision::ZERO,
            hash: TableHash::EMPTY,
        });
        vec![Output::Answer { question, held }]
    }

    fn durable_above(&self, revision: Revision) -> Vec<Above> {
        let durable = self.overtaken_durable.saturating_sub(self.reached);
        self.overtaken
            .iter()
            .take(usize::try_from(durable).unwrap_or(usize::MAX))
            .filter(|above| above.revision > revision)
            .copied()
            .collect()
    }

    fn tell(&mut self, lost: u64, events: &[DoorEvent], now: Duration) -> Vec<Output> {
        if !self.wants_events() || events.is_empty() {
            return Vec::new();
        }
        self.events_waiting = true;
        self.said_at = now;
        let events = events.iter().map(|event| event.encode().into()).collect();
        vec![Output::Send(ToServer::Events { lost, events })]
    }

    fn tell_positions(&mut self, said: Vec<SaidPosition>, now: Duration) -> Vec<Output> {
        if !self.speaks() {
            return Vec::new();
        }
        self.said_at = now;
        let doors = said.into_iter().map(Into::into).collect();
        vec![Output::Send(ToServer::Positions { doors })]
    }

    fn tell_disk(&mut self, state: DiskState, now: Duration) -> Vec<Output> {
        if !self.speaks() {
            return Vec::new();
        }
        self.said_at = now;
        let works = state == DiskState::Works;
        vec![Output::Send(ToServer::Disk { works })]
    }

    fn tick(&mut self, now: Duration) -> Vec<Output> {
        if now.saturating_sub(self.heard_at) >= SILENCE {
            return self.close(Ending::Silent);
        }
        let mut outputs = self.renew(now);
        outputs.extend(self.ask_for_history(now));
        if self.phase == Phase::Speaking && now.saturating_sub(self.said_at) >= HEARTBEAT {
            self.said_at = now;
            let revision = self.durable.map_or(0, |held| held.revision.number());
            outputs.push(Output::Send(ToServer::Pong { revision }));
        }
        outputs
    }

    fn renew(&mut self, now: Duration) -> Vec<Output> {
        let due = self
            .renewed_at
            .is_none_or(|at| now.saturating_sub(at) >= RENEW_EVERY);
        if self.phase != Phase::Speaking || self.asked.is_some() || !due {
            return Vec::new();
        }
        let ask = self.next_ask;
        self.next_ask += 1;
        self.asked = Some((ask, now));
        self.renewed_at = Some(now);
        self.said_at = now;
        vec![Output::Send(ToServer::Renew { ask })]
    }

    fn close(&mut self, ending: Ending) -> Vec<Output> {
        self.phase = Phase::Closed;
        vec![Output::Close(ending)]
    }
}

fn entries(puts: &[minicbor::bytes::ByteVec]) -> Option<Vec<Entry>> {
    puts.iter().map(|bytes| Entry::decode(bytes).ok()).collect()
}
