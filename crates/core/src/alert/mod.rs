//! Alerts: what leaves the house by itself because somebody ought to know it now.
//!
//! Owns: the kinds, who is sent which, when one is due, what is told together, how many there may be
//! in an hour, and the words. Refuses to know how a letter is handed over, and in which transaction
//! it is written.

mod absence;
mod choice;
mod letter;
mod limit;
mod notice;
mod tried;

use crate::confirmation::Alone;
use crate::id::{AgentId, DoorId, UserId};
use crate::parameters::Timestamp;

pub use absence::{AgentAbsence, LimitsPassed, gone_after};
pub use choice::{reaches_anybody, recipients, wants};
pub use letter::{Words, words};
pub use limit::{AN_HOUR, Allowance, PER_HOUR, WEBHOOK_PER_HOUR, allowance};
pub use notice::{notice, test_notice};
pub use tried::{Stopped, TOLD_TOGETHER, Tried, Tries};

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertKind {
    /// Somebody who was taken out, or a lost card, was at a door.
    StoppedCredentialTried,
    /// A door's time of working on its own ended, and it had not confirmed a refusal.
    LimitPassedUnconfirmed,
    /// An agent does not answer, and its doors decide on their own.
    AgentGone,
    /// An agent was shown another history than the one it knew.
    HistoryDoesNotContinue,
    /// The last door has confirmed that it refuses somebody who was deactivated.
    LastDoorConfirmed,
}

impl AlertKind {
    /// All of them, in the order in which pages list them.
    pub const ALL: [Self; 5] = [
        Self::StoppedCredentialTried,
        Self::HistoryDoesNotContinue,
        Self::AgentGone,
        Self::LimitPassedUnconfirmed,
        Self::LastDoorConfirmed,
    ];

    /// The stable name in rows, forms, the command line and what a webhook is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StoppedCredentialTried => "stopped-credential-tried",
            Self::LimitPassedUnconfirmed => "limit-passed-unconfirmed",
            Self::AgentGone => "agent-gone",
            Self::HistoryDoesNotContinue => "history-does-not-continue",
            Self::LastDoorConfirmed => "last-door-confirmed",
        }
    }

    /// What has this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What it is called on a page.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::StoppedCredentialTried => "Somebody who was taken out is at a door",
            Self::LimitPassedUnconfirmed => "A door’s time on its own ended without a confirmation",
            Self::AgentGone => "Doors do not answer",
            Self::HistoryDoesNotContinue => "The history does not continue",
            Self::LastDoorConfirmed => "The last door has confirmed a deactivation",
        }
    }

    /// When it comes, for whoever chooses.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::StoppedCredentialTried => {
                "At once, when the PIN, card or plate of somebody deactivated is tried at a door, or \
                 of somebody whose access ended, or a card that was reported lost. It names them."
            }
            Self::LimitPassedUnconfirmed => {
                "When a door was cut off for as long as it may decide on its own, and somebody was \
                 taken out meanwhile."
            }
            Self::AgentGone => {
                "When doors have not answered for ten minutes, or for half of the time they may \
                 decide on their own if that is less."
            }
            Self::HistoryDoesNotContinue => {
                "At once, when doors say that this server’s history is not the one they knew: it was \
                 rewritten or cut, or this is a copy of the server."
            }
            Self::LastDoorConfirmed => {
                "When every door has confirmed that it refuses somebody who was deactivated."
            }
        }
    }
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alert {
    /// A stopped credential was tried.
    Tried(Told),
    /// A door's limit passed.
    LimitPassed {
        /// Which door.
        door: DoorId,
        /// Since when it does not answer; none if it never did.
        silent_since: Option<Timestamp>,
        /// When the limit ended at the latest.
        ended_at: Timestamp,
        /// How many people it has not confirmed to refuse, and refuses by its limit.
        people: u64,
        /// How many more it has not confirmed to refuse and may still open for.
        may_still_open: u64,
    },
    /// An agent is gone.
    AgentGone {
        /// Which.
        agent: AgentId,
        /// Since when.
        silent_since: Timestamp,
        /// Its doors, and how long each goes on by what it has.
        doors: Vec<(DoorId, Alone)>,
    },
    /// An agent was shown another history.
    HistoryDoesNotContinue {
        /// Which.
        agent: AgentId,
        /// When.
        at: Timestamp,
    },
    /// Every door has confirmed a deactivation.
    LastDoorConfirmed {
        /// Of whom.
        user: UserId,
        /// When it was decided.
        decided_at: Timestamp,
        /// When the last door confirmed.
        confirmed_at: Timestamp,
        /// How many doors.
        doors: u64,
    },
}

/// What is told of tries that are told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The first of them.
    First(Tried),
    /// Those that came after it.
    More(Tries),
}

impl Told {
    /// The first of them.
    #[must_use]
    pub const fn tried(&self) -> &Tried {
        match self {
            Self::First(tried) => tried,
            Self::More(tries) => &tries.first,
        }
    }
}

impl Alert {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> AlertKind {
        match self {
            Self::Tried(_) => AlertKind::StoppedCredentialTried,
            Self::LimitPassed { .. } => AlertKind::LimitPassedUnconfirmed,
            Self::AgentGone { .. } => AlertKind::AgentGone,
            Self::HistoryDoesNotContinue { .. } => AlertKind::HistoryDoesNotContinue,
            Self::LastDoorConfirmed { .. } => AlertKind::LastDoorConfirmed,
        }
    }

    /// The person it is about: what was written of it goes with them.
    #[must_use]
    pub const fn about(&self) -> Option<UserId> {
        match self {
            Self::Tried(told) => Some(told.tried().user),
            Self::LastDoorConfirmed { user, .. } => Some(*user),
            Self::LimitPassed { .. }
            | Self::AgentGone { .. }
            | Self::HistoryDoesNotContinue { .. } => None,
        }
    }
}
