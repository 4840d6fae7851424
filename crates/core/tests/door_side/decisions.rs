//! Decisions about given people, doors and moments.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::naive::*;
use crate::organisation::*;
use jiff::tz::TimeZone;
use offgate_core::parameters::Timestamp;
use offgate_core::pin::PinDigest;
use offgate_core::place::Direction;
use offgate_core::table::admission::{
    ClockTrust, Decision, DoorState, Keypad, Lease, Lockdown, Presented, Reason, admit,
};
use offgate_core::table::compile::{self};
use offgate_core::table::entry::{Entry, UserEntry};

#[test]
fn every_minute_of_a_year_is_as_the_policies_read() {
    for zone in ["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"] {
        let (schedule, holidays) = (rich_schedule(), rich_holidays());
        let mut memory = organisation(zone, schedule.clone(), holidays.clone());
        let inside = BTreeSet::from([group_id(2)]);
        memory.execute(
            SERVER,
            &create(1, inside, BTreeSet::new()),
            Timestamp::from_seconds(0),
        );
        let table = snapshot(&memory);
        let time_zone = TimeZone::get(zone).expect("a zone");
        let start = i64::from(day(2026, 1, 1).0) * 86_400 - 12 * 3600;
        let mut open = 0;
        for minute in 0..366 * 1440 {
            let now = Timestamp::from_seconds(start + minute * 60);
            let granted = matches!(answer(&table, 1, 1, now), Decision::Granted { .. });
            assert_eq!(
                granted,
                naive(&schedule, &holidays, &time_zone, now),
                "{zone} {now:?}"
            );
            open += u32::from(granted);
        }
        assert!(open > 100_000, "the schedule was open at some time: {open}");
    }
}

#[test]
fn reasons_come_in_their_order() {
    let mut memory = organisation("Europe/Berlin", rich_schedule(), rich_holidays());
    let both = BTreeSet::from([policy_id(1), policy_id(2)]);
    memory.execute(
        SERVER,
        &create(1, BTreeSet::new(), both),
        Timestamp::from_seconds(0),
    );
    memory.execute(
        SERVER,
        &create(2, BTreeSet::new(), BTreeSet::from([policy_id(2)])),
        Timestamp::from_seconds(0),
    );
    let table = snapshot(&memory);
    let monday = Timestamp::from_seconds(i64::from(day(2026, 6, 1).0) * 86_400 + 9 * 3600);
    let friday = monday.plus(Duration::from_secs(4 * 86_400));
    let holiday = Timestamp::from_seconds(i64::from(day(2026, 5, 14).0) * 86_400 + 13 * 3600);
    let ask = |state, door, direction, token, now| {
        admit(
            &table,
            state,
            &Presented::NfcCard(token),
            door_id(door),
            direction,
            now,
        )
    };
    let reason = |decision| match decision {
        Decision::Refused { reason, .. } => Some(reason),
        _ => None,
    };
    let ordinary = DoorState::ORDINARY;
    let worst = DoorState {
        lease: Lease::Ended,
        lockdown: Lockdown::On,
        keypad: Keypad::Slowed,
        clock: ClockTrust::Untrusted,
    };
    assert_eq!(
        reason(ask(ordinary, 1, Direction::In, card(1), monday)),
        None
    );
    assert_eq!(
        reason(ask(ordinary, 1, Direction::In, card(1), friday)),
        Some(Reason::Schedule)
    );
    assert_eq!(
        reason(ask(ordinary, 1, Direction::In, card(1), holiday)),
        Some(Reason::Holiday)
    );
    assert_eq!(
        reason(ask(ordinary, 1, Direction::In, card(2), monday)),
        Some(Reason::NoPolicy)
    );
    assert_eq!(
        reason(ask(ordinary, 1, Direction::In, card(9), monday)),
        Some(Reason::Unknown)
    );
    assert_eq!(
        reason(ask(worst, 1, Direction::In, card(9), monday)),
        Some(Reason::Unknown)
    );
    assert_eq!(
        reason(ask(worst, 1, Direction::In, card(1), monday)),
        Some(Reason::LockedDown)
    );
    let unlocked = DoorState {
        lockdown: Lockdown::Off,
        ..worst
    };
    assert_eq!(
        reason(ask(unlocked, 1, Direction::In, card(1), monday)),
        Some(Reason::CutOff)
    );
    // Cards are never stopped by a slowed keypad; without a clock only "always" holds.
    let clockless = DoorState {
        lease: Lease::Running,
        ..unlocked
    };
    assert_eq!(
        reason(ask(clockless, 1, Direction::In, card(1), monday)),
        Some(Reason::ClockNotTrusted)
    );
    assert_eq!(
        reason(ask(clockless, 2, Direction::In, card(1), monday)),
        None
    );
    // Nobody is kept from leaving.
    for token in [card(1), card(9)] {
        assert!(matches!(
            ask(worst, 1, Direction::Out, token, monday),
            Decision::WayOut(_)
        ));
    }
}

/// A card and a PIN of the same person.
#[test]
fn a_keypad_that_waits_refuses_pins_alone() {
    let memory = organisation("Europe/Berlin", rich_schedule(), rich_holidays());
    let mut table = snapshot(&memory);
    let key = agent().hash_key;
    let means = [
        Presented::Pin(PinDigest::from_bytes([1; 32])),
        Presented::NfcCard(card(1)),
    ];
    let credential =
        |means: &Presented, number| (means.hash(&key).0.into(), [number; 16].into(), 0);
    table.put(Entry::User(UserEntry {
        user: (*user_id(1).as_bytes()).into(),
        standing: 0,
        starts: None,
        ends: None,
        policies: vec![(*policy_id(2).as_bytes()).into()],
        credentials: vec![credential(&means[0], 1), credential(&means[1], 2)],
    }));
    let refused = |means: &Presented, keypad| {
        let state = DoorState {
            keypad,
            ..DoorState::ORDINARY
        };
        let now = Timestamp::from_seconds(0);
        match admit(&table, state, means, door_id(2), Direction::In, now) {
            Decision::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    };
    let [pin, card] = means;
    assert_eq!(refused(&pin, Keypad::Ready), None);
    assert_eq!(refused(&pin, Keypad::Slowed), Some(Reason::TooManyAttempts));
    assert_eq!(refused(&card, Keypad::Ready), None);
    assert_eq!(refused(&card, Keypad::Slowed), None);
}

#[test]
fn access_begins_at_its_first_instant_and_is_over_at_its_end() {
    let memory = organisation("Europe/Berlin", rich_schedule(), rich_holidays());
    let mut table = snapshot(&memory);
    let (starts, ends) = (1_780_000_000_000_000, 1_780_000_100_000_000);
    let pin = Presented::Pin(PinDigest::from_bytes([1; 32]));
    let hash = pin.hash(&agent().hash_key);
    table.put(Entry::User(UserEntry {
        user: (*user_id(1).as_bytes()).into(),
        standing: 0,
        starts: Some(starts),
        ends: Some(ends),
        policies: vec![(*policy_id(2).as_bytes()).into()],
        credentials: vec![(hash.0.into(), [1; 16].into(), 0)],
    }));
    let refused = |now: i64| {
        let now = Timestamp::from_microseconds(now);
        match admit(
            &table,
            DoorState::ORDINARY,
            &pin,
            door_id(2),
            Direction::In,
            now,
        ) {
            Decision::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    };
    assert_eq!(refused(starts - 1), Some(Reason::NotStarted));
    assert_eq!(refused(starts), None);
    assert_eq!(refused(ends - 1), None);
    assert_eq!(refused(ends), Some(Reason::Ended));
}

#[test]
fn the_page_and_the_door_say_the_same() {
    let mut memory = organisation("Europe/Berlin", rich_schedule(), rich_holidays());
    let now = Timestamp::from_seconds(i64::from(day(2026, 6, 5).0) * 86_400);
    memory.execute(
        SERVER,
        &create(1, BTreeSet::from([group_id(2)]), BTreeSet::new()),
        now,
    );
    let openings = compile::what_can_they_open(&memory, user_id(1), now).unwrap_or_default();
    let table = snapshot(&memory);
    assert_eq!(openings.len(), 2);
    for (opening, door) in openings.iter().zip([1, 2]) {
        assert_eq!(opening.decision, answer(&table, 1, door, now));
    }
}
