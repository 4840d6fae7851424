//! The SQLite engine: one connection that writes, others that read.
//!
//! Owns: the file, its settings, its schema. Knows no rule.

pub(crate) mod activity;
pub(crate) mod alerts;
mod apply;
pub(crate) mod audit;
mod batch;
pub(crate) mod checkpoints;
pub(crate) mod contacts;
pub(crate) mod copy;
pub(crate) mod erasure;
pub(crate) mod evidence;
pub(crate) mod exposed_pins;
mod furniture;
mod given_up;
mod held_over;
pub(crate) mod log_tree;
pub(crate) mod longer_limits;
pub(crate) mod mail;
mod migrate;
pub(crate) mod older_copy;
pub(crate) mod outages;
pub(crate) mod payload;
mod payload_check;
mod people;
pub(crate) mod positions;
pub(crate) mod purpose;
pub(crate) mod questions;
mod read;
mod readmissions;
pub(crate) mod receipts;
pub(crate) mod restores;
mod rows;
pub(crate) mod sign_in;
pub(crate) mod speed;
pub(crate) mod table_check;
pub(crate) mod tables;
pub(crate) mod users;
pub(crate) mod webhook;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use offgate_core::id::StoreId;
use offgate_core::log::Person;
use offgate_core::parameters::{Clock, Epoch, Randomness};
use offgate_core::pin::PinSalt;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::engine::{Batch, Engine, Forgotten, StoreIdentity};
use crate::error::StoreError;
use crate::vault::{Keys, Vault};
use held_over::HeldOver;
use migrate::{Beginning, Migrated, NEWEST, migrate};

pub(crate) use read::{EndedLimit, Rows};

/// The name of the database in the data directory.
pub const DATABASE_FILE: &str = "offgate.db";

/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// How much the connection that writes keeps in memory, in KiB. A transaction of a full batch that
/// does not fit is written out before its end, and some of it twice.
const WRITER_CACHE: i64 = 64 * 1024;

fn set_up(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Pages of people who were removed are overwritten, in the file and in the log.
    connection.pragma_update(None, "secure_delete", true)?;
    // A commit that was answered survives a power cut: a lost refusal opens a door.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Plans do not depend on what is bound: or else a statement that is used again is planned again.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(256);
    Ok(())
}

/// The connection that writes.
pub(crate) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    vault: Arc<Vault>,
    identity: StoreIdentity,
    clock: Arc<dyn Clock>,
    held_over: HeldOver,
}

impl Sqlite {
    /// Opens the database, makes it if there is none, and brings its schema up to date.
    pub(crate) fn open(
        path: &Path,
        vault: Arc<Vault>,
        randomness: &dyn Randomness,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path)?;
        set_up(&connection)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE)?;
        let beginning = Beginning {
            randomness,
            clock: &*clock,
        };
        if migrate(&mut connection, path, &vault, &NEWEST, &beginning)? == Migrated::FromOlder {
            // What the older schema kept in plain text is overwritten in the file, not yet there.
            empty_log(&connection)?;
        }
        let identity = identity(&connection)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            vault,
            identity,
            clock,
            held_over: HeldOver::default(),
        })
    }

    /// Whether a database has the schema that this build knows.
    pub(crate) fn check_schema(connection: &Connection) -> Result<(), StoreError> {
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let known = NEWEST.number();
        match found.cmp(&known) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(StoreError::TooNew { found, known }),
            std::cmp::Ordering::Less => Err(StoreError::TooOld),
        }
    }

    /// Whether a process before this one left keys to destroy.
    pub(crate) fn owes_keys(&self) -> Result<bool, StoreError> {
        payload::owes_keys(&self.connection)
    }

    /// Those whom the vault knows as erased and these records do not: they are from before it.
    pub(crate) fn not_erased(&self) -> Result<Vec<Person>, StoreError> {
        erasure::not_erased(&self.connection, self.vault.erasures()?)
    }

    /// Opens a connection that only reads.
    pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        set_up(&connection)?;
        Ok(connection)
    }
}

/// Takes what was overwritten out of the write-ahead log too.
fn empty_log(connection: &Connection) -> Result<Forgotten, StoreError> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(if busy == 0 {
        Forgotten::Everywhere
    } else {
        Forgotten::NotYet
    })
}

impl Engine for Sqlite {
    fn identity(&self) -> StoreIdentity {
        self.identity
    }

    fn batch(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Batch) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let held_over = std::mem::take(&mut self.held_over).still_true(&transaction)?;
        let mut batch = batch::SqliteBatch {
            connection: &transaction,
            keys: Keys::new(&self.vault),
            identity: self.identity,
            clock: &*self.clock,
            held_over,
            peaks: None,
        };
        work(&mut batch)?;
        // A key is durable before anything that is sealed under it.
        batch.keys.keep()?;
        let held_over = batch.into_held_over();
        // A commit that fails may still be found after a restart, so it is not "nothing happened".
        transaction
            .commit()
            .map_err(|error| match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DiskFull) => {
                    StoreError::Unavailable(error)
                }
                _ => StoreError::OutcomeUnknown,
            })?;
        self.held_over = held_over;
        Ok(())
    }

    fn forget(&mut self) -> Result<Forgotten, StoreError> {
        let destroyed = payload::destroy_keys(&self.connection, &self.vault)?;
        older_copy::forget_all(&self.path)?;
        let forgotten = empty_log(&self.connection)?;
        // Until then it is owed: this process may end before it comes to it again.
        if forgotten == Forgotten::Everywhere {
            payload::settle(&self.connection, &destroyed)?;
        }
        Ok(forgotten)
    }
}

pub(crate) fn identity(connection: &Connection) -> Result<StoreIdentity, StoreError> {
    let found = connection.query_row(
        "SELECT id, epoch_counter, epoch_nonce, pin_salt FROM store",
        [],
        |row| Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get(2)?, row.get(3)?)),
    )?;
    let (store, counter, nonce, salt) = found;
    Ok(StoreIdentity {
        store: StoreId::from_bytes(store),
        epoch: Epoch {
            counter: u64::try_from(counter).unwrap_or(0),
            nonce,
        },
        pin_salt: PinSalt::from_bytes(salt),
    })
}

#[cfg(test)]
pub(crate) mod plans {
    use super::{Connection, migrate::NEWEST};

    /// An empty database with the newest schema.
    pub(crate) fn schema() -> Connection {
        let connection = Connection::open_in_memory().expect("memory");
        for migration in NEWEST.migrations {
            connection.execute_batch(migration).expect("schema");
        }
        connection
    }

    /// How the engine would go about a statement, a line for each step.
    pub(crate) fn plan(connection: &Connection, sql: &str) -> String {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .expect("a statement");
        let mut rows = statement.raw_query();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().expect("a plan") {
            lines.push(row.get::<_, String>(3).expect("a line"));
        }
        lines.join("\n")
    }
}
