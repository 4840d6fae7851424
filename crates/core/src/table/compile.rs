//! From records to entries: what each agent must know, and which of it a change touches.
//!
//! A person has an entry at an agent if one of their policies (their own, or those of their groups
//! and of every group above) names one of its doors. Somebody deactivated keeps the entry, without
//! policies; somebody removed has none.

use std::collections::{BTreeMap, BTreeSet};

use super::Table;
use super::admission::{Decision, DoorState, Presented, Reason, admit};
use super::entry::{
    DoorEntry, Entry, EntryKey, EntryKind, KeypadEntry, PolicyEntry, ScheduleEntry, SiteEntry,
    UserEntry, WhenCutOff, bytes,
};
use crate::agent::{AgentState, HashKey};
use crate::calendar::{YEARS, offsets};
use crate::change::{Change, Edit};
use crate::credential::{CardToken, Credential, CredentialState, Means};
use crate::fail_mode::{EmergencyList, FailMode};
use crate::id::{AgentId, DoorId, GroupId, PolicyId, ScheduleId, SiteId, UserId};
use crate::longer_limit::in_force;
use crate::parameters::Timestamp;
use crate::pin::PinSalt;
use crate::place::{Direction, Door, LeaseLength};
use crate::policy::{
    Day, HolidayGroup, Policy, PolicyHours, Recurrence, Schedule, Weekday, Window,
};
use crate::records::Records;
use crate::user::{Standing, User, UserRecord};

/// What a change touches, at the grain at which entries are compiled again. Compiling again what
/// did not change after all gives the same bytes and costs only time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touched {
    /// One person, at every agent.
    User(UserId),
    /// Everybody in this group or below it, at every agent.
    MembersOf(GroupId),
    /// Everything but people, at one agent.
    Furniture(AgentId),
    /// Everything at one agent.
    Agent(AgentId),
}

/// What a change touches. The change has been applied to `records` already.
///
/// # Errors
/// The records could not be read.
pub fn touched<R: Records + ?Sized>(
    records: &R,
    change: &Change,
) -> Result<BTreeSet<Touched>, R::Error> {
    let one = |touched| Ok(BTreeSet::from([touched]));
    match change {
        Change::UserCreated(user) => one(Touched::User(user.id)),
        Change::AccessPeriodChanged { user, .. }
        | Change::UserGroupsChanged { user, .. }
        | Change::UserPoliciesChanged { user, .. }
        | Change::UserDeactivated { user, .. }
        | Change::UserReactivated { user, .. }
        | Change::CredentialLost { user, .. }
        | Change::CredentialFound { user, .. } => one(Touched::User(*user)),
        Change::UserRemoved { tombstone, .. } => one(Touched::User(tombstone.id)),
        Change::CredentialAdded(credential) | Change::CredentialRemoved { credential, .. } => {
            one(Touched::User(credential.user))
        }
        Change::Group(Edit::Changed(_, group)) => one(Touched::MembersOf(group.id)),
        Change::Site(Edit::Changed(_, site)) => {
            let doors = records
                .doors()?
                .into_iter()
                .filter(|door| door.site == site.id);
            Ok(doors
                .filter_map(|door| door.agent)
                .map(Touched::Furniture)
                .collect())
        }
        Change::EmergencyList(edit) => {
            let lists: BTreeSet<_> = sides(edit).into_iter().map(|list| list.id).collect();
            let doors = records.doors()?.into_iter().filter(|door| {
                door.fail_mode
                    .list()
                    .is_some_and(|list| lists.contains(&list))
            });
            Ok(doors
                .filter_map(|door| door.agent)
                .map(Touched::Furniture)
                .collect())
        }
        Change::Door(Edit::Created(door) | Edit::Deleted(door)) => {
            Ok(door.agent.into_iter().map(Touched::Agent).collect())
        }
        Change::Door(Edit::Changed(before, after)) => Ok([before.agent, after.agent]
            .into_iter()
            .flatten()
            .map(Touched::Agent)
            .collect()),
        Change::LimitLengthened { after: limit, .. } | Change::LongerLimitEnded(limit) => {
            let door = records.door(limit.door)?;
            Ok(door
                .and_then(|door| door.agent)
                .into_iter()
                .map(Touched::Furniture)
                .collect())
        }
        Change::DoorGroup(edit) => agents_of(records, doors_of_group_edit(edit)),
        Change::Policy(edit) => {
            let mut doors = BTreeSet::new();
            for policy in sides(edit) {
                doors.extend(doors_of_policy(records, policy)?);
            }
            agents_of(records, doors)
        }
        Change::Schedule(_) | Change::HolidayGroup(_) | Change::CalendarsExtended { .. } => {
            let enrolled = |agent: &crate::agent::Agent| agent.state == AgentState::Enrolled;
            let agents = records.agents()?.into_iter().filter(enrolled);
            Ok(agents.map(|agent| Touched::Furniture(agent.id)).collect())
        }
        Change::AgentEnrolled { agent, .. } | Change::AgentRevoked { agent, .. } => {
            one(Touched::Agent(agent.id))
        }
        Change::ProfileChanged { .. }
        | Change::UserErased { .. }
        | Change::OperatorErased(_)
        | Change::ErasureHeld { .. }
        | Change::ErasureReleased { .. }
        | Change::KeepingChanged { .. }
        | Change::PinRefused { .. }
        | Change::SessionsEnded(_)
        | Change::UserExported(_)
        | Change::Group(Edit::Created(_) | Edit::Deleted(_))
        | Change::Site(Edit::Created(_) | Edit::Deleted(_))
        | Change::JoinTokenCreated(_)
        | Change::JoinTokenWithdrawn(_)
        | Change::AgentStolen { .. }
        | Change::Operator(_)
        | Change::PasswordSet(..)
        | Change::ServerKeyReplaced(_)
        | Change::AddressesAnnounced { .. }
        | Change::Restored(_)
        | Change::MailServerChanged { .. }
        | Change::CheckpointMailChanged { .. }
        | Change::MailTested
        | Change::WebhookChanged { .. }
        | Change::WebhookSecretReplaced
        | Change::WebhookTested
        | Change::AlertsChosen { .. } => Ok(BTreeSet::new()),
    }
}

fn sides<T>(edit: &Edit<T>) -> Vec<&T> {
    match edit {
        Edit::Created(one) | Edit::Deleted(one) => vec![one],
        Edit::Changed(before, after) => vec![before, after],
    }
}

fn doors_of_group_edit(edit: &Edit<crate::place::DoorGroup>) -> BTreeSet<DoorId> {
    sides(edit)
        .into_iter()
        .flat_map(|group| group.doors.iter().copied())
        .collect()
}

fn agents_of<R: Records + ?Sized>(
    records: &R,
    doors: BTreeSet<DoorId>,
) -> Result<BTreeSet<Touched>, R::Error> {
    let doors = records
        .doors()?
        .into_iter()
        .filter(|door| doors.contains(&door.id));
    Ok(doors
        .filter_map(|door| door.agent)
        .map(Touched::Agent)
        .collect())
}

/// Every door a policy names, one by one or by a group.
///
/// # Errors
/// The records could not be read.
pub fn doors_of_policy<R: Records + ?Sized>(
    records: &R,
    policy: &Policy,
) -> Result<BTreeSet<DoorId>, R::Error> {
    let mut doors = policy.doors.clone();
    for group in &policy.door_groups {
        doors.extend(
            records
                .door_group(*group)?
                .into_iter()
                .flat_map(|group| group.doors),
        );
    }
    Ok(doors)
}

/// A person's own policies and those of their groups and every group above.
///
/// # Errors
/// The records could not be read.
pub fn effective_policies<R: Records + ?Sized>(
    records: &R,
    user: &User,
) -> Result<BTreeSet<PolicyId>, R::Error> {
    let mut policies = user.policies.clone();
    let mut seen = BTreeSet::new();
    let mut above: Vec<GroupId> = user.groups.iter().copied().collect();
    while let Some(id) = above.pop() {
        if seen.insert(id)
            && let Some(group) = records.group(id)?
        {
            policies.extend(&group.policies);
            above.extend(group.parent);
        }
    }
    Ok(policies)
}

/// This group and every group inside it, however deep.
///
/// # Errors
/// The records could not be read.
pub fn groups_below<R: Records + ?Sized>(
    records: &R,
    group: GroupId,
) -> Result<BTreeSet<GroupId>, R::Error> {
    let all = records.groups()?;
    let mut below = BTreeSet::from([group]);
    loop {
        let inside = |candidate: &&crate::policy::Group| {
            candidate
                .parent
                .is_some_and(|parent| below.contains(&parent))
                && !below.contains(&candidate.id)
        };
        let found: Vec<GroupId> = all.iter().filter(inside).map(|group| group.id).collect();
        if found.is_empty() {
            return Ok(below);
        }
        below.extend(found);
    }
}

/// Every door and every policy with the doors that it names: read once for all the agents that a
/// change concerns, because each scope is cut out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    doors: BTreeMap<DoorId, Door>,
    decided_by: BTreeMap<AgentId, Vec<DoorId>>,
    policies: BTreeMap<PolicyId, (BTreeSet<DoorId>, PolicyHours)>,
}

impl Places {
    /// As the records have them now.
    ///
    /// # Errors
    /// The records could not be read.
    pub fn read<R: Records + ?Sized>(records: &R) -> Result<Self, R::Error> {
        let doors: BTreeMap<_, _> = records
            .doors()?
            .into_iter()
            .map(|door| (door.id, door))
            .collect();
        let mut decided_by: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for door in doors.values() {
            if let Some(agent) = door.agent {
                decided_by.entry(agent).or_default().push(door.id);
            }
        }
        let mut policies = BTreeMap::new();
        for policy in records.policies()? {
            let named = doors_of_policy(records, &policy)?;
            policies.insert(policy.id, (named, policy.hours));
        }
        Ok(Self {
            doors,
            decided_by,
            policies,
        })
    }

    /// Whether they are the same after a change: it is about people, not about doors. After any
    /// other they have to be read again.
    #[must_use]
    pub const fn stay_after(change: &Change) -> bool {
        matches!(
            change,
            Change::UserCreated(_)
                | Change::ProfileChanged { .. }
                | Change::AccessPeriodChanged { .. }
                | Change::UserGroupsChanged { .. }
                | Change::UserPoliciesChanged { .. }
                | Change::UserDeactivated { .. }
                | Change::UserReactivated { .. }
                | Change::UserRemoved { .. }
                | Change::UserErased { .. }
                | Change::CredentialAdded(_)
                | Change::CredentialRemoved { .. }
                | Change::CredentialLost { .. }
                | Change::CredentialFound { .. }
                | Change::Group(_)
                | Change::SessionsEnded(_)
        )
    }

    /// The scope of an agent. A revoked one has none of the doors and so knows nothing.
    #[must_use]
    pub fn scope(&self, agent: &crate::agent::Agent, salt: PinSalt) -> Scope {
        let own = match agent.state {
            AgentState::Enrolled => self.decided_by.get(&agent.id),
            AgentState::Revoked { .. } => None,
        };
        self.over(own.into_iter().flatten(), agent.hash_key, salt)
    }

    /// The agents that decide at the doors that a policy names.
    pub fn agents_of(&self, policy: PolicyId) -> impl Iterator<Item = AgentId> {
        let named = self.policies.get(&policy).into_iter();
        named
            .flat_map(|(doors, _)| doors)
            .filter_map(|door| self.doors.get(door)?.agent)
    }

    fn over<'d>(
        &self,
        own: impl Iterator<Item = &'d DoorId>,
        hash_key: HashKey,
        salt: PinSalt,
    ) -> Scope {
        let doors: BTreeMap<_, _> = own
            .filter_map(|door| Some((*door, self.doors.get(door)?.clone())))
            .collect();
        let policies = self.policies.iter().filter_map(|(policy, (named, hours))| {
            let named: BTreeSet<_> = doors
                .keys()
                .filter(|door| named.contains(door))
                .copied()
                .collect();
            (!named.is_empty()).then_some((*policy, (named, *hours)))
        });
        Scope {
            hash_key,
            salt,
            policies: policies.collect(),
            doors,
        }
    }
}

/// What an agent decides for: the frame in which its entries are compiled.
#[derive(Clone, Debug)]
pub struct Scope {
    hash_key: HashKey,
    salt: PinSalt,
    doors: BTreeMap<DoorId, Door>,
    policies: BTreeMap<PolicyId, (BTreeSet<DoorId>, PolicyHours)>,
}

impl Scope {
    /// The scope of an agent. A revoked one has none of the doors and so knows nothing.
    ///
    /// # Errors
    /// The records could not be read.
    pub fn of<R: Records + ?Sized>(
        records: &R,
        agent: &crate::agent::Agent,
        salt: PinSalt,
    ) -> Result<Self, R::Error> {
        Ok(Places::read(records)?.scope(agent, salt))
    }

    /// The doors.
    pub fn doors(&self) -> impl Iterator<Item = &Door> {
        self.doors.values()
    }

    /// The policies that name one of the doors. Whoever has one of these has an entry.
    pub fn policies(&self) -> impl Iterator<Item = PolicyId> {
        self.policies.keys().copied()
    }

    /// The keys of every entry that is not a person's.
    #[must_use]
    pub fn furniture_keys(&self) -> BTreeSet<EntryKey> {
        let mut keys = BTreeSet::new();
        if !self.doors.is_empty() {
            keys.insert(EntryKey::KEYPAD);
        }
        for door in self.doors.values() {
            keys.insert(EntryKey {
                kind: EntryKind::Door,
                id: *door.id.as_bytes(),
            });
            keys.insert(EntryKey {
                kind: EntryKind::Site,
                id: *door.site.as_bytes(),
            });
        }
        for (policy, (_, hours)) in &self.policies {
            keys.insert(EntryKey {
                kind: EntryKind::Policy,
                id: *policy.as_bytes(),
            });
            if let PolicyHours::Scheduled(schedule) = hours {
                keys.insert(EntryKey {
                    kind: EntryKind::Schedule,
                    id: *schedule.as_bytes(),
                });
            }
        }
        keys
    }
}

/// The entry with this key as it must be at an agent with this scope; none if there must be none.
///
/// # Errors
/// The records could not be read.
pub fn entry<R: Records + ?Sized>(
    records: &R,
    scope: &Scope,
    key: EntryKey,
) -> Result<Option<Entry>, R::Error> {
    if key.kind != EntryKind::User && !scope.furniture_keys().contains(&key) {
        return Ok(None);
    }
    Ok(match key.kind {
        EntryKind::Keypad => Some(Entry::Keypad(KeypadEntry {
            salt: (*scope.salt.as_bytes()).into(),
        })),
        EntryKind::Site => {
            let from_year = records.calendars_from()?;
            records.site(SiteId::from_bytes(key.id))?.map(|site| {
                let offsets = offsets(&site.zone, from_year);
                Entry::Site(SiteEntry {
                    site: bytes(site.id),
                    first_offset: offsets.first,
                    changes: offsets.changes,
                })
            })
        }
        EntryKind::Door => match scope.doors.get(&DoorId::from_bytes(key.id)) {
            None => None,
            Some(known) => {
                let list = match known.fail_mode.list() {
                    None => None,
                    Some(list) => records.emergency_list(list)?,
                };
                let longer = records.longer_limit(known.id)?;
                Some(door(known, in_force(known, longer.as_ref()), list.as_ref()))
            }
        },
        EntryKind::Schedule => match records.schedule(ScheduleId::from_bytes(key.id))? {
            None => None,
            Some(schedule) => {
                let holidays = match &schedule.holidays {
                    None => None,
                    Some(hours) => records.holiday_group(hours.group)?,
                };
                let from_year = records.calendars_from()?;
                Some(compile_schedule(&schedule, holidays.as_ref(), from_year))
            }
        },
        EntryKind::Policy => {
            let id = PolicyId::from_bytes(key.id);
            scope.policies.get(&id).map(|(doors, hours)| {
                Entry::Policy(PolicyEntry {
                    policy: bytes(id),
                    doors: doors.iter().map(|door| bytes(*door)).collect(),
                    schedule: match hours {
                        PolicyHours::Always => None,
                        PolicyHours::Scheduled(schedule) => Some(bytes(*schedule)),
                    },
                })
            })
        }
        // Made when it is ruled, and kept.
        EntryKind::Ruling => None,
        EntryKind::User => {
            let person = Person::read(records, UserId::from_bytes(key.id))?;
            person.and_then(|person| person.entry(scope))
        }
    })
}

/// A person as every agent's entry of theirs is compiled from: read once for all the agents that
/// they concern.
#[derive(Clone, Debug)]
pub struct Person {
    user: User,
    policies: BTreeSet<PolicyId>,
    credentials: Vec<Credential>,
}

impl Person {
    /// Somebody who is present, as the records have them now.
    ///
    /// # Errors
    /// The records could not be read.
    pub fn read<R: Records + ?Sized>(records: &R, id: UserId) -> Result<Option<Self>, R::Error> {
        Ok(match records.user(id)? {
            None | Some(UserRecord::Removed(_)) => None,
            Some(UserRecord::Present(user)) => Some(Self {
                policies: effective_policies(records, &user)?,
                credentials: records.credentials_of(id)?,
                user,
            }),
        })
    }

    /// Their own policies and those of their groups and every group above.
    pub fn policies(&self) -> impl Iterator<Item = PolicyId> {
        self.policies.iter().copied()
    }

    /// Their entry at an agent with this scope; none if none of their policies names its doors.
    #[must_use]
    pub fn entry(&self, scope: &Scope) -> Option<Entry> {
        let named = self.policies.iter().copied();
        let policies: BTreeSet<_> = named
            .filter(|policy| scope.policies.contains_key(policy))
            .collect();
        (!policies.is_empty())
            .then(|| compile_user(&self.user, &policies, &self.credentials, &scope.hash_key))
    }
}

/// A list that is not there admits nobody.
fn door(door: &Door, lease: LeaseLength, list: Option<&EmergencyList>) -> Entry {
    let way = |direction| match direction {
        Direction::In => 0,
        Direction::Out => 1,
    };
    Entry::Door(DoorEntry {
        door: bytes(door.id),
        site: bytes(door.site),
        lease_seconds: lease.seconds(),
        readers: door
            .readers
            .iter()
            .map(|it| (bytes(it.id), way(it.direction)))
            .collect(),
        when_cut_off: match (door.fail_mode, list) {
            (FailMode::KeepLastTable, _) => Some(WhenCutOff::KeepLastTable),
            (FailMode::EmergencyList(_), Some(list)) => Some(WhenCutOff::EmergencyList {
                limit_seconds: list.limit.seconds(),
                people: list.people.iter().map(|user| bytes(*user)).collect(),
            }),
            (FailMode::RefuseAll | FailMode::EmergencyList(_), _) => None,
        },
    })
}

fn compile_schedule(schedule: &Schedule, holidays: Option<&HolidayGroup>, from_year: i16) -> Entry {
    let start = |day: &Weekday| {
        let position = Weekday::ALL
            .iter()
            .position(|other| other == day)
            .unwrap_or(0);
        position as u16 * Window::DAY
    };
    let mut weekly: Vec<(u16, u16)> = schedule
        .weekly
        .iter()
        .map(|(day, window)| (start(day) + window.from(), window.minutes()))
        .collect();
    weekly.sort_unstable();
    weekly.dedup();
    let mut holiday: Vec<(u16, u16)> = schedule
        .holidays
        .iter()
        .flat_map(|hours| &hours.windows)
        .map(|window| (window.from(), window.minutes()))
        .collect();
    holiday.sort_unstable();
    holiday.dedup();
    let days = holidays
        .map(|group| holiday_days(group, from_year))
        .unwrap_or_default();
    Entry::Schedule(ScheduleEntry {
        schedule: bytes(schedule.id),
        weekly,
        holiday,
        days: days.into_iter().map(|day| day.0).collect(),
    })
}

/// The days of a holiday group in the years that calendars cover, and the last day before them,
/// whose windows may run on over midnight.
fn holiday_days(group: &HolidayGroup, from_year: i16) -> BTreeSet<Day> {
    let last_year = from_year.saturating_add(YEARS);
    let (Some(first), Some(end)) = (
        Day::from_date(from_year, 1, 1),
        Day::from_date(last_year, 1, 1),
    ) else {
        return BTreeSet::new();
    };
    let covered = first.0.saturating_sub(2)..=end.0;
    let mut days = BTreeSet::new();
    for holiday in &group.holidays {
        let length = holiday.last.0.saturating_sub(holiday.first.0);
        let starts: Vec<Day> = match holiday.recurrence {
            Recurrence::Once => vec![holiday.first],
            // One that began the year before may reach into the first year.
            Recurrence::EveryYear => (from_year.saturating_sub(1)..=last_year)
                .filter(|year| *year >= holiday.first.date().0)
                .filter_map(|year| holiday.first.in_year(year))
                .collect(),
        };
        for start in starts {
            let through = start.0.saturating_add(length);
            days.extend(
                (start.0..=through)
                    .filter(|day| covered.contains(day))
                    .map(Day),
            );
        }
    }
    days
}

fn compile_user(
    user: &User,
    policies: &BTreeSet<PolicyId>,
    credentials: &[Credential],
    hash_key: &HashKey,
) -> Entry {
    let active = user.standing == Standing::Active;
    let mut known: Vec<_> = credentials
        .iter()
        .map(|credential| {
            let presented = presented(&credential.means);
            let state = match credential.state {
                CredentialState::Usable => 0,
                CredentialState::Lost { .. } => 1,
            };
            (presented.hash(hash_key).0, *credential.id.as_bytes(), state)
        })
        .collect();
    known.sort_unstable();
    Entry::User(UserEntry {
        user: bytes(user.id),
        standing: u8::from(!active),
        starts: user.access.starts.map(Timestamp::microseconds),
        ends: user.access.ends.map(Timestamp::microseconds),
        policies: policies
            .iter()
            .filter(|_| active)
            .map(|policy| bytes(*policy))
            .collect(),
        credentials: known
            .into_iter()
            .map(|(hash, id, state)| (hash.into(), id.into(), state))
            .collect(),
    })
}

/// What a reader would hand on if this were presented.
#[must_use]
pub fn presented(means: &Means) -> Presented {
    match means {
        Means::Pin { digest, .. } => Presented::Pin(*digest),
        Means::NfcCard { token, .. } => Presented::NfcCard(token.clone()),
        Means::LicencePlate { plate, .. } => Presented::LicencePlate(plate.clone()),
    }
}

/// What a person can do at one door now, as the door itself would decide it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The door.
    pub door: Door,
    /// What it would answer to their best credential.
    pub decision: Decision,
}

/// What a person can open now, and why (not): the table of this one person over every door is
/// compiled, and each of their credentials is put to the door's own decision, with its lease
/// running and its clock right. Somebody without credentials is judged as if they had a card.
///
/// # Errors
/// The records could not be read.
pub fn what_can_they_open<R: Records + ?Sized>(
    records: &R,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<Opening>, R::Error> {
    let places = Places::read(records)?;
    let scope = places.over(
        places.doors.keys(),
        HashKey::from_bytes([0; 32]),
        PinSalt::from_bytes([0; 16]),
    );
    let mut table = Table::empty(scope.hash_key);
    for key in scope
        .furniture_keys()
        .into_iter()
        .chain([EntryKey::user(user)])
    {
        if let Some(entry) = entry(records, &scope, key)? {
            table.put(entry);
        }
    }
    let credentials = records.credentials_of(user)?;
    let mut tried: Vec<Presented> = credentials.iter().map(|it| presented(&it.means)).collect();
    if tried.is_empty()
        && let Some(imagined) = imagine_a_card(&mut table, user)
    {
        tried.push(imagined);
    }
    let unknown = Decision::Refused {
        reason: Reason::NoPolicy,
        holder: None,
    };
    let judged = scope.doors().map(|door| {
        let decisions = tried.iter().map(|presented| {
            admit(
                &table,
                DoorState::ORDINARY,
                presented,
                door.id,
                Direction::In,
                now,
            )
        });
        let best = decisions.max_by_key(|decision| match decision {
            Decision::Granted { .. } | Decision::WayOut(_) => i32::MAX,
            Decision::Refused { reason, .. } => *reason as i32,
        });
        let decision = match best {
            // Without a policy anywhere there is no entry, and a door would say "unknown".
            None
            | Some(Decision::Refused {
                reason: Reason::Unknown,
                ..
            }) => unknown,
            Some(decision) => decision,
        };
        Opening {
            door: door.clone(),
            decision,
        }
    });
    Ok(judged.collect())
}

/// Gives a person without credentials one that exists in this table only.
fn imagine_a_card(table: &mut Table, user: UserId) -> Option<Presented> {
    let bytes = table.entry(&EntryKey::user(user))?;
    let Ok(Entry::User(mut known)) = Entry::decode(bytes) else {
        return None;
    };
    let card = Presented::NfcCard(CardToken::parse("IMAGINED").ok()?);
    known
        .credentials
        .push((card.hash(&table.hash_key).0.into(), [0; 16].into(), 0));
    table.put(Entry::User(known));
    Some(card)
}
