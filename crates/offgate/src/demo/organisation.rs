//! The organisation of the demo: a house with workshops, made by the same commands that everybody
//! uses.

use std::collections::{BTreeMap, BTreeSet};

use offgate_core::actor::Actor;
use offgate_core::command::Expected;
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::credential::{
    CardToken, DisplayNumber, NewCredential, NewMeans, Plate, PlateSharing,
};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{
    CommandId, CredentialId, DoorGroupId, DoorId, GroupId, HolidayGroupId, OperatorId, PolicyId,
    ReaderId, ScheduleId, SiteId, UserId,
};
use offgate_core::operator::{Operator, OperatorState, Role};
use offgate_core::parameters::{Randomness, Revision};
use offgate_core::pin::{Pin, PinCandidate, PinSalt};
use offgate_core::place::{Direction, Door, DoorGroup, LeaseLength, Reader, Site, ZoneName};
use offgate_core::policy::{
    Day, Group, Holiday, HolidayGroup, HolidayHours, Policy, PolicyHours, Recurrence, Schedule,
    Weekday, Window,
};
use offgate_core::text::{Email, EmployeeNumber, PersonName, TextError, Title, fold};
use offgate_core::user::{AccessPeriod, Profile};
use offgate_store::{Outcome, Store};

use super::people::{PEOPLE, POOL_CAR, Person};
use crate::exit::Failure;

/// How long doors of the demo work on their own, in seconds: short enough to watch.
pub(super) const WORKS_ALONE_SECONDS: u32 = 60;

/// An agent of the demo, and the doors it decides for.
pub(super) const AGENTS: [(&str, &[&str]); 3] = [
    ("Entrance", &["Front door", "Back door"]),
    ("Workshop wing", &["Workshop"]),
    ("Server room", &["Server room"]),
];

/// Each door, and whether it has a reader on the way out as well.
pub(super) const DOORS: [(&str, &[Direction]); 4] = [
    ("Front door", &[Direction::In, Direction::Out]),
    ("Back door", &[Direction::In]),
    ("Workshop", &[Direction::In]),
    ("Server room", &[Direction::In, Direction::Out]),
];

/// With what the owner of the demo signs in, if not by a link.
pub(super) const OWNER: &str = "owner@harbour-works.example";

const MONDAY_TO_FRIDAY: [Weekday; 5] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
];

/// Whoever founds the organisation.
struct Founder<'a> {
    store: &'a Store,
    randomness: &'a dyn Randomness,
    salt: PinSalt,
}

/// Makes everything, once. The owner signs in with `password`, if not by a link.
pub(super) fn found(
    store: &Store,
    randomness: &dyn Randomness,
    password: &str,
) -> Result<(), Failure> {
    let founder = Founder {
        store,
        randomness,
        salt: store.identity().pin_salt,
    };
    let site = founder.site()?;
    let doors = founder.doors(site.id)?;
    let policies = founder.policies(&doors)?;
    let with_default = Site {
        default_policy: policies.get("Common doors").copied(),
        ..site
    };
    founder.carry_out(Command::EditSite(with_default, Expected::Whatever))?;
    let groups = founder.groups(&policies)?;
    for (number, person) in PEOPLE.iter().enumerate() {
        founder.person(number, person, &groups)?;
    }
    founder.owner(password)
}

impl Founder<'_> {
    fn carry_out(&self, command: Command) -> Result<(), Failure> {
        let id = CommandId::random(self.randomness);
        match self
            .store
            .execute_blocking(id, Actor::ServerCommandLine, command)?
        {
            Outcome::Done { .. } => Ok(()),
            Outcome::Refused(refusal) => Err(refusal.into()),
        }
    }

    fn owner(&self, password: &str) -> Result<(), Failure> {
        let id = OperatorId::random(self.randomness);
        self.carry_out(Command::CreateOperator(Operator {
            id,
            revision: Revision::ZERO,
            name: title("Demo owner")?,
            email: read(Email::parse(OWNER))?,
            role: Role::Owner,
            user: None,
            password: None,
            state: OperatorState::Open,
        }))?;
        let password = offgate_server::password_hash(password, self.randomness);
        self.carry_out(Command::SetPassword(id, password))
    }

    fn site(&self) -> Result<Site, Failure> {
        let site = Site {
            id: SiteId::random(self.randomness),
            revision: Revision::ZERO,
            name: title("Harbour Works, Hamburg")?,
            zone: read(ZoneName::parse("Europe/Berlin"))?,
            default_policy: None,
        };
        self.carry_out(Command::CreateSite(site.clone()))?;
        Ok(site)
    }

    fn doors(&self, site: SiteId) -> Result<BTreeMap<&'static str, DoorId>, Failure> {
        let lease =
            LeaseLength::from_seconds(WORKS_ALONE_SECONDS).unwrap_or(LeaseLength::HIGH_SECURITY);
        let mut doors = BTreeMap::new();
        for (name, ways) in DOORS {
            let reader = |direction: &Direction| Reader {
                id: ReaderId::random(self.randomness),
                direction: *direction,
            };
            let door = Door {
                id: DoorId::random(self.randomness),
                revision: Revision::ZERO,
                site,
                name: title(name)?,
                agent: None,
                lease,
                fail_mode: FailMode::RefuseAll,
                readers: ways.iter().map(reader).collect(),
            };
            doors.insert(name, door.id);
            self.carry_out(Command::CreateDoor(door))?;
        }
        Ok(doors)
    }

    fn policies(
        &self,
        doors: &BTreeMap<&'static str, DoorId>,
    ) -> Result<BTreeMap<&'static str, PolicyId>, Failure> {
        let common = self.door_group("Common doors", doors, &["Front door", "Back door"])?;
        let rooms = self.door_group(
            "Rooms with a lock of their own",
            doors,
            &["Workshop", "Server room"],
        )?;
        let holidays = self.holidays()?;
        let office = self.schedule("Office hours", &MONDAY_TO_FRIDAY, (7, 19), Some(holidays))?;
        let evenings = self.schedule("Evenings", &MONDAY_TO_FRIDAY, (17, 22), Some(holidays))?;
        let daily = self.schedule("Every day, early to late", &Weekday::ALL, (5, 24), None)?;
        let mut policies = BTreeMap::new();
        for (name, group, door, hours) in [
            ("Common doors", Some(common), None, PolicyHours::Always),
            (
                "Common doors in office hours",
                Some(common),
                None,
                PolicyHours::Scheduled(office),
            ),
            (
                "Common doors in the evening",
                Some(common),
                None,
                PolicyHours::Scheduled(evenings),
            ),
            (
                "Workshop",
                None,
                doors.get("Workshop"),
                PolicyHours::Scheduled(daily),
            ),
            (
                "Server room",
                None,
                doors.get("Server room"),
                PolicyHours::Always,
            ),
            (
                "All rooms in office hours",
                Some(rooms),
                None,
                PolicyHours::Scheduled(office),
            ),
        ] {
            let policy = Policy {
                id: PolicyId::random(self.randomness),
                revision: Revision::ZERO,
                name: title(name)?,
                doors: door.into_iter().copied().collect(),
                door_groups: group.into_iter().collect(),
                hours,
            };
            policies.insert(name, policy.id);
            self.carry_out(Command::CreatePolicy(policy))?;
        }
        Ok(policies)
    }

    fn door_group(
        &self,
        name: &str,
        doors: &BTreeMap<&'static str, DoorId>,
        members: &[&str],
    ) -> Result<DoorGroupId, Failure> {
        let id = DoorGroupId::random(self.randomness);
        self.carry_out(Command::CreateDoorGroup(DoorGroup {
            id,
            revision: Revision::ZERO,
            name: title(name)?,
            doors: members
                .iter()
                .filter_map(|door| doors.get(door))
                .copied()
                .collect(),
        }))?;
        Ok(id)
    }

    fn holidays(&self) -> Result<HolidayGroupId, Failure> {
        let id = HolidayGroupId::random(self.randomness);
        let mut holidays = Vec::new();
        for (name, first, last) in [
            ("New Year", "2026-01-01", "2026-01-01"),
            ("Labour Day", "2026-05-01", "2026-05-01"),
            ("Day of Unity", "2026-10-03", "2026-10-03"),
            ("Reformation Day", "2026-10-31", "2026-10-31"),
            ("Christmas", "2026-12-24", "2026-12-26"),
        ] {
            holidays.push(Holiday {
                name: title(name)?,
                first: read(Day::parse(first))?,
                last: read(Day::parse(last))?,
                recurrence: Recurrence::EveryYear,
            });
        }
        let name = title("Public holidays")?;
        let group = HolidayGroup {
            id,
            revision: Revision::ZERO,
            name,
            holidays,
        };
        self.carry_out(Command::CreateHolidayGroup(group))?;
        Ok(id)
    }

    fn schedule(
        &self,
        name: &str,
        days: &[Weekday],
        (from, to): (u16, u16),
        closed_on: Option<HolidayGroupId>,
    ) -> Result<ScheduleId, Failure> {
        let id = ScheduleId::random(self.randomness);
        let window = Window::new(from * 60, to * 60).unwrap_or(Window::WHOLE_DAY);
        self.carry_out(Command::CreateSchedule(Schedule {
            id,
            revision: Revision::ZERO,
            name: title(name)?,
            weekly: days.iter().map(|day| (*day, window)).collect(),
            holidays: closed_on.map(|group| HolidayHours {
                group,
                windows: Vec::new(),
            }),
        }))?;
        Ok(id)
    }

    fn groups(
        &self,
        policies: &BTreeMap<&'static str, PolicyId>,
    ) -> Result<BTreeMap<&'static str, GroupId>, Failure> {
        let mut groups: BTreeMap<&'static str, GroupId> = BTreeMap::new();
        for (name, parent, own) in [
            ("Staff", None, &["Common doors"][..]),
            ("Engineering", Some("Staff"), &["Workshop", "Server room"]),
            ("Office", Some("Staff"), &[]),
            ("Workshop", Some("Staff"), &["Workshop"]),
            ("Guests", None, &[]),
            (
                "Evening course",
                Some("Guests"),
                &["Common doors in the evening"],
            ),
            (
                "Cleaning",
                Some("Guests"),
                &["Common doors in office hours", "All rooms in office hours"],
            ),
        ] {
            let group = Group {
                id: GroupId::random(self.randomness),
                revision: Revision::ZERO,
                name: title(name)?,
                parent: parent.and_then(|parent| groups.get(parent)).copied(),
                policies: own
                    .iter()
                    .filter_map(|policy| policies.get(policy))
                    .copied()
                    .collect(),
            };
            groups.insert(name, group.id);
            self.carry_out(Command::CreateGroup(group))?;
        }
        Ok(groups)
    }

    fn person(
        &self,
        number: usize,
        person: &Person,
        groups: &BTreeMap<&'static str, GroupId>,
    ) -> Result<(), Failure> {
        let letters = |text: &str| -> String {
            fold(text)
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .collect()
        };
        let address = format!(
            "{}.{}@harbour-works.example",
            letters(person.first_name),
            letters(person.last_name)
        );
        self.carry_out(Command::CreateUser {
            user: UserId::random(self.randomness),
            profile: Profile {
                first_name: read(PersonName::parse(person.first_name))?,
                last_name: read(PersonName::parse(person.last_name))?,
                preferred_name: None,
                email: Some(read(Email::parse(&address))?),
                phone: None,
                employee_number: Some(read(EmployeeNumber::parse(&format!(
                    "HW-{:03}",
                    101 + number
                )))?),
            },
            access: AccessPeriod::default(),
            groups: groups.get(person.group).into_iter().copied().collect(),
            policies: InitialPolicies::Chosen(BTreeSet::new()),
            credentials: self.credentials(person)?,
        })
    }

    fn credentials(&self, person: &Person) -> Result<Vec<NewCredential>, Failure> {
        let mut means = Vec::new();
        if let Some(digits) = person.pin {
            means.push(NewMeans::Pin(PinCandidate::new(
                &read(Pin::parse(digits))?,
                &self.salt,
            )));
        }
        if let Some(token) = person.card {
            let token = read(CardToken::parse(token))?;
            means.push(NewMeans::NfcCard {
                display_number: DisplayNumber::of_token(&token),
                token,
            });
        }
        if let Some(plate) = person.plate {
            let sharing = if plate == POOL_CAR {
                PlateSharing::Shared
            } else {
                PlateSharing::Unique
            };
            means.push(NewMeans::LicencePlate {
                plate: read(Plate::parse(plate))?,
                sharing,
            });
        }
        let credential = |means| NewCredential {
            id: CredentialId::random(self.randomness),
            label: None,
            means,
        };
        Ok(means.into_iter().map(credential).collect())
    }
}

fn title(text: &str) -> Result<Title, Failure> {
    read(Title::parse(text))
}

/// Constants that the tests have read.
fn read<T>(parsed: Result<T, TextError>) -> Result<T, Failure> {
    parsed.map_err(|error| Failure::usage("the demo's own data", error))
}
