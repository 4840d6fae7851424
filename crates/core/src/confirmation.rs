//! What may be said of a door after somebody was taken out, and the sentence that says it.

use crate::id::DoorId;
use crate::parameters::Timestamp;

/// What is known of one door about one refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorFacts {
    /// Which door.
    pub door: DoorId,
    /// When its agent's signed acknowledgement of the refusal arrived.
    pub confirmed_at: Option<Timestamp>,
    /// Whether its agent is connected now.
    pub contact: Contact,
    /// The latest instant until which its agent may admit anybody without hearing the server
    /// again, drift margin included. None if it never had a lease.
    pub works_alone_until: Option<Timestamp>,
}

/// Whether an agent is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// It is.
    Connected,
    /// It is not, and was last heard then.
    Silent {
        /// None: never.
        since: Option<Timestamp>,
    },
    /// No agent decides for the door: nothing there opens it through Offgate.
    NoAgent,
}

/// Exactly one of these is true of each door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorStanding {
    /// Connected and not confirmed yet, for less than ten seconds.
    Waiting,
    /// Connected and not confirmed after ten seconds: something is wrong.
    Overdue,
    /// Its signed acknowledgement has arrived.
    Confirmed {
        /// When.
        at: Timestamp,
    },
    /// Not connected; may still open.
    MayStillOpen {
        /// Since when it has not answered; none if it never did.
        silent_since: Option<Timestamp>,
        /// It refuses from then on at the latest; none if that cannot be said.
        until: Option<Timestamp>,
    },
    /// Not connected, and its time of working on its own has passed.
    EndedByLimit {
        /// When.
        at: Timestamp,
    },
}

/// Where a door stands with a refusal decided at `refused_at`.
#[must_use]
pub fn standing(facts: &DoorFacts, refused_at: Timestamp, now: Timestamp) -> DoorStanding {
    if let Some(at) = facts.confirmed_at {
        return DoorStanding::Confirmed { at };
    }
    let silent_since = match facts.contact {
        Contact::Connected if now.since(refused_at).as_secs() < 10 => return DoorStanding::Waiting,
        Contact::Connected => return DoorStanding::Overdue,
        Contact::Silent { since } => since,
        Contact::NoAgent => None,
    };
    match facts.works_alone_until {
        Some(until) if until <= now => DoorStanding::EndedByLimit { at: until },
        until => DoorStanding::MayStillOpen {
            silent_since,
            until,
        },
    }
}
