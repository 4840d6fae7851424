//! What an agent says of itself while it is connected, beside the refusals that were decided meanwhile:
//! how its doors stand, and that its disk fails.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use offgate_core::agent::DiskState;
use offgate_core::disagreement::Disagreement;
use offgate_core::door_position::{Position, Positions, SaidPosition, Stands};
use offgate_core::fault::Fault;
use offgate_core::parameters::{Clock as _, Revision};
use offgate_store::Heard;

use crate::organisation::*;

fn said(number: u8, position: Position, seconds: u64) -> SaidPosition {
    SaidPosition {
        door: door(number),
        position,
        lasts: Duration::from_secs(seconds),
    }
}

fn say(opened: &Opened, said: Vec<SaidPosition>) {
    let record = opened.store.record_positions(agent(1), said);
    tokio_runtime().block_on(record).expect("recorded");
}

fn heard(opened: &Opened, heard: Heard) {
    let record = opened.store.record_contact(agent(1), heard);
    tokio_runtime().block_on(record).expect("recorded");
}

fn positions(opened: &Opened, number: u8, refused_at: Revision) -> Positions {
    let reader = opened.store.read();
    let facts = reader
        .door_facts(user(number), refused_at)
        .expect("an answer");
    assert_eq!(facts.len(), 1, "{facts:?}");
    facts[0].positions
}

#[test]
fn how_a_door_stood_is_noted_with_the_refusal_and_how_it_stands_is_the_last_word() {
    use Position::{Closed, Open};
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 11);
    for number in 1..=4 {
        let groups = BTreeSet::from([group(1)]);
        opened.done(create(number, groups, BTreeSet::new(), "Ada"));
    }
    let stands = |number| {
        let reader = opened.store.read();
        reader.door_stands(door(number)).expect("an answer")
    };
    // A contact of an agent that is not connected says nothing.
    say(&opened, vec![said(1, Open, 5)]);
    assert_eq!(stands(1), None);
    let unheard = opened.done(deactivate(1));
    assert_eq!(positions(&opened, 1, unheard), Positions::default());

    // Nor does what it said on a connection before this one.
    heard(&opened, Heard::Connected);
    assert_eq!(stands(1), None);
    say(&opened, vec![said(1, Open, 5), said(2, Open, 5)]);
    let since = opened.clock.now().minus(Duration::from_secs(5));
    let open = Stands {
        position: Open,
        since,
    };
    assert_eq!(stands(1), Some(open));
    assert_eq!(stands(2), None, "another agent decides for it");
    let while_open = opened.done(deactivate(2));
    let then = |then, now| Positions { then, now };
    assert_eq!(
        positions(&opened, 2, while_open),
        then(Some(Open), Some(open))
    );
    assert_eq!(positions(&opened, 1, unheard), then(None, Some(open)));

    // It closes: that it stood open then stays on record.
    opened.clock.0.fetch_add(60_000_000, Ordering::SeqCst);
    say(&opened, vec![said(1, Closed, 0)]);
    let closed = Stands {
        position: Closed,
        since: opened.clock.now(),
    };
    let while_closed = opened.done(deactivate(3));
    assert_eq!(
        positions(&opened, 2, while_open),
        then(Some(Open), Some(closed))
    );
    assert_eq!(
        positions(&opened, 3, while_closed),
        then(Some(Closed), Some(closed))
    );

    // Cut off, nothing is known of now; nor of a contact that is no longer named.
    heard(&opened, Heard::Gone);
    assert_eq!(
        positions(&opened, 3, while_closed),
        then(Some(Closed), None)
    );
    let cut_off = opened.done(deactivate(4));
    assert_eq!(positions(&opened, 4, cut_off), Positions::default());
    heard(&opened, Heard::Connected);
    say(&opened, vec![said(1, Closed, 0)]);
    assert!(stands(1).is_some());
    say(&opened, Vec::new());
    assert_eq!(stands(1), None);
}

#[test]
fn why_a_connected_door_cannot_confirm_is_known_while_it_is_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 12);
    opened.done(create(
        1,
        BTreeSet::from([group(1)]),
        BTreeSet::new(),
        "Ada",
    ));
    let refused_at = opened.done(deactivate(1));
    let fault = || {
        let facts = opened.store.read().door_facts(user(1), refused_at);
        facts.expect("an answer")[0].fault
    };
    let disk = |state| {
        let record = opened.store.record_disk(agent(1), state);
        tokio_runtime().block_on(record).expect("recorded");
    };
    heard(&opened, Heard::Connected);
    assert_eq!(fault(), None);
    disk(DiskState::Fails);
    assert_eq!(fault(), Some(Fault::DiskFails));
    let contact = opened.store.read().contact(agent(1)).expect("an answer");
    assert_eq!(contact.map(|contact| contact.disk), Some(DiskState::Fails));
    disk(DiskState::Works);
    assert_eq!(fault(), None);

    // What it said on a connection before this one says nothing of now.
    disk(DiskState::Fails);
    heard(&opened, Heard::AsksRenewal);
    assert_eq!(fault(), Some(Fault::DiskFails));
    heard(&opened, Heard::Connected);
    assert_eq!(fault(), None);

    // Nobody has to say that a table is another than it should be; the disk comes first.
    let other = Disagreement::Another(refused_at);
    let record = opened.store.record_disagreement(agent(1), other);
    tokio_runtime().block_on(record).expect("recorded");
    assert_eq!(fault(), Some(Fault::OtherTable));
    disk(DiskState::Fails);
    assert_eq!(fault(), Some(Fault::DiskFails));
}
