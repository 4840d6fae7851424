//! A server on loopback with real TLS, made of the link's own server end; its store is a list of
//! entries in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use offgate_core::agent::{AgentKey, HashKey};
use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::door_event::DoorEvent;
use offgate_core::door_position::SaidPosition;
use offgate_core::id::{AgentId, DoorId, StoreId};
use offgate_core::parameters::{Clock, Epoch, Randomness, Revision, Timestamp};
use offgate_core::question::{Answer, Question};
use offgate_core::server_address::ServerAddresses;
use offgate_core::table::entry::{Entry, EntryKey, TableHash};
use offgate_core::text::Title;
use offgate_core::tree::{Peaks, TreeHash, prove_consistency};
use offgate_link::acknowledgement::{Acknowledgement, verify_enrolment};
use offgate_link::chain::IssuingNumber;
use offgate_link::frame;
use offgate_link::identity::{Authority, agent_key, server_config};
use offgate_link::join_token::JoinTokenText;
use offgate_link::message::{RefusalCode, ToAgent, ToServer};
use offgate_link::server_end::{Agent, History, Input, Output, Refusals, Rest, ServerEnd, Table};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(crate) const HASH_KEY: HashKey = HashKey::from_bytes([6; 32]);
pub(crate) const AGENT: AgentId = AgentId::from_bytes([10; 16]);
pub(crate) const STORE: StoreId = StoreId::from_bytes([11; 16]);
pub(crate) const DOOR: DoorId = DoorId::from_bytes([1; 16]);
const EPOCH: Epoch = Epoch {
    counter: 1,
    nonce: [12; 16],
};

/// Not random at all, and different each time.
pub(crate) struct Counting(pub(crate) Mutex<u8>);

impl Randomness for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let mut next = self.0.lock().expect("no test panics while it counts");
        *next = next.wrapping_add(1);
        bytes.fill(*next);
    }
}

/// The time of day, as a constant and the machine's own pace.
pub(crate) struct Started(pub(crate) Instant);

impl Clock for Started {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000).plus(self.0.elapsed())
    }
}

/// What the server knows and was told.
#[derive(Clone, Default)]
pub(crate) struct Heard {
    /// How many connections of the agent were welcomed.
    pub(crate) welcomed: u32,
    pub(crate) whole_tables: u32,
    pub(crate) deltas: u32,
    pub(crate) renewed: u32,
    pub(crate) acknowledged: Option<Acknowledgement>,
    pub(crate) events: Vec<DoorEvent>,
    /// Events that arrived again although they were stored.
    pub(crate) events_again: u32,
    pub(crate) joined: Vec<AgentKey>,
    /// What doors answered.
    pub(crate) answers: Vec<Answer>,
    /// How its doors stand, each time that it said so.
    pub(crate) positions: Vec<Vec<SaidPosition>>,
    /// How often the agent said that the history is another.
    pub(crate) doubted: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Up,
    /// Connections are cut, and new ones are closed at once.
    Down,
    /// Connections stay, and nothing is answered any more.
    Mute,
}

/// What may go wrong with the first answer to a join token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstJoin {
    Answered,
    AnswerLost,
}

type Log = BTreeMap<EntryKey, (u64, Option<Entry>)>;

pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    pub(crate) token: JoinTokenText,
    authority: Authority,
    started: Started,
    /// The revision, and what became of each entry at which one.
    rows: Mutex<(u64, Log)>,
    pub(crate) heard: watch::Sender<Heard>,
    woken: watch::Sender<u64>,
    /// What the agent is asked last.
    asked: watch::Sender<Option<Question>>,
    pub(crate) network: watch::Sender<Network>,
    first_join: Mutex<FirstJoin>,
    /// What every entry of the log says.
    entries: Mutex<&'static [u8]>,
}

impl Stub {
    pub(crate) async fn start(first_join: FirstJoin) -> Arc<Self> {
        let authority = Authority::create([[1; 32], [2; 32], [3; 32], [4; 32]], IssuingNumber(1))
            .expect("certificates");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let token = JoinTokenText::random(authority.fingerprint(), &Counting(Mutex::new(40)));
        let stub = Arc::new(Self {
            address: listener.local_addr().expect("bound"),
            token,
            authority,
            started: Started(Instant::now()),
            rows: Mutex::default(),
            heard: watch::Sender::default(),
            woken: watch::Sender::default(),
            asked: watch::Sender::default(),
            network: watch::Sender::new(Network::Up),
            first_join: Mutex::new(first_join),
            entries: Mutex::new(b"as it was"),
        });
        let root = stub.authority.root.chain[0].clone();
        let config = server_config(&stub.authority.link, &root).expect("a configuration");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let accepting = Arc::clone(&stub);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("loopback");
                let (stub, acceptor) = (Arc::clone(&accepting), acceptor.clone());
                tokio::spawn(async move { stub.connection(stream, acceptor).await });
            }
        });
        stub
    }

    /// Commits changes, as one revision.
    pub(crate) fn commit(&self, puts: Vec<Entry>, deletes: Vec<EntryKey>) -> Revision {
        let mut rows = self.rows.lock().expect("no panic");
        rows.0 += 1;
        let revision = rows.0;
        for entry in puts {
            rows.1.insert(entry.key(), (revision, Some(entry)));
        }
        for key in deletes {
            rows.1.insert(key, (revision, None));
        }
        self.woken.send_replace(revision);
        Revision::new(revision)
    }

    /// Asks the agent that is connected.
    pub(crate) fn ask(&self, question: Question) {
        self.asked.send_replace(Some(question));
    }

    /// Has every entry of the log say something else.
    pub(crate) fn rewrite(&self, entries: &'static [u8]) {
        *self.entries.lock().expect("no panic") = entries;
    }

    /// One entry for each revision.
    fn history(&self, since: Option<u64>) -> History {
        let leaf = TreeHash::leaf(*self.entries.lock().expect("no panic"));
        let size = self.rows.lock().expect("no panic").0;
        let root = |size| {
            let mut peaks = Peaks::EMPTY;
            (0..size).for_each(|_| drop(peaks.push(leaf)));
            peaks.root()
        };
        let checkpoint = Checkpoint {
            store: STORE,
            epoch: EPOCH,
            size,
            root: root(size),
            at: self.started.now(),
        };
        let (statement, log) = (checkpoint.statement(), &self.authority.log);
        let proof = prove_consistency(since.unwrap_or(0), size, |wanted| {
            Ok::<_, std::convert::Infallible>(root(1 << wanted.level))
        });
        History {
            checkpoint,
            signed: SignedCheckpoint {
                signature: log.sign(&statement).expect("a signature"),
                statement,
                chain: log.chain.clone(),
            },
            proof: proof.unwrap_or_else(|never| match never {}),
        }
    }

    pub(crate) fn hash(&self) -> TableHash {
        let rows = self.rows.lock().expect("no panic");
        let entries = rows.1.values().filter_map(|(_, entry)| entry.as_ref());
        entries.fold(TableHash::EMPTY, |hash, entry| {
            hash.with(&HASH_KEY, &entry.encode())
        })
    }

    fn read(&self, since: Option<Revision>) -> Table {
        let hash = self.hash();
        let rows = self.rows.lock().expect("no panic");
        let revision = Revision::new(rows.0);
        match since {
            None => Table::Whole {
                puts: rows
                    .1
                    .values()
                    .filter_map(|row| row.1.as_ref().map(Entry::encode))
                    .collect(),
                revision,
                hash,
            },
            Some(since) if since == revision => Table::Same { hash },
            Some(since) => {
                let newer = rows.1.iter().filter(|(_, (at, _))| *at > since.number());
                let (mut puts, mut deletes) = (Vec::new(), Vec::new());
                for (key, (_, entry)) in newer {
                    match entry {
                        Some(entry) => puts.push(entry.encode()),
                        None => deletes.push(*key),
                    }
                }
                Table::Changed {
                    deletes,
                    puts,
                    revision,
                    hash,
                }
            }
        }
    }

    /// Waits until what was heard is so, 20 seconds at most.
    pub(crate) async fn wait_for(&self, what: &str, so: impl FnMut(&Heard) -> bool) -> Heard {
        let mut heard = self.heard.subscribe();
        let waiting = heard.wait_for(so);
        let heard = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        heard
            .unwrap_or_else(|_| panic!("never heard: {what}"))
            .expect("it runs")
            .clone()
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, acceptor: TlsAcceptor) {
        if *self.network.borrow() == Network::Down {
            return;
        }
        let Ok(stream) = acceptor.accept(stream).await else {
            return;
        };
        let shown = stream
            .get_ref()
            .1
            .peer_certificates()
            .and_then(|chain| chain.first());
        match shown.map(|certificate| agent_key(certificate).expect("Ed25519")) {
            None => self.enrol(stream).await,
            Some(key) => self.speak(stream, key).await,
        }
    }

    async fn enrol(&self, mut stream: TlsStream<TcpStream>) {
        let mut decoder = frame::Decoder::default();
        let body = loop {
            if let Some(body) = decoder.next_body().expect("short") {
                break body;
            }
            let mut bytes = [0; 1024];
            match stream.read(&mut bytes).await {
                Ok(read) if read > 0 => decoder.extend(&bytes[..read]),
                _ => return,
            }
        };
        let Ok(ToServer::Enrol {
            secret,
            key,
            possession,
        }) = ToServer::decode(&body)
        else {
            panic!("the first message without a certificate is Enrol");
        };
        let key = AgentKey(*key);
        verify_enrolment(&secret, &key, &possession).expect("it has the key");
        assert_eq!(&*secret, self.token.secret());
        let spent_by_another = self
            .heard
            .borrow()
            .joined
            .iter()
            .any(|joined| *joined != key);
        self.heard.send_modify(|heard| heard.joined.push(key));
        let lost = std::mem::replace(
            &mut *self.first_join.lock().expect("no panic"),
            FirstJoin::Answered,
        );
        if lost == FirstJoin::AnswerLost {
            return;
        }
        let answer = if spent_by_another {
            ToAgent::Refused {
                code: RefusalCode::TokenSpent,
                words: "spent".to_owned(),
            }
        } else {
            let chain = self
                .authority
                .issuing
                .vouch(AGENT, &key)
                .expect("a certificate");
            ToAgent::Enrolled {
                agent: (*AGENT.as_bytes()).into(),
                store: (*STORE.as_bytes()).into(),
                hash_key: (*HASH_KEY.as_bytes()).into(),
                chain: chain.into_iter().map(Into::into).collect(),
            }
        };
        let frame = frame::encode(&answer.encode()).expect("short");
        stream.write_all(&frame).await.expect("it listens");
        let _ = stream.shutdown().await;
    }

    async fn speak(&self, mut stream: TlsStream<TcpStream>, key: AgentKey) {
        let doors = vec![(DOOR, Title::parse("Front door").expect("a title"))];
        let addresses = ServerAddresses::default();
        let agent = Agent {
            key,
            doors,
            addresses,
        };
        let boot = || self.started.0.elapsed();
        let mut end = ServerEnd::new(agent, STORE, EPOCH, self.started.now(), boot());
        let mut decoder = frame::Decoder::default();
        let mut woken = self.woken.subscribe();
        let mut asked = self.asked.subscribe();
        let mut network = self.network.subscribe();
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let mut inputs = Vec::new();
            tokio::select! {
                read = stream.read(&mut bytes) => {
                    let Ok(read @ 1..) = read else { return };
                    decoder.extend(&bytes[..read]);
                    while let Some(body) = decoder.next_body().expect("short") {
                        inputs.push(Input::Message(ToServer::decode(&body).expect("a message")));
                    }
                }
                _ = woken.changed() => inputs.push(Input::Woken),
                _ = asked.changed() => {
                    inputs.extend(asked.borrow_and_update().map(Input::Ask));
                }
                _ = ticks.tick() => inputs.push(Input::Tick(self.started.now())),
                _ = network.changed() => {
                    if *network.borrow_and_update() == Network::Down { return }
                }
            }
            if *network.borrow() == Network::Mute {
                continue;
            }
            while !inputs.is_empty() {
                let outputs = end.handle(inputs.remove(0), boot());
                for output in outputs {
                    match self.carry_out(output, &mut stream).await {
                        Ok(Some(input)) => inputs.push(input),
                        Ok(None) => {}
                        Err(()) => return,
                    }
                }
            }
        }
    }

    async fn carry_out(
        &self,
        output: Output,
        stream: &mut TlsStream<TcpStream>,
    ) -> Result<Option<Input>, ()> {
        match output {
            Output::Send(message) => {
                self.heard.send_modify(|heard| match &message {
                    ToAgent::Welcome { .. } => heard.welcomed += 1,
                    ToAgent::SnapshotEnd { .. } => heard.whole_tables += 1,
                    ToAgent::Delta { .. } => heard.deltas += 1,
                    _ => {}
                });
                let frame = frame::encode(&message.encode()).expect("short");
                stream.write_all(&frame).await.map_err(|_| ())?;
                stream.flush().await.map_err(|_| ())?;
                Ok(None)
            }
            Output::Read(since) => Ok(Some(Input::Read(self.read(since)))),
            // No table of these tests is large enough to be overtaken.
            Output::ReadRefusals(since) => Ok(Some(Input::Refusals(Refusals {
                rulings: Vec::new(),
                up_to: since,
                rest: Rest::Nothing,
            }))),
            Output::Prove(since) => Ok(Some(Input::History(self.history(since)))),
            Output::Witnessed(_) | Output::Testimony(_) | Output::Disagrees(_) => Ok(None),
            Output::Doubted(_) => {
                self.heard.send_modify(|heard| heard.doubted += 1);
                Err(())
            }
            Output::Acknowledged {
                acknowledgement, ..
            } => {
                self.heard
                    .send_modify(|heard| heard.acknowledged = Some(acknowledgement));
                Ok(None)
            }
            Output::Answered { answer, .. } => {
                self.heard.send_modify(|heard| heard.answers.push(answer));
                Ok(None)
            }
            Output::Positions(said) => {
                self.heard.send_modify(|heard| heard.positions.push(said));
                Ok(None)
            }
            // No disk of these tests fails.
            Output::Disk(_) => Ok(None),
            Output::AsksRenewal => {
                self.heard.send_modify(|heard| heard.renewed += 1);
                Ok(None)
            }
            Output::Store { events, .. } => {
                let mut up_to = 0;
                self.heard.send_modify(|heard| {
                    for event in events {
                        match heard.events.last() {
                            Some(last) if last.sequence >= event.sequence => {
                                heard.events_again += 1
                            }
                            _ => heard.events.push(event),
                        }
                    }
                    up_to = heard.events.last().map_or(0, |event| event.sequence);
                });
                Ok(Some(Input::EventsStored(up_to)))
            }
            Output::Close(code) => panic!("the server had to end the conversation: {code:?}"),
        }
    }
}
