//! Where every door stands with one change about a person: the sentence, and door by door.

use askama::Template;
use offgate_core::calendar::{write_full, write_time};
use offgate_core::confirmation::{DoorStanding, is_settled, sentence, standing};
use offgate_core::door_position::{self, Positions};
use offgate_core::id::UserId;
use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_core::records::Records as _;
use offgate_core::user::{Standing, User};
use offgate_store::users::Pending;
use offgate_store::{Confirms, Reader, StoreError};

use super::answers::{AskedLine, Said};
use crate::console::words::counted;

/// One door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DoorLine {
    pub(crate) name: String,
    /// Its page, unless it was deleted.
    pub(crate) href: Option<String>,
    pub(crate) label: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) words: String,
    /// That it stands open, or stood open then.
    pub(crate) open: Option<String>,
    /// What it said when it was asked.
    pub(crate) asked: Vec<AskedLine>,
    order: u8,
}

const REFUSED: &str = "Refused at the doors";

/// All doors that count, and the sentence about them.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "people/doors_standing.html")]
pub(crate) struct DoorsStanding {
    pub(crate) heading: &'static str,
    pub(crate) sentence: String,
    pub(crate) tone: &'static str,
    pub(crate) doors: Vec<DoorLine>,
    pub(crate) settled: usize,
    /// Which of them stood open then, or do now, and of which that is not known.
    pub(crate) open: Option<String>,
    /// Where to ask the doors; none if there is nothing to ask about.
    pub(crate) ask: Option<String>,
    /// How many questions wait for their answers.
    pub(crate) waiting: u64,
}

impl DoorsStanding {
    /// Whether nothing is open any more.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled == self.doors.len()
    }

    /// Of somebody with a profile: of their deactivation, or of the last change that doors must
    /// confirm. None if there was none, or if every door has long taken up an admission.
    pub(crate) fn of(
        reader: &Reader,
        person: &User,
        zone: &ZoneName,
        now: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        match &person.standing {
            Standing::Deactivated(deactivation) => {
                let refusal = Pending {
                    revision: deactivation.revision,
                    decided_at: deactivation.at,
                    confirms: Confirms::Refuse,
                };
                let shown = Self::told(reader, person.id, REFUSED, refusal, zone, now)?;
                Ok(Some(if shown.doors.is_empty() {
                    Self::nowhere()
                } else {
                    shown
                }))
            }
            Standing::Active => {
                let Some(pending) = reader.pending(person.id)? else {
                    return Ok(None);
                };
                let heading = match pending.confirms {
                    Confirms::Refuse => "Blocked credential refused at the doors",
                    Confirms::Admit => "Admitted again at the doors",
                };
                let shown = Self::told(reader, person.id, heading, pending, zone, now)?;
                let is_over = pending.confirms == Confirms::Admit && shown.is_settled();
                Ok((!is_over).then_some(shown))
            }
        }
    }

    /// Of somebody who was removed.
    pub(crate) fn of_removed(
        reader: &Reader,
        user: UserId,
        zone: &ZoneName,
        now: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        let Some(pending) = reader.pending(user)? else {
            return Ok(None);
        };
        Self::told(reader, user, REFUSED, pending, zone, now).map(Some)
    }

    fn told(
        reader: &Reader,
        user: UserId,
        heading: &'static str,
        change: Pending,
        zone: &ZoneName,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut lines = Vec::new();
        let mut standings = Vec::new();
        let mut positions = Vec::new();
        let said = Said::of(reader, user, change.revision)?;
        for facts in reader.door_facts(user, change.revision)? {
            let door = reader.door(facts.door)?;
            let stands = standing(&facts, change.decided_at, now);
            let name = door.as_ref().map_or_else(
                || "A door that was deleted".to_owned(),
                |door| door.name.as_str().to_owned(),
            );
            let mut line = line(
                name.clone(),
                door.map(|door| format!("/doors/{}", door.id)),
                change.confirms,
                stands,
                zone,
                now,
            );
            if change.confirms == Confirms::Refuse {
                line.open = facts.positions.sentence(|at| write_time(zone, at, now));
                positions.push((name.clone(), facts.positions));
            }
            line.asked = said.at(facts.door, zone, now);
            if line.asked.iter().any(|asked| asked.tone == "admits") {
                (line.label, line.tone, line.order) = ("Would open", "danger", 0);
            }
            lines.push(line);
            standings.push((name, stands));
        }
        lines.sort_by(|one, other| (one.order, &one.name).cmp(&(other.order, &other.name)));
        let all = standings.len();
        let (settled, words) = match change.confirms {
            Confirms::Refuse => {
                let told: Vec<(&str, DoorStanding)> = standings
                    .iter()
                    .map(|(name, stands)| (name.as_str(), *stands))
                    .collect();
                let settled = told.iter().filter(|(_, stands)| is_settled(*stands));
                (
                    settled.count(),
                    sentence(&told, |at| write_time(zone, at, now)),
                )
            }
            // No time limit lets anybody in.
            Confirms::Admit => {
                let settled = confirmed(&standings);
                let words = format!(
                    "{settled} of {} {} them again. The others do so when they are heard.",
                    counted(all, "door"),
                    if settled == 1 { "admits" } else { "admit" }
                );
                (settled, words)
            }
        };
        let positions: Vec<(&str, Positions)> = positions
            .iter()
            .map(|(name, positions)| (name.as_str(), *positions))
            .collect();
        let refused = reader.refused(user)?;
        let may_be_asked = refused.iter().any(|it| it.revision == change.revision) && all > 0;
        Ok(Self {
            heading,
            sentence: words,
            tone: if lines.iter().any(|line| line.label == "Would open") {
                "danger"
            } else if settled == all {
                "confirmed"
            } else {
                "waiting"
            },
            doors: lines,
            settled,
            open: door_position::sentence(&positions),
            ask: may_be_asked.then(|| format!("/users/{user}/ask")),
            waiting: reader.open_question_count(user, now)?,
        })
    }

    /// Of somebody no door ever knew.
    fn nowhere() -> Self {
        Self {
            heading: REFUSED,
            sentence: "Confirmed by 0 of 0 doors: no door knew them.".to_owned(),
            tone: "confirmed",
            doors: Vec::new(),
            settled: 0,
            open: None,
            ask: None,
            waiting: 0,
        }
    }
}

fn confirmed(standings: &[(String, DoorStanding)]) -> usize {
    let is_confirmed = |stands: &DoorStanding| matches!(stands, DoorStanding::Confirmed { .. });
    standings
        .iter()
        .filter(|(_, stands)| is_confirmed(stands))
        .count()
}

fn unheard(silent_since: Option<Timestamp>, time: impl Fn(Timestamp) -> String) -> String {
    match silent_since {
        Some(since) => format!("Has not answered since {}.", time(since)),
        None => "Has never answered.".to_owned(),
    }
}

fn line(
    name: String,
    href: Option<String>,
    confirms: Confirms,
    stands: DoorStanding,
    zone: &ZoneName,
    now: Timestamp,
) -> DoorLine {
    let time = |at| write_time(zone, at, now);
    let (label, tone, order, words) = match (stands, confirms) {
        (DoorStanding::Confirmed { at }, _) => (
            "Confirmed",
            "confirmed",
            3,
            format!("Said so itself, {}.", write_full(zone, at)),
        ),
        (DoorStanding::Waiting, _) => (
            "Waiting",
            "waiting",
            2,
            "Connected; its answer is awaited.".to_owned(),
        ),
        (DoorStanding::Overdue, Confirms::Refuse) => (
            "Overdue",
            "danger",
            0,
            "Connected, but it has not confirmed. It may still open for them: look at its agent, \
             or keep somebody there."
                .to_owned(),
        ),
        (DoorStanding::Overdue, Confirms::Admit) => (
            "Overdue",
            "waiting",
            0,
            "Connected, but it has not confirmed. It may still refuse them.".to_owned(),
        ),
        (DoorStanding::Failed { fault }, _) => (
            "Failed",
            "danger",
            0,
            format!(
                "Connected, but it cannot confirm: {}",
                fault.with_what_to_do()
            ),
        ),
        (DoorStanding::EndedByLimit { at }, Confirms::Refuse) => (
            "Refuses by its limit",
            "confirmed",
            2,
            format!("Cut off; refuses everybody since {}.", time(at)),
        ),
        (
            DoorStanding::MayStillOpen {
                silent_since,
                until,
            },
            Confirms::Refuse,
        ) => {
            let until = match until {
                Some(until) => format!(" May still open for them until {}.", time(until)),
                None => " What it does is not known.".to_owned(),
            };
            (
                "Not confirmed",
                "danger",
                1,
                unheard(silent_since, time) + &until,
            )
        }
        (
            DoorStanding::OnEmergencyList {
                silent_since,
                until,
            },
            Confirms::Refuse,
        ) => {
            let until = until.map(|until| format!(" until {}", time(until)));
            (
                "Not confirmed",
                "danger",
                1,
                format!(
                    "{} They are on this door's emergency list: it may still open for them{}.",
                    unheard(silent_since, time),
                    until.unwrap_or_default()
                ),
            )
        }
        (DoorStanding::KeepsLastTable { silent_since }, Confirms::Refuse) => (
            "Not confirmed",
            "danger",
            1,
            format!(
                "{} It keeps its last table when it is cut off: it may still open for them until \
                 it is heard again.",
                unheard(silent_since, time)
            ),
        ),
        (
            DoorStanding::MayStillOpen { .. }
            | DoorStanding::EndedByLimit { .. }
            | DoorStanding::OnEmergencyList { .. }
            | DoorStanding::KeepsLastTable { .. },
            Confirms::Admit,
        ) => (
            "Cut off",
            "waiting",
            1,
            "Refuses them until it is heard again.".to_owned(),
        ),
    };
    DoorLine {
        name,
        href,
        label,
        tone,
        words,
        open: None,
        asked: Vec::new(),
        order,
    }
}
