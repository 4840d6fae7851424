//! The door's decision: may this credential pass here, now, and why (not).
//!
//! A pure function of the table, the door's state, what was presented, and the time. The door
//! itself asks it, and so does the page that shows what a person can open.

use std::cmp::Reverse;

use super::entry::CredentialHash;
use super::hours::Verdict;
use super::{KnownStanding, KnownState, KnownUser, Table};
use crate::agent::HashKey;
use crate::credential::{CardToken, CredentialKind, Plate};
use crate::id::{CredentialId, DoorId, PolicyId, UserId};
use crate::parameters::Timestamp;
use crate::pin::PinDigest;
use crate::place::Direction;

/// Something presented at a reader. A PIN has been digested already, off the deciding thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented {
    /// A typed code.
    Pin(PinDigest),
    /// A card or tag.
    NfcCard(CardToken),
    /// A plate read by a camera.
    LicencePlate(Plate),
}

impl Presented {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> CredentialKind {
        match self {
            Self::Pin(_) => CredentialKind::Pin,
            Self::NfcCard(_) => CredentialKind::NfcCard,
            Self::LicencePlate(_) => CredentialKind::LicencePlate,
        }
    }

    /// How an agent with this key knows it: the first 16 bytes of BLAKE3, under the key, of a
    /// byte for its kind (0 PIN, 1 card, 2 plate) and its bytes (a PIN's digest, a card's or
    /// plate's normalised UTF-8).
    #[must_use]
    pub fn hash(&self, key: &HashKey) -> CredentialHash {
        let mut hasher = blake3::Hasher::new_keyed(key.as_bytes());
        match self {
            Self::Pin(digest) => hasher.update(&[0]).update(digest.as_bytes()),
            Self::NfcCard(token) => hasher.update(&[1]).update(token.as_str().as_bytes()),
            Self::LicencePlate(plate) => hasher.update(&[2]).update(plate.as_str().as_bytes()),
        };
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        CredentialHash(hash)
    }

    /// What a table with this key is searched for when this is presented.
    #[must_use]
    pub fn sought(&self, key: &HashKey) -> Sought {
        Sought {
            kind: self.kind(),
            hash: self.hash(key),
        }
    }
}

/// What a table is searched for: all that a decision needs of what was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sought {
    /// The kind of what was presented.
    pub kind: CredentialKind,
    /// How the table knows it.
    pub hash: CredentialHash,
}

/// How far the door may still decide by its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It heard the server lately enough.
    Running,
    /// It did not, but its emergency list still holds.
    EmergencyListOnly,
    /// It did not, or has not since it was started.
    Ended,
}

/// Whether somebody locked the door down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lockdown {
    /// Nobody did.
    Off,
    /// Nobody gets in.
    On,
}

/// Whether the keypad judges PINs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keypad {
    /// It does.
    Ready,
    /// Too many wrong ones; it waits.
    Slowed,
}

/// Whether the time of day is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockTrust {
    /// It is.
    Trusted,
    /// It is not: whatever depends on it refuses, whatever does not goes on.
    Untrusted,
}

/// All that the decision depends on beside table and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoorState {
    /// The lease.
    pub lease: Lease,
    /// The lockdown.
    pub lockdown: Lockdown,
    /// The keypad.
    pub keypad: Keypad,
    /// The clock.
    pub clock: ClockTrust,
}

impl DoorState {
    /// A door on an ordinary day.
    pub const ORDINARY: Self = Self {
        lease: Lease::Running,
        lockdown: Lockdown::Off,
        keypad: Keypad::Ready,
        clock: ClockTrust::Trusted,
    };
}

/// Why a door refuses, in the fixed order in which it looks. Deactivated, not started and ended
/// are one step of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Nobody known here has it.
    Unknown,
    /// Its holder is deactivated.
    Deactivated,
    /// Its holder's access has not started.
    NotStarted,
    /// Its holder's access has ended.
    Ended,
    /// It was reported lost.
    Lost,
    /// The door is locked down.
    LockedDown,
    /// The door has not heard the server for longer than it works on its own.
    CutOff,
    /// Too many wrong PINs at this reader.
    TooManyAttempts,
    /// None of the holder's policies names this door.
    NoPolicy,
    /// Closed for a holiday.
    Holiday,
    /// Outside the hours.
    Schedule,
    /// It depends on the time, and the door does not know it.
    ClockNotTrusted,
}

impl Reason {
    /// All reasons, in order.
    pub const ALL: [Self; 12] = [
        Self::Unknown,
        Self::Deactivated,
        Self::NotStarted,
        Self::Ended,
        Self::Lost,
        Self::LockedDown,
        Self::CutOff,
        Self::TooManyAttempts,
        Self::NoPolicy,
        Self::Holiday,
        Self::Schedule,
        Self::ClockNotTrusted,
    ];

    /// The stable name in messages, rows and the command line; also plain enough for a page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Deactivated => "deactivated",
            Self::NotStarted => "access not started",
            Self::Ended => "access ended",
            Self::Lost => "reported lost",
            Self::LockedDown => "locked down",
            Self::CutOff => "cut off",
            Self::TooManyAttempts => "too many attempts",
            Self::NoPolicy => "no policy",
            Self::Holiday => "holiday",
            Self::Schedule => "outside schedule",
            Self::ClockNotTrusted => "clock not trusted",
        }
    }

    /// The reason with this stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Whose credential it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Which credential.
    pub credential: CredentialId,
    /// Whose.
    pub user: UserId,
}

/// What the door does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It opens.
    Granted {
        /// For whom.
        holder: Holder,
        /// By which policy.
        policy: PolicyId,
    },
    /// It opens, because nobody is kept from leaving. Whose credential it was, if it is known.
    WayOut(Option<Holder>),
    /// It stays closed.
    Refused {
        /// Why.
        reason: Reason,
        /// Whose credential it was, if it is known.
        holder: Option<Holder>,
    },
}

/// Decides what to do when this is presented; see [`admit_sought`].
#[must_use]
pub fn admit(
    table: &Table,
    state: DoorState,
    presented: &Presented,
    door: DoorId,
    direction: Direction,
    now: Timestamp,
) -> Decision {
    let sought = presented.sought(&table.hash_key);
    admit_sought(table, state, sought, door, direction, now)
}

/// Decides.
///
/// Where several people hold what was presented (a plate known to be shared), one of them being
/// admitted is enough; otherwise the reason furthest along the order is given, and among equals
/// that of the lowest credential id, so that no order of arrival matters.
#[must_use]
pub fn admit_sought(
    table: &Table,
    state: DoorState,
    sought: Sought,
    door: DoorId,
    direction: Direction,
    now: Timestamp,
) -> Decision {
    let held = table.credentials.held(sought.hash);
    let holders = held.map(|held| {
        let user = &table.users[held.user as usize];
        let holder = Holder {
            credential: held.credential,
            user: user.id,
        };
        (holder, user, held.state)
    });
    if direction == Direction::Out {
        return Decision::WayOut(holders.map(|(holder, ..)| holder).min());
    }
    let kind = sought.kind;
    let judged = holders.map(|(holder, user, credential)| {
        let judgement = match stopped(table, &holder) {
            Some(reason) => Err(reason),
            None => judge(table, state, kind, user, credential, door, now),
        };
        (holder, judgement)
    });
    let first = judged.min_by_key(|(holder, judgement)| {
        let furthest = judgement.map_or_else(|reason| reason as u8, |_| u8::MAX);
        (Reverse(furthest), *holder)
    });
    match first {
        Some((holder, Ok(policy))) => Decision::Granted { holder, policy },
        Some((holder, Err(reason))) => Decision::Refused {
            reason,
            holder: Some(holder),
        },
        None => Decision::Refused {
            reason: Reason::Unknown,
            holder: None,
        },
    }
}

/// Whether a table before this one refused the holder or the credential, and nothing lifted that:
/// a restored server does not bring anybody back.
fn stopped(table: &Table, holder: &Holder) -> Option<Reason> {
    if table.rulings.stops(holder.user.as_bytes()) {
        Some(Reason::Deactivated)
    } else if table.rulings.stops(holder.credential.as_bytes()) {
        Some(Reason::Lost)
    } else {
        None
    }
}

fn judge(
    table: &Table,
    state: DoorState,
    kind: CredentialKind,
    user: &KnownUser,
    credential: KnownState,
    door: DoorId,
    now: Timestamp,
) -> Result<PolicyId, Reason> {
    if user.standing == KnownStanding::Deactivated {
        return Err(Reason::Deactivated);
    }
    let clock_trusted = state.clock == ClockTrust::Trusted;
    if clock_trusted
        && user
            .starts_microseconds
            .is_some_and(|at| now.microseconds() < at)
    {
        return Err(Reason::NotStarted);
    }
    if clock_trusted
        && user
            .ends_microseconds
            .is_some_and(|at| now.microseconds() >= at)
    {
        return Err(Reason::Ended);
    }
    if credential == KnownState::Lost {
        return Err(Reason::Lost);
    }
    if state.lockdown == Lockdown::On {
        return Err(Reason::LockedDown);
    }
    let holds = match state.lease {
        Lease::Running => true,
        Lease::EmergencyListOnly => table.is_on_emergency_list(door, user.id),
        Lease::Ended => false,
    };
    if !holds {
        return Err(Reason::CutOff);
    }
    if kind == CredentialKind::Pin && state.keypad == Keypad::Slowed {
        return Err(Reason::TooManyAttempts);
    }
    let (door, at) = table.doors.find(&door).ok_or(Reason::NoPolicy)?;
    let bounded = user.starts_microseconds.is_some() || user.ends_microseconds.is_some();
    let mut local = None;
    let mut refusal = Reason::NoPolicy;
    for number in table.profiles.get(user.profile).into_iter().flatten() {
        let Some(policy) = table
            .policies
            .get(*number)
            .filter(|policy| policy.doors.has(door))
        else {
            continue;
        };
        let reason = match policy.schedule {
            _ if !clock_trusted && (bounded || policy.schedule.is_some()) => {
                Reason::ClockNotTrusted
            }
            None => return named(table, *number),
            Some(schedule) => {
                let clock = || table.sites.get(at.site).map(|clock| clock.local(now));
                let local = *local.get_or_insert_with(clock);
                let hours = table.schedules.get(schedule);
                match local
                    .zip(hours)
                    .map(|((day, minute), it)| it.at(day, minute))
                {
                    Some(Verdict::Open) => return named(table, *number),
                    Some(Verdict::ClosedForHoliday) => Reason::Holiday,
                    // A schedule or clock that is not there admits nobody.
                    Some(Verdict::Closed) | None => Reason::Schedule,
                }
            }
        };
        // A holiday comes before the hours in the order, whichever policy says so.
        refusal = match (refusal, reason) {
            (Reason::Holiday, Reason::Schedule) => Reason::Holiday,
            (_, reason) => reason,
        };
    }
    Err(refusal)
}

/// The policy with this number, as the answer names it.
fn named(table: &Table, number: u32) -> Result<PolicyId, Reason> {
    table.policies.id(number).copied().ok_or(Reason::NoPolicy)
}
