//! `offgate keys`: the keys of the server itself.

use clap::{Args, Subcommand, ValueEnum};
use offgate_server::{KeyShown, KeysPage, Making, NewPassphrase, NoteError, Passphrase};

use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{Format, List, Record};
use crate::store_keys;
use crate::terminal::{answer, secret, talk};

/// What to do with the server's keys.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Show which keys there are, how old they are and what they do; never the keys
    Show,
    /// Replace a key; agents follow by themselves
    Rotate(Rotate),
    /// Replace the passphrase, and show the new one this once
    Passphrase(Authority),
    /// Print a page to keep outside: the fingerprint, a line for the passphrase, what to do after a loss
    Page,
}

/// What is replaced.
#[derive(Clone, Debug, Args)]
pub(crate) struct Rotate {
    /// Which key; `issuing` replaces link, log and backup key too and asks for the passphrase
    #[arg(value_enum)]
    key: RotatedKey,
    #[command(flatten)]
    authority: Authority,
}

/// A key that can be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RotatedKey {
    /// With which the server speaks to agents
    Link,
    /// With which the server signs the log
    Log,
    /// Which signs the others: replace it when the server's files may be in other hands
    Issuing,
}

/// What only the passphrase allows.
#[derive(Clone, Debug, Args)]
pub(crate) struct Authority {
    /// Where to read the present passphrase: a file, or - for standard input
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    passphrase: String,
}

impl Authority {
    /// Reads the passphrase.
    pub(crate) fn read(&self) -> Result<Passphrase, Failure> {
        let text = secret("passphrase", &self.passphrase)?;
        Passphrase::parse(&text).map_err(|error| Failure::usage("passphrase", error))
    }
}

pub(crate) fn run(books: &Books, command: &KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::Show => show(books),
        KeysCommand::Rotate(what) => rotate(books, what),
        KeysCommand::Passphrase(authority) => passphrase(books, authority),
        KeysCommand::Page => page(books),
    }
}

fn making(books: &Books) -> Making<'_> {
    Making {
        clock: books.clock(),
        randomness: books.randomness(),
    }
}

fn show(books: &Books) -> Result<(), Failure> {
    let zone = zone(&books.reader())?;
    let row = |key: KeyShown| {
        Record::default()
            .with("key", key.name)
            .with("made_at", shown(&zone, key.made_at))
            .with("purpose", key.purpose)
            .with("fingerprint", key.fingerprint.map(|it| it.to_string()))
    };
    let list = List {
        columns: &["key", "made_at", "purpose", "fingerprint"],
        rows: books.keys().list().into_iter().map(row).collect(),
        next: None,
    };
    list.show(books.format);
    Ok(())
}

fn rotate(books: &Books, what: &Rotate) -> Result<(), Failure> {
    let (keys, making) = (books.keys(), making(books));
    match what.key {
        RotatedKey::Link => keys.rotate_link(making)?,
        RotatedKey::Log => keys.rotate_log(making)?,
        RotatedKey::Issuing => keys.rotate_issuing(&what.authority.read()?, making)?,
    }
    keys.note(books.store())?;
    show(books)
}

fn passphrase(books: &Books, authority: &Authority) -> Result<(), Failure> {
    let say = match books.format {
        Format::Text => answer,
        // A program reads the answer and may keep it.
        Format::Json => talk,
    };
    let show = |new: NewPassphrase<'_>| say(&store_keys::words(new));
    let present = authority.read()?;
    books
        .keys()
        .change_passphrase(&present, making(books), &show)?;
    books.keys().note(books.store())?;
    talk("The passphrase was changed. Backups made before are still opened by the one before.");
    Ok(())
}

fn page(books: &Books) -> Result<(), Failure> {
    let today = shown(&zone(&books.reader())?, books.now());
    let page = KeysPage::of(
        books.store().identity().store,
        books.keys().fingerprint(),
        today,
    );
    answer(&page.text());
    Ok(())
}

impl From<NoteError> for Failure {
    fn from(error: NoteError) -> Self {
        match error {
            NoteError::Keys(error) => error.into(),
            NoteError::Store(error) => error.into(),
        }
    }
}
