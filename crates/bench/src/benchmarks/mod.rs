//! What is measured.

mod audit;
mod changes;
mod deactivation;
mod decision;
mod random;
mod site;

use crate::harness::Report;

/// One benchmark.
pub(crate) struct Benchmark {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it measures beside what.
    pub(crate) what: &'static str,
    /// Measures.
    pub(crate) run: fn() -> anyhow::Result<Report>,
}

/// Every benchmark, in the order in which all are run.
pub(crate) const ALL: &[Benchmark] = &[
    Benchmark {
        name: "decision",
        what: "the door's decision beside the same work without the look-up",
        run: decision::run,
    },
    Benchmark {
        name: "changes",
        what: "one change of a table beside building it, and what its look-up takes",
        run: changes::run,
    },
    Benchmark {
        name: "deactivation",
        what: "a durable deactivation beside the disk, and many at once",
        run: deactivation::run,
    },
    Benchmark {
        name: "audit",
        what: "verifying a log of a million entries beside reading it",
        run: audit::run,
    },
];
