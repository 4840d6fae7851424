//! What an engine is, run on SQLite: the same answers as records in memory, tables in step with
//! the records, nothing lost that was answered.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

mod alerts;
mod backup;
mod disagreements;
mod fail_modes;
mod failing_sync;
mod fixture;
mod full_disk;
mod history;
mod lists;
mod longer_limits;
mod mail;
mod migrations;
mod organisation;
mod outages;
mod positions;
mod questions;
mod receipts;
mod rulings;
mod speed;
mod stolen;
mod unlucky;
mod vault;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use offgate_core::command::{Command, Expected, Unconfirmed};
use offgate_core::confirmation::Alone;
use offgate_core::credential::{NewCredential, NewMeans, Plate, PlateSharing};
use offgate_core::decide::Decision;
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{CommandId, StoreId};
use offgate_core::memory::Memory;
use offgate_core::parameters::{Clock, Revision};
use offgate_core::policy::{Group, Policy, PolicyHours};
use offgate_core::records::Records;
use offgate_core::table::Table;
use offgate_core::table::entry::{Entry, TableHash};
use offgate_core::user::{AccessPeriod, UserRecord};
use offgate_store::{DATABASE_FILE, Heard, Outcome, Store};
use proptest::prelude::*;

use crate::organisation::*;

fn any_command() -> impl Strategy<Value = Command> {
    let who = 1..=4_u8;
    let sets = || {
        (
            prop::collection::btree_set((1..=2_u8).prop_map(group), 0..3),
            prop::collection::btree_set((1..=2_u8).prop_map(policy), 0..3),
        )
    };
    prop_oneof![
        4 => (who.clone(), sets()).prop_map(|(number, (groups, policies))| create(number, groups, policies, "Ada")),
        4 => who.clone().prop_map(deactivate),
        2 => who.clone().prop_map(|number| Command::ReactivateUser { user: user(number) }),
        1 => who.clone().prop_map(|number| Command::RemoveUser {
            user: user(number),
            unconfirmed: Unconfirmed::Override(offgate_core::text::Note::parse("gone").expect("a note")),
        }),
        2 => who.clone().prop_map(|number| Command::ReportLost { credential: credential(number) }),
        1 => who.clone().prop_map(|number| Command::ReportFound { credential: credential(number) }),
        1 => who.clone().prop_map(|number| Command::RemoveCredential { credential: credential(number) }),
        1 => (who.clone(), 1..=2_u8).prop_map(|(number, plate)| Command::AddCredential {
            user: user(number),
            credential: NewCredential {
                id: credential(number + 10),
                label: None,
                means: NewMeans::LicencePlate { plate: Plate::parse(&format!("AB {plate}")).expect("a plate"), sharing: PlateSharing::Shared },
            },
        }),
        2 => (who, sets()).prop_map(|(number, (groups, policies))| {
            let Command::CreateUser { user, profile, .. } = create(number, BTreeSet::new(), BTreeSet::new(), "Eve") else { panic!() };
            Command::EditUser { user, expected: Expected::Whatever, profile, access: AccessPeriod::default(), groups, policies }
        }),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(carries, inside)| Command::EditGroup(Group {
            id: group(2),
            revision: Revision::ZERO,
            name: title("Group 2"),
            parent: inside.then(|| group(1)),
            policies: if carries { BTreeSet::from([policy(2)]) } else { BTreeSet::new() },
        }, Expected::Whatever)),
        1 => (1..=2_u8, any::<bool>()).prop_map(|(number, always)| Command::EditPolicy(Policy {
            id: policy(2),
            revision: Revision::ZERO,
            name: title("Policy 2"),
            doors: BTreeSet::from([door(number)]),
            door_groups: BTreeSet::new(),
            hours: if always { PolicyHours::Always } else { PolicyHours::Scheduled(SCHEDULE) },
        }, Expected::Whatever)),
        1 => (prop::collection::btree_set(1..=4_u8, 1..4), any::<bool>()).prop_map(|(people, new)| {
            let people: Vec<u8> = people.into_iter().collect();
            let list = fail_modes::list(&people);
            if new { Command::CreateEmergencyList(list) } else { Command::EditEmergencyList(list, Expected::Whatever) }
        }),
        1 => any::<bool>().prop_map(|listed| {
            let mode = if listed { FailMode::EmergencyList(fail_modes::LIST) } else { FailMode::KeepLastTable };
            Command::EditDoor(front_door(1, mode), Expected::Whatever)
        }),
    ]
}

/// The table an agent would have, from nothing.
fn snapshot(store: &Store, number: u8) -> Table {
    let mut table = Table::empty(hash_key(number));
    if let Some(changes) = store
        .read()
        .table_since(agent(number), None)
        .expect("a table")
    {
        for (_, bytes) in changes.puts {
            table.put(Entry::decode(&bytes).expect("an entry"));
        }
        assert_eq!(
            table.hash(),
            changes.head.hash,
            "the head's hash is that of its entries"
        );
    }
    table
}

fn catch_up(store: &Store, number: u8, table: &mut Table, at: &mut Revision) {
    let Some(changes) = store
        .read()
        .table_since(agent(number), Some(*at))
        .expect("a table")
    else {
        return;
    };
    for key in changes.deletes {
        table.delete(key);
    }
    for (_, bytes) in changes.puts {
        table.put(Entry::decode(&bytes).expect("an entry"));
    }
    *at = changes.head.revision;
}

fn same_records(memory: &Memory, store: &Store) {
    let reader = store.read();
    for number in 1..=4 {
        let stored = reader.user(user(number)).expect("an answer");
        assert_eq!(stored.as_ref(), memory.users.get(&user(number)));
        let stored = reader.credentials_of(user(number)).expect("an answer");
        assert_eq!(Ok(stored), memory.credentials_of(user(number)));
    }
    assert_eq!(Ok(reader.groups().expect("an answer")), memory.groups());
    assert_eq!(Ok(reader.policies().expect("an answer")), memory.policies());
    assert_eq!(Ok(reader.doors().expect("an answer")), memory.doors());
    assert_eq!(
        Ok(reader.emergency_lists().expect("an answer")),
        memory.emergency_lists()
    );
    assert_eq!(Ok(reader.sites().expect("an answer")), memory.sites());
    assert_eq!(
        Ok(reader.schedules().expect("an answer")),
        memory.schedules()
    );
    assert_eq!(Ok(reader.agents().expect("an answer")), memory.agents());
    assert_eq!(
        Ok(reader.operators().expect("an answer")),
        memory.operators()
    );
    assert_eq!(reader.head().expect("an answer"), memory.revision);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every command is answered as records in memory answer it, and leaves the same records;
    /// every agent's table is what it would be from nothing, by deltas and as a whole.
    #[test]
    fn an_engine_answers_as_memory_does(
        commands in prop::collection::vec((any_command(), 0..100_i64), 0..40),
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let opened = open(directory.path(), 1);
        let mut memory = Memory { calendars_from: 2026, ..Memory::default() };
        let (mut deltas, mut reached) = (Table::empty(hash_key(1)), Revision::ZERO);
        let commands = commands.into_iter().map(|(command, seconds)| (SERVER, command, seconds));
        let furniture = furniture().into_iter().map(|(actor, command)| (actor, command, 0));
        for (actor, command, seconds) in furniture.chain(commands) {
            opened.clock.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
            // The doors' confirmations are the store's own; memory is told what it says.
            for number in 1..=4 {
                let open = opened.store.read().doors_not_confirmed(user(number), opened.clock.now()).expect("an answer");
                memory.unconfirmed.insert(user(number), open.into_iter().collect());
            }
            let expected = memory.execute(actor, &command, opened.clock.now());
            let id = CommandId::random(&*opened.randomness);
            let outcome = opened.store.execute_blocking(id, actor, command.clone()).expect("an answer");
            match expected {
                Decision::Accepted(_) => {
                    prop_assert_eq!(&outcome, &Outcome::Done { revision: memory.revision }, "{:?}", command);
                    // Asked again under the same id, it is answered again and not done again.
                    let again = opened.store.execute_blocking(id, actor, command).expect("an answer");
                    prop_assert_eq!(again, outcome);
                }
                Decision::Refused(refusal, _) => prop_assert_eq!(outcome, Outcome::Refused(refusal)),
            }
            same_records(&memory, &opened.store);
            catch_up(&opened.store, 1, &mut deltas, &mut reached);
            prop_assert_eq!(deltas.hash(), snapshot(&opened.store, 1).hash());
            snapshot(&opened.store, 2);
            for number in 1..=2 {
                let checked = opened.store.read().check_entries(agent(number), None, 1000);
                prop_assert_eq!(checked.expect("an answer").wrong, []);
            }
        }
        check_log(directory.path(), memory.revision.number());
    }
}

#[test]
fn only_agents_concerned_are_touched_and_confirmations_wait_for_their_word() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 2);
    let runtime = tokio_runtime();
    let reader = opened.store.read();
    let far = reader.table_head(agent(2)).expect("an answer");
    opened.done(create(
        1,
        BTreeSet::from([group(2)]),
        BTreeSet::new(),
        "Ada",
    ));
    let refused_at = opened.done(deactivate(1));
    assert_eq!(
        reader.table_head(agent(2)).expect("an answer"),
        far,
        "the other site is left alone"
    );
    let near = reader
        .table_head(agent(1))
        .expect("an answer")
        .expect("a table");
    assert_eq!(near.revision, refused_at);
    let now = opened.clock.now();
    assert_eq!(
        reader.doors_not_confirmed(user(1), now).expect("an answer"),
        [door(1)]
    );
    // A word about an older table confirms nothing.
    let said = |revision| {
        let record = opened
            .store
            .record_acknowledgement(agent(1), receipt(revision));
        runtime.block_on(record).expect("recorded");
    };
    runtime
        .block_on(opened.store.record_contact(agent(1), Heard::AsksRenewal))
        .expect("recorded");
    said(Revision::new(refused_at.number() - 1));
    assert_eq!(
        reader.doors_not_confirmed(user(1), now).expect("an answer"),
        [door(1)]
    );
    said(refused_at);
    assert_eq!(
        reader.doors_not_confirmed(user(1), now).expect("an answer"),
        []
    );
    let facts = reader.door_facts(user(1), refused_at).expect("an answer");
    assert_eq!(facts.len(), 1);
    assert_eq!(facts[0].confirmed_at, Some(now));
    let Alone::UntilLimit(Some(until)) = facts[0].alone else {
        panic!("a lease was renewed: {:?}", facts[0]);
    };
    assert_eq!(until.since(now).as_secs(), 72 * 3600 * 101 / 100 + 1);
}

#[test]
fn many_writers_at_once_leave_a_log_without_gaps() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 3);
    let before = opened.store.read().head().expect("an answer").number();
    let done = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let (opened, done) = (&opened, &done);
            scope.spawn(move || {
                // All create the same ten people: each is created once.
                for number in 1..=10 {
                    let command =
                        create(number, BTreeSet::from([group(1)]), BTreeSet::new(), "Ada");
                    if let Outcome::Done { .. } = opened.execute(command) {
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                    if thread % 2 == 0 {
                        opened.execute(deactivate(number));
                    }
                }
            });
        }
    });
    assert_eq!(done.load(Ordering::SeqCst), 10);
    check_log(directory.path(), before);
    snapshot(&opened.store, 1);
}

/// The log counts from one without gaps, and the file is sound.
fn check_log(directory: &Path, at_least: u64) {
    let database = rusqlite::Connection::open(directory.join(DATABASE_FILE)).expect("the database");
    let (count, last): (i64, i64) = database
        .query_row("SELECT count(*), max(revision) FROM log", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("an answer");
    assert_eq!(count, last);
    assert!(count >= i64::try_from(at_least).expect("a small number"));
    let sound: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("an answer");
    assert_eq!(sound, "ok");
    let keys: i64 = database
        .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
            row.get(0)
        })
        .expect("an answer");
    assert_eq!(keys, 0);
    history::adds_up(&database);
}

#[test]
fn a_removed_person_is_in_no_byte_of_the_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 4);
    let planted = "Plantedname";
    let found = |what: &str| {
        let mut found = 0;
        for file in std::fs::read_dir(directory.path()).expect("the directory") {
            let path = file.expect("a file").path();
            if path.is_dir() {
                continue;
            }
            let bytes = std::fs::read(path).expect("its bytes");
            found += bytes
                .windows(what.len())
                .filter(|window| *window == what.as_bytes())
                .count();
        }
        found
    };
    opened.done(create(
        1,
        BTreeSet::from([group(1)]),
        BTreeSet::new(),
        planted,
    ));
    opened.done(deactivate(1));
    assert!(
        found(planted) > 0 && found("CARD0001") > 0,
        "the search finds what is there"
    );
    opened.done(Command::RemoveUser {
        user: user(1),
        unconfirmed: Unconfirmed::Override(
            offgate_core::text::Note::parse("gone").expect("a note"),
        ),
    });
    assert_eq!(
        (found(planted), found("plantedname"), found("CARD0001")),
        (0, 0, 0)
    );
    let left = opened.store.read().user(user(1)).expect("an answer");
    assert!(matches!(left, Some(UserRecord::Removed(_))));
}

#[test]
fn a_store_made_by_a_newer_build_is_not_opened() {
    let directory = tempfile::tempdir().expect("a directory");
    let identity = open(directory.path(), 5).store.identity();
    assert_ne!(identity.store, StoreId::from_bytes([0; 16]));
    assert_eq!(
        open(directory.path(), 6).store.identity(),
        identity,
        "opened again it is the same"
    );
    let database =
        rusqlite::Connection::open(directory.path().join(DATABASE_FILE)).expect("the database");
    database
        .pragma_update(None, "user_version", 99)
        .expect("an update");
    let clock = Arc::new(FakeClock::at(0));
    let refused = Store::open(
        directory.path(),
        clock,
        Arc::new(Counter(AtomicU64::new(0))),
        Arc::new(LogKey::new()),
    );
    match refused {
        Err(error @ offgate_store::StoreError::TooNew { found: 99, .. }) => {
            assert!(error.to_string().contains("a newer Offgate"), "{error}");
        }
        _ => panic!("it was opened"),
    }
    let untouched: i64 = database
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .expect("a version");
    assert_eq!(untouched, 99);
}

/// Not a test of its own: what the kill test starts and kills. Deactivates and reactivates one
/// person for ever, and says each revision once it was answered.
#[test]
fn child_of_the_kill_test() {
    let Ok(directory) = std::env::var("OFFGATE_TEST_KILL") else {
        return;
    };
    let seed = std::process::id();
    let opened = open(Path::new(&directory), u64::from(seed));
    loop {
        for command in [deactivate(1), Command::ReactivateUser { user: user(1) }] {
            if let Outcome::Done { revision } = opened.execute(command) {
                println!("\nanswered {}", revision.number());
            }
        }
    }
}

#[test]
fn killed_at_any_moment_nothing_answered_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    {
        let opened = furnished(directory.path(), 7);
        opened.done(create(
            1,
            BTreeSet::from([group(1)]),
            BTreeSet::new(),
            "Ada",
        ));
    }
    let program = std::env::current_exe().expect("this program");
    let mut answered = 0_u64;
    for round in 0..30_usize {
        let mut child = Process::new(&program)
            .args([
                "--exact",
                "child_of_the_kill_test",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("OFFGATE_TEST_KILL", directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let mut lines = output.lines();
        let mut heard = 0;
        // Killed after a few answers, in the middle of whatever comes next.
        for line in lines.by_ref() {
            if let Some(number) = line.expect("a line").strip_prefix("answered ") {
                answered = answered.max(number.parse().expect("a number"));
                heard += 1;
                if heard > round % 7 {
                    break;
                }
            }
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line.strip_prefix("answered ")
                && let Ok(number) = number.parse()
            {
                answered = answered.max(number);
            }
        }
        check_log(directory.path(), answered);
        let opened = open(directory.path(), 1000 + round as u64);
        assert!(opened.store.read().head().expect("an answer").number() >= answered);
        let table = snapshot(&opened.store, 1);
        assert_ne!(table.hash(), TableHash::EMPTY);
    }
    assert!(answered > 60, "the child got somewhere: {answered}");
}

/// A caller that does not know what became of a command may ask again for a week.
#[test]
fn commands_are_remembered_for_a_week() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 24);
    let database =
        rusqlite::Connection::open(directory.path().join(DATABASE_FILE)).expect("the database");
    let remembered = || -> i64 {
        database
            .query_row("SELECT count(*) FROM command", [], |row| row.get(0))
            .expect("a number")
    };
    let day = 24 * 3600 * 1_000_000;
    let before = remembered();
    opened.clock.0.fetch_add(6 * day, Ordering::SeqCst);
    opened.done(create(1, BTreeSet::new(), BTreeSet::new(), "Ada"));
    assert_eq!(remembered(), before + 1);
    opened.clock.0.fetch_add(2 * day, Ordering::SeqCst);
    opened.done(create(2, BTreeSet::new(), BTreeSet::new(), "Ada"));
    assert_eq!(remembered(), 2, "the one of two days ago, and this one");
}

#[test]
fn every_question_uses_an_index() {
    let directory = tempfile::tempdir().expect("a directory");
    let _opened = furnished(directory.path(), 8);
    let database =
        rusqlite::Connection::open(directory.path().join(DATABASE_FILE)).expect("the database");
    for sql in [
        "SELECT user FROM membership WHERE user_group = x'00'",
        "SELECT user FROM user_policy WHERE policy = x'00'",
        "SELECT 1 FROM credential WHERE pin_digest = x'00'",
        "SELECT user FROM credential WHERE card_token = 'x'",
        "SELECT id FROM credential WHERE plate = 'x' ORDER BY id",
        "SELECT id FROM credential WHERE user = x'00' ORDER BY id",
        "SELECT count(*) FROM log WHERE kind = 'credential.pin-refused' AND actor = 'operator' AND actor_id IS x'00' AND at >= 0",
        "SELECT kind FROM agent_entry WHERE agent = x'00' AND revision > 5 ORDER BY revision",
        "SELECT kind FROM agent_entry WHERE agent = x'00' AND encoded IS NOT NULL ORDER BY id, kind",
        "UPDATE confirmation SET confirmed_at = 1 WHERE agent = x'00' AND what IN ('refuse', 'admit') AND revision <= 5 AND confirmed_at IS NULL",
        "UPDATE log_payload SET content = NULL WHERE about_id = x'00' AND about = 'user'",
        "SELECT content FROM log_payload WHERE revision = 5 ORDER BY position",
    ] {
        let mut statement = database
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .expect("a statement");
        let plan: Vec<String> = statement
            .query_map([], |row| row.get(3))
            .expect("a plan")
            .map(|line| line.expect("a line"))
            .collect();
        assert!(
            plan.iter()
                .all(|line| !line.starts_with("SCAN") && !line.contains("TEMP B-TREE")),
            "{sql}: {plan:?}"
        );
    }
}
