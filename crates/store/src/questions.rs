//! What doors are asked about refused credentials, and what they answered.

use offgate_core::credential::CredentialKind;
use offgate_core::id::{AgentId, CredentialId, DoorId, QuestionId, UserId};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::question::Verdict;

/// A credential that must be refused, and the change that said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedCredential {
    /// Which.
    pub credential: CredentialId,
    /// The deactivation of its holder, or the report of its loss.
    pub revision: Revision,
}

/// A refusal that a door has just confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfirmedRefusal {
    /// Of whom.
    pub user: UserId,
    /// By which change.
    pub revision: Revision,
    /// At which door.
    pub door: DoorId,
}

/// A question to be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewQuestion {
    /// Random.
    pub id: QuestionId,
    /// Who decides for the door.
    pub agent: AgentId,
    /// The door.
    pub door: DoorId,
    /// Who is refused.
    pub user: UserId,
    /// What they hold.
    pub refused: RefusedCredential,
}

/// An answer that was verified, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAnswer {
    /// The question that is answered.
    pub question: QuestionId,
    /// What the answer means.
    pub verdict: Verdict,
    /// The bytes that were signed.
    pub statement: Vec<u8>,
    /// The agent's signature.
    pub signature: [u8; 64],
}

/// An answer, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Who is refused.
    pub user: UserId,
    /// What was asked about, and by which change it is refused.
    pub refused: RefusedCredential,
    /// Its kind.
    pub kind: CredentialKind,
    /// The door.
    pub door: DoorId,
    /// Whose signature it bears.
    pub agent: AgentId,
    /// What it means.
    pub verdict: Verdict,
    /// When it came.
    pub received_at: Timestamp,
    /// The bytes that were signed.
    pub statement: Vec<u8>,
    /// The signature.
    pub signature: [u8; 64],
}

/// The newest answer about each credential at each door, of answers in the order in which they came.
#[must_use]
pub fn newest(answers: &[KeptAnswer]) -> Vec<&KeptAnswer> {
    let is_newest = |position: usize, answer: &KeptAnswer| {
        let later = answers.get(position + 1..).unwrap_or_default();
        !later.iter().any(|other| {
            (other.door, other.refused, other.user) == (answer.door, answer.refused, answer.user)
        })
    };
    let numbered = answers.iter().enumerate();
    numbered
        .filter(|(position, answer)| is_newest(*position, answer))
        .map(|(_, answer)| answer)
        .collect()
}
