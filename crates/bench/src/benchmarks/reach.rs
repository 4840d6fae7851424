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
use crate::harness::{Bound, ROUNDS, Ratio, Report, Round, Unit, late, median, take_turns};

const PEOPLE: usize = 64;
/// How many people are imported in all rounds together, and by how many callers at once.
const IMPORTED: usize = 100_000;
const IMPORTERS: usize = 8;

const FAN_OUT: &str = "bare fan-out";
const SIGNED: &str = "bare fan-out with signed answers";
const COMMIT: &str = "the command answered, which is after its commit";
const SENT: &str = "from the commit to the last acknowledgement sent";
const ARRIVED: &str = "from the commit to the last acknowledgement";
const ON_RECORD: &str = "from the commit to all of them on record";
const LATE: &str = "from the commit to the last acknowledgement, 99th percentile";
const LATE_IMPORT: &str = "the same while 100,000 people are imported";
const ARRIVED_IMPORT: &str = "its median";
const IMPORT: &str = "people imported meanwhile";

/// Around a hundred agents.
pub(crate) fn hundred() -> anyhow::Result<Report> {
    reach(100, 40, IMPORTED)
}

/// A thousand.
pub(crate) fn thousand() -> anyhow::Result<Report> {
    reach(1_000, 8, 0)
}

/// With so many agents, so many samples in a round, and so many people imported.
fn reach(count: u16, samples: usize, imported: usize) -> anyhow::Result<Report> {
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
            let mut seen = Samples::default();
            for _ in 0..samples {
                site.sample(&mut seen)?;
            }
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
    ];
    if imported > 0 {
        turns.push(Box::new(move |round| site.import(round, imported)));
        ratios.push(Ratio {
            what: "its 99th percentile while 100,000 people are imported beside that of an idle \
                   server",
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

    /// Deactivates people for as long as a share of the import takes.
    fn import(&self, round: &mut Round, imported: usize) -> anyhow::Result<()> {
        let site = &self.served.site;
        let share = imported.div_ceil(ROUNDS + 1);
        let (_, commands) = site.creations(share, TWO_DOORS)?;
        let is_over = AtomicBool::new(false);
        let mut seen = Samples::default();
        let begun = Instant::now();
        let took = std::thread::scope(|scope| {
            let import = scope.spawn(|| {
                let done = site.all_by(IMPORTERS, commands);
                is_over.store(true, Ordering::Release);
                done.map(|()| begun.elapsed())
            });
            while !is_over.load(Ordering::Acquire) {
                self.sample(&mut seen)?;
            }
            match import.join() {
                Ok(took) => took,
                Err(_) => bail!("an importer panicked"),
            }
        })?;
        round.record(LATE_IMPORT, Unit::Nanoseconds, late(&mut seen.arrived));
        round.record(ARRIVED_IMPORT, Unit::Nanoseconds, median(&mut seen.arrived));
        let rate = share as f64 / took.as_secs_f64();
        round.record(IMPORT, Unit::PerSecond, rate);
        Ok(())
    }
}
