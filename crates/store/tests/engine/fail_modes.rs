//! By which of its settings a door that is cut off may be working.

use std::collections::BTreeSet;

use offgate_core::command::{Command, Expected};
use offgate_core::confirmation::{Alone, Contact, DoorFacts, DoorStanding, standing};
use offgate_core::fail_mode::{EmergencyLimit, EmergencyList, FailMode};
use offgate_core::id::EmergencyListId;
use offgate_core::parameters::{Clock as _, Revision};
use offgate_core::place::{Door, LeaseLength};
use offgate_core::records::Records as _;
use offgate_store::Heard;

use crate::organisation::*;

pub(crate) const LIST: EmergencyListId = EmergencyListId::from_bytes([5; 16]);

pub(crate) fn list(people: &[u8]) -> EmergencyList {
    EmergencyList {
        id: LIST,
        revision: Revision::ZERO,
        name: title("Key holders"),
        people: people.iter().copied().map(user).collect(),
        limit: EmergencyLimit::ORDINARY,
    }
}

#[test]
fn an_edit_that_a_cut_off_door_has_not_heard_shortens_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 4);
    let runtime = tokio_runtime();
    let reader = opened.store.read();
    for number in 1..=3 {
        opened.done(create(
            number,
            BTreeSet::from([group(1)]),
            BTreeSet::new(),
            "Ada",
        ));
    }
    opened.done(Command::CreateEmergencyList(list(&[1, 2])));
    let front = || -> Door { reader.door(door(1)).expect("an answer").expect("the door") };
    let listed = opened.done(Command::EditDoor(
        Door {
            fail_mode: FailMode::EmergencyList(LIST),
            ..front()
        },
        Expected::Whatever,
    ));
    let said = |revision| {
        let record = opened
            .store
            .record_acknowledgement(agent(1), receipt(revision));
        runtime.block_on(record).expect("recorded");
    };
    let heard = |heard| {
        let record = opened.store.record_contact(agent(1), heard);
        runtime.block_on(record).expect("recorded");
    };
    said(listed);
    heard(Heard::AsksRenewal);
    heard(Heard::Gone);

    // While it is cut off, the list loses the leaver and the lease is shortened.
    opened.done(Command::EditEmergencyList(
        list(&[2, 3]),
        Expected::Whatever,
    ));
    let shortened = opened.done(Command::EditDoor(
        Door {
            lease: LeaseLength::HIGH_SECURITY,
            ..front()
        },
        Expected::Whatever,
    ));
    let alone_of = |number: u8| {
        let refused_at = opened.done(deactivate(number));
        let facts = reader
            .door_facts(user(number), refused_at)
            .expect("an answer");
        assert_eq!(facts.len(), 1);
        facts[0].clone()
    };
    let now = opened.clock.now();
    let leaver = alone_of(1);
    let Alone::OnEmergencyList(Some(until)) = leaver.alone else {
        panic!("the door may still have them on its list: {leaver:?}");
    };
    assert!(until.since(now).as_secs() > 14 * 24 * 3600);
    // No limit ever counts for them, and removing waits.
    let later = now.plus(std::time::Duration::from_secs(365 * 24 * 3600));
    assert!(matches!(leaver.contact, Contact::Silent { .. }));
    assert!(matches!(
        standing(&leaver, now, later),
        DoorStanding::OnEmergencyList { .. }
    ));
    assert_eq!(
        reader
            .doors_not_confirmed(user(1), later)
            .expect("an answer"),
        [door(1)]
    );
    // Somebody on no list that it may know: its lease, as long as it was.
    let Alone::OnEmergencyList(_) = alone_of(3).alone else {
        panic!("the newer list may have reached it");
    };

    // It is heard again: its own word settles who is refused, and the newer settings bind.
    let head = reader.head().expect("an answer");
    said(head);
    let versions = reader.door_settings(agent(1), door(1)).expect("an answer");
    assert_eq!(versions.len(), 1, "{versions:?}");
    assert_eq!(
        versions[0].lease_seconds,
        LeaseLength::HIGH_SECURITY.seconds()
    );
    assert!(head > shortened);
    assert_eq!(
        reader.doors_not_confirmed(user(1), now).expect("an answer"),
        []
    );
}

#[test]
fn nothing_that_is_set_after_a_refusal_moves_the_instant_that_was_named_for_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 4);
    let runtime = tokio_runtime();
    let reader = opened.store.read();
    for number in 1..=3 {
        opened.done(create(
            number,
            BTreeSet::from([group(1)]),
            BTreeSet::new(),
            "Ada",
        ));
    }
    let renewed = async {
        let head = reader.head().expect("an answer");
        opened
            .store
            .record_acknowledgement(agent(1), receipt(head))
            .await?;
        opened
            .store
            .record_contact(agent(1), Heard::AsksRenewal)
            .await?;
        opened.store.record_contact(agent(1), Heard::Gone).await
    };
    runtime.block_on(renewed).expect("recorded");
    let instant = |number: u8, refused_at: Revision| {
        let facts = reader
            .door_facts(user(number), refused_at)
            .expect("an answer");
        match facts[..] {
            [
                DoorFacts {
                    alone: Alone::UntilLimit(Some(until)),
                    ..
                },
            ] => until,
            ref other => panic!("an instant can be named: {other:?}"),
        }
    };
    let before = opened.done(deactivate(1));
    let named = instant(1, before);

    // It goes on for longer, and admits people on a list: each setting may reach the door, but
    // never without the refusal that was decided before.
    let front = reader.door(door(1)).expect("an answer").expect("the door");
    let lengthened = Door {
        lease: LeaseLength::from_seconds(7 * 24 * 3600).expect("a length"),
        ..front
    };
    opened.done(Command::EditDoor(lengthened.clone(), Expected::Whatever));
    let longer = opened.done(deactivate(2));
    opened.done(Command::CreateEmergencyList(list(&[1, 3])));
    opened.done(Command::EditDoor(
        Door {
            fail_mode: FailMode::EmergencyList(LIST),
            ..lengthened
        },
        Expected::Whatever,
    ));
    assert_eq!(instant(1, before), named);
    let for_the_other = instant(2, longer);
    assert!(
        for_the_other > named,
        "whoever is refused later may meet the longer limit: {for_the_other:?}"
    );
    let listed = opened.done(deactivate(3));
    let facts = reader.door_facts(user(3), listed).expect("an answer");
    assert!(
        matches!(facts[0].alone, Alone::OnEmergencyList(Some(_))),
        "{facts:?}"
    );
}
