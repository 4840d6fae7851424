//! The examples as a file: every kind of message, entry, signature and event.

use offgate_core::table::admission::Presented;
use offgate_link::acknowledgement::enrolment_statement;
use offgate_link::frame;
use offgate_link::message::ToServer;
use offgate_link::question;
use serde_json::{Value, json};

use crate::hex;
use crate::history::*;
use crate::messages::*;
use crate::table::*;

/// The examples, as this build makes them.
pub(crate) fn vectors() -> Value {
    let key = signing_key();
    let public = key.public();
    let said = acknowledgement();
    let enrolment = enrolment_statement(&SECRET, &public);
    let (last, _) = entries()
        .pop()
        .map(|(_, entry)| (entry.key(), ()))
        .expect("an entry");
    let mut shorter = table();
    shorter.delete(last);
    let [pin, card, plate] = presented();
    let Presented::Pin(digest) = &pin else {
        panic!("a PIN")
    };
    let pong = ToServer::Pong { revision: 1234 }.encode();
    json!({
        "to_server": to_server().iter().map(|message| json!({
            "name": to_server_name(message), "bytes": hex(message.encode()),
        })).collect::<Vec<_>>(),
        "to_agent": to_agent().iter().map(|message| json!({
            "name": to_agent_name(message), "bytes": hex(message.encode()),
        })).collect::<Vec<_>>(),
        "frame": {
            "body": hex(&pong), "frame": hex(frame::encode(&pong).expect("a frame")),
        },
        "table": {
            "hash_key": hex(KEY),
            "entries": entries().iter().map(|(name, entry)| json!({
                "name": name, "bytes": hex(entry.encode()),
            })).collect::<Vec<_>>(),
            "hash": hex(table().hash().0),
            "hash_without_the_last": hex(shorter.hash().0),
        },
        "acknowledgement": {
            "seed": hex(SEED), "public_key": hex(public.0), "store": hex(STORE),
            "epoch_counter": 3, "epoch_nonce": hex(NONCE), "revision": 1234,
            "hash": hex(said.hash.0), "doors": [hex(DOOR)],
            "above": [{ "subject": hex(USER), "revision": above().revision.number() }],
            "statement": hex(said.statement()), "signature": hex(key.sign(&said.statement())),
        },
        "answer": {
            "seed": hex(SEED), "public_key": hex(public.0),
            "question": hex(answer().question), "statement": hex(question::statement(&answer())),
            "signature": hex(key.sign(&question::statement(&answer()))),
        },
        "history": {
            "leaves": leaves().iter().map(|leaf| hex(leaf.0)).collect::<Vec<_>>(),
            "held_size": 3, "held_root": hex(checkpoint().root.0),
            "size": 7, "root": hex(checkpoint_at(7).root.0),
            "root_fingerprint": hex(store_keys().fingerprint().0),
            "statement": hex(checkpoint_at(7).statement()),
            "signed": hex(signed_checkpoint().encode()),
            "proof": consistency().iter().map(|hash| hex(hash.0)).collect::<Vec<_>>(),
        },
        "enrolment": {
            "seed": hex(SEED), "public_key": hex(public.0), "secret": hex(SECRET),
            "statement": hex(&enrolment), "signature": hex(key.sign(&enrolment)),
        },
        "join_token": {
            "secret": hex(SECRET), "root_fingerprint": hex(ROOT), "text": join_token().text(),
        },
        "credentials": {
            "hash_key": hex(KEY),
            "pin": {
                "typed": "482731", "salt": hex(SALT), "digest": hex(digest.as_bytes()),
                "hash": hex(credential_hash(&pin)),
            },
            "card": {
                "read": "04:a2:2b:19:f0", "normalised": "04A22B19F0",
                "hash": hex(credential_hash(&card)),
            },
            "plate": {
                "read": "hh-ab 123", "normalised": "HHAB123", "hash": hex(credential_hash(&plate)),
            },
        },
        "events": events().iter().map(|(name, event)| json!({
            "name": name, "bytes": hex(event.encode()),
        })).collect::<Vec<_>>(),
    })
}
