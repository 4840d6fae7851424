//! `offgate serve`: the server, until it is told to stop.

use std::error::Error as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;

use offgate_core::parameters::{Clock, Randomness};
use offgate_link::join_token::RootFingerprint;
use offgate_server::{ServerSettings, StartError, open_keys};
use offgate_store::Store;

use crate::exit::Failure;
use crate::settings::Config;
use crate::system::{SystemClock, SystemRandomness};
use crate::terminal::answer;
use crate::{logging, stop};

/// The file that a running server holds locked.
const LOCK_FILE: &str = "server.lock";

pub(crate) fn run(config: &Config) -> Result<(), Failure> {
    logging::start(&config.log.value)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let randomness: Arc<dyn Randomness> = Arc::new(SystemRandomness::default());
    let store = Store::open(
        &config.data.value,
        Arc::clone(&clock),
        Arc::clone(&randomness),
    )?;
    let _lock = lock(&config.data.value)?;
    let settings = ServerSettings {
        data: config.data.value.clone(),
        listen: config.listen.value,
    };
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| Failure::unavailable("threads", error))?;
    runtime.block_on(async {
        let stop = stop::on_signal()?;
        let running = offgate_server::start(settings, store, clock, randomness).await?;
        answer(&format!("Listening on {}", running.address()));
        answer(&format!("Fingerprint {}", running.fingerprint()));
        stop.cancelled().await;
        running.stop().await;
        Ok(())
    })
}

/// By what agents know the store of this data directory.
pub(crate) fn root_fingerprint(config: &Config) -> Result<RootFingerprint, Failure> {
    let authority =
        open_keys(&config.data.value, &SystemRandomness::default()).map_err(StartError::Keys)?;
    Ok(authority.fingerprint())
}

/// Why the data directory could not be taken.
#[derive(Debug)]
pub(crate) enum NotLocked {
    /// A server runs on it.
    Running,
    /// The lock file cannot be used.
    File(std::io::Error),
}

/// Makes sure that one server at most works on a data directory. The kernel lets go when the
/// process ends, however it ends.
pub(crate) fn lock(data: &Path) -> Result<File, NotLocked> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(data.join(LOCK_FILE))
        .map_err(NotLocked::File)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(NotLocked::Running),
        Err(TryLockError::Error(error)) => Err(NotLocked::File(error)),
    }
}

impl From<NotLocked> for Failure {
    fn from(error: NotLocked) -> Self {
        match error {
            NotLocked::Running => {
                Self::Unavailable("a server runs on this data directory already".to_owned())
            }
            NotLocked::File(error) => Self::unavailable(LOCK_FILE, error),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error.source() {
            Some(cause) => Self::unavailable(&error, cause),
            None => Self::Unavailable(error.to_string()),
        }
    }
}
