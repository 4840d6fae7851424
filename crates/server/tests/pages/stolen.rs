//! An agent that was stolen, and the PINs that it knew.

use offgate_core::actor::Actor;
use offgate_core::command::Command;
use offgate_core::credential::{Means, NewCredential, NewMeans};
use offgate_core::id::{CommandId, CredentialId, OperatorId};
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::Revision;
use offgate_core::pin::{Pin, PinCandidate};
use offgate_core::records::Records as _;
use offgate_core::text::Email;
use offgate_store::Outcome;

use crate::house::House;
use crate::kept::{all_as_they_were, is_as_it_was};
use crate::organisation::{AGENT, OPERATOR, USER, title};

#[tokio::test]
async fn a_stolen_agent_is_reported_and_the_pins_it_knew_are_renewed_once() {
    let mut house = House::new().await;
    let pin = Pin::parse("739156").expect("a PIN");
    let salt = house.store.identity().pin_salt;
    let known = CredentialId::from_bytes([0x21; 16]);
    let add = Command::AddCredential {
        user: USER,
        credential: NewCredential {
            id: known,
            label: None,
            means: NewMeans::Pin(PinCandidate::new(&pin, &salt)),
        },
    };
    let viewer = Operator {
        id: OperatorId::from_bytes([0x2f; 16]),
        revision: Revision::ZERO,
        name: title("Vera Viewer"),
        email: Email::parse("vera@example.com").expect("an address"),
        role: Role::Viewer,
        user: None,
        password: Some(PasswordHash::from_phc("none".to_owned())),
        state: OperatorState::Open,
    };
    let vera = viewer.id;
    for (number, command) in [(101, add), (102, Command::CreateOperator(viewer))] {
        let id = CommandId::from_bytes([number; 16]);
        let outcome = house.store.execute(id, Actor::ServerCommandLine, command);
        assert!(matches!(outcome.await, Ok(Outcome::Done { .. })));
    }
    let stolen = format!("/system/agents/{AGENT}/stolen");
    let mut different = Vec::new();
    if !is_as_it_was("agent-stolen", &house.get(&stolen).await) {
        different.push("agent-stolen");
    }
    let command = format!("command={}", CommandId::from_bytes([103; 16]));
    let reported = house.post(&stolen, &command).await;
    let token = reported.split("<code class=\"code-box\">").nth(1);
    let token = token.and_then(|rest| rest.split('<').next());
    let token = token.expect("a token").to_owned();
    if !is_as_it_was("agent-stolen-done", &reported) {
        different.push("agent-stolen-done");
    }
    let again = house.post(&stolen, &command).await;
    assert!(!again.contains(&token), "it is shown once");
    let tokens = house.store.read().join_tokens().expect("tokens");
    assert_eq!(tokens.len(), 2, "and one is made");

    let notice = "1 PIN can be found out by whoever has a stolen agent, and still opens doors.";
    let tag = "renew it</span>";
    let settings = format!("/users/{USER}/settings");
    let profile = format!("/users/{USER}");
    for (path, words) in [
        ("/", notice),
        ("/system", notice),
        (&profile, tag),
        (&settings, tag),
    ] {
        assert_eq!(house.get(path).await.matches(words).count(), 1, "{path}");
    }
    if !is_as_it_was("pins", &house.get("/system/pins").await) {
        different.push("pins");
    }
    let renew = format!("credential={known}");
    house.sign_in(vera).await;
    let refused = house.post("/system/pins/renew", &renew).await;
    assert!(refused.contains("Not renewed. This needs the role administrator."));
    for path in ["/system/keys", "/system/keys/page"] {
        let answer = house.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{path} is for owners");
    }
    let fingerprint = "<code class=\"code-box\">";
    assert!(house.get("/system").await.contains(fingerprint));

    house.sign_in(OPERATOR).await;
    let renewed = house.post("/system/pins/renew", &renew).await;
    let new = renewed.split("<code class=\"new-pin\">").nth(1);
    let new = new.and_then(|rest| rest.split('<').next());
    let new = Pin::parse(new.expect("a PIN")).expect("a PIN");
    assert!(renewed.contains("no-store"), "no copy stays in the browser");
    if !is_as_it_was("pins-renewed", &renewed) {
        different.push("pins-renewed");
    }
    let held = house
        .store
        .read()
        .credentials_of(USER)
        .expect("credentials");
    assert!(held.iter().any(
        |held| matches!(held.means, Means::Pin { digest, .. } if digest == new.digest(&salt))
    ));
    let once_more = house.post("/system/pins/renew", &renew).await;
    assert!(once_more.contains("Nothing was renewed now."));
    for path in ["/", "/system", &profile, &settings, "/activity"] {
        let answer = house.get(path).await;
        for gone in [notice, tag, new.digits()] {
            assert!(!answer.contains(gone), "{path}");
        }
    }
    assert!(house.get("/system/pins").await.contains("<h2>None</h2>"));
    for file in std::fs::read_dir(house.folder.path()).expect("a folder") {
        let file = file.expect("a file").path();
        if file.is_file() {
            let bytes = std::fs::read(&file).expect("bytes");
            let digits = new.digits().as_bytes();
            assert!(
                !bytes.windows(digits.len()).any(|it| it == digits),
                "{file:?}"
            );
        }
    }
    all_as_they_were(&different);
    house.running.stop().await;
}
