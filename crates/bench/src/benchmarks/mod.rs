//! What is measured.

mod agents;
mod audit;
mod bare;
mod catch_up;
mod changes;
mod confirmation;
mod deactivation;
mod decision;
mod proofs;
mod random;
mod reach;
mod real_agents;
mod seeds;
mod served;
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
        name: "confirmation",
        what: "a deactivation until 12 agents have confirmed it, beside the least that it takes",
        run: confirmation::run,
    },
    Benchmark {
        name: "reach-100",
        what: "a deactivation reaching 100 agents, also during an import, beside a bare fan-out",
        run: reach::hundred,
    },
    Benchmark {
        name: "reach-1000",
        what: "a deactivation reaching 1,000 agents, beside a bare fan-out",
        run: reach::thousand,
    },
    Benchmark {
        name: "catch-up",
        what: "an agent that missed 100,000 changes catching up, beside moving the same bytes",
        run: catch_up::run,
    },
    Benchmark {
        name: "proofs",
        what: "proofs that twelve doors refuse somebody, made and verified",
        run: proofs::run,
    },
    Benchmark {
        name: "seeds",
        what: "seeds of the simulation",
        run: seeds::run,
    },
    Benchmark {
        name: "audit",
        what: "verifying a log of a million entries beside reading it",
        run: audit::run,
    },
];
