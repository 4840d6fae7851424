//! The pages as they are when nothing is wrong, and the alarm that comes first.

use offgate_core::credential::CredentialKind;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::CredentialId;
use offgate_core::parameters::Clock as _;
use offgate_core::place::Direction;
use offgate_core::table::admission::{Holder, Reason};
use offgate_core::tree::TreeHash;
use offgate_store::{Verdict, Witnessed};

use crate::house::House;
use crate::kept::{all_as_they_were, is_as_it_was};
use crate::organisation::{AGENT, DOOR, GONE, USER};

#[tokio::test]
async fn pages_are_as_they_were() {
    let house = House::new().await;
    let pages = [
        ("today", "/".to_owned()),
        ("users", "/users".to_owned()),
        ("users-nobody", "/users?q=nobody".to_owned()),
        ("create", "/users/new".to_owned()),
        ("profile", format!("/users/{USER}")),
        ("settings", format!("/users/{USER}/settings")),
        ("deactivate", format!("/users/{USER}/deactivate")),
        ("deactivated", format!("/users/{GONE}")),
        ("reactivate", format!("/users/{GONE}/reactivate")),
        ("remove", format!("/users/{GONE}/remove")),
        ("doors", "/doors".to_owned()),
        ("door", format!("/doors/{DOOR}")),
        ("door-settings", format!("/doors/{DOOR}/settings")),
        (
            "emergency-list",
            format!("/emergency-lists/new?door={DOOR}"),
        ),
        ("activity", "/activity".to_owned()),
        ("system", "/system".to_owned()),
        ("alerts", "/system/alerts".to_owned()),
        ("mail", "/system/mail".to_owned()),
        ("keys", "/system/keys".to_owned()),
        ("keys-page", "/system/keys/page".to_owned()),
        ("sign-in", "/sign-in".to_owned()),
    ];
    let mut different = Vec::new();
    for (name, path) in pages {
        if !is_as_it_was(name, &house.get(&path).await) {
            different.push(name);
        }
    }
    all_as_they_were(&different);
    let seen = Witnessed {
        epoch: house.store.identity().epoch,
        size: 3,
        root: TreeHash::leaf(b"another"),
        verdict: Verdict::Doubted,
    };
    let alarm = "Front door’s agent says that this server’s history is not the one it knew.";
    for (verdict, shown) in [(Verdict::Doubted, 1), (Verdict::Seen, 0)] {
        let seen = Witnessed { verdict, ..seen };
        house
            .store
            .record_witness(AGENT, seen)
            .await
            .expect("noted");
        for path in ["/", "/system"] {
            let answer = house.get(path).await;
            assert_eq!(answer.matches(alarm).count(), shown, "{path}, {verdict:?}");
        }
    }
    house.running.stop().await;
}

#[tokio::test]
async fn a_stopped_credential_that_is_tried_is_said_where_one_looks_first() {
    let house = House::new().await;
    let said = "(card) was refused at Front door at ";
    for path in ["/".to_owned(), format!("/users/{GONE}")] {
        assert!(!house.get(&path).await.contains(said), "{path}");
    }
    let event = DoorEvent {
        sequence: 1,
        at: house.clock.now(),
        door: DOOR,
        direction: Direction::In,
        presented: CredentialKind::NfcCard,
        happening: Happening::Refused {
            reason: Reason::Deactivated,
            holder: Some(Holder {
                user: GONE,
                credential: CredentialId::from_bytes(*GONE.as_bytes()),
            }),
        },
    };
    let kept = house.store.record_events(AGENT, 0, vec![event]).await;
    assert_eq!(kept.expect("kept"), Some(1));
    for path in ["/".to_owned(), format!("/users/{GONE}")] {
        let page = house.get(&path).await;
        assert!(page.contains(said), "{path}: {page}");
        assert!(page.contains("timeline-alarm"), "{path}");
    }
    assert!(!house.get(&format!("/users/{USER}")).await.contains(said));
    house.running.stop().await;
}
