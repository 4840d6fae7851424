//! `offgate holiday`: calendars of holidays, which schedules refer to.

use clap::{Args, Subcommand};
use offgate_core::command::{Command, Expected};
use offgate_core::id::HolidayGroupId;
use offgate_core::parameters::Revision;
use offgate_core::policy::{Day, Holiday, HolidayGroup, Recurrence};
use offgate_core::text::fold;
use offgate_store::Reader;
use serde_json::json;

use super::furniture::{Page, Shown, Which, delete, list, pick, show, show_result, title};
use crate::books::Books;
use crate::exit::Failure;
use crate::record::Record;
use crate::terminal::quoted;

/// What to do with holiday groups.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum HolidayCommand {
    /// List holiday groups
    List(Page),
    /// Show one
    Show(Which),
    /// Add one
    Create(Create),
    /// Change one
    Edit(Edit),
    /// Delete one that no schedule uses
    Delete(Which),
}

/// The holidays to add.
#[derive(Clone, Debug, Args)]
pub(crate) struct Days {
    /// A holiday of one year, as in 2027-03-26="Good Friday"; give it again for more
    #[arg(long, value_name = "DATES=NAME")]
    once: Vec<String>,
    /// One that comes back, as in 2026-12-25..2026-12-26=Christmas; give it again for more
    #[arg(long, value_name = "DATES=NAME")]
    every_year: Vec<String>,
}

/// A new holiday group.
#[derive(Clone, Debug, Args)]
pub(crate) struct Create {
    /// What it is called
    name: String,
    #[command(flatten)]
    days: Days,
}

/// What changes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    which: Which,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    days: Days,
    /// A holiday less, by its name
    #[arg(long, value_name = "NAME")]
    remove: Vec<String>,
}

impl Shown for HolidayGroup {
    const COLUMNS: &'static [&'static str] = &["name", "days", "id"];

    fn record(&self, _reader: &Reader) -> Result<Record, Failure> {
        let mut sorted: Vec<&Holiday> = self.holidays.iter().collect();
        sorted.sort_by_key(|holiday| holiday.first);
        let holidays: Vec<_> = sorted
            .iter()
            .map(|holiday| {
                json!({
                    "name": holiday.name.as_str(),
                    "first": holiday.first.to_string(),
                    "last": holiday.last.to_string(),
                    "every_year": holiday.recurrence == Recurrence::EveryYear,
                })
            })
            .collect();
        let days: Vec<String> = sorted.iter().map(|holiday| text(holiday)).collect();
        Ok(Record::default()
            .with("id", self.id.to_string())
            .with("name", self.name.as_str())
            .with("days", days)
            .with("holidays", holidays))
    }
}

/// A holiday in the form in which it is given.
fn text(holiday: &Holiday) -> String {
    let (first, last) = (holiday.first.to_string(), holiday.last.to_string());
    let dates = if first == last {
        first
    } else {
        format!("{first}..{last}")
    };
    let every_year = match holiday.recurrence {
        Recurrence::Once => "",
        Recurrence::EveryYear => " (every year)",
    };
    format!("{dates}={}{every_year}", holiday.name.as_str())
}

pub(crate) fn run(books: &Books, command: &HolidayCommand) -> Result<(), Failure> {
    match command {
        HolidayCommand::List(page) => list::<HolidayGroup>(books, page, |_| true),
        HolidayCommand::Show(which) => show::<HolidayGroup>(books, which),
        HolidayCommand::Create(new) => create(books, new),
        HolidayCommand::Edit(edit) => change(books, edit),
        HolidayCommand::Delete(which) => delete::<HolidayGroup>(books, which),
    }
}

fn create(books: &Books, new: &Create) -> Result<(), Failure> {
    let group = HolidayGroup {
        id: HolidayGroupId::random(books.randomness()),
        revision: Revision::ZERO,
        name: title("NAME", &new.name)?,
        holidays: holidays(&new.days)?,
    };
    let id = group.id;
    books.carry_out(Command::CreateHolidayGroup(group))?;
    show_result::<HolidayGroup>(books, id)
}

fn change(books: &Books, edit: &Edit) -> Result<(), Failure> {
    let mut group: HolidayGroup = pick(&books.reader(), &edit.which.wanted)?;
    if let Some(name) = &edit.name {
        group.name = title("--name", name)?;
    }
    for name in &edit.remove {
        let before = group.holidays.len();
        group
            .holidays
            .retain(|holiday| fold(holiday.name.as_str()) != fold(name));
        if group.holidays.len() == before {
            return Err(Failure::usage(
                "--remove",
                format!("there is no holiday {} in it", quoted(name)),
            ));
        }
    }
    group.holidays.extend(holidays(&edit.days)?);
    let (id, drawn) = (group.id, group.revision);
    books.carry_out(Command::EditHolidayGroup(group, Expected::Unchanged(drawn)))?;
    show_result::<HolidayGroup>(books, id)
}

fn holidays(days: &Days) -> Result<Vec<Holiday>, Failure> {
    let once = days
        .once
        .iter()
        .map(|text| holiday("--once", text, Recurrence::Once));
    let yearly = days
        .every_year
        .iter()
        .map(|text| holiday("--every-year", text, Recurrence::EveryYear));
    once.chain(yearly).collect()
}

fn holiday(what: &str, text: &str, recurrence: Recurrence) -> Result<Holiday, Failure> {
    let wrong = || {
        Failure::usage(
            what,
            format!("{} is not like 2026-12-25=Christmas", quoted(text)),
        )
    };
    let (dates, name) = text.split_once('=').ok_or_else(wrong)?;
    let (first, last) = dates.split_once("..").unwrap_or((dates, dates));
    Ok(Holiday {
        name: title(what, name)?,
        first: Day::parse(first).map_err(|_| wrong())?,
        last: Day::parse(last).map_err(|_| wrong())?,
        recurrence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for written in [
            "2026-12-25=Christmas Day",
            "2026-12-24..2027-01-02=Between the years",
        ] {
            let read = holiday("--once", written, Recurrence::Once).expect("a holiday");
            assert_eq!(text(&read), written);
        }
    }

    #[test]
    fn other_text_is_refused() {
        for written in [
            "",
            "2026-12-25",
            "25.12.2026=Christmas",
            "2026-02-30=x",
            "2026-12-25=",
            "..=x",
        ] {
            assert!(
                holiday("--once", written, Recurrence::Once).is_err(),
                "{written}"
            );
        }
    }
}
