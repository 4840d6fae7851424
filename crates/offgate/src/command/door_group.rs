//! `offgate door-group`: doors that policies name together.

use clap::{Args, Subcommand};
use offgate_core::command::{Command, Expected};
use offgate_core::id::DoorGroupId;
use offgate_core::parameters::Revision;
use offgate_core::place::{Door, DoorGroup};
use offgate_store::Reader;

use super::furniture::{
    Page, Shown, Which, change_set, delete, list, pick, pick_all, references, show, show_result,
    title,
};
use crate::books::Books;
use crate::exit::Failure;
use crate::record::Record;

/// What to do with door groups.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DoorGroupCommand {
    /// List door groups
    List(Page),
    /// Show one
    Show(Which),
    /// Add one
    Create(Create),
    /// Change one
    Edit(Edit),
    /// Delete one that no policy names
    Delete(Which),
}

/// A new door group.
#[derive(Clone, Debug, Args)]
pub(crate) struct Create {
    /// What it is called
    name: String,
    /// A door in it; give it again for more
    #[arg(long)]
    door: Vec<String>,
}

/// What changes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    which: Which,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// One more door
    #[arg(long, value_name = "DOOR")]
    add_door: Vec<String>,
    /// A door less
    #[arg(long, value_name = "DOOR")]
    remove_door: Vec<String>,
}

impl Shown for DoorGroup {
    const COLUMNS: &'static [&'static str] = &["name", "doors", "id"];

    fn record(&self, reader: &Reader) -> Result<Record, Failure> {
        Ok(Record::default()
            .with("id", self.id.to_string())
            .with("name", self.name.as_str())
            .with("doors", references::<Door>(reader, &self.doors)?))
    }
}

pub(crate) fn run(books: &Books, command: &DoorGroupCommand) -> Result<(), Failure> {
    match command {
        DoorGroupCommand::List(page) => list::<DoorGroup>(books, page, |_| true),
        DoorGroupCommand::Show(which) => show::<DoorGroup>(books, which),
        DoorGroupCommand::Create(new) => create(books, new),
        DoorGroupCommand::Edit(edit) => change(books, edit),
        DoorGroupCommand::Delete(which) => delete::<DoorGroup>(books, which),
    }
}

fn create(books: &Books, new: &Create) -> Result<(), Failure> {
    let group = DoorGroup {
        id: DoorGroupId::random(books.randomness()),
        revision: Revision::ZERO,
        name: title("NAME", &new.name)?,
        doors: pick_all::<Door>(&books.reader(), &new.door)?,
    };
    let id = group.id;
    books.carry_out(Command::CreateDoorGroup(group))?;
    show_result::<DoorGroup>(books, id)
}

fn change(books: &Books, edit: &Edit) -> Result<(), Failure> {
    let reader = books.reader();
    let mut group: DoorGroup = pick(&reader, &edit.which.wanted)?;
    if let Some(name) = &edit.name {
        group.name = title("--name", name)?;
    }
    let added = pick_all::<Door>(&reader, &edit.add_door)?;
    change_set(
        &mut group.doors,
        added,
        &pick_all::<Door>(&reader, &edit.remove_door)?,
    );
    let (id, drawn) = (group.id, group.revision);
    books.carry_out(Command::EditDoorGroup(group, Expected::Unchanged(drawn)))?;
    show_result::<DoorGroup>(books, id)
}
