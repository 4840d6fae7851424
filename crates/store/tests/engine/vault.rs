//! The vault: keys that are there before they are used, that change without being lost, and that
//! can be lost without losing more than names.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command as Process, Stdio};

use offgate_core::command::{Command, Unconfirmed};
use offgate_core::credential::CredentialKind;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::OperatorId;
use offgate_core::keeping::{ErasureWait, Keeping};
use offgate_core::operator::{Operator, OperatorState, Role};
use offgate_core::parameters::{Clock as _, Revision};
use offgate_core::place::Direction;
use offgate_core::records::{CardUse, Records as _};
use offgate_core::refusal::Refusal;
use offgate_core::text::{Email, Note};
use offgate_core::user::{Erasure, UserRecord};
use offgate_store::activity::{About, Activity, ActivityKinds, ActivityQuery, What, Withheld};
use offgate_store::{DATABASE_FILE, Outcome, RotationStep, StoreError, VAULT_FOLDER};

use crate::organisation::*;

const STEPS: [RotationStep; 3] = [
    RotationStep::KeyWritten,
    RotationStep::Rewrapped,
    RotationStep::Committed,
];

fn timeline(opened: &Opened, about: About) -> Vec<Activity> {
    let query = ActivityQuery {
        about,
        kinds: ActivityKinds::Changes,
        before: None,
        limit: 500,
    };
    opened.store.read().activity(&query).expect("a page").items
}

/// Every value that can be read, and why others cannot.
fn told(opened: &Opened, about: About) -> (Vec<String>, Vec<Withheld>) {
    let (mut values, mut reasons) = (Vec::new(), Vec::new());
    for item in timeline(opened, about) {
        if let What::Change {
            details, withheld, ..
        } = item.what
        {
            values.extend(
                details
                    .into_iter()
                    .flat_map(|detail| [detail.before, detail.after])
                    .flatten(),
            );
            reasons.extend(withheld);
        }
    }
    (values, reasons)
}

fn with_somebody(directory: &Path, seed: u64) -> Opened {
    let opened = furnished(directory, seed);
    opened.done(create(
        1,
        BTreeSet::from([group(1)]),
        BTreeSet::new(),
        "Planted",
    ));
    opened
}

fn wrapping_keys(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory.join(VAULT_FOLDER))
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.starts_with("wrapping-"))
        .collect();
    names.sort();
    names
}

/// Not a test: replaces the wrapping key and is gone in the middle of it.
#[test]
fn child_of_the_rotation_test() {
    let Ok(directory) = std::env::var("OFFGATE_TEST_ROTATION") else {
        return;
    };
    let at = std::env::var("OFFGATE_TEST_STEP").expect("a step");
    let opened = open(Path::new(&directory), 31);
    let done = |step| {
        if format!("{step:?}") == at {
            std::process::abort();
        }
    };
    opened
        .store
        .replace_wrapping_key(opened.clock.now(), &done)
        .expect("a new key");
}

#[test]
fn the_wrapping_key_changes_and_either_key_works_wherever_the_process_ends() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(with_somebody(directory.path(), 30));
    let mut expected = 1;
    for step in STEPS {
        let program = std::env::current_exe().expect("this program");
        let ended = Process::new(program)
            .args([
                "--exact",
                "vault::child_of_the_rotation_test",
                "--test-threads=1",
            ])
            .env("OFFGATE_TEST_ROTATION", directory.path())
            .env("OFFGATE_TEST_STEP", format!("{step:?}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("a child");
        assert!(!ended.success(), "it was gone in the middle: {step:?}");
        assert_eq!(wrapping_keys(directory.path()).len(), 2, "{step:?}");
        if step == RotationStep::Committed {
            expected += 1;
        }
        let opened = open(directory.path(), 32 + expected);
        assert_eq!(
            wrapping_keys(directory.path()),
            [format!("wrapping-{expected}.key")],
            "the other key is gone: {step:?}"
        );
        let (values, withheld) = told(&opened, About::User(user(1)));
        assert!(values.contains(&"Planted".to_owned()), "{step:?}");
        assert_eq!(withheld, []);
    }
    // A second process that has the old key in memory goes on with the new one.
    let (one, other) = (open(directory.path(), 40), open(directory.path(), 41));
    assert!(told(&one, About::User(user(1))).1.is_empty());
    let old =
        std::fs::read(directory.path().join(VAULT_FOLDER).join("wrapping-2.key")).expect("a key");
    other
        .store
        .replace_wrapping_key(other.clock.now(), &|_| {})
        .expect("a new key");
    one.done(deactivate(1));
    let (values, withheld) = told(&one, About::User(user(1)));
    assert!(values.contains(&"Planted".to_owned()));
    assert_eq!(withheld, []);
    assert_eq!(wrapping_keys(directory.path()), ["wrapping-3.key"]);
    let new =
        std::fs::read(directory.path().join(VAULT_FOLDER).join("wrapping-3.key")).expect("a key");
    assert_ne!(old, new);
}

#[test]
fn what_is_sealed_is_plain_in_no_byte_of_the_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_somebody(directory.path(), 50);
    drop(opened);
    let database =
        rusqlite::Connection::open(directory.path().join(DATABASE_FILE)).expect("the database");
    let contents: Vec<Vec<u8>> = database
        .prepare("SELECT content FROM log_payload")
        .expect("a statement")
        .query_map([], |row| row.get(0))
        .expect("rows")
        .map(|row| row.expect("a row"))
        .collect();
    assert!(contents.len() > 5);
    for content in contents {
        assert!(!content.windows(7).any(|bytes| bytes == b"Planted"));
    }
}

#[test]
fn an_entry_of_two_people_outlives_one_of_them_and_can_still_be_checked() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_somebody(directory.path(), 60);
    let operator = OperatorId::from_bytes([8; 16]);
    opened.done(Command::CreateOperator(Operator {
        id: operator,
        revision: Revision::ZERO,
        name: title("Otto"),
        email: Email::parse("otto@example.org").expect("an address"),
        role: Role::Guard,
        user: Some(user(1)),
        password: None,
        state: OperatorState::Open,
    }));
    let created = opened.store.read().head().expect("an answer");
    opened.done(Command::LinkOperator(operator, None));
    let commitments = || {
        let database =
            rusqlite::Connection::open(directory.path().join(DATABASE_FILE)).expect("the database");
        let hash: [u8; 32] = database
            .query_row(
                "SELECT details_hash FROM log WHERE revision = ?1",
                [created.number() as i64],
                |row| row.get(0),
            )
            .expect("the entry");
        let commitments: Vec<([u8; 32], bool)> = database
            .prepare("SELECT commitment, content IS NULL FROM log_payload WHERE revision = ?1 ORDER BY position")
            .expect("a statement")
            .query_map([created.number() as i64], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("rows")
            .map(|row| row.expect("a row"))
            .collect();
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"offgate log payloads 1");
        for (commitment, _) in &commitments {
            hasher.update(commitment);
        }
        assert_eq!(&hash, hasher.finalize().as_bytes());
        commitments
            .into_iter()
            .map(|(_, erased)| erased)
            .collect::<Vec<_>>()
    };
    assert_eq!(commitments(), [false, false]);
    opened.done(deactivate(1));
    opened.done(remove(1));
    assert_eq!(
        commitments(),
        [false, true],
        "the operator's own part stays"
    );
    let (values, withheld) = told(&opened, About::Everything);
    assert!(values.contains(&"Otto".to_owned()));
    assert!(
        !values.contains(&user(1).to_string()),
        "nothing says who they were"
    );
    assert!(
        withheld
            .iter()
            .all(|why| matches!(why, Withheld::Erased { .. }))
    );
    assert!(!withheld.is_empty());
}

#[test]
fn a_vault_that_is_lost_costs_names_in_old_entries_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(with_somebody(directory.path(), 70));
    std::fs::remove_dir_all(directory.path().join(VAULT_FOLDER)).expect("it is gone");
    let opened = open(directory.path(), 71);
    opened.done(deactivate(1));
    let (values, withheld) = told(&opened, About::User(user(1)));
    assert!(!values.contains(&"Planted".to_owned()));
    assert!(
        values.contains(&"left".to_owned()),
        "new entries are kept: {values:?}"
    );
    assert!(withheld.contains(&Withheld::Unreadable));
}

#[test]
fn a_vault_that_fails_fails_the_command_and_nothing_is_kept_plain() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(with_somebody(directory.path(), 80));
    let folder = directory.path().join(VAULT_FOLDER);
    std::fs::rename(folder.join("wrapping-1.key"), folder.join("elsewhere")).expect("renamed");
    let opened = open(directory.path(), 81);
    let before = opened.store.read().head().expect("an answer");
    let id = offgate_core::id::CommandId::random(&*opened.randomness);
    let failed = opened.store.execute_blocking(id, SERVER, deactivate(1));
    assert!(matches!(failed, Err(StoreError::Vault(_))), "{failed:?}");
    assert_eq!(opened.store.read().head().expect("an answer"), before);
    // Doors and their tables ask for none of it, nor do entries about nobody.
    assert!(
        opened
            .store
            .read()
            .table_since(agent(1), None)
            .expect("a table")
            .is_some()
    );
    opened.done(Command::CreateGroup(offgate_core::policy::Group {
        id: group(9),
        revision: Revision::ZERO,
        name: title("Nobody"),
        parent: None,
        policies: BTreeSet::new(),
    }));
    std::fs::rename(folder.join("elsewhere"), folder.join("wrapping-1.key")).expect("renamed");
    let again = opened
        .store
        .execute_blocking(id, SERVER, deactivate(1))
        .expect("an answer");
    assert!(matches!(again, Outcome::Done { .. }));
}

fn remove(number: u8) -> Command {
    Command::RemoveUser {
        user: user(number),
        unconfirmed: Unconfirmed::Override(Note::parse("gone").expect("a note")),
    }
}

fn erasure(opened: &Opened, number: u8) -> Erasure {
    match opened.store.read().user(user(number)).expect("an answer") {
        Some(UserRecord::Removed(tombstone)) => tombstone.erasure,
        other => panic!("removed: {other:?}"),
    }
}

fn keep_for(days: u16) -> Command {
    Command::ChangeKeeping(Keeping {
        erasure_wait: ErasureWait::from_days(days).expect("days"),
        ..Keeping::default()
    })
}

#[test]
fn what_is_left_of_somebody_waits_for_its_day_unless_it_is_held_or_erased_before() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_somebody(directory.path(), 110);
    opened.done(create(2, BTreeSet::new(), BTreeSet::new(), "Other"));
    opened.done(keep_for(30));
    let due = opened
        .clock
        .now()
        .plus(std::time::Duration::from_secs(30 * 24 * 3600));
    for number in [1, 2] {
        opened.done(deactivate(number));
        opened.done(remove(number));
        assert_eq!(erasure(&opened, number), Erasure::Due { at: due });
    }
    let reader = opened.store.read();
    let kept = reader
        .kept_profile(user(1))
        .expect("an answer")
        .expect("a profile");
    assert_eq!(kept.first_name.as_str(), "Planted");
    assert!(
        told(&opened, About::User(user(1)))
            .0
            .contains(&"Planted".to_owned())
    );
    assert_eq!(reader.awaiting_erasure(10).expect("a list").len(), 2);
    // Their card is free, whatever is left of them.
    let token = offgate_core::credential::CardToken::parse("CARD0001").expect("a token");
    assert_eq!(reader.card_use(&token).expect("an answer"), CardUse::Free);
    // One is erased now.
    opened.done(Command::EraseUser { user: user(2) });
    assert!(matches!(erasure(&opened, 2), Erasure::Done { .. }));
    // The other is held over its day.
    opened.done(Command::HoldErasure {
        user: user(1),
        reason: Note::parse("a dispute").expect("a note"),
    });
    let refused = opened.execute(Command::EraseUser { user: user(1) });
    assert_eq!(refused, Outcome::Refused(Refusal::ErasureHeld));
    opened
        .clock
        .0
        .store(due.microseconds() + 1, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(reader.erasures_due(opened.clock.now()).expect("a list"), []);
    opened.done(Command::EraseDue { user: user(1) });
    assert!(matches!(erasure(&opened, 1), Erasure::Held { .. }));
    opened.done(Command::ReleaseErasure { user: user(1) });
    assert_eq!(
        reader.erasures_due(opened.clock.now()).expect("a list"),
        [user(1)]
    );
    opened.done(Command::EraseDue { user: user(1) });
    assert!(matches!(erasure(&opened, 1), Erasure::Done { .. }));
    assert_eq!(reader.kept_profile(user(1)).expect("an answer"), None);
    let (values, withheld) = told(&opened, About::User(user(1)));
    assert!(!values.contains(&"Planted".to_owned()) && !values.contains(&"a dispute".to_owned()));
    assert!(
        withheld
            .iter()
            .all(|why| matches!(why, Withheld::Erased { .. }))
    );
    let erased = opened.store.erasures().expect("the list");
    assert_eq!(erased.len(), 2);
}

#[test]
fn records_from_before_an_erasure_are_brought_up_to_it_before_they_are_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join(DATABASE_FILE);
    let copy = directory.path().join("copy");
    let opened = with_somebody(directory.path(), 120);
    let operator = OperatorId::from_bytes([8; 16]);
    opened.done(Command::CreateOperator(Operator {
        id: operator,
        revision: Revision::ZERO,
        name: title("Otto"),
        email: Email::parse("otto@example.org").expect("an address"),
        role: Role::Guard,
        user: Some(user(1)),
        password: None,
        state: OperatorState::Open,
    }));
    rusqlite::Connection::open(&database)
        .expect("the database")
        .execute("VACUUM INTO ?1", [copy.to_str().expect("a path")])
        .expect("a copy");
    opened.done(deactivate(1));
    opened.done(remove(1));
    drop(opened);
    for name in ["offgate.db-wal", "offgate.db-shm"] {
        let _ = std::fs::remove_file(directory.path().join(name));
    }
    std::fs::rename(copy, &database).expect("restored");
    let opened = open(directory.path(), 121);
    assert!(matches!(erasure(&opened, 1), Erasure::Done { .. }));
    assert_eq!(
        opened.store.read().operator(operator).expect("an answer"),
        None
    );
    let changes = opened
        .store
        .read()
        .table_since(agent(1), None)
        .expect("a table")
        .expect("a table");
    let key = offgate_core::table::entry::EntryKey::user(user(1));
    assert!(
        changes.puts.iter().all(|(put, _)| *put != key),
        "no door hears of them again"
    );
    drop(opened);
    for entry in std::fs::read_dir(directory.path()).expect("the folder") {
        let path = entry.expect("a file").path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(
            !bytes.windows(7).any(|bytes| bytes == b"Planted"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn door_events_go_when_their_time_is_over_the_oldest_first() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 130);
    let runtime = tokio_runtime();
    let now = opened.clock.now();
    let ago = |days: u64| now.minus(std::time::Duration::from_secs(days * 24 * 3600));
    let events: Vec<DoorEvent> = [(1, 100), (2, 95), (3, 91), (4, 10)]
        .map(|(sequence, days)| DoorEvent {
            sequence,
            at: ago(days),
            door: door(1),
            direction: Direction::In,
            presented: CredentialKind::Pin,
            happening: Happening::KeypadSlowed,
        })
        .into();
    runtime
        .block_on(opened.store.record_events(agent(1), 0, events))
        .expect("kept");
    let left = || {
        let query = ActivityQuery {
            about: About::Everything,
            kinds: ActivityKinds::Doors,
            before: None,
            limit: 500,
        };
        opened
            .store
            .read()
            .activity(&query)
            .expect("a page")
            .items
            .len()
    };
    let forget = |at_most| {
        runtime
            .block_on(opened.store.forget_events(ago(90), at_most))
            .expect("forgotten")
    };
    assert_eq!((forget(2), left()), (2, 2), "bounded, the oldest first");
    assert_eq!((forget(2), left()), (1, 1));
    assert_eq!((forget(2), left()), (0, 1));
}

#[test]
fn a_lost_card_of_somebody_removed_stays_burned_and_is_nowhere_as_it_was() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_somebody(directory.path(), 90);
    opened.done(Command::ReportLost {
        credential: credential(1),
    });
    opened.done(deactivate(1));
    opened.done(remove(1));
    let token = offgate_core::credential::CardToken::parse("CARD0001").expect("a token");
    let reader = opened.store.read();
    assert_eq!(reader.card_use(&token).expect("an answer"), CardUse::Burned);
    let again = opened.execute(create(2, BTreeSet::new(), BTreeSet::new(), "Eve"));
    assert!(
        matches!(again, Outcome::Done { .. }),
        "another card is free: {again:?}"
    );
    let Command::CreateUser { credentials, .. } =
        create(1, BTreeSet::new(), BTreeSet::new(), "Eve")
    else {
        panic!("a person")
    };
    let given = opened.execute(Command::AddCredential {
        user: user(2),
        credential: offgate_core::credential::NewCredential {
            id: credential(50),
            ..credentials.into_iter().next().expect("a card")
        },
    });
    assert_eq!(given, Outcome::Refused(Refusal::CardBurned));
}

/// A database of before details were sealed is taken over with all it says, and nothing of that is
/// left in plain text.
#[test]
fn an_older_database_is_sealed_when_it_is_opened() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(DATABASE_FILE);
    {
        let database = rusqlite::Connection::open(&path).expect("a database");
        for migration in [
            include_str!("../../migrations/0001_first.sql"),
            include_str!("../../migrations/0002_lists.sql"),
        ] {
            database.execute_batch(migration).expect("a schema");
        }
        database
            .pragma_update(None, "user_version", 2)
            .expect("a version");
        let (salt, text) = ([3_u8; 16], "first name\u{1f}\u{0}\u{1f}Planted");
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(b"offgate log details 1")
            .update(&salt)
            .update(text.as_bytes());
        let hash = *hasher.finalize().as_bytes();
        let insert = "INSERT INTO log (revision, at, actor, kind, subject, subject_id, details_hash) \
                      VALUES (?1, 1, 'command-line', 'user.created', 'user', ?2, ?3)";
        database
            .execute(insert, rusqlite::params![1, user(1).as_bytes(), hash])
            .expect("an entry");
        database
            .execute(insert, rusqlite::params![2, user(2).as_bytes(), [9_u8; 32]])
            .expect("an entry whose details were erased");
        database
            .execute(
                "INSERT INTO log_detail VALUES (1, ?1, ?2)",
                rusqlite::params![salt, text],
            )
            .expect("its details");
        database
            .execute("INSERT INTO burned_card VALUES ('CARD0009')", [])
            .expect("a burned card");
    }
    let opened = open(directory.path(), 100);
    let (values, withheld) = told(&opened, About::Everything);
    assert_eq!(values, ["Planted"]);
    assert_eq!(withheld.len(), 1);
    let token = offgate_core::credential::CardToken::parse("CARD0009").expect("a token");
    assert_eq!(
        opened.store.read().card_use(&token).expect("an answer"),
        CardUse::Burned
    );
    for file in [path.clone(), path.with_extension("db-wal")] {
        let bytes = std::fs::read(file).unwrap_or_default();
        assert!(!bytes.windows(7).any(|bytes| bytes == b"Planted"));
        assert!(!bytes.windows(8).any(|bytes| bytes == b"CARD0009"));
    }
}
