//! Schedules as bits, and the clock of a site as a list of offsets.

use crate::parameters::Timestamp;
use crate::policy::Day;

const DAY: usize = 1440;
const WEEK: usize = 7 * DAY;

/// A bit for each of some minutes.
#[derive(Clone, Debug)]
struct Minutes<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Minutes<WORDS> {
    const NONE: Self = Self([0; WORDS]);

    fn add(&mut self, minute: usize) {
        if let Some(word) = self.0.get_mut(minute / 64) {
            *word |= 1 << (minute % 64);
        }
    }

    fn has(&self, minute: usize) -> bool {
        self.0
            .get(minute / 64)
            .is_some_and(|word| word >> (minute % 64) & 1 == 1)
    }
}

/// The minutes that windows cover. Those of a window's own day and those it runs on into the next
/// are apart, because on holidays the days have windows of their own.
#[derive(Clone, Debug)]
struct Program<const WORDS: usize> {
    own: Minutes<WORDS>,
    run_on: Minutes<WORDS>,
}

impl<const WORDS: usize> Program<WORDS> {
    const CLOSED: Self = Self {
        own: Minutes::NONE,
        run_on: Minutes::NONE,
    };

    /// Adds a window from a minute of the day that begins at `today`, by its length; what runs on
    /// begins at `tomorrow`.
    fn open(&mut self, today: usize, tomorrow: usize, from: usize, length: usize) {
        let to = (from + length).min(2 * DAY);
        (from..to.min(DAY)).for_each(|minute| self.own.add(today + minute));
        (from.max(DAY)..to).for_each(|minute| self.run_on.add(tomorrow + minute - DAY));
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
        let own = if today {
            self.holiday.own.has(minute)
        } else {
            self.week.own.has(of_week)
        };
        let run_on = if yesterday {
            self.holiday.run_on.has(minute)
        } else {
            self.week.run_on.has(of_week)
        };
        if own || run_on {
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
