//! Rows that show a refusal to somebody outside.

use offgate_core::id::{AgentId, DoorId, UserId};
use offgate_core::parameters::{Revision, Timestamp};
use rusqlite::{Connection, params};

use super::rows::{all, id, instant, number, one, revision};
use crate::error::StoreError;
use crate::evidence::{DoorRecord, KeptReceipt};

/// How many later entries about somebody are shown.
const LATER: i64 = 100;

const LAST_SQL: &str = "SELECT revision FROM log WHERE subject = 'user' AND subject_id = ?1 \
     AND kind = ?2 ORDER BY revision DESC LIMIT 1";
const LATER_SQL: &str = "SELECT revision FROM log WHERE subject = 'user' AND subject_id = ?1 \
     AND revision > ?2 AND kind IN ('user.deactivated', 'user.reactivated', 'user.removed', \
     'user.erased', 'credential.lost', 'credential.found', 'credential.removed') \
     ORDER BY revision LIMIT ?3";
const DOORS_SQL: &str = "SELECT c.door, c.agent, a.statement, a.signature, a.received_at, \
     c.renewed_at FROM confirmation c LEFT JOIN acknowledgement a ON a.number = c.receipt \
     WHERE c.user = ?1 AND c.revision = ?2 AND c.what = 'refuse' ORDER BY c.door";

/// The last entry of a kind about somebody, also after they were erased.
pub(crate) fn last_entry(
    connection: &Connection,
    user: UserId,
    kind: &str,
) -> Result<Option<Revision>, StoreError> {
    one(
        connection,
        LAST_SQL,
        params![user.as_bytes(), kind],
        |row| Ok(revision(row.get(0)?)),
    )
}

/// Later entries about somebody's access, in order; at most a hundred.
pub(crate) fn later_entries(
    connection: &Connection,
    user: UserId,
    after: Revision,
) -> Result<Vec<Revision>, StoreError> {
    all(
        connection,
        LATER_SQL,
        params![user.as_bytes(), number(after), LATER],
        |row| Ok(revision(row.get(0)?)),
    )
}

/// What there is of each door that must confirm a refusal.
pub(crate) fn doors(
    connection: &Connection,
    user: UserId,
    refusal: Revision,
) -> Result<Vec<DoorRecord>, StoreError> {
    all(
        connection,
        DOORS_SQL,
        params![user.as_bytes(), number(refusal)],
        |row| {
            let receipt = match row.get::<_, Option<Vec<u8>>>(2)? {
                None => None,
                Some(statement) => Some(KeptReceipt {
                    statement,
                    signature: row.get(3)?,
                    received_at: Timestamp::from_microseconds(row.get(4)?),
                }),
            };
            Ok(DoorRecord {
                door: id!(row, 0, DoorId),
                agent: id!(row, 1, AgentId),
                receipt,
                renewed_at: instant(row.get(5)?),
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    #[test]
    fn what_shows_a_refusal_is_found_by_index() {
        let connection = schema();
        for (sql, index) in [
            (LAST_SQL, "log_by_subject_and_time"),
            (LATER_SQL, "log_by_subject_and_time"),
            (DOORS_SQL, "PRIMARY KEY (user=? AND revision=?)"),
        ] {
            let plan = plan(&connection, sql);
            assert!(
                plan.starts_with("SEARCH") && plan.contains(index),
                "{sql}\n{plan}"
            );
        }
    }
}
