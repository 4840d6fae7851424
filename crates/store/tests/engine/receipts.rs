//! What a door's signed word confirms, and when a limit counts instead of it.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use offgate_core::command::Command;
use offgate_core::confirmation::{DoorStanding, standing};
use offgate_core::parameters::{Clock as _, Revision};
use offgate_core::ruling::Seal;
use offgate_store::{Heard, LogSignature, Receipt, SignerFailed, Store, StoreSigner};
use rusqlite::Connection;

use crate::organisation::*;

const SECOND: i64 = 1_000_000;

/// An organisation of one door, with so many people who may open it.
fn with_people(opened: &Opened, people: u8) {
    for number in 1..=people {
        opened.done(create(
            number,
            BTreeSet::from([group(1)]),
            BTreeSet::new(),
            "Ada",
        ));
    }
}

fn said(opened: &Opened, receipt: Receipt) {
    let record = opened.store.record_acknowledgement(agent(1), receipt);
    tokio_runtime().block_on(record).expect("recorded");
}

fn heard(opened: &Opened, heard: Heard) {
    let record = opened.store.record_contact(agent(1), heard);
    tokio_runtime().block_on(record).expect("recorded");
}

fn standing_of(opened: &Opened, number: u8, refused_at: Revision) -> DoorStanding {
    let reader = opened.store.read();
    let facts = reader
        .door_facts(user(number), refused_at)
        .expect("an answer");
    let now = opened.clock.now();
    standing(&facts[0], now, now)
}

#[test]
fn a_refusal_above_the_table_confirms_itself_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 5);
    with_people(&opened, 3);
    let first = opened.done(deactivate(1));
    let second = opened.done(deactivate(2));
    let admitted = opened.done(Command::ReactivateUser { user: user(1) });
    let third = opened.done(deactivate(3));
    let above = Receipt {
        up_to: Revision::ZERO,
        above: vec![second, admitted],
        ..receipt(Revision::new(first.number() - 1))
    };
    said(&opened, above.clone());
    let confirmed = |number, revision| {
        matches!(
            standing_of(&opened, number, revision),
            DoorStanding::Confirmed { .. }
        )
    };
    assert!(confirmed(2, second));
    assert!(!confirmed(1, first), "it is not in the list");
    assert!(!confirmed(1, admitted), "nothing that opens is ever above");
    assert!(!confirmed(3, third));
    // The same word again is no other receipt; the table's own is.
    said(&opened, above);
    said(&opened, receipt(third));
    assert!(confirmed(1, first) && confirmed(1, admitted) && confirmed(3, third));
    let connection = Connection::open(directory.path().join(offgate_store::DATABASE_FILE))
        .expect("the database");
    let mut statement = connection
        .prepare(
            "SELECT c.revision, a.revision FROM confirmation c JOIN acknowledgement a \
             ON a.number = c.receipt ORDER BY c.revision",
        )
        .expect("a statement");
    let receipts: Vec<(i64, i64)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("rows");
    let number = |revision: Revision| i64::try_from(revision.number()).expect("small");
    assert_eq!(
        receipts,
        [
            (number(first), number(third)),
            (number(second), number(first) - 1),
            (number(admitted), number(third)),
            (number(third), number(third)),
        ]
    );
    let kept: i64 = connection
        .query_row("SELECT count(*) FROM acknowledgement", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(kept, 2);
}

#[test]
fn a_renewal_that_is_asked_for_after_a_refusal_moves_no_instant() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 7);
    with_people(&opened, 3);
    let until = |number: u8, refusal| match standing_of(&opened, number, refusal) {
        DoorStanding::MayStillOpen { until, .. } => until,
        other => panic!("{other:?}"),
    };
    let later = || opened.clock.0.fetch_add(3 * SECOND, Ordering::SeqCst);
    // Nothing is known of its lease: none can be named.
    let early = opened.done(deactivate(1));
    assert_eq!(until(1, early), None);
    later();
    heard(&opened, Heard::AsksRenewal);
    heard(&opened, Heard::Gone);
    let limit = Duration::from_micros(72 * 3600 * 1_010_000 + 1_000_000);
    let named = opened.clock.now().plus(limit);
    assert_eq!(until(1, early), Some(named));
    later();
    let second = opened.done(deactivate(2));
    assert_eq!(until(2, second), Some(named));

    // It is heard for a moment, and neither the refusals nor the answer arrive.
    later();
    heard(&opened, Heard::Connected);
    heard(&opened, Heard::AsksRenewal);
    heard(&opened, Heard::Gone);
    assert_eq!(until(1, early), Some(named));
    assert_eq!(until(2, second), Some(named));
    let third = opened.done(deactivate(3));
    assert_eq!(until(3, third), Some(opened.clock.now().plus(limit)));
}

#[test]
fn a_limit_is_over_when_it_was_counted_out_and_stays_so_until_the_door_confirms() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 6);
    with_people(&opened, 1);
    let runtime = tokio_runtime();
    let start = || {
        let start = opened.store.record_start();
        runtime.block_on(start).expect("recorded");
    };
    let note = || {
        let note = opened.store.note_ended_limits();
        runtime.block_on(note).expect("noted");
    };
    let later = |microseconds: i64| opened.clock.0.fetch_add(microseconds, Ordering::SeqCst);
    let set_forward = |microseconds: i64| {
        opened.clock.1.fetch_add(microseconds, Ordering::SeqCst);
        later(microseconds);
    };
    start();
    heard(&opened, Heard::AsksRenewal);
    heard(&opened, Heard::Gone);
    let refused_at = opened.done(deactivate(1));
    let state = || standing_of(&opened, 1, refused_at);
    let limit = 72 * 3600 * SECOND * 101 / 100 + SECOND;

    set_forward(10 * limit);
    note();
    assert!(
        matches!(state(), DoorStanding::MayStillOpen { .. }),
        "the time of day was set"
    );
    later(limit - 1);
    note();
    assert!(matches!(state(), DoorStanding::MayStillOpen { .. }));
    later(1);
    let DoorStanding::EndedByLimit { at } = state() else {
        panic!("it was counted out: {:?}", state());
    };
    note();
    // A server that starts anew, and a machine whose time of day is set back, change nothing.
    start();
    later(-20 * limit);
    assert_eq!(state(), DoorStanding::EndedByLimit { at });
    // It is there again: it has to say so itself.
    heard(&opened, Heard::Connected);
    assert_eq!(state(), DoorStanding::EndedByLimit { at });
    // Its lease is renewed behind the refusal: that takes nothing back.
    heard(&opened, Heard::AsksRenewal);
    assert_eq!(state(), DoorStanding::EndedByLimit { at });
    said(&opened, receipt(refused_at));
    assert!(matches!(state(), DoorStanding::Confirmed { .. }));
}

/// A log key that is not lent while somebody else has it.
struct Lent {
    key: LogKey,
    taken: Arc<Mutex<()>>,
    asked: SyncSender<()>,
}

impl StoreSigner for Lent {
    fn sign(&self, statement: &[u8]) -> Result<LogSignature, SignerFailed> {
        // One that was told of is enough.
        let _ = self.asked.try_send(());
        let _mine = self.taken.lock().expect("nobody panicked");
        self.key.sign(statement)
    }

    fn seal(&self, statement: &[u8]) -> Seal {
        self.key.seal(statement)
    }
}

#[test]
fn a_word_counts_from_when_it_came_and_not_from_when_it_was_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let furnished = furnished(directory.path(), 12);
    with_people(&furnished, 2);
    let refused_at = furnished.done(deactivate(1));
    let Opened {
        store,
        clock,
        randomness,
    } = furnished;
    drop(store);
    let (asked, is_asked) = std::sync::mpsc::sync_channel(1);
    let taken = Arc::new(Mutex::new(()));
    let signer = Arc::new(Lent {
        key: LogKey::new(),
        taken: Arc::clone(&taken),
        asked,
    });
    let store = Store::open(
        directory.path(),
        clock.clone(),
        randomness.clone(),
        signer.clone(),
    );
    let opened = Opened {
        store: store.expect("a store"),
        clock,
        randomness,
    };
    while is_asked.try_recv().is_ok() {}
    let record = opened
        .store
        .record_acknowledgement(agent(1), receipt(refused_at));
    let mut record = std::pin::pin!(record);
    let came = opened.clock.now();
    std::thread::scope(|scope| {
        let busy = taken.lock().expect("nobody panicked");
        scope.spawn(|| opened.done(deactivate(2)));
        is_asked.recv().expect("whoever writes waits for the key");
        // It comes now, and has to wait for a minute.
        let mut context = Context::from_waker(Waker::noop());
        assert!(record.as_mut().poll(&mut context).is_pending());
        opened.clock.0.fetch_add(60 * SECOND, Ordering::SeqCst);
        drop(busy);
    });
    tokio_runtime().block_on(record).expect("recorded");
    assert_eq!(
        standing_of(&opened, 1, refused_at),
        DoorStanding::Confirmed { at: came }
    );
}
