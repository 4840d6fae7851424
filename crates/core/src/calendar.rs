//! Local time: zones, days, and how an instant is written for people.
//!
//! The time-zone database is the one built into the program. It is asked here, on the server; a
//! door's table carries the offsets it will need, so that no database decides at a door.

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::parameters::Timestamp;
use crate::place::ZoneName;
use crate::policy::{Day, Weekday};
use crate::text::TextError;

/// The name of a zone built into this program, if this is one.
pub(crate) fn zone(name: &str) -> Option<&str> {
    let known = name.contains('/') || name == "UTC";
    if known && TimeZone::get(name).is_ok() {
        Some(name)
    } else {
        None
    }
}

fn time_zone(zone: &ZoneName) -> TimeZone {
    // A `ZoneName` was found in the same database when it was made.
    TimeZone::get(zone.as_str()).unwrap_or(TimeZone::UTC)
}

/// Every zone's name, in order, to choose from.
#[must_use]
pub fn zone_names() -> Vec<String> {
    jiff::tz::db()
        .available()
        .map(|name| name.as_str().to_owned())
        .filter(|name| name.contains('/') || name == "UTC")
        .collect()
}

impl Day {
    /// The day with this date of the Gregorian calendar, from year 1970 to 9998.
    #[must_use]
    pub fn from_date(year: i16, month: i8, day: i8) -> Option<Self> {
        if !(1970..=9998).contains(&year) {
            return None;
        }
        civil::Date::new(year, month, day)
            .ok()
            .map(Self::from_civil)
    }

    /// Reads `2026-11-23`.
    ///
    /// # Errors
    /// Not a date, or not written so.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let shape = TextError::Shape("a date looks like 2026-11-23");
        let mut parts = text.trim().split('-');
        let (Some(year), Some(month), Some(day), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(shape);
        };
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !(digits(year) && digits(month) && digits(day)) {
            return Err(shape);
        }
        match (year.parse(), month.parse(), day.parse()) {
            (Ok(year), Ok(month), Ok(day)) => Self::from_date(year, month, day).ok_or(shape),
            _ => Err(shape),
        }
    }

    fn from_civil(date: civil::Date) -> Self {
        Self(
            date.duration_since(civil::date(1970, 1, 1))
                .as_hours()
                .div_euclid(24) as i32,
        )
    }

    fn civil(self) -> civil::Date {
        civil::date(1970, 1, 1)
            .checked_add(jiff::SignedDuration::from_hours(i64::from(self.0) * 24))
            .unwrap_or(if self.0 < 0 {
                civil::Date::MIN
            } else {
                civil::Date::MAX
            })
    }

    /// Year, month and day of the month.
    #[must_use]
    pub fn date(self) -> (i16, i8, i8) {
        let date = self.civil();
        (date.year(), date.month(), date.day())
    }

    /// The day of the week.
    #[must_use]
    pub fn weekday(self) -> Weekday {
        // 1970-01-01 was a Thursday.
        Weekday::ALL[(i64::from(self.0) + 3).rem_euclid(7) as usize]
    }

    /// The same date of another year; none for 29 February of a common year.
    #[must_use]
    pub fn in_year(self, year: i16) -> Option<Self> {
        let (_, month, day) = self.date();
        Self::from_date(year, month, day)
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = self.date();
        write!(formatter, "{year:04}-{month:02}-{day:02}")
    }
}

/// Reads `17:02` as the minute of the day; `24:00` is its end.
///
/// # Errors
/// Not a time, or not written so.
pub fn parse_minute(text: &str) -> Result<u16, TextError> {
    let shape = TextError::Shape("a time looks like 17:30");
    let (hours, minutes) = text.trim().split_once(':').ok_or(shape)?;
    let number = |text: &str| match text.len() {
        1..=2 if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse::<u16>().ok(),
        _ => None,
    };
    match (number(hours), number(minutes)) {
        (Some(24), Some(0)) => Ok(24 * 60),
        (Some(hours @ 0..=23), Some(minutes @ 0..=59)) => Ok(hours * 60 + minutes),
        _ => Err(shape),
    }
}

/// Which side of a gap or a repeated hour a local time stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The start of something: of two candidates the later, so that nothing opens too early.
    Start,
    /// The end of something: of two candidates the earlier, so that nothing stays open too long.
    End,
}

/// The instant of a local day and minute (0 to 1,440) in a zone. Where the clocks skip the time or
/// repeat it, `edge` chooses between the two readings.
#[must_use]
pub fn instant(zone: &ZoneName, day: Day, minute: u16, edge: Edge) -> Timestamp {
    let (day, minute) = (
        Day(day.0.saturating_add(i32::from(minute / 1440))),
        minute % 1440,
    );
    let local = day
        .civil()
        .at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
    let time_zone = time_zone(zone);
    let ambiguous = time_zone.to_ambiguous_timestamp(local);
    let (earlier, later) = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => (offset, offset),
        // East of the other, an offset puts the same local time earlier.
        AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
            (before.max(after), before.min(after))
        }
    };
    let offset = match edge {
        Edge::Start => later,
        Edge::End => earlier,
    };
    offset.to_timestamp(local).map_or_else(
        |_| Timestamp::from_microseconds(i64::MAX),
        |at| Timestamp::from_microseconds(at.as_microsecond()),
    )
}

/// The end of a local day: the midnight after it.
#[must_use]
pub fn end_of_day(zone: &ZoneName, day: Day) -> Timestamp {
    instant(zone, day, 1440, Edge::End)
}

fn zoned(zone: &ZoneName, at: Timestamp) -> jiff::Zoned {
    nearest(at).to_zoned(time_zone(zone))
}

/// The instant, or the first or last that has a date.
fn nearest(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.microseconds()).unwrap_or(if at.microseconds() < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    })
}

/// The local day and minute of an instant.
#[must_use]
pub fn local(zone: &ZoneName, at: Timestamp) -> (Day, u16) {
    let zoned = zoned(zone, at);
    let minute =
        u16::try_from(zoned.hour()).unwrap_or(0) * 60 + u16::try_from(zoned.minute()).unwrap_or(0);
    (Day::from_civil(zoned.date()), minute)
}

/// "23 Nov 2026, 17:02:14 CET".
#[must_use]
pub fn write_full(zone: &ZoneName, at: Timestamp) -> String {
    zoned(zone, at)
        .strftime("%-d %b %Y, %H:%M:%S %Z")
        .to_string()
}

/// "23 Nov 2026, 17:02".
#[must_use]
pub fn write_minute(zone: &ZoneName, at: Timestamp) -> String {
    zoned(zone, at).strftime("%-d %b %Y, %H:%M").to_string()
}

/// "23 Nov 2026".
#[must_use]
pub fn write_day(zone: &ZoneName, at: Timestamp) -> String {
    zoned(zone, at).strftime("%-d %b %Y").to_string()
}

/// "17:02:14", or with the date in front when it is another day than that of `now`.
#[must_use]
pub fn write_time(zone: &ZoneName, at: Timestamp, now: Timestamp) -> String {
    let (then, today) = (zoned(zone, at), zoned(zone, now));
    let format = if then.date() == today.date() {
        "%H:%M:%S"
    } else {
        "%-d %b, %H:%M:%S"
    };
    then.strftime(format).to_string()
}

/// "2026-11-23T16:02:14.25Z": RFC 3339 in UTC, for machines that know of no zone.
#[must_use]
pub fn write_utc(at: Timestamp) -> String {
    nearest(at).to_string()
}

/// "2026-11-23T17:02:14+01:00", for machines.
#[must_use]
pub fn write_rfc3339(zone: &ZoneName, at: Timestamp) -> String {
    zoned(zone, at).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// "20261123T160214Z", for names of files: they sort as the moments do.
#[must_use]
pub fn write_stamp(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.microseconds())
        .unwrap_or(jiff::Timestamp::MAX)
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string()
}

/// Reads what [`write_stamp`] wrote.
#[must_use]
pub fn read_stamp(text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    let at = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp::from_microseconds(at.as_microsecond()))
}

/// The year of an instant, in UTC.
#[must_use]
pub fn year(at: Timestamp) -> i16 {
    jiff::Timestamp::from_microsecond(at.microseconds())
        .unwrap_or(jiff::Timestamp::MAX)
        .to_zoned(TimeZone::UTC)
        .year()
}

/// How many years the calendars at the doors cover.
pub const YEARS: i16 = 5;

/// A zone's offsets over the years that calendars cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// Seconds east of UTC before the first change.
    pub first: i32,
    /// Changes in order: the instant in seconds since 1970, and the offset from then on.
    pub changes: Vec<(i64, i32)>,
}

/// The offsets of a zone from the start of `from_year` (UTC) for [`YEARS`] years.
#[must_use]
pub fn offsets(zone: &ZoneName, from_year: i16) -> Offsets {
    let time_zone = time_zone(zone);
    let start_of = |year: i16| {
        civil::date(year.clamp(1970, 9990), 1, 1)
            .to_zoned(TimeZone::UTC)
            .map_or(jiff::Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
    };
    let (start, end) = (
        start_of(from_year),
        start_of(from_year.saturating_add(YEARS)),
    );
    let changes = time_zone
        .following(start)
        .take_while(|transition| transition.timestamp() < end)
        .take(64)
        .map(|transition| {
            (
                transition.timestamp().as_second(),
                transition.offset().seconds(),
            )
        })
        .collect();
    Offsets {
        first: time_zone.to_offset(start).seconds(),
        changes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> ZoneName {
        ZoneName::parse("Europe/Berlin").expect("a zone")
    }

    #[test]
    fn moments_in_names_sort_as_they_are() {
        let at = |seconds| write_stamp(Timestamp::from_seconds(seconds));
        assert_eq!(at(1_790_000_000), "20260921T141320Z");
        assert!(at(9) < at(10));
        for seconds in [0, 9, 1_790_000_000] {
            assert_eq!(
                read_stamp(&at(seconds)),
                Some(Timestamp::from_seconds(seconds))
            );
        }
        assert_eq!(read_stamp("20261301T000000Z"), None);
    }

    #[test]
    fn days_are_dates() {
        let day = Day::from_date(2026, 11, 23).expect("a date");
        assert_eq!(
            (day.0, day.weekday(), day.to_string()),
            (20_780, Weekday::Monday, "2026-11-23".to_owned())
        );
        assert_eq!(Day::parse("2026-11-23"), Ok(day));
        assert_eq!(
            Day::from_date(2024, 2, 29).expect("a date").in_year(2025),
            None
        );
        for text in [
            "",
            "2026-13-01",
            "2026-02-30",
            "23.11.2026",
            "2026-11-23-1",
            "+2026-1-1",
            "99999-01-01",
        ] {
            assert!(Day::parse(text).is_err(), "{text}");
        }
        // Never a panic, wherever the day is.
        for number in [i32::MIN, -1, 0, i32::MAX] {
            let _ = (
                Day(number).date(),
                Day(number).weekday(),
                Day(number).to_string(),
            );
        }
    }

    #[test]
    fn gaps_and_repeated_hours_are_read_on_the_safe_side() {
        // 2026-03-29 02:30 does not exist in Berlin, 2026-10-25 02:30 exists twice.
        let spring = Day::from_date(2026, 3, 29).expect("a date");
        let autumn = Day::from_date(2026, 10, 25).expect("a date");
        let utc = |day: Day, minute: i64| {
            Timestamp::from_seconds(i64::from(day.0) * 86_400 + minute * 60)
        };
        for (day, edge, minute_utc) in [
            (spring, Edge::End, 30),
            (spring, Edge::Start, 90),
            (autumn, Edge::End, 30),
            (autumn, Edge::Start, 90),
        ] {
            assert_eq!(
                instant(&berlin(), day, 150, edge),
                utc(day, minute_utc),
                "{day} {edge:?}"
            );
        }
        assert_eq!(end_of_day(&berlin(), spring), utc(Day(spring.0), 22 * 60));
    }

    #[test]
    fn instants_are_written_in_the_zone() {
        let at = Timestamp::from_seconds(1_795_449_734);
        assert_eq!(write_full(&berlin(), at), "23 Nov 2026, 17:02:14 CET");
        assert_eq!(write_time(&berlin(), at, at), "17:02:14");
        assert_eq!(write_rfc3339(&berlin(), at), "2026-11-23T17:02:14+01:00");
        assert_eq!(local(&berlin(), at), (Day(20_780), 17 * 60 + 2));
        let _ = write_full(&berlin(), Timestamp::from_microseconds(i64::MAX));
        let _ = write_full(&berlin(), Timestamp::from_microseconds(i64::MIN));
    }

    #[test]
    fn a_zone_changes_twice_a_year_or_never() {
        assert_eq!(offsets(&berlin(), 2026).changes.len(), 10);
        let utc = ZoneName::parse("UTC").expect("a zone");
        assert_eq!(
            offsets(&utc, 2026),
            Offsets {
                first: 0,
                changes: vec![]
            }
        );
        assert!(ZoneName::parse("Mars/Olympus").is_err());
        assert!(zone_names().len() > 300);
    }
}
