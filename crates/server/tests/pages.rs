//! The HTML of the pages, kept: a change of a template shows here as what it does to the page.
//!
//! `OFFGATE_WRITE_PAGES=1 cargo test -p offgate-server --test pages` writes them anew.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, AgentState, HashKey, JoinSecretHash, JoinToken, JoinTokenState};
use offgate_core::command::{Command, Expected, InitialPolicies};
use offgate_core::credential::{
    CardToken, CredentialKind, DisplayNumber, Means, NewCredential, NewMeans,
};
use offgate_core::disagreement::Disagreement;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::door_position::{Position, SaidPosition};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{
    AgentId, CommandId, CredentialId, DoorId, JoinTokenId, OperatorId, PolicyId, ReaderId, SiteId,
    UserId,
};
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::{Boot, Clock, Randomness, Revision, Timestamp, Uptime};
use offgate_core::pin::{Pin, PinCandidate};
use offgate_core::place::{Direction, Door, LeaseLength, Reader, Site, ZoneName};
use offgate_core::policy::{Policy, PolicyHours};
use offgate_core::question::{self, Answer, Said};
use offgate_core::records::Records as _;
use offgate_core::table::admission::{ClockTrust, Holder, Reason};
use offgate_core::table::entry::TableHash;
use offgate_core::text::{Email, EmployeeNumber, Note, PersonName, Title};
use offgate_core::tree::TreeHash;
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile, UserRecord};
use offgate_link::acknowledgement::{Acknowledgement, SigningKey};
use offgate_link::question::{digest_of, statement};
use offgate_server::{Keys, LogSigner, Making, ServerSettings, one_time_link};
use offgate_store::questions::NewAnswer;
use offgate_store::sign_in::LinkPurpose;
use offgate_store::{Heard, Outcome, Receipt, Store, Verdict, Witnessed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

struct FakeClock(AtomicI64);
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microseconds(self.0.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Option<Uptime> {
        Some(Uptime {
            boot: Boot([0; 16]),
            since: self.now().since(Timestamp::from_seconds(0)),
        })
    }
}

/// The same numbers in every run; what pages show of them is left out before comparing.
struct Counter(AtomicU64);
impl Randomness for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = (self.0.fetch_add(37, Ordering::SeqCst) % 251) as u8;
        }
    }
}

const USER: UserId = UserId::from_bytes([0x11; 16]);
const GONE: UserId = UserId::from_bytes([0x12; 16]);
const AGENT: AgentId = AgentId::from_bytes([0x1a; 16]);
const DOOR: DoorId = DoorId::from_bytes([0x13; 16]);
const OPERATOR: OperatorId = OperatorId::from_bytes([0x1f; 16]);
const SITE: SiteId = SiteId::from_bytes([0x14; 16]);
const POLICY: PolicyId = PolicyId::from_bytes([0x16; 16]);
const TOKEN: JoinTokenId = JoinTokenId::from_bytes([0x17; 16]);

/// With which the agent signs.
fn agent_key() -> SigningKey {
    SigningKey::from_seed(&[2; 32]).expect("a key")
}

fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}

fn person(user: UserId, first: &str, last: &str, card: &str) -> Command {
    let name = |text| PersonName::parse(text).expect("a name");
    let token = CardToken::parse(card).expect("a card");
    Command::CreateUser {
        user,
        profile: Profile {
            first_name: name(first),
            last_name: name(last),
            preferred_name: None,
            email: None,
            phone: None,
            employee_number: EmployeeNumber::parse("HW-7").ok(),
        },
        access: AccessPeriod::default(),
        groups: BTreeSet::new(),
        policies: InitialPolicies::Chosen(BTreeSet::from([POLICY])),
        credentials: vec![NewCredential {
            id: CredentialId::from_bytes(*user.as_bytes()),
            label: None,
            means: NewMeans::NfcCard {
                display_number: DisplayNumber::of_token(&token),
                token,
            },
        }],
    }
}

/// One site, one door with an agent that was heard and is gone, two people, one of them taken out.
fn organisation() -> Vec<(Actor, Command)> {
    let server = |command| (Actor::ServerCommandLine, command);
    vec![
        server(Command::CreateSite(Site {
            id: SITE,
            revision: Revision::ZERO,
            name: title("Harbour Works"),
            zone: ZoneName::parse("Europe/Berlin").expect("a zone"),
            default_policy: None,
        })),
        server(Command::CreateDoor(Door {
            id: DOOR,
            revision: Revision::ZERO,
            site: SITE,
            name: title("Front door"),
            agent: None,
            lease: LeaseLength::ORDINARY,
            fail_mode: FailMode::RefuseAll,
            readers: vec![Reader {
                id: ReaderId::from_bytes([0x18; 16]),
                direction: Direction::In,
            }],
        })),
        server(Command::CreatePolicy(Policy {
            id: POLICY,
            revision: Revision::ZERO,
            name: title("Common doors"),
            doors: BTreeSet::from([DOOR]),
            door_groups: BTreeSet::new(),
            hours: PolicyHours::Always,
        })),
        server(Command::CreateJoinToken(JoinToken {
            id: TOKEN,
            secret: JoinSecretHash([1; 32]),
            name: title("Entrance"),
            doors: BTreeSet::from([DOOR]),
            expires_at: Timestamp::from_seconds(1_795_003_600),
            state: JoinTokenState::Open,
        })),
        (
            Actor::JoiningAgent(AGENT),
            Command::EnrolAgent {
                secret: JoinSecretHash([1; 32]),
                agent: Agent {
                    id: AGENT,
                    revision: Revision::ZERO,
                    name: title("joining"),
                    key: agent_key().public(),
                    hash_key: HashKey::from_bytes([3; 32]),
                    enrolled_at: Timestamp::from_seconds(0),
                    state: AgentState::Enrolled,
                },
            },
        ),
        server(Command::CreateOperator(Operator {
            id: OPERATOR,
            revision: Revision::ZERO,
            name: title("Olga Owner"),
            email: Email::parse("olga@example.com").expect("an address"),
            role: Role::Owner,
            user: None,
            password: Some(PasswordHash::from_phc("none".to_owned())),
            state: OperatorState::Open,
        })),
        // A name that would be markup, and a long one without a break.
        server(person(USER, "<b>Ada</b>", "O’Brien & Sons", "04A22B19F0")),
        server(person(GONE, "Zoë", &"Maximilian".repeat(9), "04A22B19F1")),
        (
            Actor::Operator(OPERATOR),
            Command::DeactivateUser {
                user: GONE,
                reason: DeactivationReason::SecurityConcern,
                note: Note::parse("seen with a copied card").ok(),
                employment_ended_at: None,
            },
        ),
    ]
}

/// What is the same in every run and on every machine: no hash of the assets, no command ids, no
/// generated PIN, no fingerprint.
fn settled(page: &str) -> String {
    let mut text = String::new();
    for line in page
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.trim().is_empty())
    {
        let mut line = line.to_owned();
        for (before, after) in [
            ("/assets/", "/"),
            ("name=\"command\" value=\"", "\""),
            ("name=\"user\" value=\"", "\""),
            ("name=\"pin\" type=\"text\" value=\"", "\""),
            ("name=\"credential\" value=\"", "\""),
            ("<code class=\"code-box\">", "<"),
            ("<p class=\"code-box\">", "</p>"),
            ("<code class=\"new-pin\">", "<"),
            ("<dt>Store</dt><dd><code>", "<"),
            ("<dt>Store, epoch</dt><dd><code>", "<"),
        ] {
            if let Some(at) = line.find(before).map(|at| at + before.len())
                && let Some(length) = line[at..].find(after)
            {
                line.replace_range(at..at + length, "…");
            }
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// A running server with the organisation, and an owner who is signed in.
struct House {
    folder: tempfile::TempDir,
    clock: Arc<FakeClock>,
    randomness: Arc<Counter>,
    store: Store,
    running: offgate_server::Running,
    cookie: String,
}

async fn send(address: SocketAddr, request: String) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("answered");
    String::from_utf8(bytes).expect("text")
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(FakeClock(AtomicI64::new(1_795_000_000_000_000)));
        let randomness = Arc::new(Counter(AtomicU64::new(1)));
        let making = Making {
            clock: &*clock,
            randomness: &*randomness,
        };
        let keys = Arc::new(Keys::open(folder.path(), making, &|_| ()).expect("keys"));
        let signer = LogSigner::new(Arc::clone(&keys));
        let store = Store::open(
            folder.path(),
            clock.clone(),
            randomness.clone(),
            Arc::new(signer),
        )
        .expect("a store");
        let settings = ServerSettings {
            data: folder.path().to_owned(),
            listen: "127.0.0.1:0".parse().expect("an address"),
            http: Some("127.0.0.1:0".parse().expect("an address")),
            certificate: None,
            backups: None,
            demo: None,
        };
        let running = offgate_server::start(
            settings,
            keys,
            store.clone(),
            clock.clone(),
            randomness.clone(),
        )
        .await
        .expect("it starts");
        for (number, (actor, command)) in (1..).zip(organisation()) {
            let id = CommandId::from_bytes([number; 16]);
            let outcome = store.execute(id, actor, command).await;
            assert!(
                matches!(outcome, Ok(Outcome::Done { .. })),
                "{number}: {outcome:?}"
            );
            clock.0.fetch_add(1_000_000, Ordering::SeqCst);
            if number == 5 {
                store
                    .record_contact(AGENT, Heard::AsksRenewal)
                    .await
                    .expect("noted");
                store
                    .record_contact(AGENT, Heard::Gone)
                    .await
                    .expect("noted");
            }
        }
        let mut house = Self {
            folder,
            clock,
            randomness,
            store,
            running,
            cookie: String::new(),
        };
        house.sign_in(OPERATOR).await;
        house
    }

    fn address(&self) -> SocketAddr {
        self.running.http_address().expect("it listens")
    }

    /// From now on it is this operator who looks.
    async fn sign_in(&mut self, operator: OperatorId) {
        let link = one_time_link(
            &self.store,
            &*self.clock,
            &*self.randomness,
            LinkPurpose::SignIn(operator),
            Duration::from_secs(600),
        )
        .await
        .expect("a link");
        let answer = self.post(&format!("/start/{link}"), "").await;
        let cookie = answer.split("set-cookie: ").nth(1).expect("a cookie");
        self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    }

    async fn get(&self, path: &str) -> String {
        let (address, cookie) = (self.address(), &self.cookie);
        send(
            address,
            format!(
                "GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\
                 Connection: close\r\n\r\n"
            ),
        )
        .await
    }

    async fn post(&self, path: &str, body: &str) -> String {
        let (address, cookie) = (self.address(), &self.cookie);
        let length = body.len();
        send(
            address,
            format!(
                "POST {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\
                 Origin: http://{address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            ),
        )
        .await
    }

    /// Whether an answer is the page that was kept under this name.
    fn is_as_it_was(name: &str, answer: &str) -> bool {
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        assert!(head.starts_with("HTTP/1.1 200"), "{name}: {head}");
        assert!(!body.contains("<b>Ada"), "{name}: a name became markup");
        let page = settled(body);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages");
        let file = folder.join(format!("{name}.html"));
        if std::env::var_os("OFFGATE_WRITE_PAGES").is_some() {
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(&file, &page).expect("written");
        }
        std::fs::read_to_string(&file).ok().as_ref() == Some(&page)
    }
}

fn all_as_they_were(different: &[&str]) {
    assert!(
        different.is_empty(),
        "these pages are not as they were; look at them with OFFGATE_WRITE_PAGES=1: {different:?}"
    );
}

#[tokio::test]
async fn pages_are_as_they_were() {
    let house = House::new().await;
    let pages = [
        ("today", "/".to_owned()),
        ("users", "/users".to_owned()),
        ("users-nobody", "/users?q=nobody".to_owned()),
        ("create", "/users/new".to_owned()),
        ("profile", format!("/users/{USER}")),
        ("settings", format!("/users/{USER}/settings")),
        ("deactivate", format!("/users/{USER}/deactivate")),
        ("deactivated", format!("/users/{GONE}")),
        ("reactivate", format!("/users/{GONE}/reactivate")),
        ("remove", format!("/users/{GONE}/remove")),
        ("doors", "/doors".to_owned()),
        ("door", format!("/doors/{DOOR}")),
        ("door-settings", format!("/doors/{DOOR}/settings")),
        (
            "emergency-list",
            format!("/emergency-lists/new?door={DOOR}"),
        ),
        ("activity", "/activity".to_owned()),
        ("system", "/system".to_owned()),
        ("alerts", "/system/alerts".to_owned()),
        ("mail", "/system/mail".to_owned()),
        ("keys", "/system/keys".to_owned()),
        ("keys-page", "/system/keys/page".to_owned()),
        ("sign-in", "/sign-in".to_owned()),
    ];
    let mut different = Vec::new();
    for (name, path) in pages {
        if !House::is_as_it_was(name, &house.get(&path).await) {
            different.push(name);
        }
    }
    all_as_they_were(&different);
    let seen = Witnessed {
        epoch: house.store.identity().epoch,
        size: 3,
        root: TreeHash::leaf(b"another"),
        verdict: Verdict::Doubted,
    };
    let alarm = "Front door’s agent says that this server’s history is not the one it knew.";
    for (verdict, shown) in [(Verdict::Doubted, 1), (Verdict::Seen, 0)] {
        let seen = Witnessed { verdict, ..seen };
        house
            .store
            .record_witness(AGENT, seen)
            .await
            .expect("noted");
        for path in ["/", "/system"] {
            let answer = house.get(path).await;
            assert_eq!(answer.matches(alarm).count(), shown, "{path}, {verdict:?}");
        }
    }
    house.running.stop().await;
}

#[tokio::test]
async fn a_stopped_credential_that_is_tried_is_said_where_one_looks_first() {
    let house = House::new().await;
    let said = "(card) was refused at Front door at ";
    for path in ["/".to_owned(), format!("/users/{GONE}")] {
        assert!(!house.get(&path).await.contains(said), "{path}");
    }
    let event = DoorEvent {
        sequence: 1,
        at: house.clock.now(),
        door: DOOR,
        direction: Direction::In,
        presented: CredentialKind::NfcCard,
        happening: Happening::Refused {
            reason: Reason::Deactivated,
            holder: Some(Holder {
                user: GONE,
                credential: CredentialId::from_bytes(*GONE.as_bytes()),
            }),
        },
    };
    let kept = house.store.record_events(AGENT, 0, vec![event]).await;
    assert_eq!(kept.expect("kept"), Some(1));
    for path in ["/".to_owned(), format!("/users/{GONE}")] {
        let page = house.get(&path).await;
        assert!(page.contains(said), "{path}: {page}");
        assert!(page.contains("timeline-alarm"), "{path}");
    }
    assert!(!house.get(&format!("/users/{USER}")).await.contains(said));
    house.running.stop().await;
}

#[tokio::test]
async fn a_door_is_given_another_limit_a_list_and_what_it_does_after() {
    let mut house = House::new().await;
    let settings = format!("/doors/{DOOR}/settings");
    let door = |house: &House| -> Door {
        let found = house.store.read().door(DOOR).expect("an answer");
        found.expect("the door")
    };
    let chosen = |house: &House, rest: &str| {
        let revision = door(house).revision.number();
        format!("revision={revision}&name=Front+door&fail_mode=refuse-all&{rest}")
    };
    // What is no limit is refused, and what was typed stays.
    for (limit, number, unit) in [
        ("other", "9", "1"),
        ("other", "8", "86400"),
        ("", "x", "60"),
    ] {
        let body = chosen(
            &house,
            &format!("limit={limit}&number={number}&unit={unit}"),
        );
        let answer = house.post(&settings, &body).await;
        assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
        assert!(answer.contains(&format!("value=\"{number}\"")), "{answer}");
        assert!(answer.contains("From 10 seconds to 7 days."), "{answer}");
    }
    // Longer is done at once; shorter is asked about first.
    let body = chosen(&house, "limit=other&number=7&unit=86400");
    let answer = house.post(&settings, &body).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert_eq!(door(&house).lease.seconds(), 7 * 24 * 3600);
    let shorter = chosen(&house, "limit=high+security&number=7&unit=86400");
    let answer = house.post(&settings, &shorter).await;
    let mut different = Vec::new();
    if !House::is_as_it_was("door-shorten", &answer) {
        different.push("door-shorten");
    }
    assert_eq!(door(&house).lease.seconds(), 7 * 24 * 3600);
    // A yes to another length is none.
    let answer = house
        .post(&settings, &format!("{shorter}&shorter=43200"))
        .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = house
        .post(&settings, &format!("{shorter}&shorter=900"))
        .await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert_eq!(door(&house).lease, LeaseLength::HIGH_SECURITY);
    // Of a form that is older than the door nothing is done.
    let answer = house
        .post(&settings, &format!("{shorter}&shorter=900"))
        .await;
    assert!(answer.contains("Somebody changed this door"), "{answer}");

    // For a while it may be longer, with a reason and an end.
    let longer = format!("/doors/{DOOR}/longer");
    if !House::is_as_it_was("door-longer", &house.get(&longer).await) {
        different.push("door-longer");
    }
    let answer = house
        .post(
            &longer,
            "number=5&unit=60&until=2026-11-20T12:00&reason=move",
        )
        .await;
    assert!(answer.contains("This is not longer than"), "{answer}");
    let body = "number=5&unit=86400&until=2026-11-20T12:00&reason=moving+the+server";
    let answer = house.post(&longer, body).await;
    assert!(answer.contains("location: /doors/"), "{answer}");
    let page = house.get(&format!("/doors/{DOOR}?done=longer")).await;
    let said = "Works on its own for 5 days until 20 Nov 2026, 12:00, then for 15 minutes again. \
                Reason: moving the server.";
    assert!(page.contains(said), "{page}");
    let answer = house.post(&format!("{longer}/end"), "").await;
    assert!(answer.contains("?done=longer-ended"), "{answer}");
    assert!(!house.get(&settings).await.contains("Reason: moving"));

    // A list of one is refused; of two it is not, and a door can be given it.
    let list = "/emergency-lists/new";
    let one = format!("door={DOOR}&name=Keys&number=14&unit=86400&person={USER}&act=save");
    let answer = house.post(list, &one).await;
    assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
    assert!(answer.contains("has at least two people"), "{answer}");
    let find = one.replace("act=save", "act=find") + "&q=nobody";
    let found = house.post(list, &find).await;
    assert!(found.starts_with("HTTP/1.1 200"), "{found}");
    assert!(
        found.contains("Nobody else active matches “nobody”."),
        "{found}"
    );
    let two = format!("{one}&person={GONE}");
    let answer = house.post(list, &two).await;
    assert!(
        answer.contains(&format!("location: {settings}?done=list")),
        "{answer}"
    );
    let lists = house.store.read().emergency_lists().expect("lists");
    assert_eq!(lists.len(), 1);
    let body = chosen(
        &house,
        &format!("limit=ordinary&emergency_list={}", lists[0].id),
    );
    let body = body.replace("refuse-all", "emergency-list");
    let answer = house.post(&settings, &body).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert_eq!(door(&house).fail_mode, FailMode::EmergencyList(lists[0].id));
    let page = house.get(&settings).await;
    assert!(
        page.contains("Keys: 2 people, for 14 days in all"),
        "{page}"
    );

    // Whoever only looks changes nothing.
    let viewer = OperatorId::from_bytes([0x2f; 16]);
    let command = Command::CreateOperator(Operator {
        id: viewer,
        revision: Revision::ZERO,
        name: title("Vera Viewer"),
        email: Email::parse("vera@example.com").expect("an address"),
        role: Role::Viewer,
        user: None,
        password: Some(PasswordHash::from_phc("none".to_owned())),
        state: OperatorState::Open,
    });
    let id = CommandId::from_bytes([0x77; 16]);
    let outcome = house.store.execute(id, Actor::ServerCommandLine, command);
    assert!(matches!(outcome.await, Ok(Outcome::Done { .. })));
    house.sign_in(viewer).await;
    for (path, body) in [
        (settings.clone(), chosen(&house, "limit=ordinary")),
        (format!("/emergency-lists/{}", lists[0].id), two),
    ] {
        let answer = house.post(&path, &body).await;
        assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
    }
    assert_eq!(door(&house).fail_mode, FailMode::EmergencyList(lists[0].id));
    all_as_they_were(&different);
    house.running.stop().await;
}

#[tokio::test]
async fn an_end_of_access_says_beforehand_which_doors_may_not_follow_it() {
    let house = House::new().await;
    let now = house.clock.now();
    let found = house.store.read().user(USER).expect("an answer");
    let Some(UserRecord::Present(person)) = found else {
        panic!("they are there")
    };
    let ends = now.plus(Duration::from_secs(24 * 3600));
    let command = Command::EditUser {
        user: USER,
        expected: Expected::Whatever,
        profile: person.profile,
        access: AccessPeriod {
            starts: None,
            ends: Some(ends),
        },
        groups: person.groups,
        policies: person.policies,
    };
    let id = CommandId::from_bytes([0x79; 16]);
    let outcome = house.store.execute(id, Actor::ServerCommandLine, command);
    assert!(matches!(outcome.await, Ok(Outcome::Done { .. })));
    let not_told = ", and was not told of this end; if that stays so, it may admit them until";
    let told = ". It was told of this end, and follows it by its own clock; without a clock that it \
                trusts it refuses them at once.";
    let said = async |words: &str| {
        let mut times = Vec::new();
        for path in ["/".to_owned(), format!("/users/{USER}")] {
            times.push(house.get(&path).await.matches(words).count());
        }
        times
    };
    assert_eq!(
        (said(not_told).await, said(told).await),
        (vec![1, 1], vec![0, 0])
    );
    // It is heard, takes that up, and is gone again.
    let head = house.store.read().head().expect("a head");
    let statement = b"what it signed".to_vec();
    let receipt = Receipt {
        revision: head,
        up_to: head,
        above: Vec::new(),
        signature: agent_key().sign(&statement),
        statement,
    };
    let recorded = house.store.record_acknowledgement(AGENT, receipt).await;
    recorded.expect("recorded");
    assert_eq!(
        (said(not_told).await, said(told).await),
        (vec![0, 0], vec![1, 1])
    );
    for heard in [Heard::Connected, Heard::Gone] {
        let noted = house.store.record_contact(AGENT, heard).await;
        noted.expect("noted");
        let cut_off = usize::from(heard == Heard::Gone);
        assert_eq!(said(told).await, [cut_off; 2], "{heard:?}");
    }
    house.running.stop().await;
}

#[tokio::test]
async fn a_door_that_stands_open_is_told_beside_everything_it_refuses() {
    let house = House::new().await;
    let not_known =
        "Whether a door stood open then is not known: none has a contact that was heard.";
    let gone = house.get(&format!("/users/{GONE}")).await;
    assert!(gone.contains(not_known), "{gone}");
    let noted = house.store.record_contact(AGENT, Heard::Connected).await;
    noted.expect("noted");
    let open = SaidPosition {
        door: DOOR,
        position: Position::Open,
        lasts: Duration::from_secs(3600),
    };
    let noted = house.store.record_positions(AGENT, vec![open]).await;
    noted.expect("noted");
    let mut different = Vec::new();
    for (name, path) in [
        ("deactivated-door-open", format!("/users/{GONE}")),
        ("doors-open", "/doors".to_owned()),
        ("door-open", format!("/doors/{DOOR}")),
    ] {
        if !House::is_as_it_was(name, &house.get(&path).await) {
            different.push(name);
        }
    }
    all_as_they_were(&different);
    house.running.stop().await;
}

#[tokio::test]
async fn everybody_chooses_their_own_alerts() {
    let mut house = House::new().await;
    let ticked = |page: &str| -> Vec<String> {
        let boxes = page.split("name=\"alert\" value=\"").skip(1);
        boxes
            .filter(|rest| {
                rest.split('>')
                    .next()
                    .is_some_and(|it| it.contains(" checked"))
            })
            .filter_map(|rest| rest.split('"').next().map(str::to_owned))
            .collect()
    };
    let page = house.get("/system/alerts").await;
    assert_eq!(
        ticked(&page),
        ["stopped-credential-tried", "history-does-not-continue"],
        "what an owner is sent at first"
    );
    assert!(page.contains("No mail server is set up"), "{page}");
    let answer = house
        .post("/system/alerts", "alert=agent-gone&alert=nonsense")
        .await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let page = house.get("/system/alerts?done=chosen").await;
    assert_eq!(ticked(&page), ["agent-gone"]);
    assert!(page.contains("Your alerts were changed."));
    let answer = house.post("/system/alerts/test", "").await;
    assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
    assert!(answer.contains("Set up a mail server first."), "{answer}");

    let answer = house
        .post(
            "/system/alerts/webhook",
            "url=http%3A%2F%2Fexample.com&kind=agent-gone",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
    assert!(
        answer.contains("value=\"http:&#x2F;&#x2F;example.com\"")
            || answer.contains("value=\"http://example.com\""),
        "{answer}"
    );
    let url = "url=https%3A%2F%2Fexample.com%2Falerts&kind=agent-gone";
    let answer = house.post("/system/alerts/webhook", url).await;
    assert!(answer.contains("whsec_"), "shown once: {answer}");
    let answer = house.post("/system/alerts/webhook", url).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "not again: {answer}");
    let page = house.get("/system/alerts?done=webhook").await;
    assert!(!page.contains("whsec_") && page.contains("The webhook was changed."));
    assert!(House::is_as_it_was("alerts-webhook", &page));
    for (path, asked) in [
        ("secret", "Replace the webhook’s secret?</h1>"),
        ("stop", "Stop the webhook?</h1>"),
    ] {
        let page = house.get(&format!("/system/alerts/webhook/{path}")).await;
        assert!(
            page.contains(asked) && page.contains("example.com"),
            "{page}"
        );
        let action = format!("action=\"/system/alerts/webhook/{path}\"");
        assert!(page.contains(&action), "{page}");
    }
    let answer = house.post("/system/alerts/webhook/secret", "").await;
    assert!(answer.contains("whsec_"), "{answer}");
    let answer = house.post("/system/alerts/webhook/stop", "").await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let answer = house.get("/system/alerts/webhook/stop").await;
    assert!(
        answer.starts_with("HTTP/1.1 303"),
        "nothing to stop: {answer}"
    );
    let answer = house.post("/system/alerts/webhook/test", "").await;
    assert!(answer.contains("Set up a webhook first."), "{answer}");

    let viewer = OperatorId::from_bytes([0x2f; 16]);
    let command = Command::CreateOperator(Operator {
        id: viewer,
        revision: Revision::ZERO,
        name: title("Vera Viewer"),
        email: Email::parse("vera@example.com").expect("an address"),
        role: Role::Viewer,
        user: None,
        password: Some(PasswordHash::from_phc("none".to_owned())),
        state: OperatorState::Open,
    });
    let id = CommandId::from_bytes([0x77; 16]);
    let outcome = house.store.execute(id, Actor::ServerCommandLine, command);
    assert!(matches!(outcome.await, Ok(Outcome::Done { .. })));
    house.sign_in(viewer).await;
    assert_eq!(ticked(&house.get("/system/alerts").await), [""; 0]);
    let answer = house
        .post("/system/alerts", "alert=stopped-credential-tried")
        .await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let page = house.get("/system/alerts").await;
    assert_eq!(ticked(&page), ["stopped-credential-tried"]);
    let answer = house.post("/system/alerts/webhook", url).await;
    assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
    let mail = house.get("/system/mail").await;
    assert!(mail.starts_with("HTTP/1.1 403"), "{mail}");
    house.running.stop().await;
}

#[tokio::test]
async fn what_a_door_answers_is_told_and_an_answer_that_admits_is_an_alarm() {
    let house = House::new().await;
    let person = format!("/users/{GONE}");
    let alarm = "says that it would open for the card of Zoë";
    let answer = async |verdict| {
        let asked = house.post(&format!("{person}/ask"), "").await;
        assert!(asked.starts_with("HTTP/1.1 303"), "{asked}");
        let open = house
            .store
            .read()
            .open_questions(AGENT, 9, house.clock.now());
        let [question] = open.expect("an answer")[..] else {
            panic!("one question")
        };
        let waits = house.get(&person).await;
        assert!(waits.contains("Asked; 1 answer is awaited."), "{waits}");
        let identity = house.store.identity();
        let statement = statement(&Answer {
            store: identity.store,
            epoch: identity.epoch,
            revision: house.store.read().head().expect("a head"),
            hash: TableHash::EMPTY,
            question: digest_of(&question),
            credential: question.credential,
            door: question.door,
            direction: question.direction,
            said: match verdict {
                question::Verdict::Refuses(reason) => Said::Refused { reason },
                _ => Said::Granted {
                    holder: question.credential,
                },
            },
            at: house.clock.now(),
            clock: ClockTrust::Trusted,
        });
        let answer = NewAnswer {
            question: question.id,
            verdict,
            signature: agent_key().sign(&statement),
            statement,
        };
        let kept = house.store.record_answer(AGENT, answer).await;
        kept.expect("kept");
        house.clock.0.fetch_add(1_000_000, Ordering::SeqCst);
    };
    answer(question::Verdict::Admits).await;
    let today = house.get("/").await;
    assert_eq!(today.matches(alarm).count(), 1, "{today}");
    let mut different = Vec::new();
    if !House::is_as_it_was("deactivated-would-open", &house.get(&person).await) {
        different.push("deactivated-would-open");
    }
    answer(question::Verdict::Refuses(Reason::Deactivated)).await;
    assert_eq!(house.get("/").await.matches(alarm).count(), 0);
    if !House::is_as_it_was("deactivated-asked", &house.get(&person).await) {
        different.push("deactivated-asked");
    }
    let (identity, head) = (house.store.identity(), house.store.read().head());
    let head = head.expect("a head");
    let statement = Acknowledgement {
        store: identity.store,
        epoch: identity.epoch,
        revision: head,
        hash: TableHash::EMPTY,
        doors: vec![DOOR],
        above: Vec::new(),
    }
    .statement();
    let receipt = Receipt {
        revision: head,
        up_to: head,
        above: Vec::new(),
        signature: agent_key().sign(&statement),
        statement,
    };
    let recorded = house.store.record_acknowledgement(AGENT, receipt).await;
    recorded.expect("recorded");
    let proof = format!("{person}/proof");
    if !House::is_as_it_was("proof", &house.get(&proof).await) {
        different.push("proof");
    }
    all_as_they_were(&different);
    let nothing = house.get(&format!("/users/{USER}/proof")).await;
    assert!(nothing.starts_with("HTTP/1.1 404"), "{nothing}");
    // Nobody asks about somebody whom nothing is to be refused.
    let asked = house.post(&format!("/users/{USER}/ask"), "").await;
    assert!(asked.starts_with("HTTP/1.1 303"), "{asked}");
    let open = house
        .store
        .read()
        .open_questions(AGENT, 9, house.clock.now());
    let theirs = CredentialId::from_bytes(*USER.as_bytes());
    let open = open.expect("an answer");
    assert!(open.iter().all(|question| question.credential != theirs));
    house.running.stop().await;
}

#[tokio::test]
async fn a_stolen_agent_is_reported_and_the_pins_it_knew_are_renewed_once() {
    let mut house = House::new().await;
    let pin = Pin::parse("739156").expect("a PIN");
    let salt = house.store.identity().pin_salt;
    let known = CredentialId::from_bytes([0x21; 16]);
    let add = Command::AddCredential {
        user: USER,
        credential: NewCredential {
            id: known,
            label: None,
            means: NewMeans::Pin(PinCandidate::new(&pin, &salt)),
        },
    };
    let viewer = Operator {
        id: OperatorId::from_bytes([0x2f; 16]),
        revision: Revision::ZERO,
        name: title("Vera Viewer"),
        email: Email::parse("vera@example.com").expect("an address"),
        role: Role::Viewer,
        user: None,
        password: Some(PasswordHash::from_phc("none".to_owned())),
        state: OperatorState::Open,
    };
    let vera = viewer.id;
    for (number, command) in [(101, add), (102, Command::CreateOperator(viewer))] {
        let id = CommandId::from_bytes([number; 16]);
        let outcome = house.store.execute(id, Actor::ServerCommandLine, command);
        assert!(matches!(outcome.await, Ok(Outcome::Done { .. })));
    }
    let stolen = format!("/system/agents/{AGENT}/stolen");
    let mut different = Vec::new();
    if !House::is_as_it_was("agent-stolen", &house.get(&stolen).await) {
        different.push("agent-stolen");
    }
    let command = format!("command={}", CommandId::from_bytes([103; 16]));
    let reported = house.post(&stolen, &command).await;
    let token = reported.split("<code class=\"code-box\">").nth(1);
    let token = token.and_then(|rest| rest.split('<').next());
    let token = token.expect("a token").to_owned();
    if !House::is_as_it_was("agent-stolen-done", &reported) {
        different.push("agent-stolen-done");
    }
    let again = house.post(&stolen, &command).await;
    assert!(!again.contains(&token), "it is shown once");
    let tokens = house.store.read().join_tokens().expect("tokens");
    assert_eq!(tokens.len(), 2, "and one is made");

    let notice = "1 PIN can be found out by whoever has a stolen agent, and still opens doors.";
    let tag = "renew it</span>";
    let settings = format!("/users/{USER}/settings");
    let profile = format!("/users/{USER}");
    for (path, words) in [
        ("/", notice),
        ("/system", notice),
        (&profile, tag),
        (&settings, tag),
    ] {
        assert_eq!(house.get(path).await.matches(words).count(), 1, "{path}");
    }
    if !House::is_as_it_was("pins", &house.get("/system/pins").await) {
        different.push("pins");
    }
    let renew = format!("credential={known}");
    house.sign_in(vera).await;
    let refused = house.post("/system/pins/renew", &renew).await;
    assert!(refused.contains("Not renewed. This needs the role administrator."));
    for path in ["/system/keys", "/system/keys/page"] {
        let answer = house.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{path} is for owners");
    }
    let fingerprint = "<code class=\"code-box\">";
    assert!(house.get("/system").await.contains(fingerprint));

    house.sign_in(OPERATOR).await;
    let renewed = house.post("/system/pins/renew", &renew).await;
    let new = renewed.split("<code class=\"new-pin\">").nth(1);
    let new = new.and_then(|rest| rest.split('<').next());
    let new = Pin::parse(new.expect("a PIN")).expect("a PIN");
    assert!(renewed.contains("no-store"), "no copy stays in the browser");
    if !House::is_as_it_was("pins-renewed", &renewed) {
        different.push("pins-renewed");
    }
    let held = house
        .store
        .read()
        .credentials_of(USER)
        .expect("credentials");
    assert!(held.iter().any(
        |held| matches!(held.means, Means::Pin { digest, .. } if digest == new.digest(&salt))
    ));
    let once_more = house.post("/system/pins/renew", &renew).await;
    assert!(once_more.contains("Nothing was renewed now."));
    for path in ["/", "/system", &profile, &settings, "/activity"] {
        let answer = house.get(path).await;
        for gone in [notice, tag, new.digits()] {
            assert!(!answer.contains(gone), "{path}");
        }
    }
    assert!(house.get("/system/pins").await.contains("<h2>None</h2>"));
    for file in std::fs::read_dir(house.folder.path()).expect("a folder") {
        let file = file.expect("a file").path();
        if file.is_file() {
            let bytes = std::fs::read(&file).expect("bytes");
            let digits = new.digits().as_bytes();
            assert!(
                !bytes.windows(digits.len()).any(|it| it == digits),
                "{file:?}"
            );
        }
    }
    all_as_they_were(&different);
    house.running.stop().await;
}

#[tokio::test]
async fn a_table_that_is_not_the_one_it_should_be_is_told_until_a_week_after_it_was_mended() {
    let house = House::new().await;
    let told = "agent had another table than it should have";
    assert_eq!(house.get("/").await.matches(told).count(), 0);
    let head = house.store.read().head().expect("a head");
    let another = Disagreement::Another(head);
    let recorded = house.store.record_disagreement(AGENT, another).await;
    recorded.expect("recorded");
    let today = house.get("/").await;
    assert_eq!(today.matches(told).count(), 1, "{today}");
    assert_eq!(
        today
            .matches("nothing it says it refuses is believed")
            .count(),
        1
    );
    let receipt = Receipt {
        revision: head,
        up_to: head,
        above: Vec::new(),
        statement: b"said".to_vec(),
        signature: [9; 64],
    };
    let recorded = house.store.record_acknowledgement(AGENT, receipt).await;
    recorded.expect("recorded");
    let mended = house.get("/").await;
    assert_eq!(mended.matches("has acknowledged the right one").count(), 1);
    assert_eq!(mended.matches("is believed").count(), 0);
    let week = 7 * 24 * 3600 * 1_000_000;
    house.clock.0.fetch_add(week, Ordering::SeqCst);
    assert_eq!(house.get("/").await.matches(told).count(), 0);
    house.running.stop().await;
}
