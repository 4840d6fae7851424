//! What happens by itself when its moment comes.

use std::sync::Arc;
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::calendar::year;
use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::parameters::Timestamp;
use offgate_core::records::Records as _;
use offgate_store::{Outcome, StoreError, WRAPPING_KEY_AGE};

use crate::{Shared, alerts, mail};

/// How often it is looked whether something is due.
const EVERY: Duration = Duration::from_secs(10);

/// How many door events are deleted in one transaction, so that no command waits for long.
const BATCH: usize = 1_000;
/// How many such transactions one look is good for; the rest waits for the next.
const BATCHES: usize = 100;

/// Looks until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let since = shared.clock.now();
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = look(&shared).await {
            tracing::error!(%error, "could not do what is due; it is tried again");
        }
        if let Err(error) = alerts::look(&shared, since).await {
            tracing::error!(%error, "could not look for alerts; it is tried again");
        }
    }
}

async fn look(shared: &Shared) -> Result<(), StoreError> {
    let now = shared.clock.now();
    let reader = shared.store.read();
    for user in reader.access_ended(now)? {
        order(shared, Command::EndAccess { user }).await?;
    }
    for user in reader.erasures_due(now)? {
        order(shared, Command::EraseDue { user }).await?;
    }
    for door in reader.longer_limits_over(now)? {
        order(shared, Command::LongerLimitOver(door)).await?;
    }
    shared.store.note_ended_limits().await?;
    shared.store.forget_traces().await?;
    let kept = reader.keeping()?.door_events.duration();
    for _ in 0..BATCHES {
        if shared.store.forget_events(now.minus(kept), BATCH).await? < BATCH {
            break;
        }
    }
    forget_copies(shared, now).await?;
    mail::forget(shared).await?;
    let from_year = year(now);
    if reader.calendars_from()? < from_year {
        order(shared, Command::ExtendCalendars { from_year }).await?;
    }
    Ok(())
}

/// A copy of the vault is worth something until its wrapping key is replaced; one of the database
/// from before its schema was changed, until it is gone.
async fn forget_copies(shared: &Shared, now: Timestamp) -> Result<(), StoreError> {
    let store = shared.store.clone();
    let work = move || {
        store.forget_older_copies(now)?;
        if now.since(store.wrapping_key_since()?) >= WRAPPING_KEY_AGE {
            store.replace_wrapping_key(now, &|_| {})?;
            tracing::info!("the vault's wrapping key was replaced");
        }
        Ok(())
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(StoreError::OutcomeUnknown))
}

async fn order(shared: &Shared, command: Command) -> Result<(), StoreError> {
    let id = CommandId::random(&*shared.randomness);
    match shared.store.execute(id, Actor::Schedule, command).await? {
        Outcome::Done { .. } => {}
        Outcome::Refused(refusal) => tracing::warn!(%refusal, "what was due was refused"),
    }
    Ok(())
}
