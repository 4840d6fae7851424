//! Door tables, as they are read for the link.

use offgate_core::confirmation::DoorVersion;
use offgate_core::disagreement::{Disagreement, Noticed};
use offgate_core::id::{AgentId, DoorId, UserId};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::table::entry::{Entry, EntryKey, EntryKind, RulingEntry, TableHash};
use rusqlite::{Connection, params};

use super::rows::{all, id, instant, number, one, revision};
use crate::engine::TableHead;
use crate::error::StoreError;
use crate::reader::TableChanges;

/// The position of the last change in the log.
pub(crate) fn head(connection: &Connection) -> Result<Revision, StoreError> {
    let head = one(connection, "SELECT max(revision) FROM log", [], |row| {
        Ok(row.get::<_, Option<i64>>(0)?.unwrap_or(0))
    })?;
    Ok(revision(head.unwrap_or(0)))
}

/// An agent's table as a whole.
pub(crate) fn table_head(
    connection: &Connection,
    agent: AgentId,
) -> Result<Option<TableHead>, StoreError> {
    one(
        connection,
        "SELECT revision, hash FROM agent_table WHERE agent = ?1",
        params![agent.as_bytes()],
        |row| {
            Ok(TableHead {
                revision: revision(row.get(0)?),
                hash: TableHash(row.get(1)?),
            })
        },
    )
}

/// What an agent's table has beyond a revision, head and entries as of one moment.
pub(crate) fn since(
    connection: &Connection,
    agent: AgentId,
    since: Option<Revision>,
) -> Result<Option<TableChanges>, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let Some(head) = table_head(&transaction, agent)? else {
        return Ok(None);
    };
    let rows = match since {
        None => all(
            &transaction,
            "SELECT kind, id, encoded FROM agent_entry \
             WHERE agent = ?1 AND encoded IS NOT NULL ORDER BY id, kind",
            params![agent.as_bytes()],
            read,
        )?,
        Some(since) => all(
            &transaction,
            "SELECT kind, id, encoded FROM agent_entry \
             WHERE agent = ?1 AND revision > ?2 ORDER BY revision",
            params![agent.as_bytes(), number(since)],
            read,
        )?,
    };
    let mut changes = TableChanges {
        head,
        puts: Vec::new(),
        deletes: Vec::new(),
    };
    for (key, encoded) in rows {
        match encoded {
            Some(encoded) => changes.puts.push((key, encoded)),
            None => changes.deletes.push(key),
        }
    }
    Ok(Some(changes))
}

/// Refusals that an agent's table came to after a revision and that nothing later lifted, in the
/// order of their changes, at most so many; and the table as of that moment.
pub(crate) fn refusals_since(
    connection: &Connection,
    agent: AgentId,
    since: Revision,
    limit: usize,
) -> Result<Option<(TableHead, Vec<RulingEntry>)>, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let Some(head) = table_head(&transaction, agent)? else {
        return Ok(None);
    };
    let mut statement = transaction.prepare_cached(REFUSALS_SQL)?;
    let mut rows = statement.query(params![
        agent.as_bytes(),
        number(since),
        EntryKind::Ruling as u8
    ])?;
    let mut refusals = Vec::new();
    while refusals.len() < limit
        && let Some(row) = rows.next()?
    {
        let Ok(Entry::Ruling(entry)) = Entry::decode(&row.get::<_, Vec<u8>>(0)?) else {
            return Err(StoreError::Damaged("a ruling that is none"));
        };
        if entry.ruling().is_some_and(|ruling| ruling.ruled.refuses()) {
            refusals.push(entry);
        }
    }
    Ok(Some((head, refusals)))
}

/// By the index of revisions, which has the kind too.
const REFUSALS_SQL: &str = "SELECT encoded FROM agent_entry \
     WHERE agent = ?1 AND revision > ?2 AND kind = ?3 AND encoded IS NOT NULL ORDER BY revision";

/// The doors whose agent's table has an entry of this person's.
pub(crate) fn doors_that_know(
    connection: &Connection,
    user: UserId,
) -> Result<Vec<DoorId>, StoreError> {
    let key = EntryKey::user(user);
    all(
        connection,
        "SELECT d.id FROM agent a CROSS JOIN agent_entry e ON e.agent = a.id AND e.kind = ?1 \
         AND e.id = ?2 CROSS JOIN door d ON d.agent = a.id WHERE e.encoded IS NOT NULL \
         ORDER BY d.id",
        params![key.kind as u8, key.id],
        |row| Ok(id!(row, 0, DoorId)),
    )
}

/// The change that an agent's table last took up about somebody; none if it does not know them.
pub(crate) fn last_about(
    connection: &Connection,
    agent: AgentId,
    user: UserId,
) -> Result<Option<Revision>, StoreError> {
    let key = EntryKey::user(user);
    one(
        connection,
        "SELECT revision FROM agent_entry WHERE agent = ?1 AND kind = ?2 AND id = ?3 \
         AND encoded IS NOT NULL",
        params![agent.as_bytes(), key.kind as u8, key.id],
        |row| Ok(revision(row.get(0)?)),
    )
}

/// The agents that say that the log does not continue what they have seen.
pub(crate) fn doubts(connection: &Connection) -> Result<Vec<(AgentId, Timestamp)>, StoreError> {
    all(
        connection,
        "SELECT w.agent, w.doubted_at FROM witness w JOIN agent a ON a.id = w.agent \
         WHERE w.doubted_at IS NOT NULL AND a.revoked_at IS NULL \
         ORDER BY w.doubted_at, w.agent LIMIT 100",
        [],
        |row| {
            Ok((
                id!(row, 0, AgentId),
                Timestamp::from_microseconds(row.get(1)?),
            ))
        },
    )
}

/// The agents whose table was not the one that it should have been, the last to be noticed first.
pub(crate) fn disagreements(
    connection: &Connection,
) -> Result<Vec<(AgentId, Noticed)>, StoreError> {
    all(
        connection,
        "SELECT d.agent, d.what, d.revision, d.noticed_at, d.mended_at FROM disagreement d \
         JOIN agent a ON a.id = d.agent WHERE a.revoked_at IS NULL \
         ORDER BY d.noticed_at DESC, d.agent LIMIT 100",
        [],
        |row| {
            let disagreement = match row.get::<_, String>(1)?.as_str() {
                "another" => Disagreement::Another(revision(row.get(2)?)),
                "missing" => Disagreement::Missing,
                _ => return Err(StoreError::Damaged("a disagreement of no known kind")),
            };
            let noticed = Noticed {
                disagreement,
                at: Timestamp::from_microseconds(row.get(3)?),
                mended_at: instant(row.get(4)?),
            };
            Ok((id!(row, 0, AgentId), noticed))
        },
    )
}

/// A door's settings that its agent may be working by: those it acknowledged last, and all later
/// ones, in the order of their changes.
pub(crate) fn door_versions(
    connection: &Connection,
    agent: AgentId,
    door: DoorId,
) -> Result<Vec<DoorVersion>, StoreError> {
    all(
        connection,
        "SELECT encoded, revision FROM door_version WHERE agent = ?1 AND door = ?2 \
         AND encoded IS NOT NULL ORDER BY revision",
        params![agent.as_bytes(), door.as_bytes()],
        |row| match Entry::decode(&row.get::<_, Vec<u8>>(0)?) {
            Ok(Entry::Door(settings)) => Ok(DoorVersion {
                revision: revision(row.get(1)?),
                settings,
            }),
            Ok(_) | Err(_) => Err(StoreError::Damaged("settings of a door that are none")),
        },
    )
}

/// What the engine finds wrong with its files.
pub(crate) fn damage(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let lines = all(connection, "PRAGMA integrity_check(100)", [], |row| {
        Ok(row.get::<_, String>(0)?)
    })?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn read(row: &rusqlite::Row<'_>) -> Result<(EntryKey, Option<Vec<u8>>), StoreError> {
    let key = EntryKey::from_parts(row.get(0)?, row.get(1)?)
        .ok_or(StoreError::Damaged("a table entry of no known kind"))?;
    Ok((key, row.get(2)?))
}
