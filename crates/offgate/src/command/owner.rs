//! `offgate owner`: the way back in for whoever runs the server.

use clap::Subcommand;
use offgate_core::operator::Role;
use offgate_core::refusal::Refusal;

use super::operator::{Called, Which, create, operator, pick_operator, reset};
use crate::books::Books;
use crate::exit::Failure;
use crate::settings::Config;

/// What to do about owners.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum OwnerCommand {
    /// Add an owner, and print a link with which they choose their password
    Add(Called),
    /// Print a link with which an owner chooses a new password
    Reset(Which),
}

pub(crate) fn run(books: &Books, config: &Config, command: &OwnerCommand) -> Result<(), Failure> {
    match command {
        OwnerCommand::Add(who) => create(books, config, operator(books, who, Role::Owner)?),
        OwnerCommand::Reset(which) => {
            let operator = pick_operator(&books.reader(), &which.wanted)?;
            if operator.role < Role::Owner {
                return Err(Refusal::NotAllowed {
                    needed: Role::Owner,
                }
                .into());
            }
            reset(books, config, &operator)
        }
    }
}
