//! The description of the protocol in `docs/`: its examples are what this build says, its grammar
//! names every message and entry, and its numbers are the constants of the code.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

mod examples;
mod history;
mod messages;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use data_encoding::HEXLOWER;
use offgate_core::door_event::DoorEvent;
use offgate_core::id::StoreId;
use offgate_core::table::admission::Reason;
use offgate_core::table::entry::{Entry, EntryKind, TableHash};
use offgate_core::table::keypad::{KeypadDelay, Slowing};
use offgate_link::agent_end::{AgentEnd, RENEW_EVERY, WITNESS_EVERY};
use offgate_link::history::continues;
use offgate_link::message::{
    EVENTS_LIMIT, LIST_LIMIT, OVERTAKING_LIMIT, RefusalCode, TEXT_LIMIT, ToAgent, ToServer,
};
use offgate_link::{HEARTBEAT, PROTOCOL, SILENCE, frame, identity, reconnect};
use serde_json::Value;

use examples::*;
use history::*;
use messages::*;
use table::*;

/// Set to write the examples anew.
const WRITE: &str = "OFFGATE_WRITE_VECTORS";

fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

fn path(name: &str) -> PathBuf {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    docs.join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_examples_are_what_this_build_says() {
    const FILE: &str = "door-protocol-vectors.json";
    let made = vectors();
    if std::env::var_os(WRITE).is_some() {
        let text = serde_json::to_string_pretty(&made).expect("JSON");
        std::fs::write(path(FILE), text + "\n").expect("the file");
    }
    let written: Value = serde_json::from_str(&read(FILE)).expect("JSON");
    for (name, made) in made.as_object().expect("an object") {
        assert_eq!(&written[name], made, "{name}");
    }
    assert_eq!(written, made);
    for message in to_server() {
        assert_eq!(ToServer::decode(&message.encode()), Ok(message));
    }
    for message in to_agent() {
        assert_eq!(ToAgent::decode(&message.encode()), Ok(message));
    }
    assert_eq!(
        continues(
            Some(&checkpoint()),
            StoreId::from_bytes(STORE),
            store_keys().fingerprint(),
            &signed_checkpoint(),
            &consistency()
        ),
        Ok(checkpoint_at(7))
    );
    for (name, entry) in entries() {
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry), "{name}");
    }
    for (name, event) in events() {
        assert_eq!(DoorEvent::decode(&event.encode()), Some(event), "{name}");
    }
    assert_eq!(TableHash::EMPTY.0, [0; 32]);
}

#[test]
fn the_grammar_names_every_kind_with_its_number() {
    let grammar = read("door-protocol.cddl");
    let has = |name: &str, bytes: &[u8]| {
        // A kind is an array of two, the first of which is a number below 24: one byte.
        assert_eq!(bytes[0], 0x82, "{name}");
        let rule = format!("\n{name} = [{}, [", bytes[1]);
        assert!(grammar.contains(&rule), "no rule begins {rule:?}");
    };
    let (mut messages, mut kinds) = (0, 0);
    for message in to_server() {
        has(to_server_name(&message), &message.encode());
        messages += usize::from(message.encode()[1] == kinds);
        kinds = message.encode()[1] + 1;
    }
    assert_eq!(messages, 13, "every kind has an example");
    (messages, kinds) = (0, 0);
    for message in to_agent() {
        has(to_agent_name(&message), &message.encode());
        messages += usize::from(message.encode()[1] == kinds);
        kinds = message.encode()[1] + 1;
    }
    assert_eq!(messages, 13, "every kind has an example");
    for (name, entry) in entries() {
        has(name, &entry.encode());
    }
    for kind in EntryKind::ALL {
        assert!(entries().iter().any(|(_, entry)| entry.key().kind == kind));
    }
    for (number, code) in [
        (RefusalCode::Version, "version"),
        (RefusalCode::TokenSpent, "token-spent"),
        (RefusalCode::Revoked, "revoked"),
        (RefusalCode::Replaced, "replaced"),
        (RefusalCode::Protocol, "protocol"),
        (RefusalCode::Later, "later"),
    ]
    .map(|(code, name)| (code as u8, name))
    {
        let said = format!("{code}: {number}");
        assert!(grammar.contains(&said), "the grammar lacks {said:?}");
    }
}

#[test]
fn the_numbers_are_those_of_the_code() {
    let document = read("door-protocol.md");
    let says = |line: &str| assert!(document.contains(line), "the document lacks {line:?}");
    let seconds = |time: Duration| format!("{} s", time.as_secs());
    says(&format!("| Protocol version | {PROTOCOL} |"));
    let alpn = std::str::from_utf8(identity::ALPN).expect("text");
    says(&format!("| ALPN | `{alpn}` |"));
    let name = format!("{:?}", identity::server_name());
    let name = name.split('"').nth(1).expect("a name");
    says(&format!("| Server name (SNI) | `{name}` |"));
    says(&format!(
        "| Body of a frame, bytes | {} |",
        frame::LIMIT_BYTES
    ));
    says(&format!("| Entry, bytes | {} |", Entry::LIMIT_BYTES));
    says(&format!(
        "| Entries of a table | {} |",
        AgentEnd::TABLE_LIMIT
    ));
    says(&format!("| List in a message | {LIST_LIMIT} |"));
    says(&format!("| Text, bytes of UTF-8 | {TEXT_LIMIT} |"));
    says(&format!("| Events in a message | {EVENTS_LIMIT} |"));
    says(&format!(
        "| Refusals ahead of a table | {OVERTAKING_LIMIT} |"
    ));
    says(&format!(
        "| Each end says something every | {} |",
        seconds(HEARTBEAT)
    ));
    says(&format!(
        "| Silence that ends a connection | {} |",
        seconds(SILENCE)
    ));
    says(&format!(
        "| Renewal asked every | {} |",
        seconds(RENEW_EVERY)
    ));
    says(&format!(
        "| Newest checkpoint asked every | {} |",
        seconds(WITNESS_EVERY)
    ));
    let first = reconnect::wait(0, u64::MAX) + Duration::from_nanos(1);
    says(&format!(
        "| First wait to reconnect, below | {} ms |",
        first.as_millis()
    ));
    let longest = reconnect::wait(u32::MAX, u64::MAX) + Duration::from_nanos(1);
    says(&format!(
        "| Longest wait to reconnect | {} |",
        seconds(longest)
    ));
    let mut keypad = KeypadDelay::default();
    let waits: Vec<String> = (0..9)
        .map(|_| match keypad.wrong(Duration::from_secs(1)) {
            Slowing::None => "0".to_owned(),
            Slowing::Begun(wait) | Slowing::Continued(wait) => wait.as_secs().to_string(),
        })
        .collect();
    says(&format!(
        "| Keypad waits after wrong PINs, s | {} |",
        waits.join(", ")
    ));
    let shortest = (1..).find(|it| offgate_core::place::LeaseLength::from_seconds(*it).is_some());
    says(&format!(
        "| Shortest lease | {} s |",
        shortest.expect("a lease")
    ));
    for (number, reason) in Reason::ALL.iter().enumerate() {
        says(&format!("| {number} | {} |", reason.name()));
    }
}
