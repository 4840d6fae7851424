//! What the parts say, and their bytes.

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use offgate_core::confirmation::DoorStanding;
use offgate_core::door_position::Position;
use offgate_core::fault::Fault;
use offgate_core::id::{AgentId, CredentialId, DoorId, UserId};
use offgate_core::parameters::Timestamp;
use offgate_core::tree::TreeHash;

use super::{decode, encode};

/// Who is refused: everything a person holds, or one credential of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The person.
    pub user: UserId,
    /// The credential, if it is about one.
    pub credential: Option<CredentialId>,
}

/// An entry of the log, with what shows that it is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenEntry {
    /// The bytes of its leaf.
    pub leaf: Vec<u8>,
    /// The hashes beside the way to the root of the tree.
    pub hashes: Vec<TreeHash>,
}

/// An agent's key, by the certificates that vouch for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// Which agent.
    pub agent: AgentId,
    /// Certificates in DER, its own first, the root's last.
    pub chain: Vec<Vec<u8>>,
}

/// An acknowledgement or an answer, as an agent signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedWord {
    /// Whose, by the place among the door's agents.
    pub by: usize,
    /// The bytes that were signed.
    pub statement: Vec<u8>,
    /// The signature.
    pub signature: [u8; 64],
    /// When it came, by the server's clock.
    pub received_at: Timestamp,
}

/// From what a door's time limit was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitBasis {
    /// When its lease was asked for the last time before the refusal.
    pub renewed_at: Timestamp,
    /// The longest lease that it may be working by.
    pub lease_seconds: u32,
}

/// What is known of one door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorEvidence {
    /// Which.
    pub door: DoorId,
    /// The agents whose signatures are here.
    pub agents: Vec<Vouched>,
    /// Where it stands, by what the store has on record.
    pub standing: DoorStanding,
    /// The acknowledgement that confirmed it.
    pub receipt: Option<SignedWord>,
    /// From what its limit was computed, if it has one.
    pub basis: Option<LimitBasis>,
    /// What it answered, in the order in which it came.
    pub answers: Vec<SignedWord>,
    /// How it stood when the refusal was decided, as the store noted; none if it has no contact, or
    /// was not heard.
    pub stood: Option<Position>,
}

/// The names. Taken off, nothing else in the file names anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annex {
    /// Random, so that the hash of this part tells nothing of what is in it.
    pub salt: [u8; 32],
    /// The person; none after they were removed.
    pub person: Option<String>,
    /// What the doors are called.
    pub doors: Vec<(DoorId, String)>,
    /// Who decided.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Why the person was removed before every door had confirmed.
    pub override_reason: Option<String>,
}

/// `[user, credential]`
#[derive(Encode, Decode)]
#[cbor(array)]
struct WireSubject {
    #[n(0)]
    user: ByteArray<16>,
    #[n(1)]
    credential: Option<ByteArray<16>>,
}

/// `[[leaf, [hash, …]], …]`
type WireSince = Vec<(ByteVec, Vec<ByteArray<32>>)>;

/// `[source]`
#[derive(Encode, Decode)]
#[cbor(array)]
struct WireClock {
    #[n(0)]
    source: String,
}

/// `[by, statement, signature, received at]`
#[derive(Encode, Decode)]
#[cbor(array)]
struct WireSigned {
    #[n(0)]
    by: u64,
    #[n(1)]
    statement: ByteVec,
    #[n(2)]
    signature: ByteArray<64>,
    #[n(3)]
    received_at: i64,
}

/// `[number, at, silent since, until]`
#[derive(Encode, Decode)]
#[cbor(array)]
struct WireStanding {
    #[n(0)]
    number: u8,
    #[n(1)]
    at: Option<i64>,
    #[n(2)]
    silent_since: Option<i64>,
    #[n(3)]
    until: Option<i64>,
}

/// `[renewed at, lease]`
#[derive(Encode, Decode)]
#[cbor(array)]
struct WireBasis {
    #[n(0)]
    renewed_at: i64,
    #[n(1)]
    lease_seconds: u32,
}

/// `[door, [[agent, [certificate, …]], …], standing, receipt, basis, [answer, …], stood open]`
#[derive(Encode, Decode)]
#[cbor(array)]
struct WireDoor {
    #[n(0)]
    door: ByteArray<16>,
    #[n(1)]
    agents: Vec<(ByteArray<16>, Vec<ByteVec>)>,
    #[n(2)]
    standing: WireStanding,
    #[n(3)]
    receipt: Option<WireSigned>,
    #[n(4)]
    basis: Option<WireBasis>,
    #[n(5)]
    answers: Vec<WireSigned>,
    #[n(6)]
    stood_open: Option<bool>,
}

/// `[salt, [[door, name], …], person, actor, reason, override reason]`
#[derive(Encode, Decode)]
#[cbor(array)]
struct WireAnnex {
    #[n(0)]
    salt: ByteArray<32>,
    #[n(1)]
    doors: Vec<(ByteArray<16>, String)>,
    #[n(2)]
    person: Option<String>,
    #[n(3)]
    actor: Option<String>,
    #[n(4)]
    reason: Option<String>,
    #[n(5)]
    override_reason: Option<String>,
}

/// Whose times these are: there is one source so far.
const SYSTEM_CLOCK: &str = "the system clock of the server";

pub(super) fn clock() -> Vec<u8> {
    encode(WireClock {
        source: SYSTEM_CLOCK.to_owned(),
    })
}

/// Where the server's times come from, in words.
pub(super) fn read_clock(bytes: &[u8]) -> Option<String> {
    let read: WireClock = decode(bytes)?;
    (read.source == SYSTEM_CLOCK).then_some(read.source)
}

impl Subject {
    pub(super) fn encode(&self) -> Vec<u8> {
        encode(WireSubject {
            user: (*self.user.as_bytes()).into(),
            credential: self.credential.map(|id| (*id.as_bytes()).into()),
        })
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let read: WireSubject = decode(bytes)?;
        Some(Self {
            user: UserId::from_bytes(*read.user),
            credential: read.credential.map(|id| CredentialId::from_bytes(*id)),
        })
    }
}

pub(super) fn since(entries: &[ProvenEntry]) -> Vec<u8> {
    let entries: WireSince = entries
        .iter()
        .map(|entry| {
            let hashes = entry.hashes.iter().map(|hash| hash.0.into());
            (entry.leaf.clone().into(), hashes.collect())
        })
        .collect();
    encode(entries)
}

pub(super) fn read_since(bytes: &[u8]) -> Option<Vec<ProvenEntry>> {
    let read: WireSince = decode(bytes)?;
    let entry = |(leaf, hashes): (ByteVec, Vec<ByteArray<32>>)| ProvenEntry {
        leaf: leaf.into(),
        hashes: hashes.into_iter().map(|hash| TreeHash(*hash)).collect(),
    };
    Some(read.into_iter().map(entry).collect())
}

fn standing(standing: DoorStanding) -> WireStanding {
    let at = |at: Timestamp| at.microseconds();
    let (number, said, silent_since, until) = match standing {
        DoorStanding::Confirmed { at } => (0, Some(at), None, None),
        DoorStanding::EndedByLimit { at } => (1, Some(at), None, None),
        DoorStanding::MayStillOpen {
            silent_since,
            until,
        } => (2, None, silent_since, until),
        DoorStanding::OnEmergencyList {
            silent_since,
            until,
        } => (3, None, silent_since, until),
        DoorStanding::KeepsLastTable { silent_since } => (4, None, silent_since, None),
        DoorStanding::Waiting => (5, None, None, None),
        DoorStanding::Overdue => (6, None, None, None),
        DoorStanding::Failed { fault } => match fault {
            Fault::DiskFails => (7, None, None, None),
            Fault::OtherTable => (8, None, None, None),
        },
    };
    WireStanding {
        number,
        at: said.map(at),
        silent_since: silent_since.map(at),
        until: until.map(at),
    }
}

fn read_standing(read: &WireStanding) -> Option<DoorStanding> {
    let instant = |at: Option<i64>| at.map(Timestamp::from_microseconds);
    let silent_since = instant(read.silent_since);
    let until = instant(read.until);
    let standing = match read.number {
        0 => DoorStanding::Confirmed {
            at: instant(read.at)?,
        },
        1 => DoorStanding::EndedByLimit {
            at: instant(read.at)?,
        },
        2 => DoorStanding::MayStillOpen {
            silent_since,
            until,
        },
        3 => DoorStanding::OnEmergencyList {
            silent_since,
            until,
        },
        4 => DoorStanding::KeepsLastTable { silent_since },
        5 => DoorStanding::Waiting,
        6 => DoorStanding::Overdue,
        7 => DoorStanding::Failed {
            fault: Fault::DiskFails,
        },
        8 => DoorStanding::Failed {
            fault: Fault::OtherTable,
        },
        _ => return None,
    };
    // Nothing that this standing does not say.
    let again = self::standing(standing);
    ((again.at, again.silent_since, again.until) == (read.at, read.silent_since, read.until))
        .then_some(standing)
}

impl From<&SignedWord> for WireSigned {
    fn from(word: &SignedWord) -> Self {
        Self {
            by: word.by as u64,
            statement: word.statement.clone().into(),
            signature: word.signature.into(),
            received_at: word.received_at.microseconds(),
        }
    }
}

impl From<WireSigned> for SignedWord {
    fn from(word: WireSigned) -> Self {
        Self {
            by: usize::try_from(word.by).unwrap_or(usize::MAX),
            statement: word.statement.into(),
            signature: *word.signature,
            received_at: Timestamp::from_microseconds(word.received_at),
        }
    }
}

impl DoorEvidence {
    pub(super) fn encode(&self) -> Vec<u8> {
        encode(WireDoor {
            door: (*self.door.as_bytes()).into(),
            agents: self
                .agents
                .iter()
                .map(|agent| {
                    let chain = agent.chain.iter().cloned().map(Into::into);
                    ((*agent.agent.as_bytes()).into(), chain.collect())
                })
                .collect(),
            standing: standing(self.standing),
            receipt: self.receipt.as_ref().map(Into::into),
            basis: self.basis.map(|basis| WireBasis {
                renewed_at: basis.renewed_at.microseconds(),
                lease_seconds: basis.lease_seconds,
            }),
            answers: self.answers.iter().map(Into::into).collect(),
            stood_open: self.stood.map(|stood| stood == Position::Open),
        })
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let read: WireDoor = decode(bytes)?;
        Some(Self {
            door: DoorId::from_bytes(*read.door),
            agents: read
                .agents
                .into_iter()
                .map(|(agent, chain)| Vouched {
                    agent: AgentId::from_bytes(*agent),
                    chain: chain.into_iter().map(Into::into).collect(),
                })
                .collect(),
            standing: read_standing(&read.standing)?,
            receipt: read.receipt.map(Into::into),
            basis: read.basis.map(|basis| LimitBasis {
                renewed_at: Timestamp::from_microseconds(basis.renewed_at),
                lease_seconds: basis.lease_seconds,
            }),
            answers: read.answers.into_iter().map(Into::into).collect(),
            stood: read.stood_open.map(|open| match open {
                true => Position::Open,
                false => Position::Closed,
            }),
        })
    }
}

impl Annex {
    pub(super) fn encode(&self) -> Vec<u8> {
        encode(WireAnnex {
            salt: self.salt.into(),
            doors: self
                .doors
                .iter()
                .map(|(door, name)| ((*door.as_bytes()).into(), name.clone()))
                .collect(),
            person: self.person.clone(),
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            override_reason: self.override_reason.clone(),
        })
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let read: WireAnnex = decode(bytes)?;
        Some(Self {
            salt: *read.salt,
            person: read.person,
            doors: read
                .doors
                .into_iter()
                .map(|(door, name)| (DoorId::from_bytes(*door), name))
                .collect(),
            actor: read.actor,
            reason: read.reason,
            override_reason: read.override_reason,
        })
    }

    /// What a door is called.
    #[must_use]
    pub fn door(&self, door: DoorId) -> Option<&str> {
        let named = self.doors.iter().find(|(known, _)| *known == door);
        named.map(|(_, name)| name.as_str())
    }
}
