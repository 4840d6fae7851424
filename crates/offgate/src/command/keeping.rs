//! `offgate keeping`: how long things are kept.

use clap::{Args, Subcommand};
use offgate_core::command::Command;
use offgate_core::keeping::{ErasureWait, EventRetention};
use offgate_core::records::Records as _;

use crate::books::Books;
use crate::exit::Failure;
use crate::record::Record;

/// What to do about it.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KeepingCommand {
    /// Show how long
    Show,
    /// Change it
    Edit(Edit),
}

/// What changes.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Edit {
    /// Days between the removal of a person and the erasure of what is left of them; 0 is at once
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(0..=365))]
    erasure_wait: Option<u16>,
    /// Days door events are kept
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    door_events: Option<u16>,
}

pub(crate) fn run(books: &Books, command: &KeepingCommand) -> Result<(), Failure> {
    if let KeepingCommand::Edit(edit) = command {
        let mut keeping = books.reader().keeping()?;
        if let Some(wait) = edit.erasure_wait.and_then(ErasureWait::from_days) {
            keeping.erasure_wait = wait;
        }
        if let Some(events) = edit.door_events.and_then(EventRetention::from_days) {
            keeping.door_events = events;
        }
        books.carry_out(Command::ChangeKeeping(keeping))?;
    }
    let keeping = books.reader().keeping()?;
    Record::default()
        .with("erasure_wait_days", keeping.erasure_wait.days())
        .with("door_event_days", keeping.door_events.days())
        .show(books.format);
    Ok(())
}
