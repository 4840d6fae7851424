//! What a door knows: entries compiled on the server, the table they make, and the decision made
//! from it.
//!
//! A table is a set of entries under one hash key. It is the same however it came about, entry by
//! entry or all at once, and so is its hash.

pub mod admission;
pub mod compile;
pub mod entry;
mod hours;
pub mod keypad;

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::HashKey;
use crate::id::{CredentialId, DoorId, PolicyId, ScheduleId, SiteId, UserId};
use crate::pin::PinSalt;
use crate::place::{Direction, LeaseLength};
use entry::{CredentialHash, Entry, EntryKey, EntryKind, TableHash};
use hours::{Clock, Hours};

/// The table of one agent.
#[derive(Clone, Debug)]
pub struct Table {
    hash_key: HashKey,
    hash: TableHash,
    encoded: BTreeMap<EntryKey, Vec<u8>>,
    salt: Option<PinSalt>,
    clocks: BTreeMap<SiteId, Clock>,
    doors: BTreeMap<DoorId, KnownDoor>,
    schedules: BTreeMap<ScheduleId, Hours>,
    policies: BTreeMap<PolicyId, KnownPolicy>,
    users: BTreeMap<UserId, KnownUser>,
    /// Several people may share a plate; ids order them, so that no order of arrival matters.
    credentials: BTreeMap<(CredentialHash, CredentialId), KnownCredential>,
}

#[derive(Clone, Debug)]
struct KnownDoor {
    site: SiteId,
    lease_seconds: u32,
    readers: Vec<Direction>,
}

#[derive(Clone, Debug)]
struct KnownPolicy {
    doors: BTreeSet<DoorId>,
    schedule: Option<ScheduleId>,
}

#[derive(Clone, Debug)]
struct KnownUser {
    standing: KnownStanding,
    starts_microseconds: Option<i64>,
    ends_microseconds: Option<i64>,
    policies: Vec<PolicyId>,
    credentials: Vec<(CredentialHash, CredentialId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KnownStanding {
    Active,
    Deactivated,
}

#[derive(Clone, Copy, Debug)]
struct KnownCredential {
    user: UserId,
    state: KnownState,
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
            encoded: BTreeMap::new(),
            salt: None,
            clocks: BTreeMap::new(),
            doors: BTreeMap::new(),
            schedules: BTreeMap::new(),
            policies: BTreeMap::new(),
            users: BTreeMap::new(),
            credentials: BTreeMap::new(),
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
        self.encoded.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// All entries' keys and bytes, in the order of their keys.
    pub fn entries(&self) -> impl Iterator<Item = (&EntryKey, &[u8])> {
        self.encoded
            .iter()
            .map(|(key, bytes)| (key, bytes.as_slice()))
    }

    /// The bytes of one entry.
    #[must_use]
    pub fn entry(&self, key: &EntryKey) -> Option<&[u8]> {
        self.encoded.get(key).map(Vec::as_slice)
    }

    /// The salt of PIN digests at this agent's keypads; none in a table without doors.
    #[must_use]
    pub const fn pin_salt(&self) -> Option<PinSalt> {
        self.salt
    }

    /// The doors this table decides for.
    pub fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.doors.keys().copied()
    }

    /// How long a door works on its own; none for a door that is not in the table.
    #[must_use]
    pub fn lease(&self, door: DoorId) -> Option<LeaseLength> {
        LeaseLength::from_seconds(self.doors.get(&door)?.lease_seconds)
    }

    /// Which ways a door has readers for.
    #[must_use]
    pub fn directions(&self, door: DoorId) -> &[Direction] {
        self.doors.get(&door).map_or(&[], |door| &door.readers)
    }

    /// Adds an entry, or replaces the one with its key.
    pub fn put(&mut self, entry: Entry) {
        let key = entry.key();
        self.delete(key);
        let bytes = entry.encode();
        self.hash = self.hash.with(&self.hash_key, &bytes);
        self.encoded.insert(key, bytes);
        match entry {
            Entry::Keypad(entry) => self.salt = Some(PinSalt::from_bytes(*entry.salt)),
            Entry::Site(entry) => {
                let clock = Clock::new(entry.first_offset, entry.changes);
                self.clocks.insert(SiteId::from_bytes(key.id), clock);
            }
            Entry::Door(entry) => {
                let direction = |way: u8| {
                    if way == 1 {
                        Direction::Out
                    } else {
                        Direction::In
                    }
                };
                let door = KnownDoor {
                    site: SiteId::from_bytes(*entry.site),
                    lease_seconds: entry.lease_seconds,
                    readers: entry
                        .readers
                        .iter()
                        .map(|(_, way)| direction(*way))
                        .collect(),
                };
                self.doors.insert(DoorId::from_bytes(key.id), door);
            }
            Entry::Schedule(entry) => {
                let hours = Hours::new(&entry.weekly, &entry.holiday, entry.days);
                self.schedules.insert(ScheduleId::from_bytes(key.id), hours);
            }
            Entry::Policy(entry) => {
                let policy = KnownPolicy {
                    doors: entry
                        .doors
                        .iter()
                        .map(|door| DoorId::from_bytes(**door))
                        .collect(),
                    schedule: entry
                        .schedule
                        .map(|schedule| ScheduleId::from_bytes(*schedule)),
                };
                self.policies.insert(PolicyId::from_bytes(key.id), policy);
            }
            Entry::User(entry) => self.put_user(UserId::from_bytes(key.id), &entry),
        }
    }

    fn put_user(&mut self, user: UserId, entry: &entry::UserEntry) {
        let mut credentials = Vec::with_capacity(entry.credentials.len());
        for (hash, id, state) in &entry.credentials {
            let key = (CredentialHash(**hash), CredentialId::from_bytes(**id));
            let state = if *state == 0 {
                KnownState::Usable
            } else {
                KnownState::Lost
            };
            self.credentials
                .insert(key, KnownCredential { user, state });
            credentials.push(key);
        }
        let standing = match entry.standing {
            0 => KnownStanding::Active,
            _ => KnownStanding::Deactivated,
        };
        let known = KnownUser {
            standing,
            starts_microseconds: entry.starts,
            ends_microseconds: entry.ends,
            policies: entry
                .policies
                .iter()
                .map(|policy| PolicyId::from_bytes(**policy))
                .collect(),
            credentials,
        };
        self.users.insert(user, known);
    }

    /// Takes the entry with this key out, if there is one.
    pub fn delete(&mut self, key: EntryKey) {
        let Some(bytes) = self.encoded.remove(&key) else {
            return;
        };
        self.hash = self.hash.without(&self.hash_key, &bytes);
        match key.kind {
            EntryKind::Keypad => self.salt = None,
            EntryKind::Site => {
                self.clocks.remove(&SiteId::from_bytes(key.id));
            }
            EntryKind::Door => {
                self.doors.remove(&DoorId::from_bytes(key.id));
            }
            EntryKind::Schedule => {
                self.schedules.remove(&ScheduleId::from_bytes(key.id));
            }
            EntryKind::Policy => {
                self.policies.remove(&PolicyId::from_bytes(key.id));
            }
            EntryKind::User => {
                let user = UserId::from_bytes(key.id);
                for credential in self
                    .users
                    .remove(&user)
                    .into_iter()
                    .flat_map(|it| it.credentials)
                {
                    // A credential id may have moved to another person's entry before this one
                    // was told; that entry is the newer word.
                    if self
                        .credentials
                        .get(&credential)
                        .is_some_and(|known| known.user == user)
                    {
                        self.credentials.remove(&credential);
                    }
                }
            }
        }
    }
}
