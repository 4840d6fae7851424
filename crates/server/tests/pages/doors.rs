//! What is told of doors: their limit, what they do after it, how they stand, their tables.

use std::sync::atomic::Ordering;
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::agent::DiskState;
use offgate_core::command::{Command, Expected};
use offgate_core::disagreement::Disagreement;
use offgate_core::door_position::{Position, SaidPosition};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{CommandId, OperatorId};
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::Clock as _;
use offgate_core::parameters::Revision;
use offgate_core::place::{Door, LeaseLength};
use offgate_core::records::Records as _;
use offgate_core::text::Email;
use offgate_core::user::{AccessPeriod, UserRecord};
use offgate_store::{Heard, Outcome, Receipt};

use crate::house::House;
use crate::kept::{all_as_they_were, is_as_it_was};
use crate::organisation::{AGENT, DOOR, GONE, USER, agent_key, title};

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
    if !is_as_it_was("door-shorten", &answer) {
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
    if !is_as_it_was("door-longer", &house.get(&longer).await) {
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
        if !is_as_it_was(name, &house.get(&path).await) {
            different.push(name);
        }
    }
    all_as_they_were(&different);
    house.running.stop().await;
}

#[tokio::test]
async fn a_door_that_cannot_confirm_is_told_with_the_reason_and_what_to_do() {
    let house = House::new().await;
    let noted = house.store.record_contact(AGENT, Heard::Connected).await;
    noted.expect("noted");
    let noted = house.store.record_disk(AGENT, DiskState::Fails).await;
    noted.expect("noted");
    let mut different = Vec::new();
    for (name, path) in [
        ("deactivated-disk-fails", format!("/users/{GONE}")),
        ("doors-disk-fails", "/doors".to_owned()),
        ("today-disk-fails", "/".to_owned()),
        ("system-disk-fails", "/system".to_owned()),
    ] {
        if !is_as_it_was(name, &house.get(&path).await) {
            different.push(name);
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
