//! What there is: a store, its copies, the agents, and what is under way between them.
//!
//! Small numbers stand for what is large in earnest. Where a real message is bound by a signature or
//! a hash, the model carries the fact itself: `branch` stands for the hash of the history up to a
//! revision, and a set of `entries` for the signed log entries of refusals.

/// An instant or a length of time.
pub(crate) type Tick = u8;

/// A set of refusals as entries of the log, one bit each.
pub(crate) type Entries = u16;

/// The entry of a refusal which no store ever decided: what a liar would show.
pub(crate) const FORGED: Entries = 1 << 15;

/// Who or what may be refused. Both cards are the same piece of plastic: Ada's credential, and the
/// one that Bob was issued for it later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    Ada,
    Bob,
    AdasCard,
    BobsCard,
}

impl Subject {
    pub(crate) const ALL: [Self; 4] = [Self::Ada, Self::Bob, Self::AdasCard, Self::BobsCard];

    /// Whose credential it is; a person is their own.
    pub(crate) const fn holder(self) -> Self {
        match self {
            Self::Ada | Self::AdasCard => Self::Ada,
            Self::Bob | Self::BobsCard => Self::Bob,
        }
    }
}

/// One value for each subject.
pub(crate) type PerSubject<T> = [T; 4];

/// A store's epoch: the counter orders, the nonce tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Epoch {
    pub(crate) counter: u8,
    pub(crate) nonce: u8,
}

/// When something was decided, in the only order there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version {
    pub(crate) counter: u8,
    pub(crate) revision: u8,
}

/// How far a history has come, and which history it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    pub(crate) epoch: Epoch,
    pub(crate) revision: u8,
    pub(crate) branch: u8,
}

impl Position {
    pub(crate) const fn version(self) -> Version {
        Version {
            counter: self.epoch.counter,
            revision: self.revision,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Standing {
    /// Not issued yet.
    Absent,
    Admitted,
    Refused,
    /// Erased: only the tombstone is left.
    Removed,
}

/// What the store says of a subject. A door's table is made of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Row {
    pub(crate) standing: Standing,
    /// When it was last refused.
    pub(crate) refused: Version,
    /// When it was last admitted by somebody's explicit act.
    pub(crate) admitted: Version,
    /// Every refusal of it in this history.
    pub(crate) entries: Entries,
    /// The latest of them.
    pub(crate) latest: Entries,
    /// Whether it is on the emergency list.
    pub(crate) on_list: bool,
    /// The revision that last said so.
    pub(crate) list_revision: u8,
}

impl Row {
    pub(crate) const fn refuses(&self) -> bool {
        matches!(self.standing, Standing::Refused | Standing::Removed)
    }
}

/// A door's versioned tombstone. Without entries there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tombstone {
    pub(crate) version: Version,
    pub(crate) entries: Entries,
}

/// What an agent holds, in memory or on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    pub(crate) position: Position,
    pub(crate) rows: PerSubject<Row>,
    pub(crate) tombstones: PerSubject<Tombstone>,
}

impl Held {
    pub(crate) fn tombstone_entries(&self) -> PerSubject<Entries> {
        self.tombstones.map(|tombstone| tombstone.entries)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lease {
    /// It has ended once the agent's own clock shows this.
    pub(crate) until: Tick,
    /// The answer that granted it stood behind this version.
    pub(crate) behind: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Power {
    On,
    Off {
        /// What its clock showed when it was last saved.
        saved: Tick,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Disk {
    Works,
    /// A sync failed, and no whole new generation has been written since.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Agent {
    pub(crate) memory: Held,
    pub(crate) durable: Held,
    /// The highest version that ever was durable.
    pub(crate) highest: Version,
    pub(crate) disk: Disk,
    pub(crate) power: Power,
    /// Its own clock, which may be slow.
    pub(crate) clock: Tick,
    pub(crate) slow_by: Tick,
    pub(crate) lease: Option<Lease>,
}

/// The last acknowledgement of an agent that a server believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Receipt {
    pub(crate) position: Position,
    pub(crate) above: PerSubject<Entries>,
}

/// What a server knows of one agent's door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DoorView {
    pub(crate) receipt: Option<Receipt>,
    /// Until when it may admit anybody without hearing the server again, drift margin included.
    pub(crate) works_alone_until: Tick,
    /// The instant that was named for a refusal; none where none may be named.
    pub(crate) named: PerSubject<Option<Tick>>,
    /// Whether the door may hold a table in which the subject is on the emergency list.
    pub(crate) maybe_on_list: PerSubject<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) epoch: Epoch,
    pub(crate) revision: u8,
    /// What it commits from now on belongs to this branch.
    pub(crate) branch: u8,
    /// The branch of each revision so far.
    pub(crate) history: Vec<u8>,
    pub(crate) rows: PerSubject<Row>,
    pub(crate) doors: Vec<DoorView>,
    /// What the second node, if there is one, has read of the database.
    pub(crate) node_read: u8,
}

impl Server {
    pub(crate) fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            revision: self.revision,
            branch: self.history[usize::from(self.revision)],
        }
    }

    /// Whether a revision of this branch is part of its history.
    pub(crate) fn continues(&self, position: Position) -> bool {
        self.history.get(usize::from(position.revision)) == Some(&position.branch)
    }
}

/// What an agent showed when it greeted: its position, and every refusal it holds, each with the
/// store's own signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Testimony {
    pub(crate) position: Position,
    pub(crate) entries: PerSubject<Entries>,
}

/// What is under way. Nothing is ever taken out: a message may be lost, come late, out of order or
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Message {
    /// One change, for whoever is at `previous`.
    Delta {
        previous: Position,
        becomes: Position,
        touched: PerSubject<bool>,
        rows: PerSubject<Row>,
    },
    /// A whole table: the answer to a greeting.
    Snapshot {
        greeting: Testimony,
        becomes: Position,
        rows: PerSubject<Row>,
    },
    /// A refusal that overtakes.
    Refusal {
        subject: Subject,
        epoch: Epoch,
        version: Version,
        entries: Entries,
    },
    /// The answer to a renewal. It stands behind everything up to a version.
    Renewed {
        agent: usize,
        asked: Tick,
        behind: Version,
    },
    /// A signed acknowledgement: a durable position, and the refusals held above it.
    Acknowledgement {
        agent: usize,
        position: Position,
        above: PerSubject<Entries>,
    },
}

/// How much of what is bounded has been used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Spent {
    pub(crate) changes: u8,
    pub(crate) epochs: u8,
    pub(crate) branches: u8,
    pub(crate) greetings: u8,
    pub(crate) restarts: u8,
    pub(crate) power_cuts: u8,
    pub(crate) failed_syncs: u8,
    pub(crate) renewals: u8,
    pub(crate) refusals: u8,
    pub(crate) forgeries: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// The server, and a second copy if one was started.
    pub(crate) servers: Vec<Server>,
    pub(crate) backup: Option<Box<Server>>,
    pub(crate) agents: Vec<Agent>,
    /// Sorted, each once.
    pub(crate) network: Vec<Message>,
    pub(crate) now: Tick,
    pub(crate) spent: Spent,
    /// Remembered by nobody but the judge: which refusals a console ever called confirmed at each
    /// agent, and which were lifted by somebody who could see them.
    pub(crate) confirmed: Vec<PerSubject<Entries>>,
    pub(crate) lifted: PerSubject<Entries>,
}

impl State {
    pub(crate) fn send(&mut self, message: Message) {
        if let Err(place) = self.network.binary_search(&message) {
            self.network.insert(place, message);
        }
    }
}
