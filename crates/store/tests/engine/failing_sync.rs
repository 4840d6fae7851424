//! A disk that no longer makes anything durable: nothing is said to be done that may not last,
//! nothing answered before is lost, and what became of the rest is found by its command's id.
//!
//! The kernel itself fails the calls, by a filter that a process puts on itself, so what is tried is
//! SQLite as it ships.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command as Process, Stdio};

use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::records::Records as _;
use offgate_store::{Outcome, StoreError};
use seccompiler::{SeccompAction, SeccompFilter, apply_filter_all_threads};

use crate::check_log;
use crate::organisation::*;

/// How many people there are; each is deactivated once while nothing becomes durable.
const PEOPLE: u8 = 12;

/// The id that a person's deactivation is asked for under.
fn asked_as(number: u8) -> CommandId {
    CommandId::from_bytes([0xf0 + number; 16])
}

/// From here on every sync of this process fails, as on a disk that is dying.
fn let_syncs_fail() {
    let calls = [libc::SYS_fsync, libc::SYS_fdatasync];
    let filter = SeccompFilter::new(
        calls.map(|call| (call, Vec::new())).into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EIO as u32),
        std::env::consts::ARCH.try_into().expect("a machine"),
    );
    let program: seccompiler::BpfProgram = filter.expect("a filter").try_into().expect("a filter");
    apply_filter_all_threads(&program).expect("the kernel takes it");
    let file = tempfile::tempfile().expect("a file");
    assert!(file.sync_data().is_err() && file.sync_all().is_err());
}

/// Not a test of its own: the process whose syncs fail from some moment on.
#[test]
fn child_of_the_failing_sync_test() {
    let Ok(directory) = std::env::var("OFFGATE_TEST_SYNC") else {
        return;
    };
    let opened = open(Path::new(&directory), 77);
    for _ in 0..5 {
        opened.done(deactivate(1));
        opened.done(Command::ReactivateUser { user: user(1) });
    }
    let answered = opened.store.read().head().expect("an answer");
    println!("\nanswered {}", answered.number());
    let_syncs_fail();
    // One after the other, then many at once: they share a transaction.
    let ask = |number: u8| {
        let said = opened
            .store
            .execute_blocking(asked_as(number), SERVER, deactivate(number));
        let said = match said {
            Ok(Outcome::Done { .. }) => "done",
            Ok(Outcome::Refused(_)) => "refused",
            Err(StoreError::OutcomeUnknown) => "unknown",
            Err(StoreError::Unavailable(_)) => "unavailable",
            Err(_) => "something else",
        };
        println!("\nperson {number} {said}");
    };
    (1..=3).for_each(ask);
    std::thread::scope(|scope| {
        (4..=PEOPLE).for_each(|number| drop(scope.spawn(move || ask(number))));
    });
    // Nothing is shown, to doors least of all, that the disk may not have.
    let shown = opened.store.read().head().expect("an answer");
    println!("\nshown {}", shown.number());
}

#[test]
fn a_commit_whose_sync_fails_is_never_said_to_be_done() {
    let directory = tempfile::tempdir().expect("a directory");
    {
        let opened = furnished(directory.path(), 7);
        for number in 1..=PEOPLE {
            let groups = BTreeSet::from([group(1)]);
            opened.done(create(number, groups, BTreeSet::new(), "Ada"));
        }
    }
    let child = Process::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "failing_sync::child_of_the_failing_sync_test"])
        .args(["--nocapture", "--test-threads=1"])
        .env("OFFGATE_TEST_SYNC", directory.path())
        .stderr(Stdio::null())
        .output()
        .expect("a child");
    let output = String::from_utf8_lossy(&child.stdout).into_owned();
    let number = |what: &str| {
        let mut found = output.lines().filter_map(|line| line.strip_prefix(what));
        let number = found.next().and_then(|number| number.parse::<u64>().ok());
        number.unwrap_or_else(|| panic!("{what}: {output}"))
    };
    let answered = number("answered ");
    let told: BTreeMap<u8, &str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("person ")?.split_once(' '))
        .filter_map(|(person, said)| Some((person.parse().ok()?, said)))
        .collect();
    assert_eq!(told.len(), usize::from(PEOPLE), "{output}");
    let honest = |said: &&str| matches!(*said, "unknown" | "unavailable");
    assert!(told.values().all(honest), "{told:?}");
    assert!(told.values().any(|said| *said == "unknown"), "{told:?}");
    assert_eq!(number("shown "), answered, "{output}");

    // The process is gone, and the disk works again. Everything that was answered is there.
    check_log(directory.path(), answered);
    let opened = open(directory.path(), 78);
    let found = opened.store.read().head().expect("an answer").number();
    assert!(found >= answered, "{found}");
    // Whoever was told "unknown" asks again under the same id: it is done once, then or now.
    for number in 1..=PEOPLE {
        let again = || {
            let id = asked_as(number);
            let said = opened
                .store
                .execute_blocking(id, SERVER, deactivate(number));
            said.expect("an answer")
        };
        let Outcome::Done { revision } = again() else {
            panic!("person {number}");
        };
        assert_eq!(again(), Outcome::Done { revision });
        let record = opened.store.read().user(user(number)).expect("an answer");
        let text = format!("{record:?}");
        assert!(text.contains("Deactivated"), "{text}");
    }
    let head = opened.store.read().head().expect("an answer").number();
    assert_eq!(head, answered + u64::from(PEOPLE), "each of them once");
    check_log(directory.path(), head);
}
