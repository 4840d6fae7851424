//! How a change reads in the log: its kind, its subject, and its details.
//!
//! The log keeps kind, subject and a salted hash of the details for good; the details (names,
//! before and after) lie beside it and can be erased.

use crate::change::Change;
use crate::id::{
    AgentId, DoorGroupId, DoorId, GroupId, HolidayGroupId, JoinTokenId, OperatorId, PolicyId,
    ScheduleId, SiteId, UserId,
};

/// What a log entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A person; their credentials too.
    User(UserId),
    /// A group.
    Group(GroupId),
    /// A site.
    Site(SiteId),
    /// A door.
    Door(DoorId),
    /// A door group.
    DoorGroup(DoorGroupId),
    /// A policy.
    Policy(PolicyId),
    /// A schedule.
    Schedule(ScheduleId),
    /// A holiday group.
    HolidayGroup(HolidayGroupId),
    /// An agent.
    Agent(AgentId),
    /// An invitation.
    JoinToken(JoinTokenId),
    /// An operator.
    Operator(OperatorId),
    /// The store itself.
    Store,
}

/// One line of an entry's details. Values may be personal data; they never hold a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Detail {
    /// What it is about: "first name", "policies", "reason".
    pub field: &'static str,
    /// What it was.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

/// A change as the log tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The stable name of what happened: "user.deactivated".
    pub kind: &'static str,
    /// What it happened to.
    pub subject: Subject,
    /// The particulars.
    pub details: Vec<Detail>,
}

/// Tells a change.
#[must_use]
pub fn entry(_change: &Change) -> Entry {
    unimplemented!()
}
