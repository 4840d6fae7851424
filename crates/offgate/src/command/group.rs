//! `offgate group`: sets of users that carry policies, one inside another.

use clap::{Args, Subcommand};
use offgate_core::command::{Command, Expected};
use offgate_core::id::GroupId;
use offgate_core::parameters::Revision;
use offgate_core::policy::{Group, Policy};
use offgate_core::records::Records as _;
use offgate_store::Reader;

use super::furniture::{
    Page, Shown, Which, change_set, delete, list, pick, pick_all, references, show, show_result,
    title,
};
use crate::books::Books;
use crate::exit::Failure;
use crate::record::{Record, reference};

/// What to do with groups of users.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// List groups
    List(Page),
    /// Show one
    Show(Which),
    /// Add one
    Create(Create),
    /// Change one
    Edit(Edit),
    /// Delete one without members
    Delete(Which),
}

/// A new group.
#[derive(Clone, Debug, Args)]
pub(crate) struct Create {
    /// What it is called
    name: String,
    /// The group it is in
    #[arg(long = "in", value_name = "GROUP")]
    parent: Option<String>,
    /// A policy its members have; give it again for more
    #[arg(long)]
    policy: Vec<String>,
}

/// What changes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    which: Which,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// Moves it into this group
    #[arg(long = "in", value_name = "GROUP")]
    parent: Option<String>,
    /// Moves it out of any other group
    #[arg(long, conflicts_with = "parent")]
    top: bool,
    /// One more policy
    #[arg(long, value_name = "POLICY")]
    add_policy: Vec<String>,
    /// A policy less
    #[arg(long, value_name = "POLICY")]
    remove_policy: Vec<String>,
}

impl Shown for Group {
    const COLUMNS: &'static [&'static str] = &["name", "in", "members", "policies", "id"];

    fn record(&self, reader: &Reader) -> Result<Record, Failure> {
        let parent = match self.parent {
            Some(id) => reader
                .group(id)?
                .map(|group| reference(id, group.name.as_str())),
            None => None,
        };
        Ok(Record::default()
            .with("id", self.id.to_string())
            .with("name", self.name.as_str())
            .with("in", parent)
            .with("members", reader.members(self.id)?)
            .with("policies", references::<Policy>(reader, &self.policies)?))
    }
}

pub(crate) fn run(books: &Books, command: &GroupCommand) -> Result<(), Failure> {
    match command {
        GroupCommand::List(page) => list::<Group>(books, page, |_| true),
        GroupCommand::Show(which) => show::<Group>(books, which),
        GroupCommand::Create(new) => create(books, new),
        GroupCommand::Edit(edit) => change(books, edit),
        GroupCommand::Delete(which) => delete::<Group>(books, which),
    }
}

fn create(books: &Books, new: &Create) -> Result<(), Failure> {
    let reader = books.reader();
    let parent = new
        .parent
        .as_deref()
        .map(|wanted| pick::<Group>(&reader, wanted))
        .transpose()?;
    let group = Group {
        id: GroupId::random(books.randomness()),
        revision: Revision::ZERO,
        name: title("NAME", &new.name)?,
        parent: parent.map(|group| group.id),
        policies: pick_all::<Policy>(&reader, &new.policy)?,
    };
    let id = group.id;
    books.carry_out(Command::CreateGroup(group))?;
    show_result::<Group>(books, id)
}

fn change(books: &Books, edit: &Edit) -> Result<(), Failure> {
    let reader = books.reader();
    let mut group: Group = pick(&reader, &edit.which.wanted)?;
    if let Some(name) = &edit.name {
        group.name = title("--name", name)?;
    }
    if let Some(wanted) = &edit.parent {
        group.parent = Some(pick::<Group>(&reader, wanted)?.id);
    }
    if edit.top {
        group.parent = None;
    }
    let added = pick_all::<Policy>(&reader, &edit.add_policy)?;
    change_set(
        &mut group.policies,
        added,
        &pick_all::<Policy>(&reader, &edit.remove_policy)?,
    );
    let (id, drawn) = (group.id, group.revision);
    books.carry_out(Command::EditGroup(group, Expected::Unchanged(drawn)))?;
    show_result::<Group>(books, id)
}
