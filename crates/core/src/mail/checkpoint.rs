//! A signed checkpoint of the log, mailed to somebody outside every so often.

use std::time::Duration;

use crate::parameters::Timestamp;
use crate::text::Email;

/// How often something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// Once in 24 hours.
    Day,
    /// Once in seven times that.
    Week,
}

impl Every {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Day, Self::Week];

    /// The stable name used in rows, forms and the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// What has this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// How long that is.
    #[must_use]
    pub const fn duration(self) -> Duration {
        let days = match self {
            Self::Day => 1,
            Self::Week => 7,
        };
        Duration::from_secs(days * 24 * 3600)
    }

    /// Whether what was due at a moment is due now. A moment further away than it can be was set
    /// by a clock that was wrong.
    #[must_use]
    pub fn is_due(self, due: Timestamp, now: Timestamp) -> bool {
        due <= now || due.since(now) > self.duration()
    }

    /// When it is due again after it was sent now. What was missed is not made up for, and the
    /// hour of the day stays what it was.
    #[must_use]
    pub fn after(self, due: Timestamp, now: Timestamp) -> Timestamp {
        if due > now {
            return now.plus(self.duration());
        }
        let late = now.since(due).as_micros() % self.duration().as_micros();
        let late = Duration::from_micros(u64::try_from(late).unwrap_or(0));
        now.minus(late).plus(self.duration())
    }
}

/// Who is sent a checkpoint, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointMail {
    /// To whom.
    pub to: Email,
    /// How often.
    pub every: Every,
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    #[test]
    fn due_and_due_again() {
        let at = Timestamp::from_seconds;
        // (how often, due, now) → (is due, next)
        for (every, due, now, is_due, next) in [
            (Every::Day, 1000, 999, false, 999 + DAY),
            (Every::Day, 1000, 1000, true, 1000 + DAY),
            (Every::Day, 1000, 1010, true, 1000 + DAY),
            // Three days of standstill: one letter, at the usual hour.
            (Every::Day, 1000, 1010 + 3 * DAY, true, 1000 + 4 * DAY),
            (Every::Day, 1000, 1000 + 3 * DAY, true, 1000 + 4 * DAY),
            (Every::Week, 1000, 1010 + 3 * DAY, true, 1000 + 7 * DAY),
            (Every::Week, 1000 + 7 * DAY, 1000, false, 1000 + 7 * DAY),
            // The clock had been wrong, and was set back.
            (Every::Day, 400 * DAY, 1000, true, 1000 + DAY),
            (Every::Week, 400 * DAY, 1000, true, 1000 + 7 * DAY),
        ] {
            let case = format!("{every:?} {due} {now}");
            assert_eq!(every.is_due(at(due), at(now)), is_due, "{case}");
            assert_eq!(every.after(at(due), at(now)), at(next), "{case}");
            assert!(!every.is_due(at(next), at(now)), "{case}");
        }
    }
}
