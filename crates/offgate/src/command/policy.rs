//! `offgate policy`: which doors open when.

use clap::{Args, Subcommand};
use offgate_core::command::{Command, Expected};
use offgate_core::id::PolicyId;
use offgate_core::parameters::Revision;
use offgate_core::place::{Door, DoorGroup};
use offgate_core::policy::{Policy, PolicyHours, Schedule};
use offgate_core::records::Records as _;
use offgate_store::Reader;

use super::furniture::{
    Page, Shown, Which, change_set, delete, list, pick, pick_all, references, show, show_result,
    title,
};
use crate::books::Books;
use crate::exit::Failure;
use crate::record::{Record, reference};

/// What to do with policies.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// List policies
    List(Page),
    /// Show one
    Show(Which),
    /// Add one
    Create(Create),
    /// Change one
    Edit(Edit),
    /// Delete one that no user, group or site has
    Delete(Which),
}

/// A new policy.
#[derive(Clone, Debug, Args)]
pub(crate) struct Create {
    /// What it is called
    name: String,
    /// A door it opens; give it again for more
    #[arg(long)]
    door: Vec<String>,
    /// A door group it opens; give it again for more
    #[arg(long)]
    door_group: Vec<String>,
    /// When; at all times, if left out
    #[arg(long)]
    schedule: Option<String>,
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
    /// One more door group
    #[arg(long, value_name = "DOOR_GROUP")]
    add_door_group: Vec<String>,
    /// A door group less
    #[arg(long, value_name = "DOOR_GROUP")]
    remove_door_group: Vec<String>,
    /// Only within this schedule
    #[arg(long)]
    schedule: Option<String>,
    /// At all times
    #[arg(long, conflicts_with = "schedule")]
    always: bool,
}

impl Shown for Policy {
    const COLUMNS: &'static [&'static str] = &["name", "doors", "door_groups", "schedule", "id"];

    fn record(&self, reader: &Reader) -> Result<Record, Failure> {
        let schedule = match self.hours {
            PolicyHours::Always => None,
            PolicyHours::Scheduled(id) => reader
                .schedule(id)?
                .map(|schedule| reference(id, schedule.name.as_str())),
        };
        Ok(Record::default()
            .with("id", self.id.to_string())
            .with("name", self.name.as_str())
            .with("doors", references::<Door>(reader, &self.doors)?)
            .with(
                "door_groups",
                references::<DoorGroup>(reader, &self.door_groups)?,
            )
            .with("always", self.hours == PolicyHours::Always)
            .with("schedule", schedule))
    }
}

pub(crate) fn run(books: &Books, command: &PolicyCommand) -> Result<(), Failure> {
    match command {
        PolicyCommand::List(page) => list::<Policy>(books, page, |_| true),
        PolicyCommand::Show(which) => show::<Policy>(books, which),
        PolicyCommand::Create(new) => create(books, new),
        PolicyCommand::Edit(edit) => change(books, edit),
        PolicyCommand::Delete(which) => delete::<Policy>(books, which),
    }
}

fn create(books: &Books, new: &Create) -> Result<(), Failure> {
    let reader = books.reader();
    let policy = Policy {
        id: PolicyId::random(books.randomness()),
        revision: Revision::ZERO,
        name: title("NAME", &new.name)?,
        doors: pick_all::<Door>(&reader, &new.door)?,
        door_groups: pick_all::<DoorGroup>(&reader, &new.door_group)?,
        hours: match &new.schedule {
            None => PolicyHours::Always,
            Some(wanted) => PolicyHours::Scheduled(pick::<Schedule>(&reader, wanted)?.id),
        },
    };
    let id = policy.id;
    books.carry_out(Command::CreatePolicy(policy))?;
    show_result::<Policy>(books, id)
}

fn change(books: &Books, edit: &Edit) -> Result<(), Failure> {
    let reader = books.reader();
    let mut policy: Policy = pick(&reader, &edit.which.wanted)?;
    if let Some(name) = &edit.name {
        policy.name = title("--name", name)?;
    }
    let doors = pick_all::<Door>(&reader, &edit.add_door)?;
    change_set(
        &mut policy.doors,
        doors,
        &pick_all::<Door>(&reader, &edit.remove_door)?,
    );
    let groups = pick_all::<DoorGroup>(&reader, &edit.add_door_group)?;
    let gone = pick_all::<DoorGroup>(&reader, &edit.remove_door_group)?;
    change_set(&mut policy.door_groups, groups, &gone);
    if let Some(wanted) = &edit.schedule {
        policy.hours = PolicyHours::Scheduled(pick::<Schedule>(&reader, wanted)?.id);
    }
    if edit.always {
        policy.hours = PolicyHours::Always;
    }
    let (id, drawn) = (policy.id, policy.revision);
    books.carry_out(Command::EditPolicy(policy, Expected::Unchanged(drawn)))?;
    show_result::<Policy>(books, id)
}
