//! `offgate join-token`: invitations for agents.

use clap::{Args, Subcommand};
use offgate_core::agent::{JoinToken, JoinTokenState};
use offgate_core::command::Command;
use offgate_core::id::JoinTokenId;
use offgate_core::place::Door;
use offgate_core::records::Records as _;
use offgate_core::refusal::Thing;
use offgate_link::join_token::JoinTokenText;
use offgate_store::Reader;

use super::furniture::{pick_all, references, title};
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{Record, reference};
use crate::settings::Config;

/// What to do with join tokens.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum JoinTokenCommand {
    /// Make one, and show it this once; it works once, for an hour
    Create(Create),
    /// Take an unused one back
    Withdraw(Which),
}

/// For whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct Create {
    /// What the agent will be called
    name: String,
    /// A door it decides for; give it again for more
    #[arg(long, required = true)]
    door: Vec<String>,
}

/// Which.
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// Its id, as `join-token create` showed it
    #[arg(value_name = "ID")]
    id: String,
}

fn record(token: &JoinToken, reader: &Reader) -> Result<Record, Failure> {
    let (state, agent) = match token.state {
        JoinTokenState::Open => ("open", None),
        JoinTokenState::Used { by } => (
            "used",
            reader
                .agent(by)?
                .map(|agent| reference(by, agent.name.as_str())),
        ),
        JoinTokenState::Withdrawn => ("withdrawn", None),
    };
    Ok(Record::default()
        .with("id", token.id.to_string())
        .with("name", token.name.as_str())
        .with("state", state)
        .with("agent", agent)
        .with("doors", references::<Door>(reader, &token.doors)?)
        .with("expires_at", shown(&zone(reader)?, token.expires_at)))
}

pub(crate) fn run(
    books: &Books,
    config: &Config,
    command: &JoinTokenCommand,
) -> Result<(), Failure> {
    match command {
        JoinTokenCommand::Create(new) => create(books, config, new),
        JoinTokenCommand::Withdraw(which) => {
            let id = which.id.parse::<JoinTokenId>();
            let id = id.map_err(|_| Failure::NotFound {
                thing: Thing::JoinToken,
                wanted: which.id.clone(),
            })?;
            books.carry_out(Command::WithdrawJoinToken(id))?;
            made(books, id)?.show(books.format);
            Ok(())
        }
    }
}

fn create(books: &Books, config: &Config, new: &Create) -> Result<(), Failure> {
    let reader = books.reader();
    let root = crate::serve::root_fingerprint(config)?;
    let text = JoinTokenText::random(root, books.randomness());
    let doors = pick_all::<Door>(&reader, &new.door)?;
    let token = JoinToken {
        id: JoinTokenId::random(books.randomness()),
        secret: text.secret_hash(),
        name: title("NAME", &new.name)?,
        doors,
        expires_at: books.now().plus(JoinToken::LIFE),
        state: JoinTokenState::Open,
    };
    let id = token.id;
    books.carry_out(Command::CreateJoinToken(token))?;
    made(books, id)?
        .with("token", text.text())
        .show(books.format);
    Ok(())
}

fn made(books: &Books, id: JoinTokenId) -> Result<Record, Failure> {
    let reader = books.reader();
    let token = reader.join_token(id)?.map(|token| record(&token, &reader));
    Ok(token.transpose()?.unwrap_or_default())
}
