//! A table under any sequence of changes, against one that keeps its entries in a map and reads
//! through all of them whenever it is asked.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeMap;

use offgate_core::agent::HashKey;
use offgate_core::credential::CardToken;
use offgate_core::id::{CredentialId, DoorId, PolicyId, UserId};
use offgate_core::parameters::Timestamp;
use offgate_core::place::Direction;
use offgate_core::table::Table;
use offgate_core::table::admission::{
    ClockTrust, Decision, DoorState, Holder, Keypad, Lease, Lockdown, Presented, Reason, admit,
};
use offgate_core::table::entry::{
    DoorEntry, Entry, EntryKey, EntryKind, PolicyEntry, ScheduleEntry, SiteEntry, TableHash,
    UserEntry,
};
use proptest::prelude::*;

const KEY: HashKey = HashKey::from_bytes([7; 32]);
/// 2026-06-01, a Monday.
const MONDAY: i32 = 20_605;

/// Rows, messages and whoever reads a terminal know them by these.
#[test]
fn reasons_have_their_names() {
    let names = [
        "unknown",
        "deactivated",
        "access not started",
        "access ended",
        "reported lost",
        "locked down",
        "cut off",
        "too many attempts",
        "no policy",
        "holiday",
        "outside schedule",
        "clock not trusted",
    ];
    assert_eq!(Reason::ALL.map(Reason::name), names);
    for (reason, name) in Reason::ALL.into_iter().zip(names) {
        assert_eq!(Reason::from_name(name), Some(reason));
    }
    assert_eq!(Reason::from_name(""), None);
}

fn id(kind: u8, number: u8) -> [u8; 16] {
    let mut bytes = [kind; 16];
    bytes[0] = number.wrapping_mul(37);
    bytes[15] = number;
    bytes
}

fn card(number: u8) -> Presented {
    Presented::NfcCard(CardToken::parse(&format!("CARD{number}")).expect("a token"))
}

fn set(kind: u8, below: u8, most: usize) -> impl Strategy<Value = Vec<[u8; 16]>> {
    prop::collection::btree_set(
        (0..below).prop_map(move |number| id(kind, number)),
        0..=most,
    )
    .prop_map(|ids| ids.into_iter().collect())
}

fn any_user() -> impl Strategy<Value = Entry> {
    let bound = || prop::option::weighted(0.2, any_moment().prop_map(|at| at * 1_000_000));
    // Any card under any id, so that several hold the same, some of them under the same id.
    let credentials = prop::collection::btree_map((0..60_u8, 0..60_u8), 0..=1_u8, 0..=4);
    let standing = prop::bool::weighted(0.2);
    (
        0..40_u8,
        standing,
        bound(),
        bound(),
        set(3, 4, 3),
        credentials,
    )
        .prop_map(
            |(number, deactivated, starts, ends, policies, credentials)| {
                let mut held: Vec<_> = credentials
                    .into_iter()
                    .map(|((token, credential), state)| {
                        (card(token).hash(&KEY).0, id(5, credential), state)
                    })
                    .collect();
                held.sort_unstable();
                Entry::User(UserEntry {
                    user: id(4, number).into(),
                    standing: u8::from(deactivated),
                    starts,
                    ends,
                    policies: policies.into_iter().map(Into::into).collect(),
                    credentials: held
                        .into_iter()
                        .map(|(hash, credential, state)| (hash.into(), credential.into(), state))
                        .collect(),
                })
            },
        )
}

fn any_furniture() -> impl Strategy<Value = Entry> {
    let windows = |minutes: u16| prop::collection::vec((0..minutes, 1..=1440_u16), 0..4);
    let days = prop::collection::btree_set(MONDAY - 2..MONDAY + 10, 0..5);
    let readers = Vec::new();
    prop_oneof![
        (0..2_u8, -5_i32..5).prop_map(|(number, hours)| Entry::Site(SiteEntry {
            site: id(0, number).into(),
            first_offset: hours * 3600,
            changes: vec![(i64::from(MONDAY + 3) * 86_400, hours * 1800)],
        })),
        (0..3_u8, 0..2_u8).prop_map(move |(number, site)| Entry::Door(DoorEntry {
            door: id(1, number).into(),
            site: id(0, site).into(),
            lease_seconds: 900,
            readers: readers.clone(),
            when_cut_off: None,
        })),
        (0..2_u8, windows(7 * 1440), windows(1440), days).prop_map(
            |(number, weekly, holiday, days)| Entry::Schedule(ScheduleEntry {
                schedule: id(2, number).into(),
                weekly,
                holiday,
                days: days.into_iter().collect(),
            })
        ),
        (0..4_u8, set(1, 3, 3), prop::option::of(0..2_u8)).prop_map(|(number, doors, schedule)| {
            Entry::Policy(PolicyEntry {
                policy: id(3, number).into(),
                doors: doors.into_iter().map(Into::into).collect(),
                schedule: schedule.map(|number| id(2, number).into()),
            })
        }),
    ]
}

fn any_key() -> impl Strategy<Value = EntryKey> {
    let key = |kind, of: u8| {
        move |number| EntryKey {
            kind,
            id: id(of, number),
        }
    };
    prop_oneof![
        12 => (0..40_u8).prop_map(key(EntryKind::User, 4)),
        1 => (0..2_u8).prop_map(key(EntryKind::Site, 0)),
        1 => (0..3_u8).prop_map(key(EntryKind::Door, 1)),
        1 => (0..2_u8).prop_map(key(EntryKind::Schedule, 2)),
        1 => (0..4_u8).prop_map(key(EntryKind::Policy, 3)),
    ]
}

/// What happens to a table.
#[derive(Clone, Debug)]
enum Step {
    Put(Entry),
    Delete(EntryKey),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => any_user().prop_map(Step::Put),
        3 => any_furniture().prop_map(Step::Put),
        4 => any_key().prop_map(Step::Delete),
    ]
}

/// A second around that Monday.
fn any_moment() -> impl Strategy<Value = i64> {
    let monday = i64::from(MONDAY) * 86_400;
    monday - 2 * 86_400..monday + 9 * 86_400
}

fn any_state() -> impl Strategy<Value = DoorState> {
    let rare = || prop::bool::weighted(0.1);
    (rare(), rare(), prop::bool::weighted(0.3)).prop_map(|(ended, locked, untrusted)| DoorState {
        lease: if ended { Lease::Ended } else { Lease::Running },
        lockdown: if locked { Lockdown::On } else { Lockdown::Off },
        keypad: Keypad::Ready,
        clock: if untrusted {
            ClockTrust::Untrusted
        } else {
            ClockTrust::Trusted
        },
    })
}

/// Entries in a map.
#[derive(Default)]
struct Naive(BTreeMap<EntryKey, Entry>);

impl Naive {
    fn get(&self, kind: EntryKind, id: [u8; 16]) -> Option<&Entry> {
        self.0.get(&EntryKey { kind, id })
    }

    fn admit(
        &self,
        state: DoorState,
        presented: &Presented,
        door: [u8; 16],
        direction: Direction,
        now: Timestamp,
    ) -> Decision {
        let hash = presented.hash(&KEY).0;
        let mut holders = Vec::new();
        for entry in self.0.values() {
            let Entry::User(user) = entry else { continue };
            for (held, credential, lost) in &user.credentials {
                if **held == hash {
                    let holder = Holder {
                        credential: CredentialId::from_bytes(**credential),
                        user: UserId::from_bytes(*user.user),
                    };
                    holders.push((holder, self.judge(state, user, *lost == 1, door, now)));
                }
            }
        }
        holders.sort_unstable_by_key(|(holder, _)| *holder);
        if direction == Direction::Out {
            return Decision::WayOut(holders.first().map(|(holder, _)| *holder));
        }
        for (holder, judgement) in &holders {
            if let Ok(policy) = judgement {
                return Decision::Granted {
                    holder: *holder,
                    policy: *policy,
                };
            }
        }
        let mut refusal = Decision::Refused {
            reason: Reason::Unknown,
            holder: None,
        };
        let mut furthest = None;
        for (holder, judgement) in holders {
            if let Err(reason) = judgement
                && furthest.is_none_or(|before| reason > before)
            {
                furthest = Some(reason);
                refusal = Decision::Refused {
                    reason,
                    holder: Some(holder),
                };
            }
        }
        refusal
    }

    fn judge(
        &self,
        state: DoorState,
        user: &UserEntry,
        lost: bool,
        door: [u8; 16],
        now: Timestamp,
    ) -> Result<PolicyId, Reason> {
        let trusted = state.clock == ClockTrust::Trusted;
        let at = now.microseconds();
        let refusals = [
            (user.standing == 1, Reason::Deactivated),
            (
                trusted && user.starts.is_some_and(|starts| at < starts),
                Reason::NotStarted,
            ),
            (
                trusted && user.ends.is_some_and(|ends| at >= ends),
                Reason::Ended,
            ),
            (lost, Reason::Lost),
            (state.lockdown == Lockdown::On, Reason::LockedDown),
            (state.lease == Lease::Ended, Reason::CutOff),
        ];
        if let Some((_, reason)) = refusals.into_iter().find(|(applies, _)| *applies) {
            return Err(reason);
        }
        let Some(Entry::Door(place)) = self.get(EntryKind::Door, door) else {
            return Err(Reason::NoPolicy);
        };
        let mut reasons = Vec::new();
        for id in &user.policies {
            let Some(Entry::Policy(policy)) = self.get(EntryKind::Policy, **id) else {
                continue;
            };
            if !policy.doors.iter().any(|named| **named == door) {
                continue;
            }
            let bounded = user.starts.is_some() || user.ends.is_some();
            if !trusted && (bounded || policy.schedule.is_some()) {
                reasons.push(Reason::ClockNotTrusted);
                continue;
            }
            match &policy.schedule {
                None => return Ok(PolicyId::from_bytes(**id)),
                Some(schedule) => match self.hours(**schedule, *place.site, now) {
                    Ok(()) => return Ok(PolicyId::from_bytes(**id)),
                    Err(reason) => reasons.push(reason),
                },
            }
        }
        // Without a trusted clock the last policy's reason is given; holidays come before hours.
        Err(match reasons.last() {
            None => Reason::NoPolicy,
            Some(Reason::Schedule) if reasons.contains(&Reason::Holiday) => Reason::Holiday,
            Some(reason) => *reason,
        })
    }

    fn hours(&self, schedule: [u8; 16], site: [u8; 16], now: Timestamp) -> Result<(), Reason> {
        let (Some(Entry::Schedule(schedule)), Some(Entry::Site(site))) = (
            self.get(EntryKind::Schedule, schedule),
            self.get(EntryKind::Site, site),
        ) else {
            return Err(Reason::Schedule);
        };
        let mut offset = site.first_offset;
        for (from, later) in &site.changes {
            if now.seconds() >= *from {
                offset = *later;
            }
        }
        let minutes = (now.seconds() + i64::from(offset)).div_euclid(60);
        let today = minutes.div_euclid(1440);
        let is_holiday = |day: i64| {
            schedule
                .days
                .iter()
                .any(|holiday| i64::from(*holiday) == day)
        };
        // The windows that start on a day, as minutes since 1970.
        let windows = |day: i64| -> Vec<std::ops::Range<i64>> {
            let weekday = (day + 3).rem_euclid(7);
            let own = |(from, length): &(u16, u16)| {
                let start = day * 1440 + i64::from(*from % 1440);
                start..start + i64::from(*length)
            };
            if is_holiday(day) {
                return schedule.holiday.iter().map(own).collect();
            }
            let of_day = |(from, _): &&(u16, u16)| i64::from(*from / 1440) == weekday;
            schedule.weekly.iter().filter(of_day).map(own).collect()
        };
        let mut open = windows(today - 1).into_iter().chain(windows(today));
        if open.any(|window| window.contains(&minutes)) {
            Ok(())
        } else if is_holiday(today) {
            Err(Reason::Holiday)
        } else {
            Err(Reason::Schedule)
        }
    }
}

/// How many cases are generated every day, unless `cargo xtask deep` asks for more.
fn deep(every_day: u32) -> u32 {
    let asked = std::env::var("OFFGATE_DEEP_CASES").ok();
    asked
        .and_then(|number| number.parse().ok())
        .unwrap_or(every_day)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: deep(64), failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was put and deleted in whatever order, every answer is the one that the entries
    /// which are left give, and so is the hash.
    #[test]
    fn any_sequence_of_changes_leaves_what_its_entries_say(
        furniture in prop::collection::vec(any_furniture(), 0..24),
        steps in prop::collection::vec(any_step(), 0..400),
        moments in prop::collection::vec((any_state(), any_moment()), 8),
    ) {
        let (mut table, mut naive) = (Table::empty(KEY), Naive::default());
        let steps = furniture.into_iter().map(Step::Put).chain(steps);
        for (number, step) in steps.enumerate() {
            match step {
                Step::Put(entry) => {
                    naive.0.insert(entry.key(), entry.clone());
                    table.put(entry);
                }
                Step::Delete(key) => {
                    naive.0.remove(&key);
                    table.delete(key);
                }
            }
            // One card at every step, so that what goes wrong in between is seen as well.
            let (state, seconds) = moments[number % moments.len()];
            let one = (number % 60) as u8;
            let cards = if number % 100 == 99 { 0..60 } else { one..one + 1 };
            let now = Timestamp::from_seconds(seconds);
            for token in cards {
                for door in 0..3 {
                    for direction in [Direction::In, Direction::Out] {
                        let at = DoorId::from_bytes(id(1, door));
                        prop_assert_eq!(
                            admit(&table, state, &card(token), at, direction, now),
                            naive.admit(state, &card(token), id(1, door), direction, now)
                        );
                    }
                }
            }
        }
        let mut hash = TableHash::EMPTY;
        for entry in naive.0.values() {
            hash = hash.with(&KEY, &entry.encode());
        }
        prop_assert_eq!(table.hash(), hash);
        prop_assert_eq!(
            table.entries().map(|(key, bytes)| (*key, bytes.to_vec())).collect::<Vec<_>>(),
            naive.0.iter().map(|(key, entry)| (*key, entry.encode())).collect::<Vec<_>>()
        );
        let doors = naive.0.keys().filter(|key| key.kind == EntryKind::Door);
        prop_assert_eq!(
            table.doors().collect::<Vec<_>>(),
            doors.map(|key| DoorId::from_bytes(key.id)).collect::<Vec<_>>()
        );
    }
}
