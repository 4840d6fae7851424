//! What happened at a door, as an agent tells it: ids, never names. Its bytes are the same on the
//! agent's disk, in messages and in the store.

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use crate::credential::CredentialKind;
use crate::id::{CredentialId, DoorId, PolicyId, UserId};
use crate::parameters::Timestamp;
use crate::place::Direction;
use crate::table::admission::{Holder, Reason};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Somebody was let in.
    Granted {
        /// Who.
        holder: Holder,
        /// By which policy.
        policy: PolicyId,
    },
    /// Somebody left.
    WayOut {
        /// Who, if known.
        holder: Option<Holder>,
    },
    /// Somebody was refused.
    Refused {
        /// Why.
        reason: Reason,
        /// Who, if known.
        holder: Option<Holder>,
    },
    /// A keypad began to wait between PINs, because several were wrong.
    KeypadSlowed,
}

/// One event at a door. Its agent and the number in that agent's order say which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoorEvent {
    /// Its number, counted by the agent since it enrolled.
    pub sequence: u64,
    /// When, by the agent's clock.
    pub at: Timestamp,
    /// Where.
    pub door: DoorId,
    /// Which way.
    pub direction: Direction,
    /// What was presented.
    pub presented: CredentialKind,
    /// What happened.
    pub happening: Happening,
}

impl DoorEvent {
    /// Whether it may be dropped before others when an agent runs out of room: somebody known was
    /// let in, left, or came at the wrong hour.
    #[must_use]
    pub const fn is_routine(&self) -> bool {
        match self.happening {
            Happening::Granted { .. } | Happening::WayOut { .. } => true,
            Happening::Refused { reason, .. } => matches!(
                reason,
                Reason::Unknown
                    | Reason::NoPolicy
                    | Reason::Holiday
                    | Reason::Schedule
                    | Reason::NotStarted
            ),
            Happening::KeypadSlowed => false,
        }
    }

    /// Its bytes, as messages carry it and an agent may keep it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        minicbor::to_vec(Wire::from(self))
            .unwrap_or_else(|_| unreachable!("writing to memory cannot fail"))
    }

    /// Reads an event from its bytes; none if they are not one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let event = minicbor::decode::<Wire>(bytes).ok()?.read()?;
        (event.encode() == bytes).then_some(event)
    }
}

/// `[sequence, at, door, way, presented, happening, reason, user, credential, policy]`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    sequence: u64,
    /// Microseconds since 1970.
    #[n(1)]
    at: i64,
    #[n(2)]
    door: ByteArray<16>,
    /// 0 in, 1 out.
    #[n(3)]
    way: u8,
    /// 0 PIN, 1 card, 2 plate.
    #[n(4)]
    presented: u8,
    /// 0 granted, 1 way out, 2 refused, 3 keypad slowed.
    #[n(5)]
    happening: u8,
    /// Its position in the fixed order of reasons.
    #[n(6)]
    reason: Option<u8>,
    #[n(7)]
    user: Option<ByteArray<16>>,
    #[n(8)]
    credential: Option<ByteArray<16>>,
    #[n(9)]
    policy: Option<ByteArray<16>>,
}

impl From<&DoorEvent> for Wire {
    fn from(event: &DoorEvent) -> Self {
        let (happening, reason, holder, policy) = match event.happening {
            Happening::Granted { holder, policy } => (0, None, Some(holder), Some(policy)),
            Happening::WayOut { holder } => (1, None, holder, None),
            Happening::Refused { reason, holder } => (2, Some(reason), holder, None),
            Happening::KeypadSlowed => (3, None, None, None),
        };
        Self {
            sequence: event.sequence,
            at: event.at.microseconds(),
            door: (*event.door.as_bytes()).into(),
            way: match event.direction {
                Direction::In => 0,
                Direction::Out => 1,
            },
            presented: match event.presented {
                CredentialKind::Pin => 0,
                CredentialKind::NfcCard => 1,
                CredentialKind::LicencePlate => 2,
            },
            happening,
            reason: reason.map(|reason| reason as u8),
            user: holder.map(|holder| (*holder.user.as_bytes()).into()),
            credential: holder.map(|holder| (*holder.credential.as_bytes()).into()),
            policy: policy.map(|policy| (*policy.as_bytes()).into()),
        }
    }
}

impl Wire {
    fn read(self) -> Option<DoorEvent> {
        let holder = match (self.user, self.credential) {
            (Some(user), Some(credential)) => Some(Holder {
                user: UserId::from_bytes(*user),
                credential: CredentialId::from_bytes(*credential),
            }),
            (None, None) => None,
            _ => return None,
        };
        let reason = match self.reason {
            Some(position) => Some(*Reason::ALL.get(usize::from(position))?),
            None => None,
        };
        let happening = match (self.happening, reason, self.policy) {
            (0, None, Some(policy)) => Happening::Granted {
                holder: holder?,
                policy: PolicyId::from_bytes(*policy),
            },
            (1, None, None) => Happening::WayOut { holder },
            (2, Some(reason), None) => Happening::Refused { reason, holder },
            (3, None, None) if holder.is_none() => Happening::KeypadSlowed,
            _ => return None,
        };
        Some(DoorEvent {
            sequence: self.sequence,
            at: Timestamp::from_microseconds(self.at),
            door: DoorId::from_bytes(*self.door),
            direction: match self.way {
                0 => Direction::In,
                1 => Direction::Out,
                _ => return None,
            },
            presented: match self.presented {
                0 => CredentialKind::Pin,
                1 => CredentialKind::NfcCard,
                2 => CredentialKind::LicencePlate,
                _ => return None,
            },
            happening,
        })
    }
}
