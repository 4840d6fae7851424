//! The entries of a door's table, their bytes, and the hash of a set of them.
//!
//! An entry is deterministic CBOR: the array `[kind, fields]` of a number and an array of the
//! entry's fields in the order in which they stand here. Integers are in their shortest form,
//! arrays have definite lengths, lists that stand for sets are sorted without repetition. The
//! bytes are what the table's hash is made of, so there is exactly one encoding of each entry;
//! any other is refused.

use minicbor::{Decode, Encode};

use crate::agent::HashKey;
use crate::id::{CredentialId, DoorId, PolicyId, ReaderId, ScheduleId, SiteId, UserId};
use crate::parameters::{Epoch, Revision};
use crate::ruling::{Ruled, Ruling, Seal};

/// The kinds of entry, in the order in which a snapshot sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EntryKind {
    /// How PINs are digested at this agent's keypads.
    Keypad = 0,
    /// A site's clock.
    Site = 1,
    /// A door.
    Door = 2,
    /// A schedule.
    Schedule = 3,
    /// A policy.
    Policy = 4,
    /// A person and their credentials.
    User = 5,
    /// What was ruled about a person or a credential.
    Ruling = 6,
}

impl EntryKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Keypad,
        Self::Site,
        Self::Door,
        Self::Schedule,
        Self::Policy,
        Self::User,
        Self::Ruling,
    ];
}

/// Which entry: its kind and the id of what it is about (zeros for the keypad).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey {
    /// The kind.
    pub kind: EntryKind,
    /// The id of the user, door, … it is about.
    pub id: [u8; 16],
}

impl EntryKey {
    /// The key of the one keypad entry.
    pub const KEYPAD: Self = Self {
        kind: EntryKind::Keypad,
        id: [0; 16],
    };

    /// The key of a person's entry.
    #[must_use]
    pub const fn user(user: UserId) -> Self {
        Self {
            kind: EntryKind::User,
            id: *user.as_bytes(),
        }
    }

    /// The key of the ruling about the person or the credential with this id.
    #[must_use]
    pub const fn ruling(subject: [u8; 16]) -> Self {
        Self {
            kind: EntryKind::Ruling,
            id: subject,
        }
    }

    /// The key of an entry of this kind number about this id; none for an unknown number.
    #[must_use]
    pub fn from_parts(kind: u8, id: [u8; 16]) -> Option<Self> {
        EntryKind::ALL
            .get(usize::from(kind))
            .map(|kind| Self { kind: *kind, id })
    }
}

type Bytes16 = minicbor::bytes::ByteArray<16>;

/// A credential as a door knows it: 16 bytes of keyed BLAKE3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialHash(pub [u8; 16]);

/// `[salt]`: the salt of PIN digests (Argon2id v1.3, 19,456 KiB, 2 passes, 1 lane, 32 bytes).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct KeypadEntry {
    /// The store's PIN salt.
    #[n(0)]
    pub salt: Bytes16,
}

/// `[site, first offset, changes]`: a site's clock for five years.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SiteEntry {
    /// Which site.
    #[n(0)]
    pub site: Bytes16,
    /// Seconds east of UTC before the first change.
    #[n(1)]
    pub first_offset: i32,
    /// When the clocks change, in seconds since 1970, and the offset from then on.
    #[n(2)]
    pub changes: Vec<(i64, i32)>,
}

/// Whom a door still admits when it has worked on its own for as long as it may.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum WhenCutOff {
    /// `[0, [limit, people]]`: these people, until the limit is over.
    #[n(0)]
    EmergencyList {
        /// In seconds, counted as the lease is.
        #[n(0)]
        limit_seconds: u32,
        /// Whom it still admits, by what their own policies say; sorted.
        #[n(1)]
        people: Vec<Bytes16>,
    },
    /// `[1, []]`: everybody; it goes on with the table it has.
    #[n(1)]
    KeepLastTable,
}

impl WhenCutOff {
    /// Whether a person is on the list.
    #[must_use]
    pub fn lists(&self, user: UserId) -> bool {
        match self {
            Self::EmergencyList { people, .. } => people
                .binary_search_by(|on_list| (**on_list).cmp(user.as_bytes()))
                .is_ok(),
            Self::KeepLastTable => false,
        }
    }
}

/// `[door, site, lease, readers, when cut off]`: a door.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DoorEntry {
    /// Which door.
    #[n(0)]
    pub door: Bytes16,
    /// Whose clock it follows.
    #[n(1)]
    pub site: Bytes16,
    /// How long it works on its own, in seconds.
    #[n(2)]
    pub lease_seconds: u32,
    /// Its readers, and whether each is on the way out (1) or in (0).
    #[n(3)]
    pub readers: Vec<(Bytes16, u8)>,
    /// Whom it admits after that time; left out: nobody.
    #[n(4)]
    pub when_cut_off: Option<WhenCutOff>,
}

/// `[schedule, weekly, holiday]`: when. Windows are `(first minute, length)`, of the week (from
/// Monday 00:00) or of a holiday, and may run on into the next day.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ScheduleEntry {
    /// Which schedule.
    #[n(0)]
    pub schedule: Bytes16,
    /// Windows of ordinary days: the minute of the week each starts at, and its minutes.
    #[n(1)]
    pub weekly: Vec<(u16, u16)>,
    /// Windows of holidays: the minute of the day each starts at, and its minutes.
    #[n(2)]
    pub holiday: Vec<(u16, u16)>,
    /// The days that are holidays, as days since 1970, sorted.
    #[n(3)]
    pub days: Vec<i32>,
}

/// `[policy, grants]`: which of this agent's doors, when.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PolicyEntry {
    /// Which policy.
    #[n(0)]
    pub policy: Bytes16,
    /// Its doors at this agent, sorted.
    #[n(1)]
    pub doors: Vec<Bytes16>,
    /// Its schedule; none means always.
    #[n(2)]
    pub schedule: Option<Bytes16>,
}

/// `[user, standing, starts, ends, policies, credentials]`: a person.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct UserEntry {
    /// Who.
    #[n(0)]
    pub user: Bytes16,
    /// 0: active, 1: deactivated.
    #[n(1)]
    pub standing: u8,
    /// Refused before this instant, in microseconds since 1970.
    #[n(2)]
    pub starts: Option<i64>,
    /// Refused from this instant on, in microseconds since 1970.
    #[n(3)]
    pub ends: Option<i64>,
    /// Their policies at this agent, sorted; none for somebody deactivated.
    #[n(4)]
    pub policies: Vec<Bytes16>,
    /// Their credentials, sorted: hash, id, and 0 if usable, 1 if lost.
    #[n(5)]
    pub credentials: Vec<(Bytes16, Bytes16, u8)>,
}

/// `[subject, ruled, epoch counter, epoch nonce, revision, seal]`: what was last ruled about a
/// person or a credential that this agent knew.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RulingEntry {
    /// The id of the person or the credential.
    #[n(0)]
    pub subject: Bytes16,
    /// 0: a person is admitted, 1: deactivated, 2: removed; 3: a credential is usable, 4: lost,
    /// 5: withdrawn.
    #[n(1)]
    pub ruled: u8,
    /// The counter of the epoch it was ruled in.
    #[n(2)]
    pub counter: u64,
    /// That epoch's nonce.
    #[n(3)]
    pub nonce: Bytes16,
    /// The change that ruled it.
    #[n(4)]
    pub revision: u64,
    /// The store's seal. Agents cannot check it and show it as it is.
    #[n(5)]
    pub seal: minicbor::bytes::ByteArray<32>,
}

impl RulingEntry {
    /// A ruling and its seal.
    #[must_use]
    pub fn new(ruling: &Ruling, seal: Seal) -> Self {
        Self {
            subject: ruling.subject.into(),
            ruled: ruling.ruled as u8,
            counter: ruling.epoch.counter,
            nonce: ruling.epoch.nonce.into(),
            revision: ruling.revision.number(),
            seal: seal.0.into(),
        }
    }

    /// The ruling; none if its number is of none.
    #[must_use]
    pub fn ruling(&self) -> Option<Ruling> {
        Some(Ruling {
            subject: *self.subject,
            ruled: Ruled::from_number(self.ruled)?,
            epoch: Epoch {
                counter: self.counter,
                nonce: *self.nonce,
            },
            revision: Revision::new(self.revision),
        })
    }

    /// The seal.
    #[must_use]
    pub fn seal(&self) -> Seal {
        Seal(*self.seal)
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// How PINs are digested.
    Keypad(KeypadEntry),
    /// A site's clock.
    Site(SiteEntry),
    /// A door.
    Door(DoorEntry),
    /// A schedule.
    Schedule(ScheduleEntry),
    /// A policy.
    Policy(PolicyEntry),
    /// A person.
    User(UserEntry),
    /// A ruling.
    Ruling(RulingEntry),
}

/// The bytes are not an entry in its one encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a table entry in its canonical encoding")]
pub struct MalformedEntry;

impl Entry {
    /// The most bytes an entry may have.
    pub const LIMIT_BYTES: usize = 512 * 1024;

    /// Which entry this is.
    #[must_use]
    pub fn key(&self) -> EntryKey {
        match self {
            Self::Keypad(_) => EntryKey::KEYPAD,
            Self::Site(entry) => EntryKey {
                kind: EntryKind::Site,
                id: *entry.site,
            },
            Self::Door(entry) => EntryKey {
                kind: EntryKind::Door,
                id: *entry.door,
            },
            Self::Schedule(entry) => EntryKey {
                kind: EntryKind::Schedule,
                id: *entry.schedule,
            },
            Self::Policy(entry) => EntryKey {
                kind: EntryKind::Policy,
                id: *entry.policy,
            },
            Self::User(entry) => EntryKey {
                kind: EntryKind::User,
                id: *entry.user,
            },
            Self::Ruling(entry) => EntryKey::ruling(*entry.subject),
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let kind = self.key().kind as u8;
        let bytes = match self {
            Self::Keypad(entry) => minicbor::to_vec((kind, entry)),
            Self::Site(entry) => minicbor::to_vec((kind, entry)),
            Self::Door(entry) => minicbor::to_vec((kind, entry)),
            Self::Schedule(entry) => minicbor::to_vec((kind, entry)),
            Self::Policy(entry) => minicbor::to_vec((kind, entry)),
            Self::User(entry) => minicbor::to_vec((kind, entry)),
            Self::Ruling(entry) => minicbor::to_vec((kind, entry)),
        };
        bytes.unwrap_or_else(|_| unreachable!("writing to memory cannot fail"))
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// Anything but the one encoding of an entry of a known kind.
    pub fn decode(bytes: &[u8]) -> Result<Self, MalformedEntry> {
        if bytes.len() > Self::LIMIT_BYTES {
            return Err(MalformedEntry);
        }
        let entry = Self::read(bytes).map_err(|_| MalformedEntry)?;
        if entry.is_sound() && entry.encode() == bytes {
            Ok(entry)
        } else {
            Err(MalformedEntry)
        }
    }

    /// Reads bytes that are known to be the encoding of an entry.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let mut decoder = minicbor::Decoder::new(bytes);
        decoder.array()?;
        match decoder.u8()? {
            0 => decoder.decode().map(Self::Keypad),
            1 => decoder.decode().map(Self::Site),
            2 => decoder.decode().map(Self::Door),
            3 => decoder.decode().map(Self::Schedule),
            4 => decoder.decode().map(Self::Policy),
            5 => decoder.decode().map(Self::User),
            6 => decoder.decode().map(Self::Ruling),
            _ => Err(minicbor::decode::Error::message("unknown kind")),
        }
    }

    /// Whether numbers are within their ranges and sets sorted without repetition.
    fn is_sound(&self) -> bool {
        let ascending = |ids: &[Bytes16]| ids.windows(2).all(|pair| *pair[0] < *pair[1]);
        match self {
            Self::Keypad(_) => true,
            Self::Site(entry) => {
                let day = 26 * 3600;
                entry.changes.windows(2).all(|pair| pair[0].0 < pair[1].0)
                    && entry.first_offset.abs() <= day
                    && entry.changes.iter().all(|(_, offset)| offset.abs() <= day)
            }
            Self::Door(entry) => {
                entry.readers.iter().all(|(_, direction)| *direction <= 1)
                    && match &entry.when_cut_off {
                        Some(WhenCutOff::EmergencyList { people, .. }) => ascending(people),
                        Some(WhenCutOff::KeepLastTable) | None => true,
                    }
            }
            Self::Schedule(entry) => {
                let fits = |windows: &[(u16, u16)], minutes: u16| {
                    windows
                        .iter()
                        .all(|(from, length)| *from < minutes && (1..=1440).contains(length))
                };
                fits(&entry.weekly, 7 * 1440)
                    && fits(&entry.holiday, 1440)
                    && entry.days.windows(2).all(|pair| pair[0] < pair[1])
            }
            Self::Policy(entry) => ascending(&entry.doors),
            Self::Ruling(entry) => entry.ruling().is_some(),
            Self::User(entry) => {
                entry.standing <= 1
                    && ascending(&entry.policies)
                    && entry.credentials.iter().all(|(_, _, state)| *state <= 1)
                    && entry
                        .credentials
                        .windows(2)
                        .all(|pair| (*pair[0].0, *pair[0].1) < (*pair[1].0, *pair[1].1))
            }
        }
    }
}

macro_rules! as_bytes {
    ($($id:ident)+) => {$(
        impl From<$id> for Bytes16Of {
            fn from(id: $id) -> Self {
                Self((*id.as_bytes()).into())
            }
        }
    )+};
}

/// An id on its way into an entry.
pub(super) struct Bytes16Of(pub(super) Bytes16);

as_bytes! { UserId CredentialId DoorId SiteId ScheduleId PolicyId ReaderId }

/// An id as an entry holds it.
pub(super) fn bytes(id: impl Into<Bytes16Of>) -> Bytes16 {
    id.into().0
}

/// The hash of a whole table, however it came about: the sum modulo 2^256 (as little-endian
/// numbers) of the BLAKE3 hashes of its entries' bytes under the agent's hash key. A set hash of
/// the kind MSet-Add-Hash (Clarke, Devadas, van Dijk, Gassend, Suh: "Incremental Multiset Hash
/// Functions", 2003); the key keeps others from computing sums of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableHash(pub [u8; 32]);

impl TableHash {
    /// The hash of the table without entries.
    pub const EMPTY: Self = Self([0; 32]);

    /// The hash of the table with one more entry.
    #[must_use]
    pub fn with(self, key: &HashKey, encoded: &[u8]) -> Self {
        let term = blake3::keyed_hash(key.as_bytes(), encoded);
        let mut sum = self.0;
        let mut carry = 0_u16;
        for (byte, term) in sum.iter_mut().zip(term.as_bytes()) {
            let total = u16::from(*byte) + u16::from(*term) + carry;
            *byte = total as u8;
            carry = total >> 8;
        }
        Self(sum)
    }

    /// The hash of the table with one entry fewer.
    #[must_use]
    pub fn without(self, key: &HashKey, encoded: &[u8]) -> Self {
        let term = blake3::keyed_hash(key.as_bytes(), encoded);
        let mut difference = self.0;
        let mut borrow = 0_i16;
        for (byte, term) in difference.iter_mut().zip(term.as_bytes()) {
            let total = i16::from(*byte) - i16::from(*term) - borrow;
            *byte = total as u8;
            borrow = i16::from(total < 0);
        }
        Self(difference)
    }
}
