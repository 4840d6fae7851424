//! Goes round the tables of all agents, a slice at a time, and compares them with the records.
//!
//! A table is kept in step change by change. What should never differ is looked at all the same: an
//! entry of somebody who is not on record would open a door for them. The whole round takes as long
//! as it takes; one slice is short, so that nothing waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use offgate_core::agent::AgentState;
use offgate_core::id::AgentId;
use offgate_core::records::Records as _;
use offgate_core::table::entry::EntryKey;
use offgate_store::{Reader, StoreError};

use crate::Shared;

/// How often a slice is looked at.
const EVERY: Duration = Duration::from_secs(10);
/// How many entries it has.
const SLICE: usize = 500;

/// Where the round is, and what it found.
#[derive(Debug, Default)]
pub(crate) struct TableCheck(Mutex<Round>);

#[derive(Debug, Default)]
struct Round {
    /// The table that is looked at, up to which entry, and how many were wrong so far.
    at: Option<(AgentId, Option<EntryKey>, usize)>,
    /// How many entries of a table were wrong when it was looked at last; where any were.
    wrong: BTreeMap<AgentId, usize>,
}

impl TableCheck {
    /// The agents of whose tables entries are not what the records say, and how many of each.
    pub(crate) fn wrong(&self) -> BTreeMap<AgentId, usize> {
        self.round().wrong.clone()
    }

    /// Looks at the next slice.
    fn step(&self, reader: &Reader) -> Result<(), StoreError> {
        let at = self.round().at;
        let Some((agent, after, wrong)) = at else {
            self.begin_after(reader, None)?;
            return Ok(());
        };
        let checked = reader.check_entries(agent, after, SLICE)?;
        for key in &checked.wrong {
            tracing::error!(
                %agent, kind = ?key.kind,
                "an entry of an agent's table is not what the records say"
            );
        }
        let wrong = wrong + checked.wrong.len();
        if checked.next.is_some() {
            self.round().at = Some((agent, checked.next, wrong));
            return Ok(());
        }
        {
            let mut round = self.round();
            if wrong == 0 {
                round.wrong.remove(&agent);
            } else {
                round.wrong.insert(agent, wrong);
            }
        }
        self.begin_after(reader, Some(agent))
    }

    /// Goes on to the agent after this one, or to the first.
    fn begin_after(&self, reader: &Reader, last: Option<AgentId>) -> Result<(), StoreError> {
        let mut enrolled: Vec<AgentId> = reader
            .agents()?
            .into_iter()
            .filter(|agent| agent.state == AgentState::Enrolled)
            .map(|agent| agent.id)
            .collect();
        enrolled.sort_unstable();
        let next = enrolled.iter().find(|agent| Some(**agent) > last);
        let mut round = self.round();
        round.wrong.retain(|agent, _| enrolled.contains(agent));
        round.at = next.or(enrolled.first()).map(|agent| (*agent, None, 0));
        Ok(())
    }

    fn round(&self) -> std::sync::MutexGuard<'_, Round> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        let looking = Arc::clone(&shared);
        let work = move || looking.tables.step(&looking.store.read());
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "could not look at a table; it is tried again")
            }
            Err(error) => tracing::error!(%error, "looking at a table ended early"),
        }
    }
}
