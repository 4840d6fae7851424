//! What a door knows: entries compiled on the server, the table they make, and the decision made
//! from it.
//!
//! A table is a set of entries under one hash key. It is the same however it came about, entry by
//! entry or all at once, and so is its hash.
//!
//! Beside the entries' bytes, which are what is compared with the server, it keeps them in the
//! shape in which a decision needs them: everything that is mentioned has a small number, so that
//! between the look-up of the credential and the bit of the minute nothing is searched for.

pub mod admission;
pub mod compile;
mod credentials;
pub mod entry;
mod hours;
pub mod keypad;
mod numbers;
mod profile;
mod register;
mod rulings;
mod spread;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::agent::HashKey;
use crate::id::{CredentialId, DoorId, PolicyId, ScheduleId, SiteId, UserId};
use crate::pin::PinSalt;
use crate::place::{Direction, LeaseLength};
use admission::{Holder, Lease};
use credentials::{Credentials, Terms};
use entry::{CredentialHash, Entry, EntryKey, EntryKind, RulingEntry, TableHash, WhenCutOff};
use hours::{Clock, Hours};
use numbers::Numbers;
use profile::Profile;
use register::Register;
use rulings::Rulings;
use spread::ById;

/// The table of one agent.
#[derive(Clone, Debug)]
pub struct Table {
    hash_key: HashKey,
    hash: TableHash,
    entries: BTreeMap<EntryKey, Kept>,
    salt: Option<PinSalt>,
    sites: Register<SiteId, Clock>,
    doors: Register<DoorId, KnownDoor>,
    schedules: Register<ScheduleId, Hours>,
    policies: Register<PolicyId, KnownPolicy>,
    /// For the number of each door those of the policies that name it.
    naming: Vec<Numbers>,
    /// The sets of policies that people have. Few people have one of their own.
    profiles: Register<Box<[PolicyId]>, Profile>,
    /// When access begins and ends, for those whose does.
    periods: ById<UserId, AccessPeriod>,
    credentials: Credentials,
    rulings: Rulings,
}

/// An entry as it is kept.
#[derive(Clone, Debug)]
struct Kept {
    bytes: Box<[u8]>,
    /// The number of a person's profile; 0 for anything else.
    profile: u32,
}

#[derive(Clone, Debug)]
struct KnownDoor {
    site: u32,
    lease_seconds: u32,
    readers: Vec<Direction>,
    when_cut_off: Option<WhenCutOff>,
}

impl KnownDoor {
    /// Whether somebody is on its emergency list.
    fn lists(&self, user: UserId) -> bool {
        let after = self.when_cut_off.as_ref();
        after.is_some_and(|after| after.lists(user))
    }
}

#[derive(Clone, Debug)]
struct KnownPolicy {
    doors: Box<[u32]>,
    schedule: Option<u32>,
}

/// When somebody's access begins and ends, if it does.
#[derive(Clone, Copy, Debug)]
struct AccessPeriod {
    starts_microseconds: Option<i64>,
    ends_microseconds: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KnownStanding {
    Active,
    Deactivated,
}

/// Whether there is anything about a person in the table's periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KnownPeriod {
    Always,
    Bounded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KnownState {
    Usable,
    Lost,
}

impl Table {
    /// The table without entries.
    #[must_use]
    pub fn empty(hash_key: HashKey) -> Self {
        Self {
            hash_key,
            hash: TableHash::EMPTY,
            entries: BTreeMap::new(),
            salt: None,
            sites: Register::new(),
            doors: Register::new(),
            schedules: Register::new(),
            policies: Register::new(),
            naming: Vec::new(),
            profiles: Register::new(),
            periods: ById::default(),
            credentials: Credentials::default(),
            rulings: Rulings::default(),
        }
    }

    /// The key of this table's hashes.
    #[must_use]
    pub const fn hash_key(&self) -> &HashKey {
        &self.hash_key
    }

    /// The hash of all entries.
    #[must_use]
    pub const fn hash(&self) -> TableHash {
        self.hash
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries' keys and bytes, in the order of their keys.
    pub fn entries(&self) -> impl Iterator<Item = (&EntryKey, &[u8])> {
        self.entries.iter().map(|(key, kept)| (key, &*kept.bytes))
    }

    /// The bytes of one entry.
    #[must_use]
    pub fn entry(&self, key: &EntryKey) -> Option<&[u8]> {
        self.entries.get(key).map(|kept| &*kept.bytes)
    }

    /// The salt of PIN digests at this agent's keypads; none in a table without doors.
    #[must_use]
    pub const fn pin_salt(&self) -> Option<PinSalt> {
        self.salt
    }

    /// The doors this table decides for.
    pub fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.doors.known().copied()
    }

    /// How long a door works on its own; none for a door that is not in the table.
    #[must_use]
    pub fn lease(&self, door: DoorId) -> Option<LeaseLength> {
        LeaseLength::from_seconds(self.doors.find(&door)?.1.lease_seconds)
    }

    /// How far a door may decide by this table when the server was last heard so long ago; none: not
    /// since the machine was started. Doors that are not in the table may not.
    #[must_use]
    pub fn lease_after(&self, door: DoorId, unheard: Option<Duration>) -> Lease {
        let Some((_, known)) = self.doors.find(&door) else {
            return Lease::Ended;
        };
        let within = |seconds: u32| {
            unheard.is_some_and(|unheard| unheard < Duration::from_secs(seconds.into()))
        };
        match &known.when_cut_off {
            _ if within(known.lease_seconds) => Lease::Running,
            Some(WhenCutOff::KeepLastTable) => Lease::Running,
            Some(WhenCutOff::EmergencyList { limit_seconds, .. }) if within(*limit_seconds) => {
                Lease::EmergencyListOnly
            }
            Some(WhenCutOff::EmergencyList { .. }) | None => Lease::Ended,
        }
    }

    /// Which ways a door has readers for.
    #[must_use]
    pub fn directions(&self, door: DoorId) -> &[Direction] {
        self.doors
            .find(&door)
            .map_or(&[], |(_, door)| &door.readers)
    }

    /// How many bytes of memory finding the holder of a credential takes: hashes, numbers, and
    /// the index over them; without the ids that an answer names.
    #[must_use]
    pub const fn look_up_bytes(&self) -> usize {
        self.credentials.look_up_bytes()
    }

    /// Keeps a refusal of a table that this agent had before, or one that overtook the next. It is no
    /// entry of this table, and stands until the table has it, or an entry that was ruled later lifts
    /// it.
    pub fn hold(&mut self, refusal: RulingEntry) {
        self.rulings.hold(refusal);
    }

    /// Keeps every refusal that stands in a table that this one takes the place of.
    pub fn hold_all_of(&mut self, before: &Self) {
        for refusal in before.rulings.refusals() {
            self.hold(refusal.clone());
        }
    }

    /// The refusals that stand beside this table, in the order of their subjects.
    pub fn held(&self) -> impl Iterator<Item = &RulingEntry> {
        self.rulings.standing()
    }

    /// Every refusal of a person or a credential that stands, this table's own among them.
    pub fn refusals(&self) -> impl Iterator<Item = &RulingEntry> {
        self.rulings.refusals()
    }

    /// Adds an entry, or replaces the one with its key.
    pub fn put(&mut self, entry: Entry) {
        let key = entry.key();
        self.delete(key);
        let bytes = entry.encode().into_boxed_slice();
        self.hash = self.hash.with(&self.hash_key, &bytes);
        let profile = self.learn(key, entry);
        self.entries.insert(key, Kept { bytes, profile });
    }

    /// Takes the entry with this key out, if there is one.
    pub fn delete(&mut self, key: EntryKey) {
        let Some(kept) = self.entries.remove(&key) else {
            return;
        };
        self.hash = self.hash.without(&self.hash_key, &kept.bytes);
        match key.kind {
            EntryKind::Keypad => self.salt = None,
            EntryKind::Site => {
                self.sites.forget(&SiteId::from_bytes(key.id));
            }
            EntryKind::Door => {
                if let Some((_, door)) = self.doors.forget(&DoorId::from_bytes(key.id)) {
                    self.sites.release(door.site);
                }
            }
            EntryKind::Schedule => {
                self.schedules.forget(&ScheduleId::from_bytes(key.id));
            }
            EntryKind::Policy => self.forget_policy(PolicyId::from_bytes(key.id)),
            EntryKind::User => self.forget_user(UserId::from_bytes(key.id), &kept),
            EntryKind::Ruling => self.rulings.forget(&key.id),
        }
    }

    /// Brings an entry into the shape of decisions. Says the number of a person's profile.
    fn learn(&mut self, key: EntryKey, entry: Entry) -> u32 {
        match entry {
            Entry::Keypad(entry) => self.salt = Some(PinSalt::from_bytes(*entry.salt)),
            Entry::Site(entry) => {
                let clock = Clock::new(entry.first_offset, entry.changes);
                self.sites.learn(SiteId::from_bytes(key.id), clock);
            }
            Entry::Door(entry) => {
                let direction = |way: u8| {
                    if way == 1 {
                        Direction::Out
                    } else {
                        Direction::In
                    }
                };
                let readers = entry.readers.iter().map(|(_, way)| direction(*way));
                let door = KnownDoor {
                    site: self.sites.mention(SiteId::from_bytes(*entry.site)),
                    lease_seconds: entry.lease_seconds,
                    readers: readers.collect(),
                    when_cut_off: entry.when_cut_off,
                };
                self.doors.learn(DoorId::from_bytes(key.id), door);
            }
            Entry::Schedule(entry) => {
                let hours = Hours::new(&entry.weekly, &entry.holiday, entry.days);
                self.schedules.learn(ScheduleId::from_bytes(key.id), hours);
            }
            Entry::Policy(entry) => self.learn_policy(PolicyId::from_bytes(key.id), &entry),
            Entry::Ruling(entry) => self.rulings.learn(entry),
            Entry::User(entry) => return self.learn_user(UserId::from_bytes(key.id), &entry),
        }
        0
    }

    fn learn_policy(&mut self, id: PolicyId, entry: &entry::PolicyEntry) {
        let named: BTreeSet<_> = entry.doors.iter().map(|door| **door).collect();
        let mention = |door| self.doors.mention(DoorId::from_bytes(door));
        let doors: Box<[u32]> = named.into_iter().map(mention).collect();
        let schedule = entry.schedule.map(|id| ScheduleId::from_bytes(*id));
        let policy = KnownPolicy {
            doors: doors.clone(),
            schedule: schedule.map(|id| self.schedules.mention(id)),
        };
        let number = self.policies.learn(id, policy);
        for door in doors {
            let door = door as usize;
            if self.naming.len() <= door {
                self.naming.resize_with(door + 1, Numbers::default);
            }
            self.naming[door].add(number);
        }
    }

    fn forget_policy(&mut self, id: PolicyId) {
        let Some((number, policy)) = self.policies.forget(&id) else {
            return;
        };
        for door in policy.doors {
            self.naming[door as usize].remove(number);
            self.doors.release(door);
        }
        if let Some(schedule) = policy.schedule {
            self.schedules.release(schedule);
        }
    }

    fn learn_user(&mut self, id: UserId, entry: &entry::UserEntry) -> u32 {
        let policies = entry.policies.iter();
        let profile = policies.map(|id| PolicyId::from_bytes(**id)).collect();
        let profile = self.mention_profile(profile);
        let period = if entry.starts.is_some() || entry.ends.is_some() {
            let period = AccessPeriod {
                starts_microseconds: entry.starts,
                ends_microseconds: entry.ends,
            };
            self.periods.insert(id, period);
            KnownPeriod::Bounded
        } else {
            KnownPeriod::Always
        };
        let standing = match entry.standing {
            0 => KnownStanding::Active,
            _ => KnownStanding::Deactivated,
        };
        for (hash, credential, state) in &entry.credentials {
            let holder = Holder {
                credential: CredentialId::from_bytes(**credential),
                user: id,
            };
            let terms = Terms {
                profile,
                standing,
                period,
                state: match *state {
                    0 => KnownState::Usable,
                    _ => KnownState::Lost,
                },
            };
            self.credentials
                .insert(CredentialHash(**hash), holder, terms);
        }
        profile
    }

    fn forget_user(&mut self, id: UserId, kept: &Kept) {
        // The bytes were an entry when they were put, and are the only list of what they held.
        if let Ok(Entry::User(entry)) = Entry::read(&kept.bytes) {
            for (hash, credential, _) in &entry.credentials {
                let holder = Holder {
                    credential: CredentialId::from_bytes(**credential),
                    user: id,
                };
                self.credentials.remove(CredentialHash(**hash), holder);
            }
        }
        self.periods.remove(&id);
        self.release_profile(kept.profile);
    }

    fn mention_profile(&mut self, policies: Box<[PolicyId]>) -> u32 {
        let number = self.profiles.mention(policies.clone());
        if self.profiles.get(number).is_none() {
            let mention = |policy: &PolicyId| self.policies.mention(*policy);
            let numbers: Vec<u32> = policies.iter().map(mention).collect();
            self.profiles.learn(policies, Profile::new(&numbers));
        }
        number
    }

    fn release_profile(&mut self, number: u32) {
        if self.profiles.mentions(number) == 1
            && let Some(policies) = self.profiles.id(number).cloned()
        {
            let forgotten = self.profiles.forget(&policies);
            let numbers = forgotten.iter().flat_map(|(_, profile)| profile.policies());
            numbers.for_each(|policy| self.policies.release(*policy));
        }
        self.profiles.release(number);
    }
}
