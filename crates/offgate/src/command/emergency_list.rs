//! `offgate emergency-list`: the people whom cut-off doors still admit.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use offgate_core::command::{Command, Expected};
use offgate_core::fail_mode::{EmergencyLimit, EmergencyList};
use offgate_core::id::{EmergencyListId, UserId};
use offgate_core::parameters::Revision;
use offgate_core::place::Door;
use offgate_core::records::Records as _;
use offgate_core::user::UserRecord;
use offgate_store::Reader;
use serde_json::Value;

use super::door::seconds;
use super::furniture::{
    Named as _, Page, Shown, Which, delete, list, pick, show, show_result, title,
};
use super::person::pick_person;
use crate::books::Books;
use crate::exit::Failure;
use crate::record::{Record, reference};

/// What to do with emergency lists.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum EmergencyListCommand {
    /// List emergency lists
    List(Page),
    /// Show one
    Show(Which),
    /// Add one
    Create(Create),
    /// Change one
    Edit(Edit),
    /// Delete one that no door uses
    Delete(Which),
}

/// A new emergency list.
#[derive(Clone, Debug, Args)]
pub(crate) struct Create {
    /// What it is called
    name: String,
    /// Somebody on it, by full name, e-mail address, employee number or id; two at least
    #[arg(long, value_name = "USER", required = true)]
    person: Vec<String>,
    /// How long a cut-off door goes on admitting them, as in 12h or 14d
    #[arg(long, value_name = "TIME", default_value = "14d")]
    holds: String,
}

/// What changes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    which: Which,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// Somebody more
    #[arg(long, value_name = "USER")]
    add_person: Vec<String>,
    /// Somebody less
    #[arg(long, value_name = "USER")]
    remove_person: Vec<String>,
    /// Another time for which it holds
    #[arg(long, value_name = "TIME")]
    holds: Option<String>,
}

impl Shown for EmergencyList {
    const COLUMNS: &'static [&'static str] = &["name", "people", "holds_seconds", "doors", "id"];

    fn record(&self, reader: &Reader) -> Result<Record, Failure> {
        let mut people = Vec::new();
        for user in &self.people {
            people.push(named(reader, *user)?);
        }
        let doors: Vec<Value> = Door::all(reader)?
            .iter()
            .filter(|door| door.fail_mode.list() == Some(self.id))
            .map(|door| reference(door.id, door.name.as_str()))
            .collect();
        Ok(Record::default()
            .with("id", self.id.to_string())
            .with("name", self.name.as_str())
            .with("people", people)
            .with("holds_seconds", self.limit.seconds())
            .with("doors", doors))
    }
}

fn named(reader: &Reader, user: UserId) -> Result<Value, Failure> {
    Ok(match reader.user(user)? {
        Some(UserRecord::Present(person)) => reference(user, &person.profile.full_name()),
        Some(UserRecord::Removed(_)) | None => reference(user, "somebody who was removed"),
    })
}

pub(crate) fn run(books: &Books, command: &EmergencyListCommand) -> Result<(), Failure> {
    match command {
        EmergencyListCommand::List(page) => list::<EmergencyList>(books, page, |_| true),
        EmergencyListCommand::Show(which) => show::<EmergencyList>(books, which),
        EmergencyListCommand::Create(new) => create(books, new),
        EmergencyListCommand::Edit(edit) => change(books, edit),
        EmergencyListCommand::Delete(which) => delete::<EmergencyList>(books, which),
    }
}

fn create(books: &Books, new: &Create) -> Result<(), Failure> {
    let list = EmergencyList {
        id: EmergencyListId::random(books.randomness()),
        revision: Revision::ZERO,
        name: title("NAME", &new.name)?,
        people: people(&books.reader(), &new.person)?,
        limit: limit(&new.holds)?,
    };
    let id = list.id;
    books.carry_out(Command::CreateEmergencyList(list))?;
    show_result::<EmergencyList>(books, id)
}

fn change(books: &Books, edit: &Edit) -> Result<(), Failure> {
    let reader = books.reader();
    let mut list: EmergencyList = pick(&reader, &edit.which.wanted)?;
    if let Some(name) = &edit.name {
        list.name = title("--name", name)?;
    }
    list.people.extend(people(&reader, &edit.add_person)?);
    for wanted in &edit.remove_person {
        let person = pick_person(&reader, wanted)?;
        if !list.people.remove(&person.id) {
            return Err(Failure::usage(
                "--remove-person",
                "they are not on this list",
            ));
        }
    }
    if let Some(text) = &edit.holds {
        list.limit = limit(text)?;
    }
    let (id, drawn) = (list.id, list.revision);
    books.carry_out(Command::EditEmergencyList(list, Expected::Unchanged(drawn)))?;
    show_result::<EmergencyList>(books, id)
}

fn people(reader: &Reader, wanted: &[String]) -> Result<BTreeSet<UserId>, Failure> {
    wanted
        .iter()
        .map(|wanted| pick_person(reader, wanted).map(|person| person.id))
        .collect()
}

fn limit(text: &str) -> Result<EmergencyLimit, Failure> {
    seconds(text)
        .and_then(EmergencyLimit::from_seconds)
        .ok_or_else(|| Failure::usage("--holds", "from 1m to 90d, as in 30m, 12h, 14d"))
}
