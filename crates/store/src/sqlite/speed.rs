//! How long deactivations took to reach the last door that was connected.

use std::time::Duration;

use offgate_core::parameters::Timestamp;
use rusqlite::{Connection, params};

use super::rows::all;
use crate::error::StoreError;

/// One row for each deactivation that every door which was connected then has confirmed.
const TIMES_SQL: &str = "SELECT max(c.confirmed_at) - c.decided_at FROM confirmation c \
    CROSS JOIN log l ON l.revision = c.revision AND l.kind = 'user.deactivated' \
    WHERE c.connected = 1 AND c.what = 'refuse' AND c.decided_at > ?1 \
    GROUP BY c.decided_at, c.revision HAVING count(*) = count(c.confirmed_at)";

/// How long each deactivation since a moment took, from its decision to the last confirmation.
pub(crate) fn times(
    connection: &Connection,
    since: Timestamp,
) -> Result<Vec<Duration>, StoreError> {
    all(
        connection,
        TIMES_SQL,
        params![since.microseconds()],
        |row| {
            let microseconds = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
            Ok(Duration::from_micros(microseconds))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    #[test]
    fn times_are_read_along_one_index() {
        let plan = plan(&schema(), TIMES_SQL);
        assert!(
            plan.contains("USING COVERING INDEX confirmation_of_connected (decided_at>?)")
                || plan.contains("confirmation_of_connected (decided_at>?)"),
            "{plan}"
        );
        assert!(
            !plan.contains("TEMP B-TREE") && !plan.contains("SCAN"),
            "{plan}"
        );
    }
}
