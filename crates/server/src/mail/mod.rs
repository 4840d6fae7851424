//! Mail that leaves the house: what waits in the outbox is handed to the mail server, a few letters
//! at once, each within a minute or not at all.
//!
//! Owns: the task that does it, the words of letters, and how the mail server is spoken to.
//! Refuses to know: when a letter is tried again (that is a rule), and whatever a letter is about.
//! Nothing waits for mail: no door, no command, no page but the one that sends a test.

mod letters;
mod smtp;

use std::sync::Arc;
use std::time::Duration;

use offgate_core::id::LetterId;
use offgate_core::mail::{
    Hurdle, Letter, LetterKind, MailServer, NextAttempt, Posting, Problem, ServerSaid,
    after_problem,
};
use offgate_core::parameters::{Clock, Randomness};
use offgate_core::records::Records as _;
use offgate_core::text::Email;
use offgate_store::StoreError;
use offgate_store::outbox::{Attempt, Posted, WaitingLetter};
use tokio::task::JoinSet;

use crate::Shared;
use crate::keys::Keys;

/// How often it is looked whether something is to be sent.
const EVERY: Duration = Duration::from_secs(1);
/// How many letters are sent at once.
const AT_ONCE: usize = 4;
/// How long letters are listed.
const LISTED: Duration = Duration::from_secs(30 * 24 * 3600);
/// How many letters are deleted in one transaction.
const BATCH: usize = 1_000;

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
            tracing::error!(%error, "mail could not be looked after; it is tried again");
        }
    }
}

async fn look(shared: &Arc<Shared>) -> Result<(), StoreError> {
    post_checkpoint(shared).await?;
    let reader = shared.store.read();
    let Some(server) = reader.mail_server()?.map(Arc::new) else {
        return Ok(());
    };
    let mut sending = JoinSet::new();
    for letter in reader.waiting_letters(shared.clock.now(), AT_ONCE)? {
        let (shared, server) = (Arc::clone(shared), Arc::clone(&server));
        sending.spawn(async move { attempt(&shared, &server, letter).await });
    }
    while let Some(attempted) = sending.join_next().await {
        attempted.unwrap_or(Err(StoreError::OutcomeUnknown))?;
    }
    Ok(())
}

/// Tries to send one letter, and notes what became of it.
async fn attempt(
    shared: &Shared,
    server: &MailServer,
    waiting: WaitingLetter,
) -> Result<(), StoreError> {
    let WaitingLetter {
        letter,
        created,
        attempts,
    } = waiting;
    let sent = hand_over(server, &shared.keys, &letter, &*shared.clock).await;
    let attempt = match sent {
        Ok(said) => Attempt::Accepted(said),
        Err(problem) => {
            let hurdle = problem.hurdle;
            tracing::warn!(what = hurdle.name(), letter = %letter.id, "a letter did not go");
            let (number, now) = (attempts.saturating_add(1), shared.clock.now());
            match after_problem(hurdle, number, created, now, &*shared.randomness) {
                NextAttempt::At(next) => Attempt::Again(problem, next),
                NextAttempt::Never => Attempt::Failed(problem),
            }
        }
    };
    shared.store.record_attempt(letter.id, attempt).await
}

/// Puts a checkpoint into the outbox if one is due.
async fn post_checkpoint(shared: &Shared) -> Result<(), StoreError> {
    let reader = shared.store.read();
    let now = shared.clock.now();
    let Some((mail, due)) = reader.checkpoint_mail_due()? else {
        return Ok(());
    };
    let Some(server) = reader
        .mail_server()?
        .filter(|_| mail.every.is_due(due, now))
    else {
        return Ok(());
    };
    let posting = Posting {
        letter: letters::checkpoint(
            LetterId::random(&*shared.randomness),
            &mail.to,
            &server.name,
            shared.keys.fingerprint(),
            reader.newest_checkpoint()?,
        )?,
        kind: LetterKind::Checkpoint,
        about: None,
    };
    let next = mail.every.after(due, now);
    match shared.store.post_checkpoint(posting, due, next).await? {
        Posted::Taken | Posted::Outdated => {}
        Posted::Full => tracing::warn!("a checkpoint was not mailed: too many letters wait"),
    }
    Ok(())
}

/// Deletes letters that were listed for long enough.
pub(crate) async fn forget(shared: &Shared) -> Result<(), StoreError> {
    let before = shared.clock.now().minus(LISTED);
    shared.store.forget_letters(before, BATCH).await?;
    Ok(())
}

/// Sends a letter that says nothing, now, past the outbox. Whether that may be is judged before.
///
/// # Errors
/// The mail server did not take it.
pub async fn send_test(
    server: &MailServer,
    keys: &Keys,
    to: &Email,
    clock: &dyn Clock,
    randomness: &dyn Randomness,
) -> Result<ServerSaid, Problem> {
    let letter = letters::test(LetterId::random(randomness), to, &server.name);
    hand_over(server, keys, &letter, clock).await
}

async fn hand_over(
    server: &MailServer,
    keys: &Keys,
    letter: &Letter,
    clock: &dyn Clock,
) -> Result<ServerSaid, Problem> {
    let password = keys.mail_password(server).map_err(|error| {
        tracing::error!(%error, "the password of the mail server cannot be read");
        smtp::problem(Hurdle::NoPassword)
    })?;
    smtp::deliver(server, password.as_ref(), letter, clock.now()).await
}
