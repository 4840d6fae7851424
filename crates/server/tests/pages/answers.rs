//! What a door answers when it is asked.

use std::sync::atomic::Ordering;

use offgate_core::id::CredentialId;
use offgate_core::parameters::Clock as _;
use offgate_core::question::{self, Answer, Said};
use offgate_core::table::admission::{ClockTrust, Reason};
use offgate_core::table::entry::TableHash;
use offgate_link::acknowledgement::Acknowledgement;
use offgate_link::question::{digest_of, statement};
use offgate_store::Receipt;
use offgate_store::questions::NewAnswer;

use crate::house::House;
use crate::kept::{all_as_they_were, is_as_it_was};
use crate::organisation::{AGENT, DOOR, GONE, USER, agent_key};

#[tokio::test]
async fn what_a_door_answers_is_told_and_an_answer_that_admits_is_an_alarm() {
    let house = House::new().await;
    let person = format!("/users/{GONE}");
    let alarm = "says that it would open for the card of Zoë";
    let answer = async |verdict| {
        let asked = house.post(&format!("{person}/ask"), "").await;
        assert!(asked.starts_with("HTTP/1.1 303"), "{asked}");
        let open = house
            .store
            .read()
            .open_questions(AGENT, 9, house.clock.now());
        let [question] = open.expect("an answer")[..] else {
            panic!("one question")
        };
        let waits = house.get(&person).await;
        assert!(waits.contains("Asked; 1 answer is awaited."), "{waits}");
        let identity = house.store.identity();
        let statement = statement(&Answer {
            store: identity.store,
            epoch: identity.epoch,
            revision: house.store.read().head().expect("a head"),
            hash: TableHash::EMPTY,
            question: digest_of(&question),
            credential: question.credential,
            door: question.door,
            direction: question.direction,
            said: match verdict {
                question::Verdict::Refuses(reason) => Said::Refused { reason },
                _ => Said::Granted {
                    holder: question.credential,
                },
            },
            at: house.clock.now(),
            clock: ClockTrust::Trusted,
        });
        let answer = NewAnswer {
            question: question.id,
            verdict,
            signature: agent_key().sign(&statement),
            statement,
        };
        let kept = house.store.record_answer(AGENT, answer).await;
        kept.expect("kept");
        house.clock.0.fetch_add(1_000_000, Ordering::SeqCst);
    };
    answer(question::Verdict::Admits).await;
    let today = house.get("/").await;
    assert_eq!(today.matches(alarm).count(), 1, "{today}");
    let mut different = Vec::new();
    if !is_as_it_was("deactivated-would-open", &house.get(&person).await) {
        different.push("deactivated-would-open");
    }
    answer(question::Verdict::Refuses(Reason::Deactivated)).await;
    assert_eq!(house.get("/").await.matches(alarm).count(), 0);
    if !is_as_it_was("deactivated-asked", &house.get(&person).await) {
        different.push("deactivated-asked");
    }
    let (identity, head) = (house.store.identity(), house.store.read().head());
    let head = head.expect("a head");
    let statement = Acknowledgement {
        store: identity.store,
        epoch: identity.epoch,
        revision: head,
        hash: TableHash::EMPTY,
        doors: vec![DOOR],
        above: Vec::new(),
    }
    .statement();
    let receipt = Receipt {
        revision: head,
        up_to: head,
        above: Vec::new(),
        signature: agent_key().sign(&statement),
        statement,
    };
    let recorded = house.store.record_acknowledgement(AGENT, receipt).await;
    recorded.expect("recorded");
    let proof = format!("{person}/proof");
    if !is_as_it_was("proof", &house.get(&proof).await) {
        different.push("proof");
    }
    all_as_they_were(&different);
    let nothing = house.get(&format!("/users/{USER}/proof")).await;
    assert!(nothing.starts_with("HTTP/1.1 404"), "{nothing}");
    // Nobody asks about somebody whom nothing is to be refused.
    let asked = house.post(&format!("/users/{USER}/ask"), "").await;
    assert!(asked.starts_with("HTTP/1.1 303"), "{asked}");
    let open = house
        .store
        .read()
        .open_questions(AGENT, 9, house.clock.now());
    let theirs = CredentialId::from_bytes(*USER.as_bytes());
    let open = open.expect("an answer");
    assert!(open.iter().all(|question| question.credential != theirs));
    house.running.stop().await;
}
