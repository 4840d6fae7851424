//! What an agent is sent, and in which order.

use std::collections::VecDeque;

use offgate_core::disagreement::Disagreement;
use offgate_core::parameters::Revision;
use offgate_core::table::entry::{Entry, EntryKey, RulingEntry, TableHash};

use super::{Output, Phase, ServerEnd};
use crate::message::{LIST_LIMIT, OVERTAKING_LIMIT, ToAgent, WireKey};

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

/// Up to which change the agent follows every refusal, once it has all that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Following {
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
pub(super) enum Reading {
    Table,
    Refusals,
}

/// A table that was sent and not acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    pub(super) table: (Revision, TableHash),
    bytes: usize,
}

/// A whole table that is being sent.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    left: VecDeque<Vec<minicbor::bytes::ByteVec>>,
    table: (Revision, TableHash),
    bytes: usize,
}

impl ServerEnd {
    /// Begins a reading if one is needed, possible, and not under way: of the table, or, while there
    /// is too much of it under way, of what must not wait for it.
    pub(super) fn read(&mut self) -> Vec<Output> {
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

    pub(super) fn read_refusals(&mut self) -> Vec<Output> {
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
    pub(super) fn overtake(&mut self, refusals: Refusals) -> Vec<Output> {
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
    pub(super) fn renew(&mut self) -> Vec<Output> {
        match self.answering.take() {
            Some(ask) => vec![Output::Send(ToAgent::Renewed { ask })],
            None => Vec::new(),
        }
    }

    pub(super) fn send(&mut self, table: Table) -> Vec<Output> {
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
                Some((revision, _)) => {
                    self.following = Following::After(Revision::ZERO);
                    outputs.push(Output::Disagrees(Disagreement::Another(revision)));
                    outputs.extend(self.read_whole());
                    return outputs;
                }
                None => return self.read_whole(),
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

    pub(super) fn read_whole(&mut self) -> Vec<Output> {
        self.sent = None;
        self.again = true;
        self.asked = self.answering.take();
        self.read()
    }

    /// Sends as much of a whole table as may be under way.
    pub(super) fn send_parts(&mut self) -> Vec<Output> {
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

    pub(super) fn went(&mut self, table: (Revision, TableHash), bytes: usize) {
        self.early = None;
        self.sent = Some(table);
        self.sent_is_ours = true;
        self.ahead.push_back(Ahead { table, bytes });
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
