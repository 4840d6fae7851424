//! From columns to values. What does not fit is damage, never "none".

use std::collections::BTreeSet;

use offgate_core::actor::Actor;
use offgate_core::id::{AgentId, OperatorId};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::text::TextError;
use rusqlite::{Connection, Params, Row};

use crate::error::StoreError;

/// A 16-byte id.
macro_rules! id {
    ($row:expr, $column:literal, $type:ty) => {
        <$type>::from_bytes($row.get::<_, [u8; 16]>($column)?)
    };
}
/// A 16-byte id that may be absent.
macro_rules! optional_id {
    ($row:expr, $column:literal, $type:ty) => {
        $row.get::<_, Option<[u8; 16]>>($column)?
            .map(<$type>::from_bytes)
    };
}
pub(super) use {id, optional_id};

pub(super) fn revision(number: i64) -> Revision {
    Revision::new(u64::try_from(number).unwrap_or(0))
}

pub(super) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.number()).unwrap_or(i64::MAX)
}

pub(super) fn instant(microseconds: Option<i64>) -> Option<Timestamp> {
    microseconds.map(Timestamp::from_microseconds)
}

/// Reads text as a checked type.
pub(super) fn text<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, TextError>,
) -> Result<T, StoreError> {
    parse(text).map_err(|_| StoreError::Damaged("a text that could not have been entered"))
}

/// Reads text that may be absent as a checked type.
pub(super) fn optional_text<T>(
    found: Option<String>,
    parse: impl Fn(&str) -> Result<T, TextError>,
) -> Result<Option<T>, StoreError> {
    found.map(|found| text(&found, parse)).transpose()
}

/// An actor as two columns.
pub(super) fn actor_columns(actor: Actor) -> (&'static str, Option<[u8; 16]>) {
    match actor {
        Actor::Operator(id) => ("operator", Some(*id.as_bytes())),
        Actor::ServerCommandLine => ("command-line", None),
        Actor::Schedule => ("schedule", None),
        Actor::JoiningAgent(id) => ("joining-agent", Some(*id.as_bytes())),
        Actor::TestifyingAgent(id) => ("testifying-agent", Some(*id.as_bytes())),
    }
}

/// An actor from two columns.
pub(super) fn actor(name: &str, id: Option<[u8; 16]>) -> Result<Actor, StoreError> {
    match (name, id) {
        ("operator", Some(id)) => Ok(Actor::Operator(OperatorId::from_bytes(id))),
        ("command-line", None) => Ok(Actor::ServerCommandLine),
        ("schedule", None) => Ok(Actor::Schedule),
        ("joining-agent", Some(id)) => Ok(Actor::JoiningAgent(AgentId::from_bytes(id))),
        ("testifying-agent", Some(id)) => Ok(Actor::TestifyingAgent(AgentId::from_bytes(id))),
        _ => Err(StoreError::Damaged("an actor of no known kind")),
    }
}

/// All rows of a query.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The one row of a query, if there is one.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    rows.next()?.map(read).transpose()
}

/// The ids in the first column.
pub(super) fn ids<T: Ord>(
    connection: &Connection,
    sql: &'static str,
    parameters: impl Params,
    make: impl Fn([u8; 16]) -> T,
) -> Result<BTreeSet<T>, StoreError> {
    Ok(
        all(connection, sql, parameters, |row| Ok(make(row.get(0)?)))?
            .into_iter()
            .collect(),
    )
}
