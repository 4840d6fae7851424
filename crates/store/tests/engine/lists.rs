//! Lists of people, the timeline, sessions: what pages ask.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use offgate_core::command::{Command, Unconfirmed};
use offgate_core::credential::CredentialKind;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::OperatorId;
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::{Clock as _, Revision, Timestamp};
use offgate_core::place::Direction;
use offgate_core::table::admission::{Holder, Reason};
use offgate_core::text::{Email, Note};
use offgate_store::activity::{About, ActivityKinds, ActivityQuery, What};
use offgate_store::sign_in::{LinkPurpose, OneTimeLink, SecretHash, Session, SignInChange};
use offgate_store::users::{UserFilter, UserOrder, UserQuery};
use offgate_store::{Confirms, Heard};

use crate::organisation::*;

const NAMES: [&str; 7] = ["Zoë", "Ada", "Émile", "Bo", "ada", "Carl", "Dörte"];

fn query(filter: UserFilter, search: Option<&str>) -> UserQuery {
    UserQuery {
        filter,
        search: search.map(str::to_owned),
        order: UserOrder::Name,
        from: None,
        limit: 2,
    }
}

fn people(opened: &Opened) {
    for (number, name) in (1..).zip(NAMES) {
        opened.done(create(
            number,
            BTreeSet::from([group(2)]),
            BTreeSet::new(),
            name,
        ));
    }
}

/// First names, page by page, forwards; and the same pages backwards.
fn pages(opened: &Opened, mut query: UserQuery) -> Vec<Vec<String>> {
    let reader = opened.store.read();
    let now = opened.clock.now();
    let names = |page: &offgate_store::users::UserPage| {
        page.rows
            .iter()
            .map(|row| row.user.profile.first_name.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    let mut pages = Vec::new();
    let mut back = None;
    loop {
        let page = reader.users(&query, now).expect("a page");
        pages.push(names(&page));
        assert_eq!(page.previous.is_some(), pages.len() > 1, "{pages:?}");
        match page.next {
            None => {
                back = back.or(page.previous);
                break;
            }
            Some(next) => {
                assert_eq!(next.to_string().parse(), Ok(next));
                query.from = Some(next);
            }
        }
    }
    let mut backwards = vec![pages.last().cloned().unwrap_or_default()];
    while let Some(before) = back {
        query.from = Some(before);
        let page = reader.users(&query, now).expect("a page");
        assert!(page.next.is_some());
        backwards.push(names(&page));
        back = page.previous;
    }
    backwards.reverse();
    assert_eq!(
        backwards.concat(),
        pages.concat(),
        "the same people either way"
    );
    pages
}

#[test]
fn people_are_listed_in_the_order_of_their_names_page_by_page() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 20);
    assert_eq!(pages(&opened, query(UserFilter::Current, None)), [[""; 0]]);
    people(&opened);
    let all = query(UserFilter::Current, None);
    assert_eq!(
        pages(&opened, all.clone()).concat(),
        ["Ada", "ada", "Bo", "Carl", "Dörte", "Émile", "Zoë"]
    );
    let descending = UserQuery {
        order: UserOrder::NameDescending,
        ..all.clone()
    };
    assert_eq!(
        pages(&opened, descending).concat(),
        ["Zoë", "Émile", "Dörte", "Carl", "Bo", "ada", "Ada"]
    );
    opened.done(deactivate(4));
    let latest = UserQuery {
        order: UserOrder::LatestChange,
        limit: 1,
        ..all
    };
    assert_eq!(pages(&opened, latest)[..2], [["Bo"], ["Dörte"]]);
}

#[test]
fn search_finds_by_the_beginnings_of_words_and_forgets_the_removed() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 21);
    people(&opened);
    let found = |search: &str| {
        let mut found = pages(&opened, query(UserFilter::All, Some(search))).concat();
        found.sort();
        found
    };
    assert_eq!(found("zoe"), ["Zoë"]);
    assert_eq!(found("DOR last"), ["Dörte"]);
    assert_eq!(found("ada"), ["Ada", "ada"]);
    assert_eq!(found("bo@example"), ["Bo"]);
    assert_eq!(found("0006"), ["Carl"], "the end of a card's number");
    assert_eq!(found("last").len(), NAMES.len());
    assert_eq!(found("la zzz"), [""; 0]);
    assert_eq!(found("\"*)("), [""; 0]);
    let reader = opened.store.read();
    let counts = |search| {
        let counts = reader
            .user_counts(search, opened.clock.now())
            .expect("counts");
        [
            counts.current,
            counts.active,
            counts.deactivated,
            counts.not_confirmed,
            counts.all,
        ]
    };
    assert_eq!(counts(None), [7, 7, 0, 0, 7]);
    opened.done(deactivate(1));
    assert_eq!(counts(None), [7, 6, 1, 1, 7]);
    assert_eq!(reader.not_confirmed_count().expect("a count"), 1);
    assert_eq!(counts(Some("zoe")), [1, 0, 1, 1, 1]);
    let runtime = tokio_runtime();
    let head = reader.head().expect("a head");
    let said = opened.store.record_acknowledgement(agent(1), receipt(head));
    runtime.block_on(said).expect("recorded");
    assert_eq!(counts(None), [7, 6, 1, 0, 7]);
    opened
        .clock
        .0
        .fetch_add(8 * 24 * 3600 * 1_000_000, Ordering::SeqCst);
    assert_eq!(
        counts(None),
        [6, 6, 1, 0, 7],
        "a week later the default list forgets"
    );
    opened.done(Command::RemoveUser {
        user: user(1),
        unconfirmed: Unconfirmed::Wait,
    });
    assert_eq!(found("zoe"), [""; 0]);
    assert_eq!(counts(None), [6, 6, 0, 0, 6]);
}

fn event(sequence: u64, at: i64, number: u8, happening: Happening) -> DoorEvent {
    DoorEvent {
        sequence,
        at: Timestamp::from_seconds(at),
        door: door(number),
        direction: Direction::In,
        presented: CredentialKind::NfcCard,
        happening,
    }
}

#[test]
fn events_are_kept_once_and_told_with_changes_in_the_order_of_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 22);
    let runtime = tokio_runtime();
    let before = opened.store.read().head().expect("a head");
    people(&opened);
    let holder = Holder {
        user: user(1),
        credential: credential(1),
    };
    let granted = Happening::Granted {
        holder,
        policy: policy(1),
    };
    let refused = Happening::Refused {
        reason: Reason::Unknown,
        holder: None,
    };
    let keep = |lost, events: Vec<DoorEvent>| {
        runtime
            .block_on(opened.store.record_events(agent(1), lost, events))
            .expect("kept")
    };
    let first = vec![
        event(1, START + 10, 1, granted),
        event(2, START + 10, 1, refused),
    ];
    assert_eq!(keep(0, first.clone()), Some(2));
    assert_eq!(keep(0, first), Some(2), "sent again, kept once");
    assert_eq!(
        keep(3, vec![event(6, START + 20, 2, granted)]),
        Some(6),
        "three were dropped"
    );
    let reader = opened.store.read();
    let seen = reader
        .last_seen(user(1))
        .expect("an answer")
        .expect("was seen");
    assert_eq!(
        (seen.door, seen.at),
        (door(2), Timestamp::from_seconds(START + 20))
    );
    let all = |about, kinds| {
        let mut query = ActivityQuery {
            about,
            kinds,
            before: None,
            limit: 2,
        };
        let mut told = Vec::new();
        loop {
            let page = reader.activity(&query).expect("a page");
            told.extend(page.items.iter().map(|item| match &item.what {
                What::Change { kind, .. } => kind.clone(),
                What::Door { event, .. } => format!("event {}", event.sequence),
                What::EventsLost { count, .. } => format!("lost {count}"),
            }));
            match page.older {
                None => return told,
                Some(older) => {
                    assert_eq!(older.to_string().parse(), Ok(older));
                    query.before = Some(older);
                }
            }
        }
    };
    assert_eq!(
        all(About::Everything, ActivityKinds::Doors),
        ["event 6", "event 2", "event 1", "lost 3"]
    );
    assert_eq!(
        all(About::Everything, ActivityKinds::RefusedAtDoors),
        ["event 2", "lost 3"]
    );
    assert_eq!(all(About::Door(door(2)), ActivityKinds::Doors), ["event 6"]);
    assert_eq!(
        all(About::User(user(1)), ActivityKinds::All),
        ["event 6", "event 1", "credential.added", "user.created"]
    );
    let everything = all(About::Everything, ActivityKinds::All);
    let head = reader.head().expect("a head").number();
    let changes = usize::try_from(head).expect("a small log");
    assert_eq!(everything.len(), changes + 4);
    assert_eq!(everything[..3], ["event 6", "event 2", "event 1"]);
    let newest = ActivityQuery {
        about: About::Everything,
        kinds: ActivityKinds::Changes,
        before: None,
        limit: 500,
    };
    let page = reader.activity(&newest).expect("a page");
    let seen = page
        .items
        .iter()
        .find(|item| matches!(item.what, What::Change { revision, .. } if revision == before))
        .expect("the change before the people");
    let newer = reader
        .activity_since(&newest, seen.cursor)
        .expect("an answer");
    assert_eq!(newer as u64, head - before.number());
}

#[test]
fn what_doors_must_say_is_found_by_its_person() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 23);
    people(&opened);
    let reader = opened.store.read();
    assert_eq!(reader.pending(user(2)).expect("an answer"), None);
    let revision = opened.done(deactivate(2));
    let pending = reader.pending(user(2)).expect("an answer").expect("one");
    assert_eq!(pending.revision, revision);
    assert_eq!(pending.confirms, Confirms::Refuse);
    assert_eq!(reader.not_confirmed(10).expect("people"), [user(2)]);
    assert_eq!(reader.doors_that_know(user(2)).expect("doors"), [door(1)]);
    opened.done(Command::ReactivateUser { user: user(2) });
    let pending = reader.pending(user(2)).expect("an answer").expect("one");
    assert_eq!(pending.confirms, Confirms::Admit);
    assert_eq!(reader.not_confirmed(10).expect("people"), []);
    assert_eq!(reader.contact(agent(1)).expect("an answer"), None);
    tokio_runtime()
        .block_on(opened.store.record_contact(agent(1), Heard::Connected))
        .expect("recorded");
    let contact = reader.contact(agent(1)).expect("an answer").expect("heard");
    assert_eq!(contact.counted_from, None);
    assert_eq!(reader.acknowledged(agent(1)).expect("an answer"), None);
}

#[test]
fn nothing_but_reactivation_ends_the_wait_for_a_refusal() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 25);
    people(&opened);
    let reader = opened.store.read();
    let lost = credential(3);
    opened.done(Command::ReportLost { credential: lost });
    opened.done(deactivate(3));
    opened.done(Command::ReportFound { credential: lost });
    let pending = reader.pending(user(3)).expect("an answer").expect("one");
    assert_eq!(pending.confirms, Confirms::Refuse);
    assert_eq!(reader.not_confirmed(10).expect("people"), [user(3)]);
    // An owner removes them all the same: the door that has not confirmed is still named.
    opened.done(Command::RemoveUser {
        user: user(3),
        unconfirmed: Unconfirmed::Override(Note::parse("agreed").expect("a note")),
    });
    assert_eq!(reader.not_confirmed(10).expect("people"), [user(3)]);
    assert_eq!(reader.not_confirmed_count().expect("a count"), 1);
    let head = reader.head().expect("a head");
    let said = opened.store.record_acknowledgement(agent(1), receipt(head));
    tokio_runtime().block_on(said).expect("recorded");
    assert_eq!(reader.not_confirmed(10).expect("people"), []);
}

#[test]
fn a_link_works_once_and_sessions_end_with_what_ends_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 24);
    let runtime = tokio_runtime();
    let store = &opened.store;
    let now = opened.clock.now();
    let later =
        |seconds: i64| Timestamp::from_microseconds(now.microseconds() + seconds * 1_000_000);
    let operator = OperatorId::from_bytes([150; 16]);
    opened.done(Command::CreateOperator(Operator {
        id: operator,
        revision: Revision::ZERO,
        name: title("Guard"),
        email: Email::parse("guard@example.com").expect("an address"),
        role: Role::Guard,
        user: None,
        password: None,
        state: OperatorState::Open,
    }));
    let (secret, old) = (SecretHash([1; 32]), SecretHash([2; 32]));
    for (secret, ends) in [(secret, 600), (old, 0)] {
        store
            .sign_in_blocking(SignInChange::LinkCreated(OneTimeLink {
                secret,
                purpose: LinkPurpose::SignIn(operator),
                expires_at: later(ends),
            }))
            .expect("made");
    }
    let reader = store.read();
    let is_for = |secret| reader.one_time_link(secret, now).expect("an answer");
    assert_eq!(is_for(secret), Some(LinkPurpose::SignIn(operator)));
    assert_eq!(is_for(old), None, "over");
    let used = runtime.block_on(async {
        let (one, other) = tokio::join!(store.use_link(secret), store.use_link(secret));
        [one.expect("an answer"), other.expect("an answer")]
    });
    assert_eq!(used.iter().flatten().count(), 1, "used once of two at once");
    let start = |token: u8| {
        let session = Session {
            token: SecretHash([token; 32]),
            operator,
            started_at: now,
            authenticated_at: now,
            expires_at: later(100),
        };
        store
            .sign_in_blocking(SignInChange::Started(session))
            .expect("started");
        session
    };
    let session = start(3);
    let open = |at| reader.session(session.token, at).expect("an answer");
    assert_eq!(open(now), Some(session));
    assert_eq!(open(later(100)), None, "over");
    for change in [
        SignInChange::Extended(session.token, later(200)),
        SignInChange::Authenticated(session.token, later(50)),
    ] {
        store.sign_in_blocking(change).expect("changed");
    }
    let extended = open(later(150)).expect("still open");
    assert_eq!(extended.authenticated_at, later(50));
    store
        .sign_in_blocking(SignInChange::Ended(session.token))
        .expect("ended");
    assert_eq!(open(now), None);
    for ends in [
        Command::SetPassword(operator, PasswordHash::from_phc("$argon2id$…".to_owned())),
        Command::EndOperator(operator),
    ] {
        start(3);
        opened.done(ends);
        assert_eq!(open(now), None);
    }
}
