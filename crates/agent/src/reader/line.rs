//! The one line that is asked over the private socket, and the one that is answered.
//!
//! ```text
//! present TAB in|out TAB pin|nfc|plate TAB VALUE TAB DOOR LF   -> granted LF
//!                                                              -> refused: REASON LF
//! contact TAB open|closed TAB DOOR LF                          -> noted LF
//! doors LF                                                     -> doors [TAB NAME]... LF
//! status LF                                                    -> status TAB KEY=VALUE ... LF
//! anything else                                                -> error: TEXT LF
//! ```

use offgate_core::credential::CredentialKind;
use offgate_core::door_position::Position;
use offgate_core::id::AgentId;
use offgate_core::parameters::Revision;
use offgate_core::place::Direction;
use offgate_core::table::admission::Reason;

use super::{Answer, At};
use crate::status::{LinkState, Status, TableState};

/// The longest question.
pub(super) const LONGEST_QUESTION: usize = 1024;
/// The longest answer: the names of 256 doors.
pub(super) const LONGEST_ANSWER: usize = 64 * 1024;

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Present {
        at: At,
        kind: CredentialKind,
        value: String,
    },
    Contact {
        door: String,
        position: Position,
    },
    Doors,
    Status,
}

impl Question {
    pub(super) fn write(&self) -> String {
        match self {
            Self::Present { at, kind, value } => {
                let way = match at.direction {
                    Direction::In => "in",
                    Direction::Out => "out",
                };
                format!("present\t{way}\t{}\t{value}\t{}", kind.name(), at.door)
            }
            Self::Contact { door, position } => format!("contact\t{}\t{door}", position.name()),
            Self::Doors => "doors".to_owned(),
            Self::Status => "status".to_owned(),
        }
    }

    pub(super) fn read(line: &str) -> Option<Self> {
        let parts: Vec<&str> = line.split('\t').collect();
        match parts.as_slice() {
            ["present", way, kind, value, door] => {
                let direction = match *way {
                    "in" => Direction::In,
                    "out" => Direction::Out,
                    _ => return None,
                };
                let at = At {
                    door: (*door).to_owned(),
                    direction,
                };
                let kind = CredentialKind::from_name(kind)?;
                Some(Self::Present {
                    at,
                    kind,
                    value: (*value).to_owned(),
                })
            }
            ["contact", position, door] => Some(Self::Contact {
                door: (*door).to_owned(),
                position: Position::from_name(position)?,
            }),
            ["doors"] => Some(Self::Doors),
            ["status"] => Some(Self::Status),
            _ => None,
        }
    }
}

pub(super) fn read_answer(line: &str) -> Option<Answer> {
    match line.strip_prefix("refused: ") {
        Some(reason) => Reason::from_name(reason).map(Answer::Refused),
        None => (line == "granted").then_some(Answer::Granted),
    }
}

/// What is answered when a contact's word was taken.
pub(super) const NOTED: &str = "noted";

pub(super) fn read_noted(line: &str) -> Option<()> {
    (line == NOTED).then_some(())
}

pub(super) fn write_doors(names: &[String]) -> String {
    names
        .iter()
        .fold("doors".to_owned(), |line, name| line + "\t" + name)
}

pub(super) fn read_doors(line: &str) -> Option<Vec<String>> {
    let mut parts = line.split('\t');
    (parts.next()? == "doors").then(|| parts.map(str::to_owned).collect())
}

pub(super) fn write_status(status: &Status) -> String {
    let link = match status.link {
        LinkState::Connected => "connected",
        LinkState::Searching => "searching",
        LinkState::Doubted => "doubted",
    };
    let (table, revision) = match status.table {
        TableState::Missing => ("missing", Revision::ZERO),
        TableState::Durable(revision) => ("durable", revision),
        TableState::NotDurable(revision) => ("not-durable", revision),
    };
    let agent = status
        .agent
        .map_or_else(|| "none".to_owned(), |agent| agent.to_string());
    format!(
        "status\tagent={agent}\tlink={link}\ttable={table}\trevision={revision}\tlease={}\t\
         events={}\tlost={}",
        status.lease_seconds, status.events_waiting, status.events_lost
    )
}

pub(super) fn read_status(line: &str) -> Option<Status> {
    let mut parts = line.split('\t');
    if parts.next()? != "status" {
        return None;
    }
    let mut value = |key: &str| parts.next()?.strip_prefix(key)?.strip_prefix('=');
    let agent = match value("agent")? {
        "none" => None,
        id => Some(id.parse::<AgentId>().ok()?),
    };
    let link = match value("link")? {
        "connected" => LinkState::Connected,
        "searching" => LinkState::Searching,
        "doubted" => LinkState::Doubted,
        _ => return None,
    };
    let table = value("table")?;
    let revision = Revision::new(value("revision")?.parse().ok()?);
    let table = match table {
        "missing" => TableState::Missing,
        "durable" => TableState::Durable(revision),
        "not-durable" => TableState::NotDurable(revision),
        _ => return None,
    };
    Some(Status {
        agent,
        link,
        table,
        lease_seconds: value("lease")?.parse().ok()?,
        events_waiting: value("events")?.parse().ok()?,
        events_lost: value("lost")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn questions_and_answers_are_read_back() {
        let at = At {
            door: "Back door".to_owned(),
            direction: Direction::Out,
        };
        let value = "B AB 12".to_owned();
        let present = Question::Present {
            at,
            kind: CredentialKind::LicencePlate,
            value,
        };
        let contact = Question::Contact {
            door: "Lab".to_owned(),
            position: Position::Open,
        };
        for question in [present, contact, Question::Doors, Question::Status] {
            assert_eq!(Question::read(&question.write()), Some(question));
        }
        for reason in Reason::ALL {
            let answer = Answer::Refused(reason);
            assert_eq!(read_answer(&answer.to_string()), Some(answer));
        }
        assert_eq!(
            read_answer(&Answer::Granted.to_string()),
            Some(Answer::Granted)
        );
        assert_eq!(read_answer("refused: because"), None);
        let names = vec!["Front door".to_owned(), "Lab".to_owned()];
        assert_eq!(read_doors(&write_doors(&names)), Some(names));
        for table in [
            TableState::Missing,
            TableState::Durable(Revision::new(7)),
            TableState::NotDurable(Revision::new(8)),
        ] {
            let status = Status {
                agent: Some(AgentId::from_bytes([9; 16])),
                link: LinkState::Connected,
                table,
                lease_seconds: 60,
                events_waiting: 3,
                events_lost: 1,
            };
            assert_eq!(read_status(&write_status(&status)), Some(status));
        }
    }

    proptest! {
        #[test]
        fn no_line_is_a_panic(line in "\\PC{0,60}|(present|in|out|pin|contact|open|\t){0,8}") {
            let _ = (Question::read(&line), read_answer(&line), read_doors(&line), read_status(&line));
        }
    }
}
