//! Refusals that overtake a table: both ends, with a table that takes long.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::VecDeque;
use std::time::Duration;

use offgate_core::agent::HashKey;
use offgate_core::id::{DoorId, StoreId};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::ruling::{Ruled, Ruling, Seal};
use offgate_core::server_address::ServerAddresses;
use offgate_core::table::Table;
use offgate_core::table::entry::{Entry, RulingEntry, TableHash, UserEntry};
use offgate_core::text::Title;
use offgate_link::acknowledgement::{Above, Acknowledgement, SigningKey};
use offgate_link::agent_end::{self, AgentEnd, Ending, Held};
use offgate_link::chain::IssuingNumber;
use offgate_link::identity::Authority;
use offgate_link::message::{RefusalCode, ToAgent, ToServer, WireEpoch};
use offgate_link::server_end::{self, Refusals, Rest, ServerEnd};

use log::Log;

#[expect(dead_code, reason = "another test rewrites it")]
mod log;

const STORE: StoreId = StoreId::from_bytes([1; 16]);
const EPOCH: Epoch = Epoch {
    counter: 1,
    nonce: [2; 16],
};
const HASH_KEY: HashKey = HashKey::from_bytes([3; 32]);
const NOW: Duration = Duration::from_secs(100);
/// The revision of the table that is on its way.
const WHOLE: Revision = Revision::new(6_000);

fn keys() -> Authority {
    Authority::create([[1; 32], [2; 32], [3; 32], [4; 32]], IssuingNumber(1)).expect("keys")
}

fn door() -> DoorId {
    DoorId::from_bytes([9; 16])
}

fn ruling(subject: u8, ruled: Ruled, revision: u64, epoch: Epoch) -> RulingEntry {
    let ruling = Ruling {
        subject: [subject; 16],
        ruled,
        epoch,
        revision: Revision::new(revision),
    };
    RulingEntry::new(&ruling, Seal([7; 32]))
}

fn refusal(subject: u8, revision: u64) -> RulingEntry {
    ruling(subject, Ruled::Deactivated, revision, EPOCH)
}

fn above(subject: u8, revision: u64) -> Above {
    Above {
        subject: [subject; 16],
        revision: Revision::new(revision),
    }
}

/// Five thousand people: eight parts or so.
fn large() -> Table {
    let mut table = Table::empty(HASH_KEY);
    for number in 0..5_000_u32 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        table.put(Entry::User(UserEntry {
            user: id.into(),
            standing: 0,
            starts: None,
            ends: None,
            policies: vec![[1; 16].into()],
            credentials: vec![(id.into(), id.into(), 0), ([0xff; 16].into(), id.into(), 0)],
        }));
    }
    table
}

/// What the agent has at first.
fn small() -> Held {
    Held {
        store: STORE,
        epoch: EPOCH,
        revision: Revision::new(1),
        hash: TableHash::EMPTY,
    }
}

/// Both ends, and what is on its way between them.
struct Pair<'k> {
    agent: AgentEnd,
    server: ServerEnd,
    key: SigningKey,
    log: Log<'k>,
    to_server: VecDeque<ToServer>,
    to_agent: VecDeque<ToAgent>,
    /// What the server waits to be read.
    refusals: Option<Revision>,
    believed: Vec<(Revision, Revision, Vec<Revision>)>,
    held: Vec<RulingEntry>,
    becomes: Vec<Held>,
    leases: u32,
    closed: Option<RefusalCode>,
    ended: Option<Ending>,
}

impl<'k> Pair<'k> {
    /// Has greeted, with that table or without one, and been answered.
    fn greeted(keys: &'k Authority, has: Option<Held>) -> Self {
        let key = SigningKey::from_seed(&[8; 32]).expect("a key");
        let mut log = Log::new(STORE, EPOCH, &keys.log);
        log.push(0);
        let who = server_end::Agent {
            key: key.public(),
            doors: vec![(door(), Title::parse("Door").expect("a title"))],
            addresses: ServerAddresses::default(),
        };
        let time = Timestamp::from_seconds(0);
        let software = "a test".to_owned();
        let mut pair = Self {
            agent: AgentEnd::new(STORE, keys.fingerprint(), None, has, software, NOW),
            server: ServerEnd::new(who, STORE, EPOCH, time, NOW),
            key,
            log,
            to_server: VecDeque::new(),
            to_agent: VecDeque::new(),
            refusals: None,
            believed: Vec::new(),
            held: Vec::new(),
            becomes: Vec::new(),
            leases: 0,
            closed: None,
            ended: None,
        };
        pair.tell_agent(agent_end::Input::Connected);
        pair
    }

    fn tell_agent(&mut self, input: agent_end::Input) {
        self.tell_agent_at(input, NOW);
    }

    fn tell_agent_at(&mut self, input: agent_end::Input, now: Duration) {
        for output in self.agent.handle(input, now) {
            match output {
                agent_end::Output::Send(message) => self.to_server.push_back(message),
                agent_end::Output::Acknowledge(said) => {
                    let message = self.signed(&said);
                    self.to_server.push_back(message);
                }
                agent_end::Output::Hold(refusals) => self.held.extend(refusals),
                agent_end::Output::Apply(changes) | agent_end::Output::Replace(changes) => {
                    self.becomes.push(changes.becomes);
                }
                agent_end::Output::LeaseFrom(_) => self.leases += 1,
                agent_end::Output::Close(ending) => self.ended = Some(ending),
                _ => {}
            }
        }
    }

    fn signed(&self, said: &Acknowledgement) -> ToServer {
        let statement = said.statement();
        ToServer::Acknowledge {
            signature: self.key.sign(&statement).into(),
            statement: statement.into(),
        }
    }

    fn tell_server(&mut self, input: server_end::Input) {
        let mut outputs: VecDeque<_> = self.server.handle(input, NOW).into();
        while let Some(output) = outputs.pop_front() {
            let input = match output {
                server_end::Output::Send(message) => {
                    self.to_agent.push_back(message);
                    continue;
                }
                server_end::Output::Prove(size) => {
                    server_end::Input::History(self.log.history(size))
                }
                server_end::Output::Read(Some(revision)) if revision == WHOLE => {
                    server_end::Input::Read(server_end::Table::Same {
                        hash: large().hash(),
                    })
                }
                server_end::Output::Read(_) => {
                    let table = large();
                    server_end::Input::Read(server_end::Table::Whole {
                        puts: table.entries().map(|(_, row)| row.to_vec()).collect(),
                        revision: WHOLE,
                        hash: table.hash(),
                    })
                }
                server_end::Output::ReadRefusals(since) => {
                    self.refusals = Some(since);
                    continue;
                }
                server_end::Output::Acknowledged {
                    acknowledgement,
                    up_to,
                    refused,
                    ..
                } => {
                    self.believed
                        .push((acknowledgement.revision, up_to, refused));
                    continue;
                }
                server_end::Output::Close(code) => {
                    self.closed = Some(code);
                    continue;
                }
                _ => continue,
            };
            outputs.extend(self.server.handle(input, NOW));
        }
    }

    /// Brings the server all that the agent said.
    fn reach_server(&mut self) {
        while let Some(message) = self.to_server.pop_front() {
            let message = ToServer::decode(&message.encode()).expect("own encoding");
            self.tell_server(server_end::Input::Message(message));
        }
    }

    /// Brings the agent the next so many messages. Says which kinds they were.
    fn reach_agent(&mut self, count: usize) -> Vec<&'static str> {
        let mut kinds = Vec::new();
        for _ in 0..count {
            let Some(message) = self.to_agent.pop_front() else {
                break;
            };
            kinds.push(match &message {
                ToAgent::SnapshotBegin { .. } => "begin",
                ToAgent::SnapshotPart { .. } => "part",
                ToAgent::SnapshotEnd { .. } => "end",
                ToAgent::Overtake { .. } => "overtake",
                ToAgent::Renewed { .. } => "renewed",
                _ => "other",
            });
            let message = ToAgent::decode(&message.encode()).expect("own encoding");
            self.tell_agent(agent_end::Input::Message(message));
        }
        kinds
    }

    /// Answers the reading that the server waits for.
    fn refuse(&mut self, rulings: Vec<RulingEntry>, up_to: u64) {
        let since = self.refusals.take().expect("a reading");
        assert!(since < Revision::new(up_to));
        self.tell_server(server_end::Input::Refusals(Refusals {
            rulings,
            up_to: Revision::new(up_to),
            rest: Rest::Nothing,
        }));
    }
}

/// The whole table is on its way, its first parts unread.
fn under_way(keys: &Authority) -> Pair<'_> {
    let mut pair = Pair::greeted(keys, Some(small()));
    pair.reach_server();
    // Welcome and history; then it acknowledges what it has, and asks for its lease.
    assert_eq!(pair.reach_agent(2), ["other", "other"]);
    pair.reach_server();
    assert_eq!(pair.believed, []);
    // It wants to be renewed; every refusal so far has to be there first.
    assert_eq!(pair.refusals, Some(Revision::new(1)));
    pair.refuse(Vec::new(), 6_000);
    assert_eq!(
        pair.reach_agent(usize::MAX),
        ["begin", "part", "part", "part", "part", "renewed"]
    );
    assert_eq!(pair.leases, 1, "long before the table is there");
    pair
}

#[test]
fn a_refusal_is_followed_and_confirmed_before_the_table_that_it_overtakes() {
    let keys = keys();
    let mut pair = under_way(&keys);
    // Somebody is taken out, and somebody removed, while four more parts are sent.
    pair.tell_server(server_end::Input::Woken);
    let refusals = vec![refusal(4, 6_001), ruling(5, Ruled::Removed, 6_002, EPOCH)];
    pair.refuse(refusals.clone(), 6_002);
    assert_eq!(pair.reach_agent(1), ["overtake"]);
    assert_eq!(pair.held, refusals);
    pair.reach_server();
    assert_eq!(pair.believed, [], "not durable yet");
    // The first of both is durable, beside the old table; then the second.
    for overtaken in [1, 2] {
        pair.tell_agent(agent_end::Input::Durable {
            held: small(),
            overtaken,
        });
    }
    pair.reach_server();
    let refused = vec![Revision::new(6_001)];
    let old = (Revision::new(1), Revision::ZERO, refused.clone());
    assert_eq!(pair.believed, [old.clone(), old], "a removal is not");
    assert_eq!(pair.closed, None);

    // A question in the middle is answered behind a refusal of before, and before the end.
    pair.tell_agent_at(agent_end::Input::Tick, NOW + Duration::from_secs(4));
    pair.tell_server(server_end::Input::Woken);
    pair.reach_server();
    pair.refuse(vec![refusal(6, 6_003)], 6_003);
    if pair.refusals.is_some() {
        pair.refuse(Vec::new(), 6_004);
    }
    let mut kinds = Vec::new();
    while pair.becomes.is_empty() {
        let came = pair.reach_agent(1);
        assert!(!came.is_empty(), "it goes on: {kinds:?}");
        kinds.extend(came);
        pair.reach_server();
    }
    let at = |kind| kinds.iter().position(|it| *it == kind).expect(kind);
    assert!(
        at("overtake") < at("renewed") && at("renewed") < at("end"),
        "{kinds:?}"
    );
    assert!(kinds.iter().filter(|it| **it == "part").count() >= 4);

    // The table is there: what is above it is listed still, until it comes to that.
    let becomes = pair.becomes[0];
    assert_eq!(becomes.revision, WHOLE);
    pair.believed.clear();
    pair.tell_agent(agent_end::Input::Durable {
        held: becomes,
        overtaken: 3,
    });
    pair.reach_server();
    let refused = vec![Revision::new(6_001), Revision::new(6_003)];
    assert_eq!(pair.believed, [(WHOLE, WHOLE, refused)]);
    let later = Held {
        revision: Revision::new(6_002),
        ..becomes
    };
    pair.to_server.clear();
    pair.tell_agent(agent_end::Input::Durable {
        held: later,
        overtaken: 3,
    });
    let Some(ToServer::Acknowledge { statement, .. }) = pair.to_server.pop_front() else {
        panic!("it acknowledges");
    };
    let left = Acknowledgement {
        store: STORE,
        epoch: EPOCH,
        revision: later.revision,
        hash: later.hash,
        doors: vec![door()],
        above: vec![above(6, 6_003)],
    };
    assert_eq!(statement.to_vec(), left.statement());
}

#[test]
fn no_more_parts_are_under_way_than_were_not_said_to_have_arrived() {
    let keys = keys();
    let mut pair = Pair::greeted(&keys, None);
    pair.reach_server();
    pair.reach_agent(2);
    pair.reach_server();
    assert_eq!(pair.refusals, None, "there is nobody whom it could refuse");
    let mut most = 0;
    while pair.becomes.is_empty() {
        let parts = |message: &&ToAgent| matches!(message, ToAgent::SnapshotPart { .. });
        most = most.max(pair.to_agent.iter().filter(parts).count());
        assert_eq!(pair.reach_agent(1).len(), 1);
        pair.reach_server();
    }
    assert_eq!(most, 4);
    assert_eq!(pair.leases, 0);
    // One that counts parts that were never sent, or counts them twice, is not an agent.
    for parts in [0, 4_000] {
        let mut pair = under_way(&keys);
        pair.reach_server();
        let arrived = ToServer::Arrived { parts };
        pair.tell_server(server_end::Input::Message(arrived));
        assert_eq!(pair.closed, Some(RefusalCode::Protocol));
    }
}

#[test]
fn nothing_is_believed_of_refusals_that_were_not_sent() {
    let keys = keys();
    for lie in [above(4, 6_002), above(5, 6_001)] {
        let mut pair = under_way(&keys);
        pair.tell_server(server_end::Input::Woken);
        pair.refuse(vec![refusal(4, 6_001)], 6_001);
        let said = Acknowledgement {
            store: STORE,
            epoch: EPOCH,
            revision: Revision::new(1),
            hash: TableHash::EMPTY,
            doors: vec![door()],
            above: vec![above(4, 6_001), lie],
        };
        let message = pair.signed(&said);
        pair.tell_server(server_end::Input::Message(message));
        assert_eq!(pair.closed, Some(RefusalCode::Protocol));
        assert_eq!(pair.believed, []);
    }
}

#[test]
fn nothing_that_opens_overtakes_and_nothing_of_another_epoch() {
    let keys = keys();
    let other = Epoch {
        counter: 2,
        nonce: [2; 16],
    };
    let overtake = |rulings: &[RulingEntry]| {
        let rulings = rulings.iter().cloned();
        agent_end::Input::Message(ToAgent::Overtake {
            rulings: rulings
                .map(|ruling| Entry::Ruling(ruling).encode().into())
                .collect(),
        })
    };
    for ruling in [
        ruling(4, Ruled::Admitted, 6_001, EPOCH),
        ruling(4, Ruled::Usable, 6_001, EPOCH),
        ruling(4, Ruled::Deactivated, 6_001, other),
    ] {
        let mut pair = under_way(&keys);
        pair.tell_agent(overtake(&[refusal(7, 6_000), ruling]));
        assert_eq!(pair.ended, Some(Ending::Protocol));
        assert_eq!(pair.held, []);
    }
    let mut pair = under_way(&keys);
    for round in 0..2 {
        let many: Vec<_> = (0..700).map(|number| refusal(4, 7_000 + number)).collect();
        pair.tell_agent(overtake(&many));
        assert_eq!(pair.ended.is_some(), round == 1, "there is a limit");
    }
}

#[test]
fn a_store_of_an_older_epoch_is_doubted_even_if_nothing_was_seen_of_its_log() {
    let keys = keys();
    for (counter, nonce, doubted) in [(2, 9, true), (1, 9, true), (1, 2, false), (0, 9, false)] {
        let held = Held {
            epoch: Epoch {
                counter,
                nonce: [nonce; 16],
            },
            ..small()
        };
        let mut pair = Pair::greeted(&keys, Some(held));
        let welcome = ToAgent::Welcome {
            version: 1,
            store: [1; 16].into(),
            epoch: WireEpoch::from(EPOCH),
            now: 0,
            doors: Vec::new(),
            addresses: Vec::new(),
        };
        pair.tell_agent(agent_end::Input::Message(welcome));
        assert_eq!(
            matches!(pair.ended, Some(Ending::Doubted(_))),
            doubted,
            "{counter} {nonce}"
        );
    }
}
