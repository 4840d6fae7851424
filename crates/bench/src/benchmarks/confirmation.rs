//! From the command that deactivates somebody to the last acknowledgement: twelve agents as they
//! ship, each with its files on this machine's disk, and the server, over TLS with both ends known.
//!
//! The yardstick is the least that it takes: the commit, one sync at an agent, and a bare fan-out to
//! as many. All that is measured comes after a moment of rest, as a deactivation does.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use super::bare::{Answers, Bare};
use super::real_agents::AgentHost;
use super::served::Served;
use super::site::{Agents, Plan, SiteStore};
use crate::harness::{Bound, Ratio, Report, Unit, median, take_turns};

const DOORS: u16 = 12;
const PEOPLE: usize = 1_000;
/// How often in a round.
const SAMPLES: usize = 40;
/// What a disk and a kernel need to come to rest.
const REST: Duration = Duration::from_millis(5);

const COMMIT: &str = "the command answered, which is after its commit";
const SYNC: &str = "overwrite of 4 KiB and fdatasync";
const FAN_OUT: &str = "bare fan-out to 12";
const LEAST: &str = "commit, one sync and the bare fan-out";
const ARRIVED: &str = "from the command to the last acknowledgement";
const ON_RECORD: &str = "from the command to all of them on record";

pub(crate) fn run() -> anyhow::Result<Report> {
    let served = Served::start(SiteStore::new(Plan {
        doors: DOORS,
        people: PEOPLE,
        agents: Agents::Joining,
    })?)?;
    let host = AgentHost::new()?;
    let agents = (0..DOORS)
        .map(|number| host.start(&served, number))
        .collect::<anyhow::Result<Vec<_>>>()?;
    AgentHost::enrolled(&served, DOORS)?;
    let file = tempfile::tempfile_in(crate::machine::build_folder())?;
    file.write_all_at(&[1; 4096], 0)?;
    file.sync_all()?;
    let bare = RefCell::new(Bare::new(DOORS, Answers::Plain)?);
    let (sync, fan_out) = (Cell::new(0.0), Cell::new(0.0));
    let next = Cell::new(0);
    let (served_here, sync, fan_out) = (&served, &sync, &fan_out);
    let measured = take_turns(vec![
        Box::new(move |round| {
            sync.set(each(|| overwrite(&file))?);
            round.record(SYNC, Unit::Nanoseconds, sync.get());
            Ok(())
        }),
        Box::new(move |round| {
            fan_out.set(each(|| bare.borrow_mut().once())?);
            round.record(FAN_OUT, Unit::Nanoseconds, fan_out.get());
            Ok(())
        }),
        Box::new(move |round| {
            let served = served_here;
            let (mut commits, mut arrived, mut on_record) = (vec![], vec![], vec![]);
            for _ in 0..SAMPLES {
                let user = served.site.people[next.get() % PEOPLE];
                next.set(next.get() + 1);
                rest();
                let begun = Instant::now();
                let revision = served.site.deactivate(user)?;
                commits.push(begun.elapsed());
                let confirmed = served.confirmed(user, revision, DOORS)?;
                arrived.push(confirmed.arrived - begun);
                on_record.push(confirmed.on_record - begun);
                served.answered(user)?;
                let revision = served.site.reactivate_one(user)?;
                served.confirmed(user, revision, DOORS)?;
            }
            let commit = median(&mut commits);
            round.record(COMMIT, Unit::Nanoseconds, commit);
            let least = commit + sync.get() + fan_out.get();
            round.record(LEAST, Unit::Nanoseconds, least);
            round.record(ARRIVED, Unit::Nanoseconds, median(&mut arrived));
            round.record(ON_RECORD, Unit::Nanoseconds, median(&mut on_record));
            Ok(())
        }),
    ])?;
    agents.into_iter().try_for_each(|agent| host.stop(agent))?;
    Ok(Report {
        measured,
        ratios: vec![
            Ratio {
                what: "from the command to the last of 12 durable acknowledgements beside the least \
                       that it takes",
                of: ARRIVED,
                beside: LEAST,
                bound: Bound::AtMost {
                    goal: 3.0,
                    aim: 2.0,
                },
            },
            Ratio {
                what: "until all of them are on record too",
                of: ON_RECORD,
                beside: LEAST,
                bound: Bound::Open,
            },
        ],
    })
}

/// Lets disk and kernel come to rest before something is measured.
#[expect(
    clippy::disallowed_methods,
    reason = "there is nothing to wait for but time"
)]
fn rest() {
    std::thread::sleep(REST);
}

/// The median of what is measured after a rest each.
fn each(mut once: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<f64> {
    let mut took = Vec::new();
    for _ in 0..SAMPLES {
        rest();
        took.push(once()?);
    }
    Ok(median(&mut took))
}

fn overwrite(file: &File) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    file.write_all_at(&[2; 4096], 0)?;
    file.sync_data()?;
    Ok(begun.elapsed())
}
