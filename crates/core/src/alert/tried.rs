//! A stopped credential that was tried at a door.

use std::time::Duration;

use crate::credential::CredentialKind;
use crate::door_event::{DoorEvent, Happening};
use crate::id::{CredentialId, DoorId, UserId};
use crate::parameters::Timestamp;
use crate::table::admission::Reason;

/// For how long tries of one person at one door are told together.
pub const TOLD_TOGETHER: Duration = Duration::from_secs(600);

/// Why a credential that was tried opens nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Its holder was deactivated.
    Deactivated,
    /// Its holder's access had ended.
    Ended,
    /// It was reported lost.
    Lost,
}

impl Stopped {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Deactivated, Self::Ended, Self::Lost];

    /// The stable name in rows and in what a webhook is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Ended => "access-ended",
            Self::Lost => "reported-lost",
        }
    }

    /// What has this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Why a door that gave this reason refused somebody who was taken out, or a card that was;
    /// none if it refused for another cause.
    #[must_use]
    pub const fn of(reason: Reason) -> Option<Self> {
        match reason {
            Reason::Deactivated => Some(Self::Deactivated),
            Reason::Ended => Some(Self::Ended),
            Reason::Lost => Some(Self::Lost),
            Reason::Unknown
            | Reason::NotStarted
            | Reason::LockedDown
            | Reason::CutOff
            | Reason::TooManyAttempts
            | Reason::NoPolicy
            | Reason::Holiday
            | Reason::Schedule
            | Reason::ClockNotTrusted => None,
        }
    }
}

/// Somebody presented a credential that was stopped, and was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Whose it is.
    pub user: UserId,
    /// Which.
    pub credential: CredentialId,
    /// What it is.
    pub presented: CredentialKind,
    /// Where.
    pub door: DoorId,
    /// When, by the door's clock.
    pub at: Timestamp,
    /// Why it was refused.
    pub why: Stopped,
}

impl Tried {
    /// The try that an event at a door tells of, if it tells of one. Of somebody who was removed a
    /// door knows nothing any more: their card is unknown like any other.
    #[must_use]
    pub fn told_by(event: &DoorEvent) -> Option<Self> {
        match event.happening {
            Happening::Refused {
                reason,
                holder: Some(holder),
            } => Some(Self {
                user: holder.user,
                credential: holder.credential,
                presented: event.presented,
                door: event.door,
                at: event.at,
                why: Stopped::of(reason)?,
            }),
            Happening::Granted { .. }
            | Happening::WayOut { .. }
            | Happening::Refused { holder: None, .. }
            | Happening::KeypadSlowed => None,
        }
    }
}

/// Tries of one person at one door that are told together: the first at once, the others at the end
/// of ten minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// The first.
    pub first: Tried,
    /// When the last of them was, by the door's clock.
    pub last_at: Timestamp,
    /// How many there were.
    pub count: u32,
}

impl Tries {
    /// One, so far.
    #[must_use]
    pub const fn begun(first: Tried) -> Self {
        Self {
            first,
            last_at: first.at,
            count: 1,
        }
    }

    /// With one more; none if that is told by itself.
    #[must_use]
    pub fn with(self, tried: &Tried) -> Option<Self> {
        let same = self.first.user == tried.user && self.first.door == tried.door;
        let together = tried.at < self.first.at.plus(TOLD_TOGETHER);
        (same && together).then(|| Self {
            last_at: self.last_at.max(tried.at),
            count: self.count.saturating_add(1),
            ..self
        })
    }

    /// How many came after the first, which was told at once.
    #[must_use]
    pub const fn untold(&self) -> u32 {
        self.count.saturating_sub(1)
    }
}
