//! How fast people who were deactivated were refused, at this very site.

use std::fmt::Write as _;
use std::time::Duration;

/// How far back deactivations count.
pub const COUNTED: Duration = Duration::from_secs(90 * 24 * 3600);

/// From deactivations to the confirmation of the last door that was connected when each was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed {
    /// How many deactivations this is made of.
    pub deactivations: usize,
    /// Half of them took no longer.
    pub median: Duration,
    /// Of a hundred, 99 took no longer.
    pub most: Duration,
    /// None took longer.
    pub longest: Duration,
}

impl Speed {
    /// What these times come to; none if there are none. Each figure is a time that was measured:
    /// the smallest that no less than that share of the others exceeds (nearest rank).
    #[must_use]
    pub fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let rank = |hundredths: usize| {
            let rank = (times.len() * hundredths).div_ceil(100);
            times.get(rank.checked_sub(1)?).copied()
        };
        Some(Self {
            deactivations: times.len(),
            median: rank(50)?,
            most: rank(99)?,
            longest: rank(100)?,
        })
    }

    /// It as a sentence. Times are rounded up, so that it claims no more than was measured.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut sentence = format!(
            "Deactivated people were refused at the last connected door within {} (median), {} (99 of \
             100), {} at most; ",
            written(self.median),
            written(self.most),
            written(self.longest)
        );
        let _ = match self.deactivations {
            1 => write!(sentence, "1 deactivation in 90 days."),
            count => write!(sentence, "{count} deactivations in 90 days."),
        };
        sentence
    }
}

/// A time, rounded up: to hundredths of a second below one, to tenths below ten.
fn written(time: Duration) -> String {
    let up = |unit: u128| time.as_micros().div_ceil(unit);
    match time.as_secs() {
        0 if up(10_000) < 100 => match up(10_000).max(1) {
            hundredths if hundredths.is_multiple_of(10) => format!("0.{} s", hundredths / 10),
            hundredths => format!("0.{hundredths:02} s"),
        },
        0..10 => {
            let tenths = up(100_000);
            match tenths % 10 {
                0 => format!("{} s", tenths / 10),
                rest => format!("{}.{rest} s", tenths / 10),
            }
        }
        10..120 => format!("{} s", up(1_000_000)),
        120..7200 => format!("{} min", up(60_000_000)),
        _ => format!("{} h", up(3_600_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(milliseconds: impl IntoIterator<Item = u64>) -> Option<Speed> {
        Speed::of(
            milliseconds
                .into_iter()
                .map(Duration::from_millis)
                .collect(),
        )
    }

    #[test]
    fn figures_are_times_that_were_measured() {
        assert_eq!(of([]), None);
        // (times, median, 99 of 100, longest)
        for (times, expected) in [
            (vec![7], [7, 7, 7]),
            (vec![9, 1], [1, 9, 9]),
            (vec![3, 1, 2], [2, 3, 3]),
            ((1..=100).collect(), [50, 99, 100]),
            ((1..=101).rev().collect(), [51, 100, 101]),
            ((1..=1000).collect(), [500, 990, 1000]),
        ] {
            let speed = of(times.clone()).expect("a speed");
            let found = [speed.median, speed.most, speed.longest];
            assert_eq!(found, expected.map(Duration::from_millis), "{times:?}");
            assert_eq!(speed.deactivations, times.len());
        }
    }

    #[test]
    fn the_sentence_claims_no_more_than_was_measured() {
        let speed = Speed {
            deactivations: 41,
            median: Duration::from_micros(391_000),
            most: Duration::from_micros(1_110_000),
            longest: Duration::from_micros(3_000_000),
        };
        assert_eq!(
            speed.sentence(),
            "Deactivated people were refused at the last connected door within 0.4 s (median), 1.2 s \
             (99 of 100), 3 s at most; 41 deactivations in 90 days."
        );
        for (microseconds, expected) in [
            (0, "0.01 s"),
            (1, "0.01 s"),
            (990_000, "0.99 s"),
            (990_001, "1 s"),
            (9_900_001, "10 s"),
            (10_000_001, "11 s"),
            (120_000_000, "2 min"),
            (7_200_000_001, "3 h"),
        ] {
            assert_eq!(written(Duration::from_micros(microseconds)), expected);
        }
    }
}
