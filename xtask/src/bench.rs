//! The benchmarks, built as the program ships and run one after the other.

use crate::step::{cargo, run};

/// Runs the benchmarks with these names, or all.
pub(crate) fn run_named(names: &[&str]) -> anyhow::Result<()> {
    let mut arguments = vec![
        "run",
        "--release",
        "--locked",
        "--package",
        "offgate-bench",
        "--",
    ];
    arguments.extend(names);
    run("benchmarks", &mut cargo(&arguments))
}
