//! `offgate agent-key`: the agents that have joined, and their keys.

use clap::Subcommand;
use data_encoding::HEXLOWER;
use offgate_core::agent::{Agent, AgentState};
use offgate_core::command::Command;
use offgate_core::records::Records as _;
use offgate_store::Reader;

use super::furniture::{Page, Shown, Which, list, pick, show, show_result};
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
