//! The webhook: what waits for it in the outbox is signed and handed over, a few at once, each within
//! twenty seconds or not at all.
//!
//! Owns: the task that does it, and how it is spoken to. Refuses to know: when something is tried again
//! (that is a rule), and what is said. Nothing waits for a webhook, no letter either.

mod deliver;

use std::sync::Arc;
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::alert::test_notice;
use offgate_core::command::Command;
use offgate_core::id::{CommandId, LetterId};
use offgate_core::mail::{Hurdle, NextAttempt, Problem, ServerSaid, after_problem};
use offgate_core::parameters::{Clock, Randomness};
use offgate_core::records::Records as _;
use offgate_core::webhook::{Webhook, WebhookState};
use offgate_store::StoreError;
use offgate_store::outbox::{Attempt, WaitingNotice};
use tokio::task::JoinSet;

use crate::Shared;
use crate::keys::Keys;

/// How often it is looked whether something is to be sent.
const EVERY: Duration = Duration::from_secs(1);
/// How many are sent at once.
const AT_ONCE: usize = 4;

/// Sends what waits until the server stops. What is on its way then waits, and is sent by the next.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        let looked = tokio::select! {
            () = shared.stopping.cancelled() => return,
            looked = look(&shared) => looked,
        };
        if let Err(error) = looked {
            tracing::error!(%error, "the webhook could not be looked after; it is tried again");
        }
    }
}

async fn look(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let reader = shared.store.read();
    let Some(webhook) = reader.webhook()?.map(Arc::new) else {
        return Ok(());
    };
    if webhook.state != WebhookState::Open {
        return Ok(());
    }
    let mut sending = JoinSet::new();
    for notice in reader.waiting_notices(shared.clock.now(), AT_ONCE)? {
        let (shared, webhook) = (Arc::clone(shared), Arc::clone(&webhook));
        sending.spawn(async move { attempt(&shared, &webhook, notice).await });
    }
    while let Some(attempted) = sending.join_next().await {
        attempted.unwrap_or(Err(StoreError::OutcomeUnknown))?;
    }
    Ok(())
}

/// Tries to send one, and notes what became of it.
async fn attempt(
    shared: &Shared,
    webhook: &Webhook,
    notice: WaitingNotice,
) -> Result<(), StoreError> {
    let sent = deliver::deliver(
        webhook,
        &shared.keys,
        notice.id,
        &notice.body,
        shared.clock.now(),
    )
    .await;
    let attempt = match sent {
        Ok(said) => Attempt::Accepted(said),
        Err(problem) => {
            let hurdle = problem.hurdle;
            tracing::warn!(what = hurdle.name(), notice = %notice.id, "the webhook was not told");
            let (number, now) = (notice.attempts.saturating_add(1), shared.clock.now());
            match after_problem(hurdle, number, notice.created, now, &*shared.randomness) {
                NextAttempt::At(next) => Attempt::Again(problem, next),
                NextAttempt::Never => Attempt::Failed(problem),
            }
        }
    };
    let is_gone = matches!(
        &attempt,
        Attempt::Failed(Problem {
            hurdle: Hurdle::WebhookGone,
            ..
        })
    );
    shared.store.record_attempt(notice.id, attempt).await?;
    if is_gone {
        let id = CommandId::random(&*shared.randomness);
        let command = Command::WebhookGone(webhook.address.clone());
        shared.store.execute(id, Actor::Schedule, command).await?;
    }
    Ok(())
}

/// Sends something that says nothing, now, past the outbox. Whether that may be is judged before.
///
/// # Errors
/// Whoever listens did not take it.
pub async fn send_test(
    webhook: &Webhook,
    keys: &Keys,
    clock: &dyn Clock,
    randomness: &dyn Randomness,
) -> Result<ServerSaid, Problem> {
    let (id, now) = (LetterId::random(randomness), clock.now());
    deliver::deliver(webhook, keys, id, &test_notice(now), now).await
}
