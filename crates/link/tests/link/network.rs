//! Both ends by seed, on a network that loses, delays and cuts, with agents that crash before and after
//! durability.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use offgate_core::agent::HashKey;
use offgate_core::checkpoint::Checkpoint;
use offgate_core::disagreement::Disagreement;
use offgate_core::id::DoorId;
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::server_address::ServerAddresses;
use offgate_core::table::Table;
use offgate_core::table::entry::{Entry, EntryKey, UserEntry};
use offgate_core::text::Title;
use offgate_link::acknowledgement::SigningKey;
use offgate_link::agent_end::{self, AgentEnd, Changes, Ending, Held};
use offgate_link::join_token::RootFingerprint;
use offgate_link::message::{RefusalCode, ToAgent, ToServer};
use offgate_link::server_end::{self, ServerEnd};

use crate::log::Log;
use crate::{EPOCH, STORE, answered, door, question, store_keys, young_log};

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
                | server_end::Output::Disk(_)
                | server_end::Output::AsksRenewal
                | server_end::Output::Store { .. } => {}
            }
        }
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
