//! An agent as it ships that was away while a hundred thousand people were created: from its start to
//! the acknowledgement of all of it, durable at the agent and on record at the server.
//!
//! The yardstick copies the same bytes: over a bare socket into a file, which is synced.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use anyhow::{Context as _, bail};
use offgate_core::id::AgentId;
use offgate_core::parameters::Revision;
use offgate_core::records::Records as _;

use super::real_agents::{AgentHost, copy_folder};
use super::served::Served;
use super::site::{Agents, EVERY_DOOR, Plan, SiteStore};
use crate::harness::{Bound, Ratio, Report, Unit, take_turns};

const BEHIND: usize = 100_000;
const CALLERS: usize = 256;

const CATCH_UP: &str =
    "an agent that is 100,000 revisions behind, from its start to its acknowledgement";
const COPY: &str = "copying the same bytes into a file and syncing it";
const BYTES: &str = "bytes of entries it lacks";

pub(crate) fn run() -> anyhow::Result<Report> {
    let served = Served::start(SiteStore::new(Plan {
        doors: 1,
        people: 1_000,
        agents: Agents::Joining,
    })?)?;
    let host = AgentHost::new()?;
    let running = host.start(&served, 0)?;
    AgentHost::enrolled(&served, 1)?;
    let agents = served.site.store.read().agents()?;
    let agent = agents.first().context("it has enrolled")?.id;
    let before = served.site.store.read().head()?;
    acknowledged(&served, agent, before)?;
    host.stop(running)?;
    let kept = host.folder(1);
    copy_folder(&host.folder(0), &kept)?;
    served.site.create(BEHIND, EVERY_DOOR, CALLERS)?;
    let changes = served.site.store.read().table_since(agent, Some(before))?;
    let puts = changes.context("it has a table")?.puts;
    let bytes: usize = puts.iter().map(|(_, entry)| entry.len()).sum();
    let (served_here, host) = (&served, &host);
    let measured = take_turns(vec![
        Box::new(move |round| {
            round.record(BYTES, Unit::Bytes, bytes as f64);
            round.record(COPY, Unit::Nanoseconds, copy(bytes)?);
            Ok(())
        }),
        Box::new(move |round| {
            let served = served_here;
            copy_folder(&kept, &host.folder(0))?;
            // One revision more, which it cannot have acknowledged before.
            served.site.create(1, EVERY_DOOR, 1)?;
            let head = served.site.store.read().head()?;
            let begun = Instant::now();
            let running = host.start(served, 0)?;
            acknowledged(served, agent, head)?;
            let took = begun.elapsed().as_nanos() as f64;
            round.record(CATCH_UP, Unit::Nanoseconds, took);
            host.stop(running)
        }),
    ])?;
    Ok(Report {
        measured,
        ratios: vec![Ratio {
            what: "catching up with 100,000 revisions beside copying the same bytes",
            of: CATCH_UP,
            beside: COPY,
            bound: Bound::Open,
        }],
    })
}

/// Waits until an agent has acknowledged this revision.
fn acknowledged(served: &Served, agent: AgentId, revision: Revision) -> anyhow::Result<()> {
    let mut heard = served.site.store.heard();
    while served
        .site
        .store
        .read()
        .acknowledged(agent)?
        .is_none_or(|it| it < revision)
    {
        served.wait_for(async {
            heard.changed().await?;
            Ok(())
        })?;
    }
    Ok(())
}

/// Sends so many bytes over a socket into a file and syncs it; says how long that took.
fn copy(bytes: usize) -> anyhow::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let sent = scope.spawn(move || {
            let mut stream = TcpStream::connect(address)?;
            let mut left = bytes;
            let block = vec![7; 64 * 1024];
            while left > 0 {
                let some = left.min(block.len());
                stream.write_all(&block[..some])?;
                left -= some;
            }
            std::io::Result::Ok(())
        });
        let (mut stream, _) = listener.accept()?;
        let mut file: File = tempfile::tempfile_in(crate::machine::build_folder())?;
        let mut block = vec![0; 64 * 1024];
        loop {
            let read = stream.read(&mut block)?;
            if read == 0 {
                break;
            }
            file.write_all(&block[..read])?;
        }
        file.sync_data()?;
        match sent.join() {
            Ok(sent) => sent?,
            Err(_) => bail!("the sender panicked"),
        }
        anyhow::Ok(())
    })?;
    Ok(begun.elapsed().as_nanos() as f64)
}
