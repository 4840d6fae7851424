//! `offgate keys`: the keys of the server itself.

use clap::{Args, Subcommand, ValueEnum};
use offgate_server::{KeyShown, Making, NewPassphrase, NoteError, Passphrase};

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
    /// Print a page to keep outside: the root fingerprint, and a line to write the passphrase on
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
    let root = books.keys().fingerprint().to_string();
    let groups: Vec<&str> = root.split('-').collect();
    let lines: Vec<String> = groups.chunks(4).map(|four| four.join("  ")).collect();
    answer(&format!(
        "OFFGATE: ROOT FINGERPRINT AND PASSPHRASE\n\n\
         Store          {}\n\
         Printed        {today}\n\n\
         Root fingerprint\n\n    {}\n\n\
         By it every door agent knows this server, and whoever is handed a proof checks that it\n\
         is this server's.\n\n\
         Passphrase, as it was shown at the first start (25 letters and digits)\n\n    \
         _____ - _____ - _____ - _____ - _____\n\n\
         With it a backup is restored on another machine, and the server's keys are replaced when\n\
         they may be in other hands. Nobody can find it out again.\n\n\
         Keep this page in a safe place away from the server. Whoever has both this page and a\n\
         backup has everything.",
        books.store().identity().store,
        lines.join("\n    "),
    ));
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
