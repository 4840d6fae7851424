//! What happens by itself when its moment comes.

use std::sync::Arc;
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::calendar::year;
use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_store::{Outcome, StoreError};

use crate::Shared;

/// How often it is looked whether something is due.
const EVERY: Duration = Duration::from_secs(10);

/// Looks until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = look(&shared).await {
            tracing::error!(%error, "could not do what is due; it is tried again");
        }
    }
}

async fn look(shared: &Shared) -> Result<(), StoreError> {
    let now = shared.clock.now();
    let reader = shared.store.read();
    for user in reader.access_ended(now)? {
        order(shared, Command::EndAccess { user }).await?;
    }
    use offgate_core::records::Records as _;
    let from_year = year(now);
    if reader.calendars_from()? < from_year {
        order(shared, Command::ExtendCalendars { from_year }).await?;
    }
    Ok(())
}

async fn order(shared: &Shared, command: Command) -> Result<(), StoreError> {
    let id = CommandId::random(&*shared.randomness);
    match shared.store.execute(id, Actor::Schedule, command).await? {
        Outcome::Done { .. } => {}
        Outcome::Refused(refusal) => tracing::warn!(%refusal, "what was due was refused"),
    }
    Ok(())
}
