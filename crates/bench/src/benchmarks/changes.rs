//! What a table costs beside its decisions: one change of it beside building it anew, and the
//! memory of the look-up beside hash and number alone.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use offgate_core::agent::HashKey;
use offgate_core::table::Table;
use offgate_core::table::entry::{Entry, UserEntry};

use super::random::Random;
use crate::harness::{Bound, Ratio, Report, Unit, nanoseconds_each, take_turns};

const PEOPLE: usize = 1_000_000;
const SLOT: Duration = Duration::from_millis(300);

const CHANGE: &str = "one person deactivated or reactivated, among 1,000,000";
const REBUILD: &str = "a table of 1,000,000 people built entry by entry";
const LOOK_UP: &str = "memory of the look-up for each credential";
const LEAST: &str = "16 bytes of hash and 4 of number";

pub(crate) fn run() -> anyhow::Result<Report> {
    let mut random = Random::new(4);
    let people: Vec<[[u8; 16]; 3]> = (0..PEOPLE)
        .map(|_| [random.id(), random.id(), random.id()])
        .collect();
    let table = RefCell::new(build(&people));
    let mut standing = vec![0_u8; PEOPLE];
    let (people, table) = (&people, &table);
    let measured = take_turns(vec![
        Box::new(|round| {
            let begun = Instant::now();
            *table.borrow_mut() = build(people);
            let took = begun.elapsed().as_nanos() as f64;
            round.record(REBUILD, Unit::Nanoseconds, took);
            let look_up = table.borrow().look_up_bytes() as f64;
            round.record(LOOK_UP, Unit::Bytes, look_up / PEOPLE as f64);
            round.record(LEAST, Unit::Bytes, 20.0);
            Ok(())
        }),
        Box::new(|round| {
            let mut table = table.borrow_mut();
            let each = nanoseconds_each(SLOT, 100, || {
                let number = random.below(PEOPLE);
                standing[number] ^= 1;
                table.put(entry(&people[number], standing[number]));
            });
            round.record(CHANGE, Unit::Nanoseconds, each);
            Ok(())
        }),
    ])?;
    Ok(Report {
        measured,
        ratios: vec![
            Ratio {
                what: "one change beside a table built anew, among 1,000,000",
                of: CHANGE,
                beside: REBUILD,
                bound: Bound::AtMost {
                    goal: 0.0001,
                    aim: 0.00001,
                },
            },
            Ratio {
                what: "memory of the look-up beside hash and number alone",
                of: LOOK_UP,
                beside: LEAST,
                bound: Bound::AtMost {
                    goal: 1.25,
                    aim: 1.15,
                },
            },
        ],
    })
}

fn build(people: &[[[u8; 16]; 3]]) -> Table {
    let mut table = Table::empty(HashKey::from_bytes([7; 32]));
    for person in people {
        table.put(entry(person, 0));
    }
    table
}

/// A person's entry: id, credential's id and its hash.
fn entry([user, credential, hash]: &[[u8; 16]; 3], standing: u8) -> Entry {
    Entry::User(UserEntry {
        user: (*user).into(),
        standing,
        starts: None,
        ends: None,
        policies: if standing == 0 {
            vec![[3; 16].into()]
        } else {
            vec![]
        },
        credentials: vec![((*hash).into(), (*credential).into(), 0)],
    })
}
