//! `offgate demo`: a whole organisation with doors on this machine, and nothing else touched.
//!
//! Owns: the demo's data directory, its people, its agents' processes, the wires to them, and the
//! page of the doors. Refuses to know: rules, tables, and how a door decides; it makes everything
//! by the commands that everybody uses, and asks doors at their readers.

mod announcement;
mod folder;
mod morning;
mod organisation;
mod page;
mod people;
mod process;
mod station;
mod wire;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, AgentState, JoinToken, JoinTokenState};
use offgate_core::command::Command;
use offgate_core::confirmation::Contact;
use offgate_core::id::{CommandId, JoinTokenId};
use offgate_core::parameters::{Clock, Randomness};
use offgate_core::records::Records as _;
use offgate_core::text::{Email, Title};
use offgate_link::join_token::{JoinTokenText, RootFingerprint};
use offgate_server::{Keys, Running, ServerSettings};
use offgate_store::sign_in::LinkPurpose;
use offgate_store::{Outcome, Purpose, Reader, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::folder::Folder;
use self::organisation::{AGENTS, OWNER};
use self::page::Stations;
use self::process::AgentProcess;
use self::station::Station;
use self::wire::Switch;
use crate::arguments::DemoArguments;
use crate::books::open_store;
use crate::exit::Failure;
use crate::system::{SystemClock, SystemRandomness};
use crate::terminal::{answer, talk};
use crate::{logging, one_time_link, serve, stop, store_keys};

pub(crate) use self::folder::is_a_demo;

/// The port of the console unless it is taken.
const PORT: u16 = 12480;
/// How long the agents may take to join and connect.
const CONNECTED_WITHIN: Duration = Duration::from_secs(30);

/// Whether the demo plays for the first time on its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Performance {
    First,
    Another,
}

/// What all parts of the demo use.
struct Stage {
    performance: Performance,
    folder: Folder,
    keys: Arc<Keys>,
    store: Store,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

pub(crate) fn run(
    data: Option<&Path>,
    log: Option<&str>,
    arguments: &DemoArguments,
) -> Result<(), Failure> {
    logging::start(log.unwrap_or("warn"))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let randomness: Arc<dyn Randomness> = Arc::new(SystemRandomness);
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| Failure::unavailable("threads", error))?;
    // From here on Ctrl-C ends it in order: what is half founded goes with its folder.
    let stop = {
        let _inside = runtime.enter();
        let stop = stop::on_signal()?;
        stop::on_hangup(stop.clone())?;
        stop
    };
    let folder = Folder::open(data, &*randomness)?;
    if Store::begin_demo(&folder.server())? != Purpose::Demo {
        let why = "holds what is not a demo's; name a new directory";
        let server = folder.server();
        return Err(Failure::usage(
            "--data",
            format!("{} {why}", server.display()),
        ));
    }
    let keys = store_keys::open_demo(&folder.server(), &*clock, &*randomness)?;
    let store = open_store(&folder.server(), &clock, &randomness, &keys)?;
    let _lock = serve::lock(&folder.server())?;
    let performance = if folder.is_founded()? {
        Performance::Another
    } else {
        Performance::First
    };
    if performance == Performance::First {
        talk("Founding Harbour Works: 4 doors, 60 people …");
        organisation::found(&store, &*randomness, &folder.password(&*randomness)?)?;
        folder.note_founded()?;
    }
    if stop.is_cancelled() {
        return Ok(());
    }
    runtime.block_on(async {
        let stage = Stage {
            performance,
            folder,
            keys,
            store,
            clock,
            randomness,
            tasks: TaskTracker::new(),
            stop,
        };
        play(&stage, arguments).await
    })
}

/// Starts everything, waits, and ends everything, also when something did not start.
async fn play(stage: &Stage, arguments: &DemoArguments) -> Result<(), Failure> {
    let stations = Stations::default();
    let settings = settings(stage, arguments, &stations)?;
    let running = offgate_server::start(
        settings,
        Arc::clone(&stage.keys),
        stage.store.clone(),
        Arc::clone(&stage.clock),
        Arc::clone(&stage.randomness),
    )
    .await?;
    let mut started = Vec::new();
    let result = match begin(
        stage,
        running.address(),
        running.fingerprint(),
        &mut started,
    )
    .await
    {
        Ok(()) => {
            let stations = stations.get_or_init(|| std::mem::take(&mut started));
            show(stage, &running, stations).await
        }
        Err(failure) => Err(failure),
    };
    stage.stop.cancel();
    for station in started.iter().chain(stations.get().into_iter().flatten()) {
        station.end().await;
    }
    running.stop().await;
    stage.tasks.close();
    stage.tasks.wait().await;
    result
}

fn settings(
    stage: &Stage,
    arguments: &DemoArguments,
    stations: &Stations,
) -> Result<ServerSettings, Failure> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let port = match arguments.port {
        Some(port) => port,
        None if std::net::TcpListener::bind(at(PORT)).is_ok() => PORT,
        None => 0,
    };
    Ok(ServerSettings {
        data: stage.folder.server(),
        listen: at(0),
        http: Some(at(port)),
        certificate: None,
        backups: None,
        demo: Some(page::router(Arc::clone(stations), stage.stop.clone())),
    })
}

/// Lays the wires, starts the agents, and waits until every one is connected.
async fn begin(
    stage: &Stage,
    server: SocketAddr,
    root: RootFingerprint,
    started: &mut Vec<Station>,
) -> Result<(), Failure> {
    for (name, doors) in AGENTS {
        let data = stage.folder.agent(name);
        let failed = |error| Failure::unavailable(data.display(), error);
        std::fs::create_dir_all(&data).map_err(failed)?;
        let join_file = data.join("join-token");
        let join_file = if offgate_agent::has_joined(&data) {
            None
        } else {
            invite(stage, root, name, doors, &join_file).await?;
            Some(join_file)
        };
        let switch = Switch::lay(server, &stage.tasks, stage.stop.clone())
            .await
            .map_err(|error| Failure::unavailable("a wire of the demo", error))?;
        let process = AgentProcess::start(data.clone(), switch.address(), join_file.as_deref())
            .map_err(failed)?;
        started.push(Station::new(name, doors, process, switch));
    }
    all_connected(stage).await?;
    if stage.performance == Performance::First && !stage.stop.is_cancelled() {
        morning::pass(started).await;
    }
    Ok(())
}

/// Makes a join token for an agent and writes it where that agent alone finds it.
async fn invite(
    stage: &Stage,
    root: RootFingerprint,
    name: &str,
    doors: &[&str],
    file: &Path,
) -> Result<(), Failure> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let text = JoinTokenText::random(root, &*stage.randomness);
    let all = stage.store.read().doors()?;
    let its_own = all
        .iter()
        .filter(|door| doors.contains(&door.name.as_str()));
    let token = JoinToken {
        id: JoinTokenId::random(&*stage.randomness),
        secret: text.secret_hash(),
        name: Title::parse(name).map_err(|error| Failure::usage("the demo's own data", error))?,
        doors: its_own.map(|door| door.id).collect::<BTreeSet<_>>(),
        expires_at: stage.clock.now().plus(JoinToken::LIFE),
        state: JoinTokenState::Open,
    };
    let id = CommandId::random(&*stage.randomness);
    let command = Command::CreateJoinToken(token);
    match stage
        .store
        .execute(id, Actor::ServerCommandLine, command)
        .await?
    {
        Outcome::Done { .. } => {}
        Outcome::Refused(refusal) => return Err(refusal.into()),
    }
    std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut file| writeln!(file, "{}", text.text()))
        .map_err(|error| Failure::unavailable(file.display(), error))
}

async fn all_connected(stage: &Stage) -> Result<(), Failure> {
    let connected = async {
        let mut heard = stage.store.heard();
        loop {
            heard.mark_unchanged();
            let reader = stage.store.read();
            let mut missing = AGENTS.len();
            for agent in reader.agents()? {
                missing -= usize::from(is_ready(&reader, &agent)?).min(missing);
            }
            if missing == 0 {
                return Ok(());
            }
            if heard.changed().await.is_err() {
                return Err(Failure::Unavailable("the store has ended".to_owned()));
            }
        }
    };
    tokio::select! {
        () = stage.stop.cancelled() => Ok(()),
        in_time = tokio::time::timeout(CONNECTED_WITHIN, connected) => {
            in_time.unwrap_or_else(|_| Err(Failure::Unavailable(
                "the agents of the demo do not connect; see agent.log in their folders".to_owned(),
            )))
        }
    }
}

/// Whether an agent is connected and has confirmed all it must know.
fn is_ready(reader: &Reader, agent: &Agent) -> Result<bool, Failure> {
    let contact = reader.contact(agent.id)?.map(|heard| heard.contact);
    let head = reader.table_head(agent.id)?.map(|head| head.revision);
    let acknowledged = reader.acknowledged(agent.id)?;
    Ok(agent.state == AgentState::Enrolled
        && contact == Some(Contact::Connected)
        && acknowledged.is_some()
        && acknowledged >= head)
}

/// Says how to get in, and again each time somebody presses Enter, until the end.
async fn show(stage: &Stage, running: &Running, stations: &[Station]) -> Result<(), Failure> {
    if stage.stop.is_cancelled() {
        return Ok(());
    }
    let console = running.http_address().unwrap_or(running.address());
    let told = announcement::Told { console, stations };
    let password = stage.folder.password(&*stage.randomness)?;
    told.whole(&link(stage, console).await?, &password);
    let mut lines = stop::lines()?;
    loop {
        tokio::select! {
            () = stage.stop.cancelled() => return Ok(()),
            Some(()) = lines.recv() => {
                answer(&announcement::sign_in(&link(stage, console).await?));
            }
        }
    }
}

/// A new link that signs the demo's owner in.
async fn link(stage: &Stage, console: SocketAddr) -> Result<String, Failure> {
    let email =
        Email::parse(OWNER).map_err(|error| Failure::usage("the demo's own data", error))?;
    let owner = stage.store.read().operator_by_email(&email)?;
    let owner = owner.ok_or_else(|| Failure::Unavailable("the demo has no owner".to_owned()))?;
    let purpose = LinkPurpose::SignIn(owner.id);
    let address = format!("http://{console}");
    one_time_link::text(
        &stage.store,
        &*stage.clock,
        &*stage.randomness,
        purpose,
        &address,
    )
    .await
}
