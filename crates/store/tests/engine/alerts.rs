//! Alerts: written in the transaction of what causes them, once, to whoever chose them.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use offgate_core::alert::{Alert, AlertKind, PER_HOUR};
use offgate_core::command::{Command, Unconfirmed};
use offgate_core::confirmation::Alone;
use offgate_core::credential::CredentialKind;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::OperatorId;
use offgate_core::mail::NewPassword;
use offgate_core::parameters::{Clock as _, Timestamp};
use offgate_core::place::Direction;
use offgate_core::records::Records as _;
use offgate_core::table::admission::{Holder, Reason};
use offgate_core::text::Note;
use offgate_core::tree::TreeHash;
use offgate_core::webhook::{Webhook, WebhookAddress, WebhookState};
use offgate_store::{Verdict, Witnessed};

use crate::mail::server;
use crate::organisation::*;

const OWNER: OperatorId = OperatorId::from_bytes([7; 16]);
const MINUTE: Duration = Duration::from_secs(60);

fn choose(kinds: &[AlertKind]) -> Command {
    Command::ChooseAlerts(OWNER, kinds.iter().copied().collect())
}

fn refused(sequence: u64, number: u8, second: i64, reason: Reason) -> DoorEvent {
    DoorEvent {
        sequence,
        at: Timestamp::from_seconds(START + second),
        door: door(1),
        direction: Direction::In,
        presented: CredentialKind::NfcCard,
        happening: Happening::Refused {
            reason,
            holder: Some(Holder {
                credential: credential(number),
                user: user(number),
            }),
        },
    }
}

fn webhook() -> Webhook {
    Webhook {
        address: WebhookAddress::parse("https://alerts.example.com/doors").expect("an address"),
        kinds: AlertKind::ALL.into_iter().collect(),
        authorities: None,
        state: WebhookState::Open,
    }
}

/// Something for every table of the webhook, since schema 14.
pub(crate) fn live_webhook(opened: &Opened) {
    opened.done(Command::SetUpWebhook(Box::new(webhook())));
}

/// Something for every table of alerts.
pub(crate) fn live(opened: &Opened) {
    opened.done(choose(&[
        AlertKind::AgentGone,
        AlertKind::StoppedCredentialTried,
    ]));
    opened.raise(gone(START));
    opened.tell(vec![refused(90, 2, 0, Reason::Deactivated)]);
}

fn gone(since: i64) -> Alert {
    Alert::AgentGone {
        agent: agent(1),
        silent_since: Timestamp::from_seconds(since),
        doors: vec![(door(1), Alone::KeepsLastTable)],
    }
}

impl Opened {
    fn raise(&self, alert: Alert) {
        tokio_runtime()
            .block_on(self.store.raise(vec![alert]))
            .expect("raised");
    }

    fn tell(&self, events: Vec<DoorEvent>) {
        tokio_runtime()
            .block_on(self.store.record_events(agent(1), 0, events))
            .expect("kept");
    }

    fn later(&self, time: Duration) {
        let microseconds = i64::try_from(time.as_micros()).expect("a short time");
        self.clock.0.fetch_add(microseconds, Ordering::SeqCst);
    }

    fn tries_due(&self) {
        let now = self.clock.now();
        if self.store.read().tries_are_due(now).expect("an answer") {
            tokio_runtime()
                .block_on(self.store.tell_tries())
                .expect("told");
        }
    }

    fn letters(&self) -> Vec<String> {
        let letters = self.store.read().waiting_letters(self.clock.now(), 100);
        let letters = letters.expect("letters").into_iter();
        letters.map(|waiting| waiting.letter.subject).collect()
    }
}

/// A store with mail, with Ada (1) and Zoë (2), who is deactivated.
fn with_mail(directory: &std::path::Path) -> Opened {
    let opened = furnished(directory, 40);
    opened.done(Command::SetUpMail(server(), NewPassword::Kept));
    for (number, name) in [(1, "Ada"), (2, "Zoë")] {
        opened.done(create(
            number,
            BTreeSet::new(),
            BTreeSet::from([policy(1), policy(2)]),
            name,
        ));
    }
    opened.done(deactivate(2));
    opened
}

#[test]
fn a_try_is_told_at_once_and_those_after_it_together() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_mail(directory.path());
    opened.tell(vec![
        refused(1, 1, 0, Reason::NoPolicy),
        refused(2, 2, 1, Reason::Deactivated),
        refused(3, 2, 2, Reason::Deactivated),
    ]);
    let first = "Refused at Front: Zoë Last";
    assert_eq!(opened.letters(), [first]);
    // The same events again, as after a lost answer.
    opened.tell(vec![
        refused(2, 2, 1, Reason::Deactivated),
        refused(3, 2, 2, Reason::Deactivated),
        refused(4, 2, 400, Reason::Deactivated),
    ]);
    opened.tries_due();
    assert_eq!(opened.letters(), [first]);
    opened.later(MINUTE * 10);
    opened.tries_due();
    let more = format!("{first}, 2 more times");
    assert_eq!(opened.letters(), [first, more.as_str()]);
    opened.tries_due();
    assert_eq!(opened.letters().len(), 2, "told once");
    // A lost card of somebody active is no less of an alarm.
    opened.tell(vec![
        refused(5, 2, 700, Reason::Deactivated),
        refused(6, 1, 701, Reason::Lost),
    ]);
    assert_eq!(opened.letters()[2..], [first, "Refused at Front: Ada Last"]);
    opened.later(MINUTE * 10);
    opened.tries_due();
    assert_eq!(opened.letters().len(), 4, "nothing came after those");
}

#[test]
fn nobody_is_drowned() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_mail(directory.path());
    let per_hour = usize::try_from(PER_HOUR).expect("a few");
    let many = (1..=40).map(|number| {
        let second = i64::try_from(number).expect("a few") * 600;
        refused(number, 2, second, Reason::Deactivated)
    });
    opened.tell(many.collect());
    assert_eq!(opened.letters().len(), per_hour);
    let last = opened
        .store
        .read()
        .waiting_letters(opened.clock.now(), 100)
        .expect("letters")
        .pop()
        .expect("the last");
    assert!(last.letter.text.contains("the last alert of this kind"));
    // Another kind is another matter, and so is another hour.
    opened.done(choose(&[
        AlertKind::AgentGone,
        AlertKind::StoppedCredentialTried,
    ]));
    opened.raise(gone(START));
    assert_eq!(opened.letters().len(), per_hour + 1);
    opened.later(MINUTE * 61);
    opened.tell(vec![refused(41, 2, 30_000, Reason::Deactivated)]);
    assert_eq!(opened.letters().len(), per_hour + 2);
}

#[test]
fn each_silence_is_told_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_mail(directory.path());
    opened.raise(gone(START));
    assert_eq!(opened.letters(), [""; 0], "nobody chose it");
    opened.done(choose(&[
        AlertKind::AgentGone,
        AlertKind::LimitPassedUnconfirmed,
    ]));
    opened.raise(gone(START));
    opened.raise(gone(START));
    let agent = "Agent 1 does not answer";
    assert_eq!(opened.letters(), [agent]);
    opened.raise(gone(START + 900));
    assert_eq!(opened.letters(), [agent, agent], "it is gone again");
    let passed = |since| Alert::LimitPassed {
        door: door(1),
        silent_since: Some(Timestamp::from_seconds(since)),
        ended_at: Timestamp::from_seconds(since + 60),
        people: 1,
        may_still_open: 0,
    };
    for since in [START, START, START + 900] {
        opened.raise(passed(since));
    }
    assert_eq!(opened.letters().len(), 4);
}

#[test]
fn a_history_that_does_not_continue_is_told_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_mail(directory.path());
    let witness = |verdict| {
        let seen = Witnessed {
            epoch: opened.store.identity().epoch,
            size: 3,
            root: TreeHash([8; 32]),
            verdict,
        };
        tokio_runtime()
            .block_on(opened.store.record_witness(agent(1), seen))
            .expect("noted");
    };
    witness(Verdict::Seen);
    assert_eq!(opened.letters(), [""; 0]);
    for _ in 0..3 {
        witness(Verdict::Doubted);
    }
    let told = "Agent 1 says that the history does not continue";
    assert_eq!(opened.letters(), [told]);
    witness(Verdict::Seen);
    witness(Verdict::Doubted);
    assert_eq!(opened.letters(), [told, told]);
}

#[test]
fn the_last_door_is_told_of_and_no_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_mail(directory.path());
    opened.done(choose(&[AlertKind::LastDoorConfirmed]));
    let acknowledge = |number| {
        let head = opened.store.read().head().expect("a head");
        let said = opened
            .store
            .record_acknowledgement(agent(number), receipt(head));
        tokio_runtime().block_on(said).expect("recorded");
    };
    acknowledge(1);
    assert_eq!(opened.letters(), [""; 0], "a door is missing");
    acknowledge(2);
    let told = "A deactivation is confirmed by 2 of 2 doors";
    assert_eq!(opened.letters(), [told]);
    acknowledge(1);
    acknowledge(2);
    assert_eq!(opened.letters(), [told]);
    // A lost card is no deactivation.
    opened.done(Command::ReportLost {
        credential: credential(1),
    });
    acknowledge(1);
    acknowledge(2);
    assert_eq!(opened.letters(), [told]);
}

#[test]
fn a_letter_that_names_somebody_goes_with_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_mail(directory.path());
    opened.tell(vec![
        refused(1, 2, 1, Reason::Deactivated),
        refused(2, 2, 2, Reason::Deactivated),
    ]);
    assert_eq!(opened.letters().len(), 1);
    opened.done(Command::RemoveUser {
        user: user(2),
        unconfirmed: Unconfirmed::Override(Note::parse("gone").expect("a note")),
    });
    assert_eq!(opened.letters(), [""; 0]);
    opened.later(MINUTE * 10);
    opened.tries_due();
    assert_eq!(opened.letters(), [""; 0], "nor what was to be told later");
}

#[test]
fn without_mail_nothing_waits_and_nothing_counts_as_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_mail(directory.path());
    opened.done(choose(&[AlertKind::AgentGone]));
    opened.done(Command::StopMail);
    opened.raise(gone(START));
    assert_eq!(opened.letters(), [""; 0]);
    opened.done(Command::SetUpMail(server(), NewPassword::Kept));
    opened.raise(gone(START));
    assert_eq!(opened.letters().len(), 1);
}

#[test]
fn a_webhook_is_told_ids_and_names_of_doors_and_nobody() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_mail(directory.path());
    opened.done(Command::StopMail);
    opened.done(Command::SetUpWebhook(Box::new(webhook())));
    opened.tell(vec![
        refused(1, 2, 1, Reason::Deactivated),
        refused(2, 2, 2, Reason::Deactivated),
    ]);
    let waiting = || {
        let notices = opened.store.read().waiting_notices(opened.clock.now(), 50);
        notices.expect("notices")
    };
    let notices = waiting();
    assert_eq!(notices.len(), 1);
    let body = &notices[0].body;
    for part in [
        "\"type\":\"alert.stopped_credential_tried\"",
        "\"name\":\"Front\"",
        &format!("\"user\":{{\"id\":\"{}\"}}", user(2)),
        "\"why\":\"deactivated\"",
        "\"times\":1",
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
    assert!(!body.contains("Zo") && !body.contains("Last"), "{body}");
    assert!(body.len() < 1_000, "{body}");
    opened.later(MINUTE * 10);
    opened.tries_due();
    assert!(waiting()[1].body.contains("\"is_first\":false"));
    // It hears of the others too, and mail that is not there is in nobody's way.
    opened.raise(gone(START));
    assert_eq!(waiting().len(), 3);
    opened.done(Command::RemoveUser {
        user: user(2),
        unconfirmed: Unconfirmed::Override(Note::parse("gone").expect("a note")),
    });
    assert_eq!(waiting().len(), 1, "what is about them goes with them");
    opened.done(Command::WebhookGone(webhook().address));
    assert_eq!(waiting(), []);
    let state = opened.store.read().webhook_outbox().expect("an answer");
    assert_eq!((state.waiting, state.failed), (0, 1));
    assert_eq!(opened.store.read().outbox().expect("an answer").failed, 0);
    let gone_at = opened.clock.now();
    let found = opened.store.read().webhook().expect("an answer");
    let expected = Webhook {
        state: WebhookState::Gone { at: gone_at },
        ..webhook()
    };
    assert_eq!(found, Some(expected));
    opened.done(Command::StopWebhook);
    assert_eq!(opened.store.read().webhook().expect("an answer"), None);
}
