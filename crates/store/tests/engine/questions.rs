//! Questions to doors: when they are put, how long they wait, and what is kept of the answers.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use offgate_core::command::{Command, Unconfirmed};
use offgate_core::credential::{CardToken, CredentialKind};
use offgate_core::parameters::{Clock as _, Revision};
use offgate_core::place::Direction;
use offgate_core::question::{LIFE, Question, Verdict};
use offgate_core::table::admission::{Presented, Reason};
use offgate_core::text::Note;
use offgate_store::questions::{KeptAnswer, NewAnswer, RefusedCredential, newest};

use crate::organisation::*;

/// Ada, who may pass the door of agent 1.
fn with_ada(directory: &std::path::Path, seed: u64) -> Opened {
    let opened = furnished(directory, seed);
    opened.done(create(
        1,
        BTreeSet::from([group(1)]),
        BTreeSet::new(),
        "Ada",
    ));
    opened
}

fn acknowledge(opened: &Opened, number: u8, revision: Revision) {
    tokio_runtime()
        .block_on(
            opened
                .store
                .record_acknowledgement(agent(number), receipt(revision)),
        )
        .expect("recorded");
}

fn open_questions(opened: &Opened, number: u8) -> Vec<Question> {
    let reader = opened.store.read();
    reader
        .open_questions(agent(number), 100, opened.clock.now())
        .expect("an answer")
}

fn answer(opened: &Opened, number: u8, question: &Question, verdict: Verdict) {
    let answer = NewAnswer {
        question: question.id,
        verdict,
        statement: verdict.name().as_bytes().to_vec(),
        signature: [3; 64],
    };
    tokio_runtime()
        .block_on(opened.store.record_answer(agent(number), answer))
        .expect("recorded");
}

fn later(opened: &Opened, microseconds: i64) {
    opened.clock.0.fetch_add(microseconds, Ordering::SeqCst);
}

fn said(opened: &Opened, revision: Revision) -> Vec<Verdict> {
    let answers = opened.store.read().answers(user(1), revision);
    let answers = answers.expect("an answer");
    newest(&answers)
        .into_iter()
        .map(|answer| answer.verdict)
        .collect()
}

fn alarms(opened: &Opened) -> Vec<KeptAnswer> {
    let reader = opened.store.read();
    reader.admitting_answers().expect("an answer")
}

const DEACTIVATED: Verdict = Verdict::Refuses(Reason::Deactivated);

#[test]
fn a_door_is_asked_when_it_confirms_and_its_answer_takes_the_questions_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_ada(directory.path(), 500);
    let refusal = opened.done(deactivate(1));
    assert_eq!(open_questions(&opened, 1), [], "it has not confirmed");
    acknowledge(&opened, 1, Revision::new(refusal.number() - 1));
    assert_eq!(open_questions(&opened, 1), [], "something else");
    acknowledge(&opened, 1, refusal);
    let asked = open_questions(&opened, 1);
    let [question] = asked[..] else {
        panic!("{asked:?}")
    };
    let card = Presented::NfcCard(CardToken::parse("CARD0001").expect("a token"));
    assert_eq!(
        question,
        Question {
            id: question.id,
            credential: credential(1),
            sought: card.sought(&hash_key(1)),
            door: door(1),
            direction: Direction::In,
        }
    );
    assert_eq!(open_questions(&opened, 2), [], "another agent");
    acknowledge(&opened, 1, refusal);
    assert_eq!(open_questions(&opened, 1), [question], "once");
    // Another agent answers nothing of it, and neither does an answer that nobody asked for.
    answer(&opened, 2, &question, DEACTIVATED);
    assert_eq!(open_questions(&opened, 1), [question]);
    answer(&opened, 1, &question, DEACTIVATED);
    assert_eq!(open_questions(&opened, 1), []);
    later(&opened, 1);
    answer(&opened, 1, &question, Verdict::Admits);
    assert_eq!(
        opened
            .store
            .read()
            .answers(user(1), refusal)
            .expect("an answer"),
        [KeptAnswer {
            user: user(1),
            refused: RefusedCredential {
                credential: credential(1),
                revision: refusal,
            },
            kind: CredentialKind::NfcCard,
            door: door(1),
            agent: agent(1),
            verdict: DEACTIVATED,
            received_at: opened
                .clock
                .now()
                .minus(std::time::Duration::from_micros(1)),
            statement: b"refuses".to_vec(),
            signature: [3; 64],
        }]
    );
    assert_eq!(alarms(&opened), []);
}

#[test]
fn a_lost_card_is_asked_about_and_nothing_else_of_its_holder() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_ada(directory.path(), 501);
    assert_eq!(opened.store.ask_doors_blocking(user(1)).expect("asked"), 0);
    let lost = opened.done(Command::ReportLost {
        credential: credential(1),
    });
    acknowledge(&opened, 1, lost);
    let [question] = open_questions(&opened, 1)[..] else {
        panic!("one")
    };
    answer(&opened, 1, &question, Verdict::Refuses(Reason::Lost));
    assert_eq!(said(&opened, lost), [Verdict::Refuses(Reason::Lost)]);
    let lost_by = || opened.store.read().lost_by(credential(1));
    assert_eq!(lost_by().expect("an answer"), Some(lost));
    opened.done(deactivate(1));
    assert_eq!(lost_by().expect("an answer"), Some(lost), "by that still");
    opened.done(Command::ReactivateUser { user: user(1) });
    opened.done(Command::ReportFound {
        credential: credential(1),
    });
    assert_eq!(opened.store.ask_doors_blocking(user(1)).expect("asked"), 0);
    assert_eq!(lost_by().expect("an answer"), None, "found again");
}

#[test]
fn an_answer_that_admits_is_an_alarm_until_the_door_says_something_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_ada(directory.path(), 502);
    let refusal = opened.done(deactivate(1));
    let ask = || {
        later(&opened, 1);
        assert_eq!(opened.store.ask_doors_blocking(user(1)).expect("asked"), 1);
        assert_eq!(
            opened.store.ask_doors_blocking(user(1)).expect("asked"),
            1,
            "it waits already"
        );
        let [question] = open_questions(&opened, 1)[..] else {
            panic!("one")
        };
        question
    };
    answer(&opened, 1, &ask(), Verdict::Admits);
    let [alarm] = &alarms(&opened)[..] else {
        panic!("one")
    };
    assert_eq!((alarm.user, alarm.door), (user(1), door(1)));
    assert_eq!(said(&opened, refusal), [Verdict::Admits]);
    answer(&opened, 1, &ask(), DEACTIVATED);
    assert_eq!(alarms(&opened), []);
    assert_eq!(said(&opened, refusal), [DEACTIVATED]);
    let kept = opened.store.read().answers(user(1), refusal);
    assert_eq!(kept.expect("an answer").len(), 2, "and what it said before");
    // Somebody else's card is no alarm of hers.
    answer(&opened, 1, &ask(), Verdict::AdmitsAnother);
    assert_eq!(alarms(&opened), []);
    answer(&opened, 1, &ask(), Verdict::Admits);
    assert_eq!(alarms(&opened).len(), 1);
    // Admitted again, that is as it should be.
    opened.done(Command::ReactivateUser { user: user(1) });
    assert_eq!(alarms(&opened), []);
    let again = opened.done(deactivate(1));
    assert_eq!(alarms(&opened), [], "of another refusal");
    answer(&opened, 1, &ask(), Verdict::Admits);
    let unconfirmed = Unconfirmed::Override(Note::parse("gone").expect("a note"));
    let removal = opened.done(Command::RemoveUser {
        user: user(1),
        unconfirmed,
    });
    assert_eq!(alarms(&opened).len(), 1, "removed, and the door may open");
    assert_eq!(said(&opened, again), [Verdict::Admits]);
    later(&opened, 1);
    acknowledge(&opened, 1, removal);
    assert_eq!(alarms(&opened), [], "it has a table without them");
    assert_eq!(said(&opened, again), [Verdict::Admits], "that stays");
}

#[test]
fn questions_go_with_their_time_and_their_credential() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = with_ada(directory.path(), 503);
    opened.done(deactivate(1));
    let asked = || opened.store.ask_doors_blocking(user(1)).expect("asked");
    let open = || {
        let reader = opened.store.read();
        reader
            .open_question_count(user(1), opened.clock.now())
            .expect("an answer")
    };
    assert_eq!((asked(), open()), (1, 1));
    let before = open_questions(&opened, 1);
    later(&opened, LIFE.as_micros() as i64);
    assert_eq!((open_questions(&opened, 1), open()), (vec![], 0));
    assert_eq!((asked(), open()), (1, 1));
    assert_ne!(open_questions(&opened, 1), before, "another question");
    let removal = Command::RemoveUser {
        user: user(1),
        unconfirmed: Unconfirmed::Override(Note::parse("gone").expect("a note")),
    };
    opened.done(removal);
    assert_eq!((open_questions(&opened, 1), open()), (vec![], 0));
    assert_eq!(asked(), 0, "nothing is left to ask about");
}
