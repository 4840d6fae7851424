//! The server's end of the conversation with one agent.
//!
//! Owns: what the agent is sent and in which order, which acknowledgements are believed, when a
//! renewal may be answered. The runtime reads the store when asked to and records what it is told.

use std::collections::VecDeque;
use std::time::Duration;

use offgate_core::agent::{AgentKey, DiskState};
use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::disagreement::Disagreement;
use offgate_core::door_event::DoorEvent;
use offgate_core::door_position::SaidPosition;
use offgate_core::id::{DoorId, StoreId};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::question::{Answer, Question};
use offgate_core::ruling::Ruling;
use offgate_core::server_address::ServerAddresses;
use offgate_core::table::entry::{Entry, RulingEntry, TableHash};
use offgate_core::text::Title;
use offgate_core::tree::TreeHash;

use crate::acknowledgement::Acknowledgement;
use crate::message::{DoorName, RefusalCode, Seen, ToAgent, ToServer};
use crate::{HEARTBEAT, PROTOCOL, SILENCE};

mod believing;
mod sending;

use believing::Early;
pub use believing::QUESTIONS;
use sending::{Ahead, Following, Reading, Sending};
pub use sending::{OVERTAKING_AT_ONCE, Pace, Refusals, Rest, Table};

/// Who the agent is, and what it is welcomed with.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its key, as its certificate proved.
    pub key: AgentKey,
    /// Its doors and their names.
    pub doors: Vec<(DoorId, Title)>,
    /// Where it finds the server.
    pub addresses: ServerAddresses,
}

/// What the store shows of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The newest checkpoint.
    pub checkpoint: Checkpoint,
    /// The same as it was signed.
    pub signed: SignedCheckpoint,
    /// That it continues the one that was asked about; empty where that cannot be.
    pub proof: Vec<TreeHash>,
}

/// What happens to this end.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message arrived.
    Message(ToServer),
    /// A message arrived that is none.
    Malformed,
    /// The store may hold something new for this agent.
    Woken,
    /// The answer to [`Output::Read`], read after it was asked for.
    Read(Table),
    /// The answer to [`Output::ReadRefusals`], read after it was asked for.
    Refusals(Refusals),
    /// The answer to [`Output::Prove`].
    History(History),
    /// Events were stored up to this number.
    EventsStored(u64),
    /// Ask the agent this; see [`ServerEnd::may_ask`]. What it was asked on this connection already
    /// is not asked again.
    Ask(Question),
    /// Time has passed. Due at least every second. With the time of day.
    Tick(Timestamp),
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message.
    Send(ToAgent),
    /// Read what the store holds for this agent since a revision; since none, all of it.
    Read(Option<Revision>),
    /// Read the refusals after a change: a table takes too long.
    ReadRefusals(Revision),
    /// Read the newest checkpoint, and prove that it continues one of this size; of none, nothing
    /// has to be proved.
    Prove(Option<u64>),
    /// Record what the agent has seen of the log, and goes on from.
    Witnessed(Seen),
    /// Record that the agent will not go on, because the log does not continue what it has seen.
    Doubted(Seen),
    /// Record what the agent acknowledged, with the bytes that prove it.
    Acknowledged {
        /// What it said.
        acknowledgement: Acknowledgement,
        /// The change up to which its table is known to be the store's; zero if that is not known
        /// of this table.
        up_to: Revision,
        /// The changes above that whose refusals it confirms, in either case.
        refused: Vec<Revision>,
        /// The bytes it signed.
        statement: Vec<u8>,
        /// Its signature.
        signature: [u8; 64],
    },
    /// Record that the agent's table is not the one that it should be. A whole one is sent.
    Disagrees(Disagreement),
    /// Take over what the store has forgotten of these, if it sealed them. Done when this returns:
    /// the table that is read next has it.
    Testimony(Vec<RulingEntry>),
    /// Record that the agent asks for its lease now. Stands before the reading that the answer waits
    /// for: whatever was refused before this is on record stands before the answer too.
    AsksRenewal,
    /// Store events; say so when that is durable.
    Store {
        /// How many were lost since the agent enrolled.
        lost: u64,
        /// The events.
        events: Vec<DoorEvent>,
    },
    /// Record how the agent's doors stand: all of them that have a contact.
    Positions(Vec<SaidPosition>),
    /// Keep whether the agent's disk keeps what it is told.
    Disk(DiskState),
    /// Record what a door answered, with the bytes that prove it.
    Answered {
        /// The question that this answers.
        question: Question,
        /// What it said.
        answer: Answer,
        /// The bytes it signed.
        statement: Vec<u8>,
        /// Its signature.
        signature: [u8; 64],
    },
    /// End this connection.
    Close(RefusalCode),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    /// Greeted; history comes before anything else.
    Proving,
    /// History was shown up to here; nothing else is said before the agent goes on from it.
    Shown(Seen),
    Speaking,
    Closed,
}

/// The server's end of one connection.
#[derive(Clone, Debug)]
pub struct ServerEnd {
    phase: Phase,
    pace: Pace,
    agent: Agent,
    store: StoreId,
    epoch: Epoch,
    time: Timestamp,
    /// What is on record that the agent has seen of the log.
    witnessed: Option<Seen>,
    /// The revision and hash of the table the agent has once it has applied all that was sent;
    /// the hash only once it is known.
    sent: Option<(Revision, TableHash)>,
    /// Whether the hash of `sent` is the store's word, or only the agent's.
    sent_is_ours: bool,
    /// Tables that were sent and not acknowledged, in order.
    ahead: VecDeque<Ahead>,
    /// The table that was acknowledged last.
    acknowledged: Option<(Revision, TableHash)>,
    /// The table of this epoch that it greeted with.
    greeted: Option<(Revision, TableHash)>,
    early: Option<Early>,
    sending: Option<Sending>,
    /// How many parts of whole tables were sent, and how many of them arrived.
    parts: (u64, u64),
    following: Following,
    /// Whether it had any table, so that there is something to refuse.
    has_table: bool,
    /// Refusals that were sent ahead and that no acknowledged table has reached.
    overtaken: Vec<Ruling>,
    /// The store may hold refusals that were not looked for.
    refusals_due: bool,
    reading: Option<Reading>,
    /// The store may hold more than the reading that is under way will find.
    again: bool,
    /// A question whose answer needs a reading that began after it.
    asked: Option<u64>,
    /// A question whose reading is under way.
    answering: Option<u64>,
    /// What the agent was asked and has not answered.
    questions: Vec<Question>,
    heard_at: Duration,
    said_at: Duration,
}

impl ServerEnd {
    /// An end for a new connection of `agent`. `now` is any clock that only goes forward, here
    /// and below; `time` is the time of day.
    #[must_use]
    pub const fn new(
        agent: Agent,
        store: StoreId,
        epoch: Epoch,
        time: Timestamp,
        now: Duration,
    ) -> Self {
        Self {
            phase: Phase::Greeting,
            pace: Pace::ORDINARY,
            agent,
            store,
            epoch,
            time,
            witnessed: None,
            sent: None,
            sent_is_ours: false,
            ahead: VecDeque::new(),
            acknowledged: None,
            greeted: None,
            early: None,
            sending: None,
            parts: (0, 0),
            following: Following::After(Revision::ZERO),
            has_table: false,
            overtaken: Vec::new(),
            refusals_due: false,
            reading: None,
            again: false,
            asked: None,
            answering: None,
            questions: Vec::new(),
            heard_at: now,
            said_at: now,
        }
    }

    /// The same, with another pace.
    #[must_use]
    pub const fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Takes an input at an instant.
    pub fn handle(&mut self, input: Input, now: Duration) -> Vec<Output> {
        if self.phase == Phase::Closed {
            return Vec::new();
        }
        let outputs = match input {
            Input::Message(message) => {
                self.heard_at = now;
                self.hear(message)
            }
            Input::Malformed => self.close(RefusalCode::Protocol, "not a message"),
            Input::Woken => {
                self.again = true;
                self.refusals_due = true;
                self.read()
            }
            Input::Read(table) => self.send(table),
            Input::Refusals(refusals) => self.overtake(refusals),
            Input::History(history) => self.show(history),
            Input::EventsStored(up_to) => {
                vec![Output::Send(ToAgent::EventsStored { up_to })]
            }
            Input::Ask(question) => self.ask(question),
            Input::Tick(time) => self.tick(time, now),
        };
        if outputs
            .iter()
            .any(|output| matches!(output, Output::Send(_)))
        {
            self.said_at = now;
        }
        outputs
    }

    fn hear(&mut self, message: ToServer) -> Vec<Output> {
        match (self.phase, message) {
            (
                Phase::Greeting,
                ToServer::Hello {
                    versions,
                    store,
                    epoch,
                    revision,
                    hash,
                    checkpoint,
                    ..
                },
            ) => {
                if !versions.contains(&PROTOCOL) {
                    return self.close(RefusalCode::Version, "no protocol version in common");
                }
                let own = store.is_some_and(|store| *store == *self.store.as_bytes())
                    && epoch.is_some_and(|epoch| {
                        epoch.counter == self.epoch.counter && *epoch.nonce == self.epoch.nonce
                    });
                self.has_table = revision > 0;
                if own && revision > 0 {
                    self.sent = Some((Revision::new(revision), TableHash(*hash)));
                    self.greeted = self.sent;
                    self.following = Following::All(Revision::new(revision));
                }
                self.phase = Phase::Proving;
                let doors = self.agent.doors.iter().map(|(door, name)| DoorName {
                    door: (*door.as_bytes()).into(),
                    name: name.as_str().to_owned(),
                });
                let addresses = self.agent.addresses.iter();
                let mut outputs = vec![Output::Send(ToAgent::Welcome {
                    version: PROTOCOL,
                    store: (*self.store.as_bytes()).into(),
                    epoch: self.epoch.into(),
                    now: self.time.microseconds(),
                    doors: doors.collect(),
                    addresses: addresses.map(|one| one.as_str().to_owned()).collect(),
                })];
                if !self.has_table {
                    outputs.push(Output::Disagrees(Disagreement::Missing));
                }
                outputs.push(Output::Prove(checkpoint.map(|held| held.size)));
                outputs
            }
            (Phase::Shown(_) | Phase::Speaking, ToServer::Doubted { held }) => {
                self.phase = Phase::Closed;
                vec![
                    Output::Doubted(held.into()),
                    Output::Close(RefusalCode::Later),
                ]
            }
            // Whatever else it says, it goes on from what it was shown.
            (Phase::Shown(seen), message) => {
                self.phase = Phase::Speaking;
                self.again = true;
                let mut outputs = self.witnessed(seen);
                outputs.extend(self.hear(message));
                outputs.extend(self.read());
                outputs
            }
            (Phase::Speaking, ToServer::Witness { held }) => {
                let seen = Seen::from(held);
                let mut outputs = self.witnessed(seen);
                outputs.push(Output::Prove(Some(seen.size)));
                outputs
            }
            (
                Phase::Speaking,
                ToServer::Acknowledge {
                    statement,
                    signature,
                },
            ) => self.judge(statement.to_vec(), *signature),
            (Phase::Speaking, ToServer::Renew { ask }) => {
                if self.asked.is_some() || self.answering.is_some() {
                    return self.close(RefusalCode::Protocol, "one renewal at a time");
                }
                self.asked = Some(ask);
                let mut outputs = vec![Output::AsksRenewal];
                outputs.extend(self.read());
                outputs
            }
            (Phase::Speaking, ToServer::Events { lost, events }) => {
                let events: Option<Vec<_>> = events
                    .iter()
                    .map(|event| DoorEvent::decode(event))
                    .collect();
                match events {
                    Some(events)
                        if events
                            .windows(2)
                            .all(|pair| pair[0].sequence < pair[1].sequence) =>
                    {
                        vec![Output::Store { lost, events }]
                    }
                    _ => self.close(RefusalCode::Protocol, "events out of order"),
                }
            }
            (Phase::Speaking, ToServer::Testimony { rulings }) => {
                let read = |ruling: &minicbor::bytes::ByteVec| match Entry::decode(ruling) {
                    Ok(Entry::Ruling(entry)) => Some(entry),
                    Ok(_) | Err(_) => None,
                };
                match rulings.iter().map(read).collect() {
                    Some(rulings) => vec![Output::Testimony(rulings)],
                    None => self.close(RefusalCode::Protocol, "testimony that is none"),
                }
            }
            (
                Phase::Speaking,
                ToServer::Answer {
                    statement,
                    signature,
                },
            ) => self.answered(statement.to_vec(), *signature),
            (Phase::Speaking, ToServer::Arrived { parts }) => {
                let (sent, arrived) = self.parts;
                if parts <= arrived || parts > sent {
                    return self.close(RefusalCode::Protocol, "parts that were never sent");
                }
                self.parts.1 = parts;
                self.send_parts()
            }
            (Phase::Speaking, ToServer::Positions { doors }) => {
                vec![Output::Positions(
                    doors.into_iter().map(Into::into).collect(),
                )]
            }
            (Phase::Speaking, ToServer::Disk { works }) => {
                vec![Output::Disk(if works {
                    DiskState::Works
                } else {
                    DiskState::Fails
                })]
            }
            (Phase::Speaking, ToServer::Pong { .. }) => Vec::new(),
            _ => self.close(RefusalCode::Protocol, "not now"),
        }
    }

    /// Has what the agent goes on from recorded, unless it is on record.
    fn witnessed(&mut self, seen: Seen) -> Vec<Output> {
        if self.witnessed.replace(seen) == Some(seen) {
            return Vec::new();
        }
        vec![Output::Witnessed(seen)]
    }

    /// Shows the agent that history goes on.
    fn show(&mut self, history: History) -> Vec<Output> {
        let History {
            checkpoint,
            signed,
            proof,
        } = history;
        if self.phase == Phase::Proving {
            self.phase = Phase::Shown(Seen::from(&checkpoint));
        }
        vec![Output::Send(ToAgent::History {
            signed: signed.encode().into(),
            proof: proof.iter().map(|hash| hash.0.into()).collect(),
        })]
    }

    fn tick(&mut self, time: Timestamp, now: Duration) -> Vec<Output> {
        self.time = time;
        if now.saturating_sub(self.heard_at) >= SILENCE {
            return self.close(RefusalCode::Later, "nothing was heard");
        }
        if self.phase == Phase::Speaking && now.saturating_sub(self.said_at) >= HEARTBEAT {
            return vec![Output::Send(ToAgent::Ping {
                now: time.microseconds(),
            })];
        }
        Vec::new()
    }

    fn close(&mut self, code: RefusalCode, words: &str) -> Vec<Output> {
        self.phase = Phase::Closed;
        vec![
            Output::Send(ToAgent::Refused {
                code,
                words: words.to_owned(),
            }),
            Output::Close(code),
        ]
    }
}
