//! One command in a transaction of any engine: judged, applied, and brought into the door tables.

use offgate_core::actor::Actor;
use offgate_core::change::Change;
use offgate_core::command::Command;
use offgate_core::decide::{Decision, decide};
use offgate_core::id::CommandId;
use offgate_core::parameters::{Randomness, Revision, Timestamp};
use offgate_core::refusal::Refusal;

use crate::checkpoint::StoreSigner;
use crate::engine::Ledger;
use crate::error::StoreError;
use crate::projection::project;

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out, or nothing had to be; the log is at this revision.
    Done {
        /// The revision of its last change.
        revision: Revision,
    },
    /// It was refused, and changed nothing.
    Refused(Refusal),
}

/// What became of a command, and all that it changed.
#[derive(Clone, Debug)]
pub struct CarriedOut {
    /// What is answered.
    pub outcome: Outcome,
    /// The changes, in the order of their revisions; none if it had been carried out before. A
    /// command that is refused may leave a note.
    pub changes: Vec<Change>,
}

/// Judges a command and does what was decided. The answer must not leave before the transaction is
/// committed, and none of it has happened before that.
///
/// # Errors
/// The engine could not do it: the transaction must not be committed.
pub fn carry_out(
    batch: &mut dyn Ledger,
    (id, actor, command): (CommandId, Actor, &Command),
    randomness: &dyn Randomness,
    signer: &dyn StoreSigner,
    now: Timestamp,
) -> Result<CarriedOut, StoreError> {
    if let Some(revision) = batch.carried_out(id)? {
        return Ok(CarriedOut {
            outcome: Outcome::Done { revision },
            changes: Vec::new(),
        });
    }
    let decision = decide(batch, actor, command, now)?;
    let (Decision::Accepted(changes) | Decision::Refused(_, changes)) = &decision;
    let mut revision = batch.head()?;
    for change in changes {
        revision = revision.next();
        let mut salt = [0; 16];
        randomness.fill(&mut salt);
        batch.apply(actor, revision, change, salt, now)?;
        project(batch, change, revision, signer, now)?;
    }
    Ok(match decision {
        Decision::Accepted(changes) => {
            batch.remember(id, revision, now)?;
            CarriedOut {
                outcome: Outcome::Done { revision },
                changes,
            }
        }
        // Refused commands changed nothing, so asking again is judged again.
        Decision::Refused(refusal, changes) => CarriedOut {
            outcome: Outcome::Refused(refusal),
            changes,
        },
    })
}
