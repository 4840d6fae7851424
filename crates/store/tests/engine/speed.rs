//! How fast deactivations reached the last door that was connected.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use offgate_core::command::Command;
use offgate_core::parameters::Clock as _;
use offgate_core::speed::{COUNTED, Speed};
use offgate_store::Heard;

use crate::organisation::*;

#[test]
fn only_deactivations_and_doors_that_were_connected_count() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 50);
    let runtime = tokio_runtime();
    let pass = |milliseconds: i64| {
        opened
            .clock
            .0
            .fetch_add(milliseconds * 1000, Ordering::SeqCst);
    };
    let contact = |number, heard| {
        runtime
            .block_on(opened.store.record_contact(agent(number), heard))
            .expect("noted");
    };
    let acknowledge = |number| {
        let head = opened.store.read().head().expect("a head");
        let said = opened
            .store
            .record_acknowledgement(agent(number), receipt(head));
        runtime.block_on(said).expect("recorded");
    };
    let speed = || {
        let now = opened.clock.now();
        opened.store.read().speed(now).expect("an answer")
    };
    for number in 1..=3 {
        let policies = BTreeSet::from([policy(1), policy(2)]);
        opened.done(create(number, BTreeSet::new(), policies, "Ada"));
    }
    contact(1, Heard::Connected);
    contact(2, Heard::Connected);
    opened.done(Command::ReportLost {
        credential: credential(3),
    });
    acknowledge(1);
    acknowledge(2);
    assert_eq!(speed(), None, "a lost card is no deactivation");
    opened.done(deactivate(1));
    pass(400);
    acknowledge(1);
    assert_eq!(speed(), None, "a door that is connected has not confirmed");
    pass(800);
    acknowledge(2);
    let one = Duration::from_millis(1200);
    let only = Speed {
        deactivations: 1,
        median: one,
        most: one,
        longest: one,
    };
    assert_eq!(speed(), Some(only));
    // A door that is cut off when it is decided has sentences of its own.
    contact(2, Heard::Gone);
    opened.done(deactivate(2));
    pass(300);
    acknowledge(1);
    pass(3_600_000);
    contact(2, Heard::Connected);
    acknowledge(2);
    let short = Duration::from_millis(300);
    let both = Speed {
        deactivations: 2,
        median: short,
        ..only
    };
    assert_eq!(speed(), Some(both));
    opened.clock.0.fetch_add(
        i64::try_from(COUNTED.as_micros()).expect("a short time"),
        Ordering::SeqCst,
    );
    assert_eq!(speed(), None, "of the last 90 days");
}
