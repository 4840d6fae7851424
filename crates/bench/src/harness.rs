//! Rounds in which variants take turns, and what is said of them.

use std::time::{Duration, Instant};

use crate::say;

/// Rounds that count. The one before them warms up and is thrown away.
pub(crate) const ROUNDS: usize = 7;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// How long one of it takes, in nanoseconds.
    Nanoseconds,
    /// How many there are in a second.
    PerSecond,
    /// Memory or disk.
    Bytes,
}

impl Unit {
    /// A value as a person reads it, to three digits.
    pub(crate) fn write(self, value: f64) -> String {
        let steps: &[(f64, &str)] = match self {
            Self::Nanoseconds => &[(1.0, " ns"), (1e3, " µs"), (1e6, " ms"), (1e9, " s")],
            Self::PerSecond => &[(1.0, " /s"), (1e3, " thousand/s"), (1e6, " million/s")],
            Self::Bytes => &[(1.0, " B"), (1024.0, " KiB"), (1_048_576.0, " MiB")],
        };
        let fits = steps.iter().rev().find(|(from, _)| value >= *from);
        let (scale, name) = fits.unwrap_or(&steps[0]);
        format!("{}{name}", digits(value / scale))
    }
}

/// A number to three digits.
pub(crate) fn digits(value: f64) -> String {
    let places = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => 5,
    };
    format!("{value:.places$}")
}

/// What was measured in one round.
#[derive(Debug, Default)]
pub(crate) struct Round(Vec<(&'static str, Unit, f64)>);

impl Round {
    /// Notes a figure under its name.
    pub(crate) fn record(&mut self, name: &'static str, unit: Unit, value: f64) {
        self.0.push((name, unit, value));
    }

    fn get(&self, name: &str) -> Option<f64> {
        let found = self.0.iter().find(|(other, ..)| *other == name);
        found.map(|(.., value)| *value)
    }
}

/// A variant's turn in a round: it does its work for a moment and notes what it measured.
pub(crate) type Turn<'a> = Box<dyn FnMut(&mut Round) -> anyhow::Result<()> + 'a>;

/// Lets every variant have its turn in each round, and keeps the rounds that count.
///
/// # Errors
/// That of the first turn that fails.
pub(crate) fn take_turns(mut variants: Vec<Turn<'_>>) -> anyhow::Result<Measured> {
    let mut rounds = Vec::new();
    for number in 0..=ROUNDS {
        let mut round = Round::default();
        for turn in &mut variants {
            turn(&mut round)?;
        }
        if number > 0 {
            rounds.push(round);
        }
        say(&format!("round {number} of {ROUNDS}"));
    }
    Ok(Measured(rounds))
}

/// Does `work` for about `duration`, looking at the clock once in `chunk` times. Gives the
/// nanoseconds each took.
pub(crate) fn nanoseconds_each(duration: Duration, chunk: u32, mut work: impl FnMut()) -> f64 {
    let begun = Instant::now();
    let mut done = 0_u64;
    loop {
        for _ in 0..chunk {
            work();
        }
        done += u64::from(chunk);
        let passed = begun.elapsed();
        if passed >= duration {
            return passed.as_nanos() as f64 / done as f64;
        }
    }
}

/// The middle one of some durations, in nanoseconds.
pub(crate) fn median(took: &mut [Duration]) -> f64 {
    at(took, took.len() / 2)
}

/// What 99 in a hundred did not exceed, in nanoseconds; of fewer, the longest.
pub(crate) fn late(took: &mut [Duration]) -> f64 {
    at(took, took.len() * 99 / 100)
}

fn at(took: &mut [Duration], place: usize) -> f64 {
    took.sort_unstable();
    took.get(place).map_or(f64::NAN, |it| it.as_nanos() as f64)
}

/// All rounds of a benchmark.
#[derive(Debug)]
pub(crate) struct Measured(Vec<Round>);

impl Measured {
    /// Every figure, in the order in which the first round noted them.
    pub(crate) fn figures(&self) -> Vec<(&'static str, Unit, Spread)> {
        let first = self.0.first().map_or(&[][..], |round| &round.0);
        let spread = |name| Spread::of(self.0.iter().filter_map(|round| round.get(name)));
        first
            .iter()
            .filter_map(|(name, unit, _)| Some((*name, *unit, spread(name)?)))
            .collect()
    }

    /// One figure divided by another, inside each round.
    pub(crate) fn ratio(&self, of: &str, beside: &str) -> Option<Spread> {
        let inside = |round: &Round| Some(round.get(of)? / round.get(beside)?);
        Spread::of(self.0.iter().filter_map(inside))
    }
}

/// The median of some rounds and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The middle one.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) least: f64,
    /// The largest.
    pub(crate) most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: *values.get(values.len() / 2)?,
            least: *values.first()?,
            most: *values.last()?,
        })
    }
}

/// Where a ratio should lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// Not above the goal, and better not above the aim.
    AtMost {
        /// Missing it is a defect.
        goal: f64,
        /// Reaching it is good.
        aim: f64,
    },
    /// Not below the goal, and better not below the aim.
    AtLeast {
        /// Missing it is a defect.
        goal: f64,
        /// Reaching it is good.
        aim: f64,
    },
    /// Nothing is asked of it.
    Open,
}

impl Bound {
    /// Goal, aim, and how a median stands to them, as a page says it.
    pub(crate) fn judge(self, median: f64) -> (String, String, &'static str) {
        let (sign, goal, aim, reached): (_, _, _, fn(f64, f64) -> bool) = match self {
            Self::AtMost { goal, aim } => ("≤", goal, aim, |is, bound| is <= bound),
            Self::AtLeast { goal, aim } => ("≥", goal, aim, |is, bound| is >= bound),
            Self::Open => return (String::new(), String::new(), ""),
        };
        let word = if reached(median, aim) {
            "aim reached"
        } else if reached(median, goal) {
            "goal reached"
        } else {
            "**missed**"
        };
        let write = |bound| format!("{sign} {}", digits(bound));
        (write(goal), write(aim), word)
    }
}

/// A ratio that a benchmark is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    /// What it compares, in words.
    pub(crate) what: &'static str,
    /// The figure above the line.
    pub(crate) of: &'static str,
    /// The figure below the line, the yardstick.
    pub(crate) beside: &'static str,
    /// Where it should lie.
    pub(crate) bound: Bound,
}

/// What came of a benchmark.
#[derive(Debug)]
pub(crate) struct Report {
    /// The rounds.
    pub(crate) measured: Measured,
    /// The ratios it is about.
    pub(crate) ratios: Vec<Ratio>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_inside_each_round() {
        let mut machine = [1.0, 10.0, 1.0, 1.0, 5.0, 1.0, 1.0, 1.0].into_iter();
        let slowness = std::cell::Cell::new(0.0);
        let measured = take_turns(vec![
            Box::new(|round| {
                slowness.set(machine.next().expect("a round more"));
                round.record("work", Unit::Nanoseconds, 30.0 * slowness.get());
                Ok(())
            }),
            Box::new(|round| {
                round.record("yardstick", Unit::Nanoseconds, 20.0 * slowness.get());
                Ok(())
            }),
        ])
        .expect("measured");
        let ratio = measured.ratio("work", "yardstick").expect("a ratio");
        assert_eq!((ratio.least, ratio.median, ratio.most), (1.5, 1.5, 1.5));
        let (name, _, spread) = measured.figures()[0];
        assert_eq!((name, spread.least, spread.most), ("work", 30.0, 300.0));
        assert!(measured.ratio("work", "nothing").is_none());
    }

    #[test]
    fn a_bound_is_judged_in_its_direction() {
        let most = Bound::AtMost {
            goal: 2.5,
            aim: 2.0,
        };
        assert_eq!(most.judge(2.0).2, "aim reached");
        assert_eq!(most.judge(2.5).2, "goal reached");
        assert_eq!(most.judge(2.6).2, "**missed**");
        let least = Bound::AtLeast {
            goal: 8.0,
            aim: 12.0,
        };
        assert_eq!(least.judge(12.0).2, "aim reached");
        assert_eq!(least.judge(7.9).2, "**missed**");
        assert_eq!(least.judge(9.0).0, "≥ 8.00");
    }

    #[test]
    fn figures_are_written_to_three_digits() {
        for (unit, value, text) in [
            (Unit::Nanoseconds, 108.4, "108 ns"),
            (Unit::Nanoseconds, 2_345_678.0, "2.35 ms"),
            (Unit::PerSecond, 63_320.0, "63.3 thousand/s"),
            (Unit::Bytes, 22.61, "22.6 B"),
        ] {
            assert_eq!(unit.write(value), text);
        }
    }
}
