//! Whether the entries of agents' tables are what the records say: what was kept in step change by
//! change is compared with what is compiled anew.
//!
//! An entry that there should not be, as of somebody who is not on record, or with a credential that
//! nobody holds, is found here. Rulings are not looked at: they outlive what they are about.

use offgate_core::agent::AgentState;
use offgate_core::id::AgentId;
use offgate_core::records::Records as _;
use offgate_core::table::compile::{self, Scope};
use offgate_core::table::entry::{EntryKey, EntryKind};
use rusqlite::params;

use super::read::Rows;
use super::rows::all;
use crate::error::StoreError;
use crate::reader::CheckedEntries;

/// Checks entries of an agent's table after a key, in the order of their keys, at most so many, all as
/// of one moment.
pub(crate) fn entries(
    rows: &Rows<'_>,
    agent: AgentId,
    after: Option<EntryKey>,
    limit: usize,
) -> Result<CheckedEntries, StoreError> {
    let transaction = rows.connection.unchecked_transaction()?;
    let mut checked = CheckedEntries::default();
    let known = rows.agent(agent)?;
    let Some(known) = known.filter(|agent| agent.state == AgentState::Enrolled) else {
        return Ok(checked);
    };
    let salt = super::identity(&transaction)?.pin_salt;
    let scope = Scope::of(rows, &known, salt)?;
    let (id, kind) = after.map_or(([0; 16], -1), |key| (key.id, i64::from(key.kind as u8)));
    let found = all(
        &transaction,
        ENTRIES_SQL,
        params![
            agent.as_bytes(),
            id,
            kind,
            i64::try_from(limit).unwrap_or(i64::MAX)
        ],
        |row| {
            let key = EntryKey::from_parts(row.get(0)?, row.get(1)?)
                .ok_or(StoreError::Damaged("a table entry of no known kind"))?;
            Ok((key, row.get::<_, Option<Vec<u8>>>(2)?))
        },
    )?;
    if found.len() == limit {
        checked.next = found.last().map(|(key, _)| *key);
    }
    for (key, encoded) in found {
        if key.kind == EntryKind::Ruling {
            continue;
        }
        let should = compile::entry(rows, &scope, key)?.map(|entry| entry.encode());
        checked.entries += usize::from(encoded.is_some());
        if should != encoded {
            checked.wrong.push(key);
        }
    }
    Ok(checked)
}

/// By the primary key.
const ENTRIES_SQL: &str = "SELECT kind, id, encoded FROM agent_entry \
     WHERE agent = ?1 AND (id, kind) > (?2, ?3) ORDER BY id, kind LIMIT ?4";

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    #[test]
    fn entries_are_read_along_the_primary_key() {
        let plan = plan(&schema(), ENTRIES_SQL);
        assert!(
            plan.contains("SEARCH") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    }
}
