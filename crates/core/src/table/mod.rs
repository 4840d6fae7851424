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
mod register;
mod rulings;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::agent::HashKey;
use crate::id::{CredentialId, DoorId, PolicyId, ScheduleId, SiteId, UserId};
use crate::pin::PinSalt;
use crate::place::{Direction, LeaseLength};
use admission::Lease;
use credentials::Credentials;
use entry::{CredentialHash, Entry, EntryKey, EntryKind, RulingEntry, TableHash, WhenCutOff};
use hours::{Clock, Hours};
use register::Register;
use rulings::Rulings;

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
    /// The sets of policies that people have, as the policies' numbers. Few people have one of
    /// their own.
    profiles: Register<Box<[PolicyId]>, Box<[u32]>>,
    /// People, by the number that their credentials name.
    users: Vec<KnownUser>,
    /// Numbers nobody has at the moment.
    free: Vec<u32>,
    credentials: Credentials,
    rulings: Rulings,
}

/// An entry as it is kept.
#[derive(Clone, Debug)]
struct Kept {
    bytes: Box<[u8]>,
    /// A person's number; 0 for anything else.
    user: u32,
}

#[derive(Clone, Debug)]
struct KnownDoor {
    site: u32,
    lease_seconds: u32,
    readers: Vec<Direction>,
    when_cut_off: Option<WhenCutOff>,
}

#[derive(Clone, Debug)]
struct KnownPolicy {
    doors: Doors,
    schedule: Option<u32>,
}

/// A bit for the number of each door.
#[derive(Clone, Debug, Default)]
struct Doors(Vec<u64>);

impl Doors {
    fn add(&mut self, door: u32) {
        let word = door as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (door % 64);
    }

    fn has(&self, door: u32) -> bool {
        self.0
            .get(door as usize / 64)
            .is_some_and(|word| word >> (door % 64) & 1 == 1)
    }

    fn all(&self) -> impl Iterator<Item = u32> {
        (0..self.0.len() as u32 * 64).filter(move |door| self.has(*door))
    }
}

#[derive(Clone, Copy, Debug)]
struct KnownUser {
    id: UserId,
    standing: KnownStanding,
    starts_microseconds: Option<i64>,
    ends_microseconds: Option<i64>,
    profile: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KnownStanding {
    Active,
    Deactivated,
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
            profiles: Register::new(),
            users: Vec::new(),
            free: Vec::new(),
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

    fn is_on_emergency_list(&self, door: DoorId, user: UserId) -> bool {
        let door = self.doors.find(&door);
        door.and_then(|(_, door)| door.when_cut_off.as_ref())
            .is_some_and(|after| after.lists(user))
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
        let user = self.learn(key, entry);
        self.entries.insert(key, Kept { bytes, user });
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
                if let Some(door) = self.doors.forget(&DoorId::from_bytes(key.id)) {
                    self.sites.release(door.site);
                }
            }
            EntryKind::Schedule => {
                self.schedules.forget(&ScheduleId::from_bytes(key.id));
            }
            EntryKind::Policy => {
                if let Some(policy) = self.policies.forget(&PolicyId::from_bytes(key.id)) {
                    policy.doors.all().for_each(|door| self.doors.release(door));
                    if let Some(schedule) = policy.schedule {
                        self.schedules.release(schedule);
                    }
                }
            }
            EntryKind::User => self.forget_user(&kept),
            EntryKind::Ruling => self.rulings.forget(&key.id),
        }
    }

    /// Brings an entry into the shape of decisions. Says a person's number.
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
            Entry::Policy(entry) => {
                let mut doors = Doors::default();
                let named: BTreeSet<_> = entry.doors.iter().map(|door| **door).collect();
                for door in named {
                    doors.add(self.doors.mention(DoorId::from_bytes(door)));
                }
                let schedule = entry.schedule.map(|id| ScheduleId::from_bytes(*id));
                let policy = KnownPolicy {
                    doors,
                    schedule: schedule.map(|id| self.schedules.mention(id)),
                };
                self.policies.learn(PolicyId::from_bytes(key.id), policy);
            }
            Entry::Ruling(entry) => self.rulings.learn(entry),
            Entry::User(entry) => return self.learn_user(UserId::from_bytes(key.id), &entry),
        }
        0
    }

    fn learn_user(&mut self, id: UserId, entry: &entry::UserEntry) -> u32 {
        let policies = entry.policies.iter();
        let known = KnownUser {
            id,
            standing: match entry.standing {
                0 => KnownStanding::Active,
                _ => KnownStanding::Deactivated,
            },
            starts_microseconds: entry.starts,
            ends_microseconds: entry.ends,
            profile: self.mention_profile(policies.map(|id| PolicyId::from_bytes(**id)).collect()),
        };
        let user = match self.free.pop() {
            Some(user) => {
                self.users[user as usize] = known;
                user
            }
            None => {
                self.users.push(known);
                (self.users.len() - 1) as u32
            }
        };
        for (hash, credential, state) in &entry.credentials {
            let state = if *state == 0 {
                KnownState::Usable
            } else {
                KnownState::Lost
            };
            let credential = CredentialId::from_bytes(**credential);
            let hash = CredentialHash(**hash);
            self.credentials.insert(hash, credential, user, state);
        }
        user
    }

    fn forget_user(&mut self, kept: &Kept) {
        // The bytes were an entry when they were put, and are the only list of what they held.
        if let Ok(Entry::User(entry)) = Entry::read(&kept.bytes) {
            for (hash, credential, _) in &entry.credentials {
                let credential = CredentialId::from_bytes(**credential);
                let hash = CredentialHash(**hash);
                self.credentials.remove(hash, credential, kept.user);
            }
        }
        self.release_profile(self.users[kept.user as usize].profile);
        self.free.push(kept.user);
    }

    fn mention_profile(&mut self, policies: Box<[PolicyId]>) -> u32 {
        let number = self.profiles.mention(policies.clone());
        if self.profiles.get(number).is_none() {
            let mention = |policy: &PolicyId| self.policies.mention(*policy);
            let numbers = policies.iter().map(mention).collect();
            self.profiles.learn(policies, numbers);
        }
        number
    }

    fn release_profile(&mut self, number: u32) {
        if self.profiles.mentions(number) == 1
            && let Some(policies) = self.profiles.id(number).cloned()
        {
            let numbers = self.profiles.forget(&policies);
            let numbers = numbers.iter().flatten();
            numbers.for_each(|policy| self.policies.release(*policy));
        }
        self.profiles.release(number);
    }
}
