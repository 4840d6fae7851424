//! `offgate credential`: what people present at doors.

use clap::{Args, Subcommand};
use offgate_core::command::Command;
use offgate_core::credential::{Credential, CredentialState, Means, PlateSharing};
use offgate_core::id::CredentialId;
use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_core::records::Records as _;
use offgate_core::refusal::Thing;
use offgate_store::Reader;

use super::means::MeansArguments;
use super::person::{Who, pick_person};
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{List, Record};

/// What to do with credentials.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// List what a person holds
    List(Who),
    /// Give a person one more
    Add(Add),
    /// Take one away for good
    Remove(Which),
    /// Block a lost one at every door; the person keeps the rest
    Lost(Which),
    /// End the block
    Found(Which),
}

/// A new credential.
#[derive(Clone, Debug, Args)]
pub(crate) struct Add {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    means: MeansArguments,
}

/// Which credential.
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// Its id, as `credential list` shows it
    #[arg(value_name = "ID")]
    id: String,
}

pub(crate) fn run(books: &Books, command: &CredentialCommand) -> Result<(), Failure> {
    match command {
        CredentialCommand::List(who) => list(books, who),
        CredentialCommand::Add(add) => give(books, add),
        CredentialCommand::Remove(which) => {
            let credential = pick(books, which)?;
            let question = format!("Take {} away for good?", credential.means.short_name());
            books.confirmation.of(&question)?;
            books.carry_out(Command::RemoveCredential {
                credential: credential.id,
            })?;
            Record::default()
                .with("removed", credential.id.to_string())
                .show(books.format);
            Ok(())
        }
        CredentialCommand::Lost(which) => {
            let credential = pick(books, which)?.id;
            books.carry_out(Command::ReportLost { credential })?;
            show(books, credential)
        }
        CredentialCommand::Found(which) => {
            let credential = pick(books, which)?.id;
            books.carry_out(Command::ReportFound { credential })?;
            show(books, credential)
        }
    }
}

fn pick(books: &Books, which: &Which) -> Result<Credential, Failure> {
    let not_found = || Failure::NotFound {
        thing: Thing::Credential,
        wanted: which.id.clone(),
    };
    let id = which.id.parse::<CredentialId>().map_err(|_| not_found())?;
    books.reader().credential(id)?.ok_or_else(not_found)
}

fn show(books: &Books, id: CredentialId) -> Result<(), Failure> {
    let reader = books.reader();
    let zone = zone(&reader)?;
    if let Some(credential) = reader.credential(id)? {
        record(&credential, &zone).show(books.format);
    }
    Ok(())
}

fn list(books: &Books, who: &Who) -> Result<(), Failure> {
    let reader = books.reader();
    let person = pick_person(&reader, &who.wanted)?;
    let rows = records_of(&reader, person.id, &zone(&reader)?)?;
    List {
        columns: COLUMNS,
        rows,
        next: None,
    }
    .show(books.format);
    Ok(())
}

fn give(books: &Books, add: &Add) -> Result<(), Failure> {
    let person = pick_person(&books.reader(), &add.who.wanted)?;
    let means = add.means.read(books)?;
    let [credential] = <[_; 1]>::try_from(means.credentials)
        .map_err(|_| Failure::usage("--pin, --nfc or --plate", "exactly one of them is needed"))?;
    let id = credential.id;
    books.carry_out(Command::AddCredential {
        user: person.id,
        credential,
    })?;
    let reader = books.reader();
    let zone = zone(&reader)?;
    let added = reader
        .credential(id)?
        .map(|added| record(&added, &zone))
        .unwrap_or_default();
    match &means.generated_pin {
        Some(pin) => added.with("pin", pin.digits()).show(books.format),
        None => added.show(books.format),
    }
    Ok(())
}

/// What people see of a credential among others.
pub(crate) const COLUMNS: &[&str] = &["kind", "name", "state", "label", "id"];

/// All that a person holds.
pub(crate) fn records_of(
    reader: &Reader,
    user: offgate_core::id::UserId,
    zone: &ZoneName,
) -> Result<Vec<Record>, Failure> {
    Ok(reader
        .credentials_of(user)?
        .iter()
        .map(|one| record(one, zone))
        .collect())
}

fn record(credential: &Credential, zone: &ZoneName) -> Record {
    let at = |at: Timestamp| shown(zone, at);
    let (state, lost_since) = match credential.state {
        CredentialState::Usable => ("usable", None),
        CredentialState::Lost { since } => ("lost", Some(at(since))),
    };
    let shared = matches!(
        credential.means,
        Means::LicencePlate {
            sharing: PlateSharing::Shared,
            ..
        }
    );
    Record::default()
        .with("id", credential.id.to_string())
        .with("kind", credential.means.kind().name())
        .with("name", credential.means.short_name())
        .with(
            "label",
            credential.label.as_ref().map(|label| label.as_str()),
        )
        .with("state", state)
        .with("lost_since", lost_since)
        .with("shared", shared)
        .with("added_at", at(credential.added_at))
}
