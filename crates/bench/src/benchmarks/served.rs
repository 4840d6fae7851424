//! The site's server as it ships: TLS on loopback, a conversation for each agent, the schedule.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use offgate_core::id::UserId;
use offgate_core::parameters::{Revision, Timestamp};
use offgate_server::{Running, ServerSettings};
use offgate_store::DATABASE_FILE;
use rusqlite::{Connection, OpenFlags, params};
use tokio::runtime::Runtime;

use super::site::SiteStore;

/// Far longer than anything here takes; a bound for a benchmark that hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How many threads a runtime has: the server has one of its own, and so have the agents.
pub(crate) const WORKERS: usize = 2;

/// A site whose server runs.
pub(crate) struct Served {
    /// The site.
    pub(crate) site: SiteStore,
    runtime: Runtime,
    running: Option<Running>,
    /// What is on record, read beside the server.
    records: Connection,
}

impl Served {
    /// Starts the server of a site.
    pub(crate) fn start(site: SiteStore) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let settings = ServerSettings {
            data: site.directory().to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            http: None,
            certificate: None,
            backups: None,
            demo: None,
        };
        let running = runtime.block_on(offgate_server::start(
            settings,
            Arc::clone(&site.keys),
            site.store.clone(),
            site.clock.clone(),
            site.randomness.clone(),
        ))?;
        Ok(Self {
            records: records(site.directory())?,
            site,
            runtime,
            running: Some(running),
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.running.as_ref().context("it runs")?.address())
    }

    /// Waits until so many doors have confirmed a change, as every page then says. Says when the
    /// last of their acknowledgements came to the store, and when it was on record.
    pub(crate) fn confirmed(
        &self,
        user: UserId,
        revision: Revision,
        doors: u16,
    ) -> anyhow::Result<Confirmed> {
        let mut heard = self.site.store.heard();
        let mut statement = self.records.prepare_cached(
            "SELECT count(confirmed_at), max(confirmed_at) FROM confirmation \
             WHERE user = ?1 AND revision = ?2",
        )?;
        let begun = Instant::now();
        loop {
            let number = i64::try_from(revision.number())?;
            let (confirmed, last): (u16, Option<i64>) = statement
                .query_row(params![user.as_bytes(), number], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            if let Some(last) = last.filter(|_| confirmed == doors) {
                let last = Timestamp::from_microseconds(last);
                return Ok(Confirmed {
                    arrived: self.site.clock.instant(last),
                    on_record: Instant::now(),
                });
            }
            ensure!(
                begun.elapsed() < PATIENCE,
                "{confirmed} of {doors} doors confirmed"
            );
            self.wait_for(async {
                heard.changed().await?;
                anyhow::Ok(())
            })?;
        }
    }

    /// Waits until every door has answered what it was asked about somebody.
    pub(crate) fn answered(&self, user: UserId) -> anyhow::Result<()> {
        let mut heard = self.site.store.heard();
        let begun = Instant::now();
        let mut open = self
            .records
            .prepare_cached("SELECT count(*) FROM question WHERE user = ?1")?;
        loop {
            let left: u32 = open.query_row(params![user.as_bytes()], |row| row.get(0))?;
            if left == 0 {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "{left} doors do not answer");
            self.wait_for(async {
                heard.changed().await?;
                anyhow::Ok(())
            })?;
        }
    }

    /// Waits for something, not for ever.
    pub(crate) fn wait_for<T>(
        &self,
        what: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.runtime.block_on(async {
            match tokio::time::timeout(PATIENCE, what).await {
                Ok(done) => done,
                Err(_) => bail!("nothing happened for {PATIENCE:?}"),
            }
        })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }
}

/// When doors had confirmed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confirmed {
    /// When the last acknowledgement had been verified and came to the store, to be written.
    pub(crate) arrived: Instant,
    /// When it was committed and seen by somebody who reads.
    pub(crate) on_record: Instant,
}

/// A runtime with threads of its own.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?)
}

fn records(directory: &Path) -> anyhow::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let records = Connection::open_with_flags(directory.join(DATABASE_FILE), flags)?;
    records.busy_timeout(Duration::from_secs(5))?;
    Ok(records)
}
