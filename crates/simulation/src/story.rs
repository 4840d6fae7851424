//! What happened, in words, for whoever has to understand a seed that failed.

use std::fmt::Write as _;

use offgate_core::id::{DoorId, UserId};

/// How many lines are told.
const LINES: usize = 60;

/// Whom and what a line is about; nobody in particular concerns everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) door: Option<DoorId>,
    pub(crate) user: Option<UserId>,
}

/// Nobody whom another line is about.
pub(crate) const STRANGER: UserId = UserId::from_bytes([0; 16]);

impl About {
    pub(crate) const ALL: Self = Self {
        door: None,
        user: None,
    };

    pub(crate) const fn door(door: DoorId) -> Self {
        Self {
            door: Some(door),
            user: None,
        }
    }

    pub(crate) const fn user(user: UserId) -> Self {
        Self {
            door: None,
            user: Some(user),
        }
    }

    pub(crate) const fn both(door: DoorId, user: UserId) -> Self {
        Self {
            door: Some(door),
            user: Some(user),
        }
    }

    fn concerns(self, other: Self) -> bool {
        let fits = |one: Option<[u8; 16]>, other: Option<[u8; 16]>| {
            one.is_none() || other.is_none() || one == other
        };
        fits(
            self.door.map(|it| *it.as_bytes()),
            other.door.map(|it| *it.as_bytes()),
        ) && fits(
            self.user.map(|it| *it.as_bytes()),
            other.user.map(|it| *it.as_bytes()),
        )
    }
}

/// Whether a run is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// It is: costs more than the run.
    Story,
    /// It is not.
    Silent,
}

/// The lines so far.
#[derive(Debug)]
pub(crate) struct Story {
    telling: Telling,
    lines: Vec<(u64, About, String)>,
}

impl Story {
    pub(crate) const fn new(telling: Telling) -> Self {
        Self {
            telling,
            lines: Vec::new(),
        }
    }

    /// Adds a line; what it says is only made if somebody wants to read it.
    pub(crate) fn tell(&mut self, now: u64, about: About, line: impl FnOnce() -> String) {
        if self.telling == Telling::Story {
            self.lines.push((now, about, line()));
        }
    }

    /// The last lines that concern a door and a person.
    pub(crate) fn told(&self, about: About) -> String {
        let all: Vec<_> = self
            .lines
            .iter()
            .filter(|(_, of, _)| of.user != Some(STRANGER) && of.concerns(about))
            .collect();
        let mut text = String::new();
        for (now, _, line) in &all[all.len().saturating_sub(LINES)..] {
            let _ = writeln!(
                text,
                "  {:>5}.{:03} s  {line}",
                now / 1_000_000,
                now / 1000 % 1000
            );
        }
        text
    }

    /// Every line: what two runs of a seed must agree on.
    pub(crate) fn whole(&self) -> String {
        let mut text = String::new();
        for (now, _, line) in &self.lines {
            let _ = writeln!(text, "{now} {line}");
        }
        text
    }
}
