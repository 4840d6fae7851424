//! Writes alerts into the outbox, in the transaction of what causes them.
//!
//! What causes one, who is sent it and what it says are rules in `offgate_core::alert`.

use offgate_core::alert::{
    AN_HOUR, Alert, Allowance, PER_HOUR, TOLD_TOGETHER, Told, Tried, Tries, WEBHOOK_PER_HOUR,
    allowance, notice, reaches_anybody, recipients, words,
};
use offgate_core::door_event::DoorEvent;
use offgate_core::id::LetterId;
use offgate_core::mail::{Letter, LetterKind, Posting};
use offgate_core::parameters::{Randomness, Timestamp};

use crate::engine::Batch;
use crate::error::StoreError;
use crate::outbox::{Notice, Posted};

/// How many people at doors are told of in one transaction.
const AT_ONCE: usize = 100;

const LEFT_OUT: &str = "an alert was left out: there were too many of its kind within an hour";
const TOO_MANY: &str = "an alert was not sent: too many wait";

/// Tries that are told together, as they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptTries {
    /// The first, and how many there were since that are not told.
    pub tries: Tries,
    /// When those after the first are told; none if there is nothing to tell.
    pub due: Option<Timestamp>,
}

/// Tells of what new events at doors say about people who were taken out.
pub(crate) fn events(
    batch: &mut dyn Batch,
    events: &[DoorEvent],
    now: Timestamp,
    randomness: &dyn Randomness,
) -> Result<(), StoreError> {
    for tried in events.iter().filter_map(Tried::told_by) {
        // An agent may tell of somebody whom these records do not know: they were restored.
        if batch.user(tried.user)?.is_none() {
            continue;
        }
        let last = batch.last_tries(tried.user, tried.door)?;
        let together = last.and_then(|last| Some((last.tries.with(&tried)?, last.due)));
        let kept = match together {
            Some((tries, due)) => KeptTries {
                tries,
                due: Some(due.unwrap_or_else(|| now.plus(TOLD_TOGETHER))),
            },
            None => {
                if let Some(last) = last {
                    rest(batch, &last.tries, now, randomness)?;
                }
                raise(batch, &Alert::Tried(Told::First(tried)), now, randomness)?;
                KeptTries {
                    tries: Tries::begun(tried),
                    due: Some(now.plus(TOLD_TOGETHER)),
                }
            }
        };
        batch.keep_tries(&kept)?;
    }
    Ok(())
}

/// Tells of those tries whose time to be told together is over.
pub(crate) fn tries_due(
    batch: &mut dyn Batch,
    now: Timestamp,
    randomness: &dyn Randomness,
) -> Result<(), StoreError> {
    for KeptTries { tries, .. } in batch.tries_due(now, AT_ONCE)? {
        rest(batch, &tries, now, randomness)?;
        batch.keep_tries(&KeptTries {
            tries: Tries { count: 1, ..tries },
            due: None,
        })?;
    }
    Ok(())
}

/// Tells of the tries that came after the first.
fn rest(
    batch: &mut dyn Batch,
    tries: &Tries,
    now: Timestamp,
    randomness: &dyn Randomness,
) -> Result<(), StoreError> {
    if tries.untold() == 0 {
        return Ok(());
    }
    raise(batch, &Alert::Tried(Told::More(*tries)), now, randomness)
}

/// Puts an alert into the outbox for everybody who is sent it, unless it is told already.
pub(crate) fn raise(
    batch: &mut dyn Batch,
    alert: &Alert,
    now: Timestamp,
    randomness: &dyn Randomness,
) -> Result<(), StoreError> {
    if !reaches_anybody(batch, alert.kind())? || !batch.is_news(alert)? {
        return Ok(());
    }
    mail(batch, alert, now, randomness)?;
    webhook(batch, alert, now, randomness)
}

fn mail(
    batch: &mut dyn Batch,
    alert: &Alert,
    now: Timestamp,
    randomness: &dyn Randomness,
) -> Result<(), StoreError> {
    let Some(server) = batch.mail_server()? else {
        return Ok(());
    };
    let kind = LetterKind::Alert(alert.kind());
    for (operator, to) in recipients(batch, alert.kind())? {
        let sent = batch.sent(Some(&to), kind, now.minus(AN_HOUR))?;
        let allowance = allowance(sent, PER_HOUR);
        if allowance == Allowance::LeftOut {
            tracing::warn!(%operator, what = kind.name(), "{LEFT_OUT}");
            continue;
        }
        let words = words(batch, alert, allowance, &server.name)?;
        let posting = Posting {
            letter: Letter {
                id: LetterId::random(randomness),
                to,
                subject: words.subject,
                text: words.text,
                attachment: None,
            },
            kind,
            about: alert.about(),
        };
        if batch.post(&posting, now)? == Posted::Full {
            tracing::warn!(%operator, what = kind.name(), "{TOO_MANY}");
        }
    }
    Ok(())
}

fn webhook(
    batch: &mut dyn Batch,
    alert: &Alert,
    now: Timestamp,
    randomness: &dyn Randomness,
) -> Result<(), StoreError> {
    let takes = batch.webhook()?.is_some_and(|it| it.takes(alert.kind()));
    if !takes {
        return Ok(());
    }
    let kind = LetterKind::Alert(alert.kind());
    let sent = batch.sent(None, kind, now.minus(AN_HOUR))?;
    if allowance(sent, WEBHOOK_PER_HOUR) == Allowance::LeftOut {
        tracing::warn!(to = "webhook", what = kind.name(), "{LEFT_OUT}");
        return Ok(());
    }
    let notice = Notice {
        id: LetterId::random(randomness),
        kind,
        about: alert.about(),
        body: notice(batch, alert, now)?,
    };
    if batch.post_notice(&notice, now)? == Posted::Full {
        tracing::warn!(to = "webhook", what = kind.name(), "{TOO_MANY}");
    }
    Ok(())
}
