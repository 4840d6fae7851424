//! What a server asks a door, "would you admit this credential now?", and what the answer says.
//!
//! Owns: the question, the answer, and what the answer means for the credential it is about. Refuses
//! to know: how either is sent and whose signature the answer bears.

use std::time::Duration;

use crate::id::{CredentialId, DoorId, QuestionId, StoreId};
use crate::operator::Role;
use crate::parameters::{Epoch, Revision, Timestamp};
use crate::place::Direction;
use crate::table::admission::{ClockTrust, Reason, Sought};
use crate::table::entry::TableHash;

/// How long a question waits for a door that does not answer.
pub const LIFE: Duration = Duration::from_secs(15 * 60);
/// How many questions may wait for answers, of all doors together.
pub const OPEN_LIMIT: usize = 10_000;

/// Whether somebody with this role may have doors asked: whoever may stop people may see that they
/// are stopped.
#[must_use]
pub fn may_ask(role: Role) -> bool {
    role >= Role::Guard
}

/// "Would you admit this credential at this door now?"
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Random, so that no answer to an earlier question is one to this.
    pub id: QuestionId,
    /// Which credential is meant.
    pub credential: CredentialId,
    /// What a reader would hand on if it were presented, as the agent's table would know it.
    pub sought: Sought,
    /// At which door.
    pub door: DoorId,
    /// At the reader on which side.
    pub direction: Direction,
}

/// What the door's own decision is at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It would open.
    Granted {
        /// For whose credential. A plate may be shared, and a card that was given back is somebody
        /// else's.
        holder: CredentialId,
    },
    /// It would open, because nobody is kept from leaving.
    WayOut,
    /// It would stay closed.
    Refused {
        /// Why.
        reason: Reason,
    },
}

/// A door's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whose changes the table is made of that decided.
    pub store: StoreId,
    /// In which epoch.
    pub epoch: Epoch,
    /// The revision it had reached.
    pub revision: Revision,
    /// Its hash.
    pub hash: TableHash,
    /// SHA-256 of the question as it was sent.
    pub question: [u8; 32],
    /// The credential it was about.
    pub credential: CredentialId,
    /// The door.
    pub door: DoorId,
    /// The side.
    pub direction: Direction,
    /// The decision.
    pub said: Said,
    /// When, by the door's clock.
    pub at: Timestamp,
    /// Whether the door believes its clock.
    pub clock: ClockTrust,
}

/// What an answer means for the credential that was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The door refuses it.
    Refuses(Reason),
    /// The door opens for it.
    Admits,
    /// The door opens when it is presented, because somebody else has the same plate or card.
    AdmitsAnother,
}

impl Answer {
    /// What it means for the credential that was asked about.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.said {
            Said::Refused { reason } => Verdict::Refuses(reason),
            Said::Granted { holder } if holder != self.credential => Verdict::AdmitsAnother,
            Said::Granted { .. } | Said::WayOut => Verdict::Admits,
        }
    }
}

impl Verdict {
    /// The stable name in rows and the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuses(_) => "refuses",
            Self::Admits => "admits",
            Self::AdmitsAnother => "admits another",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_that_opens_for_somebody_else_does_not_open_for_this_one() {
        let [asked, other] = [1, 2].map(|number| CredentialId::from_bytes([number; 16]));
        let answer = |said| Answer {
            store: StoreId::from_bytes([1; 16]),
            epoch: Epoch {
                counter: 1,
                nonce: [0; 16],
            },
            revision: Revision::new(7),
            hash: TableHash::EMPTY,
            question: [0; 32],
            credential: asked,
            door: DoorId::from_bytes([3; 16]),
            direction: Direction::In,
            said,
            at: Timestamp::from_seconds(1),
            clock: ClockTrust::Trusted,
        };
        for (said, expected) in [
            (Said::Granted { holder: asked }, Verdict::Admits),
            (Said::Granted { holder: other }, Verdict::AdmitsAnother),
            (Said::WayOut, Verdict::Admits),
            (
                Said::Refused {
                    reason: Reason::Lost,
                },
                Verdict::Refuses(Reason::Lost),
            ),
        ] {
            assert_eq!(answer(said).verdict(), expected, "{said:?}");
        }
    }
}
