//! What is kept of somebody, for how long, and the document with all of it.

use std::collections::BTreeSet;
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::agent::{
    Agent, AgentKey, AgentState, HashKey, JoinSecretHash, JoinToken, JoinTokenState,
};
use offgate_core::command::Command;
use offgate_core::credential::{CardToken, CredentialKind, DisplayNumber, NewCredential, NewMeans};
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::{AgentId, CommandId, CredentialId, DoorId, JoinTokenId, ReaderId, SiteId};
use offgate_core::keeping::{EventRetention, Keeping};
use offgate_core::operator::Role;
use offgate_core::parameters::{Clock as _, Revision, Timestamp};
use offgate_core::place::{Direction, Door, LeaseLength, Reader, Site, ZoneName};
use offgate_core::table::admission::{Holder, Reason};
use offgate_core::text::{Note, Title};
use offgate_core::user::DeactivationReason;
use offgate_server::{EXPORT_VERSION, PersonExport};
use offgate_store::Outcome;

use crate::house::{House, START};

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
