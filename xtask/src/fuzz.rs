//! Bytes that nobody wrote, thought up by coverage: libFuzzer over every decoder, without a nightly
//! compiler.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use crate::step::{cargo, output_of, run, workspace};

/// How the compiler marks which ways the code takes, as libFuzzer reads it.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";
/// The longest input, in bytes: a few times the longest seed.
const LONGEST: u32 = 16 * 1024;
/// How long one input may take, in seconds.
const PATIENCE: u32 = 10;

/// Builds the targets.
///
/// # Errors
/// They cannot be built: this needs a C++ compiler.
pub(crate) fn build() -> anyhow::Result<Targets> {
    let version = output_of(Command::new("rustc").arg("-vV"))?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc does not say for what it builds")?;
    let folder = workspace().join("target/fuzz");
    let arguments = [
        "build",
        "--locked",
        "--package",
        "offgate-fuzz",
        "--features",
        "libfuzzer",
        "--bin",
        "fuzz",
        // What runs while it is built is built without the marks.
        "--target",
        host,
    ];
    let mut build = cargo(&arguments);
    build
        .arg("--target-dir")
        .arg(&folder)
        .env("RUSTFLAGS", COVERAGE);
    run("the fuzz targets", &mut build)?;
    let program = folder.join(host).join("debug/fuzz");
    let names = output_of(&mut Command::new(&program))?;
    Ok(Targets {
        names: names.lines().map(str::to_owned).collect(),
        program,
        folder,
    })
}

/// What was built.
pub(crate) struct Targets {
    /// The names of the targets.
    pub(crate) names: Vec<String>,
    program: PathBuf,
    folder: PathBuf,
}

impl Targets {
    /// Tries bytes on a target for so many seconds, beginning with what was of use before. What
    /// breaks it is kept in `target/fuzz/found`.
    ///
    /// # Errors
    /// Something that must hold did not.
    pub(crate) fn try_for(&self, name: &str, seconds: &str) -> anyhow::Result<()> {
        let inputs = self.folder.join("inputs").join(name);
        let found = self.folder.join("found");
        for folder in [&inputs, &found] {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let mut fuzz = Command::new(&self.program);
        fuzz.env("OFFGATE_FUZZ", name)
            .env("OFFGATE_FUZZ_SEEDS", &inputs)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={LONGEST}"))
            .arg(format!("-timeout={PATIENCE}"))
            .arg("-print_final_stats=1")
            .arg(format!("-artifact_prefix={}/{name}-", found.display()))
            .arg(&inputs);
        run(&format!("bytes for {name}"), &mut fuzz)
    }
}

/// Tries bytes on every target for so many seconds.
///
/// # Errors
/// As [`build`] and [`Targets::try_for`].
pub(crate) fn all(seconds: &str) -> anyhow::Result<()> {
    let targets = build()?;
    targets
        .names
        .iter()
        .try_for_each(|name| targets.try_for(name, seconds))
}
