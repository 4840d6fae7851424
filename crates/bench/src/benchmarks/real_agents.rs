//! Agents as they ship, with their threads and files on a real disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use offgate_agent::clock::KernelBootClock;
use offgate_agent::strike::SimulatedStrike;
use offgate_agent::{AgentError, EVENTS_KEPT, Parameters, ReaderKind, Settings};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::served::{Served, runtime};

/// Where agents run and have their folders.
pub(crate) struct AgentHost {
    runtime: Runtime,
    folder: tempfile::TempDir,
}

/// An agent that runs.
pub(crate) struct RealAgent {
    stop: CancellationToken,
    running: JoinHandle<Result<(), AgentError>>,
}

impl AgentHost {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            runtime: runtime()?,
            folder: tempfile::tempdir_in(crate::machine::build_folder())?,
        })
    }

    /// The folder of the agent with this number.
    fn folder(&self, number: u16) -> PathBuf {
        self.folder.path().join(number.to_string())
    }

    /// Keeps what an agent that does not run has in its folder. Says where.
    pub(crate) fn keep_folder(&self, number: u16) -> anyhow::Result<PathBuf> {
        let kept = self.folder.path().join(format!("{number}-kept"));
        std::fs::create_dir(&kept)?;
        copy_files(&self.folder(number), &kept)?;
        Ok(kept)
    }

    /// Gives an agent that does not run what was kept, in place of what it has.
    pub(crate) fn put_folder_back(&self, number: u16, kept: &Path) -> anyhow::Result<()> {
        let folder = self.folder(number);
        for file in std::fs::read_dir(&folder)? {
            std::fs::remove_file(file?.path())?;
        }
        copy_files(kept, &folder)
    }

    /// Starts an agent, which joins with the token of its door if it has not.
    pub(crate) fn start(&self, served: &Served, number: u16) -> anyhow::Result<RealAgent> {
        let token = served.site.tokens.get(usize::from(number));
        let settings = Settings {
            data: self.folder(number),
            servers: vec![served.address()?.to_string()],
            token: Some(token.context("a door without a token")?.clone()),
            reader: ReaderKind::None,
            events_kept: EVENTS_KEPT,
        };
        let parameters = Parameters {
            clock: served.site.clock.clone(),
            boot_clock: Arc::new(KernelBootClock),
            randomness: served.site.randomness.clone(),
            strike: Arc::new(SimulatedStrike::default()),
        };
        let stop = CancellationToken::new();
        let run = offgate_agent::run(settings, parameters, stop.clone());
        Ok(RealAgent {
            stop,
            running: self.runtime.spawn(run),
        })
    }

    /// Stops an agent and waits for its end.
    pub(crate) fn stop(&self, agent: RealAgent) -> anyhow::Result<()> {
        agent.stop.cancel();
        self.runtime.block_on(agent.running)??;
        Ok(())
    }

    /// Waits until so many agents have enrolled.
    pub(crate) fn enrolled(served: &Served, count: u16) -> anyhow::Result<()> {
        use offgate_core::records::Records as _;
        let mut changed = served.site.store.changed();
        while served.site.store.read().agents()?.len() < usize::from(count) {
            served.wait_for(async {
                changed.changed().await?;
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Copies files into a folder that has none of them.
fn copy_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    for file in std::fs::read_dir(from)? {
        let file = file?;
        std::fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}
