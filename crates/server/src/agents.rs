//! Which agents are connected: each has one conversation at most, the newest.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use offgate_core::id::AgentId;
use tokio_util::sync::CancellationToken;

/// The connected agents.
#[derive(Default)]
pub(crate) struct Agents {
    connected: Mutex<Connected>,
}

#[derive(Default)]
struct Connected {
    last_number: u64,
    conversations: HashMap<AgentId, (u64, CancellationToken)>,
}

impl Agents {
    fn connected(&self) -> MutexGuard<'_, Connected> {
        // Nothing is left half done under this lock.
        self.connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a new conversation of an agent, and ends the one before it. Returns its number.
    pub(crate) fn arrived(&self, agent: AgentId, ended: CancellationToken) -> u64 {
        let mut connected = self.connected();
        connected.last_number += 1;
        let number = connected.last_number;
        if let Some((_, older)) = connected.conversations.insert(agent, (number, ended)) {
            older.cancel();
        }
        number
    }

    /// Ends every conversation.
    pub(crate) fn end_all(&self) {
        for (_, ended) in self.connected().conversations.values() {
            ended.cancel();
        }
    }

    /// Notes that a conversation is over. Says whether the agent is now gone, and has not
    /// meanwhile begun another.
    pub(crate) fn left(&self, agent: AgentId, number: u64) -> Presence {
        let mut connected = self.connected();
        match connected.conversations.get(&agent) {
            Some((current, _)) if *current == number => {
                connected.conversations.remove(&agent);
                Presence::Gone
            }
            _ => Presence::Elsewhere,
        }
    }
}

/// Where an agent is after one of its conversations ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// In no conversation.
    Gone,
    /// In a newer one.
    Elsewhere,
}
