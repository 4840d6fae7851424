//! Everybody chooses what leaves the house for them.

use offgate_core::actor::Actor;
use offgate_core::command::Command;
use offgate_core::id::{CommandId, OperatorId};
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::Revision;
use offgate_core::text::Email;
use offgate_store::Outcome;

use crate::house::House;
use crate::kept::is_as_it_was;
use crate::organisation::title;

#[tokio::test]
async fn everybody_chooses_their_own_alerts() {
    let mut house = House::new().await;
    let ticked = |page: &str| -> Vec<String> {
        let boxes = page.split("name=\"alert\" value=\"").skip(1);
        boxes
            .filter(|rest| {
                rest.split('>')
                    .next()
                    .is_some_and(|it| it.contains(" checked"))
            })
            .filter_map(|rest| rest.split('"').next().map(str::to_owned))
            .collect()
    };
    let page = house.get("/system/alerts").await;
    assert_eq!(
        ticked(&page),
        ["stopped-credential-tried", "history-does-not-continue"],
        "what an owner is sent at first"
    );
    assert!(page.contains("No mail server is set up"), "{page}");
    let answer = house
        .post("/system/alerts", "alert=agent-gone&alert=nonsense")
        .await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let page = house.get("/system/alerts?done=chosen").await;
    assert_eq!(ticked(&page), ["agent-gone"]);
    assert!(page.contains("Your alerts were changed."));
    let answer = house.post("/system/alerts/test", "").await;
    assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
    assert!(answer.contains("Set up a mail server first."), "{answer}");

    let answer = house
        .post(
            "/system/alerts/webhook",
            "url=http%3A%2F%2Fexample.com&kind=agent-gone",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
    assert!(
        answer.contains("value=\"http:&#x2F;&#x2F;example.com\"")
            || answer.contains("value=\"http://example.com\""),
        "{answer}"
    );
    let url = "url=https%3A%2F%2Fexample.com%2Falerts&kind=agent-gone";
    let answer = house.post("/system/alerts/webhook", url).await;
    assert!(answer.contains("whsec_"), "shown once: {answer}");
    let answer = house.post("/system/alerts/webhook", url).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "not again: {answer}");
    let page = house.get("/system/alerts?done=webhook").await;
    assert!(!page.contains("whsec_") && page.contains("The webhook was changed."));
    assert!(is_as_it_was("alerts-webhook", &page));
    for (path, asked) in [
        ("secret", "Replace the webhook’s secret?</h1>"),
        ("stop", "Stop the webhook?</h1>"),
    ] {
        let page = house.get(&format!("/system/alerts/webhook/{path}")).await;
        assert!(
            page.contains(asked) && page.contains("example.com"),
            "{page}"
        );
        let action = format!("action=\"/system/alerts/webhook/{path}\"");
        assert!(page.contains(&action), "{page}");
    }
    let answer = house.post("/system/alerts/webhook/secret", "").await;
    assert!(answer.contains("whsec_"), "{answer}");
    let answer = house.post("/system/alerts/webhook/stop", "").await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let answer = house.get("/system/alerts/webhook/stop").await;
    assert!(
        answer.starts_with("HTTP/1.1 303"),
        "nothing to stop: {answer}"
    );
    let answer = house.post("/system/alerts/webhook/test", "").await;
    assert!(answer.contains("Set up a webhook first."), "{answer}");

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
    assert_eq!(ticked(&house.get("/system/alerts").await), [""; 0]);
    let answer = house
        .post("/system/alerts", "alert=stopped-credential-tried")
        .await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let page = house.get("/system/alerts").await;
    assert_eq!(ticked(&page), ["stopped-credential-tried"]);
    let answer = house.post("/system/alerts/webhook", url).await;
    assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
    let mail = house.get("/system/mail").await;
    assert!(mail.starts_with("HTTP/1.1 403"), "{mail}");
    house.running.stop().await;
}
