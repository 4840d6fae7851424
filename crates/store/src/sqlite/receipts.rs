//! What agents said that they follow, as rows: each receipt, and what it settles.
//!
//! Owns: receipts and confirmations. What is asked of a door that has confirmed is somebody else's.

use offgate_core::id::{AgentId, DoorId, UserId};
use offgate_core::parameters::{Revision, Timestamp};
use rusqlite::{Connection, Params, params};

use super::rows::{all, id, number, one, revision};
use crate::engine::{Confirms, Receipt};
use crate::error::StoreError;
use crate::questions::ConfirmedRefusal;

/// How much is confirmed at a time.
const AT_ONCE: usize = 4096;

/// The same receipt; there is one at most.
const KNOWN_SQL: &str = "SELECT k.number FROM store s CROSS JOIN acknowledgement k \
     WHERE k.agent = ?1 AND k.epoch_counter = s.epoch_counter AND k.epoch_nonce = s.epoch_nonce \
     AND k.revision = ?2 AND k.statement = ?3";
/// What waits for an agent, by the index of what waits. A row is then confirmed by its own key, which
/// costs a fraction of a change that looks for its rows and moves them in that index too.
const UP_TO_SQL: &str = "SELECT user, revision, door FROM confirmation \
     WHERE agent = ?1 AND confirmed_at IS NULL AND what = ?2 AND revision <= ?3 \
     ORDER BY revision DESC LIMIT ?4";
const ABOVE_SQL: &str = "SELECT user, revision, door FROM confirmation \
     WHERE agent = ?1 AND confirmed_at IS NULL AND what = 'refuse' AND revision = ?2 LIMIT ?3";

/// The last revision of this epoch that an agent, named by a parameter, has acknowledged; null if there
/// is none. The epoch is asked for as two values, so that it is one step in the index and not a walk
/// through all that the agent ever said.
macro_rules! acknowledged_sql {
    ($agent:literal) => {
        concat!(
            "(SELECT max(k.revision) FROM acknowledgement k WHERE k.agent = ",
            $agent,
            " AND k.epoch_counter = (SELECT epoch_counter FROM store) \
             AND k.epoch_nonce = (SELECT epoch_nonce FROM store))"
        )
    };
}
pub(super) use acknowledged_sql;

const ACKNOWLEDGED_SQL: &str = concat!("SELECT ", acknowledged_sql!("?1"));

/// The last revision of this epoch that an agent has acknowledged.
pub(crate) fn acknowledged(
    connection: &Connection,
    agent: AgentId,
) -> Result<Option<Revision>, StoreError> {
    let last = one(
        connection,
        ACKNOWLEDGED_SQL,
        params![agent.as_bytes()],
        |row| Ok(row.get::<_, Option<i64>>(0)?),
    )?;
    Ok(last.flatten().map(revision))
}

fn run(
    connection: &Connection,
    sql: &'static str,
    parameters: impl Params,
) -> Result<usize, StoreError> {
    Ok(connection.prepare_cached(sql)?.execute(parameters)?)
}

/// Keeps a receipt and confirms what waited for it. Says which refusals that were, the latest first,
/// at most some thousands.
pub(super) fn acknowledge(
    connection: &Connection,
    agent: AgentId,
    receipt: &Receipt,
    now: Timestamp,
) -> Result<Vec<ConfirmedRefusal>, StoreError> {
    let settles = Settles {
        connection,
        agent,
        receipt: keep(connection, agent, receipt, now)?,
        now,
    };
    let mut confirmed = settles.up_to(Confirms::Refuse, receipt.up_to)?;
    settles.up_to(Confirms::Admit, receipt.up_to)?;
    for refused in &receipt.above {
        confirmed.extend(settles.refusals_of(*refused)?);
    }
    let (up_to, now) = (number(receipt.up_to), now.microseconds());
    // The newest settings it has acknowledged, and what came after them, are what it may be
    // working by.
    run(
        connection,
        "DELETE FROM door_version WHERE agent = ?1 AND revision < ( \
         SELECT max(revision) FROM door_version newest WHERE newest.agent = ?1 \
         AND newest.door = door_version.door AND newest.revision <= ?2)",
        params![agent.as_bytes(), up_to],
    )?;
    run(
        connection,
        "UPDATE disagreement SET mended_at = ?3 \
         WHERE agent = ?1 AND revision <= ?2 AND mended_at IS NULL",
        params![agent.as_bytes(), up_to, now],
    )?;
    confirmed.truncate(AT_ONCE);
    Ok(confirmed)
}

/// Keeps a receipt; says its number. One that was sent again, because the connection ended before it
/// was known to have arrived, is the same receipt.
fn keep(
    connection: &Connection,
    agent: AgentId,
    receipt: &Receipt,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let known = one(
        connection,
        KNOWN_SQL,
        params![
            agent.as_bytes(),
            number(receipt.revision),
            receipt.statement
        ],
        |row| Ok(row.get::<_, i64>(0)?),
    )?;
    if let Some(known) = known {
        return Ok(known);
    }
    run(
        connection,
        "INSERT INTO acknowledgement \
         (agent, epoch_counter, epoch_nonce, revision, received_at, statement, signature) \
         SELECT ?1, s.epoch_counter, s.epoch_nonce, ?2, ?3, ?4, ?5 FROM store s",
        params![
            agent.as_bytes(),
            number(receipt.revision),
            now.microseconds(),
            receipt.statement,
            receipt.signature
        ],
    )?;
    Ok(connection.last_insert_rowid())
}

/// A receipt that settles what waits.
struct Settles<'c> {
    connection: &'c Connection,
    agent: AgentId,
    receipt: i64,
    now: Timestamp,
}

impl Settles<'_> {
    /// Everything of a kind up to a change. The latest of it are told.
    fn up_to(
        &self,
        confirms: Confirms,
        up_to: Revision,
    ) -> Result<Vec<ConfirmedRefusal>, StoreError> {
        let (agent, limit) = (self.agent.as_bytes(), limit());
        let mut latest = None;
        loop {
            let some = self.settle(
                UP_TO_SQL,
                params![agent, confirms.name(), number(up_to), limit],
            )?;
            let is_last = some.len() < AT_ONCE;
            let told = latest.get_or_insert(some);
            if is_last {
                return Ok(std::mem::take(told));
            }
        }
    }

    /// Refusals of one change.
    fn refusals_of(&self, refusal: Revision) -> Result<Vec<ConfirmedRefusal>, StoreError> {
        let agent = self.agent.as_bytes();
        self.settle(ABOVE_SQL, params![agent, number(refusal), limit()])
    }

    /// Confirms what is found.
    fn settle(
        &self,
        found_by: &'static str,
        parameters: impl Params,
    ) -> Result<Vec<ConfirmedRefusal>, StoreError> {
        let found = all(self.connection, found_by, parameters, |row| {
            Ok(ConfirmedRefusal {
                user: id!(row, 0, UserId),
                revision: revision(row.get(1)?),
                door: id!(row, 2, DoorId),
            })
        })?;
        for row in &found {
            run(
                self.connection,
                "UPDATE confirmation SET confirmed_at = ?4, receipt = ?5 \
                 WHERE user = ?1 AND revision = ?2 AND door = ?3",
                params![
                    row.user.as_bytes(),
                    number(row.revision),
                    row.door.as_bytes(),
                    self.now.microseconds(),
                    self.receipt
                ],
            )?;
        }
        Ok(found)
    }
}

fn limit() -> i64 {
    i64::try_from(AT_ONCE).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    #[test]
    fn the_last_receipt_is_one_step_in_the_index() {
        let plan = plan(&schema(), ACKNOWLEDGED_SQL);
        assert!(
            plan.contains(
                "SEARCH k USING COVERING INDEX acknowledgement_by_agent \
                 (agent=? AND epoch_counter=? AND epoch_nonce=?)"
            ),
            "{plan}"
        );
    }

    #[test]
    fn a_receipt_is_found_again_by_index() {
        let plan = plan(&schema(), KNOWN_SQL);
        assert!(
            plan.contains("acknowledgement_by_agent (agent=? AND epoch_counter=?"),
            "{plan}"
        );
    }

    #[test]
    fn what_waits_is_found_by_index_and_in_its_order() {
        let connection = schema();
        for sql in [UP_TO_SQL, ABOVE_SQL] {
            let plan = plan(&connection, sql);
            assert!(
                plan.starts_with("SEARCH") && plan.contains("confirmation_waiting"),
                "{sql}\n{plan}"
            );
            assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
