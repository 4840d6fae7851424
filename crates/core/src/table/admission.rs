//! The door's decision: may this credential pass here, now, and why (not).
//!
//! A pure function of the table, the door's state, what was presented, and the time. The door
//! itself asks it, and so does the page that shows what a person can open.

use super::credentials::Terms;
use super::entry::CredentialHash;
use super::hours::Verdict;
use super::profile::Profile;
use super::{KnownDoor, KnownPeriod, KnownStanding, KnownState, Table};
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
    if direction == Direction::Out {
        return Decision::WayOut(held.map(|(holder, _)| holder).min());
    }
    let (kind, door) = (sought.kind, table.doors.find(&door));
    let judged = held.map(|(holder, terms)| {
        let judgement = match stopped(table, &holder) {
            Some(reason) => Err(reason),
            None => judge(table, state, kind, (holder.user, terms), door, now),
        };
        (holder, judgement)
    });
    let first = judged.min_by(|(holder, judgement), (other, other_judgement)| {
        let further = furthest(other_judgement).cmp(&furthest(judgement));
        further.then_with(|| holder.cmp(other))
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

/// How far along the order a judgement came; beyond its end if it admits.
fn furthest(judgement: &Result<PolicyId, Reason>) -> u8 {
    judgement.map_or_else(|reason| reason as u8, |_| u8::MAX)
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
    (user, terms): (UserId, Terms),
    door: Option<(u32, &KnownDoor)>,
    now: Timestamp,
) -> Result<PolicyId, Reason> {
    if terms.standing == KnownStanding::Deactivated {
        return Err(Reason::Deactivated);
    }
    let clock_trusted = state.clock == ClockTrust::Trusted;
    let bounded = terms.period == KnownPeriod::Bounded;
    if clock_trusted && bounded {
        // A period that is not there admits nobody.
        let period = table.periods.get(&user).ok_or(Reason::Ended)?;
        let now = now.microseconds();
        if period.starts_microseconds.is_some_and(|at| now < at) {
            return Err(Reason::NotStarted);
        }
        if period.ends_microseconds.is_some_and(|at| now >= at) {
            return Err(Reason::Ended);
        }
    }
    if terms.state == KnownState::Lost {
        return Err(Reason::Lost);
    }
    if state.lockdown == Lockdown::On {
        return Err(Reason::LockedDown);
    }
    let holds = match state.lease {
        Lease::Running => true,
        Lease::EmergencyListOnly => door.is_some_and(|(_, door)| door.lists(user)),
        Lease::Ended => false,
    };
    if !holds {
        return Err(Reason::CutOff);
    }
    if kind == CredentialKind::Pin && state.keypad == Keypad::Slowed {
        return Err(Reason::TooManyAttempts);
    }
    let (door, at) = door.ok_or(Reason::NoPolicy)?;
    let naming = table.naming.get(door as usize).ok_or(Reason::NoPolicy)?;
    let mut local = None;
    let mut refusal = Reason::NoPolicy;
    let profile = table.profiles.get(terms.profile);
    let policies = profile.map_or(&[][..], Profile::policies).iter();
    for number in policies.filter(|number| naming.has(**number)) {
        let Some(policy) = table.policies.get(*number) else {
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
