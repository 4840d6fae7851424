//! The proof that doors refuse somebody, from what the store has on record: the same for the console
//! and the command line.

use std::collections::BTreeMap;

use offgate_core::confirmation::{settings_without, standing};
use offgate_core::id::{AgentId, CredentialId, OperatorId, UserId};
use offgate_core::log::{UNCONFIRMED, may_read};
use offgate_core::log_proof::{LogProof, Shows};
use offgate_core::operator::Role;
use offgate_core::parameters::{Randomness, Revision, Timestamp};
use offgate_core::records::Records as _;
use offgate_core::tree::Leaf;
use offgate_core::user::{Standing, UserRecord};
use offgate_link::identity::IdentityError;
use offgate_link::proof::{
    Annex, DoorEvidence, Facts, LimitBasis, ProofFile, ProvenEntry, SignedWord, Subject, Vouched,
    assemble,
};
use offgate_store::activity::{About, ActivityKinds, ActivityQuery, What};
use offgate_store::questions::KeptAnswer;
use offgate_store::{Reader, StoreError, StoreIdentity};

use crate::keys::Keys;

/// How many lines of somebody's history are looked through for the reason of their removal.
const LINES: usize = 50;

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum NoProof {
    /// Nothing was refused.
    #[error("they were never deactivated, or this credential is not reported lost")]
    NothingRefused,
    /// The records could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A certificate could not be made, or the cover could not be signed.
    #[error("the proof cannot be signed")]
    Signing(#[from] IdentityError),
}

/// What is to be proved, and for whose eyes.
#[derive(Clone, Copy, Debug)]
pub struct ProofQuery {
    /// Who is refused, also after they were removed.
    pub user: UserId,
    /// One credential of theirs that is reported lost; none for their last deactivation.
    pub credential: Option<CredentialId>,
    /// The annex tells what this role may read.
    pub role: Role,
}

/// Makes the proof as of now.
///
/// # Errors
/// There is nothing to prove, or it cannot be read or signed.
pub fn refusal_proof(
    reader: &Reader,
    identity: StoreIdentity,
    keys: &Keys,
    query: ProofQuery,
    randomness: &dyn Randomness,
    now: Timestamp,
) -> Result<ProofFile, NoProof> {
    let refusal = refusal(reader, query)?.ok_or(NoProof::NothingRefused)?;
    let facts = facts(reader, identity, keys, query, refusal, randomness, now)?;
    let unsigned = assemble(facts);
    let held = keys.held();
    let signature = held.log().sign(&unsigned.statement())?;
    Ok(unsigned.signed(signature, held.log().chain.clone()))
}

/// The change that refuses them.
fn refusal(reader: &Reader, query: ProofQuery) -> Result<Option<Revision>, StoreError> {
    match query.credential {
        None => reader.last_entry(query.user, "user.deactivated"),
        Some(credential) => reader.lost_by(credential),
    }
}

fn damaged(what: &'static str) -> StoreError {
    StoreError::Damaged(what)
}

fn facts(
    reader: &Reader,
    identity: StoreIdentity,
    keys: &Keys,
    query: ProofQuery,
    refusal: Revision,
    randomness: &dyn Randomness,
    now: Timestamp,
) -> Result<Facts, NoProof> {
    let signed = reader.newest_checkpoint()?;
    let size = offgate_core::checkpoint::Checkpoint::read(&signed.statement)
        .map_err(|_| damaged("a checkpoint that is none"))?
        .size;
    let size = Revision::new(size);
    let entry = |revision: Revision| -> Result<ProvenEntry, StoreError> {
        let leaf = reader
            .leaf(revision)?
            .ok_or(damaged("an entry that is missing"))?;
        Ok(ProvenEntry {
            leaf,
            hashes: reader.inclusion(revision, size)?,
        })
    };
    let decided = entry(refusal)?;
    let leaf = decided.leaf.clone();
    let leaf = Leaf::decode(&leaf).ok_or(damaged("an entry that is none"))?;
    let later = reader.later_entries(query.user, refusal)?.into_iter();
    let since: Vec<_> = later
        .filter(|revision| *revision <= size)
        .map(entry)
        .collect::<Result<_, _>>()?;
    let decided_at = Timestamp::from_microseconds(leaf.at);
    let doors = doors(reader, keys, query, (refusal, decided_at), now)?;
    Ok(Facts {
        store: identity.store,
        epoch: identity.epoch,
        made_at: now,
        subject: Subject {
            user: query.user,
            credential: query.credential,
        },
        annex: annex(reader, query, (refusal, &leaf), &doors, randomness)?,
        decision: LogProof {
            root: keys.fingerprint().0,
            checkpoint: signed,
            shows: Shows::Entry {
                leaf: decided.leaf,
                hashes: decided.hashes,
            },
        },
        since,
        doors,
    })
}

fn doors(
    reader: &Reader,
    keys: &Keys,
    query: ProofQuery,
    (refusal, decided_at): (Revision, Timestamp),
    now: Timestamp,
) -> Result<Vec<DoorEvidence>, NoProof> {
    let answers = reader.answers(query.user, refusal)?;
    let about = |answer: &&KeptAnswer| {
        query
            .credential
            .is_none_or(|credential| credential == answer.refused.credential)
    };
    let mut vouched: BTreeMap<AgentId, Vec<Vec<u8>>> = BTreeMap::new();
    let mut doors = Vec::new();
    let facts = reader.door_facts(query.user, refusal)?;
    for record in reader.door_records(query.user, refusal)? {
        let Some(known) = facts.iter().find(|known| known.door == record.door) else {
            continue;
        };
        let answers: Vec<_> = answers
            .iter()
            .filter(|answer| answer.door == record.door)
            .filter(about)
            .collect();
        let mut agents: Vec<AgentId> = Vec::new();
        let mut place = |agent: AgentId| match agents.iter().position(|known| *known == agent) {
            Some(place) => place,
            None => {
                agents.push(agent);
                agents.len() - 1
            }
        };
        let receipt = record.receipt.map(|receipt| SignedWord {
            by: place(record.agent),
            statement: receipt.statement,
            signature: receipt.signature,
            received_at: receipt.received_at,
        });
        let answers: Vec<_> = answers
            .into_iter()
            .map(|answer| SignedWord {
                by: place(answer.agent),
                statement: answer.statement.clone(),
                signature: answer.signature,
                received_at: answer.received_at,
            })
            .collect();
        let versions = reader.door_versions(record.agent, record.door)?;
        let settings = settings_without(versions, refusal);
        let longest = settings.iter().map(|settings| settings.lease_seconds).max();
        for agent in &agents {
            if !vouched.contains_key(agent) {
                let known = reader
                    .agent(*agent)?
                    .ok_or(damaged("a receipt of an agent that is none"))?;
                vouched.insert(*agent, keys.vouch(*agent, &known.key)?);
            }
        }
        doors.push(DoorEvidence {
            door: record.door,
            agents: agents
                .into_iter()
                .map(|agent| Vouched {
                    agent,
                    chain: vouched.get(&agent).cloned().unwrap_or_default(),
                })
                .collect(),
            standing: standing(known, decided_at, now),
            receipt,
            basis: record
                .renewed_at
                .zip(longest)
                .map(|(renewed_at, lease_seconds)| LimitBasis {
                    renewed_at,
                    lease_seconds,
                }),
            answers,
            stood: known.positions.then,
        });
    }
    Ok(doors)
}

fn annex(
    reader: &Reader,
    query: ProofQuery,
    (refusal, decided): (Revision, &Leaf<'_>),
    doors: &[DoorEvidence],
    randomness: &dyn Randomness,
) -> Result<Annex, StoreError> {
    let mut salt = [0; 32];
    randomness.fill(&mut salt);
    let mut names = Vec::new();
    for door in doors {
        if let Some(known) = reader.door(door.door)? {
            names.push((door.door, known.name.as_str().to_owned()));
        }
    }
    let (person, reason) = match reader.user(query.user)? {
        Some(UserRecord::Present(person)) => {
            let reason = match &person.standing {
                Standing::Deactivated(deactivation) if deactivation.revision == refusal => {
                    Some(deactivation.reason.label().to_owned())
                }
                Standing::Deactivated(_) | Standing::Active => None,
            };
            (Some(person.profile.full_name()), reason)
        }
        Some(UserRecord::Removed(_)) | None => (None, None),
    };
    Ok(Annex {
        salt,
        person,
        doors: names,
        actor: actor(reader, decided)?,
        reason,
        override_reason: override_reason(reader, query)?,
    })
}

/// Who decided, by name or in words.
fn actor(reader: &Reader, decided: &Leaf<'_>) -> Result<Option<String>, StoreError> {
    let id = decided
        .actor_id
        .and_then(|id| <[u8; 16]>::try_from(id).ok());
    Ok(match (decided.actor, id) {
        ("operator", Some(id)) => reader
            .operator(OperatorId::from_bytes(id))?
            .map(|operator| operator.name.as_str().to_owned()),
        ("command-line", _) => Some("the server’s command line".to_owned()),
        ("schedule", _) => Some("Offgate, as it was set beforehand".to_owned()),
        ("joining-agent" | "testifying-agent", _) => Some("an agent".to_owned()),
        _ => None,
    })
}

/// Why they were removed before every door had confirmed, as far as that can still be read.
fn override_reason(reader: &Reader, query: ProofQuery) -> Result<Option<String>, StoreError> {
    if reader.last_entry(query.user, "user.removed")?.is_none() {
        return Ok(None);
    }
    let page = reader.activity(&ActivityQuery {
        about: About::User(query.user),
        kinds: ActivityKinds::Changes,
        before: None,
        limit: LINES,
    })?;
    for item in page.items {
        if let What::Change { kind, details, .. } = item.what
            && kind == "user.removed"
        {
            let reason = details
                .into_iter()
                .find(|detail| detail.field == UNCONFIRMED && may_read(query.role, &detail.field));
            return Ok(reason.and_then(|detail| detail.after));
        }
    }
    Ok(None)
}
