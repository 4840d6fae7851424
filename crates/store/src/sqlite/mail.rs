//! By which server mail leaves, and the letters that wait for it.

use std::num::NonZeroU16;

use offgate_core::id::{LetterId, UserId};
use offgate_core::mail::{
    Attachment, Authorities, CheckpointMail, Every, HostName, Hurdle, Letter, LetterKind,
    MailServer, MailUser, Posting, Problem, Protection, ServerSaid,
};
use offgate_core::parameters::Timestamp;
use offgate_core::text::{Email, fold};
use rusqlite::{Connection, Params, params};

use super::alerts;
use super::rows::{all, id, instant, one, optional_text, text};
use crate::error::StoreError;
use crate::outbox::{
    Attempt, Channel, FailedLetter, Notice, OUTBOX_LIMIT, OutboxState, Posted, WaitingLetter,
    WaitingNotice,
};

const UNKNOWN: StoreError = StoreError::Damaged("a letter or mail server of no known kind");

fn run(
    connection: &Connection,
    sql: &'static str,
    parameters: impl Params,
) -> Result<usize, StoreError> {
    Ok(connection.prepare_cached(sql)?.execute(parameters)?)
}

// The settings.

/// By which server mail leaves.
pub(crate) fn server(connection: &Connection) -> Result<Option<MailServer>, StoreError> {
    one(
        connection,
        "SELECT host, port, protection, user_name, sender, own_name, authorities FROM mail_server",
        [],
        |row| {
            let protection = Protection::from_name(&row.get::<_, String>(2)?);
            Ok(MailServer {
                host: text(&row.get::<_, String>(0)?, HostName::parse)?,
                port: NonZeroU16::new(row.get(1)?).ok_or(UNKNOWN)?,
                protection: protection.ok_or(UNKNOWN)?,
                user: optional_text(row.get(3)?, MailUser::parse)?,
                sender: text(&row.get::<_, String>(4)?, Email::parse)?,
                name: text(&row.get::<_, String>(5)?, HostName::parse)?,
                authorities: optional_text(row.get(6)?, Authorities::parse)?,
            })
        },
    )
}

/// Sets by which server mail leaves. Without one nothing that waits will go.
pub(super) fn set_server(
    connection: &Connection,
    server: Option<&MailServer>,
    now: Timestamp,
) -> Result<(), StoreError> {
    run(connection, "DELETE FROM mail_server", [])?;
    let Some(server) = server else {
        run(
            connection,
            "UPDATE outbox SET state = 'failed', ended_at = ?1, hurdle = ?2, said = '', \
             body = NULL, attachment_name = NULL, attachment = NULL \
             WHERE state = 'waiting' AND channel = 'mail'",
            params![now.microseconds(), Hurdle::NotSetUp.name()],
        )?;
        return Ok(());
    };
    let MailServer {
        host,
        port,
        protection,
        user,
        sender,
        name,
        authorities,
    } = server;
    run(
        connection,
        "INSERT INTO mail_server (only, host, port, protection, user_name, sender, own_name, \
         authorities) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            host.as_str(),
            port.get(),
            protection.name(),
            user.as_ref().map(|it| it.as_str()),
            sender.as_str(),
            name.as_str(),
            authorities.as_ref().map(|it| it.as_str())
        ],
    )?;
    // What waited for another server need not wait for this one.
    run(
        connection,
        "UPDATE outbox SET not_before = ?1 \
         WHERE state = 'waiting' AND channel = 'mail' AND not_before > ?1",
        params![now.microseconds()],
    )?;
    Ok(())
}

/// Who is sent checkpoints.
pub(crate) fn checkpoint_mail(
    connection: &Connection,
) -> Result<Option<CheckpointMail>, StoreError> {
    Ok(checkpoint_due(connection)?.map(|(mail, _)| mail))
}

/// Who is sent checkpoints, and when the next one is due.
pub(crate) fn checkpoint_due(
    connection: &Connection,
) -> Result<Option<(CheckpointMail, Timestamp)>, StoreError> {
    one(
        connection,
        "SELECT recipient, every, due_at FROM checkpoint_mail",
        [],
        |row| {
            let mail = CheckpointMail {
                to: text(&row.get::<_, String>(0)?, Email::parse)?,
                every: Every::from_name(&row.get::<_, String>(1)?).ok_or(UNKNOWN)?,
            };
            Ok((mail, Timestamp::from_microseconds(row.get(2)?)))
        },
    )
}

/// Sets who is sent checkpoints; the first is due now.
pub(super) fn set_checkpoint_mail(
    connection: &Connection,
    mail: Option<&CheckpointMail>,
    now: Timestamp,
) -> Result<(), StoreError> {
    run(connection, "DELETE FROM checkpoint_mail", [])?;
    if let Some(CheckpointMail { to, every }) = mail {
        run(
            connection,
            "INSERT INTO checkpoint_mail (only, recipient, every, due_at) VALUES (1, ?1, ?2, ?3)",
            params![to.as_str(), every.name(), now.microseconds()],
        )?;
    }
    Ok(())
}

/// Says when the next checkpoint is due, unless that was said by somebody else meanwhile.
pub(super) fn checkpoint_sent(
    connection: &Connection,
    was_due: Timestamp,
    next: Timestamp,
) -> Result<Posted, StoreError> {
    let moved = run(
        connection,
        "UPDATE checkpoint_mail SET due_at = ?2 WHERE due_at = ?1",
        params![was_due.microseconds(), next.microseconds()],
    )?;
    Ok(if moved == 0 {
        Posted::Outdated
    } else {
        Posted::Taken
    })
}

// The letters.

const WAITING_SQL: &str = "SELECT id, recipient, subject, body, attachment_name, attachment, \
    created_at, attempts FROM outbox \
    WHERE state = 'waiting' AND channel = 'mail' AND not_before <= ?1 \
    ORDER BY not_before, number LIMIT ?2";
const NOTICES_SQL: &str = "SELECT id, body, created_at, attempts FROM outbox \
    WHERE state = 'waiting' AND channel = 'webhook' AND not_before <= ?1 \
    ORDER BY not_before, number LIMIT ?2";
const COUNT_WAITING_SQL: &str =
    "SELECT count(*) FROM outbox WHERE state = 'waiting' AND channel = ?1";
const FAILED_SQL: &str = "SELECT number, id, kind, recipient, attempts, ended_at, hurdle, said, \
    channel FROM outbox WHERE state = 'failed' AND number < ?1 ORDER BY number DESC LIMIT ?2";
const LAST_SENT_SQL: &str = "SELECT max(ended_at) FROM outbox \
    WHERE state = 'sent' AND channel = ?1";
const FORGET_SQL: &str = "DELETE FROM outbox WHERE number IN \
    (SELECT number FROM outbox WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)";

fn is_full(connection: &Connection, channel: Channel) -> Result<bool, StoreError> {
    let waiting: Option<i64> = one(
        connection,
        COUNT_WAITING_SQL,
        params![channel.name()],
        |row| Ok(row.get(0)?),
    )?;
    Ok(waiting.is_none_or(|waiting| usize::try_from(waiting).unwrap_or(0) >= OUTBOX_LIMIT))
}

/// Puts something for the webhook into the outbox.
pub(super) fn post_notice(
    connection: &Connection,
    notice: &Notice,
    now: Timestamp,
) -> Result<Posted, StoreError> {
    if is_full(connection, Channel::Webhook)? {
        return Ok(Posted::Full);
    }
    let Notice {
        id,
        kind,
        about,
        body,
    } = notice;
    run(
        connection,
        "INSERT OR IGNORE INTO outbox (id, kind, channel, recipient, recipient_folded, about, \
         subject, body, created_at, state, not_before) \
         VALUES (?1, ?2, 'webhook', '', '', ?3, '', ?4, ?5, 'waiting', ?5)",
        params![
            id.as_bytes(),
            kind.name(),
            about.as_ref().map(|it| it.as_bytes()),
            body,
            now.microseconds()
        ],
    )?;
    Ok(Posted::Taken)
}

/// What may be sent to the webhook now, the longest due first.
pub(crate) fn waiting_notices(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<WaitingNotice>, StoreError> {
    all(
        connection,
        NOTICES_SQL,
        params![now.microseconds(), i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| {
            Ok(WaitingNotice {
                id: id!(row, 0, LetterId),
                body: row.get(1)?,
                created: Timestamp::from_microseconds(row.get(2)?),
                attempts: row.get(3)?,
            })
        },
    )
}

/// Puts a letter into the outbox.
pub(super) fn post(
    connection: &Connection,
    posting: &Posting,
    now: Timestamp,
) -> Result<Posted, StoreError> {
    if is_full(connection, Channel::Mail)? {
        return Ok(Posted::Full);
    }
    let Posting {
        letter,
        kind,
        about,
    } = posting;
    let Letter {
        id,
        to,
        subject,
        text,
        attachment,
    } = letter;
    run(
        connection,
        "INSERT OR IGNORE INTO outbox (id, kind, recipient, recipient_folded, about, subject, \
         body, attachment_name, attachment, created_at, state, not_before) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'waiting', ?10)",
        params![
            id.as_bytes(),
            kind.name(),
            to.as_str(),
            fold(to.as_str()),
            about.as_ref().map(|it| it.as_bytes()),
            subject,
            text,
            attachment.as_ref().map(|it| it.name.as_str()),
            attachment.as_ref().map(|it| it.bytes.as_slice()),
            now.microseconds()
        ],
    )?;
    Ok(Posted::Taken)
}

/// Letters that may be sent now, the longest due first.
pub(crate) fn waiting(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<WaitingLetter>, StoreError> {
    all(
        connection,
        WAITING_SQL,
        params![now.microseconds(), i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| {
            let attachment = match (row.get::<_, Option<String>>(4)?, row.get(5)?) {
                (Some(name), Some(bytes)) => Some(Attachment { name, bytes }),
                _ => None,
            };
            Ok(WaitingLetter {
                letter: Letter {
                    id: id!(row, 0, LetterId),
                    to: text(&row.get::<_, String>(1)?, Email::parse)?,
                    subject: row.get(2)?,
                    text: row.get(3)?,
                    attachment,
                },
                created: Timestamp::from_microseconds(row.get(6)?),
                attempts: row.get(7)?,
            })
        },
    )
}

fn problem(hurdle: &str, said: Option<String>) -> Result<Problem, StoreError> {
    Ok(Problem {
        hurdle: Hurdle::from_name(hurdle).ok_or(UNKNOWN)?,
        said: ServerSaid::of(&said.unwrap_or_default()),
    })
}

/// Notes what became of an attempt. A letter that does not wait any more stays as it is.
pub(super) fn attempted(
    connection: &Connection,
    letter: LetterId,
    attempt: &Attempt,
    now: Timestamp,
) -> Result<(), StoreError> {
    let ended = |state: &'static str, hurdle: Option<&'static str>, said: &ServerSaid| {
        run(
            connection,
            "UPDATE outbox SET attempts = attempts + 1, state = ?2, ended_at = ?3, hurdle = ?4, \
             said = ?5, body = NULL, attachment_name = NULL, attachment = NULL \
             WHERE id = ?1 AND state = 'waiting'",
            params![
                letter.as_bytes(),
                state,
                now.microseconds(),
                hurdle,
                said.as_str()
            ],
        )
    };
    match attempt {
        Attempt::Accepted(said) => ended("sent", None, said)?,
        Attempt::Failed(Problem { hurdle, said }) => ended("failed", Some(hurdle.name()), said)?,
        Attempt::Again(Problem { hurdle, said }, not_before) => run(
            connection,
            "UPDATE outbox SET attempts = attempts + 1, not_before = ?2, hurdle = ?3, said = ?4 \
             WHERE id = ?1 AND state = 'waiting'",
            params![
                letter.as_bytes(),
                not_before.microseconds(),
                hurdle.name(),
                said.as_str()
            ],
        )?,
    };
    Ok(())
}

/// Deletes letters of before a moment, whatever became of them.
pub(super) fn forget(
    connection: &Connection,
    before: Timestamp,
    at_most: usize,
) -> Result<usize, StoreError> {
    run(
        connection,
        FORGET_SQL,
        params![
            before.microseconds(),
            i64::try_from(at_most).unwrap_or(i64::MAX)
        ],
    )
}

/// Deletes every letter about a person and to them. Their row still has their address.
pub(super) fn forget_person(connection: &Connection, user: UserId) -> Result<(), StoreError> {
    alerts::forget_person(connection, user)?;
    run(
        connection,
        "DELETE FROM outbox WHERE about = ?1",
        params![user.as_bytes()],
    )?;
    let address: Option<Option<String>> = one(
        connection,
        "SELECT email FROM user WHERE id = ?1",
        params![user.as_bytes()],
        |row| Ok(row.get(0)?),
    )?;
    match address.flatten() {
        Some(address) => forget_recipient(connection, &fold(&address)),
        None => Ok(()),
    }
}

/// Deletes every letter to an address, in its folded form.
pub(super) fn forget_recipient(connection: &Connection, folded: &str) -> Result<(), StoreError> {
    run(
        connection,
        "DELETE FROM outbox WHERE recipient_folded = ?1",
        params![folded],
    )?;
    Ok(())
}

/// How the outbox is.
pub(crate) fn state(connection: &Connection, channel: Channel) -> Result<OutboxState, StoreError> {
    let channel = channel.name();
    let number = |sql: &'static str| -> Result<i64, StoreError> {
        Ok(one(connection, sql, [channel], |row| Ok(row.get(0)?))?.unwrap_or(0))
    };
    let moment = |sql: &'static str| -> Result<Option<Timestamp>, StoreError> {
        Ok(one(connection, sql, [channel], |row| Ok(instant(row.get(0)?)))?.flatten())
    };
    let count = |sql: &'static str| Ok::<_, StoreError>(u64::try_from(number(sql)?).unwrap_or(0));
    let last_problem = one(
        connection,
        "SELECT hurdle, said FROM outbox WHERE state = 'waiting' AND channel = ?1 \
         AND hurdle IS NOT NULL ORDER BY not_before DESC, number DESC LIMIT 1",
        [channel],
        |row| problem(&row.get::<_, String>(0)?, row.get(1)?),
    )?;
    Ok(OutboxState {
        last_sent: moment(LAST_SENT_SQL)?,
        waiting: count(COUNT_WAITING_SQL)?,
        waiting_since: moment(
            "SELECT min(created_at) FROM outbox WHERE state = 'waiting' AND channel = ?1",
        )?,
        problem: last_problem,
        failed: count("SELECT count(*) FROM outbox WHERE state = 'failed' AND channel = ?1")?,
        last_failed: moment(
            "SELECT max(ended_at) FROM outbox WHERE state = 'failed' AND channel = ?1",
        )?,
    })
}

/// Letters that failed, the last first, of before a place in that list.
pub(crate) fn failed(
    connection: &Connection,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<FailedLetter>, StoreError> {
    all(
        connection,
        FAILED_SQL,
        params![
            before.unwrap_or(i64::MAX),
            i64::try_from(limit).unwrap_or(i64::MAX)
        ],
        |row| {
            Ok(FailedLetter {
                number: row.get(0)?,
                id: id!(row, 1, LetterId),
                kind: LetterKind::from_name(&row.get::<_, String>(2)?).ok_or(UNKNOWN)?,
                to: if row.get::<_, String>(8)? == Channel::Webhook.name() {
                    None
                } else {
                    Some(text(&row.get::<_, String>(3)?, Email::parse)?)
                },
                attempts: row.get(4)?,
                at: Timestamp::from_microseconds(row.get(5)?),
                problem: problem(&row.get::<_, String>(6)?, row.get(7)?)?,
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    #[test]
    fn the_outbox_is_read_along_its_indexes() {
        let connection = schema();
        for (sql, index) in [
            (WAITING_SQL, "outbox_waiting"),
            (NOTICES_SQL, "outbox_waiting"),
            (COUNT_WAITING_SQL, "outbox_waiting"),
            (FAILED_SQL, "outbox_failed"),
            (LAST_SENT_SQL, "outbox_sent"),
            (FORGET_SQL, "outbox_by_age"),
        ] {
            let plan = plan(&connection, sql);
            assert!(
                plan.contains(index) && !plan.contains("TEMP B-TREE"),
                "{sql}\n{plan}"
            );
        }
    }
}
