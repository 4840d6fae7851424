//! Backups without being asked: one a night, and of the vault whenever somebody was erased.
//!
//! Owns: when it is looked whether one is due, and what is told of the last try. Refuses to know:
//! what is in a backup ([`offgate_store::backup`]), and when one is due ([`offgate_core::backup`]).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use offgate_core::backup::{DELAY, Standing, is_due, standing};
use offgate_core::calendar::write_minute;
use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_store::VaultState;
use offgate_store::backup::{BackupError, BackupKey, Shelf, Source};

use crate::console::zone;
use crate::keys::Keys;
use crate::{BackupSettings, Shared};

/// How often it is looked whether one is due. Whoever is erased is out of the vault's backup that
/// soon.
const EVERY: Duration = Duration::from_secs(10);
/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(300);

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failed {
    at: Timestamp,
    why: String,
}

/// Where backups lie, and how the last try went.
pub(crate) struct Backups {
    data: PathBuf,
    shelf: Shelf,
    failed: Mutex<Option<Failed>>,
}

/// What was done last.
#[derive(Default)]
struct Done {
    /// The vault as it was last backed up; none before this server did.
    vault: Option<VaultState>,
    /// After a failure: not before then.
    not_before: Option<Timestamp>,
}

impl Keys {
    /// What backups are encrypted with.
    #[must_use]
    pub fn for_backups(&self) -> BackupKey {
        BackupKey {
            key: self.backup_key(),
            locked: self.wrapped_backup_key(),
        }
    }
}

impl Backups {
    pub(crate) fn new(data: PathBuf, settings: &BackupSettings) -> Self {
        Self {
            data,
            shelf: Shelf::new(&settings.folder),
            failed: Mutex::new(None),
        }
    }

    fn standing(&self, now: Timestamp) -> Result<Standing, BackupError> {
        Ok(standing(self.shelf.newest()?, now))
    }

    fn failed(&self) -> Option<Failed> {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, failed: Option<Failed>) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }
}

/// What the console says of backups.
pub(crate) struct Told {
    /// How the store stands.
    pub(crate) sentence: String,
    /// Where they lie.
    pub(crate) folder: String,
    /// What is wrong, if something is.
    pub(crate) trouble: Option<String>,
}

/// What there is to say of backups; nothing of a store that is not backed up.
pub(crate) fn told(shared: &Shared, zone: &ZoneName) -> Option<Told> {
    let backups = shared.backups.as_ref()?;
    let standing = backups.standing(shared.clock.now());
    let failed = backups.failed().map(|failed| {
        let at = write_minute(zone, failed.at);
        format!("No backup could be made on {at}: {}.", failed.why)
    });
    let (sentence, trouble) = match standing {
        Ok(standing @ Standing::Old { .. }) => {
            let sentence = standing.sentence(zone);
            (sentence.clone(), failed.or(Some(sentence)))
        }
        Ok(standing) => (standing.sentence(zone), failed),
        Err(error) => {
            let words = format!("Whether there is a backup is not known: {error}.");
            (words.clone(), failed.or(Some(words)))
        }
    };
    Some(Told {
        sentence,
        folder: backups.shelf.folder().display().to_string(),
        trouble,
    })
}

/// Looks until the server stops.
pub(crate) async fn run(shared: Arc<Shared>, backups: Arc<Backups>) {
    let mut done = Done::default();
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        let now = shared.clock.now();
        if done.not_before.is_some_and(|then| now < then) {
            continue;
        }
        let (asked, by) = (Arc::clone(&shared), Arc::clone(&backups));
        let vault = done.vault;
        // A large store takes minutes, which nothing else waits for.
        let looked = tokio::task::spawn_blocking(move || look(&asked, &by, vault, now)).await;
        match looked {
            Ok(Ok(vault)) => {
                done = Done {
                    vault: Some(vault),
                    not_before: None,
                };
                backups.note(None);
            }
            // Somebody makes one by hand; what that is of is looked at then.
            Ok(Err(BackupError::Busy)) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "no backup could be made; it is tried again");
                done.not_before = Some(now.plus(AGAIN));
                backups.note(Some(Failed {
                    at: now,
                    why: error.to_string(),
                }));
            }
            Err(over) => std::panic::resume_unwind(over.into_panic()),
        }
    }
}

/// Makes what is due, and says of which vault there is a backup then.
fn look(
    shared: &Shared,
    backups: &Backups,
    backed_up: Option<VaultState>,
    now: Timestamp,
) -> Result<VaultState, BackupError> {
    let key = shared.keys.for_backups();
    let source = Source {
        data: &backups.data,
        key: &key,
        now,
        randomness: &*shared.randomness,
    };
    let zone = zone(&shared.store.read())?;
    let vault = shared.store.vault_state()?;
    let newest = backups.shelf.newest_under(&key)?;
    if is_due(&zone, delay(shared), newest, now) {
        let taken = source.take(&backups.shelf)?;
        tracing::info!(path = %taken.path.display(), bytes = taken.size, "backed up");
    } else if backed_up != Some(vault) {
        source.take_vault(&backups.shelf)?;
    }
    Ok(vault)
}

/// How many minutes into the night this store's turn comes; always the same.
fn delay(shared: &Shared) -> u16 {
    let [.., last] = *shared.store.identity().store.as_bytes();
    u16::from(last) % (DELAY + 1)
}
