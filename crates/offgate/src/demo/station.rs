//! What stands beside the doors of the demo: an agent's process, the wire between it and the
//! server, and what its readers answered last.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use offgate_agent::reader::simulated::{self, PresentError};
use offgate_agent::reader::{Answer, At};
use offgate_agent::status::Status;
use offgate_core::credential::CredentialKind;

use super::process::AgentProcess;
use super::wire::{Switch, Wire};

/// How long an agent may take to end when it is asked to.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// One agent and its doors.
#[derive(Debug)]
pub(super) struct Station {
    /// What it is called.
    pub(super) name: &'static str,
    /// Its doors.
    pub(super) doors: &'static [&'static str],
    data: PathBuf,
    process: tokio::sync::Mutex<Option<AgentProcess>>,
    switch: Switch,
    answers: Mutex<BTreeMap<String, Result<Answer, String>>>,
}

impl Station {
    /// An agent that was started, and its wire.
    pub(super) fn new(
        name: &'static str,
        doors: &'static [&'static str],
        process: AgentProcess,
        switch: Switch,
    ) -> Self {
        Self {
            name,
            doors,
            data: process.data().to_owned(),
            process: tokio::sync::Mutex::new(Some(process)),
            switch,
            answers: Mutex::default(),
        }
    }

    /// Its folder.
    pub(super) fn data(&self) -> &std::path::Path {
        &self.data
    }

    /// Presents something at one of its readers, and keeps the answer for the page.
    pub(super) async fn present(&self, at: At, kind: CredentialKind, value: String) {
        let door = at.door.clone();
        let answer = self.offer(at, kind, value).await;
        self.answers().insert(door, answer);
    }

    /// Presents something at one of its readers.
    pub(super) async fn offer(
        &self,
        at: At,
        kind: CredentialKind,
        value: String,
    ) -> Result<Answer, String> {
        let data = self.data.clone();
        let asked =
            tokio::task::spawn_blocking(move || simulated::present(&data, at, kind, &value)).await;
        match asked {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(PresentError::NotUnderstood(words))) => Err(words),
            Ok(Err(PresentError::NoAgent(_) | PresentError::NoAnswer(_))) | Err(_) => {
                Err("The reader is dark: its agent is not running just now.".to_owned())
            }
        }
    }

    /// What the door answered last.
    pub(super) fn answer(&self, door: &str) -> Option<Result<Answer, String>> {
        self.answers().get(door).cloned()
    }

    fn answers(&self) -> MutexGuard<'_, BTreeMap<String, Result<Answer, String>>> {
        // A panic while an answer is noted leaves the others as good as they were.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the agent says it is; none if it says nothing.
    pub(super) async fn status(&self) -> Option<Status> {
        let data = self.data.clone();
        tokio::task::spawn_blocking(move || simulated::status(&data))
            .await
            .ok()?
            .ok()
    }

    /// Whether its wire is whole.
    pub(super) fn wire(&self) -> Wire {
        self.switch.state()
    }

    /// Cuts or mends its wire.
    pub(super) fn set_wire(&self, wire: Wire) {
        self.switch.set(wire);
    }

    /// Kills its process, as a power cut would, and starts it again.
    pub(super) async fn kill_and_restart(&self) -> std::io::Result<()> {
        match &mut *self.process.lock().await {
            Some(process) => process.kill_and_restart().await,
            None => Ok(()),
        }
    }

    /// Ends its process for good.
    pub(super) async fn end(&self) {
        if let Some(process) = self.process.lock().await.take() {
            process.end(PATIENCE).await;
        }
    }
}
