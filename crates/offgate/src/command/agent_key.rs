//! `offgate agent-key`: the agents that have joined, and their keys.

mod stolen;

use std::collections::BTreeSet;

use clap::Subcommand;
use data_encoding::HEXLOWER;
use offgate_core::agent::{Agent, AgentState};
use offgate_core::command::Command;
use offgate_core::id::DoorId;
use offgate_core::records::Records as _;
use offgate_store::Reader;

use self::stolen::RenewPins;
use super::furniture::{Page, Shown, Which, choose, list, show_result};
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
    /// new one joins; its key is refused from then on. For a device that is lost or stolen there is
    /// `stolen`.
    Replace(Which),
    /// Report its device stolen: refuse its key, list the PINs it knew, make a join token
    ///
    /// One act for a device that is in other hands, one that was replaced before too. From what is
    /// on it the PINs of its doors' people can be computed, and short card numbers and plates;
    /// `renew-pins` makes new PINs. The token for the device that takes its place is shown this
    /// once, and works once, for an hour.
    Stolen(Which),
    /// Renew the PINs that a stolen device knew, and show the new ones this once
    RenewPins(RenewPins),
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
        AgentKeyCommand::Show(which) => {
            show_result::<Agent>(books, pick_agent(&books.reader(), &which.wanted)?.id)
        }
        AgentKeyCommand::Revoke(which) => revoke(books, which),
        AgentKeyCommand::Replace(which) => replace(books, which),
        AgentKeyCommand::Stolen(which) => stolen::report(books, which),
        AgentKeyCommand::RenewPins(what) => stolen::renew_pins(books, what),
    }
}

fn revoke(books: &Books, which: &Which) -> Result<(), Failure> {
    let agent = pick_agent(&books.reader(), &which.wanted)?;
    books.confirmation.of(&format!(
        "Refuse the key of {:?} from now on? Its doors hear nothing any more, and refuse everybody \
         once their time of working on their own is over.",
        agent.name.as_str(),
    ))?;
    books.carry_out(Command::RevokeAgent(agent.id))?;
    show_result::<Agent>(books, agent.id)
}

/// The agent that is meant. One that took another's place has its name too, so a revoked one is
/// meant by a name only when no other has it.
fn pick_agent(reader: &Reader, wanted: &str) -> Result<Agent, Failure> {
    let (enrolled, revoked): (Vec<_>, Vec<_>) = reader
        .agents()?
        .into_iter()
        .partition(|agent| agent.state == AgentState::Enrolled);
    match choose(enrolled, wanted) {
        Err(Failure::NotFound { .. }) => choose(revoked, wanted),
        found => found,
    }
}

fn doors_of(reader: &Reader, agent: &Agent) -> Result<BTreeSet<DoorId>, Failure> {
    let doors = reader.doors_of(agent.id)?;
    Ok(doors.into_iter().map(|door| door.id).collect())
}

fn replace(books: &Books, which: &Which) -> Result<(), Failure> {
    let reader = books.reader();
    let agent = pick_agent(&reader, &which.wanted)?;
    let doors = doors_of(&reader, &agent)?;
    if doors.is_empty() {
        return Err(Failure::usage(
            "NAME|ID",
            "it has no doors any more; `offgate join-token create` says which the new one has",
        ));
    }
    invite(books, agent.name, doors)
}
