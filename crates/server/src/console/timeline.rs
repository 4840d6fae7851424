//! What happened, as lines on a page: who, what, to whom, where, when.
//!
//! Owns: the words of a line and the names in it. Refuses to know: which page shows it.

use std::collections::HashMap;

use offgate_core::actor::Actor;
use offgate_core::alert::Stopped;
use offgate_core::calendar::{write_day, write_full, write_rfc3339, write_time};
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::{AgentId, DoorId, OperatorId, UserId};
use offgate_core::log::{Subject, is_instant, may_read, verb};
use offgate_core::operator::Role;
use offgate_core::parameters::Timestamp;
use offgate_core::place::{Direction, ZoneName};
use offgate_core::records::Records as _;
use offgate_core::table::admission::{Holder, Reason};
use offgate_core::user::UserRecord;
use offgate_store::activity::{Activity, StoredDetail, What, Withheld};
use offgate_store::{Reader, StoreError};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Somebody changed something.
    Change,
    /// A door opened.
    Granted,
    /// A door refused.
    Refused,
    /// A door refused somebody who had been taken out, or something needs a look.
    Alarm,
}

impl Tone {
    /// The end of its class.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Alarm => "alarm",
        }
    }

    /// What it is, for those who do not see its colour.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Change => "Change",
            Self::Granted => "Opened",
            Self::Refused => "Refused",
            Self::Alarm => "Look at this",
        }
    }
}

/// Somebody or something named in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) name: String,
    /// Its page, if it has one.
    pub(crate) href: Option<String>,
}

impl Party {
    fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            href: None,
        }
    }
}

/// One particular of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Particular {
    pub(crate) field: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) tone: Tone,
    /// "17:02:14".
    pub(crate) time: String,
    /// "23 Nov 2026, 17:02:14 CET".
    pub(crate) time_in_full: String,
    /// For machines.
    pub(crate) datetime: String,
    pub(crate) who: Party,
    pub(crate) words: String,
    pub(crate) whom: Option<Party>,
    /// Why a door refused.
    pub(crate) because: Option<&'static str>,
    pub(crate) particulars: Vec<Particular>,
}

/// The lines of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DayOfLines {
    /// "23 Nov 2026".
    pub(crate) day: String,
    pub(crate) lines: Vec<Line>,
}

/// Writes lines for somebody with a role, in a zone.
pub(crate) struct Timeline<'r> {
    reader: &'r Reader,
    zone: &'r ZoneName,
    role: Role,
    names: HashMap<Subject, Party>,
}

impl<'r> Timeline<'r> {
    pub(crate) fn new(reader: &'r Reader, zone: &'r ZoneName, role: Role) -> Self {
        Self {
            reader,
            zone,
            role,
            names: HashMap::new(),
        }
    }

    /// The lines, by day, in the order given.
    pub(crate) fn days(&mut self, items: &[Activity]) -> Result<Vec<DayOfLines>, StoreError> {
        let mut days: Vec<DayOfLines> = Vec::new();
        for item in items {
            let line = self.line(item)?;
            let day = write_day(self.zone, item.at);
            match days.last_mut() {
                Some(last) if last.day == day => last.lines.push(line),
                _ => days.push(DayOfLines {
                    day,
                    lines: vec![line],
                }),
            }
        }
        Ok(days)
    }

    fn line(&mut self, item: &Activity) -> Result<Line, StoreError> {
        let at = item.at;
        match &item.what {
            What::Change {
                actor,
                kind,
                subject,
                details,
                withheld,
                ..
            } => {
                let who = self.actor(*actor)?;
                let whom = self.subject(*subject, details)?;
                Ok(
                    self.write(at, Tone::Change, who, verb(kind).to_owned(), Some(whom), {
                        let mut particulars = self.particulars(details);
                        particulars.extend(withheld.map(|why| self.withheld(why)));
                        particulars
                    }),
                )
            }
            What::Door { event, .. } => self.at_a_door(at, event),
            What::EventsLost { agent, count } => {
                let who = self.subject(Subject::Agent(*agent), &[])?;
                let words =
                    format!("was cut off for so long that it dropped {count} routine events");
                Ok(self.write(at, Tone::Alarm, who, words, None, Vec::new()))
            }
        }
    }

    fn write(
        &self,
        at: Timestamp,
        tone: Tone,
        who: Party,
        words: String,
        whom: Option<Party>,
        particulars: Vec<Particular>,
    ) -> Line {
        Line {
            tone,
            time: write_time(self.zone, at, at),
            time_in_full: write_full(self.zone, at),
            datetime: write_rfc3339(self.zone, at),
            who,
            words,
            whom,
            because: None,
            particulars,
        }
    }

    fn at_a_door(&mut self, at: Timestamp, event: &DoorEvent) -> Result<Line, StoreError> {
        let door = self.subject(Subject::Door(event.door), &[])?;
        let with = event.presented.word();
        let because = match event.happening {
            Happening::Refused { reason, .. } => Some(because(reason)),
            _ => None,
        };
        let (tone, holder, words) = match event.happening {
            Happening::Granted { holder, .. } => {
                (Tone::Granted, Some(holder), format!("({with}) opened"))
            }
            Happening::WayOut { holder } => (Tone::Granted, holder, "left by".to_owned()),
            Happening::Refused { reason, holder } => (
                refusal_tone(reason, holder),
                holder,
                format!("({with}) was refused at"),
            ),
            Happening::KeypadSlowed => {
                let words = "makes everybody wait after several wrong PINs".to_owned();
                let keypad = Party {
                    name: format!("The keypad at {}", door.name),
                    href: door.href,
                };
                return Ok(self.write(at, Tone::Alarm, keypad, words, None, Vec::new()));
            }
        };
        let who = match holder {
            Some(holder) => self.subject(Subject::User(holder.user), &[])?,
            None => Party::plain(match event.direction {
                Direction::In => "Somebody unknown",
                Direction::Out => "Somebody",
            }),
        };
        Ok(Line {
            because,
            ..self.write(at, tone, who, words, Some(door), Vec::new())
        })
    }

    /// What may be read of the details, with instants in the site's zone.
    fn particulars(&self, details: &[StoredDetail]) -> Vec<Particular> {
        let tell = |field: &str, value: &Option<String>| {
            value.as_ref().map(|value| self.value(field, value))
        };
        details
            .iter()
            .filter(|detail| may_read(self.role, &detail.field) && is_for_people(&detail.field))
            .map(|detail| Particular {
                before: tell(&detail.field, &detail.before),
                after: tell(&detail.field, &detail.after),
                field: detail.field.clone(),
            })
            .collect()
    }

    /// What stands where particulars cannot be read.
    fn withheld(&self, why: Withheld) -> Particular {
        Particular {
            field: "what else was told".to_owned(),
            before: None,
            after: Some(match why {
                Withheld::Erased { at } => format!("erased on {}", write_full(self.zone, at)),
                Withheld::Unreadable => "cannot be read: its key is not in the vault".to_owned(),
            }),
        }
    }

    fn value(&self, field: &str, value: &str) -> String {
        if is_instant(field)
            && let Ok(microseconds) = value.parse()
        {
            return write_full(self.zone, Timestamp::from_microseconds(microseconds));
        }
        if field == "reason"
            && let Some(reason) = offgate_core::user::DeactivationReason::from_name(value)
        {
            return reason.label().to_owned();
        }
        // Lists of ids are told by name.
        let names: Option<Vec<String>> = value
            .split(", ")
            .map(|id| self.name_of(field, id))
            .collect();
        names.map_or_else(|| value.to_owned(), |names| names.join(", "))
    }

    /// The name behind an id in a field that holds ids. None where it holds none.
    fn name_of(&self, field: &str, id: &str) -> Option<String> {
        let gone = || "one that was deleted".to_owned();
        let found = match field {
            "groups" | "inside" => self
                .reader
                .group(id.parse().ok()?)
                .ok()?
                .map(|group| group.name.as_str().to_owned()),
            "policies" | "default policy" => self
                .reader
                .policy(id.parse().ok()?)
                .ok()?
                .map(|policy| policy.name.as_str().to_owned()),
            "doors" => self
                .reader
                .door(id.parse().ok()?)
                .ok()?
                .map(|door| door.name.as_str().to_owned()),
            "door groups" => self
                .reader
                .door_group(id.parse().ok()?)
                .ok()?
                .map(|group| group.name.as_str().to_owned()),
            "people" => match self.reader.user(id.parse().ok()?).ok()? {
                Some(UserRecord::Present(person)) => Some(person.profile.full_name()),
                Some(UserRecord::Removed(_)) | None => Some("somebody removed".to_owned()),
            },
            "hours" => self
                .reader
                .schedule(id.parse().ok()?)
                .ok()?
                .map(|schedule| schedule.name.as_str().to_owned()),
            "agent" => self
                .reader
                .agent(id.parse().ok()?)
                .ok()?
                .map(|agent| agent.name.as_str().to_owned()),
            _ => return None,
        };
        Some(found.unwrap_or_else(gone))
    }

    fn actor(&mut self, actor: Actor) -> Result<Party, StoreError> {
        match actor {
            Actor::Operator(operator) => self.subject(Subject::Operator(operator), &[]),
            Actor::ServerCommandLine => Ok(Party::plain("Command line on the server")),
            Actor::Schedule => Ok(Party::plain("Offgate, as it was set beforehand,")),
            Actor::JoiningAgent(_) => Ok(Party::plain("A new agent")),
            Actor::TestifyingAgent(id) => Ok(Party::plain(&match self.reader.agent(id)? {
                Some(agent) => format!("The agent {}", agent.name.as_str()),
                None => "An agent".to_owned(),
            })),
        }
    }

    fn subject(&mut self, subject: Subject, details: &[StoredDetail]) -> Result<Party, StoreError> {
        if let Some(known) = self.names.get(&subject) {
            return Ok(known.clone());
        }
        let party = match self.found(subject)? {
            Some(party) => party,
            // Deleted since: as it was called then.
            None => Party {
                name: details
                    .iter()
                    .find(|detail| detail.field == "name")
                    .and_then(|detail| detail.before.clone().or_else(|| detail.after.clone()))
                    .unwrap_or_else(|| "one that was deleted".to_owned()),
                href: None,
            },
        };
        self.names.insert(subject, party.clone());
        Ok(party)
    }

    fn found(&self, subject: Subject) -> Result<Option<Party>, StoreError> {
        let reader = self.reader;
        let named = |name: &str| Some(Party::plain(name));
        Ok(match subject {
            Subject::User(user) => Some(person(reader, user)?),
            Subject::Door(door) => self.door(door)?,
            Subject::Group(id) => reader.group(id)?.and_then(|it| named(it.name.as_str())),
            Subject::Site(id) => reader.site(id)?.and_then(|it| named(it.name.as_str())),
            Subject::DoorGroup(id) => reader
                .door_group(id)?
                .and_then(|it| named(it.name.as_str())),
            Subject::Policy(id) => reader.policy(id)?.and_then(|it| named(it.name.as_str())),
            Subject::Schedule(id) => reader.schedule(id)?.and_then(|it| named(it.name.as_str())),
            Subject::HolidayGroup(id) => reader
                .holiday_group(id)?
                .and_then(|it| named(it.name.as_str())),
            Subject::EmergencyList(id) => reader
                .emergency_list(id)?
                .and_then(|it| named(it.name.as_str())),
            Subject::Agent(id) => self.agent(id)?,
            Subject::JoinToken(id) => reader
                .join_token(id)?
                .and_then(|it| named(it.name.as_str())),
            Subject::Operator(id) => self.operator(id)?,
            Subject::Store => named("every door"),
            Subject::Mail => named("outgoing mail"),
            Subject::Webhook => named("the webhook"),
        })
    }

    fn door(&self, door: DoorId) -> Result<Option<Party>, StoreError> {
        Ok(self.reader.door(door)?.map(|door| Party {
            name: door.name.as_str().to_owned(),
            href: Some(format!("/doors/{}", door.id)),
        }))
    }

    fn agent(&self, agent: AgentId) -> Result<Option<Party>, StoreError> {
        let agent = self.reader.agent(agent)?;
        Ok(agent.map(|agent| Party::plain(agent.name.as_str())))
    }

    fn operator(&self, operator: OperatorId) -> Result<Option<Party>, StoreError> {
        let operator = self.reader.operator(operator)?;
        Ok(operator.map(|operator| Party::plain(operator.name.as_str())))
    }
}

/// A person's name and page; of a removed one nothing is left to say.
fn person(reader: &Reader, user: UserId) -> Result<Party, StoreError> {
    Ok(match reader.user(user)? {
        Some(UserRecord::Present(person)) => Party {
            name: person.profile.full_name(),
            href: Some(format!("/users/{user}")),
        },
        Some(UserRecord::Removed(_)) => Party {
            name: "A removed person".to_owned(),
            href: Some(format!("/users/{user}")),
        },
        None => Party::plain("Somebody unknown"),
    })
}

/// Somebody who was taken out and tried all the same stands out.
const fn refusal_tone(reason: Reason, holder: Option<Holder>) -> Tone {
    match (Stopped::of(reason), holder) {
        (Some(_), Some(_)) => Tone::Alarm,
        _ => Tone::Refused,
    }
}

/// Why a door refused, as it follows a colon.
const fn because(reason: Reason) -> &'static str {
    match reason {
        Reason::Unknown => "not known there",
        Reason::Deactivated => "deactivated",
        Reason::NotStarted => "access has not started",
        Reason::Ended => "access has ended",
        Reason::Lost => "reported lost",
        Reason::LockedDown => "the door is locked down",
        Reason::CutOff => "the door was cut off for too long",
        Reason::TooManyAttempts => "too many wrong PINs",
        Reason::NoPolicy => "no policy names this door",
        Reason::Holiday => "a holiday",
        Reason::Schedule => "not at this hour",
        Reason::ClockNotTrusted => "the door does not know what time it is",
    }
}

/// Ids of credentials and tokens say nothing to anybody.
fn is_for_people(field: &str) -> bool {
    !matches!(field, "credential id" | "join token" | "is the person")
}
