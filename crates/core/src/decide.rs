//! The judgement: a command and the records go in; changes or a refusal come out.

use crate::actor::Actor;
use crate::change::Change;
use crate::command::Command;
use crate::parameters::Timestamp;
use crate::records::Records;
use crate::refusal::Refusal;

/// What becomes of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Carried out by these changes, in this order. None at all means that everything is as it
    /// was asked to be already.
    Accepted(Vec<Change>),
    /// Not carried out, for this reason. The changes, if any, are notes that it was asked.
    Refused(Refusal, Vec<Change>),
}

/// Judges `command` by `actor` at `now` against the records.
///
/// # Errors
/// The records could not be read: nothing was decided, and nothing may be concluded.
pub fn decide<R: Records + ?Sized>(
    records: &R,
    actor: Actor,
    command: &Command,
    now: Timestamp,
) -> Result<Decision, R::Error> {
    let _ = (records, actor, command, now);
    unimplemented!()
}
