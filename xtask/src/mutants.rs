//! Changes of the code on which a door's decision rests, one at a time: each has to be noticed by a
//! test. Which code that is, and which changes change nothing, is in `.cargo/mutants.toml`.

use anyhow::Context as _;

use crate::step::{cargo, run};

/// Tries every change. Fails if a test misses one.
pub(crate) fn run_all() -> anyhow::Result<()> {
    let arguments = [
        "mutants",
        "--workspace",
        "--no-shuffle",
        // An endless loop has been noticed too, but not as fast as a wrong answer.
        "--timeout",
        "60",
        "--output",
        "target",
    ];
    run(
        "changes that a test must notice",
        cargo(&arguments).env("CARGO_PROFILE_DEV_DEBUG", "0"),
    )
    .context("`cargo install --locked cargo-mutants` installs what this needs; what it says is in target/mutants.out")
}
