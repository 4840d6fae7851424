//! What happened, newest first: changes from the log, and what agents told of their doors.

use std::fmt;
use std::str::FromStr;

use offgate_core::actor::Actor;
use offgate_core::door_event::DoorEvent;
use offgate_core::id::{AgentId, DoorId, NotAnId, UserId};
use offgate_core::log::Subject;
use offgate_core::parameters::{Revision, Timestamp};

/// The most lines on one page.
pub const ACTIVITY_LIMIT: usize = 500;

/// What the lines are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Everything.
    Everything,
    /// One person.
    User(UserId),
    /// One door.
    Door(DoorId),
}

/// Which lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityKinds {
    /// All of them.
    All,
    /// What somebody changed.
    Changes,
    /// What happened at doors.
    Doors,
    /// Only who was refused at a door, and keypads that were slowed.
    RefusedAtDoors,
}

/// A question for a page of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivityQuery {
    /// About what.
    pub about: About,
    /// Of which kind.
    pub kinds: ActivityKinds,
    /// Only what is older than this line; none for the newest.
    pub before: Option<ActivityCursor>,
    /// How many at most, of [`ACTIVITY_LIMIT`].
    pub limit: usize,
}

/// Which of the three a line is. Orders lines of the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Lost,
    Door,
    Change,
}

/// A line's place. Lines are ordered by time, then by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActivityCursor {
    pub(crate) at: i64,
    pub(crate) source: Source,
    /// All zero for a change.
    pub(crate) agent: [u8; 16],
    /// The revision of a change, the sequence of an event.
    pub(crate) number: i64,
}

impl fmt::Display for ActivityCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.source {
            Source::Lost => 'l',
            Source::Door => 'd',
            Source::Change => 'c',
        };
        let agent = AgentId::from_bytes(self.agent);
        write!(formatter, "{letter}.{}.{}.{agent}", self.at, self.number)
    }
}

impl FromStr for ActivityCursor {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let mut parts = text.splitn(4, '.');
        let mut part = || parts.next().ok_or(NotAnId);
        let source = match part()? {
            "l" => Source::Lost,
            "d" => Source::Door,
            "c" => Source::Change,
            _ => return Err(NotAnId),
        };
        Ok(Self {
            source,
            at: part()?.parse().map_err(|_| NotAnId)?,
            number: part()?.parse().map_err(|_| NotAnId)?,
            agent: *part()?.parse::<AgentId>()?.as_bytes(),
        })
    }
}

/// One line of a log entry's details, as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredDetail {
    /// What it is about.
    pub field: String,
    /// What it was.
    pub before: Option<String>,
    /// What it became.
    pub after: Option<String>,
}

/// Why some of an entry's details cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// The person they are about was erased.
    Erased {
        /// When.
        at: Timestamp,
    },
    /// Their key is not to be had: the vault was lost, or does not work just now.
    Unreadable,
}

/// What a line tells.
#[derive(Clone, PartialEq, Eq)]
pub enum What {
    /// Somebody changed something.
    Change {
        /// Its position in the log.
        revision: Revision,
        /// Who.
        actor: Actor,
        /// The stable name of what was done: "user.deactivated".
        kind: String,
        /// To what.
        subject: Subject,
        /// The particulars that can be read.
        details: Vec<StoredDetail>,
        /// Why there are others that cannot.
        withheld: Option<Withheld>,
    },
    /// Something happened at a door.
    Door {
        /// Who tells it.
        agent: AgentId,
        /// What happened.
        event: DoorEvent,
    },
    /// An agent had to drop events, because it was cut off for long.
    EventsLost {
        /// Which.
        agent: AgentId,
        /// How many.
        count: u64,
    },
}

/// One line.
#[derive(Clone, PartialEq, Eq)]
pub struct Activity {
    /// When, by the clock of whoever tells it.
    pub at: Timestamp,
    /// Its place.
    pub cursor: ActivityCursor,
    /// What.
    pub what: What,
}

/// A page of lines, newest first.
#[derive(Clone, PartialEq, Eq)]
pub struct ActivityPage {
    /// The lines.
    pub items: Vec<Activity>,
    /// Where the next page begins, if there is one.
    pub older: Option<ActivityCursor>,
}
