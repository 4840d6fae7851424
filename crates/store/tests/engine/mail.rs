//! The outbox: what waits, what is tried again, what is gone.

use std::sync::atomic::Ordering;
use std::time::Duration;

use offgate_core::command::{Command, Unconfirmed};
use offgate_core::id::LetterId;
use offgate_core::mail::{
    Attachment, CheckpointMail, Every, HostName, Hurdle, Letter, LetterKind, MailServer,
    NewPassword, Posting, Problem, Protection, ServerSaid,
};
use offgate_core::parameters::{Clock as _, Timestamp};
use offgate_core::records::Records as _;
use offgate_core::text::{Email, Note};
use offgate_core::user::Profile;
use offgate_store::DATABASE_FILE;
use offgate_store::outbox::{Attempt, OUTBOX_LIMIT, Posted};

use crate::organisation::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn email(text: &str) -> Email {
    Email::parse(text).expect("an address")
}

pub(crate) fn server() -> MailServer {
    MailServer {
        host: HostName::parse("mail.example.com").expect("a host"),
        port: Protection::StartTls.port(),
        protection: Protection::StartTls,
        user: None,
        sender: email("doors@example.com"),
        name: HostName::parse("doors.example.com").expect("a host"),
        authorities: None,
    }
}

fn checkpoints(to: &str) -> CheckpointMail {
    CheckpointMail {
        to: email(to),
        every: Every::Day,
    }
}

fn posting(number: u16) -> Posting {
    let mut id = [9; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    Posting {
        letter: Letter {
            id: LetterId::from_bytes(id),
            to: email("auditor@example.com"),
            subject: format!("Letter {number}"),
            text: "Plantedtext".to_owned(),
            attachment: Some(Attachment {
                name: "a file".to_owned(),
                bytes: vec![1, 2, 3],
            }),
        },
        kind: LetterKind::Checkpoint,
        about: None,
    }
}

/// Something for every table of mail.
pub(crate) fn live(opened: &Opened) {
    opened.done(Command::SetUpMail(server(), NewPassword::Kept));
    let mail = checkpoints("auditor@example.com");
    opened.done(Command::ChangeCheckpointMail(Some(mail)));
    assert_eq!(opened.post(posting(1), opened.clock.now()), Posted::Taken);
}

/// A store with a mail server, and checkpoints due to somebody.
fn with_mail(directory: &std::path::Path) -> (Opened, Timestamp) {
    let opened = furnished(directory, 30);
    opened.done(Command::SetUpMail(server(), NewPassword::Kept));
    let mail = checkpoints("auditor@example.com");
    opened.done(Command::ChangeCheckpointMail(Some(mail.clone())));
    let reader = opened.store.read();
    assert_eq!(reader.mail_server().expect("an answer"), Some(server()));
    assert_eq!(
        reader.checkpoint_mail().expect("an answer"),
        Some(mail.clone())
    );
    let due = reader.checkpoint_mail_due().expect("an answer");
    let now = opened.clock.now();
    assert_eq!(due, Some((mail, now)), "the first is due at once");
    (opened, now)
}

impl Opened {
    /// Posts a letter, the checkpoint being due at this moment and from now on at the same.
    fn post(&self, posting: Posting, due: Timestamp) -> Posted {
        tokio_runtime()
            .block_on(self.store.post_checkpoint(posting, due, due))
            .expect("an answer")
    }

    fn attempted(&self, number: u16, attempt: Attempt) {
        tokio_runtime()
            .block_on(
                self.store
                    .record_attempt(posting(number).letter.id, attempt),
            )
            .expect("noted");
    }

    fn waiting(&self) -> Vec<String> {
        let letters = self.store.read().waiting_letters(self.clock.now(), 10);
        let letters = letters.expect("letters").into_iter();
        letters.map(|waiting| waiting.letter.subject).collect()
    }

    fn pass(&self, time: Duration) {
        let microseconds = i64::try_from(time.as_micros()).expect("a short time");
        self.clock.0.fetch_add(microseconds, Ordering::SeqCst);
    }
}

fn problem(hurdle: Hurdle) -> Problem {
    Problem {
        hurdle,
        said: ServerSaid::of("451 later"),
    }
}

#[test]
fn a_letter_waits_until_it_went_or_failed() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, due) = with_mail(directory.path());
    for number in 1..=3 {
        assert_eq!(opened.post(posting(number), due), Posted::Taken);
        opened.pass(Duration::from_secs(1));
    }
    assert_eq!(opened.post(posting(1), due), Posted::Taken, "once more");
    assert_eq!(opened.waiting(), ["Letter 1", "Letter 2", "Letter 3"]);
    let waiting = opened.store.read().waiting_letters(opened.clock.now(), 1);
    let waiting = waiting.expect("letters");
    assert!(waiting[0].letter == posting(1).letter, "as it was posted");
    assert_eq!((waiting[0].created, waiting[0].attempts), (due, 0));

    let later = opened.clock.now().plus(Duration::from_secs(60));
    opened.attempted(1, Attempt::Again(problem(Hurdle::RefusedForNow), later));
    opened.attempted(2, Attempt::Accepted(ServerSaid::of("250 queued")));
    opened.attempted(3, Attempt::Failed(problem(Hurdle::RefusedForGood)));
    let sent_at = opened.clock.now();
    assert_eq!(opened.waiting(), [""; 0]);
    let state = opened.store.read().outbox().expect("an answer");
    assert_eq!((state.waiting, state.waiting_since), (1, Some(due)));
    assert_eq!(state.problem, Some(problem(Hurdle::RefusedForNow)));
    assert_eq!((state.failed, state.last_failed), (1, Some(sent_at)));
    assert_eq!(state.last_sent, Some(sent_at));

    // What ended stays as it ended.
    opened.attempted(3, Attempt::Accepted(ServerSaid::default()));
    opened.attempted(2, Attempt::Failed(problem(Hurdle::NotReached)));
    let failed = opened.store.read().failed_letters(None, 10);
    let failed = failed.expect("letters");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].id, posting(3).letter.id);
    assert_eq!((failed[0].attempts, failed[0].at), (1, sent_at));
    assert_eq!(failed[0].problem, problem(Hurdle::RefusedForGood));

    opened.pass(Duration::from_secs(59));
    assert_eq!(opened.waiting(), [""; 0], "a second too early");
    opened.pass(Duration::from_secs(1));
    let waiting = opened.store.read().waiting_letters(opened.clock.now(), 1);
    assert_eq!(waiting.expect("letters")[0].attempts, 1);
}

#[test]
fn one_checkpoint_is_posted_for_each_time_it_is_due() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, due) = with_mail(directory.path());
    let next = due.plus(DAY);
    let runtime = tokio_runtime();
    let post = |number, due| {
        let posted = opened.store.post_checkpoint(posting(number), due, next);
        runtime.block_on(posted).expect("an answer")
    };
    assert_eq!(post(1, due), Posted::Taken);
    assert_eq!(post(2, due), Posted::Outdated, "somebody else did it");
    assert_eq!(opened.waiting(), ["Letter 1"]);
    let reader = opened.store.read();
    let (_, due) = reader
        .checkpoint_mail_due()
        .expect("an answer")
        .expect("set");
    assert_eq!(due, next);
    opened.done(Command::ChangeCheckpointMail(None));
    assert_eq!(post(3, next), Posted::Outdated, "nobody wants it any more");
}

#[test]
fn the_outbox_is_bounded_and_old_letters_go() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, due) = with_mail(directory.path());
    let many = u16::try_from(OUTBOX_LIMIT).expect("a small number");
    for number in 1..=many {
        assert_eq!(opened.post(posting(number), due), Posted::Taken);
    }
    assert_eq!(opened.post(posting(many + 1), due), Posted::Full);
    for number in 1..=7 {
        opened.attempted(number, Attempt::Failed(problem(Hurdle::NoAddress)));
    }
    assert_eq!(opened.post(posting(many + 1), due), Posted::Taken);
    let reader = opened.store.read();
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let page = reader.failed_letters(before, 3).expect("letters");
        let Some(last) = page.last() else { break };
        before = Some(last.number);
        pages.push(page.iter().map(|it| it.number).collect::<Vec<_>>());
    }
    assert_eq!(pages, [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);

    let runtime = tokio_runtime();
    let forget = |at_most| {
        let before = opened.clock.now().minus(DAY * 30);
        let forgotten = opened.store.forget_letters(before, at_most);
        runtime.block_on(forgotten).expect("an answer")
    };
    opened.pass(DAY * 30);
    assert_eq!(forget(600), 0, "not older than thirty days");
    opened.pass(Duration::from_micros(1));
    assert_eq!(forget(600), 600);
    assert_eq!(forget(600), OUTBOX_LIMIT + 1 - 600);
    assert_eq!(forget(600), 0);
}

#[test]
fn without_a_server_what_waits_is_given_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, due) = with_mail(directory.path());
    opened.post(posting(1), due);
    let later = due.plus(DAY);
    opened.attempted(1, Attempt::Again(problem(Hurdle::NotReached), later));
    // Another server is tried at once.
    let mut other = server();
    other.port = Protection::Tls.port();
    opened.done(Command::SetUpMail(other, NewPassword::Kept));
    assert_eq!(opened.waiting(), ["Letter 1"]);
    opened.done(Command::StopMail);
    let reader = opened.store.read();
    assert_eq!(opened.waiting(), [""; 0]);
    assert_eq!(reader.checkpoint_mail().expect("an answer"), None);
    assert_eq!(reader.mail_server().expect("an answer"), None);
    let failed = reader.failed_letters(None, 10).expect("letters");
    assert_eq!(failed[0].problem.hurdle, Hurdle::NotSetUp);
}

/// How often a text is found in the database and the files beside it.
fn found(directory: &std::path::Path, what: &str) -> usize {
    let files = std::fs::read_dir(directory).expect("the directory");
    files
        .map(|file| file.expect("a file").path())
        .filter(|path| path.is_file())
        .map(|path| std::fs::read(path).expect("its bytes"))
        .map(|bytes| {
            bytes
                .windows(what.len())
                .filter(|window| *window == what.as_bytes())
                .count()
        })
        .sum()
}

#[test]
fn letters_about_a_person_and_to_them_go_with_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, due) = with_mail(directory.path());
    let Command::CreateUser {
        user,
        profile,
        access,
        groups,
        policies,
        credentials,
    } = create(1, [group(2)].into(), [].into(), "Ada")
    else {
        unreachable!("it is that")
    };
    let theirs = "Plantedperson@example.com";
    opened.done(Command::CreateUser {
        user,
        profile: Profile {
            email: Some(email(theirs)),
            ..profile
        },
        access,
        groups,
        policies,
        credentials,
    });
    let mail = checkpoints(&theirs.to_lowercase());
    opened.done(Command::ChangeCheckpointMail(Some(mail)));
    for (number, to, about) in [
        (1, "auditor@example.com", Some(user)),
        (2, "auditor@example.com", None),
        (3, "plantedperson@example.com", None),
        (4, "auditor@example.com", Some(user)),
    ] {
        let mut posting = posting(number);
        posting.letter.to = email(to);
        posting.letter.text = if number == 2 { "other" } else { "Plantedtext" }.to_owned();
        posting.about = about;
        opened.post(posting, due);
    }
    opened.attempted(4, Attempt::Failed(problem(Hurdle::NoAddress)));
    assert_eq!(opened.waiting(), ["Letter 1", "Letter 2", "Letter 3"]);
    for planted in ["Plantedtext", "lantedperson@"] {
        assert!(found(directory.path(), planted) > 0, "{planted}");
    }
    opened.done(deactivate(1));
    assert_eq!(opened.waiting(), ["Letter 1", "Letter 2", "Letter 3"]);
    opened.done(Command::RemoveUser {
        user,
        unconfirmed: Unconfirmed::Override(Note::parse("gone").expect("a note")),
    });
    assert_eq!(opened.waiting(), ["Letter 2"]);
    let reader = opened.store.read();
    assert_eq!(reader.failed_letters(None, 10).expect("letters"), []);
    assert_eq!(reader.checkpoint_mail().expect("an answer"), None);
    drop(reader);
    for planted in ["Plantedtext", "lantedperson@"] {
        assert_eq!(found(directory.path(), planted), 0, "{planted}");
    }
    assert!(directory.path().join(DATABASE_FILE).exists());
}
