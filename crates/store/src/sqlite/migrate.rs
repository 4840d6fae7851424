//! From any schema there ever was to the newest.
//!
//! Owns: the order of migrations. One that fails, is killed, or has no room leaves the database as
//! it was: all of them are one transaction, and a copy of the database is made before the first.

use std::path::Path;

use offgate_core::calendar::year;
use offgate_core::id::StoreId;
use offgate_core::parameters::{Clock, Randomness};
use offgate_core::pin::PinSalt;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{Rows, given_up, log_tree, older_copy, payload, readmissions, users};
use crate::error::StoreError;
use crate::vault::{Keys, Vault};

/// How a database comes to be of a schema.
pub(super) struct Schema<'a> {
    /// Each makes the next schema of the one before it. One that is on the main branch is never
    /// edited; before one is added, the fixture of the schema it starts from is (see
    /// `tests/fixtures`).
    pub(super) migrations: &'a [&'a str],
    /// Writes what statements cannot, once they have all run. Given the schema that was found.
    fill: fn(&Rows<'_>, i64) -> Result<(), StoreError>,
}

impl Schema<'_> {
    /// The number that a database of this schema has.
    pub(super) fn number(&self) -> i64 {
        i64::try_from(self.migrations.len()).unwrap_or(i64::MAX)
    }
}

/// The schema of this build.
pub(super) const NEWEST: Schema<'static> = Schema {
    migrations: &[
        include_str!("../../migrations/0001_first.sql"),
        include_str!("../../migrations/0002_lists.sql"),
        include_str!("../../migrations/0003_sealed_details.sql"),
        include_str!("../../migrations/0004_tree.sql"),
        include_str!("../../migrations/0005_erasure.sql"),
        include_str!("../../migrations/0006_fail_modes.sql"),
        include_str!("../../migrations/0007_addresses.sql"),
        include_str!("../../migrations/0008_mail.sql"),
        include_str!("../../migrations/0009_exposed_pins.sql"),
        include_str!("../../migrations/0010_restores.sql"),
        include_str!("../../migrations/0011_alerts.sql"),
        include_str!("../../migrations/0012_receipts.sql"),
        include_str!("../../migrations/0013_questions.sql"),
        include_str!("../../migrations/0014_webhook.sql"),
        include_str!("../../migrations/0015_readmissions.sql"),
        include_str!("../../migrations/0016_longer_limits.sql"),
        include_str!("../../migrations/0017_named_instants.sql"),
        include_str!("../../migrations/0018_fewer_pages.sql"),
        include_str!("../../migrations/0019_door_positions.sql"),
        include_str!("../../migrations/0020_failing_disks.sql"),
    ],
    fill,
};

fn fill(rows: &Rows<'_>, found: i64) -> Result<(), StoreError> {
    let (connection, vault) = (rows.connection, rows.vault);
    if found < 3 {
        let mut keys = Keys::new(vault);
        payload::take_over(connection, &mut keys)?;
        given_up::take_over(connection, vault)?;
        keys.keep()?;
    }
    if found == 1 {
        users::index_all(rows)?;
    }
    if found < 4 {
        log_tree::fill(connection)?;
    }
    if found < 15 {
        readmissions::fill(connection)?;
    }
    Ok(())
}

/// What a new store begins with, and what tells when it is.
pub(super) struct Beginning<'a> {
    pub(super) randomness: &'a dyn Randomness,
    pub(super) clock: &'a dyn Clock,
}

/// Whether a database was of an older schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Migrated {
    FromOlder,
    Nothing,
}

/// Brings the schema of the database at `path` up to date. One that was made by an older build is
/// copied first, beside itself; without that copy it stays as it is.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    vault: &Vault,
    schema: &Schema<'_>,
    beginning: &Beginning<'_>,
) -> Result<Migrated, StoreError> {
    // From here on nobody else writes, so that the copy is what is migrated.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = schema.number();
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    let migrated = if (1..known).contains(&found) {
        let copy = older_copy::set_aside(path, found, beginning.clock.now())?;
        tracing::info!(from = found, to = known, copy = %copy.display(), "the schema of the database is brought up to date");
        Migrated::FromOlder
    } else {
        Migrated::Nothing
    };
    for (number, migration) in (1_i64..)
        .zip(schema.migrations)
        .skip_while(|(number, _)| *number <= found)
    {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", number)?;
    }
    let rows = Rows {
        connection: &transaction,
        vault,
        clock: beginning.clock,
    };
    (schema.fill)(&rows, found)?;
    begin(&transaction, beginning)?;
    transaction.commit()?;
    Ok(migrated)
}

/// Gives a store that has none its identity.
fn begin(connection: &Connection, beginning: &Beginning<'_>) -> Result<(), StoreError> {
    let exists: Option<i64> = connection
        .query_row("SELECT only FROM store", [], |row| row.get(0))
        .optional()?;
    if exists.is_some() {
        return Ok(());
    }
    let mut nonce = [0_u8; 16];
    beginning.randomness.fill(&mut nonce);
    connection.execute(
        "INSERT INTO store (only, id, epoch_counter, epoch_nonce, pin_salt, calendars_from) \
         VALUES (1, ?1, 1, ?2, ?3, ?4)",
        params![
            StoreId::random(beginning.randomness).as_bytes(),
            nonce,
            PinSalt::random(beginning.randomness).as_bytes(),
            year(beginning.clock.now())
        ],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;
    use std::process::{Command, Stdio};
    use std::sync::Arc;

    use offgate_core::calendar::write_stamp;
    use offgate_core::parameters::Timestamp;

    use super::*;
    use crate::sqlite::{DATABASE_FILE, Sqlite};

    struct Zeros;
    impl Randomness for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    struct At(Timestamp);
    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    /// Statements alone, as a build might have them.
    const fn only<'a>(migrations: &'a [&'a str]) -> Schema<'a> {
        Schema {
            migrations,
            fill: |_, _| Ok(()),
        }
    }

    const FIRST: &str = NEWEST.migrations[0];

    fn bring(path: &Path, schema: &Schema<'_>, second: i64) -> Result<Connection, StoreError> {
        let mut connection = Connection::open(path)?;
        super::super::set_up(&connection)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        let now = Timestamp::from_seconds(second);
        let beginning = Beginning {
            randomness: &Zeros,
            clock: &At(now),
        };
        let vault = Vault::new(path.parent().expect("a folder"), Arc::new(Zeros));
        vault.prepare(now)?;
        migrate(&mut connection, path, &vault, schema, &beginning)?;
        Ok(connection)
    }

    /// The schema, and what a table that every migration keeps holds.
    fn seen(path: &Path) -> (i64, Vec<String>) {
        let connection = Sqlite::open_reader(path).expect("the database");
        let version = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .expect("a version");
        let mut statement = connection
            .prepare("SELECT name FROM site ORDER BY name")
            .expect("the table");
        let names = statement
            .query_map([], |row| row.get(0))
            .expect("rows")
            .collect::<Result<_, _>>()
            .expect("names");
        (version, names)
    }

    fn copies(folder: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.to_string_lossy().contains(".schema-"))
            .collect()
    }

    fn with_a_site(path: &Path) {
        let connection = bring(path, &only(&[FIRST]), 0).expect("schema 1");
        connection
            .execute_batch("INSERT INTO site VALUES (zeroblob(16), 1, 'Works', 'UTC', NULL)")
            .expect("a site");
    }

    fn is_before(path: &Path) {
        assert_eq!(seen(path), (1, vec!["Works".to_owned()]));
    }

    #[test]
    fn a_migration_that_fails_leaves_the_database_and_a_copy() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(DATABASE_FILE);
        with_a_site(&path);
        let broken = [FIRST, "DELETE FROM site; SELECT nothing FROM nowhere;"];
        assert!(bring(&path, &only(&broken), 1).is_err());
        is_before(&path);
        let copies = copies(folder.path());
        assert_eq!(copies.len(), 1);
        is_before(&copies[0]);
        let mode = std::fs::metadata(&copies[0])
            .expect("the copy")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        // The next build mends it.
        bring(&path, &NEWEST, 2).expect("migrated");
        assert_eq!(seen(&path).0, NEWEST.number());
    }

    #[test]
    fn a_migration_without_a_copy_is_not_begun() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(DATABASE_FILE);
        with_a_site(&path);
        let now = Timestamp::from_seconds(1);
        let taken = format!("{DATABASE_FILE}.schema-1-{}", write_stamp(now));
        std::fs::create_dir_all(folder.path().join(taken).join("in the way")).expect("a folder");
        let refused = bring(&path, &NEWEST, 1);
        assert!(
            matches!(refused, Err(StoreError::Copy(_))),
            "{:?}",
            refused.err()
        );
        is_before(&path);
    }

    #[test]
    fn a_new_database_and_one_that_is_up_to_date_need_no_copy() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(DATABASE_FILE);
        bring(&path, &NEWEST, 0).expect("a database");
        bring(&path, &NEWEST, 1).expect("nothing to do");
        assert_eq!(copies(folder.path()), Vec::<PathBuf>::new());
    }

    /// Not a test: a process that never comes to the end of its migration.
    #[test]
    fn child_of_the_killed_migration() {
        let Ok(path) = std::env::var("OFFGATE_TEST_MIGRATION") else {
            return;
        };
        let endless = "DELETE FROM site; CREATE TABLE filler (number INTEGER); \
             WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) \
             INSERT INTO filler SELECT x FROM n;";
        let _ = bring(Path::new(&path), &only(&[FIRST, endless]), 1);
    }

    #[test]
    fn a_migration_that_is_killed_leaves_the_database_and_a_copy() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(DATABASE_FILE);
        with_a_site(&path);
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args([
                "--exact",
                "sqlite::migrate::tests::child_of_the_killed_migration",
            ])
            .env("OFFGATE_TEST_MIGRATION", &path)
            .stdout(Stdio::null())
            .spawn()
            .expect("a child");
        // It is in the middle once it has written more than its memory holds.
        let log = path.with_extension("db-wal");
        while std::fs::metadata(&log).map_or(0, |file| file.len()) < 8 << 20 {
            assert!(child.try_wait().expect("the child").is_none(), "it goes on");
            std::thread::yield_now();
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        let copies = copies(folder.path());
        assert_eq!(copies.len(), 1);
        is_before(&copies[0]);
        is_before(&path);
        bring(&path, &NEWEST, 2).expect("migrated after all");
        assert_eq!(seen(&path), (NEWEST.number(), vec!["Works".to_owned()]));
    }
}
