//! Copies of the database from before its schema was changed.
//!
//! Owns: where they lie (beside it) and how long. They hold people in the clear, so there is one for
//! each schema, none is older than thirty days, and none outlives an erasure. The vault is in none
//! of them: a change of the schema only ever adds keys to it, so the one that is there opens what an
//! older database sealed, and a copy would keep the keys of whoever is erased after it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use offgate_core::calendar::{read_stamp, write_stamp};
use offgate_core::parameters::Timestamp;

use super::DATABASE_FILE;
use super::copy::{copy, passing};
use crate::error::StoreError;

/// What stands in a name between that of the database and the schema.
const MARK: &str = ".schema-";
/// How long a copy is kept.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// One of them, as its name says.
struct OlderCopy {
    path: PathBuf,
    schema: i64,
    made_at: Timestamp,
}

fn folder(database: &Path) -> &Path {
    database.parent().unwrap_or_else(|| Path::new("."))
}

fn path(database: &Path, schema: i64, made_at: Timestamp) -> PathBuf {
    let name = format!("{DATABASE_FILE}{MARK}{schema}-{}", write_stamp(made_at));
    folder(database).join(name)
}

fn parse(path: PathBuf) -> Option<OlderCopy> {
    let name = path.file_name()?.to_str()?;
    let rest = name.strip_prefix(DATABASE_FILE)?.strip_prefix(MARK)?;
    let (schema, stamp) = rest.split_once('-')?;
    Some(OlderCopy {
        schema: schema.parse().ok()?,
        made_at: read_stamp(stamp)?,
        path,
    })
}

fn list(database: &Path) -> io::Result<Vec<OlderCopy>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder(database))? {
        found.extend(parse(entry?.path()));
    }
    Ok(found)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn remove_those(database: &Path, which: impl Fn(&OlderCopy) -> bool) -> io::Result<()> {
    let mut removed = false;
    for older in list(database)?.into_iter().filter(which) {
        remove(&older.path)?;
        removed = true;
    }
    if removed {
        File::open(folder(database))?.sync_all()?;
    }
    Ok(())
}

/// Copies a database whose schema is about to change, durable when this returns, and says where to.
/// An earlier copy of the same schema goes: it is from a change that came to nothing or was undone.
pub(super) fn set_aside(
    database: &Path,
    schema: i64,
    now: Timestamp,
) -> Result<PathBuf, StoreError> {
    let to = path(database, schema, now);
    copy(database, &to)?;
    remove_those(database, |older| older.schema == schema && older.path != to)
        .map_err(StoreError::Copy)?;
    Ok(to)
}

/// Removes those that are kept no longer.
pub(crate) fn forget_outlived(database: &Path, now: Timestamp) -> Result<(), StoreError> {
    remove_those(database, |older| now.since(older.made_at) > KEPT).map_err(StoreError::Directory)
}

/// Removes all of them, also one that was cut short: somebody was erased.
pub(super) fn forget_all(database: &Path) -> Result<(), StoreError> {
    // They share one passing name, whatever their own.
    let any = path(database, 0, Timestamp::from_seconds(0));
    remove(&passing(&any))
        .and_then(|()| remove_those(database, |_| true))
        .map_err(StoreError::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn there_is_one_for_each_schema_for_a_month_and_none_after_an_erasure() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join(DATABASE_FILE);
        rusqlite::Connection::open(&database)
            .and_then(|connection| connection.execute_batch("CREATE TABLE kept (it INTEGER)"))
            .expect("a database");
        let day = |day: i64| Timestamp::from_seconds(day * 24 * 3600);
        for (schema, on) in [(4, 1), (5, 2), (5, 3)] {
            set_aside(&database, schema, day(on)).expect("a copy");
        }
        let (four, five) = (
            "offgate.db.schema-4-19700102T000000Z",
            "offgate.db.schema-5-19700104T000000Z",
        );
        assert_eq!(names(folder.path()), [DATABASE_FILE, four, five]);
        forget_outlived(&database, day(31)).expect("forgotten");
        assert_eq!(names(folder.path()), [DATABASE_FILE, four, five]);
        forget_outlived(&database, day(32)).expect("forgotten");
        assert_eq!(names(folder.path()), [DATABASE_FILE, five]);
        for other in [
            "offgate.db.schema-x-19700104T000000Z",
            "offgate.db.schema-5",
        ] {
            std::fs::write(folder.path().join(other), "somebody else's").expect("written");
        }
        std::fs::write(folder.path().join("offgate.db.new"), "cut short").expect("written");
        forget_all(&database).expect("forgotten");
        assert_eq!(
            names(folder.path()),
            [
                DATABASE_FILE,
                "offgate.db.schema-5",
                "offgate.db.schema-x-19700104T000000Z"
            ]
        );
    }
}
