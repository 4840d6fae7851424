//! Alerts whose causes come with time: agents that do not answer, and limits that pass.
//!
//! Owns: looking at the records for them. What is due is a rule in `offgate_core::alert`; the others
//! are written where their causes are.

use offgate_core::agent::AgentState;
use offgate_core::alert::{AgentAbsence, Alert, AlertKind, LimitsPassed, reaches_anybody};
use offgate_core::confirmation::{Alone, Contact};
use offgate_core::parameters::Timestamp;
use offgate_core::records::Records as _;
use offgate_store::{Confirms, Reader, StoreError};

use crate::Shared;

/// How many people that some door has not confirmed are looked at.
const LOOKED_AT: usize = 200;

/// Has alerts sent that are due. `since` is when this server was started.
pub(crate) async fn look(shared: &Shared, since: Timestamp) -> Result<(), StoreError> {
    let now = shared.clock.now();
    let reader = shared.store.read();
    if reader.tries_are_due(now)? {
        shared.store.tell_tries().await?;
    }
    let mut due = Vec::new();
    if reaches_anybody(&reader, AlertKind::AgentGone)? {
        due.extend(agents_gone(&reader, since, now)?);
    }
    if reaches_anybody(&reader, AlertKind::LimitPassedUnconfirmed)? {
        due.extend(limits_passed(&reader, now)?);
    }
    if due.is_empty() {
        return Ok(());
    }
    shared.store.raise(due).await
}

fn agents_gone(
    reader: &Reader,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Alert>, StoreError> {
    let mut gone = Vec::new();
    for agent in reader.agents()? {
        if agent.state != AgentState::Enrolled {
            continue;
        }
        let Some(heard) = reader.contact(agent.id)? else {
            continue;
        };
        if heard.contact == Contact::Connected {
            continue;
        }
        let doors = reader.doors_of(agent.id)?;
        let Some(shortest_lease) = doors.iter().map(|door| door.lease.duration()).min() else {
            continue;
        };
        let alone = doors.iter().map(|door| {
            let versions = reader.door_settings(agent.id, door.id)?;
            Ok((door.id, Alone::by(&versions, None, heard.counted_from)))
        });
        let absence = AgentAbsence {
            agent: agent.id,
            contact: heard.contact,
            shortest_lease,
            doors: alone.collect::<Result<_, StoreError>>()?,
        };
        gone.extend(absence.alert(since, now));
    }
    Ok(gone)
}

fn limits_passed(reader: &Reader, now: Timestamp) -> Result<Vec<Alert>, StoreError> {
    let mut passed = LimitsPassed::default();
    for user in reader.not_confirmed(LOOKED_AT)? {
        let Some(pending) = reader.pending(user)? else {
            continue;
        };
        if pending.confirms != Confirms::Refuse {
            continue;
        }
        for facts in reader.door_facts(user, pending.revision)? {
            passed.count(&facts, pending.decided_at, now);
        }
    }
    Ok(passed.alerts())
}
