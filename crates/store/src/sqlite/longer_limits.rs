//! Doors that work on their own for longer, until a moment.

use offgate_core::id::DoorId;
use offgate_core::longer_limit::LongerLimit;
use offgate_core::parameters::Timestamp;
use offgate_core::place::LeaseLength;
use offgate_core::text::Note;
use rusqlite::{Connection, params};

use super::rows::{all, id, one, text};
use crate::error::StoreError;

/// The longer limit of a door, if one is in force.
pub(super) fn of(connection: &Connection, door: DoorId) -> Result<Option<LongerLimit>, StoreError> {
    one(
        connection,
        "SELECT lease_seconds, until_at, reason FROM longer_limit WHERE door = ?1",
        params![door.as_bytes()],
        |row| {
            Ok(LongerLimit {
                door,
                lease: LeaseLength::from_seconds(row.get(0)?)
                    .ok_or(StoreError::Damaged("a door with an impossible limit"))?,
                until: Timestamp::from_microseconds(row.get(1)?),
                reason: text(&row.get::<_, String>(2)?, Note::parse)?,
            })
        },
    )
}

/// Sets one, in place of an earlier one.
pub(super) fn set(connection: &Connection, limit: &LongerLimit) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO longer_limit (door, lease_seconds, until_at, reason) \
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            limit.door.as_bytes(),
            limit.lease.seconds(),
            limit.until.microseconds(),
            limit.reason.as_str()
        ])?;
    Ok(())
}

/// Ends one.
pub(super) fn end(connection: &Connection, door: DoorId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM longer_limit WHERE door = ?1")?
        .execute(params![door.as_bytes()])?;
    Ok(())
}

const OVER_SQL: &str =
    "SELECT door FROM longer_limit WHERE until_at <= ?1 ORDER BY until_at LIMIT 100";

/// The doors whose longer limit is over, the longest over first, at most a hundred.
pub(crate) fn over(connection: &Connection, now: Timestamp) -> Result<Vec<DoorId>, StoreError> {
    all(connection, OVER_SQL, params![now.microseconds()], |row| {
        Ok(id!(row, 0, DoorId))
    })
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    #[test]
    fn those_that_are_over_are_found_along_an_index() {
        let plan = plan(&schema(), OVER_SQL);
        assert!(
            plan.contains("longer_limit_by_end") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    }
}
