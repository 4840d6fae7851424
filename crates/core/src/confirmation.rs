//! What may be said of a door after somebody was taken out, and the sentence that says it.

use std::time::Duration;

use crate::door_position::Positions;
use crate::fault::Fault;
use crate::id::{DoorId, UserId};
use crate::parameters::{Revision, Timestamp, Uptime};
use crate::table::entry::{DoorEntry, WhenCutOff};

/// What is known of one door about one refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorFacts {
    /// Which door.
    pub door: DoorId,
    /// When its agent's signed acknowledgement of the refusal arrived.
    pub confirmed_at: Option<Timestamp>,
    /// Whether its agent is connected now.
    pub contact: Contact,
    /// Why that cannot confirm anything, as far as it is known; counts while it is connected.
    pub fault: Option<Fault>,
    /// How long it may go on admitting this person without hearing the server again.
    pub alone: Alone,
    /// When its limit was counted out while it was not heard. Stands: whoever renews its lease later
    /// has the refusal before that.
    pub ended_at: Option<Timestamp>,
    /// Whether it stood open then, and does now: said beside the rest, and changes none of it.
    pub positions: Positions,
}

/// The last time that an agent asked for its lease. What is refused before that stands before the
/// answer; for it, an earlier one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// When, by the time of day.
    pub at: Timestamp,
    /// When, by the clock that nobody sets; none if the server that did it could not tell.
    pub by: Option<Uptime>,
}

impl Renewal {
    /// From when limits are counted, so that none is over before it is over at the door, whatever
    /// became of the time of day in between: the clock that nobody sets must have counted it out.
    /// After a new start of the machine that is from when its server was started, `serving`, at the
    /// earliest; by a server that cannot tell, never.
    #[must_use]
    pub fn counted_from(
        self,
        serving: Option<Uptime>,
        uptime: Option<Uptime>,
        now: Timestamp,
    ) -> Timestamp {
        let after = |earlier: Option<Uptime>| uptime?.after(earlier?);
        let passed = after(self.by).or_else(|| after(serving));
        self.at.max(now.minus(passed.unwrap_or_default()))
    }
}

/// A door's settings, as they were in its agent's table from a change on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorVersion {
    /// The change.
    pub revision: Revision,
    /// The settings.
    pub settings: DoorEntry,
}

/// The settings by which a door may be working that has not heard a refusal: of `versions`, in the
/// order of their changes, those that are not later than it. A table is taken over up to one change
/// as a whole, so whoever has later settings has the refusal too; that is why nothing that is set
/// after a refusal ever moves the instant that was named for it. If all are later, all count.
#[must_use]
pub fn settings_without(versions: Vec<DoorVersion>, refusal: Revision) -> Vec<DoorEntry> {
    let known = versions.partition_point(|version| version.revision <= refusal);
    let at_most = if known == 0 { versions.len() } else { known };
    versions
        .into_iter()
        .take(at_most)
        .map(|version| version.settings)
        .collect()
}

/// How long a door may go on admitting somebody without hearing the server again. Instants have the
/// margin for drifting clocks in them; none: it never had a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// Until its lease ends.
    UntilLimit(Option<Timestamp>),
    /// They are on its emergency list, which holds until then. No limit counts as a refusal.
    OnEmergencyList(Option<Timestamp>),
    /// It keeps its last table: until it is heard.
    KeepsLastTable,
}

impl Alone {
    /// What holds for somebody at a door whose agent's limits are counted from `renewed_at`, its last
    /// renewal before the refusal (see [`Renewal::counted_from`]).
    /// `versions` are the door's settings as its agent acknowledged them, and every later version
    /// that may have reached it since: the longest of them counts. Nobody in particular: none.
    #[must_use]
    pub fn by(versions: &[DoorEntry], user: Option<UserId>, renewed_at: Option<Timestamp>) -> Self {
        let until = |seconds: u32| renewed_at.map(|at| counted_out(at, seconds));
        let mut alone = Self::UntilLimit(
            versions
                .iter()
                .map(|version| version.lease_seconds)
                .max()
                .and_then(until),
        );
        for version in versions {
            match &version.when_cut_off {
                Some(WhenCutOff::KeepLastTable) => return Self::KeepsLastTable,
                Some(WhenCutOff::EmergencyList { limit_seconds, .. })
                    if user.is_some_and(|user| {
                        version
                            .when_cut_off
                            .as_ref()
                            .is_some_and(|it| it.lists(user))
                    }) =>
                {
                    let limit = until(*limit_seconds);
                    alone = match alone {
                        Self::OnEmergencyList(longest) => Self::OnEmergencyList(longest.max(limit)),
                        _ => Self::OnEmergencyList(limit),
                    };
                }
                Some(WhenCutOff::EmergencyList { .. }) | None => {}
            }
        }
        alone
    }
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
    /// Connected, and it cannot confirm.
    Failed {
        /// Why.
        fault: Fault,
    },
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
    /// Not connected, and they are on the list of people whom it admits for longer. Never settled
    /// but by the door's own word.
    OnEmergencyList {
        /// Since when it has not answered; none if it never did.
        silent_since: Option<Timestamp>,
        /// Until when the list holds; none if that cannot be said.
        until: Option<Timestamp>,
    },
    /// Not connected, and it keeps its last table for as long as that lasts. Never settled but by
    /// the door's own word.
    KeepsLastTable {
        /// Since when it has not answered; none if it never did.
        silent_since: Option<Timestamp>,
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
    if let Some(at) = facts.ended_at {
        return DoorStanding::EndedByLimit { at };
    }
    let silent_since = match facts.contact {
        Contact::Connected => {
            let in_time = now.since(decided_at).as_secs() < OVERDUE_AFTER_SECONDS;
            return match facts.fault {
                Some(fault @ Fault::DiskFails) => DoorStanding::Failed { fault },
                // It is sent another table at once, which mends it most often.
                _ if in_time => DoorStanding::Waiting,
                Some(fault @ Fault::OtherTable) => DoorStanding::Failed { fault },
                None => DoorStanding::Overdue,
            };
        }
        Contact::Silent { since } => since,
        Contact::NoAgent => None,
    };
    match facts.alone {
        Alone::UntilLimit(Some(until)) if until <= now => DoorStanding::EndedByLimit { at: until },
        Alone::UntilLimit(until) => DoorStanding::MayStillOpen {
            silent_since,
            until,
        },
        Alone::OnEmergencyList(until) => DoorStanding::OnEmergencyList {
            silent_since,
            until,
        },
        Alone::KeepsLastTable => DoorStanding::KeepsLastTable { silent_since },
    }
}

/// When a limit of a door is over for certain, whose answer to its last renewal left at
/// `renewed_at`.
#[must_use]
pub fn counted_out(renewed_at: Timestamp, limit_seconds: u32) -> Timestamp {
    renewed_at.plus(with_margin(Duration::from_secs(limit_seconds.into())))
}

/// How long after the last renewal a limit of a door is over for certain: 1 % and a second longer,
/// for clocks that do not run alike.
#[must_use]
pub fn with_margin(limit: Duration) -> Duration {
    limit + limit / 100 + Duration::from_secs(1)
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
            DoorStanding::Failed { fault } => {
                let what = fault.what();
                let _ = write!(text, " {door} cannot confirm: its {what}.");
            }
            DoorStanding::MayStillOpen {
                silent_since,
                until,
            } => {
                text.push_str(&unheard(door, *silent_since, &time));
                match until {
                    Some(until) => {
                        let _ =
                            write!(text, " and may still open for them until {}.", time(*until));
                    }
                    None => text.push_str("; what it does is not known."),
                }
            }
            DoorStanding::OnEmergencyList {
                silent_since,
                until,
            } => {
                text.push_str(&unheard(door, *silent_since, &time));
                text.push_str("; they are on its emergency list, and it may still open for them");
                match until {
                    Some(until) => {
                        let _ = write!(text, " until {}.", time(*until));
                    }
                    None => text.push('.'),
                }
            }
            DoorStanding::KeepsLastTable { silent_since } => {
                text.push_str(&unheard(door, *silent_since, &time));
                text.push_str(
                    "; it keeps its last table, and may open for them until it is heard again.",
                );
            }
        }
    }
    if waiting > 0 {
        let _ = write!(text, " Waiting for {}.", counted(waiting, "door"));
    }
    text
}

fn unheard(
    door: &str,
    silent_since: Option<Timestamp>,
    time: impl Fn(Timestamp) -> String,
) -> String {
    match silent_since {
        Some(since) => format!(" {door} has not answered since {}", time(since)),
        None => format!(" {door} has never answered"),
    }
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
    use crate::parameters::Boot;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn facts(contact: Contact, works_alone_until: Option<Timestamp>) -> DoorFacts {
        DoorFacts {
            door: DoorId::from_bytes([1; 16]),
            confirmed_at: None,
            contact,
            fault: None,
            alone: Alone::UntilLimit(works_alone_until),
            ended_at: None,
            positions: Positions::default(),
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
                DoorFacts {
                    fault: Some(Fault::DiskFails),
                    ..facts(Contact::Connected, None)
                },
                101,
                DoorStanding::Failed {
                    fault: Fault::DiskFails,
                },
            ),
            (
                DoorFacts {
                    fault: Some(Fault::OtherTable),
                    ..facts(Contact::Connected, None)
                },
                109,
                DoorStanding::Waiting,
            ),
            (
                DoorFacts {
                    fault: Some(Fault::OtherTable),
                    ..facts(Contact::Connected, None)
                },
                110,
                DoorStanding::Failed {
                    fault: Fault::OtherTable,
                },
            ),
            // What it said while it was connected is no bound for a door that is cut off.
            (
                DoorFacts {
                    fault: Some(Fault::DiskFails),
                    ..facts(silent, Some(at(200)))
                },
                199,
                DoorStanding::MayStillOpen {
                    silent_since: Some(at(50)),
                    until: Some(at(200)),
                },
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
                    ended_at: Some(at(100)),
                    ..facts(silent, Some(at(200)))
                },
                900,
                DoorStanding::Confirmed { at: at(101) },
            ),
            // It is connected again and its lease is not renewed; or the server was started anew
            // and counts again.
            (
                DoorFacts {
                    ended_at: Some(at(200)),
                    ..facts(Contact::Connected, Some(at(900)))
                },
                300,
                DoorStanding::EndedByLimit { at: at(200) },
            ),
            (
                DoorFacts {
                    alone: Alone::OnEmergencyList(Some(at(150))),
                    ..facts(silent, None)
                },
                900,
                DoorStanding::OnEmergencyList {
                    silent_since: Some(at(50)),
                    until: Some(at(150)),
                },
            ),
            (
                DoorFacts {
                    alone: Alone::KeepsLastTable,
                    ..facts(silent, None)
                },
                900,
                DoorStanding::KeepsLastTable {
                    silent_since: Some(at(50)),
                },
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
    fn settings_that_are_later_than_a_refusal_never_came_without_it() {
        let versions = |revisions: &[u64]| -> Vec<DoorVersion> {
            let version = |revision: &u64| DoorVersion {
                revision: Revision::new(*revision),
                settings: DoorEntry {
                    door: [1; 16].into(),
                    site: [2; 16].into(),
                    lease_seconds: u32::try_from(*revision).unwrap_or(0),
                    readers: Vec::new(),
                    when_cut_off: None,
                },
            };
            revisions.iter().map(version).collect()
        };
        // (versions, refusal, those that count)
        for (all, refusal, counting) in [
            (&[4, 7, 12][..], 9, &[4, 7][..]),
            (&[4, 7, 12], 12, &[4, 7, 12]),
            (&[4, 7, 12], 4, &[4]),
            (&[4, 7], 3, &[4, 7]),
            (&[], 3, &[]),
        ] {
            let settings = settings_without(versions(all), Revision::new(refusal));
            let found: Vec<u64> = settings
                .iter()
                .map(|settings| settings.lease_seconds.into())
                .collect();
            assert_eq!(found, counting, "{all:?} without {refusal}");
        }
    }

    #[test]
    fn no_limit_is_counted_out_but_by_the_clock_that_nobody_sets() {
        let up = |boot, seconds| {
            Some(Uptime {
                boot: Boot([boot; 16]),
                since: Duration::from_secs(seconds),
            })
        };
        let renewal = |by| Renewal { at: at(1000), by };
        for (what, by, serving, uptime, now, expected) in [
            (
                "both clocks agree",
                up(1, 50),
                up(1, 10),
                up(1, 350),
                1300,
                1000,
            ),
            (
                "set forward by an hour",
                up(1, 50),
                up(1, 10),
                up(1, 350),
                4900,
                4600,
            ),
            (
                "set back by an hour",
                up(1, 50),
                up(1, 10),
                up(1, 350),
                -2300,
                1000,
            ),
            (
                "another start",
                up(1, 50),
                up(2, 20),
                up(2, 120),
                1300,
                1200,
            ),
            (
                "another start long ago",
                up(1, 50),
                up(2, 20),
                up(2, 920),
                1300,
                1000,
            ),
            (
                "nobody serves since",
                up(1, 50),
                up(1, 10),
                up(2, 920),
                1300,
                1300,
            ),
            ("a server that cannot tell", None, None, None, 9000, 9000),
            (
                "it could not tell then",
                None,
                up(1, 10),
                up(1, 110),
                1300,
                1200,
            ),
        ] {
            let from = renewal(by).counted_from(serving, uptime, at(now));
            assert_eq!(from, at(expected), "{what}");
        }
    }

    #[test]
    fn nothing_is_settled_but_by_the_doors_word_or_its_limit() {
        let (silent_since, until) = (Some(at(50)), Some(at(150)));
        for (standing, expected) in [
            (DoorStanding::Confirmed { at: at(1) }, true),
            (DoorStanding::EndedByLimit { at: at(1) }, true),
            (DoorStanding::Waiting, false),
            (DoorStanding::Overdue, false),
            (
                DoorStanding::MayStillOpen {
                    silent_since,
                    until,
                },
                false,
            ),
            (
                DoorStanding::OnEmergencyList {
                    silent_since,
                    until,
                },
                false,
            ),
            (DoorStanding::KeepsLastTable { silent_since }, false),
        ] {
            assert_eq!(is_settled(standing), expected, "{standing:?}");
        }
    }

    #[test]
    fn the_longest_of_the_settings_a_door_may_be_working_by_counts() {
        let [leaver, other] = [1, 2].map(|number| UserId::from_bytes([number; 16]));
        let version = |lease_seconds, when_cut_off| DoorEntry {
            door: [1; 16].into(),
            site: [2; 16].into(),
            lease_seconds,
            readers: Vec::new(),
            when_cut_off,
        };
        let list = |limit_seconds, people: &[UserId]| {
            Some(WhenCutOff::EmergencyList {
                limit_seconds,
                people: people
                    .iter()
                    .map(|user| (*user.as_bytes()).into())
                    .collect(),
            })
        };
        let by = |versions: &[DoorEntry]| Alone::by(versions, Some(leaver), Some(at(1000)));
        assert_eq!(by(&[]), Alone::UntilLimit(None));
        assert_eq!(
            Alone::by(&[version(100, None)], Some(leaver), None),
            Alone::UntilLimit(None)
        );
        // 1 % and a second are added to what the door counts.
        assert_eq!(by(&[version(100, None)]), Alone::UntilLimit(Some(at(1102))));
        assert_eq!(
            by(&[version(300, None), version(100, None)]),
            Alone::UntilLimit(Some(at(1304)))
        );
        assert_eq!(
            by(&[version(100, list(900, &[other]))]),
            Alone::UntilLimit(Some(at(1102)))
        );
        // Taken off the list while the door was cut off, which does not know it yet.
        assert_eq!(
            by(&[
                version(100, list(900, &[leaver, other])),
                version(100, list(200, &[other])),
            ]),
            Alone::OnEmergencyList(Some(at(1910)))
        );
        // On two lists that it may be working by: the longer one, in either order.
        for limits in [[900, 200], [200, 900]] {
            let versions = limits.map(|limit| version(100, list(limit, &[leaver])));
            assert_eq!(by(&versions), Alone::OnEmergencyList(Some(at(1910))));
        }
        assert_eq!(
            by(&[
                version(100, Some(WhenCutOff::KeepLastTable)),
                version(100, None),
            ]),
            Alone::KeepsLastTable
        );
        assert_eq!(
            Alone::by(&[version(100, list(900, &[leaver]))], None, Some(at(1000))),
            Alone::UntilLimit(Some(at(1102)))
        );
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
                    (
                        "Back door",
                        DoorStanding::Failed {
                            fault: Fault::DiskFails,
                        },
                    ),
                ],
                "Confirmed by 1 of 2 doors. Back door cannot confirm: its disk fails.",
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
                    ("Front", yes(3)),
                    (
                        "Back door",
                        DoorStanding::OnEmergencyList {
                            silent_since: Some(at(1)),
                            until: Some(at(9)),
                        },
                    ),
                    (
                        "Gate",
                        DoorStanding::KeepsLastTable {
                            silent_since: Some(at(2)),
                        },
                    ),
                ],
                "Confirmed by 1 of 3 doors. Back door has not answered since 1s; they are on its \
                 emergency list, and it may still open for them until 9s. Gate has not answered \
                 since 2s; it keeps its last table, and may open for them until it is heard again.",
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
