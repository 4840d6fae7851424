//! Schedules as bits, and the clock of a site as a list of offsets.

use crate::parameters::Timestamp;
use crate::policy::Day;

const DAY: usize = 1440;
const WEEK: usize = 7 * DAY;

/// The minutes that windows cover, a bit for each. Those of a window's own day and those it runs on
/// into the next are apart, because on holidays the days have windows of their own; they are side
/// by side, because a decision looks at both.
#[derive(Clone, Debug)]
struct Program<const WORDS: usize>([Minutes; WORDS]);

/// 64 minutes; or one of them, with the others' bits cleared.
#[derive(Clone, Copy, Debug, Default)]
struct Minutes {
    own: u64,
    run_on: u64,
}

impl<const WORDS: usize> Program<WORDS> {
    const CLOSED: Self = Self([Minutes { own: 0, run_on: 0 }; WORDS]);

    /// Adds a window from a minute of the day that begins at `today`, by its length; what runs on
    /// begins at `tomorrow`.
    fn open(&mut self, today: usize, tomorrow: usize, from: usize, length: usize) {
        let to = (from + length).min(2 * DAY);
        for minute in from..to.min(DAY) {
            let minute = today + minute;
            self.0[minute / 64].own |= 1 << (minute % 64);
        }
        for minute in from.max(DAY)..to {
            let minute = tomorrow + minute - DAY;
            self.0[minute / 64].run_on |= 1 << (minute % 64);
        }
    }

    fn at(&self, minute: usize) -> Minutes {
        let minutes = self.0.get(minute / 64).copied().unwrap_or_default();
        let bit = 1 << (minute % 64);
        Minutes {
            own: minutes.own & bit,
            run_on: minutes.run_on & bit,
        }
    }
}

/// A compiled schedule.
#[derive(Clone, Debug)]
pub(super) struct Hours {
    week: Program<{ WEEK.div_ceil(64) }>,
    holiday: Program<{ DAY.div_ceil(64) }>,
    /// Days since 1970, sorted.
    holidays: Vec<i32>,
}

/// What a schedule says of a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Open,
    /// Closed, on a day like any other.
    Closed,
    /// Closed, on a holiday.
    ClosedForHoliday,
}

impl Hours {
    /// Windows are the minute they start at (of the week from Monday, or of the holiday) and
    /// their length.
    pub(super) fn new(weekly: &[(u16, u16)], holiday: &[(u16, u16)], holidays: Vec<i32>) -> Self {
        let mut hours = Self {
            week: Program::CLOSED,
            holiday: Program::CLOSED,
            holidays,
        };
        for (from, length) in weekly {
            let (from, length) = (usize::from(*from), usize::from(*length));
            let today = from / DAY * DAY;
            if today < WEEK {
                let tomorrow = (today + DAY) % WEEK;
                hours.week.open(today, tomorrow, from % DAY, length);
            }
        }
        for (from, length) in holiday {
            let (from, length) = (usize::from(*from), usize::from(*length));
            hours.holiday.open(0, 0, from, length);
        }
        hours
    }

    /// What it says of a local day and minute: a window belongs to the day it starts on, so the
    /// day's own windows decide, or what ran on from the day before.
    pub(super) fn at(&self, day: Day, minute: u16) -> Verdict {
        let minute = usize::from(minute);
        let of_week = day.weekday() as usize * DAY + minute;
        let (yesterday, today) = self.holidays_at(day);
        let (week, holiday) = (self.week.at(of_week), self.holiday.at(minute));
        let own = if today { holiday.own } else { week.own };
        let run_on = if yesterday {
            holiday.run_on
        } else {
            week.run_on
        };
        if own | run_on != 0 {
            Verdict::Open
        } else if today {
            Verdict::ClosedForHoliday
        } else {
            Verdict::Closed
        }
    }

    /// Whether the day before and the day itself are holidays.
    fn holidays_at(&self, day: Day) -> (bool, bool) {
        let before = day.0.saturating_sub(1);
        let from = self.holidays.partition_point(|holiday| *holiday < before);
        let near = &self.holidays[from..self.holidays.len().min(from + 2)];
        (near.contains(&before), near.contains(&day.0))
    }
}

/// A site's clock. A skipped hour never comes, a repeated one comes twice; after the last known
/// change its offset stays.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    first_offset: i32,
    changes: Vec<(i64, i32)>,
}

impl Clock {
    pub(super) const fn new(first_offset: i32, changes: Vec<(i64, i32)>) -> Self {
        Self {
            first_offset,
            changes,
        }
    }

    /// The local day and minute of the day.
    pub(super) fn local(&self, now: Timestamp) -> (Day, u16) {
        let seconds = now.seconds();
        let passed = self.changes.partition_point(|(at, _)| *at <= seconds);
        let offset = match passed
            .checked_sub(1)
            .and_then(|last| self.changes.get(last))
        {
            Some((_, offset)) => *offset,
            None => self.first_offset,
        };
        let local = seconds.saturating_add(i64::from(offset));
        let day = local
            .div_euclid(86_400)
            .clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        (Day(day as i32), (local.rem_euclid(86_400) / 60) as u16)
    }
}
