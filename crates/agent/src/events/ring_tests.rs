//! Power cuts, failing syncs, and the order in which events give way.

use proptest::prelude::*;

use super::*;
use crate::disk::simulated::{SimulatedDisk, Survivors};

const ENROLMENT: AgentId = AgentId::from_bytes([3; 16]);

fn open(disk: &SimulatedDisk, capacity: u32) -> EventRing<SimulatedDisk> {
    EventRing::open(disk.clone(), ENROLMENT, capacity)
}

fn numbers(ring: &EventRing<SimulatedDisk>) -> Vec<u64> {
    ring.after(0, usize::MAX)
        .events
        .iter()
        .map(|bytes| number(bytes))
        .collect()
}

fn event(sequence: u64) -> Vec<u8> {
    format!("event {sequence}").into_bytes()
}

fn number(event: &[u8]) -> u64 {
    let text = std::str::from_utf8(event).expect("text");
    text.strip_prefix("event ")
        .and_then(|number| number.parse().ok())
        .expect("an event")
}

#[test]
fn oldest_routine_events_give_way_first_and_the_gap_is_counted() {
    let mut ring = open(&SimulatedDisk::default(), 4);
    for sequence in 1..=7 {
        let weight = if sequence % 3 == 0 {
            Weight::Alarm
        } else {
            Weight::Routine
        };
        assert_eq!(ring.record(weight, event), sequence);
    }
    ring.sync().expect("a working disk");
    assert_eq!(numbers(&ring), [3, 5, 6, 7]);
    assert_eq!(ring.kept().lost, 3);
    for _ in 8..=10 {
        ring.record(Weight::Alarm, event);
        ring.sync().expect("a working disk");
    }
    assert_eq!(
        numbers(&ring),
        [6, 8, 9, 10],
        "routine first, then the oldest alarm; the newest durable one stays"
    );
    assert_eq!(ring.kept().lost, 6);
}

#[test]
fn what_the_server_has_is_not_sent_again_and_makes_room() {
    let disk = SimulatedDisk::default();
    let mut ring = open(&disk, 3);
    (1..=3).for_each(|sequence| assert_eq!(ring.record(Weight::Routine, event), sequence));
    assert_eq!(numbers(&ring), [0_u64; 0], "not durable, not sent");
    ring.sync().expect("a working disk");
    assert_eq!(numbers(&ring), [1, 2, 3]);
    ring.server_has(2);
    assert_eq!(numbers(&ring), [3]);
    ring.record(Weight::Routine, event);
    ring.record(Weight::Routine, event);
    ring.sync().expect("a working disk");
    assert_eq!(numbers(&ring), [3, 4, 5]);
    assert_eq!(ring.kept().lost, 0);
    drop(ring);
    let mut again = open(&disk, 3);
    again.server_has(2);
    assert_eq!(numbers(&again), [3, 4, 5]);
    assert_eq!(again.record(Weight::Routine, event), 6);
}

#[test]
fn numbers_go_on_behind_what_the_server_has() {
    let mut ring = open(&SimulatedDisk::default(), 3);
    ring.server_has(41);
    assert_eq!(ring.record(Weight::Routine, event), 42);
    assert_eq!(ring.kept().lost, 0);
    ring.miss(5);
    assert_eq!(ring.record(Weight::Routine, event), 48);
    assert_eq!(ring.kept().lost, 5);
    assert_eq!(ring.record(Weight::Alarm, |_| vec![0; LONGEST + 1]), 49);
    assert_eq!(ring.kept().lost, 6);
}

#[test]
fn another_enrolment_starts_anew() {
    let disk = SimulatedDisk::default();
    let mut ring = open(&disk, 3);
    ring.record(Weight::Routine, event);
    ring.sync().expect("a working disk");
    let other = AgentId::from_bytes([4; 16]);
    let ring = EventRing::open(disk, other, 3);
    assert_eq!((ring.next - 1), 0);
    assert_eq!(numbers(&ring), [0_u64; 0]);
}

#[test]
fn a_ring_of_another_size_keeps_the_newest() {
    let disk = SimulatedDisk::default();
    let mut ring = open(&disk, 5);
    (1..=5).for_each(|_| _ = ring.record(Weight::Routine, event));
    ring.sync().expect("a working disk");
    let ring = open(&disk, 2);
    assert_eq!(numbers(&ring), [4, 5]);
    assert_eq!(numbers(&open(&disk, 9)), [4, 5]);
}

#[test]
fn no_flipped_byte_makes_another_event() {
    let disk = SimulatedDisk::default();
    let mut ring = open(&disk, 4);
    (1..=4).for_each(|_| _ = ring.record(Weight::Routine, event));
    ring.sync().expect("a working disk");
    let bytes = disk.bytes_of(NAME);
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 0x41;
        disk.set_bytes_of(NAME, other);
        let found = open(&disk, 4).after(0, 9).events;
        assert!(found.len() >= 3, "byte {at}");
        assert!(
            found.is_sorted_by(|one, next| number(one) < number(next)),
            "byte {at}"
        );
        for numbered in found {
            assert!((1..=4).contains(&number(&numbered)), "byte {at}");
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Record(Weight),
    Sync,
    Stored(u64),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => Just(Act::Record(Weight::Routine)),
        2 => Just(Act::Record(Weight::Alarm)),
        3 => Just(Act::Sync),
        1 => (0_u64..3).prop_map(Act::Stored),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn a_power_cut_anywhere_loses_no_durable_event_and_invents_none(
        acts in proptest::collection::vec(any_act(), 1..60),
        power in 0_u64..6_000,
        failing in 1_u64..20,
        fails in 0_u64..4,
    ) {
        let disk = SimulatedDisk::default();
        if fails > 0 {
            disk.syncs_fail(failing, failing + fails - 1);
        }
        let mut ring = open(&disk, 8);
        disk.power_goes_after(power);
        let mut sent = Vec::new();
        for act in acts {
            match act {
                Act::Record(weight) => {
                    let next = (ring.next - 1) + 1;
                    prop_assert_eq!(ring.record(weight, event), next);
                }
                Act::Sync => _ = ring.sync(),
                Act::Stored(more) => ring.server_has((ring.stored + more).min(ring.durable)),
            }
            sent.extend(numbers(&ring));
            prop_assert!(ring.held.len() <= 8);
        }
        for survivors in [Survivors::AllWritten, Survivors::OnlySynced] {
            let mut after = open(&disk.after_power_cut(survivors), 8);
            after.server_has(ring.stored);
            let found = numbers(&after);
            prop_assert!(found.is_sorted());
            for sequence in numbers(&ring) {
                prop_assert!(found.contains(&sequence), "{}", sequence);
            }
            // No number that may have been sent is given out again.
            prop_assert!((after.next - 1) >= sent.iter().max().copied().unwrap_or(0));
            prop_assert!((after.next - 1) + 1 > ring.stored);
        }
    }
}
