//! `offgate serve`: the server, until it is told to stop.

use std::error::Error as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;

use offgate_core::parameters::{Clock, Randomness};
use offgate_core::records::Records as _;
use offgate_server::{BackupSettings, CertificateFiles, ServerSettings, StartError};
use offgate_store::sign_in::LinkPurpose;
use offgate_store::{Purpose, Store};

use crate::books::{has_data, open_store};
use crate::demo::is_a_demo;
use crate::exit::Failure;
use crate::settings::Config;
use crate::system::{SystemClock, SystemRandomness};
use crate::terminal::answer;
use crate::{logging, one_time_link, stop, store_keys};

/// The file that a running server holds locked.
const LOCK_FILE: &str = "server.lock";

pub(crate) fn run(config: &Config) -> Result<(), Failure> {
    let data = &config.data.value;
    let marked = is_a_demo(data).map_err(|error| Failure::unavailable(data.display(), error))?;
    if marked || (has_data(data)? && Store::purpose(data)? == Purpose::Demo) {
        let why = "holds a demo, whose PINs everybody knows; begin in another directory";
        return Err(Failure::usage(
            "--data",
            format!("{} {why}", data.display()),
        ));
    }
    logging::start(&config.log.value)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let randomness: Arc<dyn Randomness> = Arc::new(SystemRandomness);
    let keys = store_keys::open(data, &*clock, &*randomness, answer)?;
    let store = open_store(data, &clock, &randomness, &keys)?;
    let _lock = lock(data)?;
    let certificate = config
        .certificate_and_key()?
        .map(|(chain, key)| CertificateFiles {
            chain: chain.to_owned(),
            key: key.to_owned(),
        });
    if let Some(http) = config.http.value.filter(|http| !http.ip().is_loopback()) {
        tracing::warn!(%http, "plain HTTP beyond this machine: put a proxy with TLS in front of it");
    }
    let settings = ServerSettings {
        data: data.clone(),
        listen: config.listen.value,
        http: config.http.value,
        certificate,
        backups: Some(BackupSettings {
            folder: config.backups.value.clone(),
        }),
        demo: None,
    };
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| Failure::unavailable("threads", error))?;
    runtime.block_on(async {
        let stop = stop::on_signal()?;
        let running = offgate_server::start(
            settings,
            keys,
            store.clone(),
            Arc::clone(&clock),
            Arc::clone(&randomness),
        )
        .await?;
        let address = one_time_link::address(config, running.address(), running.http_address());
        answer(&format!("The console: {address}"));
        answer(&format!("Agents connect to {}", running.address()));
        answer(&format!("Root fingerprint: {}", running.fingerprint()));
        if store.read().operators()?.is_empty() {
            let purpose = LinkPurpose::SetUp;
            let link =
                one_time_link::text(&store, &*clock, &*randomness, purpose, &address).await?;
            answer(&format!(
                "Nobody can sign in yet. Set up the owner here, once, within 10 minutes: {link}"
            ));
        }
        stop.cancelled().await;
        running.stop().await;
        Ok(())
    })
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
