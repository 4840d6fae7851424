//! `offgate door`: doors, their readers, and how long each works on its own.

mod limits;

use clap::{Args, Subcommand, ValueEnum};
use offgate_core::command::{Command, Expected};
use offgate_core::fail_mode::{EmergencyList, FailMode};
use offgate_core::id::{DoorId, EmergencyListId, ReaderId};
use offgate_core::parameters::Revision;
use offgate_core::place::{Direction, Door, LeaseLength, Reader as DoorReader, Site};
use offgate_core::records::Records as _;
use offgate_store::Reader;

use super::furniture::{
    Named as _, Page, Shown, Which, delete, list, pick, show, show_result, title,
};
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{Record, reference};
use limits::{Lengthen, OutagesOf};

/// What to do with doors.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DoorCommand {
    /// List doors
    List(List),
    /// Show one
    Show(Which),
    /// Add one
    Create(Create),
    /// Change one
    Edit(Edit),
    /// Delete one that no policy and no door group names
    Delete(Which),
    /// Give one more time on its own until a moment, as before maintenance
    Lengthen(Lengthen),
    /// End that before its moment comes
    EndLonger(Which),
    /// List when one was cut off, and say what another time on its own would have meant
    Outages(OutagesOf),
}

/// Which doors.
#[derive(Clone, Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    page: Page,
    /// Only those of this site
    #[arg(long)]
    site: Option<String>,
}

/// Which way a reader stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Into the protected side
    In,
    /// The way out; never refuses
    Out,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::In => Self::In,
            Way::Out => Self::Out,
        }
    }
}

/// What a door does when it has worked on its own for as long as it may.
#[derive(Clone, Debug, Args)]
pub(crate) struct After {
    /// What it does after that time; emergency-list if there is one list only, else refuse-all
    #[arg(long, value_name = "MODE", value_enum)]
    fail_mode: Option<Mode>,
    /// The list of people whom it still admits; may be left out if there is one only
    #[arg(long, value_name = "LIST")]
    emergency_list: Option<String>,
}

/// The three fail modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Refuse everybody but those on the emergency list, and them too when its time is over
    EmergencyList,
    /// Refuse everybody
    RefuseAll,
    /// Go on with the last table: no time limit ends anybody's access here
    KeepLastTable,
}

/// A new door.
#[derive(Clone, Debug, Args)]
pub(crate) struct Create {
    /// What it is called
    name: String,
    /// Where; may be left out if there is one site only
    #[arg(long)]
    site: Option<String>,
    /// How long it works on its own: ordinary (72 h), restricted (12 h), high-security (15 min),
    /// or a time as in 90s, 30m, 12h, 3d
    #[arg(long, value_name = "TIME", default_value = "ordinary")]
    works_alone: String,
    #[command(flatten)]
    after: After,
    /// Its readers, one for each
    #[arg(long, value_name = "WAY", default_values = ["in"])]
    reader: Vec<Way>,
}

/// What changes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    which: Which,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// Another site
    #[arg(long)]
    site: Option<String>,
    /// Another time of working on its own, as for create
    #[arg(long, value_name = "TIME")]
    works_alone: Option<String>,
    #[command(flatten)]
    after: After,
    /// One more reader
    #[arg(long, value_name = "WAY")]
    add_reader: Vec<Way>,
    /// A reader less
    #[arg(long, value_name = "ID")]
    remove_reader: Vec<String>,
}

impl Shown for Door {
    const COLUMNS: &'static [&'static str] =
        &["name", "site", "agent", "works_alone_seconds", "id"];

    fn record(&self, reader: &Reader) -> Result<Record, Failure> {
        let site = reader
            .site(self.site)?
            .map(|site| reference(site.id, site.name.as_str()));
        let agent = match self.agent {
            Some(id) => reader
                .agent(id)?
                .map(|agent| reference(id, agent.name.as_str())),
            None => None,
        };
        let list = match self.fail_mode.list() {
            Some(id) => reader
                .emergency_list(id)?
                .map(|list| reference(id, list.name.as_str())),
            None => None,
        };
        let readers = self.readers.iter().map(|one| {
            Record::default()
                .with("way", way(one.direction))
                .with("id", one.id.to_string())
        });
        let stands = reader.door_stands(self.id)?;
        let since = match stands {
            Some(stands) => Some(shown(&zone(reader)?, stands.since)),
            None => None,
        };
        Ok(Record::default()
            .with("id", self.id.to_string())
            .with("name", self.name.as_str())
            .with("site", site)
            .with("agent", agent)
            .with("works_alone_seconds", self.lease.seconds())
            .with("longer_limit", limits::longer(reader, self)?)
            .with("fail_mode", self.fail_mode.name())
            .with("emergency_list", list)
            .with_rows("readers", &["way", "id"], readers.collect())
            .with("stands", stands.map(|stands| stands.position.name()))
            .with("stands_since", since))
    }
}

const fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
    }
}

pub(crate) fn run(books: &Books, command: &DoorCommand) -> Result<(), Failure> {
    match command {
        DoorCommand::List(List { page, site }) => {
            let site = site
                .as_deref()
                .map(|wanted| pick::<Site>(&books.reader(), wanted));
            let site = site.transpose()?.map(|site| site.id);
            list::<Door>(books, page, |door| {
                site.is_none_or(|site| door.site == site)
            })
        }
        DoorCommand::Show(which) => show::<Door>(books, which),
        DoorCommand::Create(new) => create(books, new),
        DoorCommand::Edit(edit) => change(books, edit),
        DoorCommand::Delete(which) => delete::<Door>(books, which),
        DoorCommand::Lengthen(what) => limits::lengthen(books, what),
        DoorCommand::EndLonger(which) => limits::end_longer(books, which),
        DoorCommand::Outages(of) => limits::outages(books, of),
    }
}

fn create(books: &Books, new: &Create) -> Result<(), Failure> {
    let reader = books.reader();
    let door = Door {
        id: DoorId::random(books.randomness()),
        revision: Revision::ZERO,
        site: site(&reader, new.site.as_deref())?.id,
        name: title("NAME", &new.name)?,
        agent: None,
        lease: lease(&new.works_alone)?,
        fail_mode: fail_mode(&reader, &new.after)?.map_or_else(|| usual(&reader), Ok)?,
        readers: new
            .reader
            .iter()
            .map(|way| new_reader(books, *way))
            .collect(),
    };
    let id = door.id;
    books.carry_out(Command::CreateDoor(door))?;
    show_result::<Door>(books, id)
}

fn change(books: &Books, edit: &Edit) -> Result<(), Failure> {
    let reader = books.reader();
    let mut door: Door = pick(&reader, &edit.which.wanted)?;
    let before = door.clone();
    if let Some(name) = &edit.name {
        door.name = title("--name", name)?;
    }
    if let Some(wanted) = &edit.site {
        door.site = pick::<Site>(&reader, wanted)?.id;
    }
    if let Some(text) = &edit.works_alone {
        door.lease = lease(text)?;
    }
    if let Some(mode) = fail_mode(&reader, &edit.after)? {
        door.fail_mode = mode;
    }
    for wanted in &edit.remove_reader {
        let before = door.readers.len();
        door.readers.retain(|one| one.id.to_string() != *wanted);
        if door.readers.len() == before {
            return Err(Failure::usage(
                "--remove-reader",
                "this door has no such reader",
            ));
        }
    }
    door.readers
        .extend(edit.add_reader.iter().map(|way| new_reader(books, *way)));
    let (id, drawn) = (door.id, door.revision);
    limits::confirm_shorter(books, &before, &door)?;
    books.carry_out(Command::EditDoor(door, Expected::Unchanged(drawn)))?;
    show_result::<Door>(books, id)
}

/// The site that is meant: the one that is named, or the only one there is.
pub(crate) fn site(reader: &Reader, wanted: Option<&str>) -> Result<Site, Failure> {
    if let Some(wanted) = wanted {
        return pick(reader, wanted);
    }
    let mut all = Site::all(reader)?;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Failure::usage(
            "--site",
            "there is no site yet; add one first",
        )),
        (Some(_), false) => Err(Failure::usage(
            "--site",
            "needed, as there is more than one site",
        )),
    }
}

fn new_reader(books: &Books, way: Way) -> DoorReader {
    DoorReader {
        id: ReaderId::random(books.randomness()),
        direction: way.into(),
    }
}

/// The fail mode that was asked for, if one was.
fn fail_mode(reader: &Reader, after: &After) -> Result<Option<FailMode>, Failure> {
    Ok(match (after.fail_mode, &after.emergency_list) {
        (None, None) => None,
        (Some(Mode::RefuseAll), None) => Some(FailMode::RefuseAll),
        (Some(Mode::KeepLastTable), None) => Some(FailMode::KeepLastTable),
        (Some(Mode::EmergencyList) | None, Some(wanted)) => Some(FailMode::EmergencyList(
            pick::<EmergencyList>(reader, wanted)?.id,
        )),
        (Some(Mode::EmergencyList), None) => match only_list(reader)? {
            Some(list) => Some(FailMode::EmergencyList(list)),
            None => {
                return Err(Failure::usage(
                    "--emergency-list",
                    "needed, as there is not exactly one list",
                ));
            }
        },
        (Some(Mode::RefuseAll | Mode::KeepLastTable), Some(_)) => {
            return Err(Failure::usage(
                "--emergency-list",
                "goes with the fail mode emergency-list",
            ));
        }
    })
}

/// What a new door does unless something else was asked for.
fn usual(reader: &Reader) -> Result<FailMode, Failure> {
    Ok(only_list(reader)?.map_or(FailMode::RefuseAll, FailMode::EmergencyList))
}

fn only_list(reader: &Reader) -> Result<Option<EmergencyListId>, Failure> {
    let mut all = EmergencyList::all(reader)?;
    Ok(match (all.pop(), all.is_empty()) {
        (Some(only), true) => Some(only.id),
        _ => None,
    })
}

/// Reads a preset's name or a time.
fn lease(text: &str) -> Result<LeaseLength, Failure> {
    let preset = LeaseLength::PRESETS
        .into_iter()
        .find(|(name, _)| *name == text || name.replace(' ', "-") == text)
        .map(|(_, length)| length);
    let length = preset.or_else(|| seconds(text).and_then(LeaseLength::from_seconds));
    length.ok_or_else(|| {
        Failure::usage(
            "--works-alone",
            "ordinary, restricted, high-security, or from 10s to 7d, as in 90s, 30m, 12h",
        )
    })
}

/// Reads a time: a number and s, m, h or d.
pub(crate) fn seconds(text: &str) -> Option<u32> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return None,
    };
    text[..text.len() - 1]
        .parse::<u32>()
        .ok()?
        .checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_working_alone_are_read() {
        for (text, expected) in [
            ("ordinary", Some(72 * 3600)),
            ("high-security", Some(900)),
            ("60s", Some(60)),
            ("2d", Some(172_800)),
            ("5s", None),
            ("8d", None),
            ("99999999999d", None),
            ("", None),
            ("é", None),
            ("h", None),
        ] {
            assert_eq!(
                lease(text).ok().map(LeaseLength::seconds),
                expected,
                "{text}"
            );
        }
    }
}
