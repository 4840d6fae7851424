//! A door's table and decision: against a naive reading of the policies, in any order, and under
//! any sequence of commands.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;
use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, AgentKey, AgentState, HashKey};
use offgate_core::change::{Change, Edit};
use offgate_core::command::{Command, Expected, InitialPolicies, Unconfirmed};
use offgate_core::credential::{CardToken, DisplayNumber, NewCredential, NewMeans};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{
    AgentId, CredentialId, DoorGroupId, DoorId, GroupId, HolidayGroupId, PolicyId, ReaderId,
    ScheduleId, SiteId, UserId,
};
use offgate_core::memory::Memory;
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::pin::{PinDigest, PinSalt};
use offgate_core::place::{Direction, Door, DoorGroup, LeaseLength, Reader, Site, ZoneName};
use offgate_core::policy::{
    Day, Group, Holiday, HolidayGroup, HolidayHours, Policy, PolicyHours, Recurrence, Schedule,
    Weekday, Window,
};
use offgate_core::table::Table;
use offgate_core::table::admission::{
    ClockTrust, Decision, DoorState, Keypad, Lease, Lockdown, Presented, Reason, admit,
};
use offgate_core::table::compile::{self, Places, Scope, Touched};
use offgate_core::table::entry::{Entry, EntryKey, TableHash, UserEntry};
use offgate_core::text::{PersonName, Title};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile};
use proptest::prelude::*;

const SERVER: Actor = Actor::ServerCommandLine;
const SITE: SiteId = SiteId::from_bytes([1; 16]);
const SCHEDULE: ScheduleId = ScheduleId::from_bytes([2; 16]);
const HOLIDAYS: HolidayGroupId = HolidayGroupId::from_bytes([3; 16]);
const AGENT: AgentId = AgentId::from_bytes([4; 16]);
const SALT: PinSalt = PinSalt::from_bytes([5; 16]);

fn door_id(number: u8) -> DoorId {
    DoorId::from_bytes([10 + number; 16])
}
fn policy_id(number: u8) -> PolicyId {
    PolicyId::from_bytes([20 + number; 16])
}
fn group_id(number: u8) -> GroupId {
    GroupId::from_bytes([30 + number; 16])
}
fn user_id(number: u8) -> UserId {
    UserId::from_bytes([40 + number; 16])
}
fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}
fn window(from: u16, to: u16) -> Window {
    Window::new(from, to).expect("a window")
}
fn day(year: i16, month: i8, day: i8) -> Day {
    Day::from_date(year, month, day).expect("a date")
}

/// Two doors, one agent; policy 1 opens door 1 by the schedule, policy 2 door 2 always; group 2 is
/// inside group 1, which carries policy 1.
fn organisation(zone: &str, schedule: Schedule, holidays: Vec<Holiday>) -> Memory {
    let mut memory = Memory {
        calendars_from: 2026,
        ..Memory::default()
    };
    let now = Timestamp::from_seconds(1_767_225_600);
    let door = |number: u8| Door {
        id: door_id(number),
        revision: Revision::ZERO,
        site: SITE,
        name: title(&format!("Door {number}")),
        agent: None,
        lease: LeaseLength::ORDINARY,
        fail_mode: FailMode::RefuseAll,
        readers: vec![
            Reader {
                id: ReaderId::from_bytes([50 + number; 16]),
                direction: Direction::In,
            },
            Reader {
                id: ReaderId::from_bytes([60 + number; 16]),
                direction: Direction::Out,
            },
        ],
    };
    let policy = |number: u8, hours| Policy {
        id: policy_id(number),
        revision: Revision::ZERO,
        name: title(&format!("Policy {number}")),
        doors: BTreeSet::from([door_id(number)]),
        door_groups: BTreeSet::new(),
        hours,
    };
    let group = |number: u8, parent, policies| Group {
        id: group_id(number),
        revision: Revision::ZERO,
        name: title(&format!("Group {number}")),
        parent,
        policies,
    };
    for command in [
        Command::CreateSite(Site {
            id: SITE,
            revision: Revision::ZERO,
            name: title("Site"),
            zone: ZoneName::parse(zone).expect("a zone"),
            default_policy: None,
        }),
        Command::CreateHolidayGroup(HolidayGroup {
            id: HOLIDAYS,
            revision: Revision::ZERO,
            name: title("Holidays"),
            holidays,
        }),
        Command::CreateSchedule(schedule),
        Command::CreateDoor(door(1)),
        Command::CreateDoor(door(2)),
        Command::CreatePolicy(policy(1, PolicyHours::Scheduled(SCHEDULE))),
        Command::CreatePolicy(policy(2, PolicyHours::Always)),
        Command::CreateGroup(group(1, None, BTreeSet::from([policy_id(1)]))),
        Command::CreateGroup(group(2, Some(group_id(1)), BTreeSet::new())),
    ] {
        let decision = memory.execute(SERVER, &command, now);
        assert!(
            matches!(decision, offgate_core::Decision::Accepted(_)),
            "{decision:?}"
        );
    }
    memory.agents.insert(AGENT, agent());
    for number in [1, 2] {
        let before = memory.doors[&door_id(number)].clone();
        let after = Door {
            agent: Some(AGENT),
            ..before.clone()
        };
        let change = Change::Door(Edit::Changed(Box::new(before), Box::new(after)));
        memory.apply(SERVER, &change, now);
    }
    memory
}

fn agent() -> Agent {
    Agent {
        id: AGENT,
        revision: Revision::ZERO,
        name: title("Agent"),
        key: AgentKey([6; 32]),
        hash_key: HashKey::from_bytes([7; 32]),
        enrolled_at: Timestamp::from_seconds(0),
        state: AgentState::Enrolled,
    }
}

fn rich_schedule() -> Schedule {
    Schedule {
        id: SCHEDULE,
        revision: Revision::ZERO,
        name: title("Hours"),
        weekly: vec![
            (Weekday::Monday, window(8 * 60, 17 * 60 + 30)),
            (Weekday::Tuesday, window(1, 2)),
            (Weekday::Wednesday, window(22 * 60, 6 * 60)),
            (Weekday::Saturday, window(23 * 60 + 59, 3 * 60)),
            (Weekday::Sunday, window(0, 1440)),
        ],
        holidays: Some(HolidayHours {
            group: HOLIDAYS,
            windows: vec![window(10 * 60, 12 * 60), window(23 * 60, 60)],
        }),
    }
}

fn rich_holidays() -> Vec<Holiday> {
    let holiday = |name: &str, first, last, recurrence| Holiday {
        name: title(name),
        first,
        last,
        recurrence,
    };
    vec![
        holiday(
            "New Year",
            day(2020, 1, 1),
            day(2020, 1, 1),
            Recurrence::EveryYear,
        ),
        holiday(
            "Year's end",
            day(2019, 12, 30),
            day(2020, 1, 2),
            Recurrence::EveryYear,
        ),
        holiday(
            "Leap day",
            day(2024, 2, 29),
            day(2024, 2, 29),
            Recurrence::EveryYear,
        ),
        holiday(
            "Clock change",
            day(2026, 3, 29),
            day(2026, 3, 29),
            Recurrence::Once,
        ),
        holiday(
            "A Thursday",
            day(2026, 5, 14),
            day(2026, 5, 14),
            Recurrence::Once,
        ),
    ]
}

fn card(number: u8) -> CardToken {
    CardToken::parse(&format!("CARD{number}")).expect("a token")
}

fn create(number: u8, groups: BTreeSet<GroupId>, policies: BTreeSet<PolicyId>) -> Command {
    let name = PersonName::parse("Name").expect("a name");
    Command::CreateUser {
        user: user_id(number),
        profile: Profile {
            first_name: name.clone(),
            last_name: name,
            preferred_name: None,
            email: None,
            phone: None,
            employee_number: None,
        },
        access: AccessPeriod::default(),
        groups,
        policies: InitialPolicies::Chosen(policies),
        credentials: vec![NewCredential {
            id: CredentialId::from_bytes([70 + number; 16]),
            label: None,
            means: NewMeans::NfcCard {
                token: card(number),
                display_number: DisplayNumber::of_token(&card(number)),
            },
        }],
    }
}

fn scope(memory: &Memory) -> Scope {
    match Scope::of(memory, &agent(), SALT) {
        Ok(scope) => scope,
        Err(never) => match never {},
    }
}

fn all_keys(memory: &Memory) -> BTreeSet<EntryKey> {
    let mut keys = scope(memory).furniture_keys();
    keys.extend(memory.users.keys().map(|user| EntryKey::user(*user)));
    keys
}

fn compiled(memory: &Memory, key: EntryKey) -> Option<Entry> {
    compile::entry(memory, &scope(memory), key).unwrap_or_else(|never| match never {})
}

fn snapshot(memory: &Memory) -> Table {
    let mut table = Table::empty(agent().hash_key);
    for key in all_keys(memory) {
        if let Some(entry) = compiled(memory, key) {
            table.put(entry);
        }
    }
    table
}

fn answer(table: &Table, user: u8, door: u8, now: Timestamp) -> Decision {
    let presented = Presented::NfcCard(card(user));
    admit(
        table,
        DoorState::ORDINARY,
        &presented,
        door_id(door),
        Direction::In,
        now,
    )
}

/// The schedule read as a person would, on the zone's own calendar.
fn naive(schedule: &Schedule, holidays: &[Holiday], zone: &TimeZone, now: Timestamp) -> bool {
    let local = jiff::Timestamp::from_second(now.seconds())
        .expect("in range")
        .to_zoned(zone.clone());
    let minute = local.hour() as u16 * 60 + local.minute() as u16;
    let is_holiday = |date: civil::Date| {
        holidays.iter().any(|holiday| {
            let civil = |day: Day| {
                let (year, month, day) = day.date();
                civil::date(year, month, day)
            };
            let (first, last) = (civil(holiday.first), civil(holiday.last));
            let span = last - first;
            match holiday.recurrence {
                Recurrence::Once => first <= date && date <= last,
                Recurrence::EveryYear => [date.year() - 1, date.year()].into_iter().any(|year| {
                    year >= first.year()
                        && civil::Date::new(year, first.month(), first.day())
                            .is_ok_and(|start| start <= date && date <= start + span)
                }),
            }
        })
    };
    let windows = |date: civil::Date| -> Vec<Window> {
        if let Some(hours) = &schedule.holidays
            && is_holiday(date)
        {
            return hours.windows.clone();
        }
        let weekday = Weekday::ALL[date.weekday().to_monday_zero_offset() as usize];
        schedule
            .weekly
            .iter()
            .filter(|(day, _)| *day == weekday)
            .map(|(_, window)| *window)
            .collect()
    };
    let today = windows(local.date()).into_iter().any(|window| {
        minute >= window.from() && (minute < window.to() || window.to() <= window.from())
    });
    let yesterday = windows(local.date().yesterday().expect("in range"))
        .into_iter()
        .any(|window| window.to() <= window.from() && minute < window.to());
    today || yesterday
}

/// Whether somebody may open a door, read off the policies as a person would: their own, and those
/// of their groups and of every group around those.
fn naive_grant(memory: &Memory, user: u8, door: u8, zone: &TimeZone, now: Timestamp) -> bool {
    let Some(offgate_core::user::UserRecord::Present(user)) = memory.users.get(&user_id(user))
    else {
        return false;
    };
    let mut held = user.policies.clone();
    for group in &user.groups {
        let mut around = Some(*group);
        while let Some(group) = around {
            held.extend(&memory.groups[&group].policies);
            around = memory.groups[&group].parent;
        }
    }
    let inside = user.access.starts.is_none_or(|starts| starts <= now)
        && user.access.ends.is_none_or(|ends| now < ends);
    inside
        && held.iter().any(|policy| {
            let policy = &memory.policies[policy];
            let by_group = policy
                .door_groups
                .iter()
                .any(|group| memory.door_groups[group].doors.contains(&door_id(door)));
            let holidays = &memory.holiday_groups[&HOLIDAYS].holidays;
            (policy.doors.contains(&door_id(door)) || by_group)
                && match policy.hours {
                    PolicyHours::Always => true,
                    PolicyHours::Scheduled(schedule) => {
                        naive(&memory.schedules[&schedule], holidays, zone, now)
                    }
                }
        })
}

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
