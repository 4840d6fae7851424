//! A conversation over a pipe, with a disk that fails.

use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::id::AgentId;
use offgate_core::parameters::{Clock, Epoch, Timestamp};
use offgate_core::table::entry::{Entry, KeypadEntry, TableHash};
use offgate_core::tree::TreeHash;
use offgate_link::acknowledgement::Acknowledgement;
use offgate_link::chain::IssuingNumber;
use offgate_link::identity::Authority;
use offgate_link::message::WireEpoch;
use tokio::io::DuplexStream;

use super::*;
use crate::clock::KernelBootClock;
use crate::decisions::Surroundings;
use crate::disk::simulated::{SimulatedDisk, Survivors};
use crate::disk::table_files::{Found, TableFiles};
use crate::events::ring::EventRing;
use crate::strike::SimulatedStrike;

const STORE: StoreId = StoreId::from_bytes([1; 16]);
const HASH_KEY: HashKey = HashKey::from_bytes([2; 32]);
const EPOCH: Epoch = Epoch {
    counter: 1,
    nonce: [3; 16],
};

struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(0)
    }
}

fn store_keys() -> Authority {
    let seeds = [[6; 32], [7; 32], [8; 32], [9; 32]];
    Authority::create(seeds, IssuingNumber(1)).expect("keys")
}

/// A log with one entry, which says what it is told to.
fn history(entry: &[u8]) -> ToAgent {
    let checkpoint = Checkpoint {
        store: STORE,
        epoch: EPOCH,
        size: 1,
        root: TreeHash::leaf(entry),
        at: Timestamp::from_seconds(0),
    };
    let (statement, log) = (checkpoint.statement(), store_keys().log);
    let signed = SignedCheckpoint {
        signature: log.sign(&statement).expect("a signature"),
        statement,
        chain: log.chain,
    };
    ToAgent::History {
        signed: signed.encode().into(),
        proof: vec![],
    }
}

fn agent(disk: &SimulatedDisk) -> Agent {
    let ring = EventRing::open(SimulatedDisk::default(), AgentId::from_bytes([4; 16]), 10);
    let (recorder, _) = Recorder::start(ring).expect("a thread");
    let (files, _) = TableFiles::open(disk.clone()).expect("readable");
    let (keeper, _) = Keeper::start(files, None).expect("a thread");
    let boot_clock: Arc<dyn BootClock> = Arc::new(KernelBootClock);
    let surroundings = Surroundings {
        clock: Arc::new(NoTime),
        boot_clock: Arc::clone(&boot_clock),
        strike: Arc::new(SimulatedStrike::default()),
        record: recorder.clone().hand_over(),
    };
    let (decisions, _) = Decisions::start(None, None, surroundings).expect("a thread");
    let witness = Witness::open(Box::new(disk.clone())).expect("readable");
    let servers =
        Servers::open(Box::new(disk.clone()), vec!["here:1".to_owned()]).expect("readable");
    Agent {
        store: STORE,
        root: store_keys().fingerprint(),
        witness: Arc::new(Mutex::new(witness)),
        hash_key: HASH_KEY,
        key: SigningKey::from_seed(&[5; 32]).expect("a key"),
        decisions,
        keeper,
        recorder,
        positions: Positions::new(Arc::clone(&boot_clock)),
        boot_clock,
        doors: watch::Sender::default(),
        connected: watch::Sender::new(Connected::No),
        servers: Arc::new(Mutex::new(servers)),
        software: "test".to_owned(),
    }
}

struct Peer {
    stream: DuplexStream,
    decoder: frame::Decoder,
}

impl Peer {
    async fn say(&mut self, message: ToAgent) {
        let frame = frame::encode(&message.encode()).expect("short");
        self.stream.write_all(&frame).await.expect("it listens");
    }

    async fn hear(&mut self) -> ToServer {
        loop {
            if let Some(body) = self.decoder.next_body().expect("short") {
                return ToServer::decode(&body).expect("a message");
            }
            let mut bytes = [0; 1024];
            let read = self.stream.read(&mut bytes).await.expect("it speaks");
            assert!(read > 0, "it hung up");
            self.decoder.extend(&bytes[..read]);
        }
    }

    /// Whether its disk works, as it says before it acknowledges anything.
    async fn disk_works(&mut self) -> bool {
        loop {
            match self.hear().await {
                ToServer::Disk { works } => return works,
                ToServer::Acknowledge { .. } => panic!("nothing may be acknowledged"),
                _ => {}
            }
        }
    }

    /// The revision of the next acknowledgement.
    async fn acknowledgement(&mut self, key: &SigningKey) -> u64 {
        loop {
            if let ToServer::Acknowledge {
                statement,
                signature,
            } = self.hear().await
            {
                let said = Acknowledgement::verify(&key.public(), &statement, &signature);
                return said.expect("signed").revision.number();
            }
        }
    }
}

fn keypad(salt: u8) -> Entry {
    Entry::Keypad(KeypadEntry {
        salt: [salt; 16].into(),
    })
}

fn hash(entry: &Entry) -> TableHash {
    TableHash::EMPTY.with(&HASH_KEY, &entry.encode())
}

fn delta(revision: u64, entry: &Entry, hash: TableHash) -> ToAgent {
    ToAgent::Delta {
        previous: revision - 1,
        revision,
        deletes: vec![],
        puts: vec![entry.encode().into()],
        hash: hash.0.into(),
    }
}

async fn welcomed(stream: DuplexStream) -> Peer {
    let mut peer = Peer {
        stream,
        decoder: frame::Decoder::default(),
    };
    assert!(matches!(peer.hear().await, ToServer::Hello { .. }));
    peer.say(ToAgent::Welcome {
        version: offgate_link::PROTOCOL,
        store: (*STORE.as_bytes()).into(),
        epoch: WireEpoch {
            counter: EPOCH.counter,
            nonce: EPOCH.nonce.into(),
        },
        now: 0,
        doors: vec![],
        addresses: vec![],
    })
    .await;
    peer
}

async fn greeted(stream: DuplexStream) -> Peer {
    let mut peer = welcomed(stream).await;
    peer.say(history(b"first")).await;
    peer.say(ToAgent::SnapshotBegin { revision: 1 }).await;
    peer.say(ToAgent::SnapshotPart {
        puts: vec![keypad(1).encode().into()],
    })
    .await;
    peer.say(ToAgent::SnapshotEnd {
        revision: 1,
        hash: hash(&keypad(1)).0.into(),
    })
    .await;
    peer
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_disk_fails() {
    let disk = SimulatedDisk::default();
    let agent = Arc::new(agent(&disk));
    let (near, far) = tokio::io::duplex(64 * 1024);
    let speaking = Arc::clone(&agent);
    let task = tokio::spawn(async move { speak(near, &speaking, Ask::Changes).await });
    let mut peer = greeted(far).await;
    assert_eq!(peer.acknowledgement(&agent.key).await, 1);

    let syncs = disk.syncs();
    disk.syncs_fail(syncs + 1, syncs + 2);
    peer.say(delta(2, &keypad(2), hash(&keypad(2)))).await;
    assert!(!peer.disk_works().await, "the server is told why");
    assert_eq!(peer.acknowledgement(&agent.key).await, 2);
    assert!(peer.disk_works().await, "and that it is over");
    let (_, found) =
        TableFiles::open(disk.after_power_cut(Survivors::OnlySynced)).expect("readable");
    let Found::Table(contents) = found else {
        panic!("a table")
    };
    assert_eq!(
        contents.position.revision.number(),
        2,
        "durable before it was acknowledged"
    );
    assert!(disk.syncs() > syncs + 2, "it did fail");
    drop(peer);
    assert!(matches!(task.await.expect("no panic"), Over::Broken(_)));
}

#[tokio::test]
async fn changes_that_lead_elsewhere_are_neither_applied_nor_acknowledged() {
    let disk = SimulatedDisk::default();
    let agent = Arc::new(agent(&disk));
    let (near, far) = tokio::io::duplex(64 * 1024);
    let speaking = Arc::clone(&agent);
    let task = tokio::spawn(async move { speak(near, &speaking, Ask::Changes).await });
    let mut peer = greeted(far).await;
    assert_eq!(peer.acknowledgement(&agent.key).await, 1);
    peer.say(delta(2, &keypad(2), hash(&keypad(3)))).await;
    assert!(matches!(
        task.await.expect("no panic"),
        Over::Ended(Ending::Protocol)
    ));
    let salt = agent
        .decisions
        .look()
        .await
        .expect("it runs")
        .salt
        .expect("a table");
    assert_eq!(salt.as_bytes(), &[1; 16]);
    let settled = agent.keeper.settled().await.expect("a table");
    assert_eq!(settled.revision.number(), 1);
}

#[tokio::test]
async fn what_was_seen_of_the_log_is_durable_and_another_history_is_told_and_left() {
    let disk = SimulatedDisk::default();
    let agent = Arc::new(agent(&disk));
    let (near, far) = tokio::io::duplex(64 * 1024);
    let speaking = Arc::clone(&agent);
    let task = tokio::spawn(async move { speak(near, &speaking, Ask::Changes).await });
    let mut peer = greeted(far).await;
    assert_eq!(peer.acknowledgement(&agent.key).await, 1);
    assert_eq!(*agent.connected.borrow(), Connected::Yes);
    drop(peer);
    assert!(matches!(task.await.expect("no panic"), Over::Broken(_)));
    let after = disk.after_power_cut(Survivors::OnlySynced);
    let kept = Witness::open(Box::new(after)).expect("readable").seen();
    assert_eq!(kept.map(|seen| seen.root), Some(TreeHash::leaf(b"first")));

    let (near, far) = tokio::io::duplex(64 * 1024);
    let speaking = Arc::clone(&agent);
    let task = tokio::spawn(async move { speak(near, &speaking, Ask::Changes).await });
    let mut peer = welcomed(far).await;
    peer.say(history(b"another")).await;
    let ToServer::Doubted { held } = peer.hear().await else {
        panic!("it says so, and nothing else")
    };
    assert_eq!(*held.root, TreeHash::leaf(b"first").0);
    assert!(matches!(
        task.await.expect("no panic"),
        Over::Ended(Ending::Doubted(_))
    ));
    assert_eq!(*agent.connected.borrow(), Connected::Doubted);
    assert_eq!(agent.witness.lock().await.seen(), kept);
}
