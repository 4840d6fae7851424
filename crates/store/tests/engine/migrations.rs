//! From every schema that was ever on the main branch, with data, to the newest.
//!
//! `tests/fixtures` has a database of each older schema, as the build of its time wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::command::{Command, Unconfirmed};
use offgate_core::confirmation::Contact;
use offgate_core::credential::CardToken;
use offgate_core::fail_mode::FailMode;
use offgate_core::id::OperatorId;
use offgate_core::parameters::{Clock as _, Timestamp};
use offgate_core::pin::Pin;
use offgate_core::records::{CardUse, PinUse, Records as _};
use offgate_core::table::Table;
use offgate_core::table::entry::Entry;
use offgate_core::text::Note;
use offgate_core::user::{Erasure, UserRecord};
use offgate_store::activity::{About, ActivityKinds, ActivityQuery, What};
use offgate_store::sign_in::{LinkPurpose, SecretHash};
use offgate_store::users::{UserFilter, UserOrder, UserQuery};
use offgate_store::{DATABASE_FILE, Reader, Store, StoreError, VAULT_FOLDER};
use rusqlite::Connection;

use crate::fixture::{self, newest, restore};
use crate::history::{adds_up, clean};
use crate::organisation::*;

/// The schemas of which there is a fixture.
fn schemas() -> BTreeSet<i64> {
    std::fs::read_dir(fixture::folder())
        .expect("the fixtures")
        .filter_map(|entry| {
            let name = entry.expect("an entry").file_name().into_string().ok()?;
            name.strip_prefix("schema-")?.parse().ok()
        })
        .collect()
}

#[test]
fn every_schema_before_the_newest_has_a_fixture_with_data_in_every_table() {
    let found = schemas();
    let missing: Vec<_> = (1..newest())
        .filter(|schema| !found.contains(schema))
        .collect();
    let help = fixture::folder().join("README.md");
    assert!(
        missing.is_empty(),
        "no fixture of schema {missing:?}: see {}",
        help.display()
    );
    for schema in found {
        let directory = tempfile::tempdir().expect("a directory");
        restore(schema, directory.path());
        let mut files = vec![directory.path().join(DATABASE_FILE)];
        if schema >= 3 {
            files.push(directory.path().join(VAULT_FOLDER).join("vault.db"));
        }
        for file in files {
            let connection = Connection::open(file).expect("it");
            for (table, _) in fixture::tables(&connection) {
                // What is owed to the vault is there for moments only.
                if table == "key_to_destroy" {
                    continue;
                }
                let rows: i64 = connection
                    .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                        row.get(0)
                    })
                    .expect("a count");
                assert!(rows > 0, "schema {schema} has nothing in {table}");
            }
        }
    }
}

fn normalised(connection: &Connection) -> BTreeMap<(String, String), String> {
    let mut statement = connection
        .prepare("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        .expect("a statement");
    statement
        .query_map([], |row| {
            let sql: String = row.get(2)?;
            let words: Vec<_> = sql.split_whitespace().collect();
            Ok(((row.get(0)?, row.get(1)?), words.join(" ")))
        })
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("text")
}

fn lines(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).expect("a statement");
    statement
        .query_map([], |row| row.get(0))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("text")
}

/// The copies from before a migration in a directory.
fn copies(directory: &Path) -> Vec<PathBuf> {
    let mark = format!("{DATABASE_FILE}.schema-");
    std::fs::read_dir(directory)
        .expect("the directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains(&mark))
        .collect()
}

fn names(reader: &Reader, filter: UserFilter, search: Option<&str>) -> Vec<String> {
    let query = UserQuery {
        filter,
        search: search.map(str::to_owned),
        order: UserOrder::Name,
        from: None,
        limit: 100,
    };
    let now = Timestamp::from_seconds(START + 60 * 24 * 3600);
    let page = reader.users(&query, now).expect("a page");
    let people = page.rows.iter();
    people
        .map(|line| line.user.profile.first_name.as_str().to_owned())
        .collect()
}

fn people_read_right(opened: &Opened, schema: i64) {
    let reader = opened.store.read();
    let now = opened.clock.now();
    assert_eq!(names(&reader, UserFilter::All, None), ["Ada", "Zoë"]);
    assert_eq!(names(&reader, UserFilter::Active, None), ["Ada"]);
    assert_eq!(names(&reader, UserFilter::Deactivated, None), ["Zoë"]);
    for (search, found) in [("zoe", "Zoë"), ("ab12", "Ada"), ("ada@ex", "Ada")] {
        assert_eq!(
            names(&reader, UserFilter::All, Some(search)),
            [found],
            "{search}"
        );
    }
    assert!(names(&reader, UserFilter::All, Some("eve")).is_empty());
    let erasure = |number| match reader.user(user(number)).expect("an answer") {
        Some(UserRecord::Removed(tombstone)) => tombstone.erasure,
        other => panic!("removed: {other:?}"),
    };
    assert!(matches!(erasure(3), Erasure::Done { at } if at == now));
    if schema >= 5 {
        assert!(matches!(erasure(4), Erasure::Held { .. }));
        let kept = reader.kept_profile(user(4)).expect("an answer");
        assert_eq!(kept.expect("a profile").first_name.as_str(), "Kim");
    }
    assert_eq!(reader.credentials_of(user(1)).expect("an answer").len(), 3);
    let card = |number: u8| {
        let token = CardToken::parse(&format!("CARD{number:04}")).expect("a token");
        reader.card_use(&token).expect("an answer")
    };
    assert_eq!(card(1), CardUse::Held(user(1)));
    assert_eq!(card(2), CardUse::Held(user(2)));
    assert_eq!(card(3), CardUse::Burned);
    let salt = opened.store.identity().pin_salt;
    for (digits, used) in [
        ("481937", PinUse::Taken),
        ("739164", PinUse::Taken),
        ("518263", PinUse::Free),
    ] {
        let digest = Pin::parse(digits).expect("a PIN").digest(&salt);
        assert_eq!(reader.pin_use(&digest, now).expect("an answer"), used);
    }
}

fn furniture_reads_right(opened: &Opened, schema: i64) {
    let reader = opened.store.read();
    assert_eq!(reader.groups().expect("an answer").len(), 2);
    assert_eq!(reader.policies().expect("an answer").len(), 3);
    assert_eq!(reader.schedules().expect("an answer").len(), 2);
    let holidays = reader.holiday_groups().expect("an answer");
    assert_eq!(holidays[0].holidays.len(), 1);
    let sites = reader.sites().expect("an answer");
    assert_eq!(sites.len(), 2);
    assert_eq!(sites[0].default_policy, Some(policy(1)));
    let operators = reader.operators().expect("an answer");
    assert_eq!(operators[0].email.as_str(), "Owner@example.com");
    assert_eq!(reader.join_tokens().expect("an answer").len(), 3);
    let doors = reader.doors().expect("an answer");
    assert_eq!(doors.len(), 2);
    for door in &doors {
        let on_its_list = schema >= 6 && door.id == self::door(1);
        assert_eq!(door.fail_mode != FailMode::RefuseAll, on_its_list);
    }
    let lists = reader.emergency_lists().expect("an answer");
    assert_eq!(lists.len(), usize::from(schema >= 6));
    let addresses = reader.server_addresses().expect("an answer");
    assert_eq!(addresses.to_lines().is_empty(), schema < 7);
    let keeping = reader.keeping().expect("an answer");
    assert_eq!(
        keeping.erasure_wait.days(),
        if schema >= 5 { 30 } else { 0 }
    );
    assert_eq!(keeping.door_events.days(), 90);
}

/// Tables, acknowledgements and what is still open are as they were.
fn agents_read_right(opened: &Opened, schema: i64) {
    let reader = opened.store.read();
    let now = opened.clock.now();
    assert_eq!(reader.agents().expect("an answer").len(), 2);
    for number in [1, 2] {
        let changes = reader
            .table_since(agent(number), None)
            .expect("an answer")
            .expect("a table");
        let mut table = Table::empty(hash_key(number));
        for (_, bytes) in changes.puts {
            table.put(Entry::decode(&bytes).expect("an entry"));
        }
        assert_eq!(table.hash(), changes.head.hash);
        let versions = reader.door_versions(agent(number), door(number));
        assert_eq!(versions.expect("an answer").len(), 1);
    }
    let head = reader.head().expect("a head");
    assert_eq!(
        reader.acknowledged(agent(1)).expect("an answer"),
        Some(head)
    );
    let contact = reader.contact(agent(1)).expect("an answer");
    let contact = contact.expect("it was heard");
    assert!(matches!(contact.contact, Contact::Connected));
    // What an agent is renewed that a restored store has not heard counts for nothing, since then.
    assert_eq!(contact.counted_from, (schema < 13).then_some(now));
    assert_eq!(reader.acknowledged(agent(2)).expect("an answer"), None);
    // One door has confirmed, the other was never heard.
    assert_eq!(
        reader.doors_not_confirmed(user(2), now).expect("an answer"),
        [door(2)]
    );
    let session = reader.session(SecretHash([5; 32]), now).expect("an answer");
    assert_eq!(
        session.map(|session| session.operator),
        (schema >= 2).then_some(OperatorId::from_bytes([7; 16]))
    );
    let link = reader.one_time_link(SecretHash([6; 32]), now);
    assert_eq!(
        link.expect("an answer"),
        (schema >= 2).then_some(LinkPurpose::SetUp)
    );
}

/// Every entry is there with what it told, but for who was erased.
fn log_reads_right(opened: &Opened, schema: i64, kinds_before: &[String]) {
    let page = opened
        .store
        .read()
        .activity(&ActivityQuery {
            about: About::Everything,
            kinds: ActivityKinds::All,
            before: None,
            limit: 500,
        })
        .expect("a page");
    let (mut kinds, mut told) = (Vec::new(), BTreeSet::new());
    let (mut door_events, mut lost, mut reasons) = (0, 0, 0);
    for item in page.items {
        match item.what {
            What::Change {
                kind,
                actor,
                details,
                ..
            } => {
                if kind == "user.created" {
                    assert_eq!(actor, Actor::ServerCommandLine);
                    let name = details.iter().find(|detail| detail.field == "first name");
                    told.extend(name.and_then(|detail| detail.after.clone()));
                }
                reasons += usize::from(
                    kind == "user.deactivated"
                        && details
                            .iter()
                            .any(|detail| detail.after.as_deref() == Some("left")),
                );
                kinds.push(kind);
            }
            What::Door { .. } => door_events += 1,
            What::EventsLost { count, .. } => {
                lost += 1;
                assert_eq!(count, 2);
            }
        }
    }
    kinds.reverse();
    assert_eq!(kinds, kinds_before);
    let mut expected = BTreeSet::from(["Ada".to_owned(), "Zoë".to_owned()]);
    if schema >= 5 {
        expected.insert("Kim".to_owned());
    }
    assert_eq!(told, expected);
    assert_eq!(reasons, expected.len(), "of those who were not erased");
    // Door events came with the second schema, and a try that is told of with the eleventh.
    let events = match schema {
        11.. => (3, 1),
        2..=10 => (2, 1),
        _ => (0, 0),
    };
    assert_eq!((door_events, lost), events);
    clean(&opened.store);
}

#[test]
fn every_older_schema_becomes_the_newest_one() {
    let fresh = tempfile::tempdir().expect("a directory");
    drop(open(fresh.path(), 1));
    let fresh = normalised(&Connection::open(fresh.path().join(DATABASE_FILE)).expect("it"));
    for schema in schemas() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(DATABASE_FILE);
        restore(schema, directory.path());
        let kinds = lines(
            &Connection::open(&path).expect("a database"),
            "SELECT kind FROM log ORDER BY revision",
        );
        let opened = open(directory.path(), 99);
        people_read_right(&opened, schema);
        furniture_reads_right(&opened, schema);
        agents_read_right(&opened, schema);
        log_reads_right(&opened, schema, &kinds);
        let connection = Connection::open(&path).expect("it");
        assert_eq!(normalised(&connection), fresh, "from schema {schema}");
        assert_eq!(lines(&connection, "PRAGMA integrity_check"), ["ok"]);
        assert!(lines(&connection, "PRAGMA foreign_key_check").is_empty());
        connection
            .execute_batch("INSERT INTO user_search (user_search) VALUES ('integrity-check')")
            .expect("the search index is whole");
        adds_up(&connection);
        // What was there before is beside it, as it was, for its owner only.
        let copies = copies(directory.path());
        assert_eq!(copies.len(), usize::from(schema < newest()));
        for copy in &copies {
            fixture::assert_is(copy, schema);
            let mode = std::fs::metadata(copy).expect("it").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        // And it goes on.
        opened.done(Command::ReactivateUser { user: user(2) });
        opened.done(create(
            9,
            BTreeSet::from([group(1)]),
            BTreeSet::new(),
            "Noor",
        ));
        clean(&opened.store);
        drop(opened);
        drop(open(directory.path(), 100));
        assert_eq!(self::copies(directory.path()), copies, "once only");
    }
}

#[test]
fn a_copy_goes_when_somebody_is_erased_or_a_month_is_over() {
    let address = "Ada@example.com".as_bytes();
    let holds = |path: &Path| {
        let bytes = std::fs::read(path).expect("a file");
        bytes.windows(address.len()).any(|part| part == address)
    };
    let directory = tempfile::tempdir().expect("a directory");
    restore(1, directory.path());
    let opened = open(directory.path(), 99);
    assert!(holds(&copies(directory.path())[0]), "it is what it was");
    opened.done(deactivate(1));
    opened.done(Command::RemoveUser {
        user: user(1),
        unconfirmed: Unconfirmed::Override(Note::parse("gone").expect("a note")),
    });
    assert_eq!(copies(directory.path()), Vec::<PathBuf>::new());
    for entry in std::fs::read_dir(directory.path()).expect("the directory") {
        let path = entry.expect("an entry").path();
        assert!(path.is_dir() || !holds(&path), "{}", path.display());
    }
    let directory = tempfile::tempdir().expect("a directory");
    restore(1, directory.path());
    let opened = open(directory.path(), 99);
    let month = Duration::from_secs(30 * 24 * 3600);
    for (after, left) in [(month, 1), (month + Duration::from_secs(1), 0)] {
        let now = opened.clock.now().plus(after);
        opened.store.forget_older_copies(now).expect("forgotten");
        assert_eq!(copies(directory.path()).len(), left);
    }
}

/// Not a test: the process whose files may not grow.
#[test]
fn child_of_the_full_disk_migration() {
    let Ok(directory) = std::env::var("OFFGATE_TEST_FULL_MIGRATION") else {
        return;
    };
    let opened = Store::open(
        Path::new(&directory),
        Arc::new(FakeClock::at(START)),
        Arc::new(Counter(AtomicU64::new(7 << 32))),
        Arc::new(LogKey::new()),
    );
    match opened {
        Ok(_) => println!("\nmigrated"),
        Err(StoreError::Copy(_)) => println!("\nnot copied"),
        Err(_) => println!("\nfailed"),
    }
}

/// Opens a store in a process none of whose files may be longer than that, in blocks of 1,024 bytes,
/// and says what became of it.
fn open_with_room(blocks: u32, directory: &Path) -> &'static str {
    let program = std::env::current_exe().expect("this program");
    let child = Process::new("bash")
        .arg("-c")
        .arg(format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact \
             migrations::child_of_the_full_disk_migration --nocapture --test-threads=1"
        ))
        .arg(program)
        .env("OFFGATE_TEST_FULL_MIGRATION", directory)
        .stderr(Stdio::null())
        .output()
        .expect("a child");
    let output = String::from_utf8_lossy(&child.stdout).into_owned();
    ["migrated", "not copied", "failed"]
        .into_iter()
        .find(|outcome| output.lines().any(|line| line == *outcome))
        .expect("it said what became of it")
}

#[test]
fn a_disk_that_is_full_leaves_the_database_as_it_was() {
    let mut seen = BTreeSet::new();
    for blocks in [160, 320, 480, 560, 4_000] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(DATABASE_FILE);
        restore(2, directory.path());
        // All of it is in the write-ahead log once more, which has to be longer than the copy.
        let held = Connection::open(&path).expect("the database");
        held.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
            .expect("a log");
        held.execute_batch("VACUUM").expect("written once more");
        let outcome = open_with_room(blocks, directory.path());
        let found: i64 = held
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .expect("a version");
        if found == 2 {
            fixture::assert_is(&path, 2);
        } else {
            assert_eq!(found, newest());
        }
        let copies = copies(directory.path());
        assert_eq!(copies.len(), usize::from(outcome != "not copied"));
        for copy in &copies {
            fixture::assert_is(copy, 2);
        }
        seen.insert((outcome, found == 2));
        drop(held);
        // There is room again.
        clean(&open(directory.path(), 99).store);
    }
    for expected in [("not copied", true), ("failed", true), ("migrated", false)] {
        assert!(seen.contains(&expected), "{expected:?} of {seen:?}");
    }
    assert!(!seen.contains(&("migrated", true)));
}
