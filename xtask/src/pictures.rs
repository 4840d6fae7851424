//! The documentation's pictures: those of the browser tests' that a page of it shows.

use anyhow::Context as _;

use crate::browser;
use crate::step::{cargo, run, say, workspace};

/// Runs the browser tests and takes over every picture that is in the documentation already.
pub(crate) fn take() -> anyhow::Result<()> {
    browser::provide()?;
    let taken = workspace().join("target/pictures");
    let test = [
        "test",
        "--package",
        "offgate",
        "--test",
        "browser",
        "--locked",
    ];
    run(
        "browser tests",
        cargo(&test).env("OFFGATE_PICTURES", &taken),
    )?;
    let kept = workspace().join("docs/pictures");
    for entry in std::fs::read_dir(&kept).context("docs/pictures")? {
        let name = entry?.file_name();
        let from = taken.join(&name);
        std::fs::copy(&from, kept.join(&name)).with_context(|| from.display().to_string())?;
    }
    say("taken over into docs/pictures");
    Ok(())
}
