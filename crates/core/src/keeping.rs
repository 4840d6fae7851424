//! How long things are kept: what is left of people who were removed, and what doors told.

/// How many days pass between the removal of a person and the erasure of what is left of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ErasureWait(u16);

impl ErasureWait {
    /// They are erased with their removal.
    pub const AT_ONCE: Self = Self(0);
    /// The longest wait, in days.
    pub const MOST_DAYS: u16 = 365;

    /// A wait of this many days; none is at once.
    #[must_use]
    pub const fn from_days(days: u16) -> Option<Self> {
        if days <= Self::MOST_DAYS {
            Some(Self(days))
        } else {
            None
        }
    }

    /// How many days.
    #[must_use]
    pub const fn days(self) -> u16 {
        self.0
    }

    /// That long.
    #[must_use]
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.0 as u64 * 24 * 3600)
    }
}

/// How many days door events are kept: 1 to 3650.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventRetention(u16);

impl EventRetention {
    /// Three months, roughly: what an authority that was asked finds enough for badges.
    pub const USUAL: Self = Self(90);
    /// The longest, in days: ten years.
    pub const MOST_DAYS: u16 = 3650;

    /// This many days.
    #[must_use]
    pub const fn from_days(days: u16) -> Option<Self> {
        if days >= 1 && days <= Self::MOST_DAYS {
            Some(Self(days))
        } else {
            None
        }
    }

    /// How many days.
    #[must_use]
    pub const fn days(self) -> u16 {
        self.0
    }

    /// That long.
    #[must_use]
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.0 as u64 * 24 * 3600)
    }

    /// The sentence where door events are read.
    #[must_use]
    pub fn sentence(self) -> String {
        match self.0 {
            1 => "Door events are kept for 1 day.".to_owned(),
            days => format!("Door events are kept for {days} days."),
        }
    }
}

/// How long things are kept here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// What is left of removed people.
    pub erasure_wait: ErasureWait,
    /// What doors told.
    pub door_events: EventRetention,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            erasure_wait: ErasureWait::AT_ONCE,
            door_events: EventRetention::USUAL,
        }
    }
}
