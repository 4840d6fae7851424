//! The server: the console, and its end of the link to every door.
//!
//! Owns: the listening ports, the keys of the link, one conversation per connected agent, the
//! pages of the console with who is signed in, and what has to happen by itself when a moment
//! comes.
//!
//! Refuses to know: rules (it asks the store to carry out commands, like everybody else), and
//! which database the store is.

mod addresses;
mod agents;
mod alerts;
mod backups;
mod browsers;
mod console;
mod console_certificate;
mod conversation;
mod enrolment;
mod keys;
mod keys_followed;
mod keys_page;
mod listener;
mod log_signer;
mod mail;
mod person_export;
mod refusal_proof;
mod schedule;
mod table_check;
mod webhook;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use offgate_core::parameters::{Clock, Randomness};
use offgate_link::identity::IdentityError;
use offgate_link::join_token::RootFingerprint;
use offgate_store::{Store, StoreError};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use console::{LinkSecret, assets, one_time_link, password_hash};
pub use console_certificate::{CertificateError, CertificateFiles};
pub use keys::{
    KeyShown, Keys, KeysError, MailPassword, Making, NewPassphrase, NotAPassphrase, NotUnwrapped,
    NoteError, Passphrase, WebhookSecret, unwrap_backup_key,
};
pub use keys_page::KeysPage;
pub use log_signer::LogSigner;
pub use mail::send_test as send_test_mail;
pub use person_export::{PersonExport, VERSION as EXPORT_VERSION};
pub use refusal_proof::{NoProof, ProofQuery, refusal_proof};
pub use webhook::send_test as send_test_webhook;

/// The port on which agents find the server unless another is chosen.
pub const PORT: u16 = 12445;

/// How long stopping may take.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How a server is run.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The data directory, where the keys are kept.
    pub data: PathBuf,
    /// Where to listen with TLS, for browsers and agents.
    pub listen: SocketAddr,
    /// Where to listen without TLS, for browsers on this machine or a proxy; none for nowhere.
    pub http: Option<SocketAddr>,
    /// The site's own certificate for browsers; without, one is made at first start.
    pub certificate: Option<CertificateFiles>,
    /// Where backups lie; none for a store that is not worth one.
    pub backups: Option<BackupSettings>,
    /// Pages that only the demo has.
    pub demo: Option<axum::Router>,
}

/// How backups are kept.
#[derive(Clone, Debug)]
pub struct BackupSettings {
    /// The folder, made when the first is put there.
    pub folder: PathBuf,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The keys of the link could not be read or made.
    #[error("the keys in the data directory cannot be used")]
    Keys(#[from] KeysError),
    /// The certificates could not be used.
    #[error("the certificates cannot be used")]
    Identity(#[from] IdentityError),
    /// The certificate for browsers could not be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The port could not be opened.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A replaced key could not be noted in the log.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// What every part of the server shares.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) agents: agents::Agents,
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Whether the tables of agents are what the records say.
    pub(crate) tables: table_check::TableCheck,
    pub(crate) throttle: console::Throttle,
    /// How many passwords are hashed at once: each takes 19 MiB and a core.
    pub(crate) passwords: Semaphore,
    /// How many may wait for that.
    pub(crate) waiting_passwords: Semaphore,
    /// How many live parts of pages there are.
    pub(crate) streams: Arc<Semaphore>,
    /// Its backups, unless it is not backed up.
    pub(crate) backups: Option<Arc<backups::Backups>>,
    /// Whether this is a demo, which has a page of its own.
    pub(crate) is_demo: bool,
    /// Held while the first owner is made, so that there is one.
    pub(crate) setting_up: Mutex<()>,
}

/// How many passwords are hashed at once.
const PASSWORDS: usize = 2;
/// How many passwords may wait for that.
const WAITING_PASSWORDS: usize = 32;
/// How many live parts of pages may be open.
const STREAMS: usize = 500;

/// A server that runs.
pub struct Running {
    address: SocketAddr,
    http: Option<SocketAddr>,
    shared: Arc<Shared>,
}

/// Opens the port and starts.
///
/// # Errors
/// The certificates, the port or the store cannot be used.
pub async fn start(
    settings: ServerSettings,
    keys: Arc<Keys>,
    store: Store,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
) -> Result<Running, StartError> {
    let shared = Arc::new(Shared {
        store,
        clock,
        randomness,
        keys,
        agents: agents::Agents::default(),
        stopping: CancellationToken::new(),
        tasks: TaskTracker::new(),
        tables: table_check::TableCheck::default(),
        throttle: console::Throttle::default(),
        passwords: Semaphore::new(PASSWORDS),
        waiting_passwords: Semaphore::new(WAITING_PASSWORDS),
        streams: Arc::new(Semaphore::new(STREAMS)),
        backups: settings
            .backups
            .as_ref()
            .map(|backups| Arc::new(backups::Backups::new(settings.data.clone(), backups))),
        is_demo: settings.demo.is_some(),
        setting_up: Mutex::new(()),
    });
    let (listener, address) = bind(settings.listen).await?;
    let http = match settings.http {
        Some(http) => Some(bind(http).await?),
        None => None,
    };
    // Whoever was connected to an earlier run is not connected now.
    shared.store.record_start().await?;
    keys_followed::note(&shared).await?;
    let certificate = console_certificate::Source {
        data: settings.data,
        files: settings.certificate,
        listen: settings.listen.ip(),
    };
    let (renewed, browsers) = watch::channel(certificate.config(&*shared.clock)?);
    shared.tasks.spawn(console_certificate::renew(
        certificate,
        renewed,
        Arc::clone(&shared),
    ));
    let (replaced, link) = watch::channel(listener::link_config(&shared.keys)?);
    shared
        .tasks
        .spawn(keys_followed::follow(replaced, Arc::clone(&shared)));
    let tls = listener::Tls {
        link,
        browsers,
        places: Arc::new(Semaphore::new(listener::BROWSERS)),
        pages: console::router(
            Arc::clone(&shared),
            console::Transport::Tls,
            settings.demo.clone(),
        ),
    };
    shared
        .tasks
        .spawn(listener::listen(listener, tls, Arc::clone(&shared)));
    let http = http.map(|(listener, address)| {
        let pages = console::router(
            Arc::clone(&shared),
            console::Transport::Plain,
            settings.demo,
        );
        let listening = browsers::listen(listener, pages, Arc::clone(&shared));
        shared.tasks.spawn(listening);
        address
    });
    shared.tasks.spawn(schedule::run(Arc::clone(&shared)));
    shared.tasks.spawn(table_check::run(Arc::clone(&shared)));
    shared.tasks.spawn(addresses::follow(Arc::clone(&shared)));
    if let Some(backups) = &shared.backups {
        let run = backups::run(Arc::clone(&shared), Arc::clone(backups));
        shared.tasks.spawn(run);
    }
    shared.tasks.spawn(mail::run(Arc::clone(&shared)));
    shared.tasks.spawn(webhook::run(Arc::clone(&shared)));
    Ok(Running {
        address,
        http,
        shared,
    })
}

async fn bind(at: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen(at, error);
    let listener = TcpListener::bind(at).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens without TLS, if it does.
    #[must_use]
    pub const fn http_address(&self) -> Option<SocketAddr> {
        self.http
    }

    /// By what agents know this store.
    #[must_use]
    pub fn fingerprint(&self) -> RootFingerprint {
        self.shared.keys.fingerprint()
    }

    /// Ends every conversation and stops, within five seconds.
    pub async fn stop(self) {
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout(STOP_WITHIN, self.shared.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("some connections did not end in time");
        }
    }
}
