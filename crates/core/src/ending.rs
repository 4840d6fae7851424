//! An end of access that comes: which doors may not follow it, said beforehand.
//!
//! The end travels to the doors with the person's entry, so a door that has it refuses from then on
//! whether it is cut off or not; one that cannot tell the time refuses whoever has an end altogether.
//! What is left are doors that are cut off and were not told.

use std::time::Duration;

use crate::confirmation::{Alone, Contact};
use crate::id::DoorId;
use crate::parameters::Timestamp;

/// How far ahead ends of access are shown.
pub const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Whether a door has been told of somebody as they are on record now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Its agent has acknowledged it.
    Acknowledged,
    /// It has not.
    NotAcknowledged,
}

/// What is known of a door that knows somebody whose access ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoorBeforeEnd {
    /// Which door.
    pub door: DoorId,
    /// Whether its agent answers.
    pub contact: Contact,
    /// Whether it has been told of the end.
    pub told: Told,
    /// How long it may go on admitting them without hearing the server again.
    pub alone: Alone,
}

/// What may be said of a door that is cut off today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutOff {
    /// It has the end, and follows it by its own clock.
    FollowsEnd {
        /// When it was heard last.
        silent_since: Timestamp,
    },
    /// It does not have it.
    MayAdmitAfterEnd {
        /// When it was heard last.
        silent_since: Timestamp,
        /// Until when it may admit them if that stays so; none: until it is heard again.
        until: Option<Timestamp>,
    },
}

/// What is to be said of a door before somebody's access ends at `ends`; nothing of one that answers,
/// was never heard, or refuses everybody by then.
#[must_use]
pub fn cut_off(facts: &DoorBeforeEnd, ends: Timestamp) -> Option<CutOff> {
    let Contact::Silent {
        since: Some(silent_since),
    } = facts.contact
    else {
        return None;
    };
    let until = match facts.alone {
        Alone::UntilLimit(Some(until)) if until <= ends => return None,
        Alone::UntilLimit(until) | Alone::OnEmergencyList(until) => until,
        Alone::KeepsLastTable => None,
    };
    Some(match facts.told {
        Told::Acknowledged => CutOff::FollowsEnd { silent_since },
        Told::NotAcknowledged => CutOff::MayAdmitAfterEnd {
            silent_since,
            until,
        },
    })
}

impl CutOff {
    /// It as a sentence about a door. `time` writes an instant in the site's zone.
    #[must_use]
    pub fn sentence(self, door: &str, time: impl Fn(Timestamp) -> String) -> String {
        match self {
            Self::FollowsEnd { silent_since } => format!(
                "{door} has not answered since {}. It was told of this end, and follows it by its \
                 own clock; without a clock that it trusts it refuses them at once.",
                time(silent_since)
            ),
            Self::MayAdmitAfterEnd {
                silent_since,
                until,
            } => format!(
                "{door} has not answered since {}, and was not told of this end; if that stays so, \
                 it may admit them until {}.",
                time(silent_since),
                until.map_or_else(|| "it is heard again".to_owned(), time)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_door_that_is_cut_off_and_outlasts_the_end_is_told_of() {
        let at = Timestamp::from_seconds;
        let silent = Contact::Silent {
            since: Some(at(40)),
        };
        let (told, not_told) = (Told::Acknowledged, Told::NotAcknowledged);
        let limit = |seconds| Alone::UntilLimit(Some(at(seconds)));
        let follows = Some(CutOff::FollowsEnd {
            silent_since: at(40),
        });
        let may = |until: Option<i64>| {
            Some(CutOff::MayAdmitAfterEnd {
                silent_since: at(40),
                until: until.map(at),
            })
        };
        for (contact, told, alone, expected) in [
            (Contact::Connected, not_told, limit(900), None),
            (Contact::NoAgent, not_told, Alone::UntilLimit(None), None),
            (
                Contact::Silent { since: None },
                not_told,
                Alone::UntilLimit(None),
                None,
            ),
            (silent, not_told, limit(100), None),
            (silent, not_told, limit(101), may(Some(101))),
            (silent, told, limit(101), follows),
            // That of a list is no refusal that counts.
            (
                silent,
                not_told,
                Alone::OnEmergencyList(Some(at(90))),
                may(Some(90)),
            ),
            (silent, not_told, Alone::KeepsLastTable, may(None)),
            (silent, told, Alone::KeepsLastTable, follows),
        ] {
            let facts = DoorBeforeEnd {
                door: DoorId::from_bytes([1; 16]),
                contact,
                told,
                alone,
            };
            assert_eq!(cut_off(&facts, at(100)), expected, "{facts:?}");
        }
    }

    #[test]
    fn the_sentence_says_until_when_it_may_admit() {
        let told =
            |cut_off: CutOff| cut_off.sentence("Back door", |at| format!("{:02}:40", at.seconds()));
        let (silent_since, until) = (Timestamp::from_seconds(16), Timestamp::from_seconds(18));
        let may = |until| CutOff::MayAdmitAfterEnd {
            silent_since,
            until,
        };
        assert_eq!(
            told(may(Some(until))),
            "Back door has not answered since 16:40, and was not told of this end; if that stays \
             so, it may admit them until 18:40."
        );
        assert!(told(may(None)).ends_with("until it is heard again."));
        assert_eq!(
            told(CutOff::FollowsEnd { silent_since }),
            "Back door has not answered since 16:40. It was told of this end, and follows it by its \
             own clock; without a clock that it trusts it refuses them at once."
        );
    }
}
