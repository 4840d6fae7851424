//! Schedules as bits, and the clock of a site as a list of offsets.

use crate::parameters::Timestamp;
use crate::policy::{Day, Weekday};

const DAY: usize = 1440;
const WORDS: usize = 2 * DAY / 64;

/// What one day's windows cover: a bit for each minute of the day and of the day after, into
/// which windows over midnight run on.
#[derive(Clone, Debug)]
struct Program([u64; WORDS]);

impl Program {
    const CLOSED: Self = Self([0; WORDS]);

    fn open(&mut self, from: usize, length: usize) {
        for minute in from..(from + length).min(2 * DAY) {
            self.0[minute / 64] |= 1 << (minute % 64);
        }
    }

    fn covers(&self, minute: usize) -> bool {
        self.0
            .get(minute / 64)
            .is_some_and(|word| word >> (minute % 64) & 1 == 1)
    }
}

/// A compiled schedule.
#[derive(Clone, Debug)]
pub(super) struct Hours {
    week: [Program; 7],
    holiday: Program,
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
            week: [const { Program::CLOSED }; 7],
            holiday: Program::CLOSED,
            holidays,
        };
        for (from, length) in weekly {
            let from = usize::from(*from);
            if let Some(program) = hours.week.get_mut(from / DAY) {
                program.open(from % DAY, usize::from(*length));
            }
        }
        for (from, length) in holiday {
            hours.holiday.open(usize::from(*from), usize::from(*length));
        }
        hours
    }

    /// What it says of a local day and minute: a window belongs to the day it starts on, so the
    /// day's own program decides, or what ran on from the day before.
    pub(super) fn at(&self, day: Day, minute: u16) -> Verdict {
        let minute = usize::from(minute);
        let yesterday = Day(day.0.saturating_sub(1));
        if self.program(day).covers(minute) || self.program(yesterday).covers(DAY + minute) {
            Verdict::Open
        } else if self.is_holiday(day) {
            Verdict::ClosedForHoliday
        } else {
            Verdict::Closed
        }
    }

    fn is_holiday(&self, day: Day) -> bool {
        self.holidays.binary_search(&day.0).is_ok()
    }

    fn program(&self, day: Day) -> &Program {
        if self.is_holiday(day) {
            return &self.holiday;
        }
        match day.weekday() {
            Weekday::Monday => &self.week[0],
            Weekday::Tuesday => &self.week[1],
            Weekday::Wednesday => &self.week[2],
            Weekday::Thursday => &self.week[3],
            Weekday::Friday => &self.week[4],
            Weekday::Saturday => &self.week[5],
            Weekday::Sunday => &self.week[6],
        }
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
