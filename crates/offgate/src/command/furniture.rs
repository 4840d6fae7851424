//! What all furniture (sites, doors, groups, policies, …) has in common on the command line: it is
//! found by name or id, listed, shown, and deleted alike.

use std::collections::BTreeSet;

use offgate_core::agent::{Agent, JoinToken};
use offgate_core::command::Command;
use offgate_core::fail_mode::EmergencyList;
use offgate_core::id::{
    AgentId, DoorGroupId, DoorId, EmergencyListId, GroupId, HolidayGroupId, JoinTokenId,
    OperatorId, PolicyId, ScheduleId, SiteId,
};
use offgate_core::operator::Operator;
use offgate_core::place::{Door, DoorGroup, Site};
use offgate_core::policy::{Group, HolidayGroup, Policy, Schedule};
use offgate_core::records::Records as _;
use offgate_core::refusal::Thing;
use offgate_core::text::{Title, fold};
use offgate_store::Reader;
use serde_json::Value;

use crate::books::Books;
use crate::exit::Failure;
use crate::record::{List, Record, reference};

/// Which of them: by name or by id.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Which {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    pub(crate) wanted: String,
}

/// Which page of a list.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Page {
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// Where the last page ended; it said so
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
}

/// Something that has an id and a name.
pub(crate) trait Named: Sized {
    /// Its kind.
    const THING: Thing;
    /// Its identifier.
    type Id: Copy + Ord + std::fmt::Display + std::str::FromStr;

    /// Which.
    fn id(&self) -> Self::Id;
    /// What it is called.
    fn name(&self) -> &Title;
    /// All there are.
    fn all(reader: &Reader) -> Result<Vec<Self>, Failure>;
}

/// Something that can be deleted by name.
pub(crate) trait Deletable: Named {
    /// The command that deletes it.
    fn deletion(id: Self::Id) -> Command;
}

/// How it looks.
pub(crate) trait Shown: Named {
    /// What people see of it in a list.
    const COLUMNS: &'static [&'static str];
    /// All there is to say of it.
    fn record(&self, reader: &Reader) -> Result<Record, Failure>;
}

macro_rules! named {
    ($($type:ident $id:ident $all:ident $($deletion:ident)?;)+) => {$(
        impl Named for $type {
            const THING: Thing = Thing::$type;
            type Id = $id;
            fn id(&self) -> $id {
                self.id
            }
            fn name(&self) -> &Title {
                &self.name
            }
            fn all(reader: &Reader) -> Result<Vec<Self>, Failure> {
                Ok(reader.$all()?)
            }
        }
        $(impl Deletable for $type {
            fn deletion(id: $id) -> Command {
                Command::$deletion(id)
            }
        })?
    )+};
}

named! {
    Site SiteId sites;
    Door DoorId doors DeleteDoor;
    DoorGroup DoorGroupId door_groups DeleteDoorGroup;
    Group GroupId groups DeleteGroup;
    Policy PolicyId policies DeletePolicy;
    Schedule ScheduleId schedules DeleteSchedule;
    HolidayGroup HolidayGroupId holiday_groups DeleteHolidayGroup;
    EmergencyList EmergencyListId emergency_lists DeleteEmergencyList;
    Agent AgentId agents;
    JoinToken JoinTokenId join_tokens;
    Operator OperatorId operators;
}

/// Finds the one that is meant.
pub(crate) fn pick<T: Named>(reader: &Reader, wanted: &str) -> Result<T, Failure> {
    choose(T::all(reader)?, wanted)
}

/// Finds the one that is meant among `all`.
pub(super) fn choose<T: Named>(all: Vec<T>, wanted: &str) -> Result<T, Failure> {
    let id = wanted.parse::<T::Id>().ok();
    let name = fold(wanted.trim());
    let mut meant: Vec<T> = all
        .into_iter()
        .filter(|one| id == Some(one.id()) || fold(one.name().as_str()) == name)
        .collect();
    match (meant.pop(), meant.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(Failure::NotFound {
            thing: T::THING,
            wanted: wanted.to_owned(),
        }),
        (Some(last), false) => {
            meant.push(last);
            let line = |one: &T| format!("  {}  {}", one.id(), one.name().as_str());
            Err(Failure::Ambiguous {
                thing: T::THING,
                wanted: wanted.to_owned(),
                candidates: meant.iter().map(line).collect(),
            })
        }
    }
}

/// Finds all that are meant.
pub(crate) fn pick_all<T: Named>(
    reader: &Reader,
    wanted: &[String],
) -> Result<BTreeSet<T::Id>, Failure> {
    wanted
        .iter()
        .map(|one| pick::<T>(reader, one).map(|one| one.id()))
        .collect()
}

/// Those that are named beside another thing, by name.
pub(crate) fn references<T: Named>(
    reader: &Reader,
    ids: &BTreeSet<T::Id>,
) -> Result<Vec<Value>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut named: Vec<T> = T::all(reader)?
        .into_iter()
        .filter(|one| ids.contains(&one.id()))
        .collect();
    named.sort_by_cached_key(|one| fold(one.name().as_str()));
    Ok(named
        .iter()
        .map(|one| reference(one.id(), one.name().as_str()))
        .collect())
}

/// Lists them by name.
pub(crate) fn list<T: Shown>(
    books: &Books,
    page: &Page,
    is_wanted: impl Fn(&T) -> bool,
) -> Result<(), Failure> {
    let reader = books.reader();
    let mut all: Vec<T> = T::all(&reader)?.into_iter().filter(is_wanted).collect();
    all.sort_by_cached_key(|one| (fold(one.name().as_str()), one.id()));
    let start = match &page.after {
        None => 0,
        Some(cursor) => {
            let last = cursor.parse::<T::Id>().ok();
            let position = all.iter().position(|one| Some(one.id()) == last);
            position.ok_or_else(|| Failure::usage("--after", "no such place in this list"))? + 1
        }
    };
    let end = all.len().min(start + usize::from(page.limit));
    let rows = all[start..end]
        .iter()
        .map(|one| one.record(&reader))
        .collect::<Result<_, _>>()?;
    let next = (end < all.len()).then(|| all[end - 1].id().to_string());
    List {
        columns: T::COLUMNS,
        rows,
        next,
    }
    .show(books.format);
    Ok(())
}

/// Shows one.
pub(crate) fn show<T: Shown>(books: &Books, which: &Which) -> Result<(), Failure> {
    let reader = books.reader();
    pick::<T>(&reader, &which.wanted)?
        .record(&reader)?
        .show(books.format);
    Ok(())
}

/// Shows what is on record under this id after a command.
pub(crate) fn show_result<T: Shown>(books: &Books, id: T::Id) -> Result<(), Failure> {
    show::<T>(
        books,
        &Which {
            wanted: id.to_string(),
        },
    )
}

/// Deletes one, after asking.
pub(crate) fn delete<T: Deletable>(books: &Books, which: &Which) -> Result<(), Failure> {
    let one = pick::<T>(&books.reader(), &which.wanted)?;
    let question = format!("Delete the {} {:?}?", T::THING.word(), one.name().as_str());
    books.confirmation.of(&question)?;
    books.carry_out(T::deletion(one.id()))?;
    Record::default()
        .with("deleted", one.id().to_string())
        .with("name", one.name().as_str())
        .show(books.format);
    Ok(())
}

/// Reads a name.
pub(crate) fn title(what: &str, text: &str) -> Result<Title, Failure> {
    Title::parse(text).map_err(|error| Failure::usage(what, error))
}

/// Adds some to a set and takes others out of it.
pub(crate) fn change_set<T: Ord + Copy>(
    set: &mut BTreeSet<T>,
    added: BTreeSet<T>,
    removed: &BTreeSet<T>,
) {
    set.extend(added);
    set.retain(|one| !removed.contains(one));
}
