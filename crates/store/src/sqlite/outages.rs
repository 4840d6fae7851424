//! When agents were not heard.
//!
//! An outage becomes a row when its agent is heard again; the one that goes on is told by the contact
//! itself. So one that began with a crash of the server is on record too.

use offgate_core::id::AgentId;
use offgate_core::outage::{COUNTED, KEPT, Outage, Outages, SHORTEST};
use offgate_core::parameters::Timestamp;
use rusqlite::{Connection, Params, params};

use super::rows::{all, instant, one};
use crate::error::StoreError;

fn run(
    connection: &Connection,
    sql: &'static str,
    parameters: impl Params,
) -> Result<usize, StoreError> {
    Ok(connection.prepare_cached(sql)?.execute(parameters)?)
}

const FORGET_SQL: &str = "DELETE FROM outage WHERE until_at < ?1";

/// Keeps the outage that ends with an agent's being heard, and forgets what is older than what
/// counts, or more than is kept.
pub(super) fn ends(
    connection: &Connection,
    agent: AgentId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let shortest = i64::try_from(SHORTEST.as_micros()).unwrap_or(i64::MAX);
    let kept = run(
        connection,
        "INSERT OR REPLACE INTO outage (agent, from_at, until_at) \
         SELECT agent, heard_at, ?2 FROM contact \
         WHERE agent = ?1 AND connected = 0 AND ?2 - heard_at >= ?3",
        params![agent.as_bytes(), now.microseconds(), shortest],
    )?;
    if kept == 0 {
        return Ok(());
    }
    run(
        connection,
        FORGET_SQL,
        params![now.minus(COUNTED).microseconds()],
    )?;
    let most = i64::try_from(KEPT).unwrap_or(i64::MAX);
    let gone = run(
        connection,
        "DELETE FROM outage WHERE agent = ?1 AND from_at <= (SELECT from_at FROM outage \
         WHERE agent = ?1 ORDER BY from_at DESC LIMIT 1 OFFSET ?2)",
        params![agent.as_bytes(), most],
    )?;
    if gone > 0 {
        run(
            connection,
            "UPDATE contact SET outages_since = \
             (SELECT min(from_at) FROM outage WHERE agent = ?1) WHERE agent = ?1",
            params![agent.as_bytes()],
        )?;
    }
    Ok(())
}

/// What is on record of an agent, with the outage that goes on.
pub(crate) fn of(connection: &Connection, agent: AgentId) -> Result<Outages, StoreError> {
    let contact = one(
        connection,
        "SELECT outages_since, connected, heard_at FROM contact WHERE agent = ?1",
        params![agent.as_bytes()],
        |row| {
            let connected: bool = row.get(1)?;
            Ok((
                Timestamp::from_microseconds(row.get(0)?),
                (!connected).then_some(Timestamp::from_microseconds(row.get(2)?)),
            ))
        },
    )?;
    let Some((since, silent_since)) = contact else {
        return Ok(Outages {
            since: None,
            all: Vec::new(),
        });
    };
    let mut all = all(
        connection,
        "SELECT from_at, until_at FROM outage WHERE agent = ?1 ORDER BY from_at",
        params![agent.as_bytes()],
        |row| {
            Ok(Outage {
                from: Timestamp::from_microseconds(row.get(0)?),
                until: instant(row.get(1)?),
            })
        },
    )?;
    all.extend(silent_since.map(|from| Outage { from, until: None }));
    Ok(Outages {
        since: Some(since),
        all,
    })
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    #[test]
    fn what_is_too_old_is_found_along_an_index() {
        let plan = plan(&schema(), FORGET_SQL);
        assert!(plan.contains("outage_by_end"), "{plan}");
    }
}
