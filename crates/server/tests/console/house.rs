//! A running server, and a browser that says exactly what it is told to.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::id::{CommandId, OperatorId, UserId};
use offgate_core::operator::{Operator, OperatorState, Role};
use offgate_core::parameters::{Clock, Randomness, Revision, Timestamp};
use offgate_core::text::{Email, PersonName, Title};
use offgate_core::user::{AccessPeriod, Profile};
use offgate_server::{
    BackupSettings, Keys, LogSigner, Making, Running, ServerSettings, one_time_link, password_hash,
};
use offgate_store::sign_in::LinkPurpose;
use offgate_store::{Outcome, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const START: i64 = 1_795_000_000;
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct FakeClock(pub(crate) AtomicI64);
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microseconds(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Counter(AtomicU64);
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

pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) randomness: Arc<Counter>,
    pub(crate) running: Running,
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with_backups(None).await
    }

    /// One that is backed up into this folder.
    pub(crate) async fn with_backups(backups: Option<&Path>) -> Self {
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
            folder,
            store,
            clock,
            randomness,
            running,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.http_address().expect("it listens")
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock
            .0
            .fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub(crate) async fn done(&self, command: Command) {
        let id = CommandId::random(&*self.randomness);
        let outcome = self
            .store
            .execute(id, Actor::ServerCommandLine, command)
            .await;
        assert!(matches!(outcome, Ok(Outcome::Done { .. })), "{outcome:?}");
    }

    pub(crate) async fn operator(
        &self,
        name: &str,
        role: Role,
        user: Option<UserId>,
    ) -> OperatorId {
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

    pub(crate) async fn person(&self) -> UserId {
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

    pub(crate) async fn link(&self, purpose: LinkPurpose) -> String {
        let valid = Duration::from_secs(600);
        let secret = one_time_link(&self.store, &*self.clock, &*self.randomness, purpose, valid)
            .await
            .expect("a link");
        format!("/start/{secret}")
    }

    /// Sends one request and reads the whole answer.
    pub(crate) async fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address()).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("answered");
        Answer(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        let address = self.address();
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        ))
        .await
    }

    /// Sends a form as this site's own page does.
    pub(crate) async fn post(&self, path: &str, cookie: &str, form: &str) -> Answer {
        let origin = format!("http://{}", self.address());
        self.post_from(&origin, path, cookie, form).await
    }

    pub(crate) async fn post_from(
        &self,
        origin: &str,
        path: &str,
        cookie: &str,
        form: &str,
    ) -> Answer {
        let (address, length) = (self.address(), form.len());
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{form}"
        ))
        .await
    }

    /// Signs in and gives the cookie.
    pub(crate) async fn sign_in(&self, name: &str) -> String {
        let form =
            format!("email={name}%40example.com&password=correct+horse+battery&next=%2Fusers");
        let answer = self.post("/sign-in", "", &form).await;
        assert_eq!(answer.status(), 303, "{}", answer.0);
        assert_eq!(answer.header("location"), Some("/users"));
        answer.cookie()
    }
}

pub(crate) struct Answer(pub(crate) String);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        let status = self.0.split(' ').nth(1).unwrap_or_default();
        status.parse().unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn cookie(&self) -> String {
        let cookie = self.header("set-cookie").expect("a cookie");
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
            "{cookie}"
        );
        cookie.split(';').next().unwrap_or_default().to_owned()
    }

    pub(crate) fn says(&self, words: &str) -> bool {
        self.0.contains(words)
    }
}
