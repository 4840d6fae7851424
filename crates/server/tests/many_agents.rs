//! A thousand agents at once, as after a restart of the server: each is greeted, gets its table,
//! acknowledges it, and has its lease renewed. Then one change, which concerns one of them.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::agent::{
    Agent, AgentKey, AgentState, HashKey, JoinSecretHash, JoinToken, JoinTokenState,
};
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::credential::{CardToken, DisplayNumber, NewCredential, NewMeans};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{
    AgentId, CommandId, CredentialId, DoorId, JoinTokenId, PolicyId, ReaderId, SiteId, UserId,
};
use offgate_core::parameters::{Clock, Epoch, Randomness, Revision, Timestamp};
use offgate_core::place::{Direction, Door, LeaseLength, Reader, Site, ZoneName};
use offgate_core::policy::{Policy, PolicyHours};
use offgate_core::table::entry::TableHash;
use offgate_core::text::{PersonName, Title};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile};
use offgate_link::acknowledgement::{Acknowledgement, SigningKey};
use offgate_link::chain::IssuingNumber;
use offgate_link::frame;
use offgate_link::identity::{Identity, client_config, server_name};
use offgate_link::message::{ToAgent, ToServer};
use offgate_server::{Keys, LogSigner, Making, ServerSettings};
use offgate_store::{Outcome, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const AGENTS: u16 = 1_000;
/// Far more than it takes; a bound for a test that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

struct FakeClock;
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_795_000_000)
    }
}

struct Counter(AtomicU64);
impl Randomness for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
            let mixed = (number ^ (number >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}

fn id(kind: u8, number: u16) -> [u8; 16] {
    let mut bytes = [kind; 16];
    bytes[14..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}

fn key(number: u16) -> SigningKey {
    let mut seed = [7; 32];
    seed[..2].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_seed(&seed).expect("a key")
}

/// A door with a policy and an agent each; one person, who may pass the first door.
fn commands() -> Vec<(Actor, Command)> {
    let server = |command| (Actor::ServerCommandLine, command);
    let site = SiteId::from_bytes(id(1, 0));
    let mut commands = vec![server(Command::CreateSite(Site {
        id: site,
        revision: Revision::ZERO,
        name: title("Campus"),
        zone: ZoneName::parse("Europe/Berlin").expect("a zone"),
        default_policy: None,
    }))];
    for number in 0..AGENTS {
        let door = DoorId::from_bytes(id(2, number));
        let mut secret = [0; 32];
        secret[..2].copy_from_slice(&number.to_be_bytes());
        let agent = AgentId::from_bytes(id(3, number));
        commands.extend([
            server(Command::CreateDoor(Door {
                id: door,
                revision: Revision::ZERO,
                site,
                name: title(&format!("Door {number}")),
                agent: None,
                lease: LeaseLength::ORDINARY,
                fail_mode: FailMode::RefuseAll,
                readers: vec![Reader {
                    id: ReaderId::from_bytes(id(4, number)),
                    direction: Direction::In,
                }],
            })),
            server(Command::CreateJoinToken(JoinToken {
                id: JoinTokenId::from_bytes(id(5, number)),
                secret: JoinSecretHash(secret),
                name: title(&format!("Agent {number}")),
                doors: BTreeSet::from([door]),
                expires_at: Timestamp::from_seconds(1_795_003_600),
                state: JoinTokenState::Open,
            })),
            (
                Actor::JoiningAgent(agent),
                Command::EnrolAgent {
                    secret: JoinSecretHash(secret),
                    agent: Agent {
                        id: agent,
                        revision: Revision::ZERO,
                        name: title("joining"),
                        key: key(number).public(),
                        hash_key: HashKey::from_bytes([9; 32]),
                        enrolled_at: Timestamp::from_seconds(0),
                        state: AgentState::Enrolled,
                    },
                },
            ),
        ]);
    }
    let policy = PolicyId::from_bytes(id(6, 0));
    let token = CardToken::parse("04A22B19F0").expect("a card");
    let name = |text| PersonName::parse(text).expect("a name");
    commands.extend([
        server(Command::CreatePolicy(Policy {
            id: policy,
            revision: Revision::ZERO,
            name: title("First door"),
            doors: BTreeSet::from([DoorId::from_bytes(id(2, 0))]),
            door_groups: BTreeSet::new(),
            hours: PolicyHours::Always,
        })),
        server(Command::CreateUser {
            user: UserId::from_bytes(id(7, 0)),
            profile: Profile {
                first_name: name("Ada"),
                last_name: name("Lovelace"),
                preferred_name: None,
                email: None,
                phone: None,
                employee_number: None,
            },
            access: AccessPeriod::default(),
            groups: BTreeSet::new(),
            policies: InitialPolicies::Chosen(BTreeSet::from([policy])),
            credentials: vec![NewCredential {
                id: CredentialId::from_bytes(id(8, 0)),
                label: None,
                means: NewMeans::NfcCard {
                    display_number: DisplayNumber::of_token(&token),
                    token,
                },
            }],
        }),
    ]);
    commands
}

/// An agent that only listens and acknowledges.
struct Listener {
    key: SigningKey,
    door: DoorId,
    stream: TlsStream<TcpStream>,
    decoder: frame::Decoder,
}

impl Listener {
    async fn say(&mut self, message: &ToServer) {
        let frame = frame::encode(&message.encode()).expect("a frame");
        self.stream.write_all(&frame).await.expect("sent");
    }

    async fn hear(&mut self) -> ToAgent {
        let mut bytes = [0; 4096];
        loop {
            if let Some(body) = self.decoder.next_body().expect("frames") {
                return ToAgent::decode(&body).expect("a message");
            }
            let read = self.stream.read(&mut bytes).await.expect("a stream");
            assert!(read > 0, "the server hung up");
            self.decoder.extend(&bytes[..read]);
        }
    }
}

/// What an agent tells the test.
struct Told {
    ready: tokio::sync::mpsc::Sender<u16>,
    deltas: tokio::sync::mpsc::Sender<u16>,
    over: watch::Receiver<()>,
}

/// Connects, takes its table, acknowledges, has its lease renewed; then says which deltas come.
async fn live(number: u16, address: SocketAddr, connector: TlsConnector, told: Told) {
    let tcp = TcpStream::connect(address).await.expect("connected");
    let stream = connector
        .connect(server_name(), tcp)
        .await
        .expect("a handshake");
    let mut agent = Listener {
        key: key(number),
        door: DoorId::from_bytes(id(2, number)),
        stream,
        decoder: frame::Decoder::default(),
    };
    agent
        .say(&ToServer::Hello {
            versions: vec![1],
            software: "test".to_owned(),
            store: None,
            epoch: None,
            revision: 0,
            hash: [0; 32].into(),
            checkpoint: None,
        })
        .await;
    let ToAgent::Welcome { store, epoch, .. } = agent.hear().await else {
        panic!("no welcome");
    };
    assert!(matches!(agent.hear().await, ToAgent::History { .. }));
    agent.say(&ToServer::Renew { ask: 1 }).await;
    let (mut acknowledged, mut renewed) = (false, false);
    let mut over = told.over.clone();
    loop {
        let message = tokio::select! {
            message = agent.hear() => message,
            _ = over.changed() => return,
        };
        let table = match message {
            ToAgent::SnapshotEnd { revision, hash } => Some((revision, *hash)),
            ToAgent::Delta { revision, hash, .. } => {
                told.deltas.send(number).await.expect("heard");
                Some((revision, *hash))
            }
            ToAgent::Renewed { ask: 1 } => {
                renewed = true;
                None
            }
            ToAgent::Refused { words, .. } => panic!("agent {number}: {words}"),
            _ => None,
        };
        if let Some((revision, hash)) = table {
            let statement = Acknowledgement {
                store: offgate_core::id::StoreId::from_bytes(*store),
                epoch: Epoch {
                    counter: epoch.counter,
                    nonce: *epoch.nonce,
                },
                revision: Revision::new(revision),
                hash: TableHash(hash),
                doors: vec![agent.door],
                above: Vec::new(),
            }
            .statement();
            let signature = agent.key.sign(&statement);
            agent
                .say(&ToServer::Acknowledge {
                    statement: statement.into(),
                    signature: signature.into(),
                })
                .await;
            acknowledged = true;
        }
        if acknowledged && renewed {
            renewed = false;
            told.ready.send(number).await.expect("heard");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_are_no_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let randomness = Arc::new(Counter(AtomicU64::new(1)));
    let making = Making {
        clock: &FakeClock,
        randomness: &*randomness,
    };
    let keys = Arc::new(Keys::open(folder.path(), making, &|_| ()).expect("keys"));
    let signer = LogSigner::new(Arc::clone(&keys));
    let store = Store::open(
        folder.path(),
        Arc::new(FakeClock),
        randomness.clone(),
        Arc::new(signer),
    )
    .expect("a store");
    let mut asked = Vec::new();
    for (actor, command) in commands() {
        let (store, id) = (store.clone(), CommandId::random(&*randomness));
        let executed = store.execute(id, actor, command).await;
        asked.push(matches!(executed, Ok(Outcome::Done { .. })));
    }
    assert!(asked.iter().all(|done| *done));
    let settings = ServerSettings {
        data: folder.path().to_owned(),
        listen: "127.0.0.1:0".parse().expect("an address"),
        http: None,
        certificate: None,
        backups: None,
        demo: None,
    };
    let running = offgate_server::start(
        settings,
        Arc::clone(&keys),
        store.clone(),
        Arc::new(FakeClock),
        randomness,
    )
    .await
    .expect("it starts");
    let (ready, mut are_ready) = tokio::sync::mpsc::channel(64);
    let (deltas, mut changed) = tokio::sync::mpsc::channel(64);
    let (end, over) = watch::channel(());
    for number in 0..AGENTS {
        let agent = AgentId::from_bytes(id(3, number));
        let public: AgentKey = key(number).public();
        let own = Identity {
            key: key(number).pkcs8().to_vec(),
            chain: keys.vouch(agent, &public).expect("a certificate"),
        };
        let config =
            client_config(keys.fingerprint(), IssuingNumber(0), Some(&own)).expect("a config");
        let told = Told {
            ready: ready.clone(),
            deltas: deltas.clone(),
            over: over.clone(),
        };
        let connector = TlsConnector::from(Arc::new(config));
        tokio::spawn(live(number, running.address(), connector, told));
    }
    let mut seen = BTreeSet::new();
    let all = async {
        while seen.len() < usize::from(AGENTS) {
            seen.insert(are_ready.recv().await.expect("they live"));
        }
    };
    tokio::time::timeout(PATIENCE, all)
        .await
        .expect("every agent has its table and its lease");
    let user = UserId::from_bytes(id(7, 0));
    let command = Command::DeactivateUser {
        user,
        reason: DeactivationReason::LeftTheOrganisation,
        note: None,
        employment_ended_at: None,
    };
    let outcome = store
        .execute(
            CommandId::from_bytes([1; 16]),
            Actor::ServerCommandLine,
            command,
        )
        .await;
    let Ok(Outcome::Done { revision }) = outcome else {
        panic!("{outcome:?}");
    };
    let first = tokio::time::timeout(PATIENCE, changed.recv()).await;
    assert_eq!(
        first.expect("one hears of it"),
        Some(0),
        "the one it concerns"
    );
    let mut heard = store.heard();
    let confirmed = async {
        loop {
            let facts = store.read().door_facts(user, revision).expect("facts");
            if facts.iter().all(|facts| facts.confirmed_at.is_some()) {
                return facts.len();
            }
            heard.changed().await.expect("the store lives");
        }
    };
    let doors = tokio::time::timeout(PATIENCE, confirmed).await;
    assert_eq!(doors.expect("it confirms"), 1);
    end.send(()).expect("they live");
    drop(deltas);
    running.stop().await;
    while let Some(number) = changed.recv().await {
        assert_eq!(number, 0, "nobody else was told");
    }
}
