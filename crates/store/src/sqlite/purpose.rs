//! What a store is for, kept in the header of its file: so it goes wherever the file goes, and no
//! row that is changed, removed or restored takes it away.

use std::path::Path;

use rusqlite::Connection;

use super::BUSY;
use crate::engine::Purpose;
use crate::error::StoreError;

/// SQLite's field for the kind of file.
const FIELD: &str = "application_id";
/// "demo" in ASCII.
const DEMO: i64 = 0x6465_6d6f;

pub(crate) fn purpose(connection: &Connection) -> Result<Purpose, StoreError> {
    let found: i64 = connection.pragma_query_value(None, FIELD, |row| row.get(0))?;
    Ok(if found == DEMO {
        Purpose::Demo
    } else {
        Purpose::Installation
    })
}

/// Begins the database of a demo. One that has anything in it already stays what it is.
pub(crate) fn begin_demo(path: &Path) -> Result<Purpose, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    let schema: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if schema == 0 {
        connection.pragma_update(None, FIELD, DEMO)?;
    }
    purpose(&connection)
}
