//! A running server with the organisation, and the operator who looks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use offgate_core::id::{CommandId, OperatorId};
use offgate_core::parameters::{Boot, Clock, Randomness, Timestamp, Uptime};
use offgate_server::{Keys, LogSigner, Making, ServerSettings, one_time_link};
use offgate_store::sign_in::LinkPurpose;
use offgate_store::{Heard, Outcome, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::organisation::{AGENT, OPERATOR, organisation};

pub(crate) struct FakeClock(pub(crate) AtomicI64);
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
pub(crate) struct Counter(AtomicU64);
impl Randomness for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = (self.0.fetch_add(37, Ordering::SeqCst) % 251) as u8;
        }
    }
}

/// A running server with the organisation, and an owner who is signed in.
pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) randomness: Arc<Counter>,
    pub(crate) store: Store,
    pub(crate) running: offgate_server::Running,
    pub(crate) cookie: String,
}

pub(crate) async fn send(address: SocketAddr, request: String) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("answered");
    String::from_utf8(bytes).expect("text")
}

impl House {
    pub(crate) async fn new() -> Self {
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

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.http_address().expect("it listens")
    }

    /// From now on it is this operator who looks.
    pub(crate) async fn sign_in(&mut self, operator: OperatorId) {
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

    pub(crate) async fn get(&self, path: &str) -> String {
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

    pub(crate) async fn post(&self, path: &str, body: &str) -> String {
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
}
