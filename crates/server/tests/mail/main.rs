//! Mail and the webhook, over real sockets, to servers that behave as they are told to.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

mod listener;
mod webhook;
mod webhook_listener;

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use offgate_core::actor::Actor;
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::id::{CommandId, UserId};
use offgate_core::log_proof::LogProof;
use offgate_core::mail::{
    Authorities, CheckpointMail, Every, HostName, Hurdle, MailServer, MailUser, NewPassword,
    Problem, Protection,
};
use offgate_core::parameters::{Clock, Randomness, Timestamp};
use offgate_core::text::{Email, PersonName};
use offgate_core::user::{AccessPeriod, DeactivationReason, Profile};
use offgate_link::log_proof;
use offgate_server::{
    Keys, LogSigner, MailPassword, Making, Running, ServerSettings, send_test_mail,
};
use offgate_store::outbox::OutboxState;
use offgate_store::{Outcome, Store};

use crate::listener::{Listener, Mood, Way};

const START: i64 = 1_795_000_000;
const PASSWORD: &str = "planted horse battery";

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
    folder: tempfile::TempDir,
    store: Store,
    keys: Arc<Keys>,
    clock: Arc<FakeClock>,
    randomness: Arc<Counter>,
    running: Running,
}

impl House {
    async fn open() -> Self {
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
            http: None,
            certificate: None,
            backups: None,
            demo: None,
        };
        let running = offgate_server::start(
            settings,
            Arc::clone(&keys),
            store.clone(),
            clock.clone(),
            randomness.clone(),
        )
        .await
        .expect("it starts");
        Self {
            folder,
            store,
            keys,
            clock,
            randomness,
            running,
        }
    }

    fn pass(&self, time: Duration) {
        let microseconds = i64::try_from(time.as_micros()).expect("a short time");
        self.clock.0.fetch_add(microseconds, Ordering::SeqCst);
    }

    async fn done(&self, command: Command) {
        let id = CommandId::random(&*self.randomness);
        let outcome = self
            .store
            .execute(id, Actor::ServerCommandLine, command)
            .await;
        assert!(matches!(outcome, Ok(Outcome::Done { .. })), "{outcome:?}");
    }

    /// Has mail leave by a server, and checkpoints go to an auditor.
    async fn set_up(&self, server: MailServer) {
        self.done(Command::SetUpMail(server.clone(), NewPassword::Given))
            .await;
        let password = MailPassword::new(PASSWORD).expect("a password");
        self.keys
            .keep_mail_password(&server, &password)
            .expect("kept");
        self.done(Command::ChangeCheckpointMail(Some(CheckpointMail {
            to: email("auditor@example.com"),
            every: Every::Day,
        })))
        .await;
    }

    fn outbox(&self) -> OutboxState {
        self.store.read().outbox().expect("an answer")
    }

    /// What keeps a letter from going, once something does.
    async fn problem(&self) -> Problem {
        wait_until("a letter does not go", || self.outbox().problem.is_some()).await;
        self.outbox().problem.expect("a problem")
    }
}

/// Asks again until it is so.
async fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "not so in time: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn email(text: &str) -> Email {
    Email::parse(text).expect("an address")
}

/// The settings for a server of these tests.
fn settings(listener: &Listener, protection: Protection) -> MailServer {
    MailServer {
        host: HostName::parse("localhost").expect("a host"),
        port: NonZeroU16::new(listener.port).expect("a port"),
        protection,
        user: MailUser::parse("doors").ok(),
        sender: email("doors@example.com"),
        name: HostName::parse("doors.example.com").expect("a host"),
        authorities: Authorities::parse(&listener.authority).ok(),
    }
}

/// The name and the bytes of the file that came with a letter.
fn attached(letter: &str) -> (String, Vec<u8>) {
    let (_, file) = letter
        .split_once("Content-Disposition: attachment; filename=\"")
        .expect("a file");
    let (name, file) = file.split_once('"').expect("its name");
    let (_, file) = file.split_once("\r\n\r\n").expect("its content");
    let (file, _) = file.split_once("\r\n--").expect("its end");
    let text: String = file.split_whitespace().collect();
    (
        name.to_owned(),
        BASE64.decode(text.as_bytes()).expect("base64"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_arrives_every_day_and_shows_whose_it_is() {
    for (way, protection) in [
        (Way::Tls, Protection::Tls),
        (Way::StartTls, Protection::StartTls),
    ] {
        let listener = Listener::start(way);
        let house = House::open().await;
        house.set_up(settings(&listener, protection)).await;
        wait_until("it arrives", || listener.heard().letters.len() == 1).await;
        let letter = listener.heard().letters[0].clone();
        for line in [
            "From: doors@example.com",
            "To: auditor@example.com",
            "Date: Wed, 18 Nov 2026 11:06:40 +0000",
            "@doors.example.com>",
            "offgate audit check checkpoint-1-",
        ] {
            assert!(letter.contains(line), "{line} in\n{letter}");
        }
        let (name, bytes) = attached(&letter);
        let proof = LogProof::decode(&bytes).expect("a proof");
        let says = log_proof::check(&proof, Some(house.running.fingerprint())).expect("believed");
        assert_eq!(name, format!("checkpoint-1-{}.offgate", says.log.size));
        let newest = house.store.read().newest_checkpoint().expect("one");
        assert!(proof.checkpoint == newest);

        wait_until("it is noted", || house.outbox().last_sent.is_some()).await;
        assert_eq!(house.outbox().waiting, 0);
        house.pass(Duration::from_secs(24 * 3600));
        wait_until("the next arrives", || listener.heard().letters.len() == 2).await;

        let secret = BASE64.encode(format!("\0doors\0{PASSWORD}").as_bytes());
        {
            let heard = listener.heard();
            let signed_in = format!("AUTH PLAIN {secret}");
            assert!(
                heard.in_secret.contains(&signed_in),
                "{:?}",
                heard.in_secret
            );
            let allowed = ["EHLO doors.example.com", "STARTTLS"];
            let clear = &heard.in_the_clear;
            assert!(
                clear.iter().all(|line| allowed.contains(&line.as_str())),
                "{clear:?}"
            );
        }
        house.running.stop().await;
        assert_eq!(
            files_with(house.folder.path(), PASSWORD),
            [PathBuf::from("keys/mail-password")]
        );
        assert!(files_with(house.folder.path(), &secret).is_empty());
    }
}

/// The files below a folder in which a text is found.
fn files_with(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        for entry in std::fs::read_dir(below).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).expect("its bytes");
            let mut windows = bytes.windows(text.len());
            if windows.any(|window| window == text.as_bytes()) {
                found.push(path.strip_prefix(folder).expect("below").to_owned());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_is_refused_for_now_is_sent_a_minute_later() {
    let listener = Listener::start(Way::Tls);
    listener.behave(Mood::RefusesForNow);
    let house = House::open().await;
    house.set_up(settings(&listener, Protection::Tls)).await;
    let problem = house.problem().await;
    assert_eq!(problem.hurdle, Hurdle::RefusedForNow);
    assert_eq!(problem.said.as_str(), "451 4.7.1 come back later");
    let due = |seconds| {
        let then = house.clock.now().plus(Duration::from_secs(seconds));
        let letters = house.store.read().waiting_letters(then, 1);
        letters.expect("letters").len()
    };
    assert_eq!((due(44), due(60)), (0, 1));
    assert_eq!(listener.heard().connections, 1);
    listener.behave(Mood::Takes);
    house.pass(Duration::from_secs(60));
    wait_until("it arrives", || listener.heard().letters.len() == 1).await;
    wait_until("it is noted", || house.outbox().last_sent.is_some()).await;
    let outbox = house.outbox();
    assert_eq!(
        (outbox.waiting, outbox.failed, outbox.problem),
        (0, 0, None)
    );
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_is_refused_for_good_is_not_sent_again() {
    let listener = Listener::start(Way::StartTls);
    listener.behave(Mood::RefusesForGood);
    let house = House::open().await;
    house
        .set_up(settings(&listener, Protection::StartTls))
        .await;
    wait_until("it fails", || house.outbox().failed == 1).await;
    let failed = house.store.read().failed_letters(None, 2).expect("letters");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].problem.hurdle, Hurdle::RefusedForGood);
    let said = failed[0].problem.said.as_str();
    assert_eq!(said, "550 5.1.1 nobody of that name");
    assert_eq!((failed[0].attempts, house.outbox().waiting), (1, 0));
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_said_to_a_server_that_cannot_be_trusted_with_it() {
    let tls = Listener::start(Way::Tls);
    let clear = Listener::start(Way::Clear);
    let stranger = Listener::start(Way::StartTls);
    let unknown = |listener| MailServer {
        authorities: None,
        ..settings(listener, Protection::Tls)
    };
    let another_name = |listener| MailServer {
        host: HostName::parse("ip6-localhost").expect("a host"),
        ..settings(listener, Protection::Tls)
    };
    for (listener, settings, hurdles) in [
        (&tls, unknown(&tls), vec![Hurdle::NotTrusted]),
        // Where there is no such name it is not reached.
        (
            &tls,
            another_name(&tls),
            vec![Hurdle::NotTrusted, Hurdle::NotReached],
        ),
        (
            &stranger,
            MailServer {
                authorities: Authorities::parse(&tls.authority).ok(),
                ..settings(&stranger, Protection::StartTls)
            },
            vec![Hurdle::NotTrusted],
        ),
        (
            &clear,
            settings(&clear, Protection::StartTls),
            vec![Hurdle::NoStartTls],
        ),
        (
            &clear,
            settings(&clear, Protection::Tls),
            vec![Hurdle::CutOff],
        ),
    ] {
        let house = House::open().await;
        house.set_up(settings.clone()).await;
        let problem = house.problem().await;
        assert!(
            hurdles.contains(&problem.hurdle),
            "{problem:?} by {settings:?}"
        );
        house.running.stop().await;
        let heard = listener.heard();
        for line in heard.in_the_clear.iter().chain(&heard.in_secret) {
            let word = line.split(' ').next().unwrap_or_default();
            assert!(
                !["AUTH", "MAIL", "RCPT", "DATA"].contains(&word),
                "{line} by {settings:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_the_server_or_the_password_ends_some_day() {
    let listener = Listener::start(Way::Tls);
    let settings = settings(&listener, Protection::Tls);
    for (mood, hurdle) in [
        (Mood::CutsLetters, Hurdle::CutOff),
        (Mood::RefusesSignIn, Hurdle::SignInRefused),
    ] {
        listener.behave(mood);
        let house = House::open().await;
        house.set_up(settings.clone()).await;
        let problem = house.problem().await;
        assert_eq!(problem.hurdle, hurdle);
        // This server repeats what it was told; nothing of that is kept.
        assert!(!problem.said.as_str().contains("AUTH"), "{problem:?}");
        assert_eq!((house.outbox().waiting, house.outbox().failed), (1, 0));
        house.running.stop().await;
    }
    let house = House::open().await;
    house.set_up(settings.clone()).await;
    house.keys.forget_mail_password().expect("forgotten");
    let before = listener.heard().connections;
    let sent = send_test_mail(
        &settings,
        &house.keys,
        &email("me@example.com"),
        &*house.clock,
        &*house.randomness,
    )
    .await;
    assert_eq!(sent.map_err(|it| it.hurdle), Err(Hurdle::NoPassword));
    // The checkpoint may have gone before the password was forgotten.
    assert!(listener.heard().connections <= before + 1);
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_says_what_the_server_said() {
    let listener = Listener::start(Way::StartTls);
    let house = House::open().await;
    let settings = settings(&listener, Protection::StartTls);
    let password = MailPassword::new(PASSWORD).expect("a password");
    house
        .keys
        .keep_mail_password(&settings, &password)
        .expect("kept");
    let to = email("me@example.com");
    let send = || {
        send_test_mail(
            &settings,
            &house.keys,
            &to,
            &*house.clock,
            &*house.randomness,
        )
    };
    let said = send().await.expect("sent");
    assert_eq!(said.as_str(), "250 2.0.0 queued as 7");
    let letter = listener.heard().letters[0].clone();
    assert!(letter.contains("Subject: Test mail from the door server doors.example.com"));
    listener.behave(Mood::RefusesForGood);
    let problem = send().await.expect_err("refused");
    assert_eq!(problem.hurdle, Hurdle::RefusedForGood);
    assert_eq!(house.outbox(), OutboxState::default(), "past the outbox");
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_holds_nobody_up() {
    let listener = Listener::start(Way::Tls);
    listener.behave(Mood::Hangs);
    let house = House::open().await;
    house.set_up(settings(&listener, Protection::Tls)).await;
    wait_until("it is asked", || listener.heard().connections == 1).await;

    let user = UserId::from_bytes([7; 16]);
    let name = |text| PersonName::parse(text).expect("a name");
    house
        .done(Command::CreateUser {
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
    house
        .done(Command::DeactivateUser {
            user,
            reason: DeactivationReason::LeftTheOrganisation,
            note: None,
            employment_ended_at: None,
        })
        .await;
    // All that while nothing was answered, and the letter waits.
    let outbox = house.outbox();
    assert_eq!((outbox.waiting, outbox.problem), (1, None));
    assert_eq!(listener.heard().connections, 1);
    let since = Instant::now();
    house.running.stop().await;
    assert!(
        since.elapsed() < Duration::from_secs(4),
        "it waits for nobody"
    );
    assert_eq!(
        house.store.read().outbox().expect("an answer").waiting,
        1,
        "the next server sends it"
    );
}
