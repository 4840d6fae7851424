//! The words of alerts. They name a person only where nothing could be done without the name.

use super::{Alert, Allowance, PER_HOUR, Stopped, Told, Tried};
use crate::calendar::write_full;
use crate::confirmation::Alone;
use crate::id::{AgentId, DoorId, UserId};
use crate::mail::HostName;
use crate::parameters::Timestamp;
use crate::place::ZoneName;
use crate::records::Records;
use crate::user::UserRecord;

/// How many doors a letter names.
const DOORS: usize = 20;

/// What a letter says.
#[derive(Clone, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// Puts an alert into words, for whoever is sent it from the server of this name.
///
/// # Errors
/// The records could not be read.
pub fn words<R: Records + ?Sized>(
    records: &R,
    alert: &Alert,
    allowance: Allowance,
    server: &HostName,
) -> Result<Words, R::Error> {
    let names = Names { records };
    let (subject, said) = match alert {
        Alert::Tried(told) => names.tried(told)?,
        Alert::LimitPassed {
            door,
            silent_since,
            ended_at,
            people,
            may_still_open,
        } => {
            let zone = names.zone(Some(*door))?;
            let name = names.door(*door)?;
            let since = silent_since.map_or_else(
                || "has never answered".to_owned(),
                |since| format!("has not answered since {}", write_full(&zone, since)),
            );
            let open = match may_still_open {
                0 => String::new(),
                1 => {
                    "\n1 more person who was taken out is on its emergency list, and it may still \
                      open for them.\n"
                        .to_owned()
                }
                count => format!(
                    "\n{count} more people who were taken out are on its emergency list, and it may \
                     still open for them.\n"
                ),
            };
            let people = match people {
                1 => "1 person who was".to_owned(),
                count => format!("{count} people who were"),
            };
            (
                format!("{name} passed its time limit without a confirmation"),
                format!(
                    "{name} {since}.\nIts time of deciding on its own ended at {} at the latest, \
                     and it had\nnot confirmed that it refuses {people} taken out.\nIt refuses them \
                     since by that limit, not by its own word.\n{open}",
                    write_full(&zone, *ended_at)
                ),
            )
        }
        Alert::AgentGone {
            agent,
            silent_since,
            doors,
        } => names.gone(*agent, *silent_since, doors)?,
        Alert::HistoryDoesNotContinue { agent, at } => {
            let zone = names.zone(None)?;
            let name = names.agent(*agent)?;
            (
                format!("{name} says that the history does not continue"),
                format!(
                    "At {} the agent {name} said that the history of this\nserver is not the one it \
                     knew: it was rewritten or cut, or this server is a copy.\nIts doors take \
                     nothing from this server, no lease either, until that is over.\n\nOn the \
                     server, `offgate audit verify` goes through the history, and\n`offgate doctor` \
                     says which agents are in doubt.\n",
                    write_full(&zone, *at)
                ),
            )
        }
        Alert::LastDoorConfirmed {
            user,
            decided_at,
            confirmed_at,
            doors,
        } => {
            let zone = names.zone(None)?;
            let doors = match doors {
                1 => "1 of 1 door".to_owned(),
                doors => format!("{doors} of {doors} doors"),
            };
            (
                format!("A deactivation is confirmed by {doors}"),
                format!(
                    "The deactivation of {} is confirmed by {doors},\nthe last at {}.\n\nThe console \
                     says whom it was about: person {user}.\n",
                    write_full(&zone, *decided_at),
                    write_full(&zone, *confirmed_at)
                ),
            )
        }
    };
    let last = match allowance {
        Allowance::SentAsTheLast => format!(
            "\nThis is the last alert of this kind for now: there are no more than {PER_HOUR} in an \
             hour.\nWhat comes meanwhile is in the console.\n"
        ),
        Allowance::Sent | Allowance::LeftOut => String::new(),
    };
    Ok(Words {
        subject,
        text: format!(
            "{said}{last}\n-- \nThe door server {}. Which alerts you are sent is chosen in its \
             console,\nunder System, Alerts.\n",
            server.as_str()
        ),
    })
}

/// What things are called.
struct Names<'r, R: Records + ?Sized> {
    records: &'r R,
}

impl<R: Records + ?Sized> Names<'_, R> {
    fn tried(&self, told: &Told) -> Result<(String, String), R::Error> {
        let Tried {
            user,
            credential: _,
            presented,
            door,
            at,
            why,
        } = told.tried();
        let zone = self.zone(Some(*door))?;
        let (person, door) = (self.person(*user)?, self.door(*door)?);
        let what = presented.word();
        let whose = match why {
            Stopped::Deactivated => format!("{person}, who is deactivated"),
            Stopped::Ended => format!("{person}, whose access has ended"),
            Stopped::Lost => format!("{person}, which was reported lost"),
        };
        Ok(match told {
            Told::First(_) => (
                format!("Refused at {door}: {person}"),
                format!(
                    "At {} the {what} of {whose},\nwas tried at {door}. The door refused.\n\nMore \
                     tries at this door within ten minutes are told in one letter.\n",
                    write_full(&zone, *at)
                ),
            ),
            Told::More(tries) => {
                let times = match tries.untold() {
                    1 => "once more".to_owned(),
                    count => format!("{count} more times"),
                };
                (
                    format!("Refused at {door}: {person}, {times}"),
                    format!(
                        "After {} the {what} of {whose},\nwas tried {times} at {door}, the last time \
                         at {}.\nThe door refused.\n",
                        write_full(&zone, *at),
                        write_full(&zone, tries.last_at)
                    ),
                )
            }
        })
    }

    fn gone(
        &self,
        agent: AgentId,
        silent_since: Timestamp,
        doors: &[(DoorId, Alone)],
    ) -> Result<(String, String), R::Error> {
        let agent = self.agent(agent)?;
        let mut lines = String::new();
        for (door, alone) in doors.iter().take(DOORS) {
            let zone = self.zone(Some(*door))?;
            let name = self.door(*door)?;
            let until = |until: &Option<Timestamp>| {
                until.map_or_else(
                    || "refuses until it is heard".to_owned(),
                    |until| format!("decides by what it has until {}", write_full(&zone, until)),
                )
            };
            let what = match alone {
                Alone::UntilLimit(limit) | Alone::OnEmergencyList(limit) => until(limit),
                Alone::KeepsLastTable => {
                    "keeps its last table for as long as it is not heard".to_owned()
                }
            };
            lines.push_str(&format!("  {name}: {what}\n"));
        }
        if doors.len() > DOORS {
            lines.push_str(&format!("  and {} more\n", doors.len() - DOORS));
        }
        let zone = self.zone(doors.first().map(|(door, _)| *door))?;
        Ok((
            format!("{agent} does not answer"),
            format!(
                "The agent {agent} has not answered since {}.\nWhoever is taken out meanwhile may \
                 still be let in by its doors:\n\n{lines}\nThe way out stays free.\n",
                write_full(&zone, silent_since)
            ),
        ))
    }

    fn person(&self, user: UserId) -> Result<String, R::Error> {
        Ok(match self.records.user(user)? {
            Some(UserRecord::Present(person)) => person.profile.full_name(),
            Some(UserRecord::Removed(_)) | None => "a removed person".to_owned(),
        })
    }

    fn door(&self, door: DoorId) -> Result<String, R::Error> {
        let door = self.records.door(door)?;
        Ok(door.map_or_else(
            || "a door that is gone".to_owned(),
            |door| door.name.as_str().to_owned(),
        ))
    }

    fn agent(&self, agent: AgentId) -> Result<String, R::Error> {
        let found = self.records.agent(agent)?;
        Ok(found.map_or_else(|| agent.to_string(), |agent| agent.name.as_str().to_owned()))
    }

    /// The zone of a door's site, or of the first site; UTC before there is one.
    fn zone(&self, door: Option<DoorId>) -> Result<ZoneName, R::Error> {
        let mut sites = self.records.sites()?;
        let door = match door {
            Some(door) => self.records.door(door)?,
            None => None,
        };
        let at = door.and_then(|door| sites.iter().position(|site| site.id == door.site));
        let at = at.unwrap_or(0);
        Ok(if at < sites.len() {
            sites.swap_remove(at).zone
        } else {
            ZoneName::parse("UTC").unwrap_or_else(|_| unreachable!("UTC is a zone"))
        })
    }
}
