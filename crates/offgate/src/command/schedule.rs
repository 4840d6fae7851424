//! `offgate schedule`: weekly windows, and others on holidays.

use clap::{Args, Subcommand};
use offgate_core::command::{Command, Expected};
use offgate_core::id::ScheduleId;
use offgate_core::parameters::Revision;
use offgate_core::policy::{HolidayGroup, HolidayHours, Schedule, Weekday, Window};
use offgate_core::records::Records as _;
use offgate_store::Reader;

use super::furniture::{Page, Shown, Which, delete, list, pick, show, show_result, title};
use super::hours;
use crate::books::Books;
use crate::exit::Failure;
use crate::record::{Record, reference};

/// What to do with schedules.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// List schedules
    List(Page),
    /// Show one
    Show(Which),
    /// Add one
    Create(Create),
    /// Change one
    Edit(Edit),
    /// Delete one that no policy uses
    Delete(Which),
}

/// A new schedule.
#[derive(Clone, Debug, Args)]
pub(crate) struct Create {
    /// What it is called
    name: String,
    /// Hours, as in "Mon-Fri 07:00-19:00" or "daily 22:00-06:00"; give it again for more
    #[arg(long, value_name = "HOURS")]
    window: Vec<String>,
    /// Other hours apply on these holidays
    #[arg(long, value_name = "HOLIDAY_GROUP")]
    holidays: Option<String>,
    /// Hours on holidays, as in 10:00-14:00; none means closed
    #[arg(long, value_name = "HOURS", requires = "holidays")]
    holiday_window: Vec<String>,
}

/// What changes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    which: Which,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// Hours that replace all of the week's, as for create
    #[arg(long, value_name = "HOURS")]
    window: Vec<String>,
    /// Other hours apply on these holidays: those of --holiday-window, or closed
    #[arg(long, value_name = "HOLIDAY_GROUP")]
    holidays: Option<String>,
    /// Hours on holidays that replace all there were
    #[arg(long, value_name = "HOURS", requires = "holidays")]
    holiday_window: Vec<String>,
    /// Holidays are days like any other
    #[arg(long, conflicts_with = "holidays")]
    no_holidays: bool,
}

impl Shown for Schedule {
    const COLUMNS: &'static [&'static str] =
        &["name", "windows", "holidays", "holiday_windows", "id"];

    fn record(&self, reader: &Reader) -> Result<Record, Failure> {
        let holidays = match &self.holidays {
            Some(hours) => reader
                .holiday_group(hours.group)?
                .map(|group| reference(group.id, group.name.as_str())),
            None => None,
        };
        let on_holidays = self.holidays.iter().flat_map(|hours| &hours.windows);
        let on_holidays: Vec<String> = on_holidays
            .map(|window| hours::window_text(*window))
            .collect();
        Ok(Record::default()
            .with("id", self.id.to_string())
            .with("name", self.name.as_str())
            .with("windows", hours::weekly_text(&self.weekly))
            .with("holidays", holidays)
            .with("holiday_windows", on_holidays))
    }
}

pub(crate) fn run(books: &Books, command: &ScheduleCommand) -> Result<(), Failure> {
    match command {
        ScheduleCommand::List(page) => list::<Schedule>(books, page, |_| true),
        ScheduleCommand::Show(which) => show::<Schedule>(books, which),
        ScheduleCommand::Create(new) => create(books, new),
        ScheduleCommand::Edit(edit) => change(books, edit),
        ScheduleCommand::Delete(which) => delete::<Schedule>(books, which),
    }
}

fn create(books: &Books, new: &Create) -> Result<(), Failure> {
    let holidays = new
        .holidays
        .as_deref()
        .map(|wanted| holiday_hours(&books.reader(), wanted, &new.holiday_window));
    let schedule = Schedule {
        id: ScheduleId::random(books.randomness()),
        revision: Revision::ZERO,
        name: title("NAME", &new.name)?,
        weekly: weekly(&new.window)?,
        holidays: holidays.transpose()?,
    };
    let id = schedule.id;
    books.carry_out(Command::CreateSchedule(schedule))?;
    show_result::<Schedule>(books, id)
}

fn change(books: &Books, edit: &Edit) -> Result<(), Failure> {
    let reader = books.reader();
    let mut schedule: Schedule = pick(&reader, &edit.which.wanted)?;
    if let Some(name) = &edit.name {
        schedule.name = title("--name", name)?;
    }
    if !edit.window.is_empty() {
        schedule.weekly = weekly(&edit.window)?;
    }
    if let Some(wanted) = &edit.holidays {
        schedule.holidays = Some(holiday_hours(&reader, wanted, &edit.holiday_window)?);
    }
    if edit.no_holidays {
        schedule.holidays = None;
    }
    let (id, drawn) = (schedule.id, schedule.revision);
    books.carry_out(Command::EditSchedule(schedule, Expected::Unchanged(drawn)))?;
    show_result::<Schedule>(books, id)
}

fn weekly(texts: &[String]) -> Result<Vec<(Weekday, Window)>, Failure> {
    let mut weekly = Vec::new();
    for text in texts {
        weekly.extend(hours::weekly(text).map_err(|why| Failure::usage("--window", why))?);
    }
    Ok(weekly)
}

fn holiday_hours(
    reader: &Reader,
    wanted: &str,
    windows: &[String],
) -> Result<HolidayHours, Failure> {
    let windows = windows
        .iter()
        .map(|text| hours::window(text).map_err(|why| Failure::usage("--holiday-window", why)))
        .collect::<Result<_, _>>()?;
    Ok(HolidayHours {
        group: pick::<HolidayGroup>(reader, wanted)?.id,
        windows,
    })
}
