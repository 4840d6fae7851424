//! The server's end of the conversation with one agent.
//!
//! Owns: what the agent is sent and in which order, which acknowledgements are believed, when a
//! renewal may be answered. The runtime reads the store when asked to and records what it is told.

use std::collections::VecDeque;
use std::time::Duration;

use offgate_core::agent::AgentKey;
use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::door_event::DoorEvent;
use offgate_core::id::{DoorId, StoreId};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::question::{Answer, Question};
use offgate_core::ruling::{Ruled, Ruling};
use offgate_core::server_address::ServerAddresses;
use offgate_core::table::entry::{Entry, EntryKey, RulingEntry, TableHash};
use offgate_core::text::Title;
use offgate_core::tree::TreeHash;

use crate::acknowledgement::{Above, Acknowledgement};
use crate::message::{
    DoorName, LIST_LIMIT, OVERTAKING_LIMIT, RefusalCode, Seen, ToAgent, ToServer, WireKey,
};
use crate::question::{digest_of, verified};
use crate::{HEARTBEAT, PROTOCOL, SILENCE};

/// How many questions may wait for their answers.
pub const QUESTIONS: usize = 32;
/// How many bytes of entries one delta may have. What is more goes as a whole table.
const DELTA_BYTES: usize = 512 * 1024;

/// How much may be under way to an agent: a refusal waits behind no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many tables may be sent ahead of the last acknowledgement.
    pub tables: usize,
    /// How many bytes of changes may be under way before the next are read.
    pub change_bytes: usize,
    /// How many bytes of entries go into one part of a whole table.
    pub part_bytes: usize,
    /// How many parts of a whole table may be under way.
    pub parts: u64,
}

impl Pace {
    /// That of servers.
    pub const ORDINARY: Self = Self {
        tables: 32,
        change_bytes: 512 * 1024,
        part_bytes: 64 * 1024,
        parts: 4,
    };
}

/// How many refusals may be sent ahead at once.
pub const OVERTAKING_AT_ONCE: usize = 256;

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

/// What the store holds for an agent, beyond what the agent has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Table {
    /// Nothing: the agent's revision is that of the table.
    Same {
        /// The table's hash.
        hash: TableHash,
    },
    /// Some entries.
    Changed {
        /// Keys of entries that are gone.
        deletes: Vec<EntryKey>,
        /// Entries, encoded.
        puts: Vec<Vec<u8>>,
        /// The revision this leads to.
        revision: Revision,
        /// The table's hash then.
        hash: TableHash,
    },
    /// All of them, because changes since then are not known.
    Whole {
        /// Entries, encoded.
        puts: Vec<Vec<u8>>,
        /// The revision they are of.
        revision: Revision,
        /// The table's hash.
        hash: TableHash,
    },
}

/// Refusals that the store committed after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals {
    /// Their rulings, in the order of their changes, without those that something later lifted.
    pub rulings: Vec<RulingEntry>,
    /// The change up to which these are all.
    pub up_to: Revision,
    /// Whether there are any after that.
    pub rest: Rest,
}

/// Whether there is more than what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// There was not, when it was read.
    Nothing,
    /// There is.
    More,
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
    /// Take over what the store has forgotten of these, if it sealed them. Done when this returns:
    /// the table that is read next has it.
    Testimony(Vec<RulingEntry>),
    /// Record that the lease is renewed now. Stands before the message that renews it.
    Renewed,
    /// Store events; say so when that is durable.
    Store {
        /// How many were lost since the agent enrolled.
        lost: u64,
        /// The events.
        events: Vec<DoorEvent>,
    },
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

/// Up to which change the agent follows every refusal, once it has all that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Following {
    /// Up to here.
    All(Revision),
    /// That is not known before the table that is sent has arrived; those after here are sent ahead.
    After(Revision),
}

impl Following {
    const fn revision(self) -> Revision {
        match self {
            Self::All(revision) | Self::After(revision) => revision,
        }
    }

    fn up_to(self, revision: Revision) -> Self {
        let revision = revision.max(self.revision());
        match self {
            Self::All(_) => Self::All(revision),
            Self::After(_) => Self::After(revision),
        }
    }
}

/// What the store was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Table,
    Refusals,
}

/// A table that was sent and not acknowledged.
#[derive(Clone, Copy, Debug)]
struct Ahead {
    table: (Revision, TableHash),
    bytes: usize,
}

/// A whole table that is being sent.
#[derive(Clone, Debug)]
struct Sending {
    left: VecDeque<Vec<minicbor::bytes::ByteVec>>,
    table: (Revision, TableHash),
    bytes: usize,
}

/// An acknowledgement that came before it could be judged.
type Early = (Acknowledgement, Vec<u8>, [u8; 64]);

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
                self.read()
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

    /// Believes an acknowledgement only of a table that this store sent, and of refusals that it sent
    /// ahead, signed by this agent.
    fn judge(&mut self, statement: Vec<u8>, signature: [u8; 64]) -> Vec<Output> {
        let Ok(said) = Acknowledgement::verify(&self.agent.key, &statement, &signature) else {
            return self.close(
                RefusalCode::Protocol,
                "acknowledgement not signed by this agent",
            );
        };
        let mut doors: Vec<DoorId> = self.agent.doors.iter().map(|(door, _)| *door).collect();
        doors.sort_unstable();
        if said.store != self.store || said.epoch != self.epoch || said.doors != doors {
            return self.close(RefusalCode::Protocol, "acknowledgement of something else");
        }
        let Some(refused) = self.refused(&said.above) else {
            return self.close(
                RefusalCode::Protocol,
                "acknowledgement of a refusal that was never sent",
            );
        };
        let table = (said.revision, said.hash);
        let position = self.ahead.iter().position(|sent| sent.table == table);
        let is_last = self.sent == Some(table) && self.ahead.is_empty();
        if let Some(position) = position {
            self.ahead.drain(..=position);
        } else if is_last && !self.sent_is_ours {
            // What it said in its greeting; the reading that is under way tells if it is so.
            self.early = Some((said, statement, signature));
            return Vec::new();
        } else if !is_last && self.acknowledged != Some(table) {
            if self.greeted != Some(table) {
                return self.close(
                    RefusalCode::Protocol,
                    "acknowledgement of a table that was never sent",
                );
            }
            // It is behind, and what it is behind of will be acknowledged in its turn.
            return if said.above.is_empty() {
                Vec::new()
            } else {
                vec![Output::Acknowledged {
                    up_to: Revision::ZERO,
                    refused,
                    statement,
                    signature,
                    acknowledgement: said,
                }]
            };
        }
        let mut outputs = vec![self.believe(said, refused, statement, signature)];
        // A reading may have waited for this.
        outputs.extend(self.read());
        outputs
    }

    /// How many more questions the agent may be asked now.
    #[must_use]
    pub fn may_ask(&self) -> usize {
        match self.phase {
            Phase::Speaking => QUESTIONS.saturating_sub(self.questions.len()),
            _ => 0,
        }
    }

    fn ask(&mut self, question: Question) -> Vec<Output> {
        if self.may_ask() == 0 || self.questions.contains(&question) {
            return Vec::new();
        }
        self.questions.push(question);
        let question = (&question).into();
        vec![Output::Send(ToAgent::Question { question })]
    }

    /// Believes an answer only to a question that is open, signed by this agent.
    fn answered(&mut self, statement: Vec<u8>, signature: [u8; 64]) -> Vec<Output> {
        let Ok(answer) = verified(&self.agent.key, &statement, &signature) else {
            return self.close(RefusalCode::Protocol, "answer not signed by this agent");
        };
        let asked = self.questions.iter().position(|question| {
            digest_of(question) == answer.question
                && question.credential == answer.credential
                && question.door == answer.door
                && question.direction == answer.direction
        });
        match asked {
            Some(position) if answer.store == self.store => vec![Output::Answered {
                question: self.questions.remove(position),
                answer,
                statement,
                signature,
            }],
            _ => self.close(RefusalCode::Protocol, "answer to what was not asked"),
        }
    }

    /// The changes whose refusals are followed ahead of the table, if all of them were sent. That
    /// somebody removed is refused confirms nothing yet: what the door keeps of them goes with the
    /// table.
    fn refused(&self, above: &[Above]) -> Option<Vec<Revision>> {
        let mut refused = Vec::new();
        for above in above {
            let sent = self.overtaken.iter().find(|ruling| {
                (ruling.subject, ruling.revision) == (above.subject, above.revision)
            })?;
            if sent.ruled != Ruled::Removed {
                refused.push(above.revision);
            }
        }
        Some(refused)
    }

    fn believe(
        &mut self,
        said: Acknowledgement,
        refused: Vec<Revision>,
        statement: Vec<u8>,
        signature: [u8; 64],
    ) -> Output {
        self.acknowledged = Some((said.revision, said.hash));
        self.overtaken
            .retain(|above| above.revision > said.revision);
        Output::Acknowledged {
            up_to: said.revision,
            refused,
            acknowledgement: said,
            statement,
            signature,
        }
    }

    /// Begins a reading if one is needed, possible, and not under way: of the table, or, while there
    /// is too much of it under way, of what must not wait for it.
    fn read(&mut self) -> Vec<Output> {
        let needed = self.again || self.asked.is_some();
        if self.phase != Phase::Speaking || self.reading.is_some() || !needed {
            return Vec::new();
        }
        let bytes: usize = self.ahead.iter().map(|ahead| ahead.bytes).sum();
        if self.sending.is_some()
            || self.ahead.len() >= self.pace.tables
            || bytes >= self.pace.change_bytes
        {
            return self.read_refusals();
        }
        self.reading = Some(Reading::Table);
        self.again = false;
        self.refusals_due = false;
        self.answering = self.asked.take();
        vec![Output::Read(self.sent.map(|(revision, _)| revision))]
    }

    fn read_refusals(&mut self) -> Vec<Output> {
        let answers = matches!(self.following, Following::All(_)) && self.asked.is_some();
        let has_room = self.overtaken.len() + OVERTAKING_AT_ONCE <= OVERTAKING_LIMIT;
        if !self.has_table || !has_room || !(self.refusals_due || answers) {
            return Vec::new();
        }
        self.reading = Some(Reading::Refusals);
        self.refusals_due = false;
        if answers {
            self.answering = self.asked.take();
        }
        vec![Output::ReadRefusals(self.following.revision())]
    }

    /// Sends refusals ahead of the table. Once they are all sent, the lease may be renewed too,
    /// though the table lags: every refusal from before the question stands before the answer.
    fn overtake(&mut self, refusals: Refusals) -> Vec<Output> {
        if self.reading != Some(Reading::Refusals) {
            return Vec::new();
        }
        self.reading = None;
        let Refusals {
            rulings,
            up_to,
            rest,
        } = refusals;
        let mut outputs = Vec::new();
        self.following = self.following.up_to(up_to);
        if !rulings.is_empty() {
            self.overtaken
                .extend(rulings.iter().filter_map(RulingEntry::ruling));
            let encoded = rulings
                .into_iter()
                .map(|entry| Entry::Ruling(entry).encode().into());
            outputs.push(Output::Send(ToAgent::Overtake {
                rulings: encoded.collect(),
            }));
        }
        match rest {
            Rest::Nothing => outputs.extend(self.renew()),
            Rest::More => {
                self.refusals_due = true;
                self.asked = self.answering.take();
            }
        }
        outputs.extend(self.read());
        outputs
    }

    /// Renews the lease, if that was asked for before the reading that has ended.
    fn renew(&mut self) -> Vec<Output> {
        match self.answering.take() {
            Some(ask) => vec![Output::Renewed, Output::Send(ToAgent::Renewed { ask })],
            None => Vec::new(),
        }
    }

    fn send(&mut self, table: Table) -> Vec<Output> {
        if self.reading != Some(Reading::Table) {
            return Vec::new();
        }
        self.reading = None;
        let mut outputs = Vec::new();
        match table {
            Table::Same { hash } => match self.sent {
                Some((revision, claimed)) if claimed == hash => {
                    self.sent_is_ours = true;
                    if let Some((said, statement, signature)) = self.early.take()
                        && said.revision == revision
                    {
                        outputs.push(self.believe(said, Vec::new(), statement, signature));
                    }
                }
                // The agent's table is not what it should be, and so may be what it refuses: a whole one
                // mends it.
                _ => {
                    self.following = Following::After(Revision::ZERO);
                    return self.read_whole();
                }
            },
            Table::Changed {
                deletes,
                puts,
                revision,
                hash,
            } => {
                let bytes: usize = puts.iter().map(Vec::len).sum();
                let Some((previous, _)) = self.sent.filter(|(previous, _)| {
                    *previous < revision
                        && deletes.len() + puts.len() <= LIST_LIMIT
                        && bytes <= DELTA_BYTES
                }) else {
                    return self.read_whole();
                };
                outputs.push(Output::Send(ToAgent::Delta {
                    previous: previous.number(),
                    revision: revision.number(),
                    deletes: deletes
                        .iter()
                        .map(|key| WireKey {
                            kind: key.kind as u8,
                            id: key.id.into(),
                        })
                        .collect(),
                    puts: puts.into_iter().map(Into::into).collect(),
                    hash: hash.0.into(),
                }));
                self.following = self.following.up_to(revision);
                self.went((revision, hash), bytes);
            }
            Table::Whole {
                puts,
                revision,
                hash,
            } => {
                if let Following::After(_) = self.following {
                    self.following = Following::After(revision);
                }
                let bytes = puts.iter().map(Vec::len).sum();
                self.sent = None;
                self.sending = Some(Sending {
                    left: parts(puts, self.pace.part_bytes).collect(),
                    table: (revision, hash),
                    bytes,
                });
                // The table takes its time; a renewal waits for the refusals only.
                self.asked = self.answering.take();
                outputs.push(Output::Send(ToAgent::SnapshotBegin {
                    revision: revision.number(),
                }));
                outputs.extend(self.send_parts());
                return outputs;
            }
        }
        // Everything that was committed before the question has been sent: the answer may follow.
        outputs.extend(self.renew());
        outputs.extend(self.read());
        outputs
    }

    fn read_whole(&mut self) -> Vec<Output> {
        self.sent = None;
        self.again = true;
        self.asked = self.answering.take();
        self.read()
    }

    /// Sends as much of a whole table as may be under way.
    fn send_parts(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        if let Some(mut sending) = self.sending.take() {
            let (sent, arrived) = &mut self.parts;
            while *sent - *arrived < self.pace.parts
                && let Some(puts) = sending.left.pop_front()
            {
                *sent += 1;
                outputs.push(Output::Send(ToAgent::SnapshotPart { puts }));
            }
            if sending.left.is_empty() {
                let (revision, hash) = sending.table;
                outputs.push(Output::Send(ToAgent::SnapshotEnd {
                    revision: revision.number(),
                    hash: hash.0.into(),
                }));
                self.following = Following::All(self.following.revision().max(revision));
                self.has_table = true;
                self.went(sending.table, sending.bytes);
            } else {
                self.sending = Some(sending);
            }
        }
        outputs.extend(self.read());
        outputs
    }

    fn went(&mut self, table: (Revision, TableHash), bytes: usize) {
        self.early = None;
        self.sent = Some(table);
        self.sent_is_ours = true;
        self.ahead.push_back(Ahead { table, bytes });
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

/// Splits entries so that each part fits a frame.
fn parts(
    puts: Vec<Vec<u8>>,
    part_bytes: usize,
) -> impl Iterator<Item = Vec<minicbor::bytes::ByteVec>> {
    let mut parts: Vec<Vec<minicbor::bytes::ByteVec>> = Vec::new();
    let mut bytes = usize::MAX;
    for put in puts {
        if bytes.saturating_add(put.len()) > part_bytes
            || parts.last().is_some_and(|part| part.len() >= LIST_LIMIT)
        {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += put.len();
        if let Some(part) = parts.last_mut() {
            part.push(put.into());
        }
    }
    parts.into_iter()
}
