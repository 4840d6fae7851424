//! When agents were not heard, and what of that stays on record.

use std::sync::atomic::Ordering;
use std::time::Duration;

use offgate_core::outage::{COUNTED, KEPT};
use offgate_core::parameters::Clock as _;
use offgate_store::Heard;

use crate::organisation::*;

#[test]
fn what_was_not_heard_is_on_record_also_across_a_crash_and_not_for_ever() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 60);
    let runtime = tokio_runtime();
    let reader = opened.store.read();
    let pass = |time: Duration| {
        let time = i64::try_from(time.as_micros()).expect("a short time");
        opened.clock.0.fetch_add(time, Ordering::SeqCst);
    };
    let contact = |heard| {
        runtime
            .block_on(opened.store.record_contact(agent(1), heard))
            .expect("noted");
    };
    let outlasting = |seconds: u64| {
        let outages = reader.outages(agent(1)).expect("an answer");
        outages.outlasting(Duration::from_secs(seconds), opened.clock.now())
    };
    let hour = Duration::from_secs(3600);

    assert_eq!(reader.outages(agent(1)).expect("an answer").since, None);
    contact(Heard::Connected);
    let first = opened.clock.now();
    contact(Heard::Gone);
    pass(hour);
    assert_eq!(outlasting(3600), 1, "one that goes on counts");
    contact(Heard::Connected);
    let on_record = reader.outages(agent(1)).expect("an answer");
    assert_eq!(on_record.since, Some(first));
    assert_eq!(on_record.all.len(), 1);
    assert_eq!((outlasting(3600), outlasting(3601)), (1, 0));

    // Shorter than any limit: no outage. A reconnection without a gap: none either.
    contact(Heard::Gone);
    pass(Duration::from_secs(9));
    contact(Heard::AsksRenewal);
    contact(Heard::Connected);
    assert_eq!(reader.outages(agent(1)).expect("an answer").all.len(), 1);

    // The server crashed while the agent was connected: from when it was heard last.
    pass(2 * hour);
    runtime
        .block_on(opened.store.record_start())
        .expect("noted");
    pass(hour);
    contact(Heard::Connected);
    assert_eq!(outlasting(3 * 3600), 1);

    // What is older than what counts goes, and of one that flaps the latest stay.
    pass(COUNTED);
    for _ in 0..KEPT + 5 {
        contact(Heard::Gone);
        pass(Duration::from_secs(10));
        contact(Heard::Connected);
    }
    let on_record = reader.outages(agent(1)).expect("an answer");
    assert_eq!(on_record.all.len(), KEPT);
    assert_eq!(
        on_record.since,
        Some(on_record.all[0].from),
        "nothing is claimed of what was forgotten"
    );
    assert_eq!(outlasting(11), 0, "what was long is long ago");
}
