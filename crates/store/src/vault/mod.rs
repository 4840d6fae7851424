//! The vault: what must be able to be forgotten, in a file of its own beside the database.
//!
//! Owns: one random key per person, under which the log's details about them are sealed; the key
//! under which PINs and lost cards that were given up are hashed; and the list of who was erased.
//! Every key is wrapped by a wrapping key in a file of its own, which is replaced every month:
//! what an old copy of the vault holds cannot be opened after that.
//!
//! Refuses to know: the database, the log, rules. A vault that cannot be used costs names in old
//! entries and keeps new ones from being written; no door and no decision ever asks for it.
//!
//! Several processes may use it at once. Keys are added inside the database's own write
//! transaction, so two never make one for the same person; whoever replaces or destroys wrapping
//! keys holds the vault's write lock.

mod seal;
pub(crate) mod wrapping;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offgate_core::log::Person;
use offgate_core::parameters::{Randomness, Timestamp};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

pub(crate) use seal::{CannotOpen, OpeningKey, SealingKey};

/// The name of the vault's folder in the data directory.
pub const VAULT_FOLDER: &str = "vault";
/// The name of its database.
pub(crate) const VAULT_FILE: &str = "vault.db";
/// How long a wrapping key is used.
pub const WRAPPING_KEY_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// Why the vault did not answer.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Its database does not work.
    #[error("the vault's database cannot be used")]
    Database(#[from] rusqlite::Error),
    /// Its files do not work.
    #[error("the vault's folder cannot be used")]
    Folder(#[from] std::io::Error),
    /// The wrapping key is not there, or is not the one the keys were wrapped by.
    #[error("the vault's wrapping key does not open it")]
    WrappingKey,
    /// A newer Offgate made it.
    #[error("the vault was made by a newer Offgate")]
    TooNew,
}

impl From<CannotOpen> for VaultError {
    fn from(_: CannotOpen) -> Self {
        Self::WrappingKey
    }
}

/// Somebody who was erased, as the vault's list has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Who.
    pub person: Person,
    /// When.
    pub at: Timestamp,
}

/// Tells a vault from one before somebody was erased or its wrapping key was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultState {
    /// The number of the wrapping key.
    key: i64,
    /// The number of the last erasure, if there is one.
    last_erasure: Option<i64>,
}

/// How far the replacing of the wrapping key has come. The process may end at any of them: the vault
/// then opens by one key or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationStep {
    /// The new key's file is durable, and nothing uses it yet.
    KeyWritten,
    /// Everything is wrapped anew in a transaction that is not committed.
    Rewrapped,
    /// That is committed; the old key's file is still there.
    Committed,
}

/// The vault. Opened when it is first needed, and again when that failed.
pub(crate) struct Vault {
    folder: PathBuf,
    randomness: Arc<dyn Randomness>,
    open: Mutex<Option<Open>>,
}

struct Open {
    connection: Connection,
    /// The wrapping key that was last read, and its number.
    wrapping: (i64, SealingKey),
}

fn kind(person: Person) -> (&'static str, [u8; 16]) {
    match person {
        Person::User(id) => ("user", *id.as_bytes()),
        Person::Operator(id) => ("operator", *id.as_bytes()),
    }
}

fn purpose(person: Person) -> Vec<u8> {
    let (kind, id) = kind(person);
    [b"offgate person key 1 ", kind.as_bytes(), &id].concat()
}

const BLINDING: &[u8] = b"offgate blinding key 1";

impl Vault {
    /// The vault in this data directory. Nothing is read or made before it is needed.
    pub(crate) fn new(directory: &Path, randomness: Arc<dyn Randomness>) -> Self {
        Self {
            folder: directory.join(VAULT_FOLDER),
            randomness,
            open: Mutex::new(None),
        }
    }

    /// Makes the vault if there is none, and finishes what a rotation that was cut short left.
    pub(crate) fn prepare(&self, now: Timestamp) -> Result<(), VaultError> {
        self.with_made_at(now, |open| {
            let transaction = open
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let in_use: i64 =
                transaction.query_row("SELECT number FROM wrapping", [], |row| row.get(0))?;
            wrapping::destroy_others(&self.folder, in_use)?;
            transaction.commit()?;
            Ok(())
        })
    }

    fn locked(&self) -> MutexGuard<'_, Option<Open>> {
        // Nothing is half done in memory: all there is to spoil is a connection and a key.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        ask: impl FnOnce(&mut Open) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        // A vault is never made late with a wrong age: the store prepares it when it is opened. One
        // that could not be made then is as old as can be, so that it is rotated first of all.
        self.with_made_at(Timestamp::from_microseconds(0), ask)
    }

    fn with_made_at<T>(
        &self,
        now: Timestamp,
        ask: impl FnOnce(&mut Open) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let mut held = self.locked();
        if held.is_none() {
            *held = Some(open(&self.folder, &*self.randomness, now)?);
        }
        let Some(open) = held.as_mut() else {
            return Err(VaultError::WrappingKey);
        };
        ask(open)
    }

    /// A person's key, if they have one.
    pub(crate) fn key_of(&self, person: Person) -> Result<Option<SealingKey>, VaultError> {
        self.with(|open| {
            let (kind, id) = kind(person);
            let found = open.current(&self.folder, |connection| {
                connection
                    .prepare_cached(
                        "SELECT w.number, k.wrapped FROM wrapping w LEFT JOIN person_key k \
                         ON k.kind = ?1 AND k.person = ?2",
                    )?
                    .query_row(params![kind, id], |row| {
                        Ok((row.get(0)?, row.get::<_, Option<Vec<u8>>>(1)?))
                    })
            })?;
            found
                .map(|wrapped| unwrap(&open.wrapping.1, &purpose(person), &wrapped))
                .transpose()
        })
    }

    /// What stands for something that was given up: a hash under a key that is here only.
    pub(crate) fn blind(&self, what: &str, value: &[u8]) -> Result<[u8; 32], VaultError> {
        self.with(|open| {
            let wrapped: Vec<u8> = open.current(&self.folder, |connection| {
                connection
                    .prepare_cached("SELECT number, blinding FROM wrapping")?
                    .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            })?;
            let key = unwrap(&open.wrapping.1, BLINDING, &wrapped)?;
            Ok(*blake3::Hasher::new_keyed(key.as_bytes())
                .update(what.as_bytes())
                .update(&[0])
                .update(value)
                .finalize()
                .as_bytes())
        })
    }

    /// Makes new keys durable. One that is there already stays.
    fn keep(&self, new: &BTreeMap<Person, SealingKey>) -> Result<(), VaultError> {
        if new.is_empty() {
            return Ok(());
        }
        self.with(|open| {
            let transaction = open
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let number =
                transaction.query_row("SELECT number FROM wrapping", [], |row| row.get(0))?;
            use_key(&mut open.wrapping, &self.folder, number)?;
            {
                let mut insert = transaction.prepare_cached(
                    "INSERT OR IGNORE INTO person_key (kind, person, wrapped) VALUES (?1, ?2, ?3)",
                )?;
                for (person, key) in new {
                    let (kind, id) = kind(*person);
                    let wrapped = open.wrapping.1.seal(
                        &purpose(*person),
                        key.as_bytes(),
                        &*self.randomness,
                    )?;
                    insert.execute(params![kind, id, wrapped])?;
                }
            }
            transaction.commit()?;
            Ok(())
        })
    }

    /// Notes that people are erased and destroys their keys, durable when this returns.
    pub(crate) fn erase(&self, erased: &[Erased]) -> Result<(), VaultError> {
        if erased.is_empty() {
            return Ok(());
        }
        self.with(|open| {
            let transaction = open
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            for Erased { person, at } in erased {
                let (kind, id) = kind(*person);
                transaction.execute(
                    "INSERT OR IGNORE INTO erasure (kind, person, at) VALUES (?1, ?2, ?3)",
                    params![kind, id, at.microseconds()],
                )?;
                transaction.execute(
                    "DELETE FROM person_key WHERE kind = ?1 AND person = ?2",
                    params![kind, id],
                )?;
            }
            transaction.commit()?;
            empty_log(&open.connection)
        })
    }

    /// Everybody who was ever erased, in that order.
    pub(crate) fn erasures(&self) -> Result<Vec<Erased>, VaultError> {
        self.with(|open| {
            let mut statement = open
                .connection
                .prepare("SELECT kind, person, at FROM erasure ORDER BY number")?;
            let rows = statement.query_map([], |row| {
                let id: [u8; 16] = row.get(1)?;
                let person = match row.get::<_, String>(0)?.as_str() {
                    "user" => Person::User(offgate_core::id::UserId::from_bytes(id)),
                    _ => Person::Operator(offgate_core::id::OperatorId::from_bytes(id)),
                };
                Ok(Erased {
                    person,
                    at: Timestamp::from_microseconds(row.get(2)?),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// What changes when it has to be backed up at once.
    pub(crate) fn state(&self) -> Result<VaultState, VaultError> {
        self.with(|open| {
            let state = open.connection.query_row(
                "SELECT number, (SELECT max(number) FROM erasure) FROM wrapping",
                [],
                |row| {
                    Ok(VaultState {
                        key: row.get(0)?,
                        last_erasure: row.get(1)?,
                    })
                },
            )?;
            Ok(state)
        })
    }

    /// Since when the wrapping key is in use.
    pub(crate) fn wrapped_since(&self) -> Result<Timestamp, VaultError> {
        self.with(|open| {
            let since = open
                .connection
                .query_row("SELECT since FROM wrapping", [], |row| row.get(0))?;
            Ok(Timestamp::from_microseconds(since))
        })
    }

    /// Wraps every key anew by a new wrapping key and destroys the old one. Tells of every step.
    pub(crate) fn rotate(
        &self,
        now: Timestamp,
        done: &dyn Fn(RotationStep),
    ) -> Result<(), VaultError> {
        self.with(|open| {
            let transaction = open
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let old: i64 =
                transaction.query_row("SELECT number FROM wrapping", [], |row| row.get(0))?;
            use_key(&mut open.wrapping, &self.folder, old)?;
            let (number, key) = (old + 1, SealingKey::random(&*self.randomness));
            wrapping::write(&self.folder, number, &key)?;
            done(RotationStep::KeyWritten);
            rewrap(&transaction, &open.wrapping.1, &key, &*self.randomness)?;
            transaction.execute(
                "UPDATE wrapping SET number = ?1, since = ?2",
                params![number, now.microseconds()],
            )?;
            done(RotationStep::Rewrapped);
            transaction.commit()?;
            open.wrapping = (number, key);
            done(RotationStep::Committed);
            let transaction = open
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let in_use =
                transaction.query_row("SELECT number FROM wrapping", [], |row| row.get(0))?;
            wrapping::destroy_others(&self.folder, in_use)?;
            transaction.commit()?;
            empty_log(&open.connection)
        })
    }
}

impl Open {
    /// Asks for something and the number of the wrapping key it is wrapped by, and has that key
    /// ready. Another process may have replaced it since it was last read.
    fn current<T>(
        &mut self,
        folder: &Path,
        ask: impl Fn(&Connection) -> rusqlite::Result<(i64, T)>,
    ) -> Result<T, VaultError> {
        let (number, found) = ask(&self.connection)?;
        if use_key(&mut self.wrapping, folder, number).is_ok() {
            return Ok(found);
        }
        // It was replaced once more between the two reads.
        let (number, found) = ask(&self.connection)?;
        use_key(&mut self.wrapping, folder, number)?;
        Ok(found)
    }
}

fn use_key(held: &mut (i64, SealingKey), folder: &Path, number: i64) -> Result<(), VaultError> {
    if held.0 != number {
        *held = (
            number,
            wrapping::read(folder, number).map_err(|_| VaultError::WrappingKey)?,
        );
    }
    Ok(())
}

fn unwrap(by: &SealingKey, purpose: &[u8], wrapped: &[u8]) -> Result<SealingKey, VaultError> {
    let bytes = by.open(purpose, wrapped)?;
    <[u8; 32]>::try_from(bytes.as_slice())
        .map(SealingKey::from_bytes)
        .map_err(|_| VaultError::WrappingKey)
}

fn rewrap(
    connection: &Connection,
    old: &SealingKey,
    new: &SealingKey,
    randomness: &dyn Randomness,
) -> Result<(), VaultError> {
    let blinding: Vec<u8> =
        connection.query_row("SELECT blinding FROM wrapping", [], |row| row.get(0))?;
    let blinding = unwrap(old, BLINDING, &blinding)?;
    connection.execute(
        "UPDATE wrapping SET blinding = ?1",
        params![new.seal(BLINDING, blinding.as_bytes(), randomness)?],
    )?;
    let mut next = connection.prepare(
        "SELECT kind, person, wrapped FROM person_key WHERE (kind, person) > (?1, ?2) \
         ORDER BY kind, person LIMIT 1000",
    )?;
    let mut update =
        connection.prepare("UPDATE person_key SET wrapped = ?3 WHERE kind = ?1 AND person = ?2")?;
    let mut after = (String::new(), [0_u8; 16]);
    loop {
        let rows = next
            .query_map(params![after.0, after.1], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<Result<Vec<(String, [u8; 16], Vec<u8>)>, _>>()?;
        for (kind, id, wrapped) in &rows {
            let purpose = [b"offgate person key 1 ", kind.as_bytes(), id].concat();
            let key = unwrap(old, &purpose, wrapped)?;
            update.execute(params![
                kind,
                id,
                new.seal(&purpose, key.as_bytes(), randomness)?
            ])?;
        }
        match rows.into_iter().next_back() {
            Some((kind, id, _)) => after = (kind, id),
            None => return Ok(()),
        }
    }
}

/// The number of the key that opens the vault in this file.
pub(crate) fn number(file: &Path) -> Result<i64, VaultError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    Ok(connection.query_row("SELECT number FROM wrapping", [], |row| row.get(0))?)
}

/// Takes what was overwritten out of the write-ahead log too.
fn empty_log(connection: &Connection) -> Result<(), VaultError> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        tracing::warn!("the vault's write-ahead log is in use; it is emptied later");
    }
    Ok(())
}

fn open(folder: &Path, randomness: &dyn Randomness, now: Timestamp) -> Result<Open, VaultError> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let path = folder.join(VAULT_FILE);
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)?;
    let mut connection = Connection::open(&path)?;
    connection.busy_timeout(BUSY)?;
    // Looking a key up is not planned anew each time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A key that was deleted is overwritten, and one that was made is there before it is used.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        0 => {
            transaction.execute_batch(include_str!("schema.sql"))?;
            transaction.pragma_update(None, "user_version", 1)?;
            let (key, blinding) = (
                SealingKey::random(randomness),
                SealingKey::random(randomness),
            );
            wrapping::write(folder, 1, &key)?;
            transaction.execute(
                "INSERT INTO wrapping (only, number, since, blinding) VALUES (1, 1, ?1, ?2)",
                params![
                    now.microseconds(),
                    key.seal(BLINDING, blinding.as_bytes(), randomness)?
                ],
            )?;
        }
        1 => {}
        _ => return Err(VaultError::TooNew),
    }
    let number: Option<i64> = transaction
        .query_row("SELECT number FROM wrapping", [], |row| row.get(0))
        .optional()?;
    let number = number.ok_or(VaultError::WrappingKey)?;
    let key = wrapping::read(folder, number).map_err(|_| VaultError::WrappingKey)?;
    transaction.commit()?;
    Ok(Open {
        connection,
        wrapping: (number, key),
    })
}

/// The keys that one transaction of the database uses. New ones are made durable before it commits.
pub(crate) struct Keys<'v> {
    vault: &'v Vault,
    new: BTreeMap<Person, SealingKey>,
}

impl<'v> Keys<'v> {
    pub(crate) const fn new(vault: &'v Vault) -> Self {
        Self {
            vault,
            new: BTreeMap::new(),
        }
    }

    /// A person's key; a new one if they have none.
    pub(crate) fn of(&mut self, person: Person) -> Result<SealingKey, VaultError> {
        if let Some(key) = self.new.get(&person) {
            return Ok(key.clone());
        }
        if let Some(key) = self.vault.key_of(person)? {
            return Ok(key);
        }
        let key = SealingKey::random(&*self.vault.randomness);
        self.new.insert(person, key.clone());
        Ok(key)
    }

    /// Where what is sealed gets its nonces.
    pub(crate) fn randomness(&self) -> &dyn Randomness {
        &*self.vault.randomness
    }

    /// The vault they come from.
    pub(crate) const fn vault(&self) -> &'v Vault {
        self.vault
    }

    /// Makes the new ones durable.
    pub(crate) fn keep(&self) -> Result<(), VaultError> {
        self.vault.keep(&self.new)
    }
}
