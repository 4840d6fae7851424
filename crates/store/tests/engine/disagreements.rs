//! Agents whose table is not the one that it should be, and entries that are not what the records
//! say.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use offgate_core::command::{Command, Expected};
use offgate_core::disagreement::{Disagreement, Noticed};
use offgate_core::fail_mode::FailMode;
use offgate_core::parameters::{Clock as _, Revision};
use offgate_core::place::Door;
use offgate_core::table::entry::{EntryKey, EntryKind};
use offgate_store::{DATABASE_FILE, Receipt};
use rusqlite::{Connection, params};

use crate::organisation::*;

fn forward(opened: &Opened, seconds: i64) {
    opened
        .clock
        .0
        .fetch_add(seconds * 1_000_000, Ordering::SeqCst);
}

fn disagrees(opened: &Opened, number: u8, disagreement: Disagreement) {
    let record = opened
        .store
        .record_disagreement(agent(number), disagreement);
    tokio_runtime().block_on(record).expect("recorded");
}

fn acknowledges(opened: &Opened, number: u8, receipt: Receipt) {
    let record = opened.store.record_acknowledgement(agent(number), receipt);
    tokio_runtime().block_on(record).expect("recorded");
}

#[test]
fn a_table_that_is_another_is_told_until_the_right_one_was_acknowledged_and_a_week_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 35);
    let told = || {
        let found = opened.store.read().disagreements(opened.clock.now());
        found.expect("an answer")
    };
    let head = opened.store.read().head().expect("a head");

    // Whoever had none before has lost none.
    disagrees(&opened, 1, Disagreement::Missing);
    assert_eq!(told(), []);
    acknowledges(&opened, 1, receipt(head));
    disagrees(&opened, 1, Disagreement::Missing);
    let noticed = Noticed {
        disagreement: Disagreement::Missing,
        at: opened.clock.now(),
        mended_at: None,
    };
    assert_eq!(told(), [(agent(1), noticed)]);

    // A receipt that confirms only what overtook says nothing of the table.
    forward(&opened, 60);
    let above = Receipt {
        up_to: Revision::ZERO,
        ..receipt(head)
    };
    acknowledges(&opened, 1, above);
    assert_eq!(told(), [(agent(1), noticed)]);
    acknowledges(&opened, 1, receipt(head));
    let mended = Noticed {
        mended_at: Some(opened.clock.now()),
        ..noticed
    };
    assert_eq!(told(), [(agent(1), mended)]);

    // It happens again: what was mended is open.
    forward(&opened, 60);
    disagrees(&opened, 1, Disagreement::Another(head));
    assert_eq!(told()[0].1.mended_at, None);
    acknowledges(&opened, 1, receipt(head));
    forward(&opened, 7 * 24 * 3600);
    assert_eq!(told(), []);
}

/// The keys of the entries of an agent's table that are not what the records say, looked at three at
/// a time.
fn wrong(opened: &Opened, number: u8) -> (usize, Vec<EntryKey>) {
    let reader = opened.store.read();
    let (mut entries, mut wrong, mut after) = (0, Vec::new(), None);
    loop {
        let checked = reader.check_entries(agent(number), after, 3);
        let checked = checked.expect("an answer");
        entries += checked.entries;
        wrong.extend(checked.wrong);
        after = checked.next;
        if after.is_none() {
            return (entries, wrong);
        }
    }
}

#[test]
fn an_entry_that_is_not_what_the_records_say_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 36);
    for number in 1..=6 {
        let groups = BTreeSet::from([group(1)]);
        opened.done(create(number, groups, BTreeSet::new(), "Known"));
    }
    opened.done(deactivate(2));
    let whole = opened.store.read().table_since(agent(1), None);
    let rulings = 1;
    let entries = whole.expect("an answer").expect("a table").puts.len() - rulings;
    assert_eq!(wrong(&opened, 1), (entries, vec![]));

    // As a mistake of this program, or a hand in the database, could leave it.
    let database = Connection::open(directory.path().join(DATABASE_FILE)).expect("a database");
    let copy = |from: u8, to: [u8; 16]| {
        let kind = EntryKind::User as u8;
        let written = database.execute(
            "INSERT OR REPLACE INTO agent_entry (agent, kind, id, revision, encoded) \
             SELECT agent, kind, ?1, revision, encoded FROM agent_entry \
             WHERE agent = ?2 AND kind = ?3 AND id = ?4",
            params![to, agent(1).as_bytes(), kind, user(from).as_bytes()],
        );
        assert_eq!(written.expect("written"), 1);
    };
    let nobody = [0xee; 16];
    copy(1, nobody);
    copy(3, *user(2).as_bytes());
    let key = |id| EntryKey {
        kind: EntryKind::User,
        id,
    };
    let (found, mut keys) = wrong(&opened, 1);
    keys.sort_unstable();
    let mut expected = vec![key(nobody), key(*user(2).as_bytes())];
    expected.sort_unstable();
    assert_eq!((found, keys), (entries + 1, expected));

    // A change to one of its doors writes them anew.
    let renamed = Door {
        name: title("Another name"),
        ..front_door(1, FailMode::RefuseAll)
    };
    opened.done(Command::EditDoor(renamed, Expected::Whatever));
    assert_eq!(wrong(&opened, 1), (entries, vec![]));
}
