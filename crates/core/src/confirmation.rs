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

/// How long a connected door may take before something must be wrong, in seconds.
const OVERDUE_AFTER_SECONDS: u64 = 10;

/// Where a door stands with a change decided at `decided_at`.
#[must_use]
pub fn standing(facts: &DoorFacts, decided_at: Timestamp, now: Timestamp) -> DoorStanding {
    if let Some(at) = facts.confirmed_at {
        return DoorStanding::Confirmed { at };
    }
    let silent_since = match facts.contact {
        Contact::Connected if now.since(decided_at).as_secs() < OVERDUE_AFTER_SECONDS => {
            return DoorStanding::Waiting;
        }
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

/// Until when a door may open without having heard the server again, whose answer to its last
/// renewal left at `renewed_at`: its lease, and a margin of 1 % and a second for clocks that do
/// not run alike.
#[must_use]
pub fn works_alone_until(renewed_at: Timestamp, lease: crate::place::LeaseLength) -> Timestamp {
    let margin = lease.duration() / 100 + std::time::Duration::from_secs(1);
    renewed_at.plus(lease.duration()).plus(margin)
}

/// Whether a door with this standing may be counted as refusing, by its own word or its limit.
#[must_use]
pub const fn is_settled(standing: DoorStanding) -> bool {
    matches!(
        standing,
        DoorStanding::Confirmed { .. } | DoorStanding::EndedByLimit { .. }
    )
}

/// The sentence on every surface about a refusal: how many doors have confirmed it, and what is
/// true of the others. `time` writes an instant in the site's zone.
#[must_use]
pub fn sentence(doors: &[(&str, DoorStanding)], time: impl Fn(Timestamp) -> String) -> String {
    use std::fmt::Write as _;
    let confirmed: Vec<Timestamp> = doors
        .iter()
        .filter_map(|(_, standing)| match standing {
            DoorStanding::Confirmed { at } => Some(*at),
            _ => None,
        })
        .collect();
    let mut text = format!(
        "Confirmed by {} of {}",
        confirmed.len(),
        counted(doors.len(), "door")
    );
    let by_limit = doors
        .iter()
        .filter(|(_, standing)| matches!(standing, DoorStanding::EndedByLimit { .. }))
        .count();
    if by_limit > 0 {
        let _ = write!(text, ", {by_limit} by its time limit");
    }
    match confirmed.iter().max() {
        Some(last) if confirmed.len() == doors.len() => {
            let _ = write!(text, ", the last at {}", time(*last));
        }
        _ => {}
    }
    text.push('.');
    let mut waiting = 0;
    for (door, standing) in doors {
        match standing {
            DoorStanding::Confirmed { .. } | DoorStanding::EndedByLimit { .. } => {}
            DoorStanding::Waiting => waiting += 1,
            DoorStanding::Overdue => {
                let _ = write!(text, " {door} is connected but has not confirmed.");
            }
            DoorStanding::MayStillOpen {
                silent_since,
                until,
            } => {
                match silent_since {
                    Some(since) => {
                        let _ = write!(text, " {door} has not answered since {}", time(*since));
                    }
                    None => {
                        let _ = write!(text, " {door} has never answered");
                    }
                }
                match until {
                    Some(until) => {
                        let _ =
                            write!(text, " and may still open for them until {}.", time(*until));
                    }
                    None => text.push_str("; what it does is not known."),
                }
            }
        }
    }
    if waiting > 0 {
        let _ = write!(text, " Waiting for {}.", counted(waiting, "door"));
    }
    text
}

fn counted(number: usize, word: &str) -> String {
    if number == 1 {
        format!("1 {word}")
    } else {
        format!("{number} {word}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn facts(contact: Contact, works_alone_until: Option<Timestamp>) -> DoorFacts {
        DoorFacts {
            door: DoorId::from_bytes([1; 16]),
            confirmed_at: None,
            contact,
            works_alone_until,
        }
    }

    #[test]
    fn each_door_has_exactly_one_standing() {
        let silent = Contact::Silent {
            since: Some(at(50)),
        };
        for (facts, now, expected) in [
            (facts(Contact::Connected, None), 105, DoorStanding::Waiting),
            (
                facts(Contact::Connected, Some(at(90))),
                110,
                DoorStanding::Overdue,
            ),
            (
                facts(silent, Some(at(200))),
                199,
                DoorStanding::MayStillOpen {
                    silent_since: Some(at(50)),
                    until: Some(at(200)),
                },
            ),
            (
                facts(silent, Some(at(200))),
                200,
                DoorStanding::EndedByLimit { at: at(200) },
            ),
            (
                facts(Contact::NoAgent, None),
                500,
                DoorStanding::MayStillOpen {
                    silent_since: None,
                    until: None,
                },
            ),
            (
                DoorFacts {
                    confirmed_at: Some(at(101)),
                    ..facts(silent, Some(at(200)))
                },
                900,
                DoorStanding::Confirmed { at: at(101) },
            ),
        ] {
            assert_eq!(
                standing(&facts, at(100), at(now)),
                expected,
                "{facts:?} at {now}"
            );
        }
    }

    #[test]
    fn the_sentence_claims_no_more_than_the_doors_said() {
        let time = |at: Timestamp| format!("{}s", at.seconds());
        let yes = |seconds| DoorStanding::Confirmed { at: at(seconds) };
        for (doors, expected) in [
            (
                vec![("Front", yes(3)), ("Back", yes(5))],
                "Confirmed by 2 of 2 doors, the last at 5s.",
            ),
            (
                vec![
                    ("Front", yes(3)),
                    (
                        "Back door",
                        DoorStanding::MayStillOpen {
                            silent_since: Some(at(1)),
                            until: Some(at(9)),
                        },
                    ),
                ],
                "Confirmed by 1 of 2 doors. Back door has not answered since 1s and may still open \
                 for them until 9s.",
            ),
            (
                vec![
                    ("Front", yes(3)),
                    ("Back", DoorStanding::EndedByLimit { at: at(9) }),
                ],
                "Confirmed by 1 of 2 doors, 1 by its time limit.",
            ),
            (
                vec![
                    ("Front", DoorStanding::Waiting),
                    ("Back", DoorStanding::Overdue),
                ],
                "Confirmed by 0 of 2 doors. Back is connected but has not confirmed. Waiting for 1 \
                 door.",
            ),
            (vec![], "Confirmed by 0 of 0 doors."),
        ] {
            assert_eq!(sentence(&doors, time), expected);
        }
    }
}
