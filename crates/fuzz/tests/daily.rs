//! Each target in small: its seeds as they are, and thousands of times a little changed.

use offgate_fuzz::ALL;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// How often a seed is changed.
const CASES: u32 = 2_000;

/// One change to bytes, at a place that is counted round.
#[derive(Clone, Debug)]
enum Change {
    Flip(usize, u8),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
    Cut(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<usize>();
    let length = 1..40_usize;
    prop_oneof![
        (place, 1..=255_u8).prop_map(|(at, bits)| Change::Flip(at, bits)),
        (place, length.clone()).prop_map(|(at, length)| Change::Remove(at, length)),
        (place, prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place, length).prop_map(|(at, length)| Change::Repeat(at, length)),
        place.prop_map(Change::Cut),
    ]
}

fn apply(change: Change, bytes: &mut Vec<u8>) {
    let round = |at: usize| at % (bytes.len() + 1);
    match change {
        Change::Flip(at, bits) => {
            let at = round(at);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bits;
            }
        }
        Change::Remove(at, length) => {
            let at = round(at);
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Change::Insert(at, new) => {
            let at = round(at);
            bytes.splice(at..at, new);
        }
        Change::Repeat(at, length) => {
            let at = round(at);
            let again = bytes[at..(at + length).min(bytes.len())].to_vec();
            bytes.splice(at..at, again);
        }
        Change::Cut(at) => {
            let at = round(at);
            bytes.truncate(at);
        }
    }
}

#[test]
fn whatever_the_bytes_are_what_must_hold_holds() {
    for target in &ALL {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has a seed", target.name);
        for seed in &seeds {
            (target.read)(seed);
        }
        let config = Config {
            cases: CASES,
            failure_persistence: None,
            ..Config::default()
        };
        let changed = (
            prop::sample::select(seeds),
            prop::collection::vec(change(), 1..4),
        );
        TestRunner::new_with_rng(
            config,
            proptest::test_runner::TestRng::deterministic_rng(
                proptest::test_runner::RngAlgorithm::ChaCha,
            ),
        )
        .run(&changed, |(mut bytes, changes)| {
            for change in changes {
                apply(change, &mut bytes);
            }
            (target.read)(&bytes);
            Ok(())
        })
        .expect(target.name);
    }
}
