//! `offgate agent-key`: the agents that have joined, and their keys.

use std::collections::BTreeSet;

use clap::Subcommand;
use data_encoding::HEXLOWER;
use offgate_core::agent::{Agent, AgentState};
use offgate_core::command::Command;
use offgate_core::id::DoorId;
use offgate_core::records::Records as _;
use offgate_store::Reader;

use super::furniture::{Page, Shown, Which, choose, list, pick, show, show_result};
use super::join_token::invite;
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{Record, reference};

/// What to do with agents.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AgentKeyCommand {
    /// List agents, revoked ones too
    List(Page),
    /// Show one
    Show(Which),
    /// Refuse its key from now on; its doors need another agent
    Revoke(Which),
    /// Make a join token for the device that takes its place, with its name and doors
    ///
    /// The token is shown this once, and works once, for an hour. The old agent goes on until the
    /// new one joins; its key is refused from then on. If the device is lost or stolen, revoke its
    /// key as well, after this.
    Replace(Which),
}

impl Shown for Agent {
    const COLUMNS: &'static [&'static str] = &["name", "state", "doors", "enrolled_at", "id"];

    fn record(&self, reader: &Reader) -> Result<Record, Failure> {
        let zone = zone(reader)?;
        let (state, revoked_at) = match self.state {
            AgentState::Enrolled => ("enrolled", None),
            AgentState::Revoked { at } => ("revoked", Some(shown(&zone, at))),
        };
        let doors = reader
            .doors()?
            .into_iter()
            .filter(|door| door.agent == Some(self.id));
        let doors: Vec<_> = doors
            .map(|door| reference(door.id, door.name.as_str()))
            .collect();
        Ok(Record::default()
            .with("id", self.id.to_string())
            .with("name", self.name.as_str())
            .with("state", state)
            .with("revoked_at", revoked_at)
            .with("doors", doors)
            .with("key", HEXLOWER.encode(&self.key.0))
            .with("enrolled_at", shown(&zone, self.enrolled_at)))
    }
}

pub(crate) fn run(books: &Books, command: &AgentKeyCommand) -> Result<(), Failure> {
    match command {
        AgentKeyCommand::List(page) => list::<Agent>(books, page, |_| true),
        AgentKeyCommand::Show(which) => show::<Agent>(books, which),
        AgentKeyCommand::Revoke(which) => revoke(books, which),
        AgentKeyCommand::Replace(which) => replace(books, which),
    }
}

fn revoke(books: &Books, which: &Which) -> Result<(), Failure> {
    let agent: Agent = pick(&books.reader(), &which.wanted)?;
    books.confirmation.of(&format!(
        "Refuse the key of {:?} from now on? Its doors hear nothing any more, and refuse everybody \
         once their time of working on their own is over.",
        agent.name.as_str(),
    ))?;
    books.carry_out(Command::RevokeAgent(agent.id))?;
    show_result::<Agent>(books, agent.id)
}

/// Those it replaced have its name too, so only agents with doors are meant.
fn replace(books: &Books, which: &Which) -> Result<(), Failure> {
    let reader = books.reader();
    let doors = reader.doors()?;
    let doors_of = |agent: &Agent| -> BTreeSet<DoorId> {
        let decided = doors.iter().filter(|door| door.agent == Some(agent.id));
        decided.map(|door| door.id).collect()
    };
    let mut agents = reader.agents()?;
    agents.retain(|agent| !doors_of(agent).is_empty());
    match choose(agents, &which.wanted) {
        Ok(agent) => {
            let doors = doors_of(&agent);
            invite(books, agent.name, doors)
        }
        Err(Failure::NotFound { .. }) => {
            pick::<Agent>(&reader, &which.wanted)?;
            Err(Failure::usage(
                "NAME|ID",
                "it has no doors any more; `offgate join-token create` says which the new one has",
            ))
        }
        Err(failure) => Err(failure),
    }
}
