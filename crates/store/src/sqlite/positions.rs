//! How doors stand, as rows.
//!
//! Owns: the last word of each contact. What one says counts while its agent is connected; whoever
//! reads looks at that too.

use offgate_core::door_position::{Position, Positions, SaidPosition, Stands};
use offgate_core::id::{AgentId, DoorId};
use offgate_core::parameters::Timestamp;
use rusqlite::{Connection, params};

use super::rows::one;
use crate::error::StoreError;

/// Joined to a door `d`: what its contact says, while its agent is heard.
macro_rules! position_join {
    () => {
        "LEFT JOIN door_position p ON p.door = d.id AND p.agent = d.agent AND EXISTS ( \
         SELECT 1 FROM contact heard WHERE heard.agent = p.agent AND heard.connected = 1) "
    };
}
pub(super) use position_join;

/// Keeps how the doors of an agent stand, in place of all that it said before. What it says of doors
/// that are not its own is dropped.
pub(super) fn keep(
    connection: &Connection,
    agent: AgentId,
    said: &[SaidPosition],
    now: Timestamp,
) -> Result<(), StoreError> {
    forget(connection, agent)?;
    for one in said {
        let Stands { position, since } = one.heard(now);
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO door_position (door, agent, position, since) \
                 SELECT id, agent, ?3, ?4 FROM door WHERE id = ?1 AND agent = ?2",
            )?
            .execute(params![
                one.door.as_bytes(),
                agent.as_bytes(),
                position.name(),
                since.microseconds()
            ])?;
    }
    Ok(())
}

/// Forgets what an agent said before: it has only just come.
pub(super) fn forget(connection: &Connection, agent: AgentId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM door_position WHERE agent = ?1")?
        .execute(params![agent.as_bytes()])?;
    Ok(())
}

/// What a column with the name of a position says.
fn position(name: Option<String>) -> Result<Option<Position>, StoreError> {
    name.map(|name| {
        Position::from_name(&name).ok_or(StoreError::Damaged("a door that stands in no known way"))
    })
    .transpose()
}

/// How a door stood then, and stands now: three columns from `column` on.
pub(super) fn positions(row: &rusqlite::Row<'_>, column: usize) -> Result<Positions, StoreError> {
    Ok(Positions {
        then: position(row.get(column)?)?,
        now: stands(row, column + 1)?,
    })
}

fn stands(row: &rusqlite::Row<'_>, column: usize) -> Result<Option<Stands>, StoreError> {
    let since: Option<i64> = row.get(column + 1)?;
    Ok(position(row.get(column)?)?
        .zip(since)
        .map(|(position, since)| Stands {
            position,
            since: Timestamp::from_microseconds(since),
        }))
}

/// How a door stands; none if it has no contact, or is not heard.
pub(crate) fn of(connection: &Connection, door: DoorId) -> Result<Option<Stands>, StoreError> {
    let found = one(
        connection,
        concat!(
            "SELECT p.position, p.since FROM door d ",
            position_join!(),
            "WHERE d.id = ?1"
        ),
        params![door.as_bytes()],
        |row| stands(row, 0),
    )?;
    Ok(found.flatten())
}
