//! Sites, doors, their readers, and groups of doors.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::fail_mode::FailMode;
use crate::id::{AgentId, DoorGroupId, DoorId, PolicyId, ReaderId, SiteId};
use crate::parameters::Revision;
use crate::text::{TextError, Title};

/// The name of a time zone of the IANA database that this build knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneName(String);

impl ZoneName {
    /// Looks the name up in the database built into the program.
    ///
    /// # Errors
    /// No zone has this name.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let unknown = TextError::Shape("a time zone looks like Europe/Berlin");
        if text.len() > 64 {
            return Err(unknown);
        }
        crate::calendar::zone(text.trim())
            .map(|name| Self(name.to_owned()))
            .ok_or(unknown)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A place with doors and a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Which.
    pub id: SiteId,
    /// The last change to it.
    pub revision: Revision,
    /// What it is called.
    pub name: Title,
    /// The zone in which its schedules are read.
    pub zone: ZoneName,
    /// What new people get unless another policy is chosen.
    pub default_policy: Option<PolicyId>,
}

/// How long a door decides on its own after it last heard the server: its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaseLength(u32);

impl LeaseLength {
    /// Survives a weekend without the server.
    pub const ORDINARY: Self = Self(72 * 3600);
    /// Survives half a day without it.
    pub const RESTRICTED: Self = Self(12 * 3600);
    /// Closes soon after the server is gone.
    pub const HIGH_SECURITY: Self = Self(15 * 60);

    /// The presets, with the words for them.
    pub const PRESETS: [(&'static str, Self); 3] = [
        ("ordinary", Self::ORDINARY),
        ("restricted", Self::RESTRICTED),
        ("high security", Self::HIGH_SECURITY),
    ];

    /// A length in seconds, from 10 seconds to 7 days.
    #[must_use]
    pub const fn from_seconds(seconds: u32) -> Option<Self> {
        if seconds >= 10 && seconds <= 7 * 24 * 3600 {
            Some(Self(seconds))
        } else {
            None
        }
    }

    /// The length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// The length.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

/// Which way through the door a reader stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Into the protected side: this is where refusing matters.
    In,
    /// The way out. A reader on the way out never refuses.
    Out,
}

/// A reader at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Which.
    pub id: ReaderId,
    /// Way in or way out.
    pub direction: Direction,
}

/// A door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Which.
    pub id: DoorId,
    /// The last change to it.
    pub revision: Revision,
    /// Where.
    pub site: SiteId,
    /// What it is called; unique at its site.
    pub name: Title,
    /// Who decides for it; none until one has joined.
    pub agent: Option<AgentId>,
    /// How long it works on its own.
    pub lease: LeaseLength,
    /// What it does after that.
    pub fail_mode: FailMode,
    /// Its readers, at most eight.
    pub readers: Vec<Reader>,
}

/// A set of doors that policies name together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorGroup {
    /// Which.
    pub id: DoorGroupId,
    /// The last change to it.
    pub revision: Revision,
    /// What it is called; unique.
    pub name: Title,
    /// Its doors.
    pub doors: BTreeSet<DoorId>,
}
