//! A disk that is full: nothing is said that is not so, nothing answered is lost, and when there is
//! room again everything goes on.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command as Process, Stdio};

use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::records::Records as _;
use offgate_core::user::UserRecord;
use offgate_store::{DATABASE_FILE, Outcome, StoreError};

use crate::check_log;
use crate::organisation::*;

/// Not a test: the process whose files may not grow. It deactivates and reactivates until the
/// store cannot, says each revision that was answered, then that reading still works.
#[test]
fn child_of_the_full_disk_test() {
    let Ok(directory) = std::env::var("OFFGATE_TEST_FULL") else {
        return;
    };
    let opened = open(Path::new(&directory), 77);
    let mut answered = 0;
    let failed = loop {
        let round = [deactivate(1), Command::ReactivateUser { user: user(1) }];
        let failed = round.into_iter().find_map(|command| {
            let id = CommandId::random(&*opened.randomness);
            match opened.store.execute_blocking(id, SERVER, command) {
                Ok(Outcome::Done { revision }) => {
                    answered = revision.number();
                    None
                }
                Ok(Outcome::Refused(refusal)) => {
                    println!("\nrefused {refusal}");
                    None
                }
                Err(error) => Some(error),
            }
        });
        if let Some(failed) = failed {
            break failed;
        }
    };
    println!("\nanswered {answered}");
    let said = match failed {
        StoreError::Unavailable(_) | StoreError::OutcomeUnknown => "failed as it should",
        _ => "failed as it should not",
    };
    println!("\n{said}");
    let read = opened.store.read().user(user(1));
    if matches!(read, Ok(Some(UserRecord::Present(_)))) {
        println!("\nreads");
    }
}

#[test]
fn a_full_disk_is_said_and_nothing_answered_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let begun = {
        let opened = furnished(directory.path(), 7);
        opened.done(create(
            1,
            BTreeSet::from([group(1)]),
            BTreeSet::new(),
            "Ada",
        ))
    };
    let database = directory.path().join(DATABASE_FILE);
    let size = std::fs::metadata(&database).expect("the database").len();
    // In blocks of 1,024 bytes: room for some commands in the write-ahead log, and no more.
    let blocks = size / 1024 + 4_000;
    let program = std::env::current_exe().expect("this program");
    let child = Process::new("bash")
        .arg("-c")
        .arg(format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact \
             full_disk::child_of_the_full_disk_test --nocapture --test-threads=1"
        ))
        .arg(program)
        .env("OFFGATE_TEST_FULL", directory.path())
        .stderr(Stdio::null())
        .output()
        .expect("a child");
    let output = String::from_utf8_lossy(&child.stdout).into_owned();
    let answered: u64 = output
        .lines()
        .find_map(|line| line.strip_prefix("answered "))
        .and_then(|number| number.parse().ok())
        .expect("it said how far it came");
    assert!(answered > begun.number() + 10, "it got somewhere: {output}");
    assert!(output.contains("failed as it should\n"), "{output}");
    assert!(
        output.contains("\nreads\n"),
        "what is there can be read: {output}"
    );
    assert!(
        !output.contains("refused"),
        "an error is not a refusal: {output}"
    );
    check_log(directory.path(), answered);
    // There is room again.
    let opened = open(directory.path(), 78);
    assert!(opened.store.read().head().expect("an answer").number() >= answered);
    opened.done(Command::RemoveCredential {
        credential: credential(1),
    });
}
