//! The description of the protocol in `docs/`: its examples are what this build says, its grammar
//! names every message and entry, and its numbers are the constants of the code.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use data_encoding::HEXLOWER;
use offgate_core::agent::HashKey;
use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::credential::{CardToken, CredentialKind, Plate};
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::{CredentialId, DoorId, PolicyId, QuestionId, StoreId, UserId};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::pin::{Pin, PinSalt};
use offgate_core::place::Direction;
use offgate_core::question::{Answer, Question, Said};
use offgate_core::ruling::{Ruled, Ruling, Seal};
use offgate_core::table::Table;
use offgate_core::table::admission::{ClockTrust, Holder, Presented, Reason};
use offgate_core::table::entry::{
    DoorEntry, Entry, EntryKind, KeypadEntry, PolicyEntry, RulingEntry, ScheduleEntry, SiteEntry,
    TableHash, UserEntry, WhenCutOff,
};
use offgate_core::table::keypad::{KeypadDelay, Slowing};
use offgate_core::tree::{self, Peaks, Subtree, TreeHash, prove_consistency};
use offgate_link::acknowledgement::{Above, Acknowledgement, SigningKey, enrolment_statement};
use offgate_link::agent_end::{AgentEnd, RENEW_EVERY, WITNESS_EVERY};
use offgate_link::chain::IssuingNumber;
use offgate_link::history::continues;
use offgate_link::identity::Authority;
use offgate_link::join_token::JoinTokenText;
use offgate_link::message::{
    DoorName, EVENTS_LIMIT, LIST_LIMIT, OVERTAKING_LIMIT, RefusalCode, TEXT_LIMIT, ToAgent,
    ToServer, WireEpoch, WireKey, WirePosition,
};
use offgate_link::question;
use offgate_link::{HEARTBEAT, PROTOCOL, SILENCE, frame, identity, reconnect};
use serde_json::{Value, json};

/// Set to write the examples anew.
const WRITE: &str = "OFFGATE_WRITE_VECTORS";

const KEY: [u8; 32] = [0x21; 32];
const SEED: [u8; 32] = [0x22; 32];
const SALT: [u8; 16] = [0x23; 16];
const STORE: [u8; 16] = [0x24; 16];
const NONCE: [u8; 16] = [0x25; 16];
const SECRET: [u8; 16] = [0x26; 16];
const ROOT: [u8; 32] = [0x27; 32];
const SITE: [u8; 16] = [0x31; 16];
const DOOR: [u8; 16] = [0x32; 16];
const SCHEDULE: [u8; 16] = [0x33; 16];
const POLICY: [u8; 16] = [0x34; 16];
const USER: [u8; 16] = [0x35; 16];
const CREDENTIALS: [[u8; 16]; 3] = [[0x36; 16], [0x37; 16], [0x38; 16]];
const READER: [u8; 16] = [0x39; 16];
/// 2026-11-24 05:00:00 UTC.
const NOW: i64 = 1_795_496_400_000_000;

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

fn signing_key() -> SigningKey {
    SigningKey::from_seed(&SEED).expect("a key")
}

fn presented() -> [Presented; 3] {
    let pin = Pin::parse("482731").expect("a PIN");
    [
        Presented::Pin(pin.digest(&PinSalt::from_bytes(SALT))),
        Presented::NfcCard(CardToken::parse("04:a2:2b:19:f0").expect("a card")),
        Presented::LicencePlate(Plate::parse("hh-ab 123").expect("a plate")),
    ]
}

fn credential_hash(presented: &Presented) -> [u8; 16] {
    presented.hash(&HashKey::from_bytes(KEY)).0
}

/// One of each kind, in the order of their numbers, and a second person.
fn entries() -> Vec<(&'static str, Entry)> {
    let mut credentials: Vec<_> = presented()
        .iter()
        .map(credential_hash)
        .zip(CREDENTIALS)
        .zip([0, 1, 0])
        .map(|((hash, id), state)| (hash.into(), id.into(), state))
        .collect();
    credentials.sort_unstable_by_key(|(hash, ..): &(minicbor::bytes::ByteArray<16>, _, _)| **hash);
    let all = vec![
        Entry::Keypad(KeypadEntry { salt: SALT.into() }),
        Entry::Site(SiteEntry {
            site: SITE.into(),
            first_offset: 3600,
            changes: vec![(1_806_195_600, 7200), (1_824_944_400, 3600)],
        }),
        Entry::Door(DoorEntry {
            door: DOOR.into(),
            site: SITE.into(),
            lease_seconds: 259_200,
            readers: vec![(READER.into(), 0)],
            when_cut_off: None,
        }),
        // Mondays 08:00 to 18:00; on holidays 10:00 to 12:00; one holiday, 2026-12-25.
        Entry::Schedule(ScheduleEntry {
            schedule: SCHEDULE.into(),
            weekly: vec![(480, 600)],
            holiday: vec![(600, 120)],
            days: vec![20_812],
        }),
        Entry::Policy(PolicyEntry {
            policy: POLICY.into(),
            doors: vec![DOOR.into()],
            schedule: Some(SCHEDULE.into()),
        }),
        Entry::User(UserEntry {
            user: USER.into(),
            standing: 0,
            starts: None,
            ends: Some(NOW),
            policies: vec![POLICY.into()],
            credentials,
        }),
        // Doors that admit somebody after their lease.
        Entry::Door(DoorEntry {
            door: [0x22; 16].into(),
            site: SITE.into(),
            lease_seconds: 43_200,
            readers: vec![(READER.into(), 0)],
            when_cut_off: Some(WhenCutOff::EmergencyList {
                limit_seconds: 1_209_600,
                people: vec![USER.into(), [0x66; 16].into()],
            }),
        }),
        Entry::Door(DoorEntry {
            door: [0x23; 16].into(),
            site: SITE.into(),
            lease_seconds: 43_200,
            readers: vec![],
            when_cut_off: Some(WhenCutOff::KeepLastTable),
        }),
        // A policy without a schedule, and somebody deactivated.
        Entry::Policy(PolicyEntry {
            policy: [0x44; 16].into(),
            doors: vec![DOOR.into()],
            schedule: None,
        }),
        Entry::User(UserEntry {
            user: [0x45; 16].into(),
            standing: 1,
            starts: None,
            ends: None,
            policies: vec![],
            credentials: vec![],
        }),
        Entry::Ruling(ruling()),
    ];
    all.into_iter()
        .map(|entry| (entry_name(&entry), entry))
        .collect()
}

fn ruling() -> RulingEntry {
    let ruling = Ruling {
        subject: CREDENTIALS[1],
        ruled: Ruled::Lost,
        epoch: epoch().into(),
        revision: Revision::new(1200),
    };
    RulingEntry::new(&ruling, Seal([9; 32]))
}

/// Its name in the grammar.
fn entry_name(entry: &Entry) -> &'static str {
    match entry {
        Entry::Keypad(_) => "keypad-entry",
        Entry::Site(_) => "site-entry",
        Entry::Door(_) => "door-entry",
        Entry::Schedule(_) => "schedule-entry",
        Entry::Policy(_) => "policy-entry",
        Entry::User(_) => "user-entry",
        Entry::Ruling(_) => "ruling-entry",
    }
}

fn table() -> Table {
    let mut table = Table::empty(HashKey::from_bytes(KEY));
    entries()
        .into_iter()
        .for_each(|(_, entry)| table.put(entry));
    table
}

fn epoch() -> WireEpoch {
    WireEpoch {
        counter: 3,
        nonce: NONCE.into(),
    }
}

/// The hashes of the leaves of the example's log.
fn leaves() -> Vec<TreeHash> {
    (1..=7).map(|entry: u8| TreeHash::leaf(&[entry])).collect()
}

fn subtree(wanted: Subtree) -> Result<TreeHash, Infallible> {
    let leaves = &leaves()[..wanted.completed_at() as usize];
    let mut peaks = Peaks::EMPTY;
    for leaf in &leaves[(wanted.number << wanted.level) as usize..] {
        peaks.push(*leaf);
    }
    Ok(peaks.root())
}

fn checkpoint_at(size: u64) -> Checkpoint {
    Checkpoint {
        store: StoreId::from_bytes(STORE),
        epoch: epoch().into(),
        size,
        root: tree::root(size, subtree).unwrap_or_else(|never| match never {}),
        at: Timestamp::from_microseconds(NOW),
    }
}

/// What the example's agent holds.
fn checkpoint() -> Checkpoint {
    checkpoint_at(3)
}

fn consistency() -> Vec<TreeHash> {
    prove_consistency(3, 7, subtree).unwrap_or_else(|never| match never {})
}

fn store_keys() -> Authority {
    let seeds = [[0x28; 32], [0x29; 32], [0x2a; 32], [0x2b; 32]];
    Authority::create(seeds, IssuingNumber(1)).expect("keys")
}

fn signed_checkpoint() -> SignedCheckpoint {
    let (log, statement) = (store_keys().log, checkpoint_at(7).statement());
    SignedCheckpoint {
        signature: log.sign(&statement).expect("a signature"),
        statement,
        chain: log.chain,
    }
}

fn acknowledgement() -> Acknowledgement {
    Acknowledgement {
        store: StoreId::from_bytes(STORE),
        epoch: Epoch {
            counter: 3,
            nonce: NONCE,
        },
        revision: Revision::new(1234),
        hash: table().hash(),
        doors: vec![DoorId::from_bytes(DOOR)],
        above: vec![above()],
    }
}

/// A refusal that overtook the table.
const fn above() -> Above {
    Above {
        subject: USER,
        revision: Revision::new(1240),
    }
}

fn events() -> Vec<(&'static str, DoorEvent)> {
    let holder = Holder {
        credential: CredentialId::from_bytes(CREDENTIALS[1]),
        user: UserId::from_bytes(USER),
    };
    let policy = PolicyId::from_bytes(POLICY);
    let refused = |reason, holder| Happening::Refused { reason, holder };
    let all = [
        (
            "granted",
            Direction::In,
            Happening::Granted { holder, policy },
        ),
        (
            "way out",
            Direction::Out,
            Happening::WayOut { holder: None },
        ),
        (
            "refused: unknown",
            Direction::In,
            refused(Reason::Unknown, None),
        ),
        (
            "refused: deactivated",
            Direction::In,
            refused(Reason::Deactivated, Some(holder)),
        ),
        ("keypad slowed", Direction::In, Happening::KeypadSlowed),
    ];
    let numbered = (7..).zip(all);
    let event = |(sequence, (name, direction, happening))| {
        let event = DoorEvent {
            sequence,
            at: Timestamp::from_microseconds(NOW),
            door: DoorId::from_bytes(DOOR),
            direction,
            presented: CredentialKind::NfcCard,
            happening,
        };
        (name, event)
    };
    numbered.map(event).collect()
}

/// Its name in the grammar.
const fn to_server_name(message: &ToServer) -> &'static str {
    match message {
        ToServer::Hello { .. } => "hello",
        ToServer::Acknowledge { .. } => "acknowledge",
        ToServer::Renew { .. } => "renew",
        ToServer::Events { .. } => "events",
        ToServer::Enrol { .. } => "enrol",
        ToServer::Pong { .. } => "pong",
        ToServer::Witness { .. } => "witness",
        ToServer::Doubted { .. } => "doubted",
        ToServer::Testimony { .. } => "testimony",
        ToServer::Answer { .. } => "answer",
        ToServer::Arrived { .. } => "arrived",
        ToServer::Positions { .. } => "positions",
        ToServer::Disk { .. } => "disk",
    }
}

fn to_server() -> Vec<ToServer> {
    let key = signing_key();
    let statement = acknowledgement().statement();
    vec![
        ToServer::Hello {
            versions: vec![PROTOCOL],
            software: "example 1.0".to_owned(),
            store: None,
            epoch: None,
            revision: 0,
            hash: [0; 32].into(),
            checkpoint: None,
        },
        ToServer::Hello {
            versions: vec![PROTOCOL],
            software: "example 1.0".to_owned(),
            store: Some(STORE.into()),
            epoch: Some(epoch()),
            revision: 1234,
            hash: table().hash().0.into(),
            checkpoint: Some((&checkpoint()).into()),
        },
        ToServer::Acknowledge {
            signature: key.sign(&statement).into(),
            statement: statement.into(),
        },
        ToServer::Renew { ask: 1 },
        ToServer::Events {
            lost: 2,
            events: events()
                .iter()
                .map(|(_, event)| event.encode().into())
                .collect(),
        },
        ToServer::Enrol {
            secret: SECRET.into(),
            key: key.public().0.into(),
            possession: key
                .sign(&enrolment_statement(&SECRET, &key.public()))
                .into(),
        },
        ToServer::Pong { revision: 1234 },
        ToServer::Witness {
            held: (&checkpoint()).into(),
        },
        ToServer::Doubted {
            held: (&checkpoint()).into(),
        },
        ToServer::Testimony {
            rulings: vec![Entry::Ruling(ruling()).encode().into()],
        },
        ToServer::Answer {
            signature: key.sign(&question::statement(&answer())).into(),
            statement: question::statement(&answer()).into(),
        },
        ToServer::Arrived { parts: 3 },
        ToServer::Positions {
            doors: vec![WirePosition {
                door: DOOR.into(),
                open: true,
                lasts: 90_500,
            }],
        },
        ToServer::Disk { works: false },
    ]
}

fn asked() -> Question {
    Question {
        id: QuestionId::from_bytes([0x47; 16]),
        credential: CredentialId::from_bytes(CREDENTIALS[1]),
        sought: presented()[1].sought(&HashKey::from_bytes(KEY)),
        door: DoorId::from_bytes(DOOR),
        direction: Direction::In,
    }
}

fn answer() -> Answer {
    let said = acknowledgement();
    Answer {
        store: said.store,
        epoch: said.epoch,
        revision: said.revision,
        hash: said.hash,
        question: question::digest_of(&asked()),
        credential: asked().credential,
        door: asked().door,
        direction: Direction::In,
        said: Said::Refused {
            reason: Reason::Lost,
        },
        at: Timestamp::from_microseconds(NOW),
        clock: ClockTrust::Trusted,
    }
}

/// Its name in the grammar.
const fn to_agent_name(message: &ToAgent) -> &'static str {
    match message {
        ToAgent::Welcome { .. } => "welcome",
        ToAgent::Delta { .. } => "delta",
        ToAgent::SnapshotBegin { .. } => "snapshot-begin",
        ToAgent::SnapshotPart { .. } => "snapshot-part",
        ToAgent::SnapshotEnd { .. } => "snapshot-end",
        ToAgent::Renewed { .. } => "renewed",
        ToAgent::EventsStored { .. } => "events-stored",
        ToAgent::Ping { .. } => "ping",
        ToAgent::Enrolled { .. } => "enrolled",
        ToAgent::Refused { .. } => "refused",
        ToAgent::History { .. } => "history",
        ToAgent::Question { .. } => "question",
        ToAgent::Overtake { .. } => "overtake",
    }
}

fn to_agent() -> Vec<ToAgent> {
    let (_, policy) = entries().swap_remove(4);
    let hash = table().hash().0;
    vec![
        ToAgent::Welcome {
            version: PROTOCOL,
            store: STORE.into(),
            epoch: epoch(),
            now: NOW,
            doors: vec![DoorName {
                door: DOOR.into(),
                name: "Front door".to_owned(),
            }],
            addresses: vec!["doors.example.org:12445".to_owned()],
        },
        ToAgent::Delta {
            previous: 1233,
            revision: 1234,
            deletes: vec![WireKey {
                kind: EntryKind::User as u8,
                id: [0x45; 16].into(),
            }],
            puts: vec![policy.encode().into()],
            hash: hash.into(),
        },
        ToAgent::SnapshotBegin { revision: 1234 },
        ToAgent::SnapshotPart {
            puts: entries()
                .iter()
                .map(|(_, entry)| entry.encode().into())
                .collect(),
        },
        ToAgent::SnapshotEnd {
            revision: 1234,
            hash: hash.into(),
        },
        ToAgent::Renewed { ask: 1 },
        ToAgent::EventsStored { up_to: 11 },
        ToAgent::Ping { now: NOW },
        ToAgent::Enrolled {
            agent: [0x46; 16].into(),
            store: STORE.into(),
            hash_key: KEY.into(),
            chain: vec![vec![0x30, 0].into(), vec![0x30, 0].into()],
        },
        ToAgent::Refused {
            code: RefusalCode::Later,
            words: "nothing was heard".to_owned(),
        },
        ToAgent::History {
            signed: signed_checkpoint().encode().into(),
            proof: consistency()
                .into_iter()
                .map(|hash| hash.0.into())
                .collect(),
        },
        ToAgent::Question {
            question: (&asked()).into(),
        },
        ToAgent::Overtake {
            rulings: vec![Entry::Ruling(ruling()).encode().into()],
        },
    ]
}

fn join_token() -> JoinTokenText {
    struct Fixed;
    impl offgate_core::parameters::Randomness for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(SECRET[0]);
        }
    }
    JoinTokenText::random(offgate_link::join_token::RootFingerprint(ROOT), &Fixed)
}

/// The examples, as this build makes them.
fn vectors() -> Value {
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
