//! What happened at a door, and its bytes in the ring.

use minicbor::{Decode, Encode};
use offgate_core::credential::CredentialKind;
use offgate_core::id::{CredentialId, DoorId, UserId};
use offgate_core::parameters::Timestamp;
use offgate_core::place::Direction;
use offgate_core::table::admission::{ClockTrust, Holder, Reason};

use super::slot::Weight;

/// What happened at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DoorEvent {
    pub(crate) door: DoorId,
    pub(crate) direction: Direction,
    /// When, by the agent's time of day.
    pub(crate) at: Timestamp,
    /// Whether that time is to be believed.
    pub(crate) clock: ClockTrust,
    /// What was presented.
    pub(crate) kind: CredentialKind,
    /// Whose it was, if that is known here.
    pub(crate) holder: Option<Holder>,
    pub(crate) outcome: Happened,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// The door opened.
    Granted,
    /// It stayed shut.
    Refused(Reason),
    /// Wrong PINs have begun to slow the keypad.
    KeypadSlowed,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Bytes {
    #[n(0)]
    door: minicbor::bytes::ByteArray<16>,
    #[n(1)]
    direction: u8,
    #[n(2)]
    at: i64,
    #[n(3)]
    clock: u8,
    #[n(4)]
    kind: u8,
    #[n(5)]
    holder: Option<(
        minicbor::bytes::ByteArray<16>,
        minicbor::bytes::ByteArray<16>,
    )>,
    /// 0 granted, 1 keypad slowed, 2 and up: the reasons in their order.
    #[n(6)]
    outcome: u8,
}

impl DoorEvent {
    /// Whether it gives way first when there is no room. Alarms are what somebody should look at:
    /// a keypad that is guessed at, and somebody trying with what was taken from them or lost.
    pub(crate) const fn weight(&self) -> Weight {
        match self.outcome {
            Happened::KeypadSlowed | Happened::Refused(Reason::Deactivated | Reason::Lost) => {
                Weight::Alarm
            }
            Happened::Granted | Happened::Refused(_) => Weight::Routine,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let position = |reason: Reason| Reason::ALL.iter().position(|known| *known == reason);
        let bytes = Bytes {
            door: (*self.door.as_bytes()).into(),
            direction: u8::from(self.direction == Direction::Out),
            at: self.at.microseconds(),
            clock: u8::from(self.clock == ClockTrust::Untrusted),
            kind: CredentialKind::ALL
                .iter()
                .position(|kind| *kind == self.kind)
                .unwrap_or(0) as u8,
            holder: self.holder.map(|holder| {
                (
                    (*holder.credential.as_bytes()).into(),
                    (*holder.user.as_bytes()).into(),
                )
            }),
            outcome: match self.outcome {
                Happened::Granted => 0,
                Happened::KeypadSlowed => 1,
                // Every reason is in the list of all reasons, which is a dozen long.
                Happened::Refused(reason) => 2 + position(reason).unwrap_or(0) as u8,
            },
        };
        minicbor::to_vec(bytes).unwrap_or_else(|_| unreachable!("writing to memory cannot fail"))
    }

    /// Reads an event back; none for one of another version of this program.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: Bytes = minicbor::decode(bytes).ok()?;
        Some(Self {
            door: DoorId::from_bytes(*bytes.door),
            direction: if bytes.direction == 1 {
                Direction::Out
            } else {
                Direction::In
            },
            at: Timestamp::from_microseconds(bytes.at),
            clock: if bytes.clock == 1 {
                ClockTrust::Untrusted
            } else {
                ClockTrust::Trusted
            },
            kind: *CredentialKind::ALL.get(usize::from(bytes.kind))?,
            holder: bytes.holder.map(|(credential, user)| Holder {
                credential: CredentialId::from_bytes(*credential),
                user: UserId::from_bytes(*user),
            }),
            outcome: match bytes.outcome {
                0 => Happened::Granted,
                1 => Happened::KeypadSlowed,
                reason => Happened::Refused(*Reason::ALL.get(usize::from(reason) - 2)?),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::slot::LONGEST;
    use super::*;

    #[test]
    fn every_event_fits_a_slot_and_is_read_back() {
        let reasons = Reason::ALL.into_iter().map(Happened::Refused);
        let holder = Holder {
            credential: CredentialId::from_bytes([255; 16]),
            user: UserId::from_bytes([254; 16]),
        };
        for outcome in [Happened::Granted, Happened::KeypadSlowed]
            .into_iter()
            .chain(reasons)
        {
            for (kind, holder) in CredentialKind::ALL
                .into_iter()
                .zip([None, Some(holder), None])
            {
                let event = DoorEvent {
                    door: DoorId::from_bytes([253; 16]),
                    direction: Direction::Out,
                    at: Timestamp::from_microseconds(i64::MAX),
                    clock: ClockTrust::Untrusted,
                    kind,
                    holder,
                    outcome,
                };
                let bytes = event.encode();
                assert!(bytes.len() <= LONGEST);
                assert_eq!(DoorEvent::decode(&bytes), Some(event));
            }
        }
        assert_eq!(DoorEvent::decode(b"other"), None);
    }
}
