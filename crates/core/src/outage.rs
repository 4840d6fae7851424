//! When agents were not heard, and what a shorter time on their own would have meant for their doors.

use std::time::Duration;

use crate::parameters::Timestamp;

/// How far back outages are kept and count.
pub const COUNTED: Duration = Duration::from_secs(90 * 24 * 3600);
/// The shortest outage that is kept: no limit of a door is shorter.
pub const SHORTEST: Duration = Duration::from_secs(10);
/// The most outages that are kept of one agent, the latest.
pub const KEPT: usize = 1000;

/// A time during which an agent was not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When it had been heard last.
    pub from: Timestamp,
    /// When it was heard again; none if it has not been yet.
    pub until: Option<Timestamp>,
}

/// What is on record of an agent's outages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outages {
    /// Since when all of at least [`SHORTEST`] are on record; none if the agent was never heard.
    pub since: Option<Timestamp>,
    /// They, in the order in which they began.
    pub all: Vec<Outage>,
}

impl Outages {
    /// How many of the outages that count now outlasted a limit: a door with it would have ended its
    /// time on its own in them. One that goes on counts as far as it has come.
    #[must_use]
    pub fn outlasting(&self, limit: Duration, now: Timestamp) -> usize {
        let since = now.minus(COUNTED);
        let counted = self.all.iter().filter(|outage| {
            let until = outage.until.unwrap_or(now);
            until > since && until.since(outage.from) >= limit
        });
        counted.count()
    }

    /// What that number says of a door, before its limit becomes `limit`: "Your outages of the last
    /// 90 days would have closed Front door twice." None if nothing is known.
    #[must_use]
    pub fn sentence(&self, door: &str, limit: Duration, now: Timestamp) -> Option<String> {
        let known_for = now.since(self.since?);
        let window = if known_for >= COUNTED {
            "of the last 90 days".to_owned()
        } else {
            match known_for.as_secs() / (24 * 3600) {
                0 => "so far (on record for less than a day)".to_owned(),
                1 => "of the last day (nothing older is on record)".to_owned(),
                days => format!("of the last {days} days (nothing older is on record)"),
            }
        };
        Some(match self.outlasting(limit, now) {
            0 => format!("None of your outages {window} would have closed {door}."),
            1 => format!("Your outages {window} would have closed {door} once."),
            2 => format!("Your outages {window} would have closed {door} twice."),
            many => format!("Your outages {window} would have closed {door} {many} times."),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn outage(from: i64, until: Option<i64>) -> Outage {
        Outage {
            from: at(from),
            until: until.map(at),
        }
    }

    #[test]
    fn outages_that_outlast_a_limit_are_counted() {
        let now = 100 * DAY;
        let outages = Outages {
            since: Some(at(0)),
            all: vec![
                // Over before the time that counts.
                outage(DAY, Some(3 * DAY)),
                // Reaches into it.
                outage(9 * DAY, Some(10 * DAY + 1)),
                outage(50 * DAY, Some(50 * DAY + HOUR)),
                outage(60 * DAY, Some(60 * DAY + 2 * HOUR)),
                // Goes on.
                outage(now - HOUR / 2, None),
            ],
        };
        // (limit in seconds, how many)
        for (limit, expected) in [
            (10, 4),
            (HOUR / 2, 4),
            (HOUR / 2 + 1, 3),
            (HOUR, 3),
            (HOUR + 1, 2),
            (2 * HOUR, 2),
            (DAY, 1),
            (DAY + 1, 1),
            (DAY + 2, 0),
        ] {
            let limit = Duration::from_secs(limit.unsigned_abs());
            assert_eq!(outages.outlasting(limit, at(now)), expected, "{limit:?}");
        }
    }

    #[test]
    fn the_sentence_claims_nothing_of_a_time_that_is_not_on_record() {
        let limit = Duration::from_secs(900);
        let all = |number| (0..number).map(|it| outage(it * HOUR, Some(it * HOUR + 900)));
        let told = |since: Option<i64>, number, now| {
            let outages = Outages {
                since: since.map(at),
                all: all(number).collect(),
            };
            outages.sentence("Front door", limit, at(now))
        };
        assert_eq!(told(None, 0, 100 * DAY), None);
        for (since, number, now, expected) in [
            (
                0,
                2,
                90 * DAY,
                "Your outages of the last 90 days would have closed Front door twice.",
            ),
            (
                DAY,
                0,
                100 * DAY,
                "None of your outages of the last 90 days would have closed Front door.",
            ),
            (
                0,
                1,
                12 * DAY + HOUR,
                "Your outages of the last 12 days (nothing older is on record) would have closed \
                 Front door once.",
            ),
            (
                0,
                3,
                DAY - 1,
                "Your outages so far (on record for less than a day) would have closed Front door \
                 3 times.",
            ),
        ] {
            assert_eq!(told(Some(since), number, now).as_deref(), Some(expected));
        }
    }
}
