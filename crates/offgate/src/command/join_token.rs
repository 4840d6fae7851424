//! `offgate join-token`: invitations for agents.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use offgate_core::agent::{JoinToken, JoinTokenState};
use offgate_core::command::Command;
use offgate_core::id::{DoorId, JoinTokenId};
use offgate_core::place::Door;
use offgate_core::records::Records as _;
use offgate_core::text::Title;
use offgate_link::join_token::JoinTokenText;
use offgate_store::Reader;

use super::furniture::{Page, Shown, Which, list, pick, pick_all, references, show_result, title};
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{Record, reference};

/// What to do with join tokens.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum JoinTokenCommand {
    /// List join tokens, used ones too
    List(Page),
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

impl Shown for JoinToken {
    const COLUMNS: &'static [&'static str] = &["name", "state", "doors", "expires_at", "id"];

    fn record(&self, reader: &Reader) -> Result<Record, Failure> {
        let (state, agent) = match self.state {
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
            .with("id", self.id.to_string())
            .with("name", self.name.as_str())
            .with("state", state)
            .with("agent", agent)
            .with("doors", references::<Door>(reader, &self.doors)?)
            .with("expires_at", shown(&zone(reader)?, self.expires_at)))
    }
}

pub(crate) fn run(books: &Books, command: &JoinTokenCommand) -> Result<(), Failure> {
    match command {
        JoinTokenCommand::List(page) => list::<JoinToken>(books, page, |_| true),
        JoinTokenCommand::Create(new) => create(books, new),
        JoinTokenCommand::Withdraw(which) => {
            let token: JoinToken = pick(&books.reader(), &which.wanted)?;
            books.carry_out(Command::WithdrawJoinToken(token.id))?;
            show_result::<JoinToken>(books, token.id)
        }
    }
}

fn create(books: &Books, new: &Create) -> Result<(), Failure> {
    let doors = pick_all::<Door>(&books.reader(), &new.door)?;
    invite(books, title("NAME", &new.name)?, doors)
}

/// A token for an agent of this name and these doors, and the text that is shown once.
pub(super) fn invitation(
    books: &Books,
    name: Title,
    doors: BTreeSet<DoorId>,
) -> (JoinToken, JoinTokenText) {
    let root = books.keys().fingerprint();
    let text = JoinTokenText::random(root, books.randomness());
    let token = JoinToken {
        id: JoinTokenId::random(books.randomness()),
        secret: text.secret_hash(),
        name,
        doors,
        expires_at: books.now().plus(JoinToken::LIFE),
        state: JoinTokenState::Open,
    };
    (token, text)
}

/// Makes one, and shows it this once.
pub(super) fn invite(books: &Books, name: Title, doors: BTreeSet<DoorId>) -> Result<(), Failure> {
    let (token, text) = invitation(books, name, doors);
    let id = token.id;
    books.carry_out(Command::CreateJoinToken(token))?;
    let reader = books.reader();
    let made = reader
        .join_token(id)?
        .map(|token| token.record(&reader))
        .transpose()?;
    made.unwrap_or_default()
        .with("token", text.text())
        .show(books.format);
    Ok(())
}
