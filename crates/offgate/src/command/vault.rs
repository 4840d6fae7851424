//! `offgate vault`: the keys of people's details, and who was erased.

use clap::Subcommand;
use offgate_store::Erased;

use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{chosen_zone, shown};
use crate::record::Record;

/// What to do with the vault.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Show since when its wrapping key is in use, and how many people were erased
    Show,
    /// Replace the wrapping key now: older copies of the vault cannot be opened after that
    ReplaceKey,
}

pub(crate) fn run(books: &Books, command: &VaultCommand) -> Result<(), Failure> {
    let store = books.store();
    if matches!(command, VaultCommand::ReplaceKey) {
        store.replace_wrapping_key(books.now(), &|_| {})?;
    }
    let zone = chosen_zone(&books.reader(), None)?;
    let erasures: Vec<Erased> = store.erasures()?;
    let last = erasures.last().map(|erased| shown(&zone, erased.at));
    Record::default()
        .with(
            "wrapping_key_since",
            shown(&zone, store.wrapping_key_since()?),
        )
        .with("erased", erasures.len())
        .with("last_erased", last)
        .show(books.format);
    Ok(())
}
