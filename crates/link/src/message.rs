//! The messages, and their one encoding.
//!
//! A message is deterministic CBOR: an array of its kind's number and an array of its fields.
//! Bytes that would not be written the same again are refused, and so is a kind that is not known:
//! an end that cannot understand a message must not go on as if it had. No message can present a
//! credential.

use std::time::Duration;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use offgate_core::checkpoint::{Checkpoint, SIGNED_LIMIT};
use offgate_core::door_position::{Position, SaidPosition};
use offgate_core::id::DoorId;
use offgate_core::parameters::Epoch;
use offgate_core::server_address::{ServerAddress, ServerAddresses};
use offgate_core::tree::{PROOF_LIMIT, TreeHash};

/// 16 bytes: an id or a nonce.
pub type Bytes16 = ByteArray<16>;
/// 32 bytes: a hash or a key.
pub type Bytes32 = ByteArray<32>;

/// The most entries in one message, and the most of any other list.
pub const LIST_LIMIT: usize = 4096;
/// The most characters of any text.
pub const TEXT_LIMIT: usize = 400;

/// `[counter, nonce]`: a store's epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WireEpoch {
    /// Orders epochs.
    #[n(0)]
    pub counter: u64,
    /// Tells two with the same counter apart.
    #[n(1)]
    pub nonce: Bytes16,
}

/// `[epoch, size, root]`: the log up to a revision, as an agent has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WireCheckpoint {
    /// In which epoch it was signed.
    #[n(0)]
    pub epoch: WireEpoch,
    /// How many entries.
    #[n(1)]
    pub size: u64,
    /// The root of their tree.
    #[n(2)]
    pub root: Bytes32,
}

/// `[kind, id]`: the key of an entry to take out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WireKey {
    /// The entry's kind.
    #[n(0)]
    pub kind: u8,
    /// What it is about.
    #[n(1)]
    pub id: Bytes16,
}

impl From<Epoch> for WireEpoch {
    fn from(epoch: Epoch) -> Self {
        Self {
            counter: epoch.counter,
            nonce: epoch.nonce.into(),
        }
    }
}

impl From<WireEpoch> for Epoch {
    fn from(epoch: WireEpoch) -> Self {
        Self {
            counter: epoch.counter,
            nonce: *epoch.nonce,
        }
    }
}

impl From<&Checkpoint> for WireCheckpoint {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            epoch: checkpoint.epoch.into(),
            size: checkpoint.size,
            root: checkpoint.root.0.into(),
        }
    }
}

/// What an agent says it has seen of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// In which epoch it was signed.
    pub epoch: Epoch,
    /// How many entries.
    pub size: u64,
    /// The root of their tree.
    pub root: TreeHash,
}

impl From<&Checkpoint> for Seen {
    fn from(checkpoint: &Checkpoint) -> Self {
        let Checkpoint {
            epoch, size, root, ..
        } = *checkpoint;
        Self { epoch, size, root }
    }
}

impl From<WireCheckpoint> for Seen {
    fn from(checkpoint: WireCheckpoint) -> Self {
        Self {
            epoch: checkpoint.epoch.into(),
            size: checkpoint.size,
            root: TreeHash(*checkpoint.root),
        }
    }
}

/// `[door, name]`: what a door is called. Door names are not personal data.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DoorName {
    /// Which door.
    #[n(0)]
    pub door: Bytes16,
    /// Its name.
    #[n(1)]
    pub name: String,
}

/// `[id, credential, kind, hash, door, way]`: what would be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WireQuestion {
    /// Random; of this question alone.
    #[n(0)]
    pub id: Bytes16,
    /// Which credential is meant.
    #[n(1)]
    pub credential: Bytes16,
    /// 0 PIN, 1 card, 2 plate.
    #[n(2)]
    pub kind: u8,
    /// How this agent's table would know it.
    #[n(3)]
    pub hash: Bytes16,
    /// At which door.
    #[n(4)]
    pub door: Bytes16,
    /// 0 in, 1 out.
    #[n(5)]
    pub way: u8,
}

/// `[door, open, lasts]`: what the contact of a door says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WirePosition {
    /// Which door.
    #[n(0)]
    pub door: Bytes16,
    /// Whether it stands open; or else it is closed.
    #[n(1)]
    pub open: bool,
    /// For how long, in milliseconds.
    #[n(2)]
    pub lasts: u64,
}

impl From<SaidPosition> for WirePosition {
    fn from(said: SaidPosition) -> Self {
        Self {
            door: (*said.door.as_bytes()).into(),
            open: said.position == Position::Open,
            lasts: u64::try_from(said.lasts.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl From<WirePosition> for SaidPosition {
    fn from(wire: WirePosition) -> Self {
        Self {
            door: DoorId::from_bytes(*wire.door),
            position: if wire.open {
                Position::Open
            } else {
                Position::Closed
            },
            lasts: Duration::from_millis(wire.lasts),
        }
    }
}

/// From an agent to the server.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ToServer {
    /// The first message of every connection of an agent with a certificate.
    #[n(0)]
    Hello {
        /// The protocol versions it speaks, the newest first.
        #[n(0)]
        versions: Vec<u16>,
        /// Name and version of its program.
        #[n(1)]
        software: String,
        /// The store its table is of; none without a table.
        #[n(2)]
        store: Option<Bytes16>,
        /// That store's epoch, as the table has it.
        #[n(3)]
        epoch: Option<WireEpoch>,
        /// The revision its durable table has reached; zero asks for a snapshot.
        #[n(4)]
        revision: u64,
        /// The hash of that table.
        #[n(5)]
        hash: Bytes32,
        /// The checkpoint of the log that it holds; none before it has seen one.
        #[n(6)]
        checkpoint: Option<WireCheckpoint>,
    },
    /// A signed acknowledgement: the bytes as signed, and the signature.
    #[n(1)]
    Acknowledge {
        /// See [`crate::acknowledgement`].
        #[n(0)]
        statement: ByteVec,
        /// Ed25519.
        #[n(1)]
        signature: ByteArray<64>,
    },
    /// Asks for the lease to be renewed.
    #[n(2)]
    Renew {
        /// Its number on this connection, rising.
        #[n(0)]
        ask: u64,
    },
    /// Events in order, without gaps but for those counted.
    #[n(3)]
    Events {
        /// How many events were lost before the first of these, since the agent enrolled.
        #[n(0)]
        lost: u64,
        /// The events' bytes, at most [`EVENTS_LIMIT`].
        #[n(1)]
        events: Vec<ByteVec>,
    },
    /// The only message of a connection without a certificate.
    #[n(4)]
    Enrol {
        /// The secret of a join token.
        #[n(0)]
        secret: Bytes16,
        /// The agent's Ed25519 public key.
        #[n(1)]
        key: Bytes32,
        /// Proof that it has the private one: see [`crate::acknowledgement::enrolment_statement`].
        #[n(2)]
        possession: ByteArray<64>,
    },
    /// Says that the agent lives.
    #[n(5)]
    Pong {
        /// The revision its durable table has reached.
        #[n(0)]
        revision: u64,
    },
    /// Asks for the newest checkpoint, and that it continues the one held.
    #[n(6)]
    Witness {
        /// The checkpoint it holds.
        #[n(0)]
        held: WireCheckpoint,
    },
    /// Says that what the server showed does not continue what it holds, and that it will not go
    /// on. Its last message.
    #[n(7)]
    Doubted {
        /// The checkpoint it holds.
        #[n(0)]
        held: WireCheckpoint,
    },
    /// Shows refusals that the store may have forgotten, with the store's own seals. Stands before
    /// any acknowledgement and any question.
    #[n(8)]
    Testimony {
        /// Entries of rulings that refuse.
        #[n(0)]
        rulings: Vec<ByteVec>,
    },
    /// A signed answer to a question: the bytes as signed, and the signature.
    #[n(9)]
    Answer {
        /// See [`crate::question`].
        #[n(0)]
        statement: ByteVec,
        /// Ed25519.
        #[n(1)]
        signature: ByteArray<64>,
    },
    /// Says how much of a whole table has arrived, so that no more of it is under way than a refusal
    /// could wait for.
    #[n(10)]
    Arrived {
        /// How many parts, on this connection.
        #[n(0)]
        parts: u64,
    },
    /// Says how its doors stand: all of those that have a contact, whenever one has changed.
    #[n(11)]
    Positions {
        /// Each door once.
        #[n(0)]
        doors: Vec<WirePosition>,
    },
    /// Says whether its disk keeps what it is told, whenever that has changed.
    #[n(12)]
    Disk {
        /// Before it says anything, it does.
        #[n(0)]
        works: bool,
    },
}

/// The most bytes of a statement that answers a question.
const ANSWER_LIMIT: usize = 512;
/// The most bytes of what an agent signs.
const STATEMENT_LIMIT: usize = 256 * 1024;

/// The most bytes of a ruling's entry.
const RULING_LIMIT: usize = 128;

/// The most events in one message.
pub const EVENTS_LIMIT: usize = 256;

/// From the server to an agent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ToAgent {
    /// The answer to Hello.
    #[n(0)]
    Welcome {
        /// The protocol version that both will speak.
        #[n(0)]
        version: u16,
        /// Which store.
        #[n(1)]
        store: Bytes16,
        /// Its epoch.
        #[n(2)]
        epoch: WireEpoch,
        /// The server's time, in microseconds since 1970.
        #[n(3)]
        now: i64,
        /// The doors it decides for.
        #[n(4)]
        doors: Vec<DoorName>,
        /// Where this store's server is found, host and port, in the order in which to try; beside
        /// what the agent was told when it was set up.
        #[n(5)]
        addresses: Vec<String>,
    },
    /// What changed from one revision to a later one. Every delta is whole: after it, the table
    /// has the given hash.
    #[n(1)]
    Delta {
        /// The revision the table must be at.
        #[n(0)]
        previous: u64,
        /// The revision it is at afterwards.
        #[n(1)]
        revision: u64,
        /// Keys of entries to take out.
        #[n(2)]
        deletes: Vec<WireKey>,
        /// Entries to put in.
        #[n(3)]
        puts: Vec<ByteVec>,
        /// The hash of the table afterwards.
        #[n(4)]
        hash: Bytes32,
    },
    /// A whole table follows in parts. What is held stays in force until its end.
    #[n(2)]
    SnapshotBegin {
        /// The revision it is of.
        #[n(0)]
        revision: u64,
    },
    /// Some entries of it.
    #[n(3)]
    SnapshotPart {
        /// The entries.
        #[n(0)]
        puts: Vec<ByteVec>,
    },
    /// It is complete.
    #[n(4)]
    SnapshotEnd {
        /// The revision it is of.
        #[n(0)]
        revision: u64,
        /// Its hash.
        #[n(1)]
        hash: Bytes32,
    },
    /// The lease is renewed, counted from when it was asked. Stands behind every change that was
    /// committed before the question came.
    #[n(5)]
    Renewed {
        /// Which question.
        #[n(0)]
        ask: u64,
    },
    /// Events up to here are kept by the server.
    #[n(6)]
    EventsStored {
        /// The last event's number.
        #[n(0)]
        up_to: u64,
    },
    /// Says that the server lives.
    #[n(7)]
    Ping {
        /// The server's time, in microseconds since 1970.
        #[n(0)]
        now: i64,
    },
    /// The answer to Enrol.
    #[n(8)]
    Enrolled {
        /// Which agent it is now.
        #[n(0)]
        agent: Bytes16,
        /// Which store it belongs to.
        #[n(1)]
        store: Bytes16,
        /// The key of its table's hashes.
        #[n(2)]
        hash_key: Bytes32,
        /// Its certificate and those above it, in DER, its own first.
        #[n(3)]
        chain: Vec<ByteVec>,
    },
    /// The server ends the conversation.
    #[n(9)]
    Refused {
        /// Why, for the program.
        #[n(0)]
        code: RefusalCode,
        /// Why, for the log.
        #[n(1)]
        words: String,
    },
    /// The newest checkpoint, and that it continues the one the agent holds. Stands before any
    /// table, and answers Witness.
    #[n(10)]
    History {
        /// See [`offgate_core::checkpoint::SignedCheckpoint`].
        #[n(0)]
        signed: ByteVec,
        /// A consistency proof of RFC 6962; empty if there is nothing to prove.
        #[n(1)]
        proof: Vec<Bytes32>,
    },
    /// Asks what a door would decide if a credential were presented now. Nothing is presented by it:
    /// see [`crate::question`].
    #[n(11)]
    Question {
        /// What.
        #[n(0)]
        question: WireQuestion,
    },
    /// Refusals of changes that the table will come to later: to be followed at once and kept
    /// beside the table. They stand ahead of a table that takes long, and never is anything among
    /// them that opens.
    #[n(12)]
    Overtake {
        /// Entries of rulings that refuse, in the order of their changes; at most
        /// [`OVERTAKING_LIMIT`].
        #[n(0)]
        rulings: Vec<ByteVec>,
    },
}

/// The most refusals that may stand beside a table without having been reached by it, of one
/// connection.
pub const OVERTAKING_LIMIT: usize = 1024;

/// Why a server ends a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum RefusalCode {
    /// No protocol version in common.
    #[n(0)]
    Version,
    /// The join token does not work.
    #[n(1)]
    TokenSpent,
    /// This agent's key is not accepted any more.
    #[n(2)]
    Revoked,
    /// Another connection of the same agent took over.
    #[n(3)]
    Replaced,
    /// Something that was said makes no sense.
    #[n(4)]
    Protocol,
    /// The server cannot answer now; come again.
    #[n(5)]
    Later,
}

/// The bytes are not a message in its one encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message in its canonical encoding")]
pub struct Malformed;

fn encode<T: Encode<()>>(message: &T) -> Vec<u8> {
    minicbor::to_vec(message).unwrap_or_else(|_| unreachable!("writing to memory cannot fail"))
}

fn decode<T>(bytes: &[u8]) -> Result<T, Malformed>
where
    T: Encode<()> + for<'b> Decode<'b, ()>,
{
    let message = minicbor::decode::<T>(bytes).map_err(|_| Malformed)?;
    if encode(&message) == bytes {
        Ok(message)
    } else {
        Err(Malformed)
    }
}

fn within(list: usize, limit: usize) -> Result<(), Malformed> {
    if list <= limit {
        Ok(())
    } else {
        Err(Malformed)
    }
}

fn rulings_within(rulings: &[ByteVec], limit: usize) -> Result<(), Malformed> {
    within(rulings.len(), limit)?;
    rulings
        .iter()
        .try_for_each(|ruling| within(ruling.len(), RULING_LIMIT))
}

impl ToServer {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// Anything but the one encoding of a message within its limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let message = decode(bytes)?;
        match &message {
            Self::Hello {
                versions, software, ..
            } => {
                within(versions.len(), 16)?;
                within(software.len(), TEXT_LIMIT)?;
            }
            Self::Acknowledge { statement, .. } => within(statement.len(), STATEMENT_LIMIT)?,
            Self::Answer { statement, .. } => within(statement.len(), ANSWER_LIMIT)?,
            Self::Events { events, .. } => within(events.len(), EVENTS_LIMIT)?,
            Self::Testimony { rulings } => rulings_within(rulings, LIST_LIMIT)?,
            Self::Positions { doors } => within(doors.len(), LIST_LIMIT)?,
            Self::Arrived { .. }
            | Self::Renew { .. }
            | Self::Enrol { .. }
            | Self::Pong { .. }
            | Self::Witness { .. }
            | Self::Doubted { .. }
            | Self::Disk { .. } => {}
        }
        Ok(message)
    }
}

impl ToAgent {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// Anything but the one encoding of a message within its limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let message = decode(bytes)?;
        match &message {
            Self::Welcome {
                doors, addresses, ..
            } => {
                within(addresses.len(), ServerAddresses::MOST)?;
                for address in addresses {
                    within(address.len(), ServerAddress::LIMIT)?;
                }
                within(doors.len(), LIST_LIMIT)?;
                for door in doors {
                    within(door.name.len(), TEXT_LIMIT)?;
                }
            }
            Self::Delta { deletes, puts, .. } => {
                within(deletes.len().saturating_add(puts.len()), LIST_LIMIT)?
            }
            Self::SnapshotPart { puts } => within(puts.len(), LIST_LIMIT)?,
            Self::Overtake { rulings } => rulings_within(rulings, OVERTAKING_LIMIT)?,
            Self::Enrolled { chain, .. } => within(chain.len(), 8)?,
            Self::Refused { words, .. } => within(words.len(), TEXT_LIMIT)?,
            Self::History { signed, proof } => {
                within(signed.len(), SIGNED_LIMIT)?;
                within(proof.len(), PROOF_LIMIT)?;
            }
            Self::SnapshotBegin { .. }
            | Self::SnapshotEnd { .. }
            | Self::Renewed { .. }
            | Self::EventsStored { .. }
            | Self::Ping { .. }
            | Self::Question { .. } => {}
        }
        Ok(message)
    }
}
