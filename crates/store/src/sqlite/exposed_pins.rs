//! Which PINs a stolen device knows.

use offgate_core::id::{AgentId, CredentialId, UserId};
use offgate_core::parameters::Timestamp;
use offgate_core::records::Records as _;
use offgate_core::table::entry::EntryKind;
use offgate_core::user::UserRecord;
use rusqlite::{Connection, named_params, params};

use super::read::Rows;
use super::receipts::acknowledged_sql;
use super::rows::{all, id, one};
use crate::error::StoreError;
use crate::exposed_pins::{
    EXPOSED_PINS_LIMIT, ExposedPin, ExposedPinPage, ExposedPinQuery, Exposure,
};

/// The PINs that the device of an agent may know. What was taken out of its table is known to it
/// until it has acknowledged that; what was added after its revocation never came to it.
macro_rules! known_pins {
    () => {
        concat!(
            "FROM agent a CROSS JOIN agent_entry e ON e.agent = a.id AND e.kind = :kind \
             CROSS JOIN credential c ON c.user = e.id AND c.kind = 'pin' \
             WHERE a.id = :agent AND (e.encoded IS NOT NULL OR e.revision > coalesce(",
            acknowledged_sql!(":agent"),
            ", 0)) AND (a.revoked_at IS NULL OR c.added_at <= a.revoked_at)"
        )
    };
}

const COUNT_SQL: &str = concat!("SELECT count(*) ", known_pins!());
const EXPOSE_SQL: &str = concat!(
    "INSERT OR IGNORE INTO exposed_pin (credential, agent, since) SELECT c.id, a.id, :since ",
    known_pins!()
);
/// Sorts what is on the list, which is short beside everybody: the names are not indexed for it.
const PAGE_SQL: &str = "SELECT e.credential, e.agent, e.since, c.user FROM exposed_pin e \
     CROSS JOIN credential c ON c.id = e.credential CROSS JOIN user u ON u.id = c.user \
     WHERE (:agent IS NULL OR e.agent = :agent) \
     AND (:after IS NULL OR (u.sort_key, u.id, c.id) > (SELECT v.sort_key, v.id, :after \
     FROM credential d JOIN user v ON v.id = d.user WHERE d.id = :after)) \
     ORDER BY u.sort_key, u.id, c.id LIMIT :limit";

/// How many PINs the device of an agent may know.
pub(super) fn count_known(connection: &Connection, agent: AgentId) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(COUNT_SQL)?;
    let count: i64 = statement.query_row(
        named_params! {":agent": agent.as_bytes(), ":kind": EntryKind::User as u8},
        |row| row.get(0),
    )?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Puts them on the list; those that are on it stay as they are.
pub(super) fn expose(
    connection: &Connection,
    agent: AgentId,
    since: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(EXPOSE_SQL)?;
    statement.execute(named_params! {
        ":agent": agent.as_bytes(),
        ":kind": EntryKind::User as u8,
        ":since": since.microseconds(),
    })?;
    Ok(())
}

/// How many are to be renewed.
pub(crate) fn count(connection: &Connection) -> Result<u64, StoreError> {
    let count = one(connection, "SELECT count(*) FROM exposed_pin", [], |row| {
        Ok(row.get::<_, i64>(0)?)
    })?;
    Ok(count
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or(0))
}

fn exposure(rows: &Rows<'_>, agent: AgentId, since: i64) -> Result<Exposure, StoreError> {
    let agent = rows.agent(agent)?;
    Ok(Exposure {
        agent: agent.ok_or(StoreError::Damaged("a PIN known to an agent that is none"))?,
        since: Timestamp::from_microseconds(since),
    })
}

/// A page of those to renew.
pub(crate) fn page(rows: &Rows<'_>, query: &ExposedPinQuery) -> Result<ExposedPinPage, StoreError> {
    let limit = query.limit.clamp(1, EXPOSED_PINS_LIMIT);
    let after = match query.after {
        Some(after) => rows.credential(after)?.map(|credential| credential.id),
        None => None,
    };
    let mut items = all(
        rows.connection,
        PAGE_SQL,
        named_params! {
            ":agent": query.agent.map(|agent| *agent.as_bytes()),
            ":after": after.map(|after| *after.as_bytes()),
            ":limit": i64::try_from(limit + 1).unwrap_or(i64::MAX),
        },
        |row| {
            let missing = StoreError::Damaged("a PIN that nobody holds");
            let Some(credential) = rows.credential(id!(row, 0, CredentialId))? else {
                return Err(missing);
            };
            let Some(UserRecord::Present(holder)) = rows.user(id!(row, 3, UserId))? else {
                return Err(missing);
            };
            Ok(ExposedPin {
                credential,
                holder,
                exposure: exposure(rows, id!(row, 1, AgentId), row.get(2)?)?,
            })
        },
    )?;
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().map(|item| item.credential.id);
    Ok(ExposedPinPage {
        next: last.filter(|_| more),
        items,
    })
}

/// Whether a PIN is to be renewed.
pub(crate) fn of(
    rows: &Rows<'_>,
    credential: CredentialId,
) -> Result<Option<Exposure>, StoreError> {
    one(
        rows.connection,
        "SELECT agent, since FROM exposed_pin WHERE credential = ?1",
        params![credential.as_bytes()],
        |row| exposure(rows, id!(row, 0, AgentId), row.get(1)?),
    )
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    #[test]
    fn only_what_is_concerned_is_looked_at() {
        let connection = schema();
        for (sql, steps) in [
            (
                COUNT_SQL,
                [
                    "SEARCH a USING",
                    "SEARCH e USING PRIMARY KEY",
                    "SEARCH c USING INDEX",
                ],
            ),
            (
                PAGE_SQL,
                ["SCAN e", "SEARCH c USING INDEX", "SEARCH u USING INDEX"],
            ),
        ] {
            let plan = plan(&connection, sql);
            for step in steps {
                assert!(plan.contains(step), "{sql}\n{plan}");
            }
        }
    }
}
