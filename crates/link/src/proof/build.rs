//! From facts to a file: what counts as evidence, and what is signed.

use offgate_core::confirmation::DoorStanding;
use offgate_core::id::StoreId;
use offgate_core::log_proof::LogProof;
use offgate_core::parameters::{Epoch, Timestamp};

use super::check::{answered, confirming, follows};
use super::file::{Cover, ProofFile, SignedCover, hash};
use super::parts::{Annex, DoorEvidence, ProvenEntry, Subject, clock, since};
use super::{ANNEX, CLOCK, DECISION, SINCE, SUBJECT, door_part};
use crate::join_token::RootFingerprint;

/// What a store has on record about one refusal.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Which store.
    pub store: StoreId,
    /// Its epoch.
    pub epoch: Epoch,
    /// When this is put together.
    pub made_at: Timestamp,
    /// Who is refused.
    pub subject: Subject,
    /// The entry that decided it, in the newest checkpoint.
    pub decision: LogProof,
    /// Later entries about the same person, in the same checkpoint.
    pub since: Vec<ProvenEntry>,
    /// The doors that count.
    pub doors: Vec<DoorEvidence>,
    /// The names.
    pub annex: Annex,
}

/// A proof that lacks its signature.
#[derive(Clone, Debug)]
pub struct Unsigned {
    cover: Cover,
    parts: Vec<(String, Vec<u8>)>,
}

/// Puts the parts together. A receipt that does not show the refusal is left out: the door is then
/// one that is on record as confirmed, without a receipt that shows it. So is an answer that the
/// door's agent did not sign.
#[must_use]
pub fn assemble(facts: Facts) -> Unsigned {
    let root = RootFingerprint(facts.decision.root);
    let shown = facts.decision.shown().ok();
    let refusal = shown.and_then(|shown| shown.entry).map(|it| it.revision);
    let mut parts = vec![
        (DECISION.to_owned(), facts.decision.encode()),
        (SUBJECT.to_owned(), facts.subject.encode()),
        (SINCE.to_owned(), since(&facts.since)),
        (CLOCK.to_owned(), clock()),
    ];
    let of = (
        facts.store,
        facts.epoch,
        refusal.unwrap_or(u64::MAX),
        facts.subject,
    );
    for mut door in facts.doors {
        if !confirming(&door, of, root).is_ok_and(|receipt| receipt.is_some()) {
            door.receipt = None;
        }
        let mut answers = std::mem::take(&mut door.answers);
        answers.retain(|word| answered(&door, word, of, root).is_ok());
        door.answers = answers;
        // What was changed since would make a limit of another lease.
        if let DoorStanding::EndedByLimit { at } = door.standing {
            door.basis = door.basis.filter(|basis| follows(at, *basis));
        }
        parts.push((door_part(door.door), door.encode()));
    }
    parts.push((ANNEX.to_owned(), facts.annex.encode()));
    let hashes = parts.iter().map(|(name, part)| (name.clone(), hash(part)));
    Unsigned {
        cover: Cover {
            store: facts.store,
            epoch: facts.epoch,
            root,
            made_at: facts.made_at,
            parts: hashes.collect(),
        },
        parts,
    }
}

impl Unsigned {
    /// The bytes to be signed by the key of the store's log.
    #[must_use]
    pub fn statement(&self) -> Vec<u8> {
        self.cover.statement()
    }

    /// The file, with that signature and the chain of the key's certificate.
    #[must_use]
    pub fn signed(self, signature: [u8; 64], chain: Vec<Vec<u8>>) -> ProofFile {
        let cover = SignedCover {
            statement: self.cover.statement(),
            signature,
            chain,
        };
        ProofFile::new(&cover, self.parts)
    }
}
