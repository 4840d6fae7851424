//! The door's decision: a random card, known or not, at a random door in a random minute.
//!
//! The yardstick does the same work without looking anything up by the card: the keyed hash of
//! what was presented, and the bit of the minute in a schedule found by two array indices. No
//! table can do less.

use std::cell::Cell;
use std::hint::black_box;
use std::time::Duration;

use anyhow::Context as _;
use offgate_core::agent::HashKey;
use offgate_core::credential::CardToken;
use offgate_core::id::DoorId;
use offgate_core::parameters::Timestamp;
use offgate_core::place::Direction;
use offgate_core::table::Table;
use offgate_core::table::admission::{Decision, DoorState, Presented, admit};
use offgate_core::table::entry::{
    DoorEntry, Entry, PolicyEntry, ScheduleEntry, SiteEntry, UserEntry,
};

use super::random::Random;
use crate::harness::{Bound, Ratio, Report, Round, Unit, nanoseconds_each, take_turns};

const DOORS: usize = 100;
const POLICIES: usize = 200;
const SCHEDULES: usize = 63;
/// How many different sets of policies people have.
const PROFILES: usize = 2_000;
const WEEK: usize = 7 * 1440;
/// A Monday, 2026-06-01.
const MONDAY: i64 = 20_605 * 86_400;
const SLOT: Duration = Duration::from_millis(300);

pub(crate) fn run() -> anyhow::Result<Report> {
    let mut random = Random::new(1);
    let building = Building::new(&mut random);
    let (some, many) = (
        building.people(100_000, &mut random)?,
        building.people(1_000_000, &mut random)?,
    );
    let yardstick = Yardstick::new(&mut random);
    let measured = take_turns(vec![
        Box::new(|round| {
            let each = yardstick.measure(&some.known);
            round.record("the same work without the look-up", Unit::Nanoseconds, each);
            Ok(())
        }),
        Box::new(|round| {
            some.measure(round, &building, "a known card among 100,000", &some.known);
            Ok(())
        }),
        Box::new(|round| {
            let name = "an unknown card among 100,000";
            some.measure(round, &building, name, &some.unknown);
            Ok(())
        }),
        Box::new(|round| {
            many.measure(
                round,
                &building,
                "a known card among 1,000,000",
                &many.known,
            );
            Ok(())
        }),
        Box::new(|round| {
            let name = "an unknown card among 1,000,000";
            many.measure(round, &building, name, &many.unknown);
            Ok(())
        }),
    ])?;
    Ok(Report {
        measured,
        ratios: vec![
            Ratio {
                what: "a decision among 100,000 credentials beside the same without the look-up",
                of: "a known card among 100,000",
                beside: "the same work without the look-up",
                bound: Bound::AtMost {
                    goal: 2.5,
                    aim: 2.0,
                },
            },
            Ratio {
                what: "among 1,000,000",
                of: "a known card among 1,000,000",
                beside: "the same work without the look-up",
                bound: Bound::AtMost {
                    goal: 7.0,
                    aim: 5.0,
                },
            },
            Ratio {
                what: "an unknown card beside a known one, among 100,000",
                of: "an unknown card among 100,000",
                beside: "a known card among 100,000",
                bound: Bound::Open,
            },
            Ratio {
                what: "among 1,000,000",
                of: "an unknown card among 1,000,000",
                beside: "a known card among 1,000,000",
                bound: Bound::Open,
            },
        ],
    })
}

fn card(text: &str) -> anyhow::Result<Presented> {
    let token = CardToken::parse(text).context("a card")?;
    Ok(Presented::NfcCard(token))
}

/// Everything a table has but people.
struct Building {
    key: HashKey,
    doors: Vec<[u8; 16]>,
    furniture: Vec<Entry>,
    profiles: Vec<Vec<[u8; 16]>>,
}

impl Building {
    fn new(random: &mut Random) -> Self {
        let site = random.id();
        let doors: Vec<[u8; 16]> = (0..DOORS).map(|_| random.id()).collect();
        let schedules: Vec<[u8; 16]> = (0..SCHEDULES).map(|_| random.id()).collect();
        let policies: Vec<[u8; 16]> = (0..POLICIES).map(|_| random.id()).collect();
        let changes = (0..10).map(|number| {
            let at = MONDAY - 5_270_400 + number * 15_778_800;
            (at, if number % 2 == 0 { 7_200 } else { 3_600 })
        });
        let mut furniture = vec![Entry::Site(SiteEntry {
            site: site.into(),
            first_offset: 3_600,
            changes: changes.collect(),
        })];
        for door in &doors {
            furniture.push(Entry::Door(DoorEntry {
                door: (*door).into(),
                site: site.into(),
                lease_seconds: 259_200,
                readers: vec![(random.id().into(), 0)],
                when_cut_off: None,
            }));
        }
        for schedule in &schedules {
            let from = random.below(600) as u16;
            furniture.push(Entry::Schedule(ScheduleEntry {
                schedule: (*schedule).into(),
                weekly: (0..7).map(|day| (day * 1440 + from, 720)).collect(),
                holiday: vec![],
                days: (0..60).map(|number| 20_500 + number * 30).collect(),
            }));
        }
        for policy in &policies {
            let mut named: Vec<[u8; 16]> = (0..20).map(|_| doors[random.below(DOORS)]).collect();
            named.sort_unstable();
            named.dedup();
            furniture.push(Entry::Policy(PolicyEntry {
                policy: (*policy).into(),
                doors: named.into_iter().map(Into::into).collect(),
                schedule: Some(schedules[random.below(SCHEDULES)].into()),
            }));
        }
        let profiles = (0..PROFILES).map(|_| {
            let mut profile: Vec<_> = (0..3).map(|_| policies[random.below(POLICIES)]).collect();
            profile.sort_unstable();
            profile.dedup();
            profile
        });
        Self {
            key: HashKey::from_bytes([7; 32]),
            profiles: profiles.collect(),
            doors,
            furniture,
        }
    }

    /// A table with this many people, each with one card.
    fn people(&self, number: usize, random: &mut Random) -> anyhow::Result<People> {
        let mut table = Table::empty(self.key);
        for entry in &self.furniture {
            table.put(entry.clone());
        }
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for _ in 0..number {
            let presented = card(&format!("{:016X}", random.next()))?;
            table.put(Entry::User(UserEntry {
                user: random.id().into(),
                standing: 0,
                starts: None,
                ends: None,
                policies: self.profiles[random.below(PROFILES)]
                    .iter()
                    .map(|policy| (*policy).into())
                    .collect(),
                credentials: vec![(presented.hash(&self.key).0.into(), random.id().into(), 0)],
            }));
            known.push(presented);
            unknown.push(card(&format!("{:016X}", random.next()))?);
        }
        Ok(People {
            table,
            known,
            unknown,
            next: Cell::new(0),
        })
    }
}

/// A table, and cards in the order in which they were made, which is any order to the table.
struct People {
    table: Table,
    known: Vec<Presented>,
    unknown: Vec<Presented>,
    next: Cell<usize>,
}

impl People {
    fn measure(
        &self,
        round: &mut Round,
        building: &Building,
        name: &'static str,
        cards: &[Presented],
    ) {
        let mut random = Random::new(2);
        let each = nanoseconds_each(SLOT, 1_000, || {
            let presented = &cards[self.next.get() % cards.len()];
            let door = DoorId::from_bytes(building.doors[random.below(DOORS)]);
            let now = Timestamp::from_seconds(MONDAY + random.below(WEEK) as i64 * 60);
            let (table, state) = (&self.table, DoorState::ORDINARY);
            let decision = admit(table, state, presented, door, Direction::In, now);
            // Which card comes next depends on the answer, so that no two decisions overlap.
            let step = 1 + usize::from(matches!(decision, Decision::Granted { .. }));
            self.next.set(self.next.get() + step);
            black_box(decision);
        });
        round.record(name, Unit::Nanoseconds, each);
    }
}

/// The least that any table has to do.
struct Yardstick {
    key: HashKey,
    schedules: Vec<u8>,
    bits: Vec<[u64; WEEK.div_ceil(64)]>,
}

impl Yardstick {
    fn new(random: &mut Random) -> Self {
        let schedule = |random: &mut Random| random.below(SCHEDULES) as u8;
        let bits = |random: &mut Random| std::array::from_fn(|_| random.next());
        Self {
            key: HashKey::from_bytes([7; 32]),
            schedules: (0..PROFILES * DOORS).map(|_| schedule(random)).collect(),
            bits: (0..SCHEDULES).map(|_| bits(random)).collect(),
        }
    }

    fn measure(&self, cards: &[Presented]) -> f64 {
        let mut random = Random::new(3);
        let mut next = 0_usize;
        nanoseconds_each(SLOT, 1_000, || {
            let hash = cards[next % cards.len()].hash(&self.key);
            let profile = usize::from(hash.0[0]) << 3 | usize::from(hash.0[1] >> 5);
            let door = random.below(DOORS);
            let minute = random.below(WEEK);
            let schedule = self.schedules[profile % PROFILES * DOORS + door];
            let word = self.bits[usize::from(schedule)][minute / 64];
            let granted = word >> (minute % 64) & 1 == 1;
            next += 1 + usize::from(granted);
            black_box(granted);
        })
    }
}
