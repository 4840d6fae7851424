//! Somebody who was taken out is at a door: who hears of it, and how fast it leaves the house.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::agents::House;
use crate::mail::{post_office, set_up};
use crate::support::{Running, get, post, wait_until};

/// Signatures and the bodies that were signed.
type Heard = Arc<Mutex<Vec<(String, Value)>>>;

/// A program that listens on this machine, and what it was sent.
fn listener() -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = Heard::default();
    let hearing = Arc::clone(&heard);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let (mut length, mut signature) = (0, String::new());
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                let (name, value) = line.trim_end().split_once(": ").unwrap_or_default();
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.parse().expect("a number"),
                    "webhook-signature" => value.clone_into(&mut signature),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let body = serde_json::from_slice(&body).expect("JSON");
            hearing.lock().expect("a list").push((signature, body));
            let _ = stream.write_all(b"HTTP/1.1 204 yes\r\n\r\n");
        }
    });
    (format!("http://127.0.0.1:{port}/alerts"), heard)
}

#[test]
fn a_deactivated_card_at_a_door_is_told_by_mail_and_to_the_webhook() {
    let house = House::new();
    let installation = &house.installation;
    let owner = installation.json(&[
        "owner",
        "add",
        "--name",
        "Ingrid",
        "--email",
        "ingrid@example.org",
    ]);
    let link = owner["link"].as_str().expect("a link");
    let path = &link[link.find("/start/").expect("a path")..];
    let answer = post(&house.console, path, "password=a+long+boat+ride");
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let (port, letters) = post_office();
    set_up(installation, &port);
    let (url, heard) = listener();
    let made = installation.json(&["webhook", "set", "--url", &url]);
    let secret = made["secret"].as_str().expect("shown once");
    assert!(secret.starts_with("whsec_"));
    let shown = installation.json(&["webhook", "show"]);
    assert_eq!(shown["secret"], Value::Null, "and only once");
    let sent = installation.json(&["webhook", "test"]);
    assert_eq!(sent["said"], "204 No Content");
    let listed = installation.json(&["alert", "list"]);
    assert!(
        listed.to_string().contains("stopped-credential-tried"),
        "{listed}"
    );

    let token = house.token();
    let mut agent = Running::start(house.agent("entrance").args(["--join", "-"]));
    let mut input = agent.child.stdin.take().expect("standard input");
    writeln!(input, "{token}").expect("a token");
    drop(input);
    house.wait_for("entrance", "granted");
    let user = installation.json(&["user", "list"])["items"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    installation.json(&["--yes", "user", "deactivate", &user]);
    house.wait_for("entrance", "refused: deactivated");

    wait_until("the letter arrives", || {
        let letters = letters.lock().expect("a list");
        letters
            .iter()
            .any(|letter| letter.contains("Refused at Front door"))
    });
    wait_until("the webhook is told", || {
        let heard = heard.lock().expect("a list");
        heard
            .iter()
            .any(|(_, body)| body["type"] == "alert.stopped_credential_tried")
    });
    let letter = letters.lock().expect("a list");
    let letter = letter
        .iter()
        .find(|it| it.contains("Refused at"))
        .expect("it");
    for part in [
        "To: ingrid@example.org",
        "Yuki Mori, who is deactivated",
        "The door refused.",
    ] {
        assert!(letter.contains(part), "{part} in {letter}");
    }
    let heard = heard.lock().expect("a list");
    let (signature, body) = heard
        .iter()
        .find(|(_, body)| body["type"] == "alert.stopped_credential_tried")
        .expect("it");
    assert!(signature.starts_with("v1,"), "{signature}");
    assert_eq!(body["data"]["door"]["name"], "Front door");
    assert_eq!(body["data"]["user"]["id"], user.as_str());
    assert!(!body.to_string().contains("Yuki"), "{body}");
    assert!(
        heard
            .iter()
            .any(|(_, body)| body["type"] == "alert.last_door_confirmed"),
        "the webhook hears of all kinds: {heard:?}"
    );
    let page = get(&house.console, "/sign-in");
    assert!(
        page.starts_with("HTTP/1.1 200"),
        "what somebody outside asks"
    );
}
