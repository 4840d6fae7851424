//! The furniture of an organisation: groups, sites, doors, door groups, policies, schedules,
//! holiday groups, emergency lists. All are created, edited and deleted alike; what differs is what each must
//! satisfy and what keeps it from being deleted.

use std::collections::BTreeSet;

use super::{Case, Judgement, at_most, unchanged};
use crate::change::{Change, Edit};
use crate::command::Expected;
use crate::fail_mode::EmergencyList;
use crate::id::{
    DoorGroupId, DoorId, EmergencyListId, GroupId, HolidayGroupId, PolicyId, ScheduleId, SiteId,
};
use crate::longer_limit::in_force;
use crate::parameters::Revision;
use crate::place::{Direction, Door, DoorGroup, LeaseLength, Site};
use crate::policy::{Group, HolidayGroup, Policy, PolicyHours, Schedule};
use crate::records::Records;
use crate::refusal::{Refusal, Thing};
use crate::text::{Title, fold};

/// What all furniture has.
trait Furniture: Clone + PartialEq + Sized {
    const THING: Thing;
    /// How many of it there may be in one store.
    const LIMIT: usize;
    type Id: Copy + PartialEq;
    fn id(&self) -> Self::Id;
    fn revision(&self) -> Revision;
    fn at(self, revision: Revision) -> Self;
    fn name(&self) -> &Title;
    fn all<R: Records + ?Sized>(records: &R) -> Result<Vec<Self>, R::Error>;
    fn change(edit: Edit<Self>) -> Change;
    /// Whether the two may not have the same name.
    fn share_names(&self, _other: &Self) -> bool {
        true
    }
}

macro_rules! furniture {
    ($($type:ident $id:ident $all:ident $limit:literal $(, $share_names:expr)?;)+) => {$(
        impl Furniture for $type {
            const THING: Thing = Thing::$type;
            const LIMIT: usize = $limit;
            type Id = $id;
            fn id(&self) -> $id {
                self.id
            }
            fn revision(&self) -> Revision {
                self.revision
            }
            fn at(self, revision: Revision) -> Self {
                Self { revision, ..self }
            }
            fn name(&self) -> &Title {
                &self.name
            }
            fn all<R: Records + ?Sized>(records: &R) -> Result<Vec<Self>, R::Error> {
                records.$all()
            }
            fn change(edit: Edit<Self>) -> Change {
                Change::$type(edit)
            }
            $(fn share_names(&self, other: &Self) -> bool {
                let share_names: fn(&Self, &Self) -> bool = $share_names;
                share_names(self, other)
            })?
        }
    )+};
}

furniture! {
    Group GroupId groups 10_000;
    Site SiteId sites 10_000;
    Door DoorId doors 100_000, |one, other| one.site == other.site;
    DoorGroup DoorGroupId door_groups 10_000;
    Policy PolicyId policies 10_000;
    Schedule ScheduleId schedules 1_000;
    HolidayGroup HolidayGroupId holiday_groups 1_000;
    EmergencyList EmergencyListId emergency_lists 1_000;
}

impl<R: Records + ?Sized> Case<'_, R> {
    fn create<T: Furniture>(&self, new: T) -> Judgement<Vec<Change>, R> {
        let all = self.read(|records| T::all(records))?;
        if all.iter().any(|other| other.id() == new.id()) {
            return Err(Refusal::Exists(T::THING).into());
        }
        at_most(all.len() + 1, T::LIMIT, "of these")?;
        name_is_free(&all, &new)?;
        Ok(vec![T::change(Edit::Created(new.at(Revision::ZERO)))])
    }

    fn edit<T: Furniture>(&self, new: T, expected: Expected) -> Judgement<Vec<Change>, R> {
        let all = self.read(|records| T::all(records))?;
        let before = all
            .iter()
            .find(|other| other.id() == new.id())
            .ok_or(Refusal::NotFound(T::THING))?;
        unchanged(expected, before.revision())?;
        name_is_free(&all, &new)?;
        let after = new.at(before.revision());
        Ok(if *before == after {
            Vec::new()
        } else {
            vec![T::change(Edit::Changed(
                Box::new(before.clone()),
                Box::new(after),
            ))]
        })
    }

    fn delete<T: Furniture>(&self, id: T::Id) -> Judgement<Vec<Change>, R> {
        let all = self.read(|records| T::all(records))?;
        let gone = all
            .into_iter()
            .find(|other| other.id() == id)
            .ok_or(Refusal::NotFound(T::THING))?;
        Ok(vec![T::change(Edit::Deleted(gone))])
    }

    // Groups of users.

    pub(super) fn create_group(&self, group: &Group) -> Judgement<Vec<Change>, R> {
        self.group_is_sound(group)?;
        self.create(group.clone())
    }

    pub(super) fn edit_group(
        &self,
        group: &Group,
        expected: Expected,
    ) -> Judgement<Vec<Change>, R> {
        self.group_is_sound(group)?;
        self.edit(group.clone(), expected)
    }

    pub(super) fn delete_group(&self, id: GroupId) -> Judgement<Vec<Change>, R> {
        let inside = self.read(|records| records.groups())?;
        not_used(
            Thing::Group,
            inside
                .iter()
                .filter(|group| group.parent == Some(id))
                .count(),
        )?;
        let members = self.read(|records| records.members(id))?;
        not_used(Thing::User, usize::try_from(members).unwrap_or(usize::MAX))?;
        self.delete::<Group>(id)
    }

    /// Refuses a group inside itself, one nested too deeply, and policies that are not there.
    fn group_is_sound(&self, group: &Group) -> Judgement<(), R> {
        at_most(group.policies.len(), 100, "policies")?;
        for policy in &group.policies {
            self.find(Thing::Policy, |records| records.policy(*policy))?;
        }
        let groups = self.read(|records| records.groups())?;
        let parent_of = |id: GroupId| {
            if id == group.id {
                group.parent
            } else {
                groups
                    .iter()
                    .find(|other| other.id == id)
                    .and_then(|other| other.parent)
            }
        };
        if let Some(parent) = group.parent {
            self.find(Thing::Group, |records| records.group(parent))?;
        }
        // The depth that counts is that of the deepest group, which may lie below this one.
        for lowest in groups.iter().map(|other| other.id).chain([group.id]) {
            let chain = std::iter::successors(Some(lowest), |id| parent_of(*id));
            if chain.take(Group::MAX_DEPTH + 1).count() > Group::MAX_DEPTH {
                return Err(Refusal::GroupCycle.into());
            }
        }
        Ok(())
    }

    // Sites and doors.

    pub(super) fn create_site(&self, site: &Site) -> Judgement<Vec<Change>, R> {
        self.site_is_sound(site)?;
        self.create(site.clone())
    }

    pub(super) fn edit_site(&self, site: &Site, expected: Expected) -> Judgement<Vec<Change>, R> {
        self.site_is_sound(site)?;
        self.edit(site.clone(), expected)
    }

    fn site_is_sound(&self, site: &Site) -> Judgement<(), R> {
        if let Some(policy) = site.default_policy {
            self.find(Thing::Policy, |records| records.policy(policy))?;
        }
        Ok(())
    }

    pub(super) fn create_door(&self, door: &Door) -> Judgement<Vec<Change>, R> {
        self.door_is_sound(door)?;
        self.create(Door {
            agent: None,
            ..door.clone()
        })
    }

    pub(super) fn edit_door(&self, door: &Door, expected: Expected) -> Judgement<Vec<Change>, R> {
        self.door_is_sound(door)?;
        let agent = self
            .find(Thing::Door, |records| records.door(door.id))?
            .agent;
        self.edit(
            Door {
                agent,
                ..door.clone()
            },
            expected,
        )
    }

    pub(super) fn delete_door(&self, id: DoorId) -> Judgement<Vec<Change>, R> {
        let policies = self.read(|records| records.policies())?;
        not_used(
            Thing::Policy,
            policies
                .iter()
                .filter(|policy| policy.doors.contains(&id))
                .count(),
        )?;
        let groups = self.read(|records| records.door_groups())?;
        not_used(
            Thing::DoorGroup,
            groups
                .iter()
                .filter(|group| group.doors.contains(&id))
                .count(),
        )?;
        self.delete::<Door>(id)
    }

    fn door_is_sound(&self, door: &Door) -> Judgement<(), R> {
        self.find(Thing::Site, |records| records.site(door.site))?;
        if let Some(id) = door.fail_mode.list() {
            let list = self.find(Thing::EmergencyList, |records| records.emergency_list(id))?;
            if list.people.len() < EmergencyList::FEWEST {
                return Err(Refusal::EmergencyListTooShort.into());
            }
        }
        let longer = self.read(|records| records.longer_limit(door.id))?;
        self.list_outlasts(door, in_force(door, longer.as_ref()))?;
        at_most(door.readers.len(), 8, "readers")?;
        if !door
            .readers
            .iter()
            .any(|reader| reader.direction == Direction::In)
        {
            return Err(Refusal::NoReader.into());
        }
        let ids: BTreeSet<_> = door.readers.iter().map(|reader| reader.id).collect();
        if ids.len() < door.readers.len() {
            return Err(Refusal::Exists(Thing::Door).into());
        }
        Ok(())
    }

    pub(super) fn create_door_group(&self, group: &DoorGroup) -> Judgement<Vec<Change>, R> {
        self.are_doors(&group.doors)?;
        self.create(group.clone())
    }

    pub(super) fn edit_door_group(
        &self,
        group: &DoorGroup,
        expected: Expected,
    ) -> Judgement<Vec<Change>, R> {
        self.are_doors(&group.doors)?;
        self.edit(group.clone(), expected)
    }

    pub(super) fn delete_door_group(&self, id: DoorGroupId) -> Judgement<Vec<Change>, R> {
        let policies = self.read(|records| records.policies())?;
        let naming = policies
            .iter()
            .filter(|policy| policy.door_groups.contains(&id));
        not_used(Thing::Policy, naming.count())?;
        self.delete::<DoorGroup>(id)
    }

    fn are_doors(&self, doors: &BTreeSet<DoorId>) -> Judgement<(), R> {
        at_most(doors.len(), 10_000, "doors")?;
        for door in doors {
            self.find(Thing::Door, |records| records.door(*door))?;
        }
        Ok(())
    }

    // Policies, schedules, holiday groups.

    pub(super) fn create_policy(&self, policy: &Policy) -> Judgement<Vec<Change>, R> {
        self.policy_is_sound(policy)?;
        self.create(policy.clone())
    }

    pub(super) fn edit_policy(
        &self,
        policy: &Policy,
        expected: Expected,
    ) -> Judgement<Vec<Change>, R> {
        self.policy_is_sound(policy)?;
        self.edit(policy.clone(), expected)
    }

    pub(super) fn delete_policy(&self, id: PolicyId) -> Judgement<Vec<Change>, R> {
        let groups = self.read(|records| records.groups())?;
        not_used(
            Thing::Group,
            groups
                .iter()
                .filter(|group| group.policies.contains(&id))
                .count(),
        )?;
        let sites = self.read(|records| records.sites())?;
        not_used(
            Thing::Site,
            sites
                .iter()
                .filter(|site| site.default_policy == Some(id))
                .count(),
        )?;
        let holders = self.read(|records| records.policy_holders(id))?;
        not_used(Thing::User, usize::try_from(holders).unwrap_or(usize::MAX))?;
        self.delete::<Policy>(id)
    }

    fn policy_is_sound(&self, policy: &Policy) -> Judgement<(), R> {
        self.are_doors(&policy.doors)?;
        at_most(policy.door_groups.len(), 1_000, "door groups")?;
        for group in &policy.door_groups {
            self.find(Thing::DoorGroup, |records| records.door_group(*group))?;
        }
        if let PolicyHours::Scheduled(schedule) = policy.hours {
            self.find(Thing::Schedule, |records| records.schedule(schedule))?;
        }
        Ok(())
    }

    pub(super) fn create_schedule(&self, schedule: &Schedule) -> Judgement<Vec<Change>, R> {
        self.schedule_is_sound(schedule)?;
        self.create(schedule.clone())
    }

    pub(super) fn edit_schedule(
        &self,
        schedule: &Schedule,
        expected: Expected,
    ) -> Judgement<Vec<Change>, R> {
        self.schedule_is_sound(schedule)?;
        self.edit(schedule.clone(), expected)
    }

    pub(super) fn delete_schedule(&self, id: ScheduleId) -> Judgement<Vec<Change>, R> {
        let policies = self.read(|records| records.policies())?;
        let using = policies
            .iter()
            .filter(|policy| policy.hours == PolicyHours::Scheduled(id));
        not_used(Thing::Policy, using.count())?;
        self.delete::<Schedule>(id)
    }

    fn schedule_is_sound(&self, schedule: &Schedule) -> Judgement<(), R> {
        at_most(schedule.weekly.len(), 100, "windows")?;
        if let Some(holidays) = &schedule.holidays {
            at_most(holidays.windows.len(), 20, "windows on holidays")?;
            self.find(Thing::HolidayGroup, |records| {
                records.holiday_group(holidays.group)
            })?;
        }
        Ok(())
    }

    pub(super) fn create_holiday_group(&self, group: &HolidayGroup) -> Judgement<Vec<Change>, R> {
        holidays_are_sound(group)?;
        self.create(group.clone())
    }

    pub(super) fn edit_holiday_group(
        &self,
        group: &HolidayGroup,
        expected: Expected,
    ) -> Judgement<Vec<Change>, R> {
        holidays_are_sound(group)?;
        self.edit(group.clone(), expected)
    }

    pub(super) fn delete_holiday_group(&self, id: HolidayGroupId) -> Judgement<Vec<Change>, R> {
        let schedules = self.read(|records| records.schedules())?;
        let using = schedules.iter().filter(|schedule| {
            schedule
                .holidays
                .as_ref()
                .is_some_and(|hours| hours.group == id)
        });
        not_used(Thing::Schedule, using.count())?;
        self.delete::<HolidayGroup>(id)
    }

    // Emergency lists.

    pub(super) fn create_emergency_list(&self, list: &EmergencyList) -> Judgement<Vec<Change>, R> {
        self.list_is_sound(list)?;
        self.create(list.clone())
    }

    pub(super) fn edit_emergency_list(
        &self,
        list: &EmergencyList,
        expected: Expected,
    ) -> Judgement<Vec<Change>, R> {
        self.list_is_sound(list)?;
        self.edit(list.clone(), expected)
    }

    pub(super) fn delete_emergency_list(&self, id: EmergencyListId) -> Judgement<Vec<Change>, R> {
        not_used(Thing::Door, self.doors_with(id)?.len())?;
        self.delete::<EmergencyList>(id)
    }

    /// Refuses a list of one, of people who are not there, and one that would end before the
    /// leases of the doors that use it.
    fn list_is_sound(&self, list: &EmergencyList) -> Judgement<(), R> {
        at_most(list.people.len(), EmergencyList::MOST, "people")?;
        for user in &list.people {
            self.present(*user)?;
        }
        if list.people.len() < EmergencyList::FEWEST {
            return Err(Refusal::EmergencyListTooShort.into());
        }
        for door in self.doors_with(list.id)? {
            let longer = self.read(|records| records.longer_limit(door.id))?;
            if list.limit.duration() <= in_force(&door, longer.as_ref()).duration() {
                return Err(Refusal::EmergencyLimitTooShort.into());
            }
        }
        Ok(())
    }

    /// Refuses a time on its own that is not over before the door's emergency list is.
    pub(super) fn list_outlasts(&self, door: &Door, lease: LeaseLength) -> Judgement<(), R> {
        let Some(id) = door.fail_mode.list() else {
            return Ok(());
        };
        let list = self.find(Thing::EmergencyList, |records| records.emergency_list(id))?;
        if list.limit.duration() <= lease.duration() {
            return Err(Refusal::EmergencyLimitTooShort.into());
        }
        Ok(())
    }

    fn doors_with(&self, list: EmergencyListId) -> Judgement<Vec<Door>, R> {
        let mut doors = self.read(|records| records.doors())?;
        doors.retain(|door| door.fail_mode.list() == Some(list));
        Ok(doors)
    }
}

fn holidays_are_sound(group: &HolidayGroup) -> Result<(), Refusal> {
    at_most(group.holidays.len(), 200, "holidays")?;
    for holiday in &group.holidays {
        let days = i64::from(holiday.last.0) - i64::from(holiday.first.0);
        if !(0..=366).contains(&days) {
            return Err(Refusal::HolidayBackwards);
        }
    }
    Ok(())
}

fn name_is_free<T: Furniture>(all: &[T], new: &T) -> Result<(), Refusal> {
    let name = fold(new.name().as_str());
    let taken = all.iter().any(|other| {
        other.id() != new.id() && other.share_names(new) && fold(other.name().as_str()) == name
    });
    if taken {
        Err(Refusal::NameTaken(T::THING))
    } else {
        Ok(())
    }
}

fn not_used(by: Thing, count: usize) -> Result<(), Refusal> {
    if count == 0 {
        Ok(())
    } else {
        Err(Refusal::InUse { by, count })
    }
}
