//! What a cut-off door does when its time is over: the rules for choosing it, the entry it becomes,
//! and whom the door admits then.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use offgate_core::Decision;
use offgate_core::actor::Actor;
use offgate_core::agent::HashKey;
use offgate_core::command::{Command, Expected, InitialPolicies, Unconfirmed};
use offgate_core::credential::CardToken;
use offgate_core::fail_mode::{EmergencyLimit, EmergencyList, FailMode};
use offgate_core::id::{
    CredentialId, DoorId, EmergencyListId, OperatorId, PolicyId, ReaderId, SiteId, UserId,
};
use offgate_core::longer_limit::LongerLimit;
use offgate_core::memory::Memory;
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::place::{Direction, Door, LeaseLength, Reader, Site, ZoneName};
use offgate_core::refusal::{Refusal, Thing};
use offgate_core::table::Table;
use offgate_core::table::admission::{self, DoorState, Lease, Presented, Reason, admit};
use offgate_core::table::entry::{DoorEntry, Entry, PolicyEntry, UserEntry, WhenCutOff};
use offgate_core::text::{Note, PersonName, Title};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile};

const SERVER: Actor = Actor::ServerCommandLine;
const SITE: SiteId = SiteId::from_bytes([1; 16]);
const LIST: EmergencyListId = EmergencyListId::from_bytes([2; 16]);
const DOOR: DoorId = DoorId::from_bytes([3; 16]);

fn now() -> Timestamp {
    Timestamp::from_seconds(1_767_225_600)
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([40 + number; 16])
}

fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}

fn door(fail_mode: FailMode) -> Door {
    Door {
        id: DOOR,
        revision: Revision::ZERO,
        site: SITE,
        name: title("Front door"),
        agent: None,
        lease: LeaseLength::RESTRICTED,
        fail_mode,
        readers: vec![Reader {
            id: ReaderId::from_bytes([4; 16]),
            direction: Direction::In,
        }],
    }
}

fn list(people: &[u8], limit_seconds: u32) -> EmergencyList {
    EmergencyList {
        id: LIST,
        revision: Revision::ZERO,
        name: title("Key holders"),
        people: people.iter().copied().map(user).collect(),
        limit: EmergencyLimit::from_seconds(limit_seconds).expect("a limit"),
    }
}

/// A site with three people.
fn organisation() -> Memory {
    let mut memory = Memory::default();
    let site = Command::CreateSite(Site {
        id: SITE,
        revision: Revision::ZERO,
        name: title("Site"),
        zone: ZoneName::parse("UTC").expect("a zone"),
        default_policy: None,
    });
    accept(&mut memory, &site);
    for number in 1..=3 {
        let person = Command::CreateUser {
            user: user(number),
            profile: Profile {
                first_name: PersonName::parse("Ada").expect("a name"),
                last_name: PersonName::parse("Berg").expect("a name"),
                preferred_name: None,
                email: None,
                phone: None,
                employee_number: None,
            },
            access: AccessPeriod::default(),
            groups: BTreeSet::new(),
            policies: InitialPolicies::Chosen(BTreeSet::new()),
            credentials: Vec::new(),
        };
        accept(&mut memory, &person);
    }
    memory
}

fn accept(memory: &mut Memory, command: &Command) {
    let decision = memory.execute(SERVER, command, now());
    assert!(matches!(decision, Decision::Accepted(_)), "{decision:?}");
}

fn refused(memory: &mut Memory, command: &Command) -> Refusal {
    let before = memory.clone();
    let decision = memory.execute(SERVER, command, now());
    assert_eq!(*memory, before, "a refusal changes nothing");
    match decision {
        Decision::Refused(refusal, _) => refusal,
        Decision::Accepted(_) => panic!("accepted {command:?}"),
    }
}

const DAY: u32 = 24 * 3600;

/// What rows and the command line say, and what an operator may choose.
#[test]
fn fail_modes_have_their_names_and_emergency_limits_their_bounds() {
    let names = [
        (FailMode::EmergencyList(LIST), "emergency-list"),
        (FailMode::RefuseAll, "refuse-all"),
        (FailMode::KeepLastTable, "keep-last-table"),
    ];
    for (mode, name) in names {
        assert_eq!(mode.name(), name);
    }
    let days = |days: u64| Duration::from_secs(days * 86_400);
    assert_eq!(EmergencyLimit::ORDINARY.duration(), days(14));
    for (seconds, is_a_limit) in [
        (0, false),
        (59, false),
        (60, true),
        (7_776_000, true),
        (7_776_001, false),
        (u32::MAX, false),
    ] {
        let limit = EmergencyLimit::from_seconds(seconds);
        assert_eq!(
            limit.map(EmergencyLimit::seconds),
            is_a_limit.then_some(seconds)
        );
    }
}

#[test]
fn a_list_has_two_people_at_least_and_outlasts_the_lease() {
    let mut memory = organisation();
    for (command, expected) in [
        (
            Command::CreateEmergencyList(list(&[1], DAY)),
            Refusal::EmergencyListTooShort,
        ),
        (
            Command::CreateEmergencyList(list(&[1, 9], DAY)),
            Refusal::NotFound(Thing::User),
        ),
        (
            Command::CreateDoor(door(FailMode::EmergencyList(LIST))),
            Refusal::NotFound(Thing::EmergencyList),
        ),
    ] {
        assert_eq!(refused(&mut memory, &command), expected);
    }
    accept(
        &mut memory,
        &Command::CreateEmergencyList(list(&[1, 2], DAY)),
    );
    let patient = Door {
        lease: LeaseLength::ORDINARY,
        ..door(FailMode::EmergencyList(LIST))
    };
    assert_eq!(
        refused(&mut memory, &Command::CreateDoor(patient)),
        Refusal::EmergencyLimitTooShort
    );
    accept(
        &mut memory,
        &Command::CreateDoor(door(FailMode::EmergencyList(LIST))),
    );
    for (command, expected) in [
        (
            Command::EditEmergencyList(list(&[1, 2], 3600), Expected::Whatever),
            Refusal::EmergencyLimitTooShort,
        ),
        (
            Command::DeleteEmergencyList(LIST),
            Refusal::InUse {
                by: Thing::Door,
                count: 1,
            },
        ),
    ] {
        assert_eq!(refused(&mut memory, &command), expected);
    }
}

#[test]
fn whoever_is_removed_leaves_the_list_and_whoever_comes_back_is_on_it() {
    let mut memory = organisation();
    accept(
        &mut memory,
        &Command::CreateEmergencyList(list(&[1, 2], DAY)),
    );
    let deactivate = Command::DeactivateUser {
        user: user(1),
        reason: DeactivationReason::LeftTheOrganisation,
        note: None,
        employment_ended_at: None,
    };
    accept(&mut memory, &deactivate);
    let people = |memory: &Memory| memory.emergency_lists[&LIST].people.clone();
    assert_eq!(people(&memory), BTreeSet::from([user(1), user(2)]));
    accept(&mut memory, &Command::ReactivateUser { user: user(1) });
    assert_eq!(people(&memory), BTreeSet::from([user(1), user(2)]));
    accept(&mut memory, &deactivate);
    accept(
        &mut memory,
        &Command::RemoveUser {
            user: user(1),
            unconfirmed: Unconfirmed::Wait,
        },
    );
    assert_eq!(people(&memory), BTreeSet::from([user(2)]));
    // What is left can be chosen for no other door.
    assert_eq!(
        refused(
            &mut memory,
            &Command::CreateDoor(door(FailMode::EmergencyList(LIST)))
        ),
        Refusal::EmergencyListTooShort
    );
}

/// A table in which everybody may always open the door.
fn table(when_cut_off: Option<WhenCutOff>) -> Table {
    let policy = PolicyId::from_bytes([5; 16]);
    let key = HashKey::from_bytes([6; 32]);
    let mut table = Table::empty(key);
    table.put(Entry::Door(DoorEntry {
        door: (*DOOR.as_bytes()).into(),
        site: (*SITE.as_bytes()).into(),
        lease_seconds: 100,
        readers: Vec::new(),
        when_cut_off,
    }));
    table.put(Entry::Policy(PolicyEntry {
        policy: (*policy.as_bytes()).into(),
        doors: vec![(*DOOR.as_bytes()).into()],
        schedule: None,
    }));
    for number in 1..=3 {
        table.put(Entry::User(UserEntry {
            user: (*user(number).as_bytes()).into(),
            standing: u8::from(number == 3),
            starts: None,
            ends: None,
            policies: vec![(*policy.as_bytes()).into()],
            credentials: vec![(card(number).hash(&key).0.into(), [number; 16].into(), 0)],
        }));
    }
    table
}

fn card(number: u8) -> Presented {
    Presented::NfcCard(CardToken::parse(&format!("CARD{number}")).expect("a token"))
}

#[test]
fn a_door_whose_time_is_over_does_what_was_chosen_for_it() {
    let on_list = Some(WhenCutOff::EmergencyList {
        limit_seconds: 500,
        // One of them is deactivated, and stays refused.
        people: [1, 3]
            .map(|number| (*user(number).as_bytes()).into())
            .to_vec(),
    });
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (when_cut_off, unheard, lease, admitted) in [
        (None, seconds(99), Lease::Running, vec![1, 2]),
        (None, seconds(100), Lease::Ended, vec![]),
        (None, None, Lease::Ended, vec![]),
        (on_list.clone(), seconds(99), Lease::Running, vec![1, 2]),
        (
            on_list.clone(),
            seconds(100),
            Lease::EmergencyListOnly,
            vec![1],
        ),
        (
            on_list.clone(),
            seconds(499),
            Lease::EmergencyListOnly,
            vec![1],
        ),
        (on_list.clone(), seconds(500), Lease::Ended, vec![]),
        // Nobody knows how long ago the server was heard: the list's limit counts for nothing.
        (on_list, None, Lease::Ended, vec![]),
        (
            Some(WhenCutOff::KeepLastTable),
            seconds(100_000),
            Lease::Running,
            vec![1, 2],
        ),
        (
            Some(WhenCutOff::KeepLastTable),
            None,
            Lease::Running,
            vec![1, 2],
        ),
    ] {
        let table = table(when_cut_off.clone());
        let case = format!("{when_cut_off:?} unheard for {unheard:?}");
        assert_eq!(table.lease_after(DOOR, unheard), lease, "{case}");
        let state = DoorState {
            lease,
            ..DoorState::ORDINARY
        };
        let mut opened = Vec::new();
        for number in 1..=3 {
            match admit(&table, state, &card(number), DOOR, Direction::In, now()) {
                admission::Decision::Granted { holder, .. } => {
                    assert_eq!(holder.credential, CredentialId::from_bytes([number; 16]));
                    opened.push(number);
                }
                admission::Decision::Refused { reason, .. } => {
                    let expected = match number {
                        3 => Reason::Deactivated,
                        _ => Reason::CutOff,
                    };
                    assert_eq!(reason, expected, "{case}, person {number}");
                }
                admission::Decision::WayOut(_) => panic!("a way in"),
            }
        }
        assert_eq!(opened, admitted, "{case}");
    }
    let elsewhere = DoorId::from_bytes([9; 16]);
    assert_eq!(
        table(Some(WhenCutOff::KeepLastTable)).lease_after(elsewhere, seconds(1)),
        Lease::Ended
    );
}

#[test]
fn settings_without_a_fail_mode_have_the_bytes_they_always_had() {
    let entry = |when_cut_off| {
        Entry::Door(DoorEntry {
            door: [1; 16].into(),
            site: [2; 16].into(),
            lease_seconds: 100,
            readers: Vec::new(),
            when_cut_off,
        })
    };
    let plain = entry(None).encode();
    // [2, [door, site, 100, []]]: four fields.
    assert_eq!(plain[..3], [0x82, 0x02, 0x84]);
    for when_cut_off in [
        None,
        Some(WhenCutOff::KeepLastTable),
        Some(WhenCutOff::EmergencyList {
            limit_seconds: 500,
            people: vec![[1; 16].into(), [2; 16].into()],
        }),
    ] {
        let entry = entry(when_cut_off);
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }
    let unsorted = entry(Some(WhenCutOff::EmergencyList {
        limit_seconds: 500,
        people: vec![[2; 16].into(), [1; 16].into()],
    }));
    assert!(Entry::decode(&unsorted.encode()).is_err());
}

fn longer(lease_seconds: u32, until: u64) -> Command {
    Command::LengthenLimit(LongerLimit {
        door: DOOR,
        lease: LeaseLength::from_seconds(lease_seconds).expect("a length"),
        until: now().plus(Duration::from_secs(until)),
        reason: Note::parse("moving the server").expect("a note"),
    })
}

#[test]
fn a_longer_limit_is_longer_ends_and_never_outlasts_an_emergency_list() {
    let mut memory = organisation();
    let (hour, day) = (3600, 24 * 3600);
    let again = longer(day, hour.into());
    assert_eq!(refused(&mut memory, &again), Refusal::NotFound(Thing::Door));
    accept(&mut memory, &Command::CreateDoor(door(FailMode::RefuseAll)));
    // The door works on its own for twelve hours.
    for (lease, until, expected) in [
        (12 * hour, u64::from(hour), Refusal::LimitNotLonger),
        (day, 0, Refusal::LongerLimitEnd),
        (day, u64::from(31 * day) + 1, Refusal::LongerLimitEnd),
    ] {
        assert_eq!(refused(&mut memory, &longer(lease, until)), expected);
    }
    let operator = Actor::Operator(OperatorId::from_bytes([9; 16]));
    let early = Command::LongerLimitOver(DOOR);
    assert!(matches!(
        memory.execute(operator, &early, now()),
        Decision::Refused(..)
    ));
    accept(&mut memory, &again);
    assert_eq!(
        memory.execute(SERVER, &again, now()),
        Decision::Accepted(Vec::new()),
        "the same again changes nothing"
    );
    // Neither a list nor a change of the door may cut it short.
    accept(
        &mut memory,
        &Command::CreateEmergencyList(list(&[1, 2], 20 * hour)),
    );
    let listed = Command::EditDoor(door(FailMode::EmergencyList(LIST)), Expected::Whatever);
    assert_eq!(
        refused(&mut memory, &listed),
        Refusal::EmergencyLimitTooShort
    );
    accept(
        &mut memory,
        &Command::EditEmergencyList(list(&[1, 2], 30 * hour), Expected::Whatever),
    );
    accept(&mut memory, &listed);
    assert_eq!(
        refused(
            &mut memory,
            &Command::EditEmergencyList(list(&[1, 2], 20 * hour), Expected::Whatever)
        ),
        Refusal::EmergencyLimitTooShort
    );
    assert_eq!(
        refused(&mut memory, &longer(30 * hour, 60)),
        Refusal::EmergencyLimitTooShort
    );
    // Its moment comes; one that was set anew meanwhile goes on.
    accept(&mut memory, &longer(25 * hour, u64::from(2 * hour)));
    let at = |seconds: u32| now().plus(Duration::from_secs(seconds.into()));
    assert_eq!(
        memory.execute(Actor::Schedule, &early, at(hour)),
        Decision::Accepted(Vec::new())
    );
    let ended = memory.execute(Actor::Schedule, &early, at(2 * hour));
    assert!(
        matches!(&ended, Decision::Accepted(changes) if changes.len() == 1),
        "{ended:?}"
    );
    assert!(memory.longer_limits.is_empty());
}
