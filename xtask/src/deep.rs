//! What is too slow for every change, run by hand; the last result is kept in `docs/deep.md` with
//! its commit and date.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::step::{cargo, output_of, run, say, workspace};
use crate::{fuzz, mutants};

/// One slow proof: a test that is run every day in small, run here in large.
struct Proof {
    what: &'static str,
    /// Says how large; the test reads it.
    variable: &'static str,
    size: &'static str,
    test: &'static [&'static str],
}

const PROOFS: [Proof; 6] = [
    Proof {
        what: "Server and agents killed at random moments",
        variable: "OFFGATE_DEEP_KILLS",
        size: "1000",
        test: &["test", "-p", "offgate", "--test", "program", "kills"],
    },
    Proof {
        what: "Processes stopped, killed and cut off while cards are presented",
        variable: "OFFGATE_DEEP_REAL",
        size: "20,2000",
        test: &["test", "-p", "offgate", "--test", "program", "real"],
    },
    Proof {
        what: "The link by seed: loss, crashes, torn syncs, cut connections",
        variable: "OFFGATE_DEEP_SEEDS",
        size: "20000",
        test: &["test", "-p", "offgate-link", "--test", "link"],
    },
    Proof {
        what: "Server, doors and network by seed, everything going wrong",
        variable: "OFFGATE_SIMULATION_SEEDS",
        size: "20000",
        test: &["test", "-p", "offgate-simulation", "--test", "seeds"],
    },
    Proof {
        what: "Generated sequences of commands against the rules",
        variable: "OFFGATE_DEEP_CASES",
        size: "20000",
        test: &["test", "-p", "offgate-core", "--test", "rules"],
    },
    Proof {
        what: "Generated tables against a naive reading of the policies",
        variable: "OFFGATE_DEEP_CASES",
        size: "4000",
        test: &["test", "-p", "offgate-core", "--test", "door_side"],
    },
];

/// How long bytes are tried on each decoder, in seconds.
const FUZZ_SECONDS: &str = "600";

/// Runs so many seeds of the simulation, and says how often each situation came up.
pub(crate) fn simulate(seeds: &str) -> anyhow::Result<()> {
    let arguments = [
        "test",
        "--workspace",
        "--locked",
        "--test",
        "seeds",
        "--",
        "--nocapture",
    ];
    run(
        "the simulation by seed",
        cargo(&arguments).env("OFFGATE_SIMULATION_SEEDS", seeds),
    )
}

/// Runs every proof, then writes down what came of it.
pub(crate) fn run_all() -> anyhow::Result<()> {
    let commit = output_of(
        Command::new("git")
            .args(["describe", "--always", "--dirty"])
            .current_dir(workspace()),
    )?;
    let date = output_of(Command::new("date").args(["--utc", "+%Y-%m-%d"]))?;
    let mut page = format!(
        "# The last deep run\n\nBy `cargo xtask deep` on {} at commit `{}`.\n\n\
         | What | How much | Result | Seconds |\n|---|---|---|---|\n",
        date.trim(),
        commit.trim(),
    );
    let mut failed = Vec::new();
    let mut row = |what: &str, size: &str, proof: &dyn Fn() -> anyhow::Result<()>| {
        let begun = Instant::now();
        let word = match proof() {
            Ok(()) => "passed",
            Err(error) => {
                failed.push(format!("{error:#}"));
                "**failed**"
            }
        };
        let seconds = begun.elapsed().as_secs();
        writeln!(page, "| {what} | {size} | {word} | {seconds} |")
    };
    for proof in &PROOFS {
        let Proof {
            what,
            variable,
            size,
            test,
        } = proof;
        row(what, &format!("`{variable}={size}`"), &|| {
            run(what, cargo(test).env(variable, size))
        })?;
    }
    let targets = fuzz::build()?;
    for name in &targets.names {
        let what = format!("Bytes by coverage for the decoders of {name}");
        let size = format!("{FUZZ_SECONDS} s");
        row(&what, &size, &|| targets.try_for(name, FUZZ_SECONDS))?;
    }
    row(
        "Changes of the code that decides",
        "each alone",
        &mutants::run_all,
    )?;
    let path = workspace().join("docs/deep.md");
    std::fs::write(&path, page).with_context(|| path.display().to_string())?;
    say(&format!("written to {}", path.display()));
    if !failed.is_empty() {
        bail!("{}", failed.join("\n  "));
    }
    Ok(())
}
