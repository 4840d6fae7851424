//! The organisation that the tests are about, and its door table.

use std::collections::BTreeSet;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, AgentKey, AgentState, HashKey};
use offgate_core::change::{Change, Edit};
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::credential::{CardToken, DisplayNumber, NewCredential, NewMeans};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{
    AgentId, CredentialId, DoorId, GroupId, HolidayGroupId, PolicyId, ReaderId, ScheduleId, SiteId,
    UserId,
};
use offgate_core::memory::Memory;
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::pin::PinSalt;
use offgate_core::place::{Direction, Door, LeaseLength, Reader, Site, ZoneName};
use offgate_core::policy::{
    Day, Group, Holiday, HolidayGroup, HolidayHours, Policy, PolicyHours, Recurrence, Schedule,
    Weekday, Window,
};
use offgate_core::table::Table;
use offgate_core::table::admission::{Decision, DoorState, Presented, admit};
use offgate_core::table::compile::{self, Scope};
use offgate_core::table::entry::{Entry, EntryKey};
use offgate_core::text::{PersonName, Title};
use offgate_core::user::{AccessPeriod, Profile};

pub(crate) const SERVER: Actor = Actor::ServerCommandLine;
pub(crate) const SITE: SiteId = SiteId::from_bytes([1; 16]);
pub(crate) const SCHEDULE: ScheduleId = ScheduleId::from_bytes([2; 16]);
pub(crate) const HOLIDAYS: HolidayGroupId = HolidayGroupId::from_bytes([3; 16]);
pub(crate) const AGENT: AgentId = AgentId::from_bytes([4; 16]);
pub(crate) const SALT: PinSalt = PinSalt::from_bytes([5; 16]);

pub(crate) fn door_id(number: u8) -> DoorId {
    DoorId::from_bytes([10 + number; 16])
}
pub(crate) fn policy_id(number: u8) -> PolicyId {
    PolicyId::from_bytes([20 + number; 16])
}
pub(crate) fn group_id(number: u8) -> GroupId {
    GroupId::from_bytes([30 + number; 16])
}
pub(crate) fn user_id(number: u8) -> UserId {
    UserId::from_bytes([40 + number; 16])
}
pub(crate) fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}
pub(crate) fn window(from: u16, to: u16) -> Window {
    Window::new(from, to).expect("a window")
}
pub(crate) fn day(year: i16, month: i8, day: i8) -> Day {
    Day::from_date(year, month, day).expect("a date")
}

/// Two doors, one agent; policy 1 opens door 1 by the schedule, policy 2 door 2 always; group 2 is
/// inside group 1, which carries policy 1.
pub(crate) fn organisation(zone: &str, schedule: Schedule, holidays: Vec<Holiday>) -> Memory {
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

pub(crate) fn agent() -> Agent {
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

pub(crate) fn rich_schedule() -> Schedule {
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

pub(crate) fn rich_holidays() -> Vec<Holiday> {
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

pub(crate) fn card(number: u8) -> CardToken {
    CardToken::parse(&format!("CARD{number}")).expect("a token")
}

pub(crate) fn create(
    number: u8,
    groups: BTreeSet<GroupId>,
    policies: BTreeSet<PolicyId>,
) -> Command {
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

pub(crate) fn scope(memory: &Memory) -> Scope {
    match Scope::of(memory, &agent(), SALT) {
        Ok(scope) => scope,
        Err(never) => match never {},
    }
}

pub(crate) fn all_keys(memory: &Memory) -> BTreeSet<EntryKey> {
    let mut keys = scope(memory).furniture_keys();
    keys.extend(memory.users.keys().map(|user| EntryKey::user(*user)));
    keys
}

pub(crate) fn compiled(memory: &Memory, key: EntryKey) -> Option<Entry> {
    compile::entry(memory, &scope(memory), key).unwrap_or_else(|never| match never {})
}

pub(crate) fn snapshot(memory: &Memory) -> Table {
    let mut table = Table::empty(agent().hash_key);
    for key in all_keys(memory) {
        if let Some(entry) = compiled(memory, key) {
            table.put(entry);
        }
    }
    table
}

pub(crate) fn answer(table: &Table, user: u8, door: u8, now: Timestamp) -> Decision {
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
