//! The server: its end of the link to every door.
//!
//! Owns: the listening port, the keys of the link, one conversation per connected agent, and what
//! has to happen by itself when a moment comes.
//!
//! Refuses to know: rules (it asks the store to carry out commands, like everybody else), and
//! which database the store is.

mod agents;
mod conversation;
mod enrolment;
mod keys;
mod listener;
mod schedule;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use offgate_core::parameters::{Clock, Randomness};
use offgate_link::identity::{Authority, IdentityError};
use offgate_link::join_token::RootFingerprint;
use offgate_store::{Store, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use keys::{KeysError, open as open_keys};

/// The port on which agents find the server unless another is chosen.
pub const PORT: u16 = 12445;

/// How long stopping may take.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How a server is run.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The data directory, where the keys are kept.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
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
    /// The port could not be opened.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What every part of the server shares.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) authority: Authority,
    pub(crate) agents: agents::Agents,
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// A server that runs.
pub struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// Opens the port and starts.
///
/// # Errors
/// The keys, the port or the store cannot be used.
pub async fn start(
    settings: ServerSettings,
    store: Store,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
) -> Result<Running, StartError> {
    let authority = open_keys(&settings.data, &*randomness)?;
    let shared = Arc::new(Shared {
        store,
        clock,
        randomness,
        authority,
        agents: agents::Agents::default(),
        stopping: CancellationToken::new(),
        tasks: TaskTracker::new(),
    });
    let listener = tokio::net::TcpListener::bind(settings.listen)
        .await
        .map_err(|error| StartError::Listen(settings.listen, error))?;
    let address = listener
        .local_addr()
        .map_err(|error| StartError::Listen(settings.listen, error))?;
    // Whoever was connected to an earlier run is not connected now.
    agents::all_gone(&shared).await?;
    let tls = listener::acceptor(&shared.authority)?;
    shared
        .tasks
        .spawn(listener::listen(listener, tls, Arc::clone(&shared)));
    shared.tasks.spawn(schedule::run(Arc::clone(&shared)));
    Ok(Running { address, shared })
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// By what agents know this store.
    #[must_use]
    pub fn fingerprint(&self) -> RootFingerprint {
        self.shared.authority.fingerprint()
    }

    /// Ends every conversation and stops, within five seconds.
    pub async fn stop(self) {
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout(STOP_WITHIN, self.shared.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("some connections did not end in time and were dropped");
        }
    }
}
