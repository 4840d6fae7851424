//! An agent and a server on loopback, with real TLS, real files, and a real private socket.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod stub;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use offgate_agent::clock::BootClock;
use offgate_agent::reader::simulated::{self, PresentError};
use offgate_agent::reader::{Answer, At};
use offgate_agent::status::{LinkState, Status, TableState};
use offgate_agent::strike::SimulatedStrike;
use offgate_agent::{AgentError, Parameters, ReaderKind, Settings, run};
use offgate_core::credential::{CardToken, CredentialKind};
use offgate_core::door_event::Happening;
use offgate_core::door_position::Position;
use offgate_core::id::{CredentialId, QuestionId};
use offgate_core::parameters::Boot;
use offgate_core::parameters::Revision;
use offgate_core::place::Direction;
use offgate_core::question::{Question, Verdict};
use offgate_core::table::admission::{Presented, Reason};
use offgate_core::table::entry::{
    DoorEntry, Entry, KeypadEntry, PolicyEntry, SiteEntry, UserEntry,
};
use offgate_link::question::digest_of;
use stub::{AGENT, Counting, DOOR, FirstJoin, HASH_KEY, Network, STORE, Started, Stub};
use tokio_util::sync::CancellationToken;

const LEASE: u64 = 60;

/// The machine's own pace, and what a test adds to it.
struct BootWithLeaps {
    boot: Option<Boot>,
    since: Instant,
    leapt: Mutex<Duration>,
}

impl BootWithLeaps {
    fn leap(&self, by: Duration) {
        *self.leapt.lock().expect("no panic") += by;
    }
}

impl BootClock for BootWithLeaps {
    fn now(&self) -> Duration {
        self.since.elapsed() + *self.leapt.lock().expect("no panic")
    }

    fn boot(&self) -> Option<Boot> {
        self.boot
    }
}

struct Running {
    data: PathBuf,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), AgentError>>,
    boot: Arc<BootWithLeaps>,
    strike: Arc<SimulatedStrike>,
}

fn settings(stub: &Stub, data: &Path) -> Settings {
    Settings {
        data: data.to_owned(),
        // The first is nobody: an agent goes on to the next.
        servers: vec!["127.0.0.1:1".to_owned(), stub.address.to_string()],
        token: Some(stub.token.clone()),
        reader: ReaderKind::Simulated,
        events_kept: 1_000,
    }
}

/// A start of the machine, the one with this number.
fn boot(boot: Option<u8>) -> Arc<BootWithLeaps> {
    Arc::new(BootWithLeaps {
        boot: boot.map(|number| Boot([number; 16])),
        since: Instant::now(),
        leapt: Mutex::default(),
    })
}

fn parameters(boot: &Arc<BootWithLeaps>) -> (Parameters, Arc<SimulatedStrike>) {
    let strike = Arc::new(SimulatedStrike::default());
    let parameters = Parameters {
        clock: Arc::new(Started(Instant::now())),
        boot_clock: Arc::clone(boot) as Arc<dyn BootClock>,
        randomness: Arc::new(Counting(Mutex::new(0))),
        strike: Arc::clone(&strike) as Arc<dyn offgate_agent::strike::Strike>,
    };
    (parameters, strike)
}

impl Running {
    fn start(stub: &Stub, data: &Path) -> Self {
        Self::start_on(stub, data, boot(None))
    }

    fn start_on(stub: &Stub, data: &Path, boot: Arc<BootWithLeaps>) -> Self {
        let (parameters, strike) = parameters(&boot);
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(settings(stub, data), parameters, stop.clone()));
        Self {
            data: data.to_owned(),
            stop,
            task,
            boot,
            strike,
        }
    }

    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Path) -> Result<T, PresentError> + Send + 'static,
    ) -> Result<T, PresentError> {
        let data = self.data.clone();
        tokio::task::spawn_blocking(move || ask(&data))
            .await
            .expect("it does not panic")
    }

    async fn card(&self, direction: Direction) -> Answer {
        let at = At {
            door: "front door".to_owned(),
            direction,
        };
        let present =
            move |data: &Path| simulated::present(data, at, CredentialKind::NfcCard, "04:A1:B2:C3");
        self.ask(present).await.expect("an answer")
    }

    /// Waits until its status is so, 20 seconds at most.
    async fn until(&self, what: &str, so: impl Fn(&Status) -> bool) -> Status {
        let waiting = async {
            loop {
                match self.ask(simulated::status).await {
                    Ok(status) if so(&status) => return status,
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let status = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        status.unwrap_or_else(|_| panic!("never so: {what}"))
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task
            .await
            .expect("it does not panic")
            .expect("it stops in order");
    }
}

fn user(standing: u8) -> Entry {
    let card = Presented::NfcCard(CardToken::parse("04A1B2C3").expect("a token"));
    Entry::User(UserEntry {
        user: [2; 16].into(),
        standing,
        starts: None,
        ends: None,
        policies: if standing == 0 {
            vec![[3; 16].into()]
        } else {
            vec![]
        },
        credentials: vec![(card.hash(&HASH_KEY).0.into(), [9; 16].into(), 0)],
    })
}

fn entries() -> Vec<Entry> {
    let door = *DOOR.as_bytes();
    vec![
        Entry::Keypad(KeypadEntry {
            salt: [5; 16].into(),
        }),
        Entry::Site(SiteEntry {
            site: [4; 16].into(),
            first_offset: 0,
            changes: vec![],
        }),
        Entry::Door(DoorEntry {
            door: door.into(),
            site: [4; 16].into(),
            lease_seconds: LEASE as u32,
            readers: vec![([8; 16].into(), 0), ([9; 16].into(), 1)],
            when_cut_off: None,
        }),
        Entry::Policy(PolicyEntry {
            policy: [3; 16].into(),
            doors: vec![door.into()],
            schedule: None,
        }),
        user(0),
    ]
}

async fn acknowledged(stub: &Stub, revision: Revision) {
    let heard = stub
        .wait_for("the acknowledgement", |heard| {
            heard
                .acknowledged
                .as_ref()
                .is_some_and(|said| said.revision == revision)
        })
        .await;
    let said = heard.acknowledged.expect("just seen");
    assert_eq!(
        (said.store, said.hash, said.doors),
        (STORE, stub.hash(), vec![DOOR])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_joins_decides_and_acknowledges() {
    let stub = Stub::start(FirstJoin::AnswerLost).await;
    let first = stub.commit(entries(), vec![]);
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&stub, folder.path());
    acknowledged(&stub, first).await;
    let joined = stub.heard.borrow().joined.clone();
    assert_eq!(
        joined.len(),
        2,
        "the answer that was lost was asked for again"
    );
    assert_eq!(joined[0], joined[1], "with the same key");
    let leased = |status: &Status| status.lease_seconds > 0 && status.events_waiting == 0;
    let status = running.until("a lease", leased).await;
    assert_eq!(status.agent, Some(AGENT));
    assert_eq!(
        (status.link, status.table),
        (LinkState::Connected, TableState::Durable(first))
    );
    assert_eq!(
        running.ask(simulated::doors).await.expect("an answer"),
        ["Front door"]
    );
    assert_eq!(running.card(Direction::In).await, Answer::Granted);
    assert_eq!(running.strike.times(DOOR), 1);

    // Taken out: the acknowledgement is the door's word that it refuses.
    let refused = stub.commit(vec![user(1)], vec![]);
    acknowledged(&stub, refused).await;
    assert_eq!(
        running.card(Direction::In).await,
        Answer::Refused(Reason::Deactivated)
    );
    assert_eq!(running.card(Direction::Out).await, Answer::Granted);
    // Asked, it says the same, and that is no event.
    let card = Presented::NfcCard(CardToken::parse("04A1B2C3").expect("a token"));
    let question = Question {
        id: QuestionId::from_bytes([7; 16]),
        credential: CredentialId::from_bytes([9; 16]),
        sought: card.sought(&HASH_KEY),
        door: DOOR,
        direction: Direction::In,
    };
    stub.ask(question);
    let heard = stub
        .wait_for("the answer", |heard| !heard.answers.is_empty())
        .await;
    let answer = heard.answers[0];
    assert_eq!(
        answer.verdict(),
        Verdict::Refuses(Reason::Deactivated),
        "{answer:?}"
    );
    assert_eq!(
        (answer.store, answer.revision, answer.hash, answer.door),
        (STORE, refused, stub.hash(), DOOR)
    );
    assert_eq!(answer.question, digest_of(&question));
    assert_eq!(stub.heard.borrow().whole_tables, 1);
    assert_eq!(stub.heard.borrow().deltas, 1);
    let heard = stub
        .wait_for("three events", |heard| heard.events.len() == 3)
        .await;
    let happened: Vec<_> = heard.events.iter().map(|event| event.happening).collect();
    assert!(matches!(happened[0], Happening::Granted { .. }));
    assert!(matches!(
        happened[1],
        Happening::Refused {
            reason: Reason::Deactivated,
            ..
        }
    ));
    assert!(matches!(happened[2], Happening::WayOut { holder: Some(_) }));
    running
        .until("all events stored", |status| status.events_waiting == 0)
        .await;

    // A second agent on the same folder, and an agent with no token and no name.
    let (parameters, ..) = parameters(&boot(None));
    let second = run(
        settings(&stub, folder.path()),
        parameters.clone(),
        CancellationToken::new(),
    );
    assert!(matches!(second.await, Err(AgentError::InUse)));
    let empty = tempfile::tempdir().expect("a folder");
    let nobody = Settings {
        token: None,
        ..settings(&stub, empty.path())
    };
    let never = run(nobody, parameters.clone(), CancellationToken::new()).await;
    assert!(matches!(never, Err(AgentError::NeverJoined)));
    let (other, ..) = self::parameters(&boot(None));
    other.randomness.fill(&mut [0]);
    let spent = run(
        settings(&stub, empty.path()),
        other,
        CancellationToken::new(),
    )
    .await;
    assert!(
        matches!(spent, Err(AgentError::JoinRefused(_))),
        "{spent:?}"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_contact_says_is_told_and_told_again_on_the_next_connection() {
    use Position::{Closed, Open};
    let stub = Stub::start(FirstJoin::Answered).await;
    let first = stub.commit(entries(), vec![]);
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&stub, folder.path());
    acknowledged(&stub, first).await;
    let contact = async |door: &'static str, position| {
        running
            .ask(move |data| simulated::contact(data, door, position))
            .await
    };
    let nowhere = contact("Back door", Open).await;
    assert!(matches!(nowhere, Err(PresentError::NotUnderstood(_))));
    let told = async |times: usize| {
        let heard = stub
            .wait_for("a position", |heard| heard.positions.len() == times)
            .await;
        let last = heard.positions.last().expect("just seen");
        assert_eq!(last.len(), 1);
        assert_eq!(last[0].door, DOOR);
        last[0]
    };
    contact("front door", Open).await.expect("noted");
    assert_eq!(told(1).await.position, Open);
    // The same again is no news.
    contact("Front door", Open).await.expect("noted");
    contact("Front door", Closed).await.expect("noted");
    assert_eq!(told(2).await.position, Closed);

    // While nobody listens the last word is what counts, and for how long it holds.
    stub.network.send_replace(Network::Down);
    running
        .until("cut off", |status| status.link == LinkState::Searching)
        .await;
    contact("Front door", Open).await.expect("noted");
    running.boot.leap(Duration::from_secs(90));
    stub.network.send_replace(Network::Up);
    let last = told(3).await;
    assert_eq!(last.position, Open);
    assert!(last.lasts >= Duration::from_secs(90), "{last:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_cut_off_decides_until_its_lease_ends_and_catches_up() {
    let stub = Stub::start(FirstJoin::Answered).await;
    let first = stub.commit(entries(), vec![]);
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&stub, folder.path());
    acknowledged(&stub, first).await;
    running
        .until("a lease", |status| status.lease_seconds > 0)
        .await;
    stub.network.send_replace(Network::Down);
    running
        .until("cut off", |status| status.link == LinkState::Searching)
        .await;
    for _ in 0..3 {
        assert_eq!(running.card(Direction::In).await, Answer::Granted);
    }
    let refused = stub.commit(vec![user(1)], vec![]);
    assert_eq!(
        running.card(Direction::In).await,
        Answer::Granted,
        "it cannot know"
    );
    running.boot.leap(Duration::from_secs(LEASE));
    assert_eq!(
        running.card(Direction::In).await,
        Answer::Refused(Reason::CutOff)
    );
    assert_eq!(running.card(Direction::Out).await, Answer::Granted);
    let waiting = running
        .until("six events", |status| status.events_waiting == 6)
        .await;
    assert_eq!((waiting.events_lost, waiting.lease_seconds), (0, 0));

    stub.network.send_replace(Network::Up);
    acknowledged(&stub, refused).await;
    assert_eq!(
        running.card(Direction::In).await,
        Answer::Refused(Reason::Deactivated)
    );
    let heard = stub
        .wait_for("all events", |heard| heard.events.len() == 7)
        .await;
    let numbers: Vec<u64> = heard.events.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(
        (heard.events_again, heard.whole_tables, heard.deltas),
        (0, 1, 1)
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_agent_has_its_table_and_waits_to_hear_the_server() {
    let stub = Stub::start(FirstJoin::Answered).await;
    stub.commit(entries(), vec![]);
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&stub, folder.path());
    stub.wait_for("it", |heard| heard.acknowledged.is_some())
        .await;
    let second = stub.commit(
        vec![],
        vec![
            Entry::Keypad(KeypadEntry {
                salt: [5; 16].into(),
            })
            .key(),
        ],
    );
    acknowledged(&stub, second).await;
    running
        .until("a lease", |status| status.lease_seconds > 0)
        .await;
    assert_eq!(running.card(Direction::In).await, Answer::Granted);
    stub.wait_for("the event", |heard| heard.events.len() == 1)
        .await;
    stub.network.send_replace(Network::Down);
    running.stop().await;

    let running = Running::start(&stub, folder.path());
    let back = running
        .until("its table", |it| it.table == TableState::Durable(second))
        .await;
    assert_eq!((back.link, back.lease_seconds), (LinkState::Searching, 0));
    assert_eq!(
        running.card(Direction::In).await,
        Answer::Refused(Reason::CutOff)
    );
    assert_eq!(running.card(Direction::Out).await, Answer::Granted);
    stub.network.send_replace(Network::Up);
    running
        .until("a lease", |status| status.lease_seconds > 0)
        .await;
    assert_eq!(running.card(Direction::In).await, Answer::Granted);
    let heard = stub
        .wait_for("all events", |heard| heard.events.len() == 4)
        .await;
    assert_eq!(heard.whole_tables, 1, "nothing was sent twice");
    assert_eq!(heard.joined.len(), 1);
    running.stop().await;

    // A damaged table is no table: refuse, and get another.
    for entry in std::fs::read_dir(folder.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "log") {
            std::fs::write(path, b"damaged").expect("a working disk");
        }
    }
    stub.network.send_replace(Network::Down);
    let running = Running::start(&stub, folder.path());
    running
        .until("no table", |status| status.table == TableState::Missing)
        .await;
    assert_eq!(
        running.card(Direction::In).await,
        Answer::Refused(Reason::CutOff)
    );
    stub.network.send_replace(Network::Up);
    stub.wait_for("a whole table", |heard| heard.whole_tables == 2)
        .await;
    running
        .until("a lease", |status| status.lease_seconds > 0)
        .await;
    assert_eq!(running.card(Direction::In).await, Answer::Granted);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_went_mute_is_left() {
    let stub = Stub::start(FirstJoin::Answered).await;
    stub.commit(entries(), vec![]);
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&stub, folder.path());
    running
        .until("a lease", |status| status.lease_seconds > 0)
        .await;
    stub.network.send_replace(Network::Mute);
    running.boot.leap(offgate_link::SILENCE);
    running
        .until("given up", |status| status.link == LinkState::Searching)
        .await;
    assert_eq!(running.card(Direction::In).await, Answer::Granted);
    stub.network.send_replace(Network::Up);
    stub.wait_for("it is back", |heard| heard.welcomed >= 2)
        .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_takes_nothing_from_a_server_whose_history_is_another() {
    let stub = Stub::start(FirstJoin::Answered).await;
    stub.commit(entries(), vec![]);
    let refused = stub.commit(vec![user(1)], vec![]);
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&stub, folder.path());
    acknowledged(&stub, refused).await;
    // It is found out also by an agent that was started again.
    running.stop().await;
    stub.rewrite(b"another");
    let reactivated = stub.commit(vec![user(0)], vec![]);
    let running = Running::start(&stub, folder.path());
    stub.wait_for("the doubt", |heard| heard.doubted > 0).await;
    let doubting = |status: &Status| status.link == LinkState::Doubted;
    let status = running.until("doubting", doubting).await;
    assert_eq!(status.table, TableState::Durable(refused));
    assert_eq!(status.lease_seconds, 0);
    assert_eq!(
        running.card(Direction::In).await,
        Answer::Refused(Reason::Deactivated)
    );
    assert_eq!(running.card(Direction::Out).await, Answer::Granted);
    // The true history again: it goes on.
    stub.rewrite(b"as it was");
    acknowledged(&stub, reactivated).await;
    running
        .until("connected", |status| status.link == LinkState::Connected)
        .await;
    assert_eq!(running.card(Direction::In).await, Answer::Granted);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_outlives_the_process_and_not_the_start_of_the_machine() {
    let stub = Stub::start(FirstJoin::Answered).await;
    stub.commit(entries(), vec![]);
    let folder = tempfile::tempdir().expect("a folder");
    let first = boot(Some(1));
    let running = Running::start_on(&stub, folder.path(), Arc::clone(&first));
    let kept = folder.path().join("lease");
    running.until("a lease on disk", |_| kept.exists()).await;
    stub.network.send_replace(Network::Down);
    running.stop().await;

    let running = Running::start_on(&stub, folder.path(), Arc::clone(&first));
    running
        .until("its table", |it| it.table != TableState::Missing)
        .await;
    assert_eq!(running.card(Direction::In).await, Answer::Granted);
    first.leap(Duration::from_secs(LEASE));
    assert_eq!(
        running.card(Direction::In).await,
        Answer::Refused(Reason::CutOff)
    );
    running.stop().await;

    // The clock of another start says little: how long ago anything was, it does not tell.
    for (what, boot) in [("another start", boot(Some(2))), ("not told", boot(None))] {
        let running = Running::start_on(&stub, folder.path(), boot);
        running
            .until("its table", |it| it.table != TableState::Missing)
            .await;
        assert_eq!(
            running.card(Direction::In).await,
            Answer::Refused(Reason::CutOff),
            "{what}"
        );
        running.stop().await;
    }
}
