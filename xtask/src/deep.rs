//! What is too slow for every change, run by hand; of each proof the last result is kept in
//! `docs/deep.md`, with its commit and date.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::step::{cargo, output_of, run, say, workspace};
use crate::{fuzz, mutants};

/// One slow proof.
struct Proof {
    /// What it is asked for by.
    name: &'static str,
    what: &'static str,
    /// How much, unless something else is asked for.
    size: &'static str,
    how: How,
}

/// How a proof is run.
enum How {
    /// A test that is run every day in small, run here in large: by these arguments of cargo, and
    /// this variable, which says how large.
    Test(&'static str, &'static [&'static str]),
    /// Bytes by coverage, for so many seconds on each decoder.
    Fuzz,
    /// Every change of the code that decides, one at a time.
    Mutants,
}

const PROOFS: [Proof; 8] = [
    Proof {
        name: "kills",
        what: "Server and agents killed at random moments",
        size: "1000",
        how: How::Test("OFFGATE_DEEP_KILLS", &["--test", "program", "kills"]),
    },
    Proof {
        name: "real",
        what: "Processes stopped, killed and cut off while cards are presented",
        size: "20,2000",
        how: How::Test("OFFGATE_DEEP_REAL", &["--test", "program", "real"]),
    },
    Proof {
        name: "link",
        what: "The link by seed: loss, crashes, torn syncs, cut connections",
        size: "20000",
        how: How::Test("OFFGATE_DEEP_SEEDS", &["--test", "link"]),
    },
    Proof {
        name: "simulation",
        what: "Server, doors and network by seed, everything going wrong",
        size: "1000000",
        how: How::Test(
            "OFFGATE_SIMULATION_SEEDS",
            &["--test", "seeds", "--", "--nocapture"],
        ),
    },
    Proof {
        name: "rules",
        what: "Generated sequences of commands against the rules",
        size: "20000",
        how: How::Test("OFFGATE_DEEP_CASES", &["--test", "rules"]),
    },
    Proof {
        name: "tables",
        what: "Generated tables against a naive reading of the policies",
        size: "4000",
        how: How::Test("OFFGATE_DEEP_CASES", &["--test", "door_side"]),
    },
    Proof {
        name: "fuzz",
        what: "Bytes by coverage, seconds on each decoder",
        size: "600",
        how: How::Fuzz,
    },
    Proof {
        name: "mutants",
        what: "Changes of the code that decides, each alone",
        size: "all",
        how: How::Mutants,
    },
];

impl Proof {
    fn run(&self, size: &str) -> anyhow::Result<()> {
        match self.how {
            How::Test(variable, arguments) => run(
                self.what,
                // Of the whole workspace, so that nothing is built a second time.
                cargo(&["test", "--workspace", "--locked"])
                    .args(arguments)
                    .env(variable, size),
            ),
            How::Fuzz => fuzz::all(size),
            How::Mutants => mutants::run_all(),
        }
    }
}

/// What is run, and how much of it.
pub(crate) enum Asked<'a> {
    Everything,
    /// The proof of this name.
    One(&'a str),
    /// That, and how large.
    Sized(&'a str, &'a str),
}

/// Runs what is asked for, and writes down what came of each proof when it has ended.
pub(crate) fn run_asked(asked: &Asked<'_>) -> anyhow::Result<()> {
    let (name, size) = match *asked {
        Asked::Everything => (None, None),
        Asked::One(name) => (Some(name), None),
        Asked::Sized(name, size) => (Some(name), Some(size)),
    };
    let chosen: Vec<&Proof> = PROOFS
        .iter()
        .filter(|proof| name.is_none_or(|name| name == proof.name))
        .collect();
    if chosen.is_empty() {
        let names = PROOFS.map(|proof| proof.name).join(", ");
        bail!("there is no such proof; there are {names}");
    }
    let commit = commit()?;
    let path = workspace().join("docs/deep.md");
    let mut failed = Vec::new();
    for proof in chosen {
        let size = size.unwrap_or(proof.size);
        let begun = Instant::now();
        let result = match proof.run(size) {
            Ok(()) => "passed",
            Err(error) => {
                failed.push(format!("{error:#}"));
                "**failed**"
            }
        };
        let date = output_of(Command::new("date").args(["--utc", "+%Y-%m-%d"]))?;
        let row = format!(
            "{size} | {result} | {} | {} | `{}`",
            begun.elapsed().as_secs(),
            date.trim(),
            commit
        );
        keep(&path, proof.name, &row)?;
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("\n  "));
    }
    Ok(())
}

/// What is run: the commit, and whether anything differs from it but the page that is written here.
fn commit() -> anyhow::Result<String> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        output_of(git.args(arguments).current_dir(workspace()))
    };
    let head = git(&["rev-parse", "--short", "HEAD"])?;
    let changed = [
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        ".",
        ":!docs/deep.md",
    ];
    let dirty = if git(&changed)?.is_empty() {
        ""
    } else {
        "-dirty"
    };
    Ok(format!("{}{dirty}", head.trim()))
}

fn keep(path: &Path, name: &str, row: &str) -> anyhow::Result<()> {
    let before = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    std::fs::write(path, with_row(&before, name, row))
        .with_context(|| path.display().to_string())?;
    say(&format!("written to {}", path.display()));
    Ok(())
}

/// The page, where what was said of a proof is replaced, and what was said of others is kept.
fn with_row(before: &str, name: &str, row: &str) -> String {
    let mut page = "# The last deep runs\n\n\
        By `cargo xtask deep`, which runs all of them, or `cargo xtask deep NAME [HOW-MUCH]` for one.\n\n\
        | Name | What | How much | Result | Seconds | On | At commit |\n|---|---|---|---|---|---|---|\n"
        .to_owned();
    for proof in &PROOFS {
        let beginning = format!("| {} | {} | ", proof.name, proof.what);
        let line = if proof.name == name {
            Some(format!("{beginning}{row} |"))
        } else {
            let mut lines = before.lines();
            lines
                .find(|line| line.starts_with(&beginning))
                .map(str::to_owned)
        };
        if let Some(line) = line {
            page.push_str(&line);
            page.push('\n');
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_of_a_proof_is_replaced_and_of_others_kept() {
        let one = with_row(
            "# Something older\n",
            "link",
            "5 | passed | 1 | today | `a`",
        );
        let two = with_row(&one, "kills", "7 | passed | 1 | today | `a`");
        let three = with_row(&two, "link", "6 | **failed** | 2 | later | `b`");
        let rows: Vec<&str> = three.lines().skip(6).collect();
        assert_eq!(
            rows,
            [
                "| kills | Server and agents killed at random moments | 7 | passed | 1 | today | `a` |",
                "| link | The link by seed: loss, crashes, torn syncs, cut connections | 6 | \
                 **failed** | 2 | later | `b` |",
            ]
        );
    }
}
