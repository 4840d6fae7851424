//! The link: its encoding under garbage, its handshake, and both ends against each other on a
//! network that loses, delays and cuts, with agents that crash before and after durability.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use offgate_core::agent::{AgentKey, HashKey};
use offgate_core::checkpoint::Checkpoint;
use offgate_core::credential::CredentialKind;
use offgate_core::disagreement::Disagreement;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::{AgentId, CredentialId, DoorId, PolicyId, QuestionId, StoreId, UserId};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::place::Direction;
use offgate_core::question::{Answer, Question, Said};
use offgate_core::server_address::ServerAddresses;
use offgate_core::table::Table;
use offgate_core::table::admission::{ClockTrust, Holder, Reason, Sought};
use offgate_core::table::entry::{CredentialHash, Entry, EntryKey, TableHash, UserEntry};
use offgate_core::text::Title;
use offgate_link::acknowledgement::{
    Above, Acknowledgement, NotBelieved, SigningKey, enrolment_statement, verify_enrolment,
};
use offgate_link::agent_end::{self, AgentEnd, Changes, Ending, Held};
use offgate_link::chain::{IssuingNumber, NotVouchedFor};
use offgate_link::identity::{
    Authority, Identity, agent_key, client_config, issued_under, server_config, server_name,
};
use offgate_link::join_token::RootFingerprint;
use offgate_link::log_key::{LogKey, NotSigned};
use offgate_link::message::{RefusalCode, ToAgent, ToServer, WireCheckpoint, WireEpoch};
use offgate_link::question::{digest_of, verified};
use offgate_link::server_end::{self, QUESTIONS, ServerEnd};
use proptest::prelude::*;

use log::Log;

#[expect(dead_code, reason = "another test rewrites it")]
mod log;

const STORE: StoreId = StoreId::from_bytes([1; 16]);
const EPOCH: Epoch = Epoch {
    counter: 1,
    nonce: [2; 16],
};

fn door(number: u8) -> DoorId {
    DoorId::from_bytes([number; 16])
}

fn event(sequence: u64, happening: Happening) -> DoorEvent {
    DoorEvent {
        sequence,
        at: Timestamp::from_seconds(1_800_000_000),
        door: door(1),
        direction: Direction::In,
        presented: CredentialKind::NfcCard,
        happening,
    }
}

fn happenings() -> Vec<Happening> {
    let holder = Holder {
        credential: CredentialId::from_bytes([3; 16]),
        user: UserId::from_bytes([4; 16]),
    };
    let mut all = vec![
        Happening::Granted {
            holder,
            policy: PolicyId::from_bytes([5; 16]),
        },
        Happening::WayOut { holder: None },
        Happening::WayOut {
            holder: Some(holder),
        },
        Happening::KeypadSlowed,
    ];
    for reason in Reason::ALL {
        all.push(Happening::Refused {
            reason,
            holder: Some(holder),
        });
    }
    all
}

fn wire_checkpoint() -> WireCheckpoint {
    WireCheckpoint {
        epoch: WireEpoch {
            counter: 1,
            nonce: [2; 16].into(),
        },
        size: 70_000,
        root: [3; 32].into(),
    }
}

fn to_server() -> Vec<ToServer> {
    vec![
        ToServer::Hello {
            versions: vec![1],
            software: "agent 1".to_owned(),
            store: Some([1; 16].into()),
            epoch: None,
            revision: 300,
            hash: [9; 32].into(),
            checkpoint: Some(wire_checkpoint()),
        },
        ToServer::Acknowledge {
            statement: vec![1, 2, 3].into(),
            signature: [7; 64].into(),
        },
        ToServer::Renew { ask: 70_000 },
        ToServer::Events {
            lost: 3,
            events: happenings()
                .into_iter()
                .map(|it| event(1, it).encode().into())
                .collect(),
        },
        ToServer::Enrol {
            secret: [1; 16].into(),
            key: [2; 32].into(),
            possession: [3; 64].into(),
        },
        ToServer::Pong { revision: 0 },
        ToServer::Witness {
            held: wire_checkpoint(),
        },
        ToServer::Doubted {
            held: wire_checkpoint(),
        },
        ToServer::Testimony {
            rulings: vec![vec![5; 90].into()],
        },
        ToServer::Answer {
            statement: vec![1, 2, 3].into(),
            signature: [7; 64].into(),
        },
        ToServer::Arrived { parts: 70_000 },
    ]
}

fn to_agent() -> Vec<ToAgent> {
    vec![
        ToAgent::Welcome {
            version: 1,
            store: [1; 16].into(),
            epoch: WireEpoch {
                counter: 1,
                nonce: [2; 16].into(),
            },
            now: 1_800_000_000_000_000,
            doors: vec![offgate_link::message::DoorName {
                door: [1; 16].into(),
                name: "Front".to_owned(),
            }],
            addresses: vec!["doors.example.org:12445".to_owned()],
        },
        ToAgent::Delta {
            previous: 1,
            revision: 2,
            deletes: vec![offgate_link::message::WireKey {
                kind: 5,
                id: [1; 16].into(),
            }],
            puts: vec![vec![1].into()],
            hash: [0; 32].into(),
        },
        ToAgent::SnapshotBegin { revision: 9 },
        ToAgent::SnapshotPart { puts: vec![] },
        ToAgent::SnapshotEnd {
            revision: 9,
            hash: [0; 32].into(),
        },
        ToAgent::Renewed { ask: 1 },
        ToAgent::EventsStored { up_to: 9 },
        ToAgent::Ping { now: -1 },
        ToAgent::Enrolled {
            agent: [1; 16].into(),
            store: [1; 16].into(),
            hash_key: [2; 32].into(),
            chain: vec![vec![0x30].into()],
        },
        ToAgent::Refused {
            code: RefusalCode::Replaced,
            words: "another took over".to_owned(),
        },
        ToAgent::History {
            signed: vec![1, 2, 3].into(),
            proof: vec![[4; 32].into()],
        },
        ToAgent::Question {
            question: (&question(1)).into(),
        },
        ToAgent::Overtake {
            rulings: vec![vec![5; 90].into()],
        },
    ]
}

#[test]
fn messages_have_one_encoding_and_nothing_panics() {
    for message in to_server() {
        let bytes = message.encode();
        assert_eq!(ToServer::decode(&bytes).as_ref(), Ok(&message));
        for position in 0..bytes.len() {
            assert!(ToServer::decode(&bytes[..position]).is_err());
            for flip in [1, 0x20, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[position] ^= flip;
                if let Ok(other) = ToServer::decode(&flipped) {
                    assert_eq!(other.encode(), flipped);
                }
            }
        }
    }
    for message in to_agent() {
        let bytes = message.encode();
        assert_eq!(ToAgent::decode(&bytes).as_ref(), Ok(&message));
        for position in 0..bytes.len() {
            assert!(ToAgent::decode(&bytes[..position]).is_err());
        }
    }
    // An unknown kind, and a longer form of a known number.
    assert!(ToAgent::decode(&[0x82, 0x18, 0x63, 0x80]).is_err());
    assert!(ToServer::decode(&[0x82, 0x05, 0x81, 0x18, 0x00]).is_err());
    for happening in happenings() {
        let event = event(7, happening);
        assert_eq!(DoorEvent::decode(&event.encode()), Some(event));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = ToServer::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes.clone());
        }
        if let Ok(message) = ToAgent::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes.clone());
        }
        if let Some(event) = DoorEvent::decode(&bytes) {
            prop_assert_eq!(event.encode(), bytes);
        }
    }
}

#[test]
fn only_the_agents_own_signature_over_these_bytes_is_believed() {
    let key = SigningKey::from_seed(&[8; 32]).expect("a key");
    let acknowledgement = Acknowledgement {
        store: STORE,
        epoch: EPOCH,
        revision: Revision::new(77),
        hash: TableHash([3; 32]),
        doors: vec![door(1), door(2)],
        above: vec![Above {
            subject: [4; 16],
            revision: Revision::new(80),
        }],
    };
    let statement = acknowledgement.statement();
    let signature = key.sign(&statement);
    assert_eq!(
        Acknowledgement::verify(&key.public(), &statement, &signature),
        Ok(acknowledgement)
    );
    for position in 0..statement.len() {
        let mut flipped = statement.clone();
        flipped[position] ^= 1;
        assert_eq!(
            Acknowledgement::verify(&key.public(), &flipped, &signature),
            Err(NotBelieved::Signature)
        );
    }
    let other = SigningKey::from_seed(&[9; 32]).expect("a key").public();
    assert_eq!(
        Acknowledgement::verify(&other, &statement, &signature),
        Err(NotBelieved::Signature)
    );
    // Something else that this key signed is no acknowledgement.
    let proof = enrolment_statement(&[1; 16], &key.public());
    let signature = key.sign(&proof);
    assert_eq!(
        verify_enrolment(&[1; 16], &key.public(), &signature),
        Ok(())
    );
    for (secret, key, possession) in [
        ([2; 16], key.public(), signature),
        ([1; 16], other, signature),
        ([1; 16], key.public(), [0; 64]),
    ] {
        assert_eq!(
            verify_enrolment(&secret, &key, &possession),
            Err(NotBelieved::Signature)
        );
    }
    assert_eq!(format!("{key:?}"), "SigningKey(…)");
    assert_eq!(
        Acknowledgement::verify(&key.public(), &proof, &signature),
        Err(NotBelieved::Malformed)
    );
}

/// Runs a handshake in memory.
fn shake(
    mut client: rustls::ClientConnection,
    mut server: rustls::ServerConnection,
) -> Result<(rustls::ClientConnection, rustls::ServerConnection), rustls::Error> {
    for _ in 0..10 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory");
        }
        let mut unread = bytes.as_slice();
        while !unread.is_empty() {
            server.read_tls(&mut unread).expect("memory");
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory");
        }
        let mut unread = bytes.as_slice();
        while !unread.is_empty() {
            client.read_tls(&mut unread).expect("memory");
            client.process_new_packets()?;
        }
    }
    Ok((client, server))
}

fn store_keys(seed: u8) -> Authority {
    let seeds = [[seed; 32], [seed + 1; 32], [seed + 2; 32], [seed + 3; 32]];
    Authority::create(seeds, IssuingNumber(1)).expect("keys")
}

#[test]
fn both_sides_know_each_other_by_the_root_alone() {
    let authority = store_keys(1);
    let stranger = store_keys(5);
    let key = SigningKey::from_seed(&[7; 32]).expect("a key");
    let vouched = |by: &Authority| offgate_link::identity::Identity {
        key: key.pkcs8().to_vec(),
        chain: by
            .issuing
            .vouch(AgentId::from_bytes([1; 16]), &key.public())
            .expect("a chain"),
    };
    let server = || {
        let root = authority.root.chain.first().expect("a root");
        let config = server_config(&authority.link, root).expect("a configuration");
        rustls::ServerConnection::new(Arc::new(config)).expect("a connection")
    };
    let client = |root, own: Option<&offgate_link::identity::Identity>| {
        let config = client_config(root, IssuingNumber(0), own).expect("a configuration");
        rustls::ClientConnection::new(Arc::new(config), server_name()).expect("a connection")
    };
    let own = vouched(&authority);
    let (joined, seen) =
        shake(client(authority.fingerprint(), Some(&own)), server()).expect("both agree");
    assert_eq!(joined.alpn_protocol(), Some(&b"offgate-door/1"[..]));
    let certificate = seen
        .peer_certificates()
        .and_then(<[_]>::first)
        .expect("a certificate");
    assert_eq!(agent_key(certificate).expect("a key"), key.public());
    // Without a certificate the connection stands, to enrol; the server sees none.
    let (_, seen) = shake(client(authority.fingerprint(), None), server()).expect("both agree");
    assert!(seen.peer_certificates().is_none());
    // A server with another root, and an agent of another store, are turned away.
    assert!(shake(client(stranger.fingerprint(), None), server()).is_err());
    assert!(
        shake(
            client(authority.fingerprint(), Some(&vouched(&stranger))),
            server()
        )
        .is_err()
    );
}

#[test]
fn only_a_certificate_of_the_logs_key_passes_for_one() {
    let authority = store_keys(1);
    let root = authority.fingerprint();
    let log = &authority.log;
    let key = LogKey::of(&log.chain, root).expect("the log's key");
    let signature = log.sign(b"checkpoint").expect("a signature");
    assert_eq!(key.verify(b"checkpoint", &signature), Ok(()));
    assert_eq!(key.verify(b"another", &signature), Err(NotSigned));
    let of_another_key = authority.link.sign(b"checkpoint").expect("a signature");
    assert_eq!(key.verify(b"checkpoint", &of_another_key), Err(NotSigned));
    // Another purpose.
    let agent = SigningKey::from_seed(&[7; 32]).expect("a key").public();
    let agent = authority
        .issuing
        .vouch(AgentId::from_bytes([1; 16]), &agent)
        .expect("a chain");
    for chain in [
        &agent,
        &authority.link.chain,
        &authority.issuing.chain,
        &authority.root.chain,
    ] {
        assert!(LogKey::of(chain, root).is_err());
    }
    // Another root; its own certificate put in front changes nothing.
    let stranger = store_keys(5);
    assert_eq!(
        LogKey::of(&log.chain, stranger.fingerprint()),
        Err(NotVouchedFor::AnotherRoot)
    );
    let theirs = stranger.issuing.log_key(&[8; 32]).expect("a chain");
    let mixed = [theirs.chain.clone(), authority.root.chain.clone()].concat();
    assert_eq!(LogKey::of(&mixed, root), Err(NotVouchedFor::Certificate));
    // Nothing, garbage, a chain with a hole, and every damaged byte of its own certificate.
    assert!(LogKey::of::<Vec<u8>>(&[], root).is_err());
    assert!(LogKey::of(&[vec![1, 2, 3], vec![]], root).is_err());
    let hole = [log.chain[0].clone(), log.chain[2].clone()];
    assert_eq!(LogKey::of(&hole, root), Err(NotVouchedFor::Certificate));
    for at in 0..log.chain[0].len() {
        let mut damaged = log.chain.clone();
        damaged[0][at] ^= 1;
        assert!(LogKey::of(&damaged, root).is_err(), "byte {at}");
    }
    // Nor does the log's certificate pass for the link's or for an agent's.
    let server = |own| {
        let config = server_config(own, &authority.root.chain[0]).expect("a configuration");
        rustls::ServerConnection::new(Arc::new(config)).expect("a connection")
    };
    let client = |own| {
        let config = client_config(root, IssuingNumber(0), own).expect("a configuration");
        rustls::ClientConnection::new(Arc::new(config), server_name()).expect("a connection")
    };
    assert!(shake(client(None), server(log)).is_err());
    assert!(shake(client(Some(log)), server(&authority.link)).is_err());
}

#[test]
fn an_issuing_key_that_was_replaced_is_good_for_nothing_once_its_successor_was_seen() {
    let first = store_keys(1);
    let second = first
        .root
        .issuing_key(&[20; 32], IssuingNumber(1_700_000_000))
        .expect("a chain");
    let link = second.link_key(&[21; 32]).expect("a chain");
    let meet = |link: &Identity, seen| {
        let config = server_config(link, &first.root.chain[0]).expect("a configuration");
        let server = rustls::ServerConnection::new(Arc::new(config)).expect("a connection");
        let config = client_config(first.fingerprint(), seen, None).expect("a configuration");
        let client = rustls::ClientConnection::new(Arc::new(config), server_name());
        let (client, _) = shake(client.expect("a connection"), server)?;
        let chain = client.peer_certificates().expect("a chain");
        Ok::<_, rustls::Error>(issued_under(chain, first.fingerprint()).expect("believed"))
    };
    let old = meet(&first.link, IssuingNumber(0)).expect("the first is believed");
    assert_eq!(old, IssuingNumber(1));
    assert_eq!(meet(&first.link, old), Ok(old), "again");
    let new = meet(&link, old).expect("its successor is believed");
    assert_eq!(new, IssuingNumber(1_700_000_000));
    assert!(meet(&first.link, new).is_err(), "the first no more");
    // Putting the new issuing certificate beside the old one does not help.
    let mut mixed = first.issuing.link_key(&[22; 32]).expect("a chain");
    mixed.chain.insert(1, second.chain[0].clone());
    assert!(meet(&mixed, new).is_err());
    // What the log's key signed says under which of the two.
    let log = second.log_key(&[23; 32]).expect("a chain");
    let key = LogKey::of(&log.chain, first.fingerprint()).expect("the log's key");
    assert_eq!(key.issued_under(), new);
}

/// How much is done every day, unless `cargo xtask deep` asks for more.
fn deep(variable: &str, every_day: u64) -> u64 {
    let asked = std::env::var(variable).ok();
    asked
        .and_then(|number| number.parse().ok())
        .unwrap_or(every_day)
}

/// Numbers that look random and are the same for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 33)
    }
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// That a table is durable, beside which no refusal stands.
const fn durable(held: Held) -> agent_end::Input {
    agent_end::Input::Durable { held, overtaken: 0 }
}

/// A log with one entry.
fn young_log(authority: &Authority) -> Log<'_> {
    let mut log = Log::new(STORE, EPOCH, &authority.log);
    log.push(0);
    log
}

/// What the server's store holds for one agent.
#[derive(Clone)]
struct Projection {
    table: Table,
    revision: Revision,
    changed: BTreeMap<EntryKey, Revision>,
    /// Older revisions get a whole table.
    floor: Revision,
}

impl Projection {
    fn read(&self, after: Option<Revision>) -> server_end::Table {
        let hash = self.table.hash();
        let entries: BTreeMap<_, _> = self.table.entries().collect();
        match after {
            Some(after) if after == self.revision => server_end::Table::Same { hash },
            Some(after) if after >= self.floor && after < self.revision => {
                let keys = self
                    .changed
                    .iter()
                    .filter(|(_, at)| **at > after)
                    .map(|(key, _)| *key);
                let (puts, deletes): (Vec<_>, Vec<_>) =
                    keys.partition(|key| entries.contains_key(key));
                server_end::Table::Changed {
                    deletes,
                    puts: puts.iter().map(|key| entries[key].to_vec()).collect(),
                    revision: self.revision,
                    hash,
                }
            }
            _ => server_end::Table::Whole {
                puts: entries.values().map(|bytes| bytes.to_vec()).collect(),
                revision: self.revision,
                hash,
            },
        }
    }
}

/// One agent and its connection, both directions.
struct Agent {
    key: SigningKey,
    doors: Vec<(DoorId, Title)>,
    memory: Option<(Table, Held)>,
    durable: Option<(Table, Held)>,
    /// Tables in memory whose writing is under way.
    writing: VecDeque<(Table, Held)>,
    ends: Option<(AgentEnd, ServerEnd)>,
    to_server: VecDeque<ToServer>,
    to_agent: VecDeque<ToAgent>,
    readings: VecDeque<Option<Revision>>,
    proofs: VecDeque<Option<u64>>,
    refusals: VecDeque<Revision>,
    root: RootFingerprint,
    seen: Option<Checkpoint>,
    projection: Projection,
    confirmed: Option<Revision>,
    leases: u64,
    answers: u64,
}

const HASH_KEY: HashKey = HashKey::from_bytes([3; 32]);

impl Agent {
    fn new(number: u8, root: RootFingerprint) -> Self {
        Self {
            key: SigningKey::from_seed(&[number; 32]).expect("a key"),
            doors: vec![(door(number), Title::parse("Door").expect("a title"))],
            memory: None,
            durable: None,
            writing: VecDeque::new(),
            ends: None,
            to_server: VecDeque::new(),
            to_agent: VecDeque::new(),
            readings: VecDeque::new(),
            proofs: VecDeque::new(),
            refusals: VecDeque::new(),
            root,
            seen: None,
            projection: Projection {
                table: Table::empty(HASH_KEY),
                revision: Revision::new(1),
                changed: BTreeMap::new(),
                floor: Revision::ZERO,
            },
            confirmed: None,
            leases: 0,
            answers: 0,
        }
    }

    fn cut(&mut self) {
        self.ends = None;
        self.to_server.clear();
        self.to_agent.clear();
        self.readings.clear();
        self.proofs.clear();
        self.refusals.clear();
    }

    fn connect(&mut self, now: Duration) {
        self.cut();
        let held = self.durable.as_ref().map(|(_, held)| *held);
        // What is in memory and not durable is not offered; the runtime waits for its disk.
        if !self.writing.is_empty() {
            return;
        }
        let mut agent = AgentEnd::new(
            STORE,
            self.root,
            self.seen,
            held,
            "simulated".to_owned(),
            now,
        );
        let who = server_end::Agent {
            key: self.key.public(),
            doors: self.doors.clone(),
            addresses: ServerAddresses::default(),
        };
        let server = ServerEnd::new(who, STORE, EPOCH, Timestamp::from_seconds(0), now);
        let outputs = agent.handle(agent_end::Input::Connected, now);
        self.ends = Some((agent, server));
        self.carry_agent(outputs, now);
    }

    fn answer_refusals(&mut self, now: Duration) {
        if let Some(since) = self.refusals.pop_front() {
            let refusals = server_end::Refusals {
                rulings: Vec::new(),
                up_to: self.projection.revision.max(since),
                rest: server_end::Rest::Nothing,
            };
            self.tell_server(server_end::Input::Refusals(refusals), now);
        }
    }

    fn crash(&mut self) {
        self.cut();
        self.writing.clear();
        self.memory = self.durable.clone();
    }

    fn tell_agent(&mut self, input: agent_end::Input, now: Duration) {
        if let Some((agent, _)) = &mut self.ends {
            let outputs = agent.handle(input, now);
            self.carry_agent(outputs, now);
        }
    }

    fn tell_server(&mut self, input: server_end::Input, now: Duration) {
        if let Some((_, server)) = &mut self.ends {
            let outputs = server.handle(input, now);
            self.carry_server(outputs);
        }
    }

    fn carry_agent(&mut self, outputs: Vec<agent_end::Output>, now: Duration) {
        for output in outputs {
            match output {
                agent_end::Output::Send(message) => self.to_server.push_back(message),
                agent_end::Output::Apply(changes) => {
                    let table = self.memory.as_ref().expect("a table").0.clone();
                    self.apply(table, changes, now);
                }
                agent_end::Output::Replace(changes) => {
                    self.apply(Table::empty(HASH_KEY), changes, now)
                }
                agent_end::Output::Acknowledge(acknowledgement) => {
                    let statement = acknowledgement.statement();
                    let signature = self.key.sign(&statement).into();
                    self.to_server.push_back(ToServer::Acknowledge {
                        statement: statement.into(),
                        signature,
                    });
                }
                agent_end::Output::Answer { question, held } => {
                    let memory = self.memory.as_ref().map(|(_, held)| *held);
                    assert!(memory.is_none_or(|memory| memory == held), "what decides");
                    self.to_server
                        .push_back(answered(&self.key, &question, held));
                }
                agent_end::Output::LeaseFrom(_) => self.leases += 1,
                agent_end::Output::Witness(checkpoint) => self.seen = Some(checkpoint),
                agent_end::Output::Close(ending) => {
                    assert!(
                        !matches!(ending, Ending::Protocol | Ending::Doubted(_)),
                        "an honest server was misunderstood: {ending:?}"
                    );
                    self.cut();
                }
                agent_end::Output::ServerTime(_)
                | agent_end::Output::Doors(_)
                | agent_end::Output::Addresses(_)
                | agent_end::Output::Testify(_)
                | agent_end::Output::Hold(_)
                | agent_end::Output::EventsStored(_) => {}
            }
        }
    }

    fn apply(&mut self, table: Table, changes: Changes, now: Duration) {
        let mut table = table;
        for key in changes.deletes {
            table.delete(key);
        }
        for entry in changes.puts {
            table.put(entry);
        }
        if table.hash() != changes.becomes.hash {
            return self.tell_agent(agent_end::Input::Mismatch, now);
        }
        self.memory = Some((table.clone(), changes.becomes));
        self.writing.push_back((table, changes.becomes));
    }

    fn carry_server(&mut self, outputs: Vec<server_end::Output>) {
        for output in outputs {
            match output {
                server_end::Output::Send(message) => self.to_agent.push_back(message),
                server_end::Output::Read(after) => self.readings.push_back(after),
                server_end::Output::Prove(size) => self.proofs.push_back(size),
                server_end::Output::Testimony(rulings) => {
                    panic!("nothing was refused: {rulings:?}")
                }
                // Nothing is refused here, but acknowledgements lag.
                server_end::Output::ReadRefusals(since) => self.refusals.push_back(since),
                server_end::Output::Disagrees(Disagreement::Missing) => {}
                server_end::Output::Disagrees(another) => {
                    panic!("an honest agent has another table: {another:?}")
                }
                server_end::Output::Doubted(seen) => {
                    panic!("an honest server was doubted: {seen:?}")
                }
                server_end::Output::Acknowledged {
                    acknowledgement, ..
                } => {
                    // The promise: what the server believes is what the disk holds.
                    let (table, held) = self.durable.as_ref().expect("durable before acknowledged");
                    assert!(held.revision >= acknowledgement.revision);
                    if held.revision == acknowledgement.revision {
                        assert_eq!(table.hash(), acknowledgement.hash);
                    }
                    self.confirmed = self.confirmed.max(Some(acknowledgement.revision));
                }
                server_end::Output::Close(code) => {
                    assert_ne!(
                        code,
                        RefusalCode::Protocol,
                        "an honest agent was misunderstood"
                    );
                    self.cut();
                    return;
                }
                server_end::Output::Answered { .. } => self.answers += 1,
                server_end::Output::Witnessed(_)
                | server_end::Output::Positions(_)
                | server_end::Output::AsksRenewal
                | server_end::Output::Store { .. } => {}
            }
        }
    }
}

fn question(number: u8) -> Question {
    Question {
        id: QuestionId::from_bytes([number; 16]),
        credential: CredentialId::from_bytes([1; 16]),
        sought: Sought {
            kind: CredentialKind::NfcCard,
            hash: CredentialHash([2; 16]),
        },
        door: door(11),
        direction: Direction::In,
    }
}

/// What an agent with this table and key says to it.
fn answered(key: &SigningKey, question: &Question, held: Held) -> ToServer {
    let statement = offgate_link::question::statement(&Answer {
        store: held.store,
        epoch: held.epoch,
        revision: held.revision,
        hash: held.hash,
        question: digest_of(question),
        credential: question.credential,
        door: question.door,
        direction: question.direction,
        said: Said::Refused {
            reason: Reason::Deactivated,
        },
        at: Timestamp::from_seconds(1_800_000_000),
        clock: ClockTrust::Trusted,
    });
    ToServer::Answer {
        signature: key.sign(&statement).into(),
        statement: statement.into(),
    }
}

fn user_entry(number: u8, version: u64) -> Entry {
    Entry::User(UserEntry {
        user: [number; 16].into(),
        standing: 0,
        starts: None,
        ends: Some(version as i64),
        policies: vec![],
        credentials: vec![],
    })
}

fn step(random: &mut Random, agent: &mut Agent, log: &mut Log<'_>, now: Duration) {
    match random.below(20) {
        0..=2 => {
            log.push(random.next());
            let revision = log.revision();
            let entry = user_entry(random.below(5) as u8, revision.number());
            agent.projection.changed.insert(entry.key(), revision);
            agent.projection.revision = revision;
            if random.one_in(4) {
                agent.projection.table.delete(entry.key());
            } else {
                agent.projection.table.put(entry);
            }
            if random.one_in(30) {
                agent.projection.floor = revision;
            }
            agent.tell_server(server_end::Input::Woken, now);
        }
        3..=7 => {
            if let Some(message) = agent.to_agent.pop_front() {
                let message = ToAgent::decode(&message.encode()).expect("own encoding");
                agent.tell_agent(agent_end::Input::Message(message), now);
            }
        }
        8..=11 => {
            if let Some(message) = agent.to_server.pop_front() {
                let message = ToServer::decode(&message.encode()).expect("own encoding");
                agent.tell_server(server_end::Input::Message(message), now);
            }
        }
        12..=14 => {
            if let Some(size) = agent.proofs.pop_front() {
                let history = log.history(size);
                agent.tell_server(server_end::Input::History(history), now);
            }
            agent.answer_refusals(now);
            if let Some(after) = agent.readings.pop_front() {
                let table = agent.projection.read(after);
                agent.tell_server(server_end::Input::Read(table), now);
            }
        }
        15 | 16 => {
            if let Some((table, held)) = agent.writing.pop_front() {
                agent.durable = Some((table, held));
                agent.tell_agent(durable(held), now);
            }
        }
        17 => {
            agent.tell_agent(agent_end::Input::Tick, now);
            agent.tell_server(server_end::Input::Tick(Timestamp::from_seconds(0)), now);
            let question = question(random.next() as u8);
            agent.tell_server(server_end::Input::Ask(question), now);
        }
        18 if random.one_in(8) => agent.crash(),
        19 if random.one_in(8) => agent.cut(),
        _ => {
            if agent.ends.is_none() {
                agent.connect(now);
            }
        }
    }
}

#[test]
fn whatever_the_network_does_an_acknowledgement_is_durable_and_all_end_equal() {
    let authority = store_keys(1);
    let (mut leases, mut answers) = (0, 0);
    for seed in 0..deep("OFFGATE_DEEP_SEEDS", 400) {
        let mut random = Random(seed);
        let root = authority.fingerprint();
        let mut agents = [Agent::new(11, root), Agent::new(12, root)];
        let mut log = young_log(&authority);
        let mut now = Duration::from_secs(100);
        for _ in 0..1_500 {
            now += Duration::from_millis(random.below(60));
            let which = random.below(2) as usize;
            step(&mut random, &mut agents[which], &mut log, now);
        }
        for agent in &mut agents {
            // Healed: everything arrives, nothing is cut.
            for round in 0..400 {
                now += Duration::from_millis(10);
                while let Some((table, held)) = agent.writing.pop_front() {
                    agent.durable = Some((table, held));
                    agent.tell_agent(durable(held), now);
                }
                if agent.ends.is_none() || round == 0 {
                    agent.connect(now);
                }
                if let Some(message) = agent.to_agent.pop_front() {
                    agent.tell_agent(agent_end::Input::Message(message), now);
                }
                if let Some(message) = agent.to_server.pop_front() {
                    agent.tell_server(server_end::Input::Message(message), now);
                }
                if let Some(size) = agent.proofs.pop_front() {
                    let history = log.history(size);
                    agent.tell_server(server_end::Input::History(history), now);
                }
                agent.answer_refusals(now);
                if let Some(after) = agent.readings.pop_front() {
                    let table = agent.projection.read(after);
                    agent.tell_server(server_end::Input::Read(table), now);
                }
            }
            let (table, held) = agent.durable.as_ref().expect("a table");
            assert_eq!(held.revision, agent.projection.revision, "seed {seed}");
            assert_eq!(table.hash(), agent.projection.table.hash(), "seed {seed}");
            assert_eq!(agent.confirmed, Some(held.revision), "seed {seed}");
            leases += agent.leases;
            answers += agent.answers;
        }
    }
    assert!(answers > 800, "questions were answered: {answers}");
    assert!(leases > 800, "leases were renewed: {leases}");
}

#[test]
fn lies_end_the_conversation() {
    let now = Duration::from_secs(1);
    let authority = store_keys(1);
    let log = young_log(&authority);
    let key = SigningKey::from_seed(&[8; 32]).expect("a key");
    let table = Projection {
        table: Table::empty(HASH_KEY),
        revision: Revision::new(5),
        changed: BTreeMap::new(),
        floor: Revision::ZERO,
    };
    let greeted = || {
        let who = server_end::Agent {
            key: key.public(),
            doors: vec![],
            addresses: ServerAddresses::default(),
        };
        let mut server = ServerEnd::new(who, STORE, EPOCH, Timestamp::from_seconds(0), now);
        let hello = ToServer::Hello {
            versions: vec![1],
            software: String::new(),
            store: None,
            epoch: None,
            revision: 0,
            hash: [0; 32].into(),
            checkpoint: None,
        };
        server.handle(server_end::Input::Message(hello), now);
        server.handle(server_end::Input::History(log.history(None)), now);
        let renew = ToServer::Renew { ask: 1 };
        server.handle(server_end::Input::Message(renew), now);
        server.handle(server_end::Input::Read(table.read(None)), now);
        server
    };
    let acknowledge = |revision, epoch, signer: &SigningKey| {
        let said = Acknowledgement {
            store: STORE,
            epoch,
            revision: Revision::new(revision),
            hash: TableHash::EMPTY,
            doors: vec![],
            above: Vec::new(),
        };
        let statement = said.statement();
        let signature = signer.sign(&statement).into();
        server_end::Input::Message(ToServer::Acknowledge {
            statement: statement.into(),
            signature,
        })
    };
    let stranger = SigningKey::from_seed(&[9; 32]).expect("a key");
    let other = Epoch {
        counter: 2,
        nonce: [0; 16],
    };
    let closes = |outputs: &[server_end::Output]| {
        outputs.contains(&server_end::Output::Close(RefusalCode::Protocol))
    };
    for lie in [
        acknowledge(6, EPOCH, &key),
        acknowledge(5, other, &key),
        acknowledge(5, EPOCH, &stranger),
        server_end::Input::Malformed,
        server_end::Input::Message(ToServer::Enrol {
            secret: [0; 16].into(),
            key: AgentKey([0; 32]).0.into(),
            possession: [0; 64].into(),
        }),
    ] {
        assert!(closes(&greeted().handle(lie.clone(), now)), "{lie:?}");
    }
    let believed = greeted().handle(acknowledge(5, EPOCH, &key), now);
    assert!(
        matches!(believed[..], [server_end::Output::Acknowledged { .. }]),
        "{believed:?}"
    );
}

/// A server's end in the midst of a conversation with the agent that has this key.
fn speaking(key: &SigningKey, log: &Log<'_>, now: Duration) -> ServerEnd {
    let who = server_end::Agent {
        key: key.public(),
        doors: vec![],
        addresses: ServerAddresses::default(),
    };
    let mut server = ServerEnd::new(who, STORE, EPOCH, Timestamp::from_seconds(0), now);
    let hello = ToServer::Hello {
        versions: vec![1],
        software: String::new(),
        store: None,
        epoch: None,
        revision: 0,
        hash: [0; 32].into(),
        checkpoint: None,
    };
    assert_eq!(server.may_ask(), 0, "not before it knows who is there");
    server.handle(server_end::Input::Message(hello), now);
    server.handle(server_end::Input::History(log.history(None)), now);
    assert_eq!(server.may_ask(), 0, "not before the agent believes it");
    server.handle(
        server_end::Input::Message(ToServer::Pong { revision: 0 }),
        now,
    );
    server
}

#[test]
fn only_an_answer_to_what_was_asked_and_signed_by_who_was_asked_is_believed() {
    let now = Duration::from_secs(1);
    let authority = store_keys(1);
    let log = young_log(&authority);
    let [key, stranger] = [8, 9].map(|number| SigningKey::from_seed(&[number; 32]).expect("a key"));
    let held = Held {
        store: STORE,
        epoch: EPOCH,
        revision: Revision::new(5),
        hash: TableHash([7; 32]),
    };
    let asked = || {
        let mut server = speaking(&key, &log, now);
        let said = server.handle(server_end::Input::Ask(question(1)), now);
        let expected = ToAgent::Question {
            question: (&question(1)).into(),
        };
        assert_eq!(said, [server_end::Output::Send(expected)]);
        server
    };
    let hear =
        |server: &mut ServerEnd, message| server.handle(server_end::Input::Message(message), now);
    let mut server = asked();
    let again = server.handle(server_end::Input::Ask(question(1)), now);
    assert_eq!(again, [], "asked already");
    let believed = hear(&mut server, answered(&key, &question(1), held));
    let [
        server_end::Output::Answered {
            question: of,
            answer,
            ..
        },
    ] = &believed[..]
    else {
        panic!("{believed:?}")
    };
    assert_eq!(
        (*of, answer.revision, answer.hash),
        (question(1), held.revision, held.hash)
    );
    let closes = |outputs: &[server_end::Output]| {
        outputs.contains(&server_end::Output::Close(RefusalCode::Protocol))
    };
    // Said twice: the second time nobody asked.
    assert!(closes(&hear(
        &mut server,
        answered(&key, &question(1), held)
    )));
    let another_store = Held {
        store: StoreId::from_bytes([9; 16]),
        ..held
    };
    let mut another_door = question(1);
    another_door.door = door(12);
    let mut another_credential = question(1);
    another_credential.credential = CredentialId::from_bytes([2; 16]);
    let mut another_side = question(1);
    another_side.direction = Direction::Out;
    let mut another_card = question(1);
    another_card.sought.hash = CredentialHash([3; 16]);
    for lie in [
        answered(&stranger, &question(1), held),
        answered(&key, &question(2), held),
        answered(&key, &another_door, held),
        answered(&key, &another_credential, held),
        answered(&key, &another_side, held),
        answered(&key, &another_card, held),
        answered(&key, &question(1), another_store),
        ToServer::Answer {
            statement: vec![].into(),
            signature: [0; 64].into(),
        },
    ] {
        assert!(closes(&hear(&mut asked(), lie.clone())), "{lie:?}");
    }
    // So many at once, and no more.
    let mut server = speaking(&key, &log, now);
    for number in 0..=QUESTIONS as u8 {
        let sent = server.handle(server_end::Input::Ask(question(number)), now);
        assert_eq!(sent.is_empty(), usize::from(number) == QUESTIONS);
    }
    assert_eq!(server.may_ask(), 0);
    hear(&mut server, answered(&key, &question(3), held));
    assert_eq!(server.may_ask(), 1);
}

#[test]
fn an_answer_has_one_encoding_and_its_signature_is_for_nothing_else() {
    let key = SigningKey::from_seed(&[8; 32]).expect("a key");
    let held = Held {
        store: STORE,
        epoch: EPOCH,
        revision: Revision::new(300),
        hash: TableHash([7; 32]),
    };
    let ToServer::Answer {
        statement,
        signature,
    } = answered(&key, &question(1), held)
    else {
        panic!("an answer")
    };
    let answer = verified(&key.public(), &statement, &signature).expect("signed");
    for said in [
        Said::Granted {
            holder: CredentialId::from_bytes([9; 16]),
        },
        Said::WayOut,
    ]
    .into_iter()
    .chain(Reason::ALL.map(|reason| Said::Refused { reason }))
    {
        for clock in [ClockTrust::Trusted, ClockTrust::Untrusted] {
            let answer = Answer {
                said,
                clock,
                ..answer
            };
            let bytes = offgate_link::question::statement(&answer);
            let read = verified(&key.public(), &bytes, &key.sign(&bytes));
            assert_eq!(read, Ok(answer));
        }
    }
    for at in 0..statement.len() {
        let mut flipped = statement.to_vec();
        flipped[at] ^= 1;
        assert_eq!(
            verified(&key.public(), &flipped, &signature),
            Err(NotBelieved::Signature)
        );
        // Signed anew by the agent itself, other bytes are another answer or none.
        if let Ok(other) = verified(&key.public(), &flipped, &key.sign(&flipped)) {
            assert_ne!(other, answer);
        }
        let cut = &statement[..at];
        assert!(verified(&key.public(), cut, &key.sign(cut)).is_err());
    }
    assert_eq!(
        Acknowledgement::verify(&key.public(), &statement, &signature),
        Err(NotBelieved::Malformed)
    );
}

#[test]
fn a_lease_runs_from_the_question_and_its_answer_stands_behind_what_was_committed() {
    let start = Duration::from_secs(50);
    let authority = store_keys(1);
    let log = young_log(&authority);
    let mut agent = Agent::new(11, authority.fingerprint());
    agent.projection.table.put(user_entry(1, 1));
    agent.connect(start);
    let mut order = Vec::new();
    for tenth in 0..50 {
        let now = start + Duration::from_millis(tenth * 100);
        agent.tell_agent(agent_end::Input::Tick, now);
        while let Some((table, held)) = agent.writing.pop_front() {
            agent.durable = Some((table, held));
            agent.tell_agent(durable(held), now);
        }
        if let Some(message) = agent.to_server.pop_front() {
            if matches!(message, ToServer::Renew { ask: 2 }) {
                // Committed before the question arrives: must be sent before the answer.
                let entry = user_entry(2, 2);
                agent.projection.revision = Revision::new(2);
                agent
                    .projection
                    .changed
                    .insert(entry.key(), Revision::new(2));
                agent.projection.table.put(entry);
            }
            agent.tell_server(server_end::Input::Message(message), now);
        }
        if let Some(size) = agent.proofs.pop_front() {
            agent.tell_server(server_end::Input::History(log.history(size)), now);
        }
        if let Some(after) = agent.readings.pop_front() {
            let table = agent.projection.read(after);
            agent.tell_server(server_end::Input::Read(table), now);
        }
        if let Some(message) = agent.to_agent.pop_front() {
            match &message {
                ToAgent::Delta { .. } => order.push("delta"),
                ToAgent::Renewed { .. } => order.push("renewed"),
                _ => {}
            }
            if let Some((end, _)) = &mut agent.ends {
                let outputs = end.handle(agent_end::Input::Message(message), now);
                for output in &outputs {
                    if let agent_end::Output::LeaseFrom(from) = output {
                        assert!(*from < now, "counted from before the answer");
                    }
                }
                agent.carry_agent(outputs, now);
            }
        }
    }
    assert_eq!(order, ["renewed", "delta", "renewed"]);
}

#[test]
fn that_a_renewal_is_asked_for_is_on_record_before_anything_is_read_for_it() {
    let now = Duration::from_secs(1);
    let (mut server, said) = greeted(Some(TableHash([1; 32])));
    let read = server_end::Output::Read(Some(Revision::new(7)));
    assert_eq!(said.last(), Some(&read), "a reading is under way");
    let same = server_end::Input::Read(server_end::Table::Same {
        hash: TableHash([1; 32]),
    });
    let renew = |ask| server_end::Input::Message(ToServer::Renew { ask });
    let renewed = |ask| server_end::Output::Send(ToAgent::Renewed { ask });
    let asks = server_end::Output::AsksRenewal;
    // The reading that was under way is none for it.
    assert_eq!(server.handle(renew(1), now), std::slice::from_ref(&asks));
    assert_eq!(
        server.handle(same.clone(), now),
        std::slice::from_ref(&read)
    );
    assert_eq!(server.handle(same.clone(), now), [renewed(1)]);
    assert_eq!(server.handle(renew(2), now), [asks, read]);
    assert_eq!(server.handle(same, now), [renewed(2)]);
}

/// A server's end that an agent has greeted with a table of revision 7, and what it said.
fn greeted(said: Option<TableHash>) -> (ServerEnd, Vec<server_end::Output>) {
    let now = Duration::from_secs(1);
    let authority = store_keys(1);
    let log = young_log(&authority);
    let who = server_end::Agent {
        key: SigningKey::from_seed(&[8; 32]).expect("a key").public(),
        doors: vec![],
        addresses: ServerAddresses::default(),
    };
    let mut server = ServerEnd::new(who, STORE, EPOCH, Timestamp::from_seconds(0), now);
    let hello = ToServer::Hello {
        versions: vec![1],
        software: String::new(),
        store: said.map(|_| (*STORE.as_bytes()).into()),
        epoch: said.map(|_| EPOCH.into()),
        revision: said.map_or(0, |_| 7),
        hash: said.unwrap_or(TableHash::EMPTY).0.into(),
        checkpoint: None,
    };
    let mut said = server.handle(server_end::Input::Message(hello), now);
    server.handle(server_end::Input::History(log.history(None)), now);
    let pong = ToServer::Pong { revision: 0 };
    said.extend(server.handle(server_end::Input::Message(pong), now));
    (server, said)
}

/// What a server's end says first of a table of revision 7 that an agent greets it with, when the
/// store's is of that revision too.
fn disagreements(said: Option<TableHash>, ours: TableHash) -> Vec<server_end::Output> {
    let now = Duration::from_secs(1);
    let (mut server, mut said) = greeted(said);
    let same = server_end::Table::Same { hash: ours };
    said.extend(server.handle(server_end::Input::Read(same), now));
    said.retain(|output| {
        matches!(
            output,
            server_end::Output::Disagrees(_) | server_end::Output::Read(_)
        )
    });
    said
}

#[test]
fn a_table_that_is_not_the_stores_is_told_of_and_a_whole_one_is_read() {
    let (ours, another) = (TableHash([1; 32]), TableHash([2; 32]));
    let at_seven = server_end::Output::Read(Some(Revision::new(7)));
    assert_eq!(
        disagreements(Some(ours), ours),
        std::slice::from_ref(&at_seven)
    );
    assert_eq!(
        disagreements(Some(another), ours),
        [
            at_seven,
            server_end::Output::Disagrees(Disagreement::Another(Revision::new(7))),
            server_end::Output::Read(None),
        ]
    );
    assert_eq!(
        disagreements(None, ours)[0],
        server_end::Output::Disagrees(Disagreement::Missing)
    );
}
