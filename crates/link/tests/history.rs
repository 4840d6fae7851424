//! Agents as witnesses, by seed: one agent and servers that show it honest, rewritten, cut, forked,
//! copied, restored, wrongly signed and badly proven histories, on connections that are cut.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use offgate_core::agent::HashKey;
use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::id::{AgentId, DoorId, StoreId};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::server_address::ServerAddresses;
use offgate_core::table::entry::{Entry, KeypadEntry, TableHash};
use offgate_core::text::Title;
use offgate_core::tree::TreeHash;
use offgate_link::acknowledgement::SigningKey;
use offgate_link::agent_end::{self, AgentEnd, Ending, Held, WITNESS_EVERY};
use offgate_link::chain::IssuingNumber;
use offgate_link::history::Doubt;
use offgate_link::identity::{Authority, Identity};
use offgate_link::message::{Seen, ToAgent, ToServer};
use offgate_link::server_end::{self, History, ServerEnd, Table};

use log::Log;

mod log;

const STORE: StoreId = StoreId::from_bytes([1; 16]);
const HASH_KEY: HashKey = HashKey::from_bytes([3; 32]);

const fn epoch(counter: u64, nonce: u8) -> Epoch {
    Epoch {
        counter,
        nonce: [nonce; 16],
    }
}

/// Numbers that look random and are the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (mixed ^ (mixed >> 33)) % bound
    }
}

/// What a server does with its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Honest,
    /// An entry that was seen is another one, and more follow.
    Rewritten,
    /// The last entry that was seen is another one, and none follows.
    ForkAtEqualSize,
    /// Shorter than what was seen.
    Truncated,
    /// A copy goes on in an epoch with the same counter.
    Copied,
    /// A restore that took a new epoch, from somewhere before what was seen.
    Restored,
    /// The epoch before a restore.
    Older,
    /// Signed by the log key of another store's root.
    AnotherRoot,
    /// Signed by a key of this root that is not the log's.
    AnotherKey,
    /// The signature is of other bytes.
    Tampered,
    /// Another store's log, signed by this key.
    AnotherStore,
    /// An honest checkpoint, with a proof that proves nothing.
    GarbageProof,
}

const KINDS: [Kind; 12] = [
    Kind::Honest,
    Kind::Rewritten,
    Kind::ForkAtEqualSize,
    Kind::Truncated,
    Kind::Copied,
    Kind::Restored,
    Kind::Older,
    Kind::AnotherRoot,
    Kind::AnotherKey,
    Kind::Tampered,
    Kind::AnotherStore,
    Kind::GarbageProof,
];

impl Kind {
    /// Why an agent that has seen something does not believe it.
    const fn doubt(self) -> Option<Doubt> {
        match self {
            Self::Honest | Self::Restored => None,
            Self::Rewritten | Self::ForkAtEqualSize | Self::GarbageProof => Some(Doubt::Rewritten),
            Self::Truncated => Some(Doubt::Shorter),
            Self::Copied => Some(Doubt::OtherEpoch),
            Self::Older => Some(Doubt::OlderEpoch),
            Self::AnotherRoot | Self::AnotherKey | Self::Tampered | Self::AnotherStore => {
                Some(Doubt::NotSigned)
            }
        }
    }
}

/// The keys of this store, and of another.
struct Keys {
    own: Authority,
    stranger: Authority,
    /// One that the issuing key vouches for as an agent's.
    agents: Identity,
}

impl Keys {
    fn create() -> Self {
        let seeds = |seed: u8| [[seed; 32], [seed + 1; 32], [seed + 2; 32], [seed + 3; 32]];
        let own = Authority::create(seeds(1), IssuingNumber(1)).expect("keys");
        let key = SigningKey::from_seed(&[20; 32]).expect("a key");
        let agent = AgentId::from_bytes([1; 16]);
        let agents = Identity {
            key: key.pkcs8().to_vec(),
            chain: own.issuing.vouch(agent, &key.public()).expect("a chain"),
        };
        Self {
            own,
            stranger: Authority::create(seeds(5), IssuingNumber(1)).expect("keys"),
            agents,
        }
    }
}

/// A server: its log, and what it does with the proofs it shows.
#[derive(Clone)]
struct Server<'k> {
    log: Log<'k>,
    kind: Kind,
    /// Picks among ways to lie.
    way: u64,
}

impl Server<'_> {
    /// The whole of its table: one entry, another one at each revision.
    fn entry(&self) -> Entry {
        let mut salt = [u8::from(self.kind.doubt().is_some()); 16];
        salt[8..].copy_from_slice(&self.log.revision().number().to_be_bytes());
        Entry::Keypad(KeypadEntry { salt: salt.into() })
    }

    fn read(&self, since: Option<Revision>) -> Table {
        let entry = self.entry().encode();
        let (revision, hash) = (
            self.log.revision(),
            TableHash::EMPTY.with(&HASH_KEY, &entry),
        );
        match since {
            Some(since) if since == revision => Table::Same { hash },
            Some(since) if since < revision => Table::Changed {
                deletes: Vec::new(),
                puts: vec![entry],
                revision,
                hash,
            },
            _ => Table::Whole {
                puts: vec![entry],
                revision,
                hash,
            },
        }
    }

    fn show(&self, since: Option<u64>) -> History {
        let mut history = self.log.history(since);
        match self.kind {
            Kind::Tampered => {
                let other = Checkpoint {
                    at: Timestamp::from_seconds(9),
                    ..history.checkpoint
                };
                history.signed = SignedCheckpoint {
                    statement: other.statement(),
                    ..history.signed
                };
            }
            Kind::GarbageProof => match history.proof.as_mut_slice() {
                [first, ..] if self.way == 0 => first.0[31] ^= 1,
                [_, ..] if self.way == 1 => drop(history.proof.pop()),
                _ => history.proof.push(TreeHash([7; 32])),
            },
            _ => {}
        }
        history
    }
}

/// What an agent keeps over its connections.
struct Witness {
    key: SigningKey,
    seen: Option<Checkpoint>,
    held: Option<Held>,
    entry: Option<Entry>,
    now: Duration,
}

/// What came of a connection.
#[derive(Debug, Default)]
struct Came {
    /// How often anything was taken from the server: its table, its time, a lease, names.
    taken: u32,
    whole_tables: u32,
    ending: Option<Ending>,
    /// What the server put on record.
    witnessed: Option<Seen>,
    doubted: Option<Seen>,
    /// How often the server looked at the table.
    read: u32,
}

/// One connection: both ends, and what is on its way between them.
struct Connection {
    agent: AgentEnd,
    server: ServerEnd,
    came: Came,
    left: u64,
}

impl Connection {
    fn new(witness: &Witness, keys: &Keys, server: &Server<'_>, messages: u64) -> Self {
        let doors = vec![(
            DoorId::from_bytes([9; 16]),
            Title::parse("Door").expect("a title"),
        )];
        let agent = server_end::Agent {
            key: witness.key.public(),
            doors,
            addresses: ServerAddresses::default(),
        };
        let root = keys.own.fingerprint();
        let (now, time) = (witness.now, Timestamp::from_seconds(0));
        let software = "simulated".to_owned();
        Self {
            agent: AgentEnd::new(STORE, root, witness.seen, witness.held, software, now),
            server: ServerEnd::new(agent, STORE, server.log.epoch, time, now),
            came: Came::default(),
            left: messages,
        }
    }

    /// Hands the agent an input, and carries on until nothing more is to be said, the connection
    /// is over, or its messages are used up.
    fn run(&mut self, input: agent_end::Input, witness: &mut Witness, server: &Server<'_>) {
        let mut to_agent = vec![input];
        while let Some(input) = (!to_agent.is_empty()).then(|| to_agent.remove(0)) {
            let mut outputs = self.agent.handle(input, witness.now);
            while !outputs.is_empty() {
                match outputs.remove(0) {
                    agent_end::Output::Send(message) => {
                        to_agent.extend(self.carry(message, witness, server));
                    }
                    agent_end::Output::Acknowledge(said) => {
                        let statement = said.statement();
                        let message = ToServer::Acknowledge {
                            signature: witness.key.sign(&statement).into(),
                            statement: statement.into(),
                        };
                        to_agent.extend(self.carry(message, witness, server));
                    }
                    agent_end::Output::Witness(checkpoint) => witness.seen = Some(checkpoint),
                    agent_end::Output::Apply(changes) => {
                        self.came.taken += 1;
                        witness.entry = changes.puts.last().cloned();
                        witness.held = Some(changes.becomes);
                        to_agent.push(agent_end::Input::Durable {
                            held: changes.becomes,
                            overtaken: 0,
                        });
                    }
                    agent_end::Output::Replace(changes) => {
                        self.came.taken += 1;
                        self.came.whole_tables += 1;
                        witness.entry = changes.puts.last().cloned();
                        witness.held = Some(changes.becomes);
                        to_agent.push(agent_end::Input::Durable {
                            held: changes.becomes,
                            overtaken: 0,
                        });
                    }
                    agent_end::Output::Close(ending) => {
                        self.came.ending = Some(ending);
                        return;
                    }
                    agent_end::Output::Answer { .. }
                    | agent_end::Output::LeaseFrom(_)
                    | agent_end::Output::ServerTime(_)
                    | agent_end::Output::Doors(_)
                    | agent_end::Output::Addresses(_)
                    | agent_end::Output::Testify(_)
                    | agent_end::Output::Hold(_)
                    | agent_end::Output::EventsStored(_) => self.came.taken += 1,
                }
            }
        }
    }

    /// Brings a message to the server, and back what it answers.
    fn carry(
        &mut self,
        message: ToServer,
        witness: &Witness,
        server: &Server<'_>,
    ) -> Vec<agent_end::Input> {
        if self.left == 0 {
            return Vec::new();
        }
        self.left -= 1;
        let message = ToServer::decode(&message.encode()).expect("own encoding");
        let mut answers = Vec::new();
        let input = server_end::Input::Message(message);
        let mut outputs = self.server.handle(input, witness.now);
        while !outputs.is_empty() {
            let input = match outputs.remove(0) {
                server_end::Output::Send(message) => {
                    let message = ToAgent::decode(&message.encode()).expect("own encoding");
                    answers.push(agent_end::Input::Message(message));
                    continue;
                }
                // Nothing is refused here.
                server_end::Output::ReadRefusals(up_to) => {
                    server_end::Input::Refusals(server_end::Refusals {
                        rulings: Vec::new(),
                        up_to,
                        rest: server_end::Rest::Nothing,
                    })
                }
                server_end::Output::Read(since) => {
                    self.came.read += 1;
                    server_end::Input::Read(server.read(since))
                }
                server_end::Output::Prove(size) => server_end::Input::History(server.show(size)),
                server_end::Output::Witnessed(seen) => {
                    self.came.witnessed = Some(seen);
                    continue;
                }
                server_end::Output::Doubted(seen) => {
                    self.came.doubted = Some(seen);
                    continue;
                }
                _ => continue,
            };
            outputs.extend(self.server.handle(input, witness.now));
        }
        answers
    }
}

/// Another server, as somebody would make it from the one that is followed.
fn another<'k>(
    kind: Kind,
    followed: &Log<'k>,
    older: Option<&Log<'k>>,
    seen: &Checkpoint,
    keys: &'k Keys,
    random: &mut Random,
) -> Server<'k> {
    let mut log = followed.clone();
    let size = seen.size as usize;
    match kind {
        Kind::Rewritten => {
            let which = random.below(seen.size) as usize;
            log.rewrite(|leaves| leaves[which] = TreeHash::leaf(b"another"));
            for _ in 0..1 + random.below(4) {
                log.push(random.below(1000));
            }
        }
        Kind::ForkAtEqualSize => {
            log.rewrite(|leaves| {
                leaves.truncate(size - 1);
                leaves.push(TreeHash::leaf(b"another"));
            });
        }
        Kind::Truncated => {
            let left = random.below(seen.size) as usize;
            log.rewrite(|leaves| leaves.truncate(left));
        }
        Kind::Copied => {
            log.epoch.nonce[0] ^= 1;
            log.push(random.below(1000));
        }
        Kind::Restored => {
            let left = 1 + random.below(seen.size) as usize;
            log.rewrite(|leaves| leaves.truncate(left));
            log.epoch = epoch(log.epoch.counter + 1 + random.below(3), 77);
            log.push(random.below(1000));
        }
        Kind::Older => {
            log = older.unwrap_or(followed).clone();
            log.push(random.below(1000));
        }
        Kind::AnotherRoot => log.key = &keys.stranger.log,
        Kind::AnotherKey => log.key = [&keys.own.link, &keys.agents][random.below(2) as usize],
        Kind::AnotherStore => log.store = StoreId::from_bytes([2; 16]),
        Kind::Honest | Kind::Tampered | Kind::GarbageProof => {
            for _ in 0..random.below(4) {
                log.push(random.below(1000));
            }
        }
    }
    let way = random.below(3);
    Server { log, kind, way }
}

#[test]
fn nothing_is_taken_of_a_history_that_does_not_continue_the_one_that_was_seen() {
    let keys = Keys::create();
    let mut looked_at: BTreeMap<Kind, u32> = BTreeMap::new();
    for seed in 0..150 {
        let mut random = Random(seed);
        let mut log = Log::new(STORE, epoch(1, 2), &keys.own.log);
        (0..1 + random.below(20)).for_each(|entry| log.push(entry));
        let mut older = None;
        let mut witness = Witness {
            key: SigningKey::from_seed(&[11; 32]).expect("a key"),
            seen: None,
            held: None,
            entry: None,
            now: Duration::from_secs(100),
        };
        let first = Server {
            log: log.clone(),
            kind: Kind::Honest,
            way: 0,
        };
        let mut connection = Connection::new(&witness, &keys, &first, u64::MAX);
        connection.run(agent_end::Input::Connected, &mut witness, &first);
        assert_eq!(
            witness.seen.map(|seen| seen.size),
            Some(log.revision().number())
        );
        assert_eq!(witness.entry, Some(first.entry()));
        for round in 0..14 {
            let seen = witness.seen.expect("the first was believed");
            let kind = KINDS[random.below(KINDS.len() as u64) as usize];
            if kind == Kind::Older && older.is_none() {
                continue;
            }
            let server = another(kind, &log, older.as_ref(), &seen, &keys, &mut random);
            // Cut after some messages, now and then.
            let messages = match random.below(4) {
                0 => random.below(4),
                _ => u64::MAX,
            };
            let before = (witness.held, witness.entry.clone());
            witness.now += Duration::from_secs(random.below(100));
            let mut connection = Connection::new(&witness, &keys, &server, messages);
            connection.run(agent_end::Input::Connected, &mut witness, &server);
            let came = &connection.came;
            let about = format!("seed {seed}, round {round}, {kind:?}, {came:?}");
            if let Some(doubt) = kind.doubt() {
                assert_eq!(came.taken, 0, "{about}");
                assert_eq!(came.read, 0, "no table was sent: {about}");
                assert_eq!((witness.held, witness.entry.clone()), before, "{about}");
                assert_eq!(witness.seen, Some(seen), "{about}");
                assert_eq!(came.witnessed, None, "{about}");
                if messages > 1 {
                    assert_eq!(came.ending, Some(Ending::Doubted(doubt)), "{about}");
                    assert_eq!(came.doubted, Some(Seen::from(&seen)), "{about}");
                    *looked_at.entry(kind).or_default() += 1;
                }
                continue;
            }
            assert_eq!(came.ending, None, "{about}");
            assert_eq!(came.doubted, None, "{about}");
            if kind == Kind::Restored && witness.seen != Some(seen) {
                older = Some(std::mem::replace(&mut log, server.log.clone()));
            } else if kind == Kind::Honest {
                log = server.log.clone();
            }
            if messages == u64::MAX {
                let shown = server.log.history(None).checkpoint;
                assert_eq!(witness.seen, Some(shown), "{about}");
                assert_eq!(came.witnessed, Some(Seen::from(&shown)), "{about}");
                assert_eq!(witness.entry, Some(server.entry()), "{about}");
                let expected = u32::from(
                    kind == Kind::Restored || before.0.map(|held| held.epoch) != Some(log.epoch),
                );
                assert_eq!(came.whole_tables, expected, "{about}");
                *looked_at.entry(kind).or_default() += 1;
            }
        }
    }
    for kind in KINDS {
        let times = looked_at.get(&kind).copied().unwrap_or(0);
        assert!(times > 20, "{kind:?} was looked at {times} times");
    }
}

#[test]
fn an_agent_that_stays_connected_notices_within_a_minute() {
    let keys = Keys::create();
    let mut log = Log::new(STORE, epoch(1, 2), &keys.own.log);
    (0..5).for_each(|entry| log.push(entry));
    let mut witness = Witness {
        key: SigningKey::from_seed(&[11; 32]).expect("a key"),
        seen: None,
        held: None,
        entry: None,
        now: Duration::from_secs(100),
    };
    let mut server = Server {
        log,
        kind: Kind::Honest,
        way: 0,
    };
    let mut connection = Connection::new(&witness, &keys, &server, u64::MAX);
    connection.run(agent_end::Input::Connected, &mut witness, &server);
    let connected = witness.now;
    let mut tick = |server: &Server<'_>, witness: &mut Witness| {
        witness.now += Duration::from_secs(1);
        connection.run(agent_end::Input::Tick, witness, server);
        (connection.came.ending, connection.came.doubted)
    };
    server.log.push(5);
    while witness.now < connected + WITNESS_EVERY {
        assert_eq!(witness.seen.map(|seen| seen.size), Some(5));
        assert_eq!(tick(&server, &mut witness), (None, None));
    }
    let seen = witness.seen.expect("believed");
    assert_eq!(seen.size, 6, "a newer one was asked for");
    // The log is rewritten under the server.
    server
        .log
        .rewrite(|leaves| leaves[2] = TreeHash::leaf(b"another"));
    server.log.push(6);
    let rewritten = witness.now;
    while tick(&server, &mut witness) == (None, None) {
        assert!(witness.now <= rewritten + WITNESS_EVERY);
    }
    assert_eq!(
        (connection.came.ending, connection.came.doubted),
        (
            Some(Ending::Doubted(Doubt::Rewritten)),
            Some(Seen::from(&seen))
        )
    );
}
