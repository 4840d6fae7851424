//! How many seeds of the simulation one thread runs in a second. There is nothing to put beside it:
//! it says what a million of them take.

use std::cell::Cell;
use std::time::Instant;

use anyhow::bail;
use offgate_simulation::{Telling, run as simulate};

use crate::harness::{Report, Unit, take_turns};

/// Seeds in a round: enough that the long ones and the short ones are all among them.
const SEEDS: u64 = 40;

const RATE: &str = "seeds run by one thread";

pub(crate) fn run() -> anyhow::Result<Report> {
    let next = Cell::new(0);
    let measured = take_turns(vec![Box::new(|round| {
        let first = next.replace(next.get() + SEEDS);
        let begun = Instant::now();
        for seed in first..first + SEEDS {
            if let Some(broken) = simulate(seed, None, Telling::Silent).broken {
                bail!("{broken}");
            }
        }
        let rate = SEEDS as f64 / begun.elapsed().as_secs_f64();
        round.record(RATE, Unit::PerSecond, rate);
        Ok(())
    })])?;
    Ok(Report {
        measured,
        ratios: Vec::new(),
    })
}
