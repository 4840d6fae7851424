//! Generated policies and sequences of commands.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::naive::*;
use crate::organisation::*;
use jiff::tz::TimeZone;
use offgate_core::command::{Command, Expected, Unconfirmed};
use offgate_core::id::{CredentialId, DoorGroupId};
use offgate_core::memory::Memory;
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::place::DoorGroup;
use offgate_core::policy::{
    Day, Group, Holiday, HolidayHours, Policy, PolicyHours, Recurrence, Schedule, Weekday, Window,
};
use offgate_core::table::Table;
use offgate_core::table::admission::{Decision, Presented};
use offgate_core::table::compile::{self, Places, Touched};
use offgate_core::table::entry::{Entry, EntryKey, TableHash};
use offgate_core::user::{AccessPeriod, DeactivationReason};
use proptest::prelude::*;

/// Expands what a change touched into entry keys, as an engine does with its queries.
fn keys(memory: &Memory, touched: Touched) -> BTreeSet<EntryKey> {
    match touched {
        Touched::User(user) => BTreeSet::from([EntryKey::user(user)]),
        Touched::MembersOf(group) => {
            let below = compile::groups_below(memory, group).unwrap_or_default();
            let inside = |record: &&offgate_core::user::UserRecord| match record {
                offgate_core::user::UserRecord::Present(user) => !user.groups.is_disjoint(&below),
                offgate_core::user::UserRecord::Removed(_) => false,
            };
            memory
                .users
                .iter()
                .filter(|(_, record)| inside(record))
                .map(|(user, _)| EntryKey::user(*user))
                .collect()
        }
        Touched::Furniture(_) => scope(memory).furniture_keys(),
        Touched::Agent(_) => all_keys(memory),
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    let who = 1..=3_u8;
    let sets = || {
        (
            prop::collection::btree_set((1..=2_u8).prop_map(group_id), 0..3),
            prop::collection::btree_set((1..=2_u8).prop_map(policy_id), 0..3),
        )
    };
    prop_oneof![
        4 => (who.clone(), sets()).prop_map(|(number, (groups, policies))| create(number, groups, policies)),
        4 => who.clone().prop_map(|number| Command::DeactivateUser {
            user: user_id(number),
            reason: DeactivationReason::Other,
            note: None,
            employment_ended_at: None,
        }),
        2 => who.clone().prop_map(|number| Command::ReactivateUser { user: user_id(number) }),
        2 => who.clone().prop_map(|number| Command::RemoveUser { user: user_id(number), unconfirmed: Unconfirmed::Wait }),
        2 => who.clone().prop_map(|number| Command::ReportLost { credential: CredentialId::from_bytes([70 + number; 16]) }),
        1 => who.clone().prop_map(|number| Command::ReportFound { credential: CredentialId::from_bytes([70 + number; 16]) }),
        2 => (who, sets(), 0..3_i64).prop_map(|(number, (groups, policies), ends)| {
            let Command::CreateUser { user, profile, .. } = create(number, BTreeSet::new(), BTreeSet::new()) else { unreachable!() };
            let access = AccessPeriod { starts: None, ends: (ends > 0).then(|| Timestamp::from_seconds(1_767_300_000 + ends * 1000)) };
            Command::EditUser { user, expected: Expected::Whatever, profile, access, groups, policies }
        }),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(carries, inside)| Command::EditGroup(Group {
            id: group_id(2),
            revision: Revision::ZERO,
            name: title("Group 2"),
            parent: inside.then(|| group_id(1)),
            policies: if carries { BTreeSet::from([policy_id(2)]) } else { BTreeSet::new() },
        }, Expected::Whatever)),
        1 => (prop::collection::btree_set((1..=2_u8).prop_map(door_id), 0..3), any::<bool>()).prop_map(|(doors, always)| Command::EditPolicy(Policy {
            id: policy_id(2),
            revision: Revision::ZERO,
            name: title("Policy 2"),
            doors,
            door_groups: BTreeSet::new(),
            hours: if always { PolicyHours::Always } else { PolicyHours::Scheduled(SCHEDULE) },
        }, Expected::Whatever)),
    ]
}

/// How many cases are generated every day, unless `cargo xtask deep` asks for more.
fn deep(every_day: u32) -> u32 {
    let asked = std::env::var("OFFGATE_DEEP_CASES").ok();
    asked
        .and_then(|number| number.parse().ok())
        .unwrap_or(every_day)
}

fn any_window() -> impl Strategy<Value = Window> {
    (0..1440_u16, 0..=1440_u16).prop_filter_map("both the same", |(from, to)| Window::new(from, to))
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    (
        prop::collection::vec((0..7_usize, any_window()), 0..8),
        prop::option::of(prop::collection::vec(any_window(), 0..3)),
    )
        .prop_map(|(weekly, holidays)| Schedule {
            id: SCHEDULE,
            revision: Revision::ZERO,
            name: title("Hours"),
            weekly: weekly
                .into_iter()
                .map(|(day, window)| (Weekday::ALL[day], window))
                .collect(),
            holidays: holidays.map(|windows| HolidayHours {
                group: HOLIDAYS,
                windows,
            }),
        })
}

fn any_holidays() -> impl Strategy<Value = Vec<Holiday>> {
    let holiday = (0..1500_i32, 0..20_i32, any::<bool>()).prop_map(|(from, length, comes_back)| {
        let first = day(2025, 1, 1).0 + from;
        Holiday {
            name: title("Holiday"),
            first: Day(first),
            last: Day(first + length),
            recurrence: if comes_back {
                Recurrence::EveryYear
            } else {
                Recurrence::Once
            },
        }
    });
    prop::collection::vec(holiday, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: deep(256), failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the policies, groups, hours and holidays are, the table answers as they read.
    #[test]
    fn a_table_answers_as_the_policies_read(
        zone in prop::sample::select(&["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia"][..]),
        schedule in any_schedule(),
        holidays in any_holidays(),
        doors in prop::collection::btree_set((1..=2_u8).prop_map(door_id), 0..3),
        grouped in prop::collection::btree_set((1..=2_u8).prop_map(door_id), 0..3),
        (always, inside) in any::<(bool, bool)>(),
        carried in prop::collection::btree_set((1..=2_u8).prop_map(policy_id), 0..3),
        groups in prop::collection::btree_set((1..=2_u8).prop_map(group_id), 0..3),
        policies in prop::collection::btree_set((1..=2_u8).prop_map(policy_id), 0..3),
        period in prop::option::of((0..400_i64, 1..400_i64)),
        moments in prop::collection::vec(0..4 * 365 * 86_400_i64, 40),
    ) {
        let start = i64::from(day(2026, 1, 1).0) * 86_400;
        let mut memory = organisation(zone, schedule, holidays);
        let now = Timestamp::from_seconds(0);
        let common = DoorGroupId::from_bytes([8; 16]);
        let mut person = create(1, groups, policies);
        if let (Command::CreateUser { access, .. }, Some((from, days))) = (&mut person, period) {
            let starts = start + from * 86_400 + 3_600;
            *access = AccessPeriod {
                starts: Some(Timestamp::from_seconds(starts)),
                ends: Some(Timestamp::from_seconds(starts + days * 86_400)),
            };
        }
        for command in [
            Command::CreateDoorGroup(DoorGroup {
                id: common,
                revision: Revision::ZERO,
                name: title("Common doors"),
                doors: grouped,
            }),
            Command::EditPolicy(Policy {
                id: policy_id(2),
                revision: Revision::ZERO,
                name: title("Policy 2"),
                doors,
                door_groups: BTreeSet::from([common]),
                hours: if always { PolicyHours::Always } else { PolicyHours::Scheduled(SCHEDULE) },
            }, Expected::Whatever),
            Command::EditGroup(Group {
                id: group_id(2),
                revision: Revision::ZERO,
                name: title("Group 2"),
                parent: inside.then(|| group_id(1)),
                policies: carried,
            }, Expected::Whatever),
            person,
        ] {
            let decision = memory.execute(SERVER, &command, now);
            prop_assert!(matches!(decision, offgate_core::Decision::Accepted(_)), "{:?}", decision);
        }
        let table = snapshot(&memory);
        let time_zone = TimeZone::get(zone).expect("a zone");
        for moment in moments {
            let now = Timestamp::from_seconds(start + moment);
            for door in [1, 2] {
                let granted = matches!(answer(&table, 1, door, now), Decision::Granted { .. });
                prop_assert_eq!(granted, naive_grant(&memory, 1, door, &time_zone, now), "{} {:?} door {}", zone, now, door);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: deep(256), failure_persistence: None, ..ProptestConfig::default() })]

    /// Deltas lead to the table a snapshot gives; nobody deactivated, ended or removed is granted.
    #[test]
    fn deltas_equal_snapshots_and_nobody_refused_is_granted(
        commands in prop::collection::vec((any_command(), 0..600_i64), 0..40),
    ) {
        let mut memory = organisation("Europe/Berlin", rich_schedule(), rich_holidays());
        let mut table = snapshot(&memory);
        let mut now = Timestamp::from_seconds(1_767_290_000);
        for (command, seconds) in commands {
            now = now.plus(Duration::from_secs(seconds as u64));
            let places = Places::read(&memory).expect("places");
            let decision = memory.execute(SERVER, &command, now);
            let (offgate_core::Decision::Accepted(changes) | offgate_core::Decision::Refused(_, changes)) = decision;
            if changes.iter().all(Places::stay_after) {
                prop_assert_eq!(places, Places::read(&memory).expect("places"));
            }
            let mut touched = BTreeSet::new();
            for change in &changes {
                touched.extend(compile::touched(&memory, change).unwrap_or_default());
            }
            let mut affected: BTreeSet<EntryKey> = touched.iter().flat_map(|it| keys(&memory, *it)).collect();
            if touched.iter().any(|it| matches!(it, Touched::Agent(_) | Touched::Furniture(_))) {
                affected.extend(table.entries().map(|(key, _)| *key).collect::<Vec<_>>());
            }
            for key in affected {
                match compiled(&memory, key) {
                    Some(entry) => table.put(entry),
                    None => table.delete(key),
                }
            }
            let whole = snapshot(&memory);
            prop_assert_eq!(table.hash(), whole.hash());
            prop_assert_eq!(
                table.entries().collect::<Vec<_>>(),
                whole.entries().collect::<Vec<_>>()
            );
            for number in 1..=3 {
                let may = match memory.users.get(&user_id(number)) {
                    Some(offgate_core::user::UserRecord::Present(user)) => {
                        user.standing == offgate_core::user::Standing::Active
                            && user.access.ends.is_none_or(|ends| now < ends)
                    }
                    _ => false,
                };
                for door in [1, 2] {
                    let granted = matches!(answer(&table, number, door, now), Decision::Granted { .. });
                    prop_assert!(may || !granted, "user {number} at door {door}");
                }
            }
        }
    }

    /// A table does not remember the order in which it was built.
    #[test]
    fn order_does_not_matter(
        seed in prop::collection::vec(any::<u8>(), 64),
    ) {
        let mut memory = organisation("Europe/Berlin", rich_schedule(), rich_holidays());
        for number in 1..=6 {
            let policies = BTreeSet::from([policy_id(1 + number % 2)]);
            memory.execute(SERVER, &create(number, BTreeSet::new(), policies), Timestamp::from_seconds(0));
        }
        let whole = snapshot(&memory);
        let mut entries: Vec<Entry> = all_keys(&memory).into_iter().filter_map(|key| compiled(&memory, key)).collect();
        let mut shuffled = Table::empty(agent().hash_key);
        for (position, random) in seed.iter().enumerate() {
            let entry = entries[usize::from(*random) % entries.len()].clone();
            if position % 3 == 0 {
                shuffled.delete(entry.key());
            }
            shuffled.put(entry);
        }
        entries.sort_by_key(|entry| seed[usize::from(entry.key().id[0]) % seed.len()]);
        for entry in entries {
            shuffled.put(entry);
        }
        prop_assert_eq!(shuffled.hash(), whole.hash());
        let now = Timestamp::from_seconds(1_780_000_000 + i64::from(seed[0]) * 60);
        for number in 1..=6 {
            for door in [1, 2] {
                prop_assert_eq!(answer(&shuffled, number, door, now), answer(&whole, number, door, now));
            }
        }
        for entry in whole.entries().map(|(_, bytes)| bytes.to_vec()).collect::<Vec<_>>() {
            shuffled.delete(Entry::decode(&entry).expect("an entry").key());
        }
        prop_assert_eq!(shuffled.hash(), TableHash::EMPTY);
    }

    /// Bytes are an entry in its one encoding, or refused; nothing panics.
    #[test]
    fn entries_have_one_encoding(position in any::<prop::sample::Index>(), flip in 1..=255_u8, garbage in prop::collection::vec(any::<u8>(), 0..200)) {
        let memory = organisation("Europe/Berlin", rich_schedule(), rich_holidays());
        for (_, bytes) in snapshot(&memory).entries() {
            let entry = Entry::decode(bytes).expect("an entry");
            prop_assert_eq!(entry.encode(), bytes);
            let mut flipped = bytes.to_vec();
            let position = position.index(flipped.len());
            flipped[position] ^= flip;
            if let Ok(other) = Entry::decode(&flipped) {
                prop_assert_eq!(other.encode(), flipped);
                prop_assert_ne!(other, entry);
            }
            prop_assert!(Entry::decode(&bytes[..position]).is_err());
        }
        if let Ok(entry) = Entry::decode(&garbage) {
            prop_assert_eq!(entry.encode(), garbage);
        }
    }

    /// Whatever the time and the table, there is an answer.
    #[test]
    fn a_decision_never_panics(microseconds in any::<i64>(), weekly in prop::collection::vec((any::<u16>(), any::<u16>()), 0..20), first in any::<i32>(), changes in prop::collection::vec((any::<i64>(), any::<i32>()), 0..5), days in prop::collection::vec(any::<i32>(), 0..5)) {
        use offgate_core::table::entry::{DoorEntry, PolicyEntry, ScheduleEntry, SiteEntry, UserEntry};
        let id = |number: u8| [number; 16].into();
        let mut table = Table::empty(agent().hash_key);
        let hash = Presented::NfcCard(card(1)).hash(&agent().hash_key);
        for entry in [
            Entry::Site(SiteEntry { site: id(1), first_offset: first, changes }),
            Entry::Door(DoorEntry { door: id(11), site: id(1), lease_seconds: 0, readers: vec![], when_cut_off: None }),
            Entry::Schedule(ScheduleEntry { schedule: id(2), weekly: weekly.clone(), holiday: weekly, days }),
            Entry::Policy(PolicyEntry { policy: id(3), doors: vec![id(11)], schedule: Some(id(2)) }),
            Entry::User(UserEntry { user: id(4), standing: 0, starts: None, ends: None, policies: vec![id(3)], credentials: vec![(hash.0.into(), id(5), 0)] }),
        ] {
            table.put(entry);
        }
        let now = Timestamp::from_microseconds(microseconds);
        let first = answer(&table, 1, 1, now);
        prop_assert_eq!(first, answer(&table, 1, 1, now));
    }
}
