//! Power cuts at every byte, flips of every byte, and syncs that fail.

use offgate_core::id::StoreId;
use offgate_core::parameters::{Epoch, Revision};
use offgate_core::table::entry::{EntryKey, EntryKind, TableHash};
use proptest::prelude::*;

use super::super::frame::apply;
use super::super::real::Folder;
use super::super::simulated::{SimulatedDisk, Survivors};
use super::super::snapshot::RowKey;
use super::*;

const SMALL_LOG: u32 = 700;
const SURVIVORS: [Survivors; 4] = [
    Survivors::AllWritten,
    Survivors::OnlySynced,
    Survivors::NamesAndSynced,
    Survivors::ContentsAndSyncedNames,
];

#[derive(Clone, Debug)]
enum Step {
    Change(Vec<RowChange>),
    Snapshot(Rows),
}

fn key(id: u8) -> EntryKey {
    EntryKey {
        kind: EntryKind::ALL[usize::from(id % 3)],
        id: [id; 16],
    }
}

/// A row of an entry, or of a refusal of an earlier table.
fn row(id: u8) -> RowKey {
    if id % 5 == 4 {
        RowKey::Held([id; 16])
    } else {
        RowKey::Entry(key(id))
    }
}

/// Any hash will do here, as long as different rows have different ones.
fn position(revision: u64, rows: &Rows) -> Position {
    let mut hasher = blake3::Hasher::new();
    for (key, entry) in rows {
        hasher
            .update(format!("{key:?}").as_bytes())
            .update(entry)
            .update(b"|");
    }
    Position {
        store: StoreId::from_bytes([7; 16]),
        epoch: Epoch {
            counter: 1,
            nonce: [9; 16],
        },
        revision: Revision::new(revision),
        hash: TableHash(*hasher.finalize().as_bytes()),
    }
}

/// As an agent goes about it: memory, then disk, then the acknowledgement; a failure is answered
/// by a new generation, once.
struct Agent {
    files: TableFiles<SimulatedDisk>,
    rows: Rows,
    /// The table after every step, the one before the first included.
    history: Vec<Option<Contents>>,
    /// How many steps were acknowledged.
    acknowledged: usize,
}

impl Agent {
    fn new(disk: &SimulatedDisk) -> Self {
        let (files, found) =
            TableFiles::open_with(disk.clone(), SMALL_LOG).expect("the folder is readable");
        assert_eq!(found, Found::Nothing);
        Self {
            files,
            rows: Rows::new(),
            history: vec![None],
            acknowledged: 0,
        }
    }

    fn step(&mut self, step: Step) {
        let revision = self.history.len() as u64;
        let added = match step {
            Step::Snapshot(rows) => {
                self.rows = rows;
                Ok(Added::NeedsNewGeneration)
            }
            Step::Change(changes) => {
                apply(changes.clone(), &mut self.rows);
                self.files.add(position(revision, &self.rows), &changes)
            }
        };
        let position = position(revision, &self.rows);
        self.history.push(Some(Contents {
            position,
            rows: self.rows.clone(),
        }));
        let durable = match added {
            Ok(Added::Durable) => true,
            Ok(Added::NeedsNewGeneration) | Err(_) => {
                self.files.start_generation(position, &self.rows).is_ok()
            }
        };
        if durable {
            assert!(self.files.holds(&position));
            self.acknowledged = self.history.len() - 1;
        }
        if self.files.wants_new_generation() {
            let _ = self.files.start_generation(position, &self.rows);
        }
    }

    /// What is found must be a state there was, not older than what was acknowledged.
    fn check(&self, found: &Found, what: &str) {
        let state = match found {
            Found::Nothing => None,
            Found::Table(contents) => Some(contents),
            Found::Damaged => panic!("{what}: damaged by a power cut"),
        };
        let at = self
            .history
            .iter()
            .position(|known| known.as_ref() == state);
        let at = at.unwrap_or_else(|| panic!("{what}: a table that never was: {state:?}"));
        assert!(
            at >= self.acknowledged,
            "{what}: {at} of {} acknowledged",
            self.acknowledged
        );
    }
}

fn scenario() -> Vec<Step> {
    let put = |id: u8, length: usize| RowChange {
        key: RowKey::Entry(key(id)),
        entry: Some(vec![id; length]),
    };
    let gone = |id| RowChange {
        key: RowKey::Entry(key(id)),
        entry: None,
    };
    vec![
        Step::Snapshot(Rows::from([
            (row(1), vec![0; 12]),
            (row(2), vec![3; 5]),
            (row(4), vec![5; 7]),
        ])),
        Step::Change(vec![put(3, 9), gone(1)]),
        Step::Change(vec![
            put(4, 1),
            RowChange {
                key: RowKey::Entry(key(5)),
                entry: Some(vec![0; 30]),
            },
        ]),
        Step::Change(vec![]),
        Step::Change(vec![put(3, 40)]),
        Step::Change(vec![gone(4)]),
        Step::Snapshot(Rows::from([(row(8), vec![1; 3])])),
        Step::Change(vec![put(9, 600)]),
        Step::Change(vec![gone(8)]),
    ]
}

#[test]
fn a_power_cut_at_any_byte_loses_nothing_that_was_acknowledged() {
    for power in 0.. {
        let disk = SimulatedDisk::default();
        let mut agent = Agent::new(&disk);
        disk.power_goes_after(power);
        let steps = scenario();
        let all = steps.len();
        steps.into_iter().for_each(|step| agent.step(step));
        for survivors in SURVIVORS {
            let after = disk.after_power_cut(survivors);
            let (mut files, found) =
                TableFiles::open_with(after.clone(), SMALL_LOG).expect("readable");
            agent.check(&found, &format!("after {power} bytes, {survivors:?}"));
            // And it can go on from there.
            let Found::Table(mut contents) = found else {
                continue;
            };
            apply(
                vec![RowChange {
                    key: RowKey::Entry(key(99)),
                    entry: Some(vec![9]),
                }],
                &mut contents.rows,
            );
            contents.position = position(1_000, &contents.rows);
            files
                .start_generation(contents.position, &contents.rows)
                .expect("there is power");
            let later = after.after_power_cut(Survivors::OnlySynced);
            let (_, found) = TableFiles::open_with(later, SMALL_LOG).expect("readable");
            assert_eq!(found, Found::Table(contents));
        }
        if agent.acknowledged == all {
            assert!(power > 5_000, "the scenario writes {power} bytes");
            return;
        }
    }
}

#[test]
fn no_flipped_byte_makes_another_table() {
    for steps in 1..=scenario().len() {
        let disk = SimulatedDisk::default();
        let mut agent = Agent::new(&disk);
        scenario()
            .into_iter()
            .take(steps)
            .for_each(|step| agent.step(step));
        let expected = agent.history.last().cloned().flatten().expect("a table");
        let mut damaged = 0;
        for name in disk.clone().names().expect("names") {
            let bytes = disk.bytes_of(&name);
            for at in 0..bytes.len() {
                for flipped in [bytes[at] ^ 1, bytes[at] ^ 0x80, !bytes[at], 0, 0xa5] {
                    let mut other = bytes.clone();
                    other[at] = flipped;
                    disk.set_bytes_of(&name, other);
                    let (_, found) =
                        TableFiles::open_with(disk.clone(), SMALL_LOG).expect("readable");
                    match found {
                        Found::Table(contents) => {
                            assert_eq!(contents, expected, "{name} byte {at} is {flipped}");
                        }
                        Found::Damaged => damaged += 1,
                        Found::Nothing => panic!("{name} byte {at}: no trace of a table"),
                    }
                }
            }
            disk.set_bytes_of(&name, bytes);
        }
        assert!(damaged > 0, "a flip in the newest log cannot be healed");
    }
}

/// A file as a program with a newer form of it would write it: whole, by its own checksum.
fn of_a_newer_form(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut newer = bytes.to_vec();
    newer[7] += 1;
    if name.ends_with(".snapshot") {
        let end = newer.len() - 32;
        let checksum = *blake3::hash(&newer[..end]).as_bytes();
        newer[end..].copy_from_slice(&checksum);
    } else {
        let chain = *blake3::hash(&newer[..69]).as_bytes();
        newer[69..85].copy_from_slice(&chain[..16]);
    }
    newer
}

#[test]
fn files_of_a_newer_form_are_neither_an_older_table_nor_an_empty_one() {
    let disk = SimulatedDisk::default();
    let mut agent = Agent::new(&disk);
    scenario().into_iter().for_each(|step| agent.step(step));
    let names = disk.clone().names().expect("names");
    let newest = names.iter().filter_map(|name| generation_of(name)).max();
    let newest = newest.expect("a generation");
    assert!(newest > 1, "an older table is there to be mistaken for it");
    let written = |name: &str| (name.to_owned(), disk.bytes_of(name));
    let before: Vec<_> = names.iter().map(|name| written(name)).collect();
    let of_newest = [snapshot_name(newest), log_name(newest)];
    for newer in [&of_newest[1..], &of_newest[..], &names[..]] {
        for name in newer {
            disk.set_bytes_of(name, of_a_newer_form(name, &disk.bytes_of(name)));
        }
        let open = || TableFiles::open_with(disk.clone(), SMALL_LOG).expect("readable");
        let (mut files, found) = open();
        assert_eq!(found, Found::Damaged, "{newer:?}");
        // What the server sends then takes its place, and is found by this program again.
        let (rows, position) = (agent.rows.clone(), position(99, &agent.rows));
        files
            .start_generation(position, &rows)
            .expect("there is power");
        assert_eq!(open().1, Found::Table(Contents { position, rows }));
        for name in disk.clone().names().expect("names") {
            disk.clone().remove(&name).expect("there is power");
        }
        for (name, bytes) in &before {
            disk.clone().create(name).expect("there is power");
            disk.set_bytes_of(name, bytes.clone());
        }
    }
    // Its snapshot alone: what it was made from may stand in for it, and nothing else.
    let name = &of_newest[0];
    disk.set_bytes_of(name, of_a_newer_form(name, &disk.bytes_of(name)));
    let expected = agent.history.last().cloned().flatten().expect("a table");
    match TableFiles::open_with(disk, SMALL_LOG).expect("readable").1 {
        Found::Table(contents) => assert_eq!(contents, expected),
        Found::Damaged => {}
        Found::Nothing => panic!("no trace of a table"),
    }
}

#[test]
fn files_cut_short_at_any_byte_are_no_other_table() {
    let disk = SimulatedDisk::default();
    let mut agent = Agent::new(&disk);
    scenario().into_iter().for_each(|step| agent.step(step));
    let expected = agent.history.last().cloned().flatten().expect("a table");
    for name in disk.clone().names().expect("names") {
        let bytes = disk.bytes_of(&name);
        for length in 0..bytes.len() {
            disk.set_bytes_of(&name, bytes[..length].to_vec());
            match TableFiles::open_with(disk.clone(), SMALL_LOG)
                .expect("readable")
                .1
            {
                Found::Table(contents) => assert_eq!(contents, expected, "{name} cut at {length}"),
                Found::Damaged => {}
                Found::Nothing => panic!("{name} cut at {length}: no trace of a table"),
            }
        }
        disk.set_bytes_of(&name, bytes);
    }
}

#[test]
fn a_damaged_snapshot_is_replaced_by_the_generation_it_was_made_from() {
    let disk = SimulatedDisk::default();
    let mut agent = Agent::new(&disk);
    scenario()
        .into_iter()
        .take(3)
        .for_each(|step| agent.step(step));
    let expected = agent.history[3].clone().expect("a table");
    agent
        .files
        .start_generation(expected.position, &expected.rows)
        .expect("there is power");
    disk.set_bytes_of("table-2.snapshot", vec![0; 50]);
    agent.step(Step::Change(vec![RowChange {
        key: RowKey::Entry(key(50)),
        entry: Some(vec![5]),
    }]));
    let (_, found) = TableFiles::open_with(disk.clone(), SMALL_LOG).expect("readable");
    assert_eq!(Some(found), agent.history[4].clone().map(Found::Table));
    disk.set_bytes_of("table-1.log", vec![0; 50]);
    let (_, found) = TableFiles::open_with(disk, SMALL_LOG).expect("readable");
    assert_eq!(found, Found::Damaged);
}

#[test]
fn whatever_syncs_fail_nothing_is_acknowledged_that_a_power_cut_undoes() {
    let syncs = {
        let disk = SimulatedDisk::default();
        let mut agent = Agent::new(&disk);
        scenario().into_iter().for_each(|step| agent.step(step));
        disk.syncs()
    };
    for first in 1..=syncs {
        for last in first..(first + 7) {
            let disk = SimulatedDisk::default();
            disk.syncs_fail(first, last);
            let mut agent = Agent::new(&disk);
            for step in scenario() {
                agent.step(step);
                for survivors in SURVIVORS {
                    let after = disk.after_power_cut(survivors);
                    let (_, found) = TableFiles::open_with(after, SMALL_LOG).expect("readable");
                    agent.check(
                        &found,
                        &format!("syncs {first} to {last} fail, {survivors:?}"),
                    );
                }
            }
            for _ in 0..7 {
                agent.step(Step::Change(vec![]));
            }
            assert_eq!(
                agent.acknowledged,
                scenario().len() + 7,
                "{first} to {last}"
            );
        }
    }
}

#[test]
fn what_another_process_left_is_not_taken_for_durable() {
    let disk = SimulatedDisk::default();
    let mut agent = Agent::new(&disk);
    scenario().into_iter().for_each(|step| agent.step(step));
    let (mut files, found) = TableFiles::open_with(disk, SMALL_LOG).expect("readable");
    let Found::Table(contents) = found else {
        panic!("a table")
    };
    assert!(!files.holds(&contents.position));
    assert_eq!(
        files.add(contents.position, &[]).expect("untouched"),
        Added::NeedsNewGeneration
    );
    files
        .start_generation(contents.position, &contents.rows)
        .expect("there is power");
    assert!(files.holds(&contents.position));
}

#[test]
fn only_two_generations_are_kept_on_a_real_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Folder::open(folder.path()).expect("a folder");
    let (mut files, found) = TableFiles::open_with(disk, SMALL_LOG).expect("readable");
    assert_eq!(found, Found::Nothing);
    let mut rows = Rows::new();
    for revision in 1..=40 {
        let change = RowChange {
            key: RowKey::Entry(key(revision as u8)),
            entry: Some(vec![1; 20]),
        };
        apply(vec![change.clone()], &mut rows);
        let position = position(revision, &rows);
        if files.add(position, &[change]).expect("a working disk") == Added::NeedsNewGeneration {
            files
                .start_generation(position, &rows)
                .expect("a working disk");
        }
        let disk = Folder::open(folder.path()).expect("a folder");
        let (_, found) = TableFiles::open_with(disk, SMALL_LOG).expect("readable");
        assert_eq!(
            found,
            Found::Table(Contents {
                position,
                rows: rows.clone()
            })
        );
    }
    let count = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(count, 4, "two snapshots and two logs");
}

fn any_change() -> impl Strategy<Value = RowChange> {
    let entry = proptest::option::of(proptest::collection::vec(0_u8..4, 0..40));
    (0_u8..12, entry).prop_map(|(id, entry)| RowChange {
        key: RowKey::Entry(key(id)),
        entry,
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let changes = proptest::collection::vec(any_change(), 0..5).prop_map(Step::Change);
    let snapshot = proptest::collection::btree_map(
        (0_u8..12).prop_map(row),
        proptest::collection::vec(0_u8..4, 0..40),
        0..6,
    );
    prop_oneof![6 => changes, 1 => snapshot.prop_map(Step::Snapshot)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_steps_survive_a_power_cut_anywhere(
        steps in proptest::collection::vec(any_step(), 1..20),
        power in 0_u64..20_000,
    ) {
        let disk = SimulatedDisk::default();
        let mut agent = Agent::new(&disk);
        disk.power_goes_after(power);
        steps.into_iter().for_each(|step| agent.step(step));
        for survivors in SURVIVORS {
            let after = disk.after_power_cut(survivors);
            let (_, found) = TableFiles::open_with(after, SMALL_LOG).expect("readable");
            agent.check(&found, &format!("{survivors:?}"));
        }
    }
}
