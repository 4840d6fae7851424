//! What stands beside the doors of the demo: an agent's process, the wire between it and the
//! server, and what its readers answered last.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use offgate_agent::reader::simulated::{self, PresentError};
use offgate_agent::reader::{Answer, At};
use offgate_agent::status::Status;
use offgate_core::credential::CredentialKind;
use offgate_core::door_position::Position;
use offgate_core::place::Direction;

use super::process::AgentProcess;
use super::wire::{Switch, Wire};

/// How long an agent may take to end when it is asked to.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// What was presented at a door last, and what the door answered.
#[derive(Clone, Debug)]
pub(super) struct Passage {
    /// At the reader on which side.
    pub(super) direction: Direction,
    /// A PIN, a card or a plate.
    pub(super) kind: CredentialKind,
    /// Which.
    pub(super) value: String,
    /// The answer, or why there is none.
    pub(super) answer: Result<Answer, String>,
}

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
    passages: Mutex<BTreeMap<String, Passage>>,
    /// What the contact of each door said last.
    positions: Mutex<BTreeMap<String, Position>>,
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
            passages: Mutex::default(),
            positions: Mutex::default(),
        }
    }

    /// Its folder.
    pub(super) fn data(&self) -> &std::path::Path {
        &self.data
    }

    /// Presents something at one of its readers, and keeps the answer for the page.
    pub(super) async fn present(&self, at: At, kind: CredentialKind, value: String) {
        let (door, direction) = (at.door.clone(), at.direction);
        let answer = self.offer(at, kind, value.clone()).await;
        let passage = Passage {
            direction,
            kind,
            value,
            answer,
        };
        self.passages().insert(door, passage);
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

    /// What was presented at a door last.
    pub(super) fn last_passage(&self, door: &str) -> Option<Passage> {
        self.passages().get(door).cloned()
    }

    /// Opens or closes one of its doors. An agent that is not running just now does not learn of it.
    pub(super) async fn move_leaf(&self, door: &str, position: Position) {
        let (data, name) = (self.data.clone(), door.to_owned());
        let said =
            tokio::task::spawn_blocking(move || simulated::contact(&data, &name, position)).await;
        if let Ok(Ok(())) = said {
            self.positions().insert(door.to_owned(), position);
        }
    }

    /// How a door stands; none if its contact has not said.
    pub(super) fn stands(&self, door: &str) -> Option<Position> {
        self.positions().get(door).copied()
    }

    fn positions(&self) -> MutexGuard<'_, BTreeMap<String, Position>> {
        self.positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn passages(&self) -> MutexGuard<'_, BTreeMap<String, Passage>> {
        // A panic while a passage is noted leaves the others as good as they were.
        self.passages.lock().unwrap_or_else(PoisonError::into_inner)
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
        // Whoever starts knows of no door until its contact says something.
        self.positions().clear();
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
