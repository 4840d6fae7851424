//! What a proof shows, or in which part it does not hold.

use offgate_core::agent::AgentKey;
use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::confirmation::{DoorStanding, counted_out};
use offgate_core::door_position::Position;
use offgate_core::id::{AgentId, DoorId, StoreId};
use offgate_core::log_proof::{LogProof, Shows};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::question::{Answer, Verdict};
use offgate_core::tree::{Leaf, TreeHash, verify_inclusion};

use super::file::{Cover, Malformed, ProofFile, hash};
use super::parts::{Annex, DoorEvidence, LimitBasis, SignedWord, Subject, read_clock, read_since};
use super::{ANNEX, CLOCK, DECISION, SINCE, SUBJECT, door_part};
use crate::acknowledgement::{self, Acknowledgement};
use crate::chain::NotVouchedFor;
use crate::identity::agent_key_below;
use crate::join_token::RootFingerprint;
use crate::log_proof::{self, NotBelieved, signed_below};
use crate::question;

/// The name of what holds the parts together.
const FRAME: &str = "frame";
/// The name of what is signed.
const COVER: &str = "cover";

/// A proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("part \"{part}\": {why}")]
pub struct Broken {
    /// Which part of it: "cover", "door 3f2a…".
    pub part: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The file is none.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its bytes are not in their one encoding.
    #[error("it cannot be read")]
    Unreadable,
    /// It is not what the cover lists.
    #[error("it was altered")]
    Altered,
    /// The cover lists it, and it is not there.
    #[error("it is missing")]
    Missing,
    /// The cover does not list it, or it is there twice.
    #[error("the cover does not list it")]
    NotListed,
    /// It is of another store, epoch or root than the cover.
    #[error("it is of another store")]
    AnotherStore,
    /// Who signed it is not whom the root vouches for.
    #[error(transparent)]
    NotBelieved(#[from] NotBelieved),
    /// An agent's certificate is none of this store.
    #[error("an agent's key is not vouched for: {0}")]
    Agent(#[from] NotVouchedFor),
    /// An agent did not sign this.
    #[error("a receipt or answer is not the agent's: {0}")]
    NotTheAgents(#[from] acknowledgement::NotBelieved),
    /// The log's entry decides nothing of the kind, or is about somebody else.
    #[error("the entry of the log does not refuse this person")]
    NoRefusal,
    /// A later entry is not in the log that was signed for, or about somebody else.
    #[error("a later entry is not in the log that was signed for")]
    NotInTheLog,
    /// The receipt is of another store, epoch or door, or of a table from before the refusal.
    #[error("the receipt does not show this refusal at this door")]
    NoReceipt,
    /// The answer is about something else.
    #[error("an answer is about another door or credential")]
    AnotherAnswer,
    /// The limit is earlier than what it was computed from allows.
    #[error("the time limit does not follow from what it was computed from")]
    Limit,
}

/// Whether it is known whose proof it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The store with the root that was given.
    Known,
    /// Some store: it agrees with itself.
    Unknown,
}

/// Where a door stands, as far as the file shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its own signed word is in the file.
    Confirmed {
        /// When it came, by the server's clock.
        at: Timestamp,
        /// The agent that signed it.
        agent: AgentId,
        /// The revision of its table.
        revision: Revision,
    },
    /// Refuses by its time limit.
    EndedByLimit {
        /// Since when.
        at: Timestamp,
        /// From what that follows; none if it is the store's word alone.
        basis: Option<LimitBasis>,
    },
    /// Not confirmed; where it stands instead.
    NotConfirmed(DoorStanding),
}

/// One answer of a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownAnswer {
    /// When it came, by the server's clock.
    pub received_at: Timestamp,
    /// What it says.
    pub answer: Answer,
}

/// One door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownDoor {
    /// Which.
    pub door: DoorId,
    /// Where it stands.
    pub standing: Standing,
    /// What it answered when it was asked, in the order in which it came.
    pub answers: Vec<ShownAnswer>,
    /// How it stood when the refusal was decided; none: not known. The store's word.
    pub stood: Option<Position>,
}

/// A later entry of the log about the same person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterEntry {
    /// Its position.
    pub revision: Revision,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: String,
}

/// What a proof shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Whether it is known whose it is.
    pub signer: Signer,
    /// The root that it is signed below.
    pub root: RootFingerprint,
    /// Which store.
    pub store: StoreId,
    /// Its epoch.
    pub epoch: Epoch,
    /// When it was put together, by the server's clock.
    pub made_at: Timestamp,
    /// Where that clock's time comes from.
    pub clock: String,
    /// The log it is in: how many entries, and when it was signed for.
    pub log: Checkpoint,
    /// Who is refused.
    pub subject: Subject,
    /// The entry that decided it.
    pub decided: LaterEntry,
    /// What kind of actor decided: "operator", "schedule".
    pub actor: String,
    /// What came later.
    pub since: Vec<LaterEntry>,
    /// The doors that count.
    pub doors: Vec<ShownDoor>,
    /// The names, unless they were taken off.
    pub annex: Option<Annex>,
}

impl ShownDoor {
    /// The last answer about each credential.
    pub fn last_answers(&self) -> impl Iterator<Item = &ShownAnswer> {
        self.answers.iter().enumerate().filter_map(|(at, said)| {
            let later = self.answers.get(at + 1..).unwrap_or_default();
            let again = later
                .iter()
                .any(|other| other.answer.credential == said.answer.credential);
            (!again).then_some(said)
        })
    }

    /// Whether it says itself that it would open.
    #[must_use]
    pub fn admits(&self) -> bool {
        self.last_answers()
            .any(|said| said.answer.verdict() == Verdict::Admits)
    }

    /// Whether it refuses, by its own word or its limit.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !matches!(self.standing, Standing::NotConfirmed(_)) && !self.admits()
    }
}

impl Shown {
    /// Whether every door refuses, so that another proof would show no more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.doors.iter().all(ShownDoor::is_settled)
    }
}

/// Checks a proof below the root that is known, or without one below the root that it names itself:
/// then it agrees with itself, and who signed it is not known.
///
/// # Errors
/// It does not hold, and in which part.
pub fn check(bytes: &[u8], known: Option<RootFingerprint>) -> Result<Shown, Broken> {
    let file = ProofFile::decode(bytes).map_err(|why| broken(FRAME, why))?;
    let cover = cover(&file, known).map_err(|why| broken(COVER, why))?;
    compare(&file, &cover)?;
    let part = |name: &'static str| {
        let found = file.parts.iter().find(|(known, _)| known == name);
        let found = found.map(|(_, bytes)| bytes.as_slice());
        found.ok_or_else(|| broken(name, Why::Missing))
    };
    let unreadable = |name: &'static str| move || broken(name, Why::Unreadable);
    let subject = Subject::read(part(SUBJECT)?).ok_or_else(unreadable(SUBJECT))?;
    let (log, decided, actor) =
        decision(part(DECISION)?, &cover, subject).map_err(|why| broken(DECISION, why))?;
    let since = later(part(SINCE)?, &log, &decided, subject).map_err(|why| broken(SINCE, why))?;
    let clock = read_clock(part(CLOCK)?).ok_or_else(unreadable(CLOCK))?;
    let mut doors = Vec::new();
    let mut annex = None;
    for (name, bytes) in &file.parts {
        match name.as_str() {
            DECISION | SUBJECT | SINCE | CLOCK => {}
            ANNEX => annex = Some(Annex::read(bytes).ok_or_else(unreadable(ANNEX))?),
            _ => {
                let of = (cover.store, cover.epoch, decided.revision.number(), subject);
                let door = door(name, bytes, of, &cover).map_err(|why| broken(name, why))?;
                doors.push(door);
            }
        }
    }
    Ok(Shown {
        signer: known.map_or(Signer::Unknown, |_| Signer::Known),
        root: cover.root,
        store: cover.store,
        epoch: cover.epoch,
        made_at: cover.made_at,
        clock,
        log,
        subject,
        decided,
        actor,
        since,
        doors,
        annex,
    })
}

fn broken(part: &str, why: impl Into<Why>) -> Broken {
    Broken {
        part: part.to_owned(),
        why: why.into(),
    }
}

/// The cover, if the log's key of the store with this root signed it.
fn cover(file: &ProofFile, known: Option<RootFingerprint>) -> Result<Cover, Why> {
    let signed = file.signed().ok_or(Why::Unreadable)?;
    let cover = Cover::read(&signed.statement).ok_or(Why::Unreadable)?;
    if known.is_some_and(|known| known != cover.root) {
        return Err(NotBelieved::AnotherRoot.into());
    }
    let signed = SignedCheckpoint {
        statement: signed.statement,
        signature: signed.signature,
        chain: signed.chain,
    };
    signed_below(&signed, cover.root)?;
    Ok(cover)
}

/// Every part is what the cover lists, in its order; the annex alone may be off.
fn compare(file: &ProofFile, cover: &Cover) -> Result<(), Broken> {
    let mut there = file.parts.iter().peekable();
    for (name, listed) in &cover.parts {
        match there.peek() {
            Some((found, bytes)) if found == name => {
                if hash(bytes) != *listed {
                    return Err(broken(name, Why::Altered));
                }
                there.next();
            }
            _ if name == ANNEX => {}
            Some((found, _)) if cover.parts.iter().all(|(known, _)| known != found) => {
                return Err(broken(found, Why::NotListed));
            }
            _ => return Err(broken(name, Why::Missing)),
        }
    }
    match there.next() {
        Some((name, _)) => Err(broken(name, Why::NotListed)),
        None => Ok(()),
    }
}

/// What an entry is called in the log when it refuses a person, or one credential.
fn refuses(kind: &str, subject: Subject) -> bool {
    match subject.credential {
        None => kind == "user.deactivated",
        Some(_) => kind == "credential.lost",
    }
}

fn decision(
    bytes: &[u8],
    cover: &Cover,
    subject: Subject,
) -> Result<(Checkpoint, LaterEntry, String), Why> {
    let proof = LogProof::decode(bytes).map_err(|why| Why::NotBelieved(why.into()))?;
    if !matches!(proof.shows, Shows::Entry { .. }) {
        return Err(Why::NoRefusal);
    }
    let shown = log_proof::check(&proof, Some(cover.root))?;
    if (shown.log.store, shown.log.epoch) != (cover.store, cover.epoch) {
        return Err(Why::AnotherStore);
    }
    let entry = shown.entry.ok_or(Why::NoRefusal)?;
    if !is_about(&entry, subject) || !refuses(entry.kind, subject) {
        return Err(Why::NoRefusal);
    }
    let actor = entry.actor.to_owned();
    Ok((shown.log, told(&entry), actor))
}

fn is_about(entry: &Leaf<'_>, subject: Subject) -> bool {
    entry.subject == "user" && entry.subject_id == Some(subject.user.as_bytes())
}

fn told(entry: &Leaf<'_>) -> LaterEntry {
    LaterEntry {
        revision: Revision::new(entry.revision),
        at: Timestamp::from_microseconds(entry.at),
        kind: entry.kind.to_owned(),
    }
}

fn later(
    bytes: &[u8],
    log: &Checkpoint,
    decided: &LaterEntry,
    subject: Subject,
) -> Result<Vec<LaterEntry>, Why> {
    let mut since = Vec::new();
    let mut last = decided.revision;
    for entry in read_since(bytes).ok_or(Why::Unreadable)? {
        let leaf = Leaf::decode(&entry.leaf).ok_or(Why::Unreadable)?;
        let number = leaf.revision.checked_sub(1).ok_or(Why::NotInTheLog)?;
        verify_inclusion(
            TreeHash::leaf(&entry.leaf),
            number,
            log.size,
            log.root,
            &entry.hashes,
        )
        .map_err(|_| Why::NotInTheLog)?;
        if leaf.revision <= last.number() || !is_about(&leaf, subject) {
            return Err(Why::NotInTheLog);
        }
        last = Revision::new(leaf.revision);
        since.push(told(&leaf));
    }
    Ok(since)
}

/// Of which store, in which epoch, at which revision, about whom a refusal is.
pub(super) type OfRefusal = (StoreId, Epoch, u64, Subject);

fn key(door: &DoorEvidence, by: usize, root: RootFingerprint) -> Result<(AgentId, AgentKey), Why> {
    let agent = door.agents.get(by).ok_or(Why::Unreadable)?;
    Ok((agent.agent, agent_key_below(&agent.chain, root)?))
}

/// Whether an acknowledgement shows that this door refuses, in the same epoch of the same store: by
/// the revision that its table has reached, or because it lists the refusal above that.
fn confirms(
    said: &Acknowledgement,
    door: DoorId,
    (store, epoch, refusal, subject): OfRefusal,
) -> bool {
    let refused = subject
        .credential
        .map_or(*subject.user.as_bytes(), |credential| {
            *credential.as_bytes()
        });
    let reached = said.revision.number() >= refusal;
    let listed = said
        .above
        .iter()
        .any(|above| above.subject == refused && above.revision.number() == refusal);
    said.store == store && said.epoch == epoch && said.doors.contains(&door) && (reached || listed)
}

/// The door's receipt, if there is one and its bytes show the refusal.
pub(super) fn confirming(
    door: &DoorEvidence,
    of: OfRefusal,
    root: RootFingerprint,
) -> Result<Option<(AgentId, Acknowledgement)>, Why> {
    let Some(SignedWord {
        by,
        statement,
        signature,
        ..
    }) = &door.receipt
    else {
        return Ok(None);
    };
    let (agent, key) = key(door, *by, root)?;
    let said = Acknowledgement::verify(&key, statement, signature)?;
    if !confirms(&said, door.door, of) {
        return Err(Why::NoReceipt);
    }
    Ok(Some((agent, said)))
}

/// Whether a limit is no earlier than it can be over at the door.
pub(super) fn follows(at: Timestamp, basis: LimitBasis) -> bool {
    at >= counted_out(basis.renewed_at, basis.lease_seconds)
}

fn door(name: &str, bytes: &[u8], of: OfRefusal, cover: &Cover) -> Result<ShownDoor, Why> {
    let door = DoorEvidence::read(bytes).ok_or(Why::Unreadable)?;
    if name != door_part(door.door) {
        return Err(Why::Unreadable);
    }
    let receipt = confirming(&door, of, cover.root)?;
    let standing = match (door.standing, receipt, door.basis) {
        (DoorStanding::Confirmed { at }, Some((agent, said)), _) => Standing::Confirmed {
            at,
            agent,
            revision: said.revision,
        },
        (_, Some(_), _) => return Err(Why::NoReceipt),
        (DoorStanding::EndedByLimit { at }, None, basis) => {
            if basis.is_some_and(|basis| !follows(at, basis)) || at > cover.made_at {
                return Err(Why::Limit);
            }
            Standing::EndedByLimit { at, basis }
        }
        (other, None, _) => Standing::NotConfirmed(other),
    };
    let answers = door.answers.iter();
    Ok(ShownDoor {
        door: door.door,
        standing,
        answers: answers
            .map(|word| answered(&door, word, of, cover.root))
            .collect::<Result<_, _>>()?,
        stood: door.stood,
    })
}

/// An answer, if an agent of this door signed it, about this door.
pub(super) fn answered(
    door: &DoorEvidence,
    word: &SignedWord,
    (store, _, _, subject): OfRefusal,
    root: RootFingerprint,
) -> Result<ShownAnswer, Why> {
    let (_, key) = key(door, word.by, root)?;
    let answer = question::verified(&key, &word.statement, &word.signature)?;
    let about = subject
        .credential
        .is_none_or(|credential| credential == answer.credential);
    if answer.store != store || answer.door != door.door || !about {
        return Err(Why::AnotherAnswer);
    }
    Ok(ShownAnswer {
        received_at: word.received_at,
        answer,
    })
}
