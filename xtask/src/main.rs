//! The chores of the project, run as `cargo xtask …`: tests, checks, and proofs too slow for every
//! day. Owns how they are run; refuses to know what the product does.

mod bench;
mod browser;
mod deep;
mod dependencies;
mod directions;
mod fuzz;
mod mutants;
mod named_tests;
mod pictures;
mod step;

use std::process::ExitCode;

use crate::step::{cargo, say};

const HELP: &str = "\
cargo xtask test    everything the tests need on a fresh machine, then every test
cargo xtask check   format, lints, licences and sources of dependencies, documentation
cargo xtask ci      check, then test: what must hold before a change is taken
cargo xtask deep [NAME [HOW-MUCH]]  what is too slow for that; results are kept in docs/deep.md
cargo xtask fuzz [SECONDS]  bytes by coverage for every decoder, a minute each or so long
cargo xtask mutants  changes of the code that decides, each of which a test must notice
cargo xtask bench [NAME…]  ratios to what the machine can do; kept in docs/performance.md
cargo xtask pictures  the documentation's pictures, taken anew by the browser tests";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["test"] => test(),
        ["check"] => check(),
        ["ci"] => check().and_then(|()| test()),
        ["deep"] => deep::run_asked(&deep::Asked::Everything),
        ["deep", name] => deep::run_asked(&deep::Asked::One(name)),
        ["deep", name, size] => deep::run_asked(&deep::Asked::Sized(name, size)),
        ["fuzz"] => fuzz::all("60"),
        ["fuzz", seconds] => fuzz::all(seconds),
        ["mutants"] => mutants::run_all(),
        ["bench", names @ ..] => bench::run_named(names),
        ["pictures"] => pictures::take(),
        ["help" | "--help" | "-h"] => {
            say(HELP);
            Ok(())
        }
        _ => {
            say(HELP);
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Every test of every crate, in the development profile, examples in the documentation included.
fn test() -> anyhow::Result<()> {
    browser::provide()?;
    step::run(
        "every test",
        &mut cargo(&["test", "--workspace", "--locked"]),
    )
}

/// What can be said of the code without running it. `RUSTFLAGS` stays the same throughout, so that
/// no step throws away what another has built.
fn check() -> anyhow::Result<()> {
    step::run("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    let lints = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "--deny",
        "warnings",
    ];
    step::run("lints", &mut cargo(&lints))?;
    step::announce("licences and sources of dependencies");
    dependencies::check()?;
    step::announce("direction of dependencies");
    directions::check()?;
    step::announce("tests that documents name");
    named_tests::check(step::workspace())?;
    let documentation = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ];
    step::run(
        "documentation",
        cargo(&documentation).env("RUSTDOCFLAGS", "--deny warnings"),
    )
}
