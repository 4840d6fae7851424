//! From the commit of a deactivation to the last acknowledgement, with as many agents as a large site
//! has. The agents have no disks, and everything is on this machine: what is measured is the
//! server's fan-out, and what its answers cost both ends.
//!
//! The yardstick is a bare fan-out over blocking sockets without TLS; beside it stands one whose
//! answers are signed and verified, because that is what a confirmation is worth.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;

use super::agents::LightAgents;
use super::bare::{Answers, Bare};
use super::served::Served;
use super::site::{Agents, Plan, SiteStore, TWO_DOORS};
use crate::harness::{Bound, Ratio, Report, Round, Unit, late, median, take_turns};

const PEOPLE: usize = 64;
/// By how many callers at once people are imported, and how many each has ready.
const IMPORTERS: usize = 8;
const SLICE: usize = 64;

const FAN_OUT: &str = "bare fan-out";
const SIGNED: &str = "bare fan-out with signed answers";
const COMMIT: &str = "the command answered, which is after its commit";
const SENT: &str = "from the commit to the last acknowledgement sent";
const ARRIVED: &str = "from the commit to the last acknowledgement";
const ON_RECORD: &str = "from the commit to all of them on record";
const LATE: &str = "from the commit to the last acknowledgement, 99th percentile";
const LATE_IMPORT: &str = "the same while people are imported";
const ARRIVED_IMPORT: &str = "its median";
const IMPORT: &str = "people imported meanwhile";

/// Around a hundred agents.
pub(crate) fn hundred() -> anyhow::Result<Report> {
    reach(100, 24, Imports::Also)
}

/// A thousand.
pub(crate) fn thousand() -> anyhow::Result<Report> {
    reach(1_000, 8, Imports::No)
}

/// Whether it is also measured while people are imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Imports {
    Also,
    No,
}

/// With so many agents, and so many samples in a turn.
fn reach(count: u16, samples: usize, imports: Imports) -> anyhow::Result<Report> {
    let served = Served::start(SiteStore::new(Plan {
        doors: count,
        people: PEOPLE,
        agents: Agents::Enrolled,
    })?)?;
    let agents = LightAgents::connect(&served, count)?;
    let plain = RefCell::new(Bare::new(count, Answers::Plain)?);
    let signed = RefCell::new(Bare::new(count, Answers::Signed)?);
    let site = Site {
        served,
        agents,
        count,
        next: Cell::new(0),
    };
    let site = &site;
    let bare = |name, bare: RefCell<Bare>| {
        move |round: &mut Round| {
            let mut took = Vec::new();
            for _ in 0..samples {
                took.push(bare.borrow_mut().once()?);
            }
            round.record(name, Unit::Nanoseconds, median(&mut took));
            Ok(())
        }
    };
    let mut turns: Vec<crate::harness::Turn<'_>> = vec![
        Box::new(bare(FAN_OUT, plain)),
        Box::new(bare(SIGNED, signed)),
        Box::new(move |round| {
            let mut seen = site.samples(samples)?;
            round.record(COMMIT, Unit::Nanoseconds, median(&mut seen.commit));
            round.record(SENT, Unit::Nanoseconds, median(&mut seen.sent));
            round.record(ARRIVED, Unit::Nanoseconds, median(&mut seen.arrived));
            round.record(ON_RECORD, Unit::Nanoseconds, median(&mut seen.on_record));
            round.record(LATE, Unit::Nanoseconds, late(&mut seen.arrived));
            Ok(())
        }),
    ];
    let mut ratios = vec![
        Ratio {
            what: "from the commit to the last acknowledgement beside a bare fan-out",
            of: ARRIVED,
            beside: FAN_OUT,
            bound: Bound::AtMost {
                goal: 2.5,
                aim: 1.6,
            },
        },
        Ratio {
            what: "beside a bare fan-out with signed answers",
            of: ARRIVED,
            beside: SIGNED,
            bound: Bound::Open,
        },
        Ratio {
            what: "what signing and verifying alone cost a bare fan-out",
            of: SIGNED,
            beside: FAN_OUT,
            bound: Bound::Open,
        },
    ];
    if imports == Imports::Also {
        turns.push(Box::new(move |round| site.import(round, samples)));
        ratios.push(Ratio {
            what: "its 99th percentile while people are imported beside that of an idle server",
            of: LATE_IMPORT,
            beside: LATE,
            bound: Bound::AtMost {
                goal: 3.0,
                aim: 3.0,
            },
        });
    }
    Ok(Report {
        measured: take_turns(turns)?,
        ratios,
    })
}

#[derive(Default)]
struct Samples {
    commit: Vec<Duration>,
    sent: Vec<Duration>,
    arrived: Vec<Duration>,
    on_record: Vec<Duration>,
}

struct Site {
    served: Served,
    agents: LightAgents,
    count: u16,
    next: Cell<usize>,
}

impl Site {
    /// Deactivates somebody, and brings them back when every door has answered.
    fn sample(&self, seen: &mut Samples) -> anyhow::Result<()> {
        let site = &self.served.site;
        let user = site.people[self.next.get() % PEOPLE];
        self.next.set(self.next.get() + 1);
        self.agents.watch(user);
        let begun = Instant::now();
        let revision = site.deactivate(user)?;
        let answered = Instant::now();
        let reached = self.agents.reached()?;
        let confirmed = self.served.confirmed(user, revision, self.count)?;
        // The caller may be told later than a door: both wait for the same two cores.
        let committed = answered.min(reached.first_heard);
        seen.commit.push(answered - begun);
        seen.sent.push(reached.last_sent - committed);
        seen.arrived.push(confirmed.arrived - committed);
        seen.on_record.push(confirmed.on_record - committed);
        self.served.answered(user)?;
        self.agents.watch(user);
        let revision = site.reactivate_one(user)?;
        self.agents.reached()?;
        self.served.confirmed(user, revision, self.count)?;
        Ok(())
    }

    /// So many of them, one after the other.
    fn samples(&self, count: usize) -> anyhow::Result<Samples> {
        let mut seen = Samples::default();
        for _ in 0..count {
            self.sample(&mut seen)?;
        }
        Ok(seen)
    }

    /// Deactivates people while others are imported. The import goes on for as long as that takes,
    /// so that a round lasts no longer the slower it is.
    fn import(&self, round: &mut Round, samples: usize) -> anyhow::Result<()> {
        let (site, is_over) = (&self.served.site, AtomicBool::new(false));
        let begun = Instant::now();
        let (seen, imported) = std::thread::scope(|scope| {
            let start = || scope.spawn(|| import_until(&is_over, site));
            let importers: Vec<_> = (0..IMPORTERS).map(|_| start()).collect();
            let seen = self.samples(samples);
            is_over.store(true, Ordering::Release);
            let imported = importers.into_iter().map(|importer| match importer.join() {
                Ok(imported) => imported,
                Err(_) => bail!("an importer panicked"),
            });
            let imported = imported.sum::<anyhow::Result<usize>>()?;
            anyhow::Ok((seen?, imported))
        })?;
        let rate = imported as f64 / begun.elapsed().as_secs_f64();
        let mut arrived = seen.arrived;
        round.record(LATE_IMPORT, Unit::Nanoseconds, late(&mut arrived));
        round.record(ARRIVED_IMPORT, Unit::Nanoseconds, median(&mut arrived));
        round.record(IMPORT, Unit::PerSecond, rate);
        // What is under way to the doors is no part of the next turn.
        self.samples(1)?;
        Ok(())
    }
}

/// Imports people until it is over. Says how many.
fn import_until(is_over: &AtomicBool, site: &SiteStore) -> anyhow::Result<usize> {
    let mut imported = 0;
    loop {
        let (_, commands) = site.creations(SLICE, TWO_DOORS)?;
        for (actor, command) in commands {
            if is_over.load(Ordering::Acquire) {
                return Ok(imported);
            }
            site.execute(actor, command)?;
            imported += 1;
        }
    }
}
