//! What a restored store takes over from a door that knows more.

use std::collections::BTreeSet;

use super::{Case, Judgement};
use crate::change::Change;
use crate::credential::CredentialState;
use crate::id::{CredentialId, UserId};
use crate::records::Records;
use crate::ruling::{Ruled, Ruling};
use crate::text::Note;
use crate::user::{DeactivationReason, Standing, UserRecord};

impl<R: Records + ?Sized> Case<'_, R> {
    /// Refuses again whom and what these rulings refused, as far as they were ruled after what
    /// these records know. What was removed is recovered as deactivated, what was taken away as
    /// lost: somebody has to look at it, and can undo it.
    pub(super) fn take_over(&self, rulings: &[Ruling]) -> Judgement<Vec<Change>, R> {
        let (mut changes, mut taken) = (Vec::new(), BTreeSet::new());
        for ruling in rulings {
            if self.is_forgotten(ruling)? && taken.insert(ruling.subject) {
                changes.extend(self.taken_over(ruling)?);
            }
        }
        Ok(changes)
    }

    /// Whether these records are from before it. What an epoch ruled that they never had, another
    /// restore of this store ruled, which they do not know of. A door shows it until it hears of
    /// something later, which it does when it comes to know them again: whoever was admitted again
    /// since stays so.
    fn is_forgotten(&self, ruling: &Ruling) -> Judgement<bool, R> {
        let known = self.read(|records| records.known_of(ruling.epoch))?;
        if !ruling.ruled.refuses() || known.is_some_and(|last| ruling.revision <= last) {
            return Ok(false);
        }
        let readmitted = self.read(|records| records.readmitted(&ruling.subject))?;
        Ok(readmitted.is_none())
    }

    fn taken_over(&self, ruling: &Ruling) -> Judgement<Vec<Change>, R> {
        match ruling.ruled {
            Ruled::Deactivated | Ruled::Removed => {
                let user = UserId::from_bytes(ruling.subject);
                match self.read(|records| records.user(user))? {
                    Some(UserRecord::Present(person)) if person.standing == Standing::Active => {
                        let why = DeactivationReason::ShownByADoor;
                        self.deactivate(user, why, note(ruling), None)
                    }
                    // Refused already, or nobody whom these records could admit.
                    _ => Ok(Vec::new()),
                }
            }
            Ruled::Lost | Ruled::Withdrawn => {
                let id = CredentialId::from_bytes(ruling.subject);
                let found = self.read(|records| records.credential(id))?;
                Ok(found
                    .filter(|credential| credential.state == CredentialState::Usable)
                    .map(|credential| Change::CredentialLost {
                        credential: id,
                        user: credential.user,
                        since: self.now,
                    })
                    .into_iter()
                    .collect())
            }
            Ruled::Admitted | Ruled::Usable => Ok(Vec::new()),
        }
    }
}

fn note(ruling: &Ruling) -> Option<Note> {
    let what = match ruling.ruled {
        Ruled::Removed => "Removed",
        _ => "Deactivated",
    };
    let change = ruling.revision.number();
    Note::parse(&format!(
        "{what} as of change {change} of the history that was lost"
    ))
    .ok()
}
