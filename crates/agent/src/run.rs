//! An agent from its start to its end: what is started, in which order, and what is stopped.

mod house;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use offgate_core::parameters::{Clock, Randomness};
use offgate_link::agent_end::Ending;
use offgate_link::chain::IssuingNumber;
use offgate_link::identity::Identity;
use offgate_link::join_token::JoinTokenText;
use offgate_link::reconnect;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, watch};
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::BootClock;
use crate::decisions::{Decisions, DiskState, Surroundings};
use crate::disk::Folder;
use crate::disk::keeper::Keeper;
use crate::disk::table_files::{Found, TableFiles};
use crate::events::recorder::Recorder;
use crate::events::ring::EventRing;
use crate::identity_file::{self, Joined, Known, NotKnown};
use crate::join::{NotJoined, join};
use crate::lock::{FolderLock, NotLocked};
use crate::network::Connector;
use crate::positions::Positions;
use crate::reader::simulated;
use crate::servers::Servers;
use crate::session::{Agent, Ask, Connected, Over, speak};
use crate::strike::Strike;
use crate::table_changes::rebuild;
use crate::witness::Witness;
use house::House;

/// How many door events an agent keeps while it is cut off, unless told otherwise.
pub const EVENTS_KEPT: u32 = crate::events::ring::CAPACITY;

/// Which readers an agent has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderKind {
    /// A private socket in its own folder: see [`crate::reader::simulated`].
    Simulated,
    /// None: it only keeps its table.
    None,
}

/// How an agent is to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its own folder.
    pub data: PathBuf,
    /// The server's addresses, host and port; tried in turn, with those that the server announces.
    pub servers: Vec<String>,
    /// What to join with; only needed until it has joined.
    pub token: Option<JoinTokenText>,
    /// Its readers.
    pub reader: ReaderKind,
    /// How many door events it keeps, at least 2; see [`EVENTS_KEPT`].
    pub events_kept: u32,
}

/// What an agent may not fetch for itself.
#[derive(Clone)]
pub struct Parameters {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The clock of its lease.
    pub boot_clock: Arc<dyn BootClock>,
    /// For its key, and to come back at another moment than others.
    pub randomness: Arc<dyn Randomness>,
    /// What holds its doors shut.
    pub strike: Arc<dyn Strike>,
}

/// Why an agent did not start or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Another agent runs on this folder.
    #[error("another agent runs on this folder")]
    InUse,
    /// It has not joined, and has no token to join with.
    #[error("this agent has not joined yet: it needs a join token")]
    NeverJoined,
    /// The server does not take the token.
    #[error("the server does not take this join token: {0}")]
    JoinRefused(String),
    /// The file that says who it is is damaged. It has to join again, in another folder.
    #[error("the identity file is damaged: this agent has to join again, in another folder")]
    IdentityDamaged,
    /// A newer program wrote the file that says who it is.
    #[error("the identity file was written by a newer program: run that one")]
    IdentityNewer,
    /// No server to connect to.
    #[error("no server address was given")]
    NoServer,
    /// Its folder or socket cannot be used.
    #[error("the agent's folder cannot be used")]
    Folder(#[from] std::io::Error),
    /// One of its threads has ended.
    #[error("the agent cannot go on")]
    CannotGoOn,
}

impl From<NotKnown> for AgentError {
    fn from(error: NotKnown) -> Self {
        match error {
            NotKnown::NeverJoined => Self::NeverJoined,
            NotKnown::Damaged => Self::IdentityDamaged,
            NotKnown::Newer => Self::IdentityNewer,
            NotKnown::Io(error) => Self::Folder(error),
        }
    }
}

/// Runs an agent until it is told to stop: joins if it has not yet, decides at its doors from then
/// on, and keeps looking for the server.
///
/// # Errors
/// It could not start, or cannot go on.
pub async fn run(
    settings: Settings,
    parameters: Parameters,
    stop: CancellationToken,
) -> Result<(), AgentError> {
    if settings.servers.is_empty() {
        return Err(AgentError::NoServer);
    }
    let mut folder = Folder::open(&settings.data)?;
    let _lock = FolderLock::take(&settings.data).map_err(|error| match error {
        NotLocked::InUse => AgentError::InUse,
        NotLocked::Io(error) => AgentError::Folder(error),
    })?;
    let mut known = identity_file::read_or_begin(
        &mut folder,
        settings.token.as_ref(),
        &*parameters.randomness,
    )?;
    let joined = match known.joined.clone() {
        Some(joined) => joined,
        None => {
            let joined = join_somewhere(&settings, &parameters, &known, &stop).await?;
            let Some(joined) = joined else { return Ok(()) };
            known.joined = Some(joined.clone());
            identity_file::write(&mut folder, &known)?;
            tracing::info!(agent = %joined.agent, "joined");
            joined
        }
    };
    let own = Identity {
        key: known.key.pkcs8().to_vec(),
        chain: joined.chain.clone(),
    };
    let seen = identity_file::read_issuing(&mut folder)?;
    let connector = Connector::new(known.root, Some(own), seen)?;
    let (agent, threads) = start(&settings, &parameters, known, &joined, &mut folder)?;

    let agent = Arc::new(agent);
    let tasks = TaskTracker::new();
    // Whatever ends first ends the rest.
    let stop = stop.child_token();
    if settings.reader == ReaderKind::Simulated {
        let listener = simulated::bind(&settings.data)?;
        let house = Arc::new(House::new(Arc::clone(&agent), joined.agent));
        tasks.spawn(simulated::serve(listener, house, stop.clone()));
    }
    tasks.spawn(watch_disk(Arc::clone(&agent), stop.clone()));
    tasks.spawn(keep_doors(agent.doors.subscribe(), folder, stop.clone()));
    let result = keep_connected(&settings, &parameters, &agent, connector, &stop).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    drop(agent);
    let joined = tokio::task::spawn_blocking(move || {
        threads
            .into_iter()
            .map(JoinHandle::join)
            .all(|ended| ended.is_ok())
    });
    match joined.await {
        Ok(true) => result,
        Ok(false) | Err(_) => Err(AgentError::CannotGoOn),
    }
}

/// Starts the threads with what is on disk.
fn start(
    settings: &Settings,
    parameters: &Parameters,
    known: Known,
    joined: &Joined,
    folder: &mut Folder,
) -> Result<(Agent, [JoinHandle<()>; 3]), AgentError> {
    let (mut files, found) = TableFiles::open(Folder::open(&settings.data)?)?;
    let (table, contents) = match found {
        Found::Table(contents) => match rebuild(&contents, joined.store, joined.hash_key) {
            Some(table) => (Some(table), Some(contents)),
            None => {
                tracing::error!("the table on disk is not this agent's; asking for another");
                (None, None)
            }
        },
        Found::Damaged => {
            tracing::error!("the table on disk is damaged; asking for another");
            (None, None)
        }
        Found::Nothing => (None, None),
    };
    let boot = parameters.boot_clock.boot();
    let heard = boot
        .zip(contents.as_ref())
        .and_then(|(boot, contents)| files.lease(boot, contents));
    let ring = EventRing::open(
        Folder::open(&settings.data)?,
        joined.agent,
        settings.events_kept,
    );
    let (recorder, events_thread) = Recorder::start(ring)?;
    let (keeper, table_thread) = Keeper::start(files, contents)?;
    let surroundings = Surroundings {
        clock: Arc::clone(&parameters.clock),
        boot_clock: Arc::clone(&parameters.boot_clock),
        strike: Arc::clone(&parameters.strike),
        record: recorder.clone().hand_over(),
    };
    let (decisions, decisions_thread) = Decisions::start(table, heard, surroundings)?;
    let agent = Agent {
        store: joined.store,
        root: known.root,
        witness: Arc::new(Mutex::new(Witness::open(Box::new(Folder::open(
            &settings.data,
        )?))?)),
        hash_key: joined.hash_key,
        key: known.key,
        decisions,
        keeper,
        recorder,
        boot_clock: Arc::clone(&parameters.boot_clock),
        doors: watch::Sender::new(identity_file::read_doors(folder)),
        connected: watch::Sender::new(Connected::No),
        positions: Positions::new(Arc::clone(&parameters.boot_clock)),
        servers: Arc::new(Mutex::new(Servers::open(
            Box::new(Folder::open(&settings.data)?),
            settings.servers.clone(),
        )?)),
        software: concat!("offgate-agent ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    Ok((agent, [decisions_thread, table_thread, events_thread]))
}

/// Waits, for longer after every failure and never as long as others do. None: told to stop.
async fn wait(failures: u32, parameters: &Parameters, stop: &CancellationToken) -> Option<()> {
    let mut random = [0; 8];
    parameters.randomness.fill(&mut random);
    let wait = reconnect::wait(failures, u64::from_le_bytes(random));
    tokio::select! {
        () = stop.cancelled() => None,
        () = tokio::time::sleep(wait) => Some(()),
    }
}

/// Joins at the first server that answers. None: told to stop.
async fn join_somewhere(
    settings: &Settings,
    parameters: &Parameters,
    known: &Known,
    stop: &CancellationToken,
) -> Result<Option<Joined>, AgentError> {
    let token = settings.token.as_ref().ok_or(AgentError::NeverJoined)?;
    let connector = Connector::new(known.root, None, IssuingNumber(0))?;
    for (failures, address) in (0..).zip(settings.servers.iter().cycle()) {
        let joining = async {
            let stream = connector.connect(address).await?;
            join(stream, token, &known.key).await
        };
        let joined = tokio::select! {
            () = stop.cancelled() => return Ok(None),
            joined = joining => joined,
        };
        match joined {
            Ok(joined) => return Ok(Some(joined)),
            Err(NotJoined::Refused(words)) => return Err(AgentError::JoinRefused(words)),
            Err(NotJoined::Later(reason)) => {
                tracing::warn!(%address, %reason, "could not join; trying again");
            }
        }
        if wait(failures, parameters, stop).await.is_none() {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Keeps in mind, and on disk, which issuing key the server shows: one that came before it may be
/// in other hands.
fn follow(
    connector: &mut Connector,
    stream: &TlsStream<TcpStream>,
    settings: &Settings,
) -> std::io::Result<()> {
    if let Some(number) = connector.follow(stream)? {
        let kept = Folder::open(&settings.data)
            .and_then(|mut folder| identity_file::write_issuing(&mut folder, number));
        // In mind it is; a disk that fails now is no reason to leave the doors without a server.
        if let Err(error) = kept {
            tracing::error!(%error, "the number of the issuing key is not on disk");
        }
    }
    Ok(())
}

/// Speaks to one server after the other, for as long as the agent runs.
async fn keep_connected(
    settings: &Settings,
    parameters: &Parameters,
    agent: &Agent,
    mut connector: Connector,
    stop: &CancellationToken,
) -> Result<(), AgentError> {
    let mut connected = agent.connected.subscribe();
    let mut ask = Ask::Changes;
    let mut failures = 0;
    loop {
        let address = agent.servers.lock().await.turn();
        connected.mark_unchanged();
        let speaking = async {
            match connector.connect(&address).await {
                Ok(stream) => match follow(&mut connector, &stream, settings) {
                    Ok(()) => speak(stream, agent, ask).await,
                    Err(error) => Over::Broken(error),
                },
                Err(error) => Over::Broken(error),
            }
        };
        let over = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            over = speaking => over,
        };
        ask = match over {
            Over::CannotGoOn => return Err(AgentError::CannotGoOn),
            Over::Ended(Ending::Protocol) => Ask::Whole,
            Over::Ended(_) | Over::Broken(_) => Ask::Changes,
        };
        // Something was said if it changed at all: to yes, and now to no.
        failures = match connected.has_changed() {
            Ok(true) if ask == Ask::Changes => 0,
            _ => failures + 1,
        };
        tracing::info!(%address, reason = %over, failures, "not connected");
        if wait(failures, parameters, stop).await.is_none() {
            return Ok(());
        }
    }
}

/// Tells the deciding thread when the disk fails, and when it works again.
async fn watch_disk(agent: Arc<Agent>, stop: CancellationToken) {
    let mut durable = agent.keeper.durable();
    let mut told = DiskState::Works;
    loop {
        let state = durable.borrow_and_update().disk();
        if state != told && agent.decisions.disk(state).await.is_err() {
            return;
        }
        told = state;
        tokio::select! {
            () = stop.cancelled() => return,
            changed = durable.changed() => if changed.is_err() { return },
        }
    }
}

/// Keeps the doors' names, so that an agent that is cut off still knows them.
async fn keep_doors(
    mut doors: watch::Receiver<Vec<(offgate_core::id::DoorId, offgate_core::text::Title)>>,
    mut folder: Folder,
    stop: CancellationToken,
) {
    doors.mark_unchanged();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = doors.changed() => if changed.is_err() { return },
        }
        let named = doors.borrow_and_update().clone();
        let written = tokio::task::spawn_blocking(move || {
            let written = identity_file::write_doors(&mut folder, &named);
            (folder, written)
        });
        match written.await {
            Ok((back, written)) => {
                folder = back;
                if let Err(error) = written {
                    tracing::warn!(%error, "the doors' names could not be kept");
                }
            }
            Err(_) => return,
        }
    }
}
