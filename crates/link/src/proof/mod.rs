//! The proof that doors refuse somebody: one file that can be checked years later by whoever has
//! only it and the fingerprint of the store's root.
//!
//! Owns: the file and its parts, how it is made from what a store has on record, what it shows when
//! it is checked, and the sentences that say so. Refuses to know: where the facts come from, and
//! which key signs.
//!
//! The file is a signed cover and named parts. The cover has the SHA-256 of every part, so that a
//! part that was altered is named; the annex, which alone holds names, begins with a random salt, so
//! that its hash in the cover is a commitment that tells nothing once the annex is taken off.

mod build;
mod check;
mod file;
mod parts;
mod sentences;
#[cfg(test)]
mod tests;

pub use build::{Facts, Unsigned, assemble};
pub use check::{Broken, LaterEntry, Shown, ShownAnswer, ShownDoor, Signer, Standing, Why, check};
pub use file::{FILE_LIMIT, Malformed, NoAnnex, ProofFile};
pub use parts::{Annex, DoorEvidence, LimitBasis, ProvenEntry, SignedWord, Subject, Vouched};
pub use sentences::{NOT_SHOWN, door_sentence, kind_words, period, shows};

use minicbor::{Decode, Encode};
use offgate_core::id::DoorId;

/// The part with names, which may be taken off.
const ANNEX: &str = "annex";
/// The part that says what was decided.
const DECISION: &str = "decision";
/// The part that says about whom.
const SUBJECT: &str = "subject";
/// The part with later entries about the same person.
const SINCE: &str = "since";
/// The part that says whose times these are.
const CLOCK: &str = "clock";

/// The name of a door's part.
fn door_part(door: DoorId) -> String {
    format!("door {door}")
}

fn encode(value: impl Encode<()>) -> Vec<u8> {
    minicbor::to_vec(value).unwrap_or_else(|_| unreachable!("writing to memory cannot fail"))
}

/// Reads what has one encoding; none for any other bytes.
fn decode<T>(bytes: &[u8]) -> Option<T>
where
    T: Encode<()> + for<'b> Decode<'b, ()>,
{
    let value = minicbor::decode::<T>(bytes).ok()?;
    (encode(&value) == bytes).then_some(value)
}
