//! The webhook, over real sockets.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use offgate_core::alert::{Alert, AlertKind};
use offgate_core::command::Command;
use offgate_core::confirmation::Alone;
use offgate_core::id::{AgentId, DoorId};
use offgate_core::mail::{Authorities, Hurdle};
use offgate_core::parameters::{Clock as _, Timestamp};
use offgate_core::records::Records as _;
use offgate_core::webhook::{Webhook, WebhookAddress, WebhookState};
use offgate_server::{WebhookSecret, send_test_webhook};
use offgate_store::outbox::OutboxState;
use serde_json::Value;

use crate::webhook_listener::{Answer, Asked, Listener};
use crate::{House, START, wait_until};

const MINUTE: Duration = Duration::from_secs(60);

/// Where a listener of these tests is.
fn webhook(listener: &Listener, scheme: &str, authority: Option<&str>) -> Webhook {
    let address = format!("{scheme}://localhost:{}/doors?token=planted", listener.port);
    Webhook {
        address: WebhookAddress::parse(&address).expect("an address"),
        kinds: AlertKind::ALL.into_iter().collect(),
        authorities: authority.map(|it| Authorities::parse(it).expect("a certificate")),
        state: WebhookState::Open,
    }
}

fn gone(second: i64) -> Alert {
    Alert::AgentGone {
        agent: AgentId::from_bytes([1; 16]),
        silent_since: Timestamp::from_seconds(START + second),
        doors: vec![(DoorId::from_bytes([2; 16]), Alone::KeepsLastTable)],
    }
}

impl House {
    async fn set_up_webhook(&self, webhook: &Webhook) -> WebhookSecret {
        self.done(Command::SetUpWebhook(Box::new(webhook.clone())))
            .await;
        self.another_secret(webhook)
    }

    fn another_secret(&self, webhook: &Webhook) -> WebhookSecret {
        let now = self.clock.now();
        self.keys
            .replace_webhook_secret(&webhook.address, now, &*self.randomness)
            .expect("kept")
    }

    async fn raise(&self, second: i64) {
        self.store.raise(vec![gone(second)]).await.expect("raised");
    }

    fn webhook_outbox(&self) -> OutboxState {
        self.store.read().webhook_outbox().expect("an answer")
    }
}

/// Whether this secret signed what was sent, judged by the specification.
fn is_signed(asked: &Asked, secret: &WebhookSecret) -> bool {
    let text = secret.text();
    let key = text.strip_prefix("whsec_").expect("a secret");
    let key = BASE64.decode(key.as_bytes()).expect("base64");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let (id, at) = (
        asked.header("webhook-id"),
        asked.header("webhook-timestamp"),
    );
    let signed = hmac::sign(&key, format!("{id}.{at}.{}", asked.body).as_bytes());
    let expected = format!("v1,{}", BASE64.encode(signed.as_ref()));
    asked
        .header("webhook-signature")
        .split(' ')
        .any(|signature| signature == expected)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_arrives_signed() {
    for (tls, scheme) in [(true, "https"), (false, "http")] {
        let listener = Listener::start(tls);
        let house = House::open().await;
        let webhook = webhook(&listener, scheme, Some(&listener.authority));
        let first = house.set_up_webhook(&webhook).await;
        house.raise(0).await;
        wait_until("it arrives", || listener.asked().len() == 1).await;
        let asked = listener.asked()[0].clone();
        assert_eq!(asked.first_line, "POST /doors?token=planted HTTP/1.1");
        for (name, value) in [
            ("host", format!("localhost:{}", listener.port)),
            ("content-type", "application/json".to_owned()),
            ("webhook-timestamp", START.to_string()),
        ] {
            assert_eq!(asked.header(name), value, "{name}");
        }
        assert!(asked.header("webhook-id").starts_with("msg_"));
        assert!(is_signed(&asked, &first));
        let body: Value = serde_json::from_str(&asked.body).expect("JSON");
        assert_eq!(body["type"], "alert.agent_gone");
        assert_eq!(body["timestamp"], "2026-11-18T11:06:40Z");
        assert_eq!(
            body["data"]["agent"]["id"],
            "01010101-0101-0101-0101-010101010101"
        );
        assert_eq!(body["data"]["doors"][0]["keeps_last_table"], true);
        wait_until("it is noted", || house.webhook_outbox().last_sent.is_some()).await;
        assert_eq!(house.webhook_outbox().waiting, 0);

        // Both secrets for a day, then the new one alone.
        let second = house.another_secret(&webhook);
        house.raise(1).await;
        wait_until("it arrives", || listener.asked().len() == 2).await;
        let asked = listener.asked()[1].clone();
        assert!(is_signed(&asked, &first) && is_signed(&asked, &second));
        house.pass(Duration::from_secs(24 * 3600));
        house.raise(2).await;
        wait_until("it arrives", || listener.asked().len() == 3).await;
        let asked = listener.asked()[2].clone();
        assert!(!is_signed(&asked, &first) && is_signed(&asked, &second));
        house.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_taken_is_tried_again_and_nothing_is_followed() {
    let listener = Listener::start(true);
    let house = House::open().await;
    let webhook = webhook(&listener, "https", Some(&listener.authority));
    house.set_up_webhook(&webhook).await;
    let mut tried = 0;
    house.raise(0).await;
    for (answer, hurdle, said) in [
        (Answer::Status(500), Hurdle::WebhookRefused, "500"),
        (Answer::Status(404), Hurdle::WebhookRefused, "404"),
        (Answer::Elsewhere, Hurdle::WebhookRedirects, "307"),
        (Answer::EndlessHead, Hurdle::WebhookCutOff, ""),
    ] {
        listener.answer(answer);
        house.pass(MINUTE * 60 * 6);
        tried += 1;
        wait_until("it does not go", || {
            let problem = house.webhook_outbox().problem;
            problem.is_some_and(|it| it.hurdle == hurdle && it.said.as_str().starts_with(said))
                && listener.asked().len() == tried
        })
        .await;
    }
    let ids: Vec<_> = listener
        .asked()
        .iter()
        .map(|asked| {
            (
                asked.header("webhook-id").to_owned(),
                asked.first_line.clone(),
            )
        })
        .collect();
    assert!(ids.windows(2).all(|two| two[0] == two[1]), "{ids:?}");
    let moments: std::collections::BTreeSet<_> = listener
        .asked()
        .iter()
        .map(|asked| asked.header("webhook-timestamp").to_owned())
        .collect();
    assert_eq!(moments.len(), tried, "each attempt is signed anew");

    // A body without an end is nothing that is waited for.
    listener.answer(Answer::Endless);
    house.pass(MINUTE * 60 * 6);
    wait_until("it goes", || house.webhook_outbox().last_sent.is_some()).await;
    let outbox = house.webhook_outbox();
    assert_eq!((outbox.waiting, outbox.failed), (0, 0));
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gone_ends_it() {
    let listener = Listener::start(true);
    let house = House::open().await;
    let webhook = webhook(&listener, "https", Some(&listener.authority));
    house.set_up_webhook(&webhook).await;
    listener.answer(Answer::Status(500));
    house.raise(0).await;
    wait_until("it waits", || house.webhook_outbox().problem.is_some()).await;
    listener.answer(Answer::Status(410));
    house.raise(1).await;
    let state = || {
        let webhook = house.store.read().webhook().expect("an answer");
        webhook.expect("it is there").state
    };
    wait_until("it is over", || state() != WebhookState::Open).await;
    let outbox = house.webhook_outbox();
    assert_eq!((outbox.waiting, outbox.failed), (0, 2), "what waited, too");
    house.raise(2).await;
    assert_eq!(house.webhook_outbox().waiting, 0, "nobody is told");
    // Somebody listens again.
    listener.answer(Answer::Status(204));
    house.done(Command::SetUpWebhook(Box::new(webhook))).await;
    house.raise(3).await;
    wait_until("it goes", || house.webhook_outbox().last_sent.is_some()).await;
    let failed = house.store.read().failed_letters(None, 5).expect("letters");
    assert!(failed.iter().all(|letter| letter.to.is_none()));
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_said_to_whom_nobody_vouches_for() {
    let (listener, other) = (Listener::start(true), Listener::start(true));
    let house = House::open().await;
    for authority in [None, Some(other.authority.as_str())] {
        let webhook = webhook(&listener, "https", authority);
        house.set_up_webhook(&webhook).await;
        let sent = send_test_webhook(&webhook, &house.keys, &*house.clock, &*house.randomness);
        let problem = sent.await.expect_err("not trusted");
        assert_eq!(problem.hurdle, Hurdle::WebhookNotTrusted);
    }
    // A secret that was made for another address signs nothing here.
    let elsewhere = webhook(&other, "https", Some(&other.authority));
    let sent = send_test_webhook(&elsewhere, &house.keys, &*house.clock, &*house.randomness);
    let problem = sent.await.expect_err("no secret");
    assert_eq!(problem.hurdle, Hurdle::WebhookNoSecret);
    assert!(listener.asked().is_empty() && other.connections() == 0);
    let trusted = webhook(&listener, "https", Some(&listener.authority));
    house.another_secret(&trusted);
    let sent = send_test_webhook(&trusted, &house.keys, &*house.clock, &*house.randomness);
    assert_eq!(sent.await.expect("sent").as_str(), "200 OK");
    assert!(listener.asked()[0].body.contains("\"alert.test\""));
    assert_eq!(
        house.webhook_outbox(),
        OutboxState::default(),
        "past the outbox"
    );
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_hangs_holds_nobody_up() {
    let listener = Listener::start(true);
    listener.answer(Answer::Never);
    let house = House::open().await;
    let webhook = webhook(&listener, "https", Some(&listener.authority));
    house.set_up_webhook(&webhook).await;
    house.raise(0).await;
    wait_until("it is asked", || listener.asked().len() == 1).await;
    house.raise(1).await;
    house.done(Command::StopMail).await;
    assert_eq!(house.webhook_outbox().waiting, 2);
    assert_eq!(house.clock.0.load(Ordering::SeqCst), START * 1_000_000);
    let since = Instant::now();
    house.running.stop().await;
    assert!(
        since.elapsed() < Duration::from_secs(4),
        "it waits for nobody"
    );
    let outbox = house.store.read().webhook_outbox().expect("an answer");
    assert_eq!(outbox.waiting, 2, "the next server sends them");
}
