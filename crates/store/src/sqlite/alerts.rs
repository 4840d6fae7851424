//! What has to be remembered of alerts: who chose which, and what was told already.

use std::collections::BTreeSet;

use offgate_core::alert::{Alert, AlertKind, Stopped, Tried, Tries};
use offgate_core::credential::CredentialKind;
use offgate_core::id::{AgentId, CredentialId, DoorId, OperatorId, UserId};
use offgate_core::mail::LetterKind;
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::text::{Email, fold};
use rusqlite::{Connection, Params, Row, params};

use super::rows::{all, id, instant, number, one, revision};
use crate::alerts::KeptTries;
use crate::error::StoreError;

/// How many refusals that an agent has not confirmed are looked at when it confirms.
const LOOKED_AT: i64 = 256;

fn run(
    connection: &Connection,
    sql: &'static str,
    parameters: impl Params,
) -> Result<usize, StoreError> {
    Ok(connection.prepare_cached(sql)?.execute(parameters)?)
}

/// Which alerts an operator chose.
pub(crate) fn chosen(
    connection: &Connection,
    operator: OperatorId,
) -> Result<Option<BTreeSet<AlertKind>>, StoreError> {
    let rows = all(
        connection,
        "SELECT kind, wanted FROM alert_choice WHERE operator = ?1",
        params![operator.as_bytes()],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)),
    )?;
    if rows.is_empty() {
        return Ok(None);
    }
    // A kind that only a newer Offgate knows is nothing that this one sends.
    let wanted = rows.into_iter().filter(|(_, wanted)| *wanted);
    Ok(Some(
        wanted
            .filter_map(|(kind, _)| AlertKind::from_name(&kind))
            .collect(),
    ))
}

/// Sets which alerts an operator is sent.
pub(super) fn choose(
    connection: &Connection,
    operator: OperatorId,
    chosen: &BTreeSet<AlertKind>,
) -> Result<(), StoreError> {
    for kind in AlertKind::ALL {
        run(
            connection,
            "INSERT INTO alert_choice (operator, kind, wanted) VALUES (?1, ?2, ?3) \
             ON CONFLICT (operator, kind) DO UPDATE SET wanted = ?3",
            params![operator.as_bytes(), kind.name(), chosen.contains(&kind)],
        )?;
    }
    Ok(())
}

const WANTED_SQL: &str = "SELECT 1 FROM alert_choice WHERE kind = ?1 AND wanted = 1 \
    UNION ALL SELECT 1 FROM webhook_kind WHERE kind = ?1 LIMIT 1";

/// Whether anybody chose this kind, or the webhook takes it. Of what owners are sent before they choose this says nothing.
pub(super) fn is_chosen(connection: &Connection, kind: AlertKind) -> Result<bool, StoreError> {
    let found = one(connection, WANTED_SQL, params![kind.name()], |_| Ok(()))?;
    Ok(found.is_some())
}

const SENT_SQL: &str = "SELECT count(*) FROM outbox \
    WHERE recipient_folded = ?1 AND kind = ?2 AND created_at > ?3";

/// How many letters of a kind somebody, or the webhook, was sent since a moment, or waits to be.
pub(super) fn sent(
    connection: &Connection,
    to: Option<&Email>,
    kind: LetterKind,
    since: Timestamp,
) -> Result<u64, StoreError> {
    let count = one(
        connection,
        SENT_SQL,
        params![
            to.map_or_else(String::new, |to| fold(to.as_str())),
            kind.name(),
            since.microseconds()
        ],
        |row| Ok(row.get::<_, i64>(0)?),
    )?;
    Ok(u64::try_from(count.unwrap_or(0)).unwrap_or(0))
}

/// Notes that a silence is told of; says whether it was not yet.
pub(super) fn is_new(connection: &Connection, alert: &Alert) -> Result<bool, StoreError> {
    let (subject, since) = match alert {
        Alert::AgentGone {
            agent,
            silent_since,
            ..
        } => (agent.as_bytes(), Some(*silent_since)),
        Alert::LimitPassed {
            door, silent_since, ..
        } => (door.as_bytes(), *silent_since),
        // Their causes come once.
        Alert::Tried(_)
        | Alert::HistoryDoesNotContinue { .. }
        | Alert::LastDoorConfirmed { .. } => {
            return Ok(true);
        }
    };
    let noted = run(
        connection,
        "INSERT INTO alert_told (kind, subject, since) VALUES (?1, ?2, ?3) \
         ON CONFLICT (kind, subject) DO UPDATE SET since = ?3 WHERE since <> ?3",
        params![
            alert.kind().name(),
            subject,
            since.map_or(0, Timestamp::microseconds)
        ],
    )?;
    Ok(noted > 0)
}

const DUE_SQL: &str = "SELECT user, door, credential, presented, why, first_at, last_at, count, \
    due_at FROM stopped_tries WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";

fn tries(row: &Row<'_>) -> Result<KeptTries, StoreError> {
    const UNKNOWN: StoreError = StoreError::Damaged("a try of no known kind");
    let presented = CredentialKind::from_name(&row.get::<_, String>(3)?).ok_or(UNKNOWN)?;
    let tries = Tries {
        first: Tried {
            user: id!(row, 0, UserId),
            door: id!(row, 1, DoorId),
            credential: id!(row, 2, CredentialId),
            presented,
            why: Stopped::from_name(&row.get::<_, String>(4)?).ok_or(UNKNOWN)?,
            at: Timestamp::from_microseconds(row.get(5)?),
        },
        last_at: Timestamp::from_microseconds(row.get(6)?),
        count: row.get(7)?,
    };
    Ok(KeptTries {
        tries,
        due: instant(row.get(8)?),
    })
}

/// The last tries of a person at a door that are told together.
pub(super) fn last_tries(
    connection: &Connection,
    user: UserId,
    door: DoorId,
) -> Result<Option<KeptTries>, StoreError> {
    one(
        connection,
        "SELECT user, door, credential, presented, why, first_at, last_at, count, due_at \
         FROM stopped_tries WHERE user = ?1 AND door = ?2",
        params![user.as_bytes(), door.as_bytes()],
        tries,
    )
}

/// Tries of which those after the first may be told by now, the longest due first.
pub(crate) fn tries_due(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<KeptTries>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    all(
        connection,
        DUE_SQL,
        params![now.microseconds(), limit],
        tries,
    )
}

const LATELY_SQL: &str = "SELECT user, door, credential, presented, why, first_at, last_at, count, \
    due_at FROM stopped_tries WHERE last_at > ?1 ORDER BY last_at DESC LIMIT ?2";
const OF_SQL: &str = "SELECT user, door, credential, presented, why, first_at, last_at, count, \
    due_at FROM stopped_tries WHERE user = ?1 ORDER BY door";

/// The last tries at each door of people who were taken out, since a moment, the latest first.
pub(crate) fn tries_since(
    connection: &Connection,
    since: Timestamp,
    limit: usize,
) -> Result<Vec<Tries>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = all(
        connection,
        LATELY_SQL,
        params![since.microseconds(), limit],
        tries,
    )?;
    Ok(found.into_iter().map(|kept| kept.tries).collect())
}

/// The last tries of a person at each door, in the order of the doors.
pub(crate) fn tries_of(connection: &Connection, user: UserId) -> Result<Vec<Tries>, StoreError> {
    let found = all(connection, OF_SQL, params![user.as_bytes()], tries)?;
    Ok(found.into_iter().map(|kept| kept.tries).collect())
}

/// Keeps tries in place of earlier ones of the same person at the same door.
pub(super) fn keep_tries(connection: &Connection, kept: &KeptTries) -> Result<(), StoreError> {
    let KeptTries { tries, due } = kept;
    let Tried {
        user,
        credential,
        presented,
        door,
        at,
        why,
    } = tries.first;
    run(
        connection,
        "INSERT OR REPLACE INTO stopped_tries \
         (user, door, credential, presented, why, first_at, last_at, count, due_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            user.as_bytes(),
            door.as_bytes(),
            credential.as_bytes(),
            presented.name(),
            why.name(),
            at.microseconds(),
            tries.last_at.microseconds(),
            tries.count,
            due.map(Timestamp::microseconds)
        ],
    )?;
    Ok(())
}

/// Forgets where somebody tried.
pub(super) fn forget_person(connection: &Connection, user: UserId) -> Result<(), StoreError> {
    run(
        connection,
        "DELETE FROM stopped_tries WHERE user = ?1",
        params![user.as_bytes()],
    )?;
    Ok(())
}

const OPEN_SQL: &str = "SELECT user, revision FROM confirmation \
    WHERE agent = ?1 AND confirmed_at IS NULL AND what = 'refuse' ORDER BY revision LIMIT ?2";

/// Refusals that an agent has not confirmed, the oldest first; a few hundred at most.
pub(super) fn open_refusals(
    connection: &Connection,
    agent: AgentId,
) -> Result<Vec<(UserId, Revision)>, StoreError> {
    all(
        connection,
        OPEN_SQL,
        params![agent.as_bytes(), LOOKED_AT],
        |row| Ok((id!(row, 0, UserId), revision(row.get(1)?))),
    )
}

/// The alert that every door has confirmed a deactivation, if it is one and they have.
pub(super) fn confirmed_everywhere(
    connection: &Connection,
    user: UserId,
    revision: Revision,
) -> Result<Option<Alert>, StoreError> {
    let found = one(
        connection,
        "SELECT count(*), count(c.confirmed_at), min(c.decided_at), max(c.confirmed_at) \
         FROM confirmation c JOIN user u ON u.id = c.user AND u.deactivation_revision = c.revision \
         WHERE c.user = ?1 AND c.revision = ?2",
        params![user.as_bytes(), number(revision)],
        |row| {
            let (doors, confirmed): (i64, i64) = (row.get(0)?, row.get(1)?);
            let moments = (instant(row.get(2)?), instant(row.get(3)?));
            Ok((doors, confirmed, moments))
        },
    )?;
    Ok(match found {
        Some((doors, confirmed, (Some(decided_at), Some(confirmed_at)))) if doors == confirmed => {
            Some(Alert::LastDoorConfirmed {
                user,
                decided_at,
                confirmed_at,
                doors: u64::try_from(doors).unwrap_or(0),
            })
        }
        _ => None,
    })
}

/// Whether an agent says that the log does not continue what it has seen.
pub(super) fn is_in_doubt(connection: &Connection, agent: AgentId) -> Result<bool, StoreError> {
    let doubted: Option<Option<i64>> = one(
        connection,
        "SELECT doubted_at FROM witness WHERE agent = ?1",
        params![agent.as_bytes()],
        |row| Ok(row.get(0)?),
    )?;
    Ok(doubted.flatten().is_some())
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    #[test]
    fn what_alerts_ask_is_found_along_an_index() {
        let connection = schema();
        for (sql, index) in [
            (WANTED_SQL, "alert_choice_wanted"),
            (
                SENT_SQL,
                "outbox_by_recipient (recipient_folded=? AND kind=? AND created_at>?)",
            ),
            (DUE_SQL, "stopped_tries_due"),
            (LATELY_SQL, "stopped_tries_by_time"),
            (OF_SQL, "PRIMARY KEY (user=?)"),
            (OPEN_SQL, "confirmation_waiting"),
        ] {
            let plan = plan(&connection, sql);
            assert!(
                plan.contains(index) && !plan.contains("TEMP B-TREE"),
                "{sql}\n{plan}"
            );
        }
    }
}
