//! An agent that missed 100,000 changes, from its start until the server has its acknowledgement of
//! the last one: it reads its files, connects, receives what it lacks, applies it, makes it durable
//! and signs.
//!
//! The yardstick moves the same bytes: through a bare connection on loopback into a file, and one
//! sync.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use offgate_core::id::AgentId;
use offgate_core::parameters::Revision;

use super::real_agents::AgentHost;
use super::served::{PATIENCE, Served};
use super::site::{Agents, EVERY_DOOR, Plan, SiteStore};
use crate::harness::{Bound, Ratio, Report, Unit, take_turns};

/// How many changes the agent missed.
const BEHIND: u64 = 100_000;
/// How many people are there before, and how many come at a time.
const PEOPLE: usize = 1_000;
const CALLERS: usize = 256;

const COPY: &str = "the same bytes through a bare connection into a file, and one sync";
const CAUGHT_UP: &str = "from the agent's start to its acknowledgement";
const BYTES: &str = "entries that it lacks";

pub(crate) fn run() -> anyhow::Result<Report> {
    let served = Served::start(SiteStore::new(Plan {
        doors: 1,
        people: PEOPLE,
        agents: Agents::Joining,
    })?)?;
    let host = AgentHost::new()?;
    let agent = host.start(&served, 0)?;
    AgentHost::enrolled(&served, 1)?;
    let (site, id) = (&served.site, only_agent(&served)?);
    let next = Cell::new(0);
    let change = || {
        let user = site.people[next.get() % PEOPLE];
        next.set(next.get() + 1);
        site.deactivate(user)
    };
    let before = change()?;
    acknowledged(&served, id, before)?;
    host.stop(agent)?;
    let behind = host.keep_folder(0)?;
    while site.store.read().head()?.number() < before.number() + BEHIND {
        site.create(PEOPLE, EVERY_DOOR, CALLERS)?;
    }
    let lacking = lacking(&served, id, before)?;
    let (served, host, lacking, change) = (&served, &host, &lacking, &change);
    let measured = take_turns(vec![
        Box::new(move |round| {
            round.record(COPY, Unit::Nanoseconds, copy(lacking)?.as_nanos() as f64);
            Ok(())
        }),
        Box::new(move |round| {
            // A change that no acknowledgement on record covers yet.
            let last = change()?;
            host.put_folder_back(0, &behind)?;
            let begun = Instant::now();
            let agent = host.start(served, 0)?;
            acknowledged(served, id, last)?;
            round.record(
                CAUGHT_UP,
                Unit::Nanoseconds,
                begun.elapsed().as_nanos() as f64,
            );
            round.record(BYTES, Unit::Bytes, lacking.len() as f64);
            host.stop(agent)
        }),
    ])?;
    Ok(Report {
        measured,
        ratios: vec![Ratio {
            what: "an agent that missed 100,000 changes, beside moving the same bytes",
            of: CAUGHT_UP,
            beside: COPY,
            bound: Bound::Open,
        }],
    })
}

fn only_agent(served: &Served) -> anyhow::Result<AgentId> {
    use offgate_core::records::Records as _;
    let agents = served.site.store.read().agents()?;
    Ok(agents.first().context("no agent")?.id)
}

/// Waits until an agent's acknowledgement of a change is on record.
fn acknowledged(served: &Served, agent: AgentId, change: Revision) -> anyhow::Result<()> {
    let store = &served.site.store;
    let mut heard = store.heard();
    let begun = Instant::now();
    while store
        .read()
        .acknowledged(agent)?
        .is_none_or(|last| last < change)
    {
        ensure!(begun.elapsed() < PATIENCE, "the agent does not catch up");
        served.wait_for(async {
            heard.changed().await?;
            Ok(())
        })?;
    }
    Ok(())
}

/// The entries that an agent lacks which has those of this revision.
fn lacking(served: &Served, agent: AgentId, has: Revision) -> anyhow::Result<Vec<u8>> {
    let changes = served.site.store.read().table_since(agent, Some(has))?;
    let puts = changes.context("no table")?.puts;
    Ok(puts.into_iter().flat_map(|(_, entry)| entry).collect())
}

/// Moves bytes through a connection into a file, and syncs it.
fn copy(bytes: &[u8]) -> anyhow::Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut file = tempfile::tempfile_in(crate::machine::build_folder())?;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let sender = scope.spawn(move || TcpStream::connect(address)?.write_all(bytes));
        receive(&listener, &mut file)?;
        match sender.join() {
            Ok(sent) => Ok(sent?),
            Err(_) => bail!("the sender panicked"),
        }
    })?;
    Ok(begun.elapsed())
}

fn receive(listener: &TcpListener, file: &mut File) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    let mut part = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut part)?;
        if read == 0 {
            return file.sync_data();
        }
        file.write_all(&part[..read])?;
    }
}
