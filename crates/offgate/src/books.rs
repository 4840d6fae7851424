//! The store as the command line uses it: opened directly, by whoever may read the data directory.

use std::path::Path;
use std::sync::Arc;

use offgate_core::actor::Actor;
use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::parameters::{Clock, Randomness, Timestamp};
use offgate_core::records::Records as _;
use offgate_core::refusal::Refusal;
use offgate_core::user::UserRecord;
use offgate_server::{Keys, LogSigner};
use offgate_store::{Outcome, Reader, Store, StoreError};

use crate::exit::Failure;
use crate::record::Format;
use crate::settings::Config;
use crate::store_keys;
use crate::system::{SystemClock, SystemRandomness};
use crate::terminal::{Confirmation, talk};

/// Opens the store in a data directory, with the log key among these keys.
pub(crate) fn open_store(
    data: &Path,
    clock: &Arc<dyn Clock>,
    randomness: &Arc<dyn Randomness>,
    keys: &Arc<Keys>,
) -> Result<Store, Failure> {
    let signer = LogSigner::new(Arc::clone(keys));
    Ok(Store::open(
        data,
        Arc::clone(clock),
        Arc::clone(randomness),
        Arc::new(signer),
    )?)
}

/// An open store, and how its user wants to be spoken to.
pub(crate) struct Books {
    store: Store,
    keys: Arc<Keys>,
    randomness: Arc<dyn Randomness>,
    clock: Arc<dyn Clock>,
    /// How answers look.
    pub(crate) format: Format,
    /// Whether to ask before something is destroyed.
    pub(crate) confirmation: Confirmation,
}

impl Books {
    /// Opens the store in the data directory. It must be there: a mistyped directory is an error
    /// and not a new installation.
    pub(crate) fn open(
        config: &Config,
        format: Format,
        confirmation: Confirmation,
    ) -> Result<Self, Failure> {
        let directory = &config.data.value;
        if !has_data(directory)? {
            return Err(Failure::Unavailable(format!(
                "there is no Offgate data in {} ({}); `offgate serve` makes them, --data DIR names others",
                directory.display(),
                config.data.source,
            )));
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let randomness: Arc<dyn Randomness> = Arc::new(SystemRandomness);
        let keys = store_keys::open(directory, &*clock, &*randomness, talk)?;
        let store = open_store(directory, &clock, &randomness, &keys)?;
        Ok(Self {
            store,
            keys,
            randomness,
            clock,
            format,
            confirmation,
        })
    }

    /// The store itself.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// The store's keys.
    pub(crate) const fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// What is on record now.
    pub(crate) fn reader(&self) -> Reader {
        self.store.read()
    }

    /// Where new ids come from.
    pub(crate) fn randomness(&self) -> &dyn Randomness {
        &*self.randomness
    }

    /// The clock.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Does it, and returns once it is durable.
    pub(crate) fn carry_out(&self, command: Command) -> Result<(), Failure> {
        let id = CommandId::random(self.randomness());
        match self
            .store
            .execute_blocking(id, Actor::ServerCommandLine, command)?
        {
            Outcome::Done { .. } => Ok(()),
            Outcome::Refused(refusal) => Err(self.refused(refusal)?),
        }
    }

    /// A refusal, with the name of who holds what was asked for: whoever may read the data
    /// directory may know.
    fn refused(&self, refusal: Refusal) -> Result<Failure, StoreError> {
        let holder = match refusal.holder() {
            Some(holder) => self.reader().user(holder)?,
            None => None,
        };
        Ok(match holder {
            Some(UserRecord::Present(holder)) => Failure::Held {
                refusal,
                holder: holder.profile.full_name(),
            },
            _ => Failure::Refused(refusal),
        })
    }
}

/// Whether a data directory has been made. Not being able to look is an error.
pub(crate) fn has_data(directory: &Path) -> Result<bool, Failure> {
    directory
        .join(offgate_store::DATABASE_FILE)
        .try_exists()
        .map_err(|error| Failure::unavailable(directory.display(), error))
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OutcomeUnknown => Self::OutcomeUnknown(error.to_string()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
