//! `offgate user`: people, and above all taking them out again.

mod edit;
mod view;

use clap::{Args, Subcommand, ValueEnum};
use offgate_core::command::{Command, Unconfirmed};
use offgate_core::id::UserId;
use offgate_core::text::Note;
use offgate_core::user::DeactivationReason;

use super::person::{Who, pick_person};
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{Alone, chosen_zone, moment};
use crate::record::Record;

/// What to do with people.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// List people
    List(view::List),
    /// Show who somebody is, what they hold, and what doors have confirmed
    Show(Who),
    /// Show which doors somebody can open now, and why (not)
    Open(Who),
    /// Add somebody
    Create(edit::Create),
    /// Change name, contacts, access period, groups or policies
    Edit(edit::Edit),
    /// Stop all access at every door; keeps everything
    Deactivate(Deactivate),
    /// Give back exactly what was there
    Reactivate(Who),
    /// Erase somebody who is deactivated; cannot be undone
    Remove(Remove),
}

/// Why somebody is deactivated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Why {
    /// Left the organisation
    Left,
    /// Away for a while
    Away,
    /// Security concern
    Security,
    /// None of these
    Other,
}

impl From<Why> for DeactivationReason {
    fn from(why: Why) -> Self {
        match why {
            Why::Left => Self::LeftTheOrganisation,
            Why::Away => Self::AwayForAWhile,
            Why::Security => Self::SecurityConcern,
            Why::Other => Self::Other,
        }
    }
}

/// `offgate user deactivate`
#[derive(Clone, Debug, Args)]
pub(crate) struct Deactivate {
    #[command(flatten)]
    who: Who,
    /// Why
    #[arg(long, value_enum, default_value_t = Why::Left)]
    reason: Why,
    /// Why, in words that owners alone see
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// When the employment ended, as in 2026-11-30 or "2026-11-30 17:00" [default: now]
    #[arg(long, value_name = "WHEN")]
    employment_ended: Option<String>,
    /// The zone that is meant [default: that of the only site, or UTC]
    #[arg(long)]
    zone: Option<String>,
}

/// `offgate user remove`
#[derive(Clone, Debug, Args)]
pub(crate) struct Remove {
    #[command(flatten)]
    who: Who,
    /// Do not wait for doors that have not confirmed the deactivation; the reason is kept
    #[arg(long, value_name = "REASON")]
    unconfirmed: Option<String>,
}

pub(crate) fn run(books: &Books, command: &UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::List(list) => view::list(books, list),
        UserCommand::Open(who) => view::open(books, who),
        UserCommand::Show(who) => {
            let person = pick_person(&books.reader(), &who.wanted)?;
            view::show(books, person.id)
        }
        UserCommand::Create(new) => edit::create(books, new),
        UserCommand::Edit(edit) => edit::change(books, edit),
        UserCommand::Deactivate(what) => deactivate(books, what),
        UserCommand::Reactivate(who) => {
            let person = pick_person(&books.reader(), &who.wanted)?;
            books.carry_out(Command::ReactivateUser { user: person.id })?;
            view::show(books, person.id)
        }
        UserCommand::Remove(what) => remove(books, what),
    }
}

/// Asks nothing: a deactivation is undone by a reactivation, and must never wait for an answer.
fn deactivate(books: &Books, what: &Deactivate) -> Result<(), Failure> {
    let reader = books.reader();
    let person = pick_person(&reader, &what.who.wanted)?;
    let ended = match &what.employment_ended {
        None => None,
        Some(text) => {
            let zone = chosen_zone(&reader, what.zone.as_deref())?;
            let end = moment("--employment-ended", text, &zone, Alone::EndOfDay)?;
            let start = moment("--employment-ended", text, &zone, Alone::StartOfDay)?;
            // Today's date alone means until now: the rules refuse an end in the future.
            Some(if start <= books.now() {
                end.min(books.now())
            } else {
                end
            })
        }
    };
    let note = what.note.as_deref().map(Note::parse).transpose();
    books.carry_out(Command::DeactivateUser {
        user: person.id,
        reason: what.reason.into(),
        note: note.map_err(|error| Failure::usage("--note", error))?,
        employment_ended_at: ended,
    })?;
    view::show(books, person.id)
}

fn remove(books: &Books, what: &Remove) -> Result<(), Failure> {
    let person = pick_person(&books.reader(), &what.who.wanted)?;
    let unconfirmed = match &what.unconfirmed {
        None => Unconfirmed::Wait,
        Some(reason) => Unconfirmed::Override(
            Note::parse(reason).map_err(|error| Failure::usage("--unconfirmed", error))?,
        ),
    };
    let name = person.profile.full_name();
    books.confirmation.of(&format!(
        "Remove {name} for good? Their personal data is erased; this cannot be undone."
    ))?;
    let id: UserId = person.id;
    books.carry_out(Command::RemoveUser {
        user: id,
        unconfirmed,
    })?;
    Record::default()
        .with("removed", id.to_string())
        .show(books.format);
    Ok(())
}
