//! `offgate user`: people, and above all taking them out again.

pub(crate) mod ask;
mod edit;
mod export;
mod view;

use clap::{Args, Subcommand, ValueEnum};
use offgate_core::command::{Command, Unconfirmed};
use offgate_core::id::{NotAnId, UserId};
use offgate_core::records::Records as _;
use offgate_core::text::Note;
use offgate_core::user::DeactivationReason;

use super::person::{Who, pick_person};
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{Alone, chosen_zone, moment};

/// What to do with people.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// List people
    List(view::List),
    /// Show who somebody is, what they hold, and what doors have confirmed
    Show(Who),
    /// Show which doors somebody can open now, and why (not)
    Open(Who),
    /// Ask the doors whether they refuse somebody who is deactivated, or whose card is lost; opens
    /// nothing
    Ask(ask::Ask),
    /// Add somebody
    Create(edit::Create),
    /// Change name, contacts, access period, groups or policies
    Edit(edit::Edit),
    /// Stop all access at every door; keeps everything
    Deactivate(Deactivate),
    /// Give back exactly what was there
    Reactivate(Who),
    /// Write all that is on record about somebody into one file for them
    Export(export::Export),
    /// Take somebody who is deactivated off every list for good; they are erased at once, or when
    /// the waiting time is over
    Remove(Remove),
    /// List who was removed and is not erased yet
    Removed,
    /// Erase what is left of somebody removed now; cannot be undone
    Erase(Gone),
    /// Keep what is left of somebody removed from being erased
    HoldErasure(Hold),
    /// No longer keep it
    ReleaseErasure(Gone),
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

/// Somebody who was removed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Gone {
    /// The id, as `user removed` lists it
    #[arg(value_name = "ID", value_parser = id)]
    user: UserId,
}

fn id(text: &str) -> Result<UserId, NotAnId> {
    text.parse()
}

/// `offgate user hold-erasure`
#[derive(Clone, Debug, Args)]
pub(crate) struct Hold {
    #[command(flatten)]
    gone: Gone,
    /// Why, in words that owners alone see
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(books: &Books, command: &UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::List(list) => view::list(books, list),
        UserCommand::Open(who) => view::open(books, who),
        UserCommand::Ask(what) => ask::run(books, what),
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
        UserCommand::Export(what) => export::run(books, what),
        UserCommand::Remove(what) => remove(books, what),
        UserCommand::Removed => view::removed(books),
        UserCommand::Erase(gone) => {
            books
                .confirmation
                .of("Erase what is left of them for good? This cannot be undone.")?;
            books.carry_out(Command::EraseUser { user: gone.user })?;
            view::show_removed(books, gone.user)
        }
        UserCommand::HoldErasure(hold) => {
            let user = hold.gone.user;
            let reason =
                Note::parse(&hold.reason).map_err(|error| Failure::usage("--reason", error))?;
            books.carry_out(Command::HoldErasure { user, reason })?;
            view::show_removed(books, user)
        }
        UserCommand::ReleaseErasure(gone) => {
            books.carry_out(Command::ReleaseErasure { user: gone.user })?;
            view::show_removed(books, gone.user)
        }
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
    let erased = match books.reader().keeping()?.erasure_wait.days() {
        0 => "at once".to_owned(),
        1 => "in 1 day".to_owned(),
        days => format!("in {days} days"),
    };
    books.confirmation.of(&format!(
        "Remove {name} for good? Their personal data is erased {erased}; this cannot be undone."
    ))?;
    let id: UserId = person.id;
    books.carry_out(Command::RemoveUser {
        user: id,
        unconfirmed,
    })?;
    view::show_removed(books, id)
}
