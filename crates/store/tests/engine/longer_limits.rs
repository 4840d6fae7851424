//! A longer limit reaches the door's table, and leaves it when its moment has come.

use std::time::Duration;

use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::longer_limit::LongerLimit;
use offgate_core::parameters::Clock as _;
use offgate_core::place::LeaseLength;
use offgate_core::records::Records as _;
use offgate_core::text::Note;
use offgate_store::Outcome;

use crate::organisation::*;

#[test]
fn a_longer_limit_is_in_the_table_until_its_moment_even_if_nobody_looked_at_it_then() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 61);
    let reader = opened.store.read();
    let at_door = || {
        let settings = reader.door_settings(agent(1), door(1)).expect("an answer");
        settings.last().expect("the door").lease_seconds
    };
    let ordinary = reader
        .door(door(1))
        .expect("an answer")
        .expect("the door")
        .lease;
    assert_eq!(at_door(), ordinary.seconds());
    let week = LeaseLength::from_seconds(7 * 24 * 3600).expect("a length");
    let now = opened.clock.now();
    let limit = LongerLimit {
        door: door(1),
        lease: week,
        until: now.plus(Duration::from_secs(3600)),
        reason: Note::parse("moving the server").expect("a note"),
    };
    opened.done(Command::LengthenLimit(limit.clone()));
    assert_eq!(at_door(), week.seconds());
    assert_eq!(
        reader.longer_limit(door(1)).expect("an answer"),
        Some(limit.clone())
    );
    assert_eq!(reader.longer_limits_over(now).expect("an answer"), []);

    // Asked too early, the schedule ends nothing.
    let over = |number| {
        let id = CommandId::from_bytes([number; 16]);
        let actor = offgate_core::actor::Actor::Schedule;
        let outcome = opened
            .store
            .execute_blocking(id, actor, Command::LongerLimitOver(door(1)));
        assert!(matches!(outcome, Ok(Outcome::Done { .. })), "{outcome:?}");
    };
    over(201);
    assert_eq!(at_door(), week.seconds());

    // The server was away for a month.
    opened.clock.0.fetch_add(
        30 * 24 * 3600 * 1_000_000,
        std::sync::atomic::Ordering::SeqCst,
    );
    let later = opened.clock.now();
    assert_eq!(
        reader.longer_limits_over(later).expect("an answer"),
        [door(1)]
    );
    over(202);
    assert_eq!(at_door(), ordinary.seconds());
    assert_eq!(reader.longer_limit(door(1)).expect("an answer"), None);

    // One that goes with its door leaves nothing behind.
    opened.done(Command::LengthenLimit(LongerLimit {
        until: later.plus(Duration::from_secs(60)),
        ..limit
    }));
    opened.done(Command::EndLongerLimit(door(1)));
    opened.done(Command::EndLongerLimit(door(1)));
    assert_eq!(at_door(), ordinary.seconds());
}
