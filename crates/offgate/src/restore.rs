//! `offgate restore`: a store that was lost, on a bare machine, from its backup and its passphrase.
//!
//! Owns: the order in which that is done. Until its last step nothing in the directory can be
//! used, and a restore that was cut short is begun again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use offgate_core::actor::Actor;
use offgate_core::agent::AgentState;
use offgate_core::backup::Restored;
use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::parameters::{Clock, Randomness};
use offgate_core::records::Records as _;
use offgate_server::{Keys, LogSigner, Making, Passphrase, unwrap_backup_key};
use offgate_store::backup::{BackupError, Contents, Header, Reading, Restoring, Shelf};
use offgate_store::{Outcome, Store, StoreError};

use crate::command::keys::Authority;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{Format, Record};
use crate::settings::Config;
use crate::system::{SystemClock, SystemRandomness};
use crate::terminal::{secret, talk};

/// What is restored, and what opens it.
#[derive(Clone, Debug, Args)]
pub(crate) struct RestoreArguments {
    /// The folder of backups, of which the newest is taken, or one file in it
    from: PathBuf,
    #[command(flatten)]
    authority: Authority,
    /// Where to read the passphrase of the vault's backup, if it was changed since this backup was
    /// made: a file, or - for standard input
    #[arg(long, value_name = "FILE|-")]
    vault_passphrase: Option<String>,
    /// Go on if the vault's backup is lost: names in the log stay unreadable, and whoever was erased
    /// since this backup was made is there again
    #[arg(long, conflicts_with = "vault_passphrase")]
    without_vault: bool,
}

pub(crate) fn run(
    config: &Config,
    arguments: &RestoreArguments,
    format: Format,
) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let randomness: Arc<dyn Randomness> = Arc::new(SystemRandomness);
    let making = Making {
        clock: &*clock,
        randomness: &*randomness,
    };
    let chosen = Chosen::find(arguments)?;
    let passphrase = arguments.authority.read()?;
    let opened = chosen.open(arguments, &passphrase)?;
    let data = &config.data.value;
    let restoring = Restoring::begin(data)?;
    let header = restoring.unpack(opened.store.0, &opened.store.1)?;
    let Contents::Store { epoch, revision } = header.contents else {
        return Err(BackupError::SomethingElse(chosen.path).into());
    };
    for (backup, key) in opened.vault {
        restoring.unpack(backup, &key)?;
    }
    restoring.new_epoch(clock.now(), &*randomness)?;
    // There are keys: none are made, and no passphrase is shown.
    let keys = Arc::new(Keys::open(data, making, &|_| ())?);
    // Whoever has the files of the server that was lost cannot be it any more.
    keys.rotate_issuing(&passphrase, making)?;
    // This also erases again whom the vault's list names.
    let store = Store::open_restoring(
        data,
        Arc::clone(&clock),
        Arc::clone(&randomness),
        Arc::new(LogSigner::new(Arc::clone(&keys))),
    )?;
    let restored = Restored {
        made_at: header.made_at,
        epoch,
        last: revision,
    };
    note(&store, &*randomness, restored)?;
    keys.note(&store)?;
    restoring.finish()?;
    show(&store, &keys, &header, format)
}

/// The backup that was named.
struct Chosen {
    path: PathBuf,
    shelf: Shelf,
}

/// Backups with what opens each.
struct Opened {
    store: (Reading, [u8; 32]),
    vault: Vec<(Reading, [u8; 32])>,
}

impl Chosen {
    fn find(arguments: &RestoreArguments) -> Result<Self, Failure> {
        let from = &arguments.from;
        if from.is_dir() {
            let shelf = Shelf::new(from);
            let newest = shelf.list()?.into_iter().next();
            let newest = newest.ok_or_else(|| {
                let words = format!("there is no backup of a store in {}", from.display());
                Failure::Unavailable(words)
            })?;
            return Ok(Self {
                path: newest.path,
                shelf,
            });
        }
        let folder = from.parent().unwrap_or(Path::new("."));
        Ok(Self {
            path: from.clone(),
            shelf: Shelf::new(folder),
        })
    }

    fn open(
        &self,
        arguments: &RestoreArguments,
        passphrase: &Passphrase,
    ) -> Result<Opened, Failure> {
        let store = with_key(&self.path, passphrase, "passphrase")?;
        if arguments.without_vault {
            return Ok(Opened {
                store,
                vault: Vec::new(),
            });
        }
        let vault_passphrase = match &arguments.vault_passphrase {
            None => passphrase.clone(),
            Some(source) => Passphrase::parse(&secret("vault passphrase", source)?)
                .map_err(|error| Failure::usage("vault passphrase", error))?,
        };
        let path = self.shelf.vault();
        if !path.exists() {
            return Err(Failure::usage(
                "--without-vault",
                format!(
                    "the vault's backup is not beside it ({}); without it whoever was erased since \
                     is there again",
                    path.display()
                ),
            ));
        }
        let vault = with_key(&path, &vault_passphrase, "vault passphrase")?;
        let of_store = store.0.header().store;
        let Contents::Vault { key } = vault.0.header().contents else {
            return Err(BackupError::SomethingElse(path).into());
        };
        if vault.0.header().store != of_store {
            return Err(BackupError::SomethingElse(path).into());
        }
        let path = self.shelf.vault_key(key);
        let vault_key = with_key(&path, &vault_passphrase, "vault passphrase")?;
        if vault_key.0.header().contents != (Contents::VaultKey { key })
            || vault_key.0.header().store != of_store
        {
            return Err(BackupError::SomethingElse(path).into());
        }
        Ok(Opened {
            store,
            vault: vec![vault_key, vault],
        })
    }
}

/// A backup, and its key by this passphrase.
fn with_key(
    path: &Path,
    passphrase: &Passphrase,
    what: &str,
) -> Result<(Reading, [u8; 32]), Failure> {
    let backup = Reading::open(path)?;
    let key = unwrap_backup_key(passphrase, &backup.header().locked_key)
        .map_err(|error| Failure::usage(what, format!("{}: {error}", path.display())))?;
    Ok((backup, key))
}

fn note(store: &Store, randomness: &dyn Randomness, restored: Restored) -> Result<(), Failure> {
    let id = CommandId::random(randomness);
    let command = Command::NoteRestore(restored);
    match store.execute_blocking(id, Actor::ServerCommandLine, command)? {
        Outcome::Done { .. } => Ok(()),
        Outcome::Refused(refusal) => Err(refusal.into()),
    }
}

fn show(store: &Store, keys: &Keys, header: &Header, format: Format) -> Result<(), Failure> {
    let reader = store.read();
    let zone = zone(&reader)?;
    let waiting: Vec<String> = reader
        .agents()?
        .into_iter()
        .filter(|agent| agent.state == AgentState::Enrolled)
        .map(|agent| agent.name.as_str().to_owned())
        .collect();
    let erased = match store.erasures() {
        Ok(erased) => Some(erased.len()),
        Err(StoreError::Vault(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Record::default()
        .with("store", store.identity().store.to_string())
        .with("backup_made_at", shown(&zone, header.made_at))
        .with("erased_people", erased)
        .with("agents_to_be_heard", waiting)
        .with("root_fingerprint", keys.fingerprint().to_string())
        .show(format);
    talk(&format!(
        "Restored as it was at {}. What was changed after that is not known here, except where a door \
         shows it: deactivate again whom you know to have been taken out since. Start `offgate serve`; agents come by themselves where this \
         machine has an address that they know, and every door confirms anew. Agents refuse the \
         server that was lost: do not start it again.",
        shown(&zone, header.made_at)
    ));
    Ok(())
}
