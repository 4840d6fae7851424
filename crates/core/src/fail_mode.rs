//! What a door does once it has worked on its own for as long as it may.
//!
//! Owns: the three fail modes, and emergency lists. Refuses to know how a door counts its time;
//! that is the agent's, and the judgement with it is `table::admission`.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::id::{EmergencyListId, UserId};
use crate::parameters::Revision;
use crate::text::Title;

/// What a door does when its lease has ended and the server was not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailMode {
    /// It refuses everybody but those on a list, and everybody once the list's own limit is over.
    EmergencyList(EmergencyListId),
    /// It refuses everybody.
    RefuseAll,
    /// It goes on with the last table it has. No time limit ends anybody's access there.
    KeepLastTable,
}

impl FailMode {
    /// The list, if there is one.
    #[must_use]
    pub const fn list(self) -> Option<EmergencyListId> {
        match self {
            Self::EmergencyList(list) => Some(list),
            Self::RefuseAll | Self::KeepLastTable => None,
        }
    }

    /// The stable name in rows and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmergencyList(_) => "emergency-list",
            Self::RefuseAll => "refuse-all",
            Self::KeepLastTable => "keep-last-table",
        }
    }
}

/// How long a cut-off door admits the people on an emergency list: longer than its own lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EmergencyLimit(u32);

impl EmergencyLimit {
    /// Two weeks.
    pub const ORDINARY: Self = Self(14 * 24 * 3600);

    /// A limit in seconds, from one minute to 90 days.
    #[must_use]
    pub const fn from_seconds(seconds: u32) -> Option<Self> {
        if seconds >= 60 && seconds <= 90 * 24 * 3600 {
            Some(Self(seconds))
        } else {
            None
        }
    }

    /// The limit in seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// The limit.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

/// The people whom cut-off doors still admit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmergencyList {
    /// Which.
    pub id: EmergencyListId,
    /// The last change to it.
    pub revision: Revision,
    /// What it is called; unique.
    pub name: Title,
    /// Who is on it, two at least when an operator writes it. Whoever is removed leaves it.
    pub people: BTreeSet<UserId>,
    /// How long it holds, counted like a door's lease from when the server was last heard.
    pub limit: EmergencyLimit,
}

impl EmergencyList {
    /// The fewest people on a list: one person alone may be the one who is ill.
    pub const FEWEST: usize = 2;
    /// The most people on a list.
    pub const MOST: usize = 100;
}
