//! Orders of events that nobody plans for.

use std::collections::BTreeSet;

use offgate_core::command::{Command, Expected};
use offgate_core::confirmation::is_settled;
use offgate_core::confirmation::standing;
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{CommandId, UserId};
use offgate_core::parameters::{Clock as _, Revision};
use offgate_core::policy::{Group, Policy, PolicyHours};
use offgate_core::table::Table;
use offgate_core::table::entry::{Entry, EntryKey};
use offgate_core::user::AccessPeriod;
use offgate_store::{Outcome, Reader};

use crate::organisation::*;

/// Somebody who may open the first door.
fn with_somebody(opened: &Opened) {
    opened.done(create(
        1,
        BTreeSet::from([group(1)]),
        BTreeSet::new(),
        "Ada",
    ));
}

/// What an agent's table says of a person's standing, read as a whole; none: nothing.
fn standing_at_the_door(reader: &Reader, user: UserId) -> Option<u8> {
    let table = reader.table_since(agent(1), None).expect("an answer");
    let puts = table.expect("a table").puts;
    puts.into_iter().find_map(|(key, row)| {
        match (key == EntryKey::user(user)).then(|| Entry::decode(&row)) {
            Some(Ok(Entry::User(entry))) => Some(entry.standing),
            _ => None,
        }
    })
}

/// The table that an agent makes of a whole one of a revision and all changes after it.
fn followed(reader: &Reader, begun: &[(EntryKey, Vec<u8>)], since: Revision) -> Table {
    let mut table = Table::empty(hash_key(1));
    let put = |table: &mut Table, row: &[u8]| table.put(Entry::decode(row).expect("an entry"));
    for (_, row) in begun {
        put(&mut table, row);
    }
    let changes = reader
        .table_since(agent(1), Some(since))
        .expect("an answer");
    let changes = changes.expect("a table");
    changes.deletes.iter().for_each(|key| table.delete(*key));
    for (_, row) in &changes.puts {
        put(&mut table, row);
    }
    table
}

#[test]
fn a_command_that_is_sent_again_is_one_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 40);
    with_somebody(&opened);
    let id = CommandId::random(&*opened.randomness);
    let again = || {
        opened
            .store
            .execute_blocking(id, SERVER, deactivate(1))
            .expect("an answer")
    };
    let Outcome::Done { revision } = again() else {
        panic!("it is done");
    };
    // The answer was lost; also after somebody undid it, the old order does not come back.
    assert_eq!(again(), Outcome::Done { revision });
    let head = opened.done(Command::ReactivateUser { user: user(1) });
    assert_eq!(again(), Outcome::Done { revision });
    let reader = opened.store.read();
    assert_eq!(reader.head().expect("an answer"), head);
    assert_eq!(standing_at_the_door(&reader, user(1)), Some(0));
}

#[test]
fn whoever_follows_from_any_revision_ends_with_the_same_table() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 41);
    with_somebody(&opened);
    let reader = opened.store.read();
    let Command::CreateUser { profile, .. } = create(1, BTreeSet::new(), BTreeSet::new(), "Ada")
    else {
        panic!("it creates");
    };
    let edit = |groups: &[u8]| Command::EditUser {
        user: user(1),
        expected: Expected::Whatever,
        profile: profile.clone(),
        access: AccessPeriod::default(),
        groups: groups.iter().copied().map(group).collect(),
        policies: BTreeSet::new(),
    };
    let mut snapshots = Vec::new();
    let mut look = || {
        let table = reader.table_since(agent(1), None).expect("an answer");
        let table = table.expect("a table");
        snapshots.push((table.head.revision, table.puts));
    };
    look();
    // Out of one group and into another, both ways round; refused and admitted in between.
    for command in [
        edit(&[2]),
        deactivate(1),
        edit(&[]),
        edit(&[1, 2]),
        Command::ReactivateUser { user: user(1) },
        edit(&[1]),
        deactivate(1),
        Command::ReactivateUser { user: user(1) },
        edit(&[]),
        deactivate(1),
    ] {
        opened.done(command);
        look();
    }
    let head = reader.table_head(agent(1)).expect("an answer");
    let hash = head.expect("a table").hash;
    for (since, begun) in &snapshots {
        let table = followed(&reader, begun, *since);
        assert_eq!(table.hash(), hash, "from {since}");
    }
}

#[test]
fn nothing_that_adds_access_undoes_a_refusal() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 42);
    with_somebody(&opened);
    let refused_at = opened.done(deactivate(1));
    let reader = opened.store.read();
    // An import, a policy for the group, a group around it, a card: all of it while they are out.
    opened.done(Command::CreatePolicy(Policy {
        id: policy(5),
        revision: Revision::ZERO,
        name: title("Everything"),
        doors: BTreeSet::from([door(1), door(2)]),
        door_groups: BTreeSet::new(),
        hours: PolicyHours::Always,
    }));
    opened.done(Command::EditGroup(
        Group {
            id: group(1),
            revision: Revision::ZERO,
            name: title("Group 1"),
            parent: None,
            policies: BTreeSet::from([policy(1), policy(5)]),
        },
        Expected::Whatever,
    ));
    for number in 2..=20 {
        opened.done(create(
            number,
            BTreeSet::from([group(1)]),
            BTreeSet::new(),
            "Zoë",
        ));
    }
    assert_eq!(standing_at_the_door(&reader, user(1)), Some(1));
    let facts = reader.door_facts(user(1), refused_at).expect("an answer");
    assert_eq!(facts.len(), 1, "and the doors that count are those of then");
}

#[test]
fn a_door_that_is_taken_away_does_not_turn_what_is_open_into_settled() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 43);
    with_somebody(&opened);
    let refused_at = opened.done(deactivate(1));
    let reader = opened.store.read();
    let settled = || {
        let now = opened.clock.now();
        let facts = reader.door_facts(user(1), refused_at).expect("an answer");
        facts
            .iter()
            .map(|facts| is_settled(standing(facts, now, now)))
            .collect::<Vec<_>>()
    };
    assert_eq!(settled(), [false]);
    let year = 365 * 24 * 3600 * 1_000_000_i64;
    opened
        .clock
        .0
        .fetch_add(year, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(settled(), [false], "its agent was never heard");
    // Whatever becomes of the door in the records, nobody has heard the box beside it.
    opened.execute(Command::DeleteDoor(door(1)));
    assert_eq!(settled(), [false]);
    opened.execute(Command::EditDoor(
        front_door(1, FailMode::RefuseAll),
        Expected::Whatever,
    ));
    assert_eq!(settled(), [false]);
}
