//! The benchmarks. Owns how variants are measured beside each other and how the result is written
//! down; refuses to be a test: what it prints depends on the machine and on who shares it.
//!
//! A figure alone says little on a machine that others use. So the variants of a benchmark take
//! turns, round by round, a ratio is taken inside each round, and the median of the rounds is
//! quoted with its spread.

mod benchmarks;
mod harness;
mod machine;
mod page;

use std::process::ExitCode;

use crate::benchmarks::{ALL, Benchmark};

/// Says something to whoever started the benchmarks.
#[expect(
    clippy::print_stderr,
    reason = "a chore talks to the terminal; this is its only mouth"
)]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let keep = arguments.is_empty() || arguments.iter().any(|word| word == "--keep");
    let names: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| *word != "--keep")
        .collect();
    let chosen: Vec<&Benchmark> = ALL
        .iter()
        .filter(|benchmark| names.is_empty() || names.contains(&benchmark.name))
        .collect();
    if names.len() > chosen.len() || names.iter().any(|name| name.starts_with('-')) {
        say("cargo xtask bench [--keep] [NAME…]\n");
        for benchmark in ALL {
            say(&format!("{:<14}{}", benchmark.name, benchmark.what));
        }
        return ExitCode::from(2);
    }
    match measure(&chosen, keep) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs the benchmarks one after the other and shows each as soon as it is done.
fn measure(chosen: &[&Benchmark], keep: bool) -> anyhow::Result<()> {
    let machine = machine::describe()?;
    for benchmark in chosen {
        say(&format!("\n== {}: {}", benchmark.name, benchmark.what));
        let report = (benchmark.run)()?;
        let section = page::section(benchmark, &report, &machine);
        say(&section);
        if keep {
            page::keep(benchmark.name, &section)?;
        }
    }
    Ok(())
}
