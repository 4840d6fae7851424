//! `offgate backup`: backups beyond those that are made every night.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use offgate_core::backup::KEPT;
use offgate_server::unwrap_backup_key;
use offgate_store::backup::{BackupError, BackupKey, Contents, Listed, Reading, Shelf, Source};

use crate::books::Books;
use crate::command::keys::Authority;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{List, Record};
use crate::settings::Config;

/// The most backups in a list.
const LISTED: usize = 200;

/// What to do with backups.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Make one now, also while the server runs
    Now,
    /// List those there are, the newest first
    List,
    /// Read one from its first byte to its last, as restoring would
    Verify(Verify),
}

/// Which is read, and how it is opened.
#[derive(Clone, Debug, Args)]
pub(crate) struct Verify {
    /// The file; the newest backup and the vault's unless it is given
    file: Option<PathBuf>,
    /// Open it with the passphrase, as another machine would, and not with the server's own key
    #[arg(long)]
    as_restored: bool,
    #[command(flatten)]
    authority: Authority,
}

pub(crate) fn run(books: &Books, config: &Config, command: &BackupCommand) -> Result<(), Failure> {
    let shelf = Shelf::new(&config.backups.value);
    match command {
        BackupCommand::Now => now(books, &config.data.value, &shelf),
        BackupCommand::List => list(books, &shelf),
        BackupCommand::Verify(what) => verify(books, &shelf, what),
    }
}

fn now(books: &Books, data: &Path, shelf: &Shelf) -> Result<(), Failure> {
    let key = books.keys().for_backups();
    let source = Source {
        data,
        key: &key,
        now: books.now(),
        randomness: books.randomness(),
    };
    let taken = source.take(shelf)?;
    row(books, &taken)?.show(books.format);
    Ok(())
}

fn row(books: &Books, backup: &Listed) -> Result<Record, Failure> {
    let zone = zone(&books.reader())?;
    Ok(Record::default()
        .with("made_at", shown(&zone, backup.made_at))
        .with("kept_until", shown(&zone, backup.made_at.plus(KEPT)))
        .with("bytes", backup.size)
        .with("file", backup.path.display().to_string()))
}

fn list(books: &Books, shelf: &Shelf) -> Result<(), Failure> {
    let backups = shelf.list()?;
    let rows: Result<Vec<_>, _> = backups
        .iter()
        .take(LISTED)
        .map(|backup| row(books, backup))
        .collect();
    List {
        columns: &["made_at", "kept_until", "bytes", "file"],
        rows: rows?,
        next: None,
    }
    .show(books.format);
    Ok(())
}

fn verify(books: &Books, shelf: &Shelf, what: &Verify) -> Result<(), Failure> {
    let passphrase = what
        .as_restored
        .then(|| what.authority.read())
        .transpose()?;
    let own = books.keys().for_backups();
    let mut rows = Vec::new();
    for path in files(shelf, what)? {
        let backup = Reading::open(&path)?;
        let header = backup.header().clone();
        let key = match &passphrase {
            Some(passphrase) => unwrap_backup_key(passphrase, &header.locked_key)
                .map_err(|error| Failure::usage("passphrase", error))?,
            None => own_key(&own, &header.locked_key)?,
        };
        let files = backup.verify(&key)?;
        let bytes: u64 = files.iter().map(|(_, length)| length).sum();
        let (of, revision) = match header.contents {
            Contents::Store { revision, .. } => ("store and keys", Some(revision.number())),
            Contents::Vault { .. } => ("vault", None),
            Contents::VaultKey { .. } => ("the vault's key", None),
        };
        rows.push(
            Record::default()
                .with("of", of)
                .with("made_at", shown(&zone(&books.reader())?, header.made_at))
                .with("last_change", revision)
                .with("bytes", bytes)
                .with("file", path.display().to_string()),
        );
    }
    List {
        columns: &["of", "made_at", "last_change", "bytes", "file"],
        rows,
        next: None,
    }
    .show(books.format);
    Ok(())
}

/// The server holds the key of its backups until it is replaced.
fn own_key(own: &BackupKey, locked: &[u8]) -> Result<[u8; 32], Failure> {
    if own.locked == locked {
        return Ok(own.key);
    }
    Err(Failure::usage(
        "--as-restored",
        "needed: the server's key or its passphrase was replaced since this backup was made",
    ))
}

fn files(shelf: &Shelf, what: &Verify) -> Result<Vec<PathBuf>, Failure> {
    if let Some(file) = &what.file {
        return Ok(vec![file.clone()]);
    }
    let newest = shelf.list()?.into_iter().next();
    let Some(newest) = newest else {
        return Err(Failure::Unavailable(format!(
            "there is no backup in {}; `offgate backup now` makes one",
            shelf.folder().display()
        )));
    };
    let vault = shelf.vault();
    let Contents::Vault { key } = Reading::open(&vault)?.header().contents else {
        return Err(BackupError::SomethingElse(vault).into());
    };
    Ok(vec![newest.path, vault, shelf.vault_key(key)])
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::NotEmpty(_) => Self::usage("--data", error),
            BackupError::NotABackup(_)
            | BackupError::Unreadable(_)
            | BackupError::SomethingElse(_)
            | BackupError::Damaged(_) => Self::Disproven(error.to_string()),
            BackupError::Store(error) => error.into(),
            BackupError::Vault(_) | BackupError::File(..) | BackupError::Busy => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}
