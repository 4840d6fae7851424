//! What the simulated reader reaches: this agent's doors, by their names.

use std::sync::Arc;

use offgate_core::door_position::Position;
use offgate_core::id::{AgentId, DoorId};

use crate::disk::book::Durable;
use crate::reader::simulated::Doors;
use crate::reader::{Answer, At, Offered};
use crate::session::{Agent, Connected};
use crate::status::{LinkState, Status, TableState};

const NO_SUCH_DOOR: &str = "this agent has no door of that name";

pub(super) struct House {
    agent: Arc<Agent>,
    id: AgentId,
}

impl House {
    pub(super) const fn new(agent: Arc<Agent>, id: AgentId) -> Self {
        Self { agent, id }
    }

    /// By name, else by id. Names are compared as people type them.
    fn door(&self, asked: &str) -> Option<DoorId> {
        let doors = self.agent.doors.borrow();
        let exactly = doors.iter().find(|(_, name)| name.as_str() == asked);
        let folded = asked.to_lowercase();
        let same = |name: &str| name.to_lowercase() == folded;
        let alike = || {
            doors
                .iter()
                .find(|(id, name)| same(name.as_str()) || same(&id.to_string()))
        };
        exactly.or_else(alike).map(|(id, _)| *id)
    }
}

impl Doors for House {
    async fn present(&self, at: At, offered: Offered) -> Result<Answer, String> {
        let door = self.door(&at.door).ok_or(NO_SUCH_DOOR)?;
        let answered = self
            .agent
            .decisions
            .present(door, at.direction, offered)
            .await;
        answered.map_err(|unavailable| unavailable.to_string())
    }

    fn contact(&self, door: &str, position: Position) -> Result<(), String> {
        let door = self.door(door).ok_or(NO_SUCH_DOOR)?;
        self.agent.positions.note(door, position);
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.agent
            .doors
            .borrow()
            .iter()
            .map(|(_, name)| name.as_str().to_owned())
            .collect()
    }

    async fn status(&self) -> Status {
        let agent = &self.agent;
        let durable = *agent.keeper.durable().borrow();
        let newest = agent.keeper.newest();
        let table = match newest.table {
            None => TableState::Missing,
            Some(table) if durable == Durable::UpTo(newest) => TableState::Durable(table.revision),
            Some(table) => TableState::NotDurable(table.revision),
        };
        let kept = *agent.recorder.kept().borrow();
        let left = agent
            .decisions
            .look()
            .await
            .map(|look| look.lease_left)
            .unwrap_or_default();
        Status {
            agent: Some(self.id),
            link: match *agent.connected.borrow() {
                Connected::Yes => LinkState::Connected,
                Connected::No => LinkState::Searching,
                Connected::Doubted => LinkState::Doubted,
            },
            table,
            lease_seconds: left.as_secs(),
            events_waiting: kept.waiting,
            events_lost: kept.lost,
        }
    }
}
