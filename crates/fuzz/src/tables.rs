//! The entries of a door's table, and what is decided by them.

use std::collections::BTreeSet;

use offgate_core::agent::HashKey;
use offgate_core::credential::Plate;
use offgate_core::parameters::Timestamp;
use offgate_core::place::Direction;
use offgate_core::table::Table;
use offgate_core::table::admission::{Decision, DoorState, Presented, admit};
use offgate_core::table::entry::{Entry, TableHash};

use crate::seeds;

/// Entries one after the other, each behind its length in two bytes.
pub(crate) fn read(bytes: &[u8]) {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let (encoded, behind) = behind.split_at(length);
        rest = behind;
        if let Ok(entry) = Entry::decode(encoded) {
            assert_eq!(entry.encode(), encoded, "there is one way to write it");
            entries.push(entry);
        }
    }
    // Of two with one key the last counts, in whatever order the others come.
    let mut keys = BTreeSet::new();
    let last: Vec<Entry> = entries
        .iter()
        .rev()
        .filter(|entry| keys.insert(entry.key()))
        .cloned()
        .collect();
    let mut as_it_came = table(entries);
    let turned_round = table(last);
    assert_eq!(as_it_came.hash(), turned_round.hash());
    assert_eq!(decisions(&as_it_came), decisions(&turned_round));
    for key in keys {
        as_it_came.delete(key);
    }
    assert_eq!(as_it_came.hash(), TableHash::EMPTY);
    assert!(as_it_came.is_empty());
}

fn table(entries: Vec<Entry>) -> Table {
    // That of the examples, by which their plate is found.
    let mut table = Table::empty(HashKey::from_bytes([0x21; 32]));
    for entry in entries {
        table.put(entry);
    }
    table
}

fn decisions(table: &Table) -> Vec<Decision> {
    let plate = Presented::LicencePlate(Plate::parse("hh-ab 123").expect("a plate"));
    // A Monday within the hours of the examples, their holiday, and as far away as a clock can be.
    let times = [0, 1_795_428_000, 1_798_192_800, i64::MAX / 1_000_000];
    let mut decisions = Vec::new();
    for door in table.doors() {
        for seconds in times {
            for direction in [Direction::In, Direction::Out] {
                let now = Timestamp::from_seconds(seconds);
                let state = DoorState::ORDINARY;
                decisions.push(admit(table, state, &plate, door, direction, now));
            }
        }
    }
    decisions
}

/// The example's table as a whole.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let framed = |entry: &Vec<u8>| {
        let length = u16::try_from(entry.len()).expect("a short entry");
        [&length.to_be_bytes(), entry.as_slice()].concat()
    };
    let entries = seeds::of(&["table", "entries"]);
    let all: Vec<Vec<u8>> = entries.iter().map(framed).collect();
    let seed = all.concat();
    let entries = entries
        .iter()
        .map(|it| Entry::decode(it).expect("an entry"));
    let decisions = decisions(&table(entries.collect()));
    let granted = |it: &Decision| matches!(it, Decision::Granted { .. });
    assert!(decisions.iter().any(granted), "their plate opens the door");
    vec![seed]
}
