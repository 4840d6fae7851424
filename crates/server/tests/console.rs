//! The console over real sockets: who gets in, what a stranger's page may not do, what every answer
//! carries, and that it stops.

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
use offgate_core::agent::{
    Agent, AgentKey, AgentState, HashKey, JoinSecretHash, JoinToken, JoinTokenState,
};
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::credential::{CardToken, CredentialKind, DisplayNumber, NewCredential, NewMeans};
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{
    AgentId, CommandId, CredentialId, DoorId, JoinTokenId, OperatorId, ReaderId, SiteId, UserId,
};
use offgate_core::keeping::{EventRetention, Keeping};
use offgate_core::operator::{Operator, OperatorState, Role};
use offgate_core::parameters::{Clock, Randomness, Revision, Timestamp};
use offgate_core::place::{Direction, Door, LeaseLength, Reader, Site, ZoneName};
use offgate_core::records::Records as _;
use offgate_core::table::admission::{Holder, Reason};
use offgate_core::text::{Email, Note, PersonName, Title};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile};
use offgate_server::{
    BackupSettings, EXPORT_VERSION, Keys, LogSigner, Making, PersonExport, Running, ServerSettings,
    one_time_link, password_hash,
};
use offgate_store::sign_in::LinkPurpose;
use offgate_store::{Outcome, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const START: i64 = 1_795_000_000;
const PASSWORD: &str = "correct horse battery";

struct FakeClock(AtomicI64);
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microseconds(self.0.load(Ordering::SeqCst))
    }
}

struct Counter(AtomicU64);
impl Randomness for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            // Not random, but no two alike.
            let number = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
            let mixed = (number ^ (number >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}

struct House {
    _folder: tempfile::TempDir,
    store: Store,
    clock: Arc<FakeClock>,
    randomness: Arc<Counter>,
    running: Running,
}

impl House {
    async fn open() -> Self {
        Self::with_backups(None).await
    }

    /// One that is backed up into this folder.
    async fn with_backups(backups: Option<&Path>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(FakeClock(AtomicI64::new(START * 1_000_000)));
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
            backups: backups.map(|folder| BackupSettings {
                folder: folder.to_owned(),
            }),
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
        Self {
            _folder: folder,
            store,
            clock,
            randomness,
            running,
        }
    }

    fn address(&self) -> SocketAddr {
        self.running.http_address().expect("it listens")
    }

    fn pass(&self, seconds: i64) {
        self.clock
            .0
            .fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    async fn done(&self, command: Command) {
        let id = CommandId::random(&*self.randomness);
        let outcome = self
            .store
            .execute(id, Actor::ServerCommandLine, command)
            .await;
        assert!(matches!(outcome, Ok(Outcome::Done { .. })), "{outcome:?}");
    }

    async fn operator(&self, name: &str, role: Role, user: Option<UserId>) -> OperatorId {
        let id = OperatorId::random(&*self.randomness);
        self.done(Command::CreateOperator(Operator {
            id,
            revision: Revision::ZERO,
            name: Title::parse(name).expect("a name"),
            email: Email::parse(&format!("{name}@example.com")).expect("an address"),
            role,
            user: None,
            password: Some(password_hash(PASSWORD, &*self.randomness)),
            state: OperatorState::Open,
        }))
        .await;
        if user.is_some() {
            self.done(Command::LinkOperator(id, user)).await;
        }
        id
    }

    async fn person(&self) -> UserId {
        let user = UserId::random(&*self.randomness);
        let name = |text| PersonName::parse(text).expect("a name");
        self.done(Command::CreateUser {
            user,
            profile: Profile {
                first_name: name("Test"),
                last_name: name("Person"),
                preferred_name: None,
                email: None,
                phone: None,
                employee_number: None,
            },
            access: AccessPeriod::default(),
            groups: BTreeSet::new(),
            policies: InitialPolicies::SiteDefaults,
            credentials: Vec::new(),
        })
        .await;
        user
    }

    async fn link(&self, purpose: LinkPurpose) -> String {
        let valid = Duration::from_secs(600);
        let secret = one_time_link(&self.store, &*self.clock, &*self.randomness, purpose, valid)
            .await
            .expect("a link");
        format!("/start/{secret}")
    }

    /// Sends one request and reads the whole answer.
    async fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address()).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("answered");
        Answer(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        let address = self.address();
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        ))
        .await
    }

    /// Sends a form as this site's own page does.
    async fn post(&self, path: &str, cookie: &str, form: &str) -> Answer {
        let origin = format!("http://{}", self.address());
        self.post_from(&origin, path, cookie, form).await
    }

    async fn post_from(&self, origin: &str, path: &str, cookie: &str, form: &str) -> Answer {
        let (address, length) = (self.address(), form.len());
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{form}"
        ))
        .await
    }

    /// Signs in and gives the cookie.
    async fn sign_in(&self, name: &str) -> String {
        let form =
            format!("email={name}%40example.com&password=correct+horse+battery&next=%2Fusers");
        let answer = self.post("/sign-in", "", &form).await;
        assert_eq!(answer.status(), 303, "{}", answer.0);
        assert_eq!(answer.header("location"), Some("/users"));
        answer.cookie()
    }
}

struct Answer(String);

impl Answer {
    fn status(&self) -> u16 {
        let status = self.0.split(' ').nth(1).unwrap_or_default();
        status.parse().unwrap_or(0)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn cookie(&self) -> String {
        let cookie = self.header("set-cookie").expect("a cookie");
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
            "{cookie}"
        );
        cookie.split(';').next().unwrap_or_default().to_owned()
    }

    fn says(&self, words: &str) -> bool {
        self.0.contains(words)
    }
}

#[tokio::test]
async fn only_the_right_password_gets_in_and_guessing_is_slow() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let page = house.get("/users", "").await;
    assert_eq!(
        (page.status(), page.header("location")),
        (303, Some("/sign-in?next=%2Fusers"))
    );
    let cookie = house.sign_in("owner").await;
    assert_eq!(house.get("/users", &cookie).await.status(), 200);
    // A cookie that was never given out, and the name that only TLS uses, are nobody's.
    let forged = format!("offgate={}", "a".repeat(64));
    assert_eq!(house.get("/users", &forged).await.status(), 303);
    let renamed = cookie.replace("offgate=", "__Host-offgate=");
    assert_eq!(house.get("/users", &renamed).await.status(), 303);
    let wrong = "email=owner%40example.com&password=wrong+password&next=%2F";
    let nobody = "email=nobody%40example.com&password=wrong+password&next=%2F";
    let words = "do not go together";
    for form in [wrong, nobody] {
        let answer = house.post("/sign-in", "", form).await;
        assert_eq!(answer.status(), 422);
        assert!(answer.says(words), "the same words for both");
    }
    for _ in 0..5 {
        house.post("/sign-in", "", wrong).await;
    }
    let right = "email=owner%40example.com&password=correct+horse+battery&next=%2F";
    let answer = house.post("/sign-in", "", right).await;
    assert_eq!(answer.status(), 429, "even the right one has to wait now");
    house.pass(61);
    assert_eq!(house.post("/sign-in", "", right).await.status(), 303);
    let out = house.post("/sign-out", &cookie, "").await;
    assert_eq!(out.status(), 303);
    assert_eq!(
        house.get("/users", &cookie).await.status(),
        303,
        "signed out"
    );
    house.running.stop().await;
}

#[tokio::test]
async fn many_tries_at_once_count_each() {
    let house = Arc::new(House::open().await);
    house.operator("owner", Role::Owner, None).await;
    let tries = (0..20).map(|_| {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            let form = "email=owner%40example.com&password=wrong+password&next=%2F";
            house.post("/sign-in", "", form).await.status()
        })
    });
    let mut looked_at = 0;
    for answer in tries.collect::<Vec<_>>() {
        if answer.await.expect("an answer") == 422 {
            looked_at += 1;
        }
    }
    assert!(looked_at <= 6, "{looked_at} passwords were tried at once");
}

#[tokio::test]
async fn a_link_works_once_by_a_click_and_only_while_it_is_good() {
    let house = House::open().await;
    let set_up = house.link(LinkPurpose::SetUp).await;
    let second = house.link(LinkPurpose::SetUp).await;
    assert!(house.get(&set_up, "").await.says("Set up Offgate"));
    assert!(
        house.get(&set_up, "").await.says("Set up Offgate"),
        "looking does not use it up"
    );
    let short = "name=Olga&email=olga%40example.com&password=short";
    let answer = house.post(&set_up, "", short).await;
    assert_eq!(answer.status(), 422);
    assert!(answer.says("value=\"Olga\""), "what was typed stays");
    let good = "name=Olga&email=olga%40example.com&password=correct+horse+battery";
    let (one, other) = tokio::join!(house.post(&set_up, "", good), house.post(&second, "", good));
    let made = [&one, &other].map(|answer| answer.status() == 303);
    assert!(made[0] ^ made[1], "one owner of two links: {made:?}");
    assert_eq!(house.store.read().operators().expect("operators").len(), 1);
    let operator = house.store.read().operators().expect("operators")[0].id;
    let link = house.link(LinkPurpose::SignIn(operator)).await;
    let (one, other) = tokio::join!(house.post(&link, "", ""), house.post(&link, "", ""));
    let used = [&one, &other].map(|answer| answer.status() == 303);
    assert!(used[0] ^ used[1], "used once of two clicks: {used:?}");
    let late = house.link(LinkPurpose::SignIn(operator)).await;
    house.pass(601);
    assert_eq!(house.post(&late, "", "").await.status(), 410);
    house.running.stop().await;
}

#[tokio::test]
async fn another_site_can_change_nothing() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let user = house.person().await;
    let cookie = house.sign_in("owner").await;
    let before = house.store.read().head().expect("a head");
    let path = format!("/users/{user}/deactivate");
    let stranger = house
        .post_from("https://elsewhere.example", &path, &cookie, "reason=left")
        .await;
    assert_eq!(stranger.status(), 403);
    // And no page changes anything by being looked at.
    for page in ["", "/deactivate", "/settings", "/remove", "/reactivate"] {
        house.get(&format!("/users/{user}{page}"), &cookie).await;
    }
    assert_eq!(house.store.read().head().expect("a head"), before);
    let own = house.post(&path, &cookie, "reason=left").await;
    assert_eq!(own.status(), 303);
    assert!(house.store.read().head().expect("a head") > before);
    house.running.stop().await;
}

#[tokio::test]
async fn every_answer_keeps_strangers_content_out() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let cookie = house.sign_in("owner").await;
    for page in [
        "/",
        "/users",
        "/users/new",
        "/doors",
        "/activity",
        "/system",
        "/nowhere",
        "/sign-in",
    ] {
        let answer = house.get(page, &cookie).await;
        let policy = answer.header("content-security-policy").expect("a policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{page}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{page}");
    }
    assert_eq!(house.get("/nowhere", &cookie).await.status(), 404);
    house.running.stop().await;
}

/// No template has anything inline that the policy would refuse.
#[test]
fn templates_have_nothing_inline() {
    fn look(folder: &Path, seen: &mut usize) {
        for entry in std::fs::read_dir(folder).expect("templates") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                look(&path, seen);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            for forbidden in [
                " style=",
                " onclick=",
                " onload=",
                " onsubmit=",
                "javascript:",
                "<style",
            ] {
                assert!(!text.contains(forbidden), "{}: {forbidden}", path.display());
            }
            for script in text.split("<script").skip(1) {
                assert!(
                    script.contains("src=\"{{ frame.assets }}/"),
                    "{}",
                    path.display()
                );
            }
            *seen += 1;
        }
    }
    let mut seen = 0;
    look(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"),
        &mut seen,
    );
    assert!(seen > 15);
}

#[tokio::test]
async fn an_operator_is_out_with_the_person_they_are() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let user = house.person().await;
    house.operator("guard", Role::Guard, Some(user)).await;
    let cookie = house.sign_in("guard").await;
    assert_eq!(house.get("/users", &cookie).await.status(), 200);
    let asked = async |user: UserId| {
        let path = format!("/users/{user}/deactivate");
        house.get(&path, &cookie).await
    };
    let ends = "Their sign-in to the console ends.";
    assert!(asked(user).await.says(ends));
    assert!(!asked(house.person().await).await.says(ends));
    house
        .done(Command::DeactivateUser {
            user,
            reason: DeactivationReason::SecurityConcern,
            note: None,
            employment_ended_at: None,
        })
        .await;
    assert_eq!(house.get("/users", &cookie).await.status(), 303);
    let form = "email=guard%40example.com&password=correct+horse+battery&next=%2F";
    assert_eq!(house.post("/sign-in", "", form).await.status(), 422);
    house.running.stop().await;
}

#[tokio::test]
async fn roles_reach_as_far_as_the_rules_say() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    house.operator("viewer", Role::Viewer, None).await;
    house.operator("guard", Role::Guard, None).await;
    let user = house.person().await;
    let at = |act: &str| format!("/users/{user}/{act}");
    let (viewer, guard) = (house.sign_in("viewer").await, house.sign_in("guard").await);
    let answer = house.post(&at("deactivate"), &viewer, "reason=left").await;
    assert_eq!(answer.status(), 422);
    assert!(answer.says("This needs the role guard"), "{}", answer.0);
    assert_eq!(
        house
            .post(&at("deactivate"), &guard, "reason=left")
            .await
            .status(),
        303
    );
    let answer = house.post(&at("reactivate"), &guard, "").await;
    assert!(
        answer.says("This needs the role administrator"),
        "{}",
        answer.0
    );
    let answer = house.post(&at("remove"), &guard, "name=Test+Person").await;
    assert!(
        answer.says("This needs the role administrator"),
        "{}",
        answer.0
    );
    let new = "first_name=A&last_name=B&method=none";
    let answer = house.post("/users/new", &guard, new).await;
    assert_eq!(answer.status(), 422);
    assert!(
        answer.says("This needs the role administrator"),
        "{}",
        answer.0
    );
    house.running.stop().await;
}

#[tokio::test]
async fn what_cannot_be_undone_asks_again_who_it_is() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let user = house.person().await;
    let cookie = house.sign_in("owner").await;
    let at = |act: &str| format!("/users/{user}/{act}");
    house.post(&at("deactivate"), &cookie, "reason=left").await;
    house.pass(601);
    let asked = house.get(&at("remove"), &cookie).await;
    let again = format!("/sign-in/again?next=/users/{user}/remove");
    assert_eq!(asked.header("location"), Some(again.as_str()));
    let answer = house.post(&at("remove"), &cookie, "name=Test+Person").await;
    assert_eq!(answer.header("location"), Some(again.as_str()));
    let wrong = house
        .post("/sign-in/again", &cookie, "password=not+this+one&next=%2F")
        .await;
    assert_eq!(wrong.status(), 422);
    let right = house
        .post(
            "/sign-in/again",
            &cookie,
            "password=correct+horse+battery&next=%2Fusers",
        )
        .await;
    assert_eq!(right.status(), 303);
    let answer = house
        .post(&at("remove"), &cookie, "name=Somebody+Else")
        .await;
    assert!(answer.says("This is not their name"), "{}", answer.0);
    let answer = house
        .post(&at("remove"), &cookie, "name=test++PERSON")
        .await;
    assert_eq!(answer.header("location"), Some("/users?done=removed"));
    let gone = house.get(&format!("/users/{user}"), &cookie).await;
    assert_eq!(gone.status(), 410);
    assert!(!gone.says("Test Person"));
    house.running.stop().await;
}

#[tokio::test]
async fn bad_input_is_told_at_its_field_kept_and_changes_nothing() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let cookie = house.sign_in("owner").await;
    let before = house.store.read().head().expect("a head");
    let long = "x".repeat(10_000);
    let cases = [
        (format!("first_name={long}&last_name=Kept&method=none"), ">First name: At most 100 characters; this has 10000."),
        ("first_name=A%00B&last_name=Kept&method=none".to_owned(), "U+0000"),
        ("first_name=A%E2%80%AEB&last_name=Kept&method=none".to_owned(), "U+202E"),
        ("first_name=&last_name=Kept&method=none".to_owned(), ">First name: Enter something here."),
        ("first_name=A&last_name=Kept&method=pin&pin=12".to_owned(), "A PIN has 4 to 8 digits."),
        ("first_name=A&last_name=Kept&method=pin&pin=1234".to_owned(), "Choose another PIN."),
        (
            "first_name=A&last_name=Kept&method=none&access_starts=2027-05-02T08%3A00&access_ends=2027-05-01".to_owned(),
            ">Access ends: Access must end after it starts.",
        ),
        ("first_name=A&last_name=Kept&method=none&access_ends=yesterday".to_owned(), "access_ends-problem"),
        ("first_name=A&last_name=Kept&method=magic".to_owned(), "Choose one of these."),
    ];
    for (form, words) in cases {
        let answer = house.post("/users/new", &cookie, &form).await;
        assert_eq!(answer.status(), 422, "{words}");
        assert!(answer.says(words), "{words}: {}", answer.0);
        assert!(
            answer.says("value=\"Kept\""),
            "what was typed stays: {words}"
        );
    }
    let count = house
        .store
        .read()
        .user_counts(None, house.clock.now())
        .expect("counts");
    assert_eq!(count.all, 0);
    // A refused PIN is noted in the log, because guesses are counted; nothing else is.
    let after = house.store.read().head().expect("a head");
    assert!(after.number() - before.number() <= 1);
    let whole = house
        .post("/users/new", &cookie, &"x".repeat(100_000))
        .await;
    assert_eq!(whole.status(), 400);
    house.running.stop().await;
}

#[tokio::test]
async fn a_stale_form_is_kept_and_explained() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let user = house.person().await;
    let cookie = house.sign_in("owner").await;
    let path = format!("/users/{user}/settings");
    let page = house.get(&path, &cookie).await;
    let revision = page
        .0
        .split("name=\"revision\" value=\"")
        .nth(1)
        .expect("a revision");
    let revision = revision.split('"').next().unwrap_or_default().to_owned();
    let form = |first: &str, revision: &str| {
        format!("first_name={first}&last_name=Person&revision={revision}")
    };
    assert_eq!(
        house
            .post(&path, &cookie, &form("Mine", &revision))
            .await
            .status(),
        303
    );
    let stale = house.post(&path, &cookie, &form("Theirs", &revision)).await;
    assert_eq!(stale.status(), 422);
    assert!(stale.says("Somebody changed this person while you were typing"));
    assert!(stale.says("First name is “Mine” now."), "{}", stale.0);
    assert!(stale.says("value=\"Theirs\""), "what was typed stays");
    // A deactivation is never stopped by a stale form.
    let stop = house
        .post(&format!("/users/{user}/deactivate"), &cookie, "reason=left")
        .await;
    assert_eq!(stop.status(), 303);
    house.running.stop().await;
}

#[tokio::test]
async fn it_stops_at_once_with_a_stream_open() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let cookie = house.sign_in("owner").await;
    let mut stream = TcpStream::connect(house.address())
        .await
        .expect("connected");
    let address = house.address();
    let request =
        format!("GET /doors/live HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = vec![0; 4096];
    let mut seen = String::new();
    while !seen.contains("event: part") {
        let read = stream.read(&mut bytes).await.expect("answered");
        assert!(read > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    assert!(seen.contains("text/event-stream"));
    let stopped = tokio::time::timeout(Duration::from_secs(5), house.running.stop());
    assert!(stopped.await.is_ok(), "it stops within five seconds");
}

#[tokio::test]
async fn browsers_find_the_console_on_the_tls_port() {
    use rustls::pki_types::ServerName;
    let house = House::open().await;
    let pem =
        std::fs::read(house._folder.path().join("keys/console-certificate.pem")).expect("made");
    use rustls::pki_types::pem::PemObject as _;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let tcp = TcpStream::connect(house.running.address())
        .await
        .expect("connected");
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = connector.connect(name, tcp).await.expect("a handshake");
    let shown = stream
        .get_ref()
        .1
        .peer_certificates()
        .expect("a certificate")[0]
        .clone();
    let kept = rustls::pki_types::CertificateDer::pem_slice_iter(&pem).next();
    assert_eq!(
        kept.expect("one").expect("whole"),
        shown,
        "the one that is kept"
    );
    stream
        .write_all(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .expect("sent");
    let mut bytes = Vec::new();
    // The end of the stream may come without TLS saying goodbye.
    let _ = stream.read_to_end(&mut bytes).await;
    let answer = Answer(String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(answer.status(), 200, "{}", answer.0);
    assert!(answer.header("strict-transport-security").is_some());
    house.running.stop().await;
}

/// The certificate is compared byte by byte instead.
#[derive(Debug)]
struct Anything;

impl rustls::client::danger::ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// An agent with a door.
async fn agent(house: &House) -> (AgentId, DoorId) {
    let (site, door, agent) = (
        SiteId::random(&*house.randomness),
        DoorId::random(&*house.randomness),
        AgentId::random(&*house.randomness),
    );
    let title = |text| Title::parse(text).expect("a title");
    let secret = JoinSecretHash([3; 32]);
    let commands = [
        Command::CreateSite(Site {
            id: site,
            revision: Revision::ZERO,
            name: title("Works"),
            zone: ZoneName::parse("Europe/Berlin").expect("a zone"),
            default_policy: None,
        }),
        Command::CreateDoor(Door {
            id: door,
            revision: Revision::ZERO,
            site,
            name: title("Back door"),
            agent: None,
            lease: LeaseLength::ORDINARY,
            fail_mode: FailMode::RefuseAll,
            readers: vec![Reader {
                id: ReaderId::random(&*house.randomness),
                direction: Direction::In,
            }],
        }),
        Command::CreateJoinToken(JoinToken {
            id: JoinTokenId::random(&*house.randomness),
            secret,
            name: title("Agent"),
            doors: BTreeSet::from([door]),
            expires_at: house.clock.now().plus(Duration::from_secs(600)),
            state: JoinTokenState::Open,
        }),
    ];
    for command in commands {
        house.done(command).await;
    }
    let enrol = Command::EnrolAgent {
        secret,
        agent: Agent {
            id: agent,
            revision: Revision::ZERO,
            name: title("ignored"),
            key: AgentKey([5; 32]),
            hash_key: HashKey::from_bytes([6; 32]),
            enrolled_at: house.clock.now(),
            state: AgentState::Enrolled,
        },
    };
    let id = CommandId::random(&*house.randomness);
    let outcome = house
        .store
        .execute(id, Actor::JoiningAgent(agent), enrol)
        .await;
    assert!(matches!(outcome, Ok(Outcome::Done { .. })), "{outcome:?}");
    (agent, door)
}

/// Wherever door events are read it says how long they are kept, and where they are gone nothing
/// claims that there were none.
#[tokio::test]
async fn door_events_go_when_their_time_is_over_and_nothing_claims_there_were_none() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let user = house.person().await;
    let (agent, door) = agent(&house).await;
    let keeping = Keeping {
        door_events: EventRetention::from_days(30).expect("days"),
        ..Keeping::default()
    };
    house.done(Command::ChangeKeeping(keeping)).await;
    let credential = CredentialId::random(&*house.randomness);
    let event = DoorEvent {
        sequence: 1,
        at: house.clock.now().minus(Duration::from_secs(29 * 24 * 3600)),
        door,
        direction: Direction::Out,
        presented: CredentialKind::NfcCard,
        happening: Happening::WayOut {
            holder: Some(Holder { user, credential }),
        },
    };
    let recorded = house.store.record_events(agent, 0, vec![event]).await;
    recorded.expect("kept");
    let paths = [
        "/users".to_owned(),
        format!("/users/{user}"),
        format!("/users/{user}/deactivate"),
        format!("/doors/{door}"),
        "/activity".to_owned(),
        format!("/activity?user={user}&kind=doors"),
    ];
    for (passed, seen) in [(0, true), (2 * 24 * 3600, false)] {
        house.pass(passed);
        let month = Duration::from_secs(30 * 24 * 3600);
        let before = house.clock.now().minus(month);
        let forgotten = house.store.forget_events(before, 10).await;
        forgotten.expect("forgotten");
        let cookie = house.sign_in("owner").await;
        for path in &paths {
            let answer = house.get(path, &cookie).await;
            let gone = answer.says("ot on record") || answer.says("is on record");
            if path.starts_with("/users") || path.contains("kind=doors") {
                assert_eq!(gone, !seen, "{path}: {}", answer.0);
            }
            if !(seen && path.ends_with("/deactivate")) {
                assert!(answer.says("Door events are kept for 30 days."), "{path}");
            }
        }
    }
    let export = PersonExport::new(house.store.read(), user, Role::Owner, house.clock.now());
    let text: String = export.collect::<Result<_, _>>().expect("read");
    let document: serde_json::Value = serde_json::from_str(&text).expect("one document");
    assert_eq!(document["door_events_kept_days"], 30);
    assert_eq!(document["door_events"], serde_json::json!([]));
    house.running.stop().await;
}

/// Everything about somebody, in pieces of one page, which together are one document; without
/// what opens a door, and without an owner's words for those who are none.
#[tokio::test]
async fn a_persons_data_come_as_one_document_in_bounded_pieces() {
    let house = House::open().await;
    let user = house.person().await;
    let (agent, door) = agent(&house).await;
    let token = CardToken::parse("04A1B2C3D4E5F6").expect("a token");
    house
        .done(Command::AddCredential {
            user,
            credential: NewCredential {
                id: CredentialId::random(&*house.randomness),
                label: None,
                means: NewMeans::NfcCard {
                    display_number: DisplayNumber::of_token(&token),
                    token,
                },
            },
        })
        .await;
    house
        .done(Command::DeactivateUser {
            user,
            reason: DeactivationReason::Other,
            note: Some(Note::parse("took a laptop").expect("a note")),
            employment_ended_at: None,
        })
        .await;
    let credential = CredentialId::random(&*house.randomness);
    let holder = Holder { user, credential };
    const EVENTS: u64 = 1_234;
    let events = (1..=EVENTS).map(|sequence| DoorEvent {
        sequence,
        at: Timestamp::from_seconds(START + 1),
        door,
        direction: Direction::In,
        presented: CredentialKind::NfcCard,
        happening: Happening::Refused {
            reason: Reason::Deactivated,
            holder: Some(holder),
        },
    });
    house
        .store
        .record_events(agent, 0, events.collect())
        .await
        .expect("kept");
    for (role, knows) in [(Role::Owner, true), (Role::Administrator, false)] {
        let export = PersonExport::new(house.store.read(), user, role, house.clock.now());
        let pieces: Vec<String> = export.collect::<Result<_, _>>().expect("read");
        let longest = pieces.iter().map(String::len).max();
        assert!(longest < Some(200 * 1024), "{longest:?}");
        assert!(pieces.len() > 4, "pages, and not all at once");
        let text = pieces.concat();
        let document: serde_json::Value = serde_json::from_str(&text).expect("one document");
        assert_eq!(document["format"], "offgate-person");
        assert_eq!(document["version"], EXPORT_VERSION);
        assert_eq!(document["person"]["first_name"], "Test");
        assert_eq!(document["person"]["status"], "deactivated");
        let events = document["door_events"].as_array().expect("a list");
        assert_eq!(events.len() as u64, EVENTS);
        assert_eq!(events[0]["door"]["name"], "Back door");
        assert_eq!(events[0]["reason"], "deactivated");
        let log: Vec<_> = document["log"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| entry["what"].as_str().expect("a kind"))
            .collect();
        assert_eq!(
            log,
            ["user.deactivated", "credential.added", "user.created"]
        );
        assert_eq!(document["credentials"][0]["last_four"], "E5F6");
        assert!(
            !text.contains("04A1B2C3D4E5F6"),
            "the card would open the door"
        );
        assert_eq!(text.contains("took a laptop"), knows);
    }
    house.running.stop().await;
}

#[tokio::test]
async fn an_export_is_for_administrators_asks_again_and_is_on_record() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    house.operator("guard", Role::Guard, None).await;
    let user = house.person().await;
    let at = format!("/users/{user}/export");
    let guard = house.sign_in("guard").await;
    let answer = house.post(&at, &guard, "").await;
    assert_eq!(answer.status(), 422);
    assert!(
        answer.says("This needs the role administrator"),
        "{}",
        answer.0
    );
    assert!(!answer.0.contains("offgate-person"));
    let owner = house.sign_in("owner").await;
    assert_eq!(house.get(&at, &owner).await.status(), 200);
    let answer = house.post(&at, &owner, "").await;
    assert_eq!(answer.status(), 200, "{}", answer.0);
    assert_eq!(
        answer.header("content-disposition"),
        Some(format!("attachment; filename=\"person-{user}.json\"").as_str())
    );
    assert!(answer.0.contains("\"format\":\"offgate-person\""));
    assert!(
        answer.0.contains("user.exported"),
        "it is in the log, and so in itself"
    );
    house.pass(601);
    let again = format!("/sign-in/again?next=/users/{user}/export");
    for answer in [
        house.get(&at, &owner).await,
        house.post(&at, &owner, "").await,
    ] {
        assert_eq!(answer.header("location"), Some(again.as_str()));
    }
    house.running.stop().await;
}

/// Gets a page until it says this.
async fn until_it_says(house: &House, cookie: &str, path: &str, words: &str) -> Answer {
    let since = std::time::Instant::now();
    loop {
        let page = house.get(path, cookie).await;
        if page.says(words) {
            return page;
        }
        let waited = since.elapsed();
        assert!(waited < Duration::from_secs(60), "{words}: {}", page.0);
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_is_said_where_one_looks_and_one_that_is_made_too() {
    let place = tempfile::tempdir().expect("a folder");
    let taken = place.path().join("a-file");
    std::fs::write(&taken, b"in the way").expect("a file");
    let house = House::with_backups(Some(&taken)).await;
    house.operator("owner", Role::Owner, None).await;
    let cookie = house.sign_in("owner").await;
    until_it_says(&house, &cookie, "/", "No backup could be made on").await;
    let system = house.get("/system", &cookie).await;
    assert!(system.says("No backup could be made on"), "{}", system.0);
    house.running.stop().await;

    let shelf = place.path().join("shelf");
    let house = House::with_backups(Some(&shelf)).await;
    house.operator("owner", Role::Owner, None).await;
    let cookie = house.sign_in("owner").await;
    let made = "The last backup was made on";
    let system = until_it_says(&house, &cookie, "/system", made).await;
    assert!(system.says("shelf"), "{}", system.0);
    assert!(!system.says("No backup"), "{}", system.0);
    let today = house.get("/", &cookie).await;
    assert!(!today.says("backup"), "nothing to say: {}", today.0);
    house.running.stop().await;
}

#[tokio::test]
async fn owners_say_where_agents_find_the_server() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    house
        .operator("administrator", Role::Administrator, None)
        .await;
    let (owner, administrator) = (
        house.sign_in("owner").await,
        house.sign_in("administrator").await,
    );
    let path = "/system/addresses";
    let wrong = house
        .post(path, &owner, "addresses=https%3A%2F%2Fdoors.example.org")
        .await;
    assert_eq!(wrong.status(), 422);
    assert!(
        wrong.says("Addresses: A host and a port, as in"),
        "{}",
        wrong.0
    );
    assert!(wrong.says("https://doors.example.org"), "it is kept");
    let form = "addresses=doors.example.org%3A12445%0D%0Astandby.example.org%3A12445%0D%0A";
    let refused = house.post(path, &administrator, form).await;
    assert!(refused.says("This needs the role owner"), "{}", refused.0);
    let done = house.post(path, &owner, form).await;
    assert_eq!(done.header("location"), Some("/system?done=addresses"));
    let system = house.get("/system", &owner).await;
    assert!(system.says("<code>standby.example.org:12445</code>"));
    let log = house.get("/activity", &owner).await;
    assert!(log.says("told agents where to find"), "{}", log.0);
    house.running.stop().await;
}
