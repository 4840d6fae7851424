//! When agents were heard, and from when the limits of their doors are counted.
//!
//! Owns: contacts, and the renewal that each refusal was decided under. Whether a limit is over is
//! core's to say.

use std::time::Duration;

use offgate_core::agent::DiskState;
use offgate_core::confirmation::{Contact, Renewal};
use offgate_core::id::AgentId;
use offgate_core::parameters::{Boot, Clock, Timestamp, Uptime};
use rusqlite::{Connection, Params, params};

use super::receipts::acknowledged_sql;
use super::rows::{instant, one};
use super::{outages, positions};
use crate::engine::Heard;
use crate::error::StoreError;
use crate::reader::AgentContact;

/// By the index of refusals without an instant, which are few, and not by the one of all that wait.
const NAME_SQL: &str = "UPDATE confirmation INDEXED BY confirmation_unnamed SET (renewed_at, renewed_boot, renewed_since_boot) = \
     (SELECT renewed_at, renewed_boot, renewed_since_boot FROM contact WHERE agent = ?1) \
     WHERE agent = ?1 AND what = 'refuse' AND confirmed_at IS NULL AND renewed_at IS NULL";

fn run(
    connection: &Connection,
    sql: &'static str,
    parameters: impl Params,
) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute(parameters)?;
    Ok(())
}

/// Notes how an agent was heard.
pub(super) fn heard(
    connection: &Connection,
    agent: AgentId,
    heard: Heard,
    (uptime, now): (Option<Uptime>, Timestamp),
) -> Result<(), StoreError> {
    let connected = match heard {
        Heard::Connected | Heard::AsksRenewal => true,
        Heard::Gone => false,
    };
    if connected {
        outages::ends(connection, agent, now)?;
    }
    if heard == Heard::Connected {
        positions::forget(connection, agent)?;
        disk(connection, agent, DiskState::Works, now)?;
    }
    let now = now.microseconds();
    run(
        connection,
        "INSERT INTO contact (agent, connected, heard_at, outages_since) VALUES (?1, ?2, ?3, ?3) \
         ON CONFLICT (agent) DO UPDATE SET connected = ?2, \
         heard_at = CASE WHEN ?2 THEN ?3 ELSE heard_at END",
        params![agent.as_bytes(), connected, now],
    )?;
    if heard != Heard::AsksRenewal {
        return Ok(());
    }
    let (boot, since) = uptime_columns(uptime);
    // After a restore a renewal counts once the agent has acknowledged something since: until then
    // it may not have arrived, and the door works by settings that are not on record.
    run(
        connection,
        concat!(
            "UPDATE contact SET renewed_at = ?2, renewed_boot = ?3, renewed_since_boot = ?4 \
             WHERE agent = ?1 AND NOT EXISTS (SELECT 1 FROM restore WHERE revision > coalesce(",
            acknowledged_sql!("?1"),
            ", 0))"
        ),
        params![agent.as_bytes(), now, boot, since],
    )?;
    // Of what was refused while no lease of it was known, an instant can be named now. One that was
    // named never moves: what is read for this answer has every refusal that is on record.
    run(connection, NAME_SQL, params![agent.as_bytes()])
}

/// Notes whether the disk of an agent that is connected keeps what it is told.
pub(super) fn disk(
    connection: &Connection,
    agent: AgentId,
    state: DiskState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let fails_since = match state {
        DiskState::Works => None,
        DiskState::Fails => Some(now.microseconds()),
    };
    run(
        connection,
        "UPDATE contact SET disk_fails_since = ?2 WHERE agent = ?1",
        params![agent.as_bytes(), fails_since],
    )
}

/// Notes that the server has just started: no agent is connected.
pub(super) fn server_started(
    connection: &Connection,
    uptime: Option<Uptime>,
) -> Result<(), StoreError> {
    run(connection, "UPDATE contact SET connected = 0", [])?;
    let (boot, since) = uptime_columns(uptime);
    match boot {
        Some(_) => run(
            connection,
            "INSERT OR REPLACE INTO serving (only, boot, since_boot) VALUES (1, ?1, ?2)",
            params![boot, since],
        ),
        None => run(connection, "DELETE FROM serving", []),
    }
}

/// What the limits of doors that are not heard are counted by.
pub(super) struct Counting {
    serving: Option<Uptime>,
    uptime: Option<Uptime>,
    now: Timestamp,
}

impl Counting {
    pub(super) fn by(connection: &Connection, clock: &dyn Clock) -> Result<Self, StoreError> {
        let serving = one(
            connection,
            "SELECT boot, since_boot FROM serving",
            [],
            |row| Ok(uptime(row, 0)?),
        )?;
        Ok(Self {
            serving: serving.flatten(),
            uptime: clock.uptime(),
            now: clock.now(),
        })
    }

    /// From when the limits of a contact are counted, whose time of renewal, start of the machine
    /// and time since then begin at `column`; none if there was no renewal.
    pub(super) fn renewal(
        &self,
        row: &rusqlite::Row<'_>,
        column: usize,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(at) = instant(row.get(column)?) else {
            return Ok(None);
        };
        let by = uptime(row, column + 1)?;
        let renewal = Renewal { at, by };
        Ok(Some(renewal.counted_from(
            self.serving,
            self.uptime,
            self.now,
        )))
    }
}

fn uptime(row: &rusqlite::Row<'_>, column: usize) -> Result<Option<Uptime>, rusqlite::Error> {
    let boot: Option<[u8; 16]> = row.get(column)?;
    let since: Option<i64> = row.get(column + 1)?;
    let since = since.and_then(|since| u64::try_from(since).ok());
    Ok(boot.zip(since).map(|(boot, since)| Uptime {
        boot: Boot(boot),
        since: Duration::from_micros(since),
    }))
}

/// A reading of the clock that nobody sets, as columns.
fn uptime_columns(uptime: Option<Uptime>) -> (Option<[u8; 16]>, Option<i64>) {
    let since = |uptime: Uptime| i64::try_from(uptime.since.as_micros()).unwrap_or(i64::MAX);
    (uptime.map(|uptime| uptime.boot.0), uptime.map(since))
}

/// When an agent was heard.
pub(crate) fn contact(
    connection: &Connection,
    agent: AgentId,
    clock: &dyn Clock,
) -> Result<Option<AgentContact>, StoreError> {
    let counting = Counting::by(connection, clock)?;
    one(
        connection,
        "SELECT connected, heard_at, renewed_at, renewed_boot, renewed_since_boot, \
         disk_fails_since FROM contact WHERE agent = ?1",
        params![agent.as_bytes()],
        |row| {
            let heard_at = Timestamp::from_microseconds(row.get(1)?);
            Ok(AgentContact {
                contact: match row.get::<_, i64>(0)? {
                    1 => Contact::Connected,
                    _ => Contact::Silent {
                        since: Some(heard_at),
                    },
                },
                disk: match instant(row.get(5)?) {
                    None => DiskState::Works,
                    Some(_) => DiskState::Fails,
                },
                counted_from: counting.renewal(row, 2)?,
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    #[test]
    fn what_has_no_instant_yet_is_found_by_its_index() {
        let plan = plan(&schema(), NAME_SQL);
        assert!(plan.contains("confirmation_unnamed"), "{plan}");
    }
}
