//! `offgate user export`: all that is on record about somebody, as one file for them.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::Args;
use offgate_core::command::Command;
use offgate_core::operator::Role;
use offgate_server::PersonExport;

use super::super::person::{Who, pick_person};
use crate::books::Books;
use crate::exit::Failure;

/// `offgate user export`
#[derive(Clone, Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    who: Who,
    /// The file to write; it must not be there yet [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(books: &Books, what: &Export) -> Result<(), Failure> {
    let person = pick_person(&books.reader(), &what.who.wanted)?;
    // Whether the file can be made is known before it is noted that it was.
    let mut output: Box<dyn Write> = match &what.output {
        None => Box::new(std::io::stdout().lock()),
        Some(path) => {
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map_err(|error| Failure::usage("--output", error))?;
            Box::new(file)
        }
    };
    books.carry_out(Command::ExportUser { user: person.id })?;
    // Whoever can read the data directory is an owner.
    let export = PersonExport::new(books.reader(), person.id, Role::Owner, books.now());
    for piece in export {
        output
            .write_all(piece?.as_bytes())
            .map_err(|error| Failure::unavailable("the export", error))?;
    }
    output
        .flush()
        .map_err(|error| Failure::unavailable("the export", error))
}
