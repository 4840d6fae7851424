//! A command from a page: carried out to its end, also when the browser goes away meanwhile.

use offgate_core::actor::Actor;
use offgate_core::command::{Command, Freshness};
use offgate_core::id::CommandId;
use offgate_core::refusal::Refusal;
use offgate_store::{Outcome, StoreError};

use super::Console;
use super::failure::Failure;
use super::form::Form;
use super::signed_in::{SignInAge, SignedIn};

/// What became of it.
#[derive(Debug)]
pub(crate) enum Executed {
    /// It was done.
    Done,
    /// It was refused, and nothing was changed.
    Refused(Refusal),
    /// They must prove again who they are; nothing was changed.
    SignInAgain,
}

/// Carries a command out.
pub(crate) async fn execute(
    console: &Console,
    signed_in: &SignedIn,
    id: CommandId,
    command: Command,
) -> Result<Executed, Failure> {
    if command.freshness() == Freshness::Recent
        && signed_in.age(console.clock.now()) == SignInAge::Stale
    {
        return Ok(Executed::SignInAgain);
    }
    let store = console.store.clone();
    let actor = Actor::Operator(signed_in.operator.id);
    let task = console
        .tasks
        .spawn(async move { store.execute(id, actor, command).await });
    let done = task.await.unwrap_or(Err(StoreError::OutcomeUnknown));
    match done.map_err(Failure::NotDone)? {
        Outcome::Done { .. } => Ok(Executed::Done),
        Outcome::Refused(refusal) => Ok(Executed::Refused(refusal)),
    }
}

/// The id a form carries, so that sending it twice does one thing; a new one if it carries none.
pub(crate) fn command_id(console: &Console, form: &Form) -> CommandId {
    form.text("command")
        .parse()
        .unwrap_or_else(|_| CommandId::random(&*console.randomness))
}
