//! What is left of a removed person: when it is erased, and who may keep it from that.

use super::{Case, Judgement, PIN_RETIREMENT};
use crate::change::{Change, RetiredPin};
use crate::credential::{CredentialState, Means};
use crate::id::{OperatorId, UserId};
use crate::keeping::Keeping;
use crate::log::Person;
use crate::parameters::{Revision, Timestamp};
use crate::records::Records;
use crate::refusal::{Refusal, Thing};
use crate::text::Note;
use crate::user::{Erasure, Tombstone, UserRecord};

impl<R: Records + ?Sized> Case<'_, R> {
    /// Takes a person off every list, to be erased on this day.
    pub(super) fn removal(
        &self,
        id: UserId,
        due: Timestamp,
        unconfirmed: Option<Note>,
    ) -> Judgement<Change, R> {
        let mut retired = Vec::new();
        let mut burned = Vec::new();
        for credential in self.read(|records| records.credentials_of(id))? {
            match (credential.means, credential.state) {
                (Means::Pin { digest, .. }, _) => {
                    retired.push(RetiredPin {
                        digest,
                        until: self.now.plus(PIN_RETIREMENT),
                    });
                }
                (Means::NfcCard { token, .. }, CredentialState::Lost { .. }) => burned.push(token),
                (Means::NfcCard { .. }, CredentialState::Usable)
                | (Means::LicencePlate { .. }, _) => {}
            }
        }
        Ok(Change::UserRemoved {
            tombstone: Tombstone {
                id,
                removed_at: self.now,
                removed_by: self.actor,
                revision: Revision::ZERO,
                erasure: Erasure::Due { at: due },
            },
            retired,
            burned,
            unconfirmed,
        })
    }

    /// Erases a person and every operator they are.
    pub(super) fn erasure(&self, id: UserId) -> Judgement<Vec<Change>, R> {
        let operators = self.read(|records| records.operators())?;
        let theirs = operators
            .into_iter()
            .filter(|operator| operator.user == Some(id));
        let mut changes: Vec<_> = theirs
            .map(|operator| Change::OperatorErased(operator.id))
            .collect();
        changes.push(Change::UserErased {
            user: id,
            at: self.now,
        });
        Ok(changes)
    }

    fn removed(&self, id: UserId) -> Judgement<Tombstone, R> {
        match self.find(Thing::User, |records| records.user(id))? {
            UserRecord::Removed(tombstone) => Ok(tombstone),
            UserRecord::Present(_) => Err(Refusal::RemoveFirst.into()),
        }
    }

    pub(super) fn erase_now(&self, id: UserId) -> Judgement<Vec<Change>, R> {
        match self.removed(id)?.erasure {
            Erasure::Due { .. } => self.erasure(id),
            Erasure::Held { .. } => Err(Refusal::ErasureHeld.into()),
            Erasure::Done { .. } => Ok(Vec::new()),
        }
    }

    /// What the schedule asks when the day came. By now it may be held.
    pub(super) fn erase_due(&self, id: UserId) -> Judgement<Vec<Change>, R> {
        match self.removed(id)?.erasure {
            Erasure::Due { at } if at <= self.now => self.erasure(id),
            Erasure::Due { .. } | Erasure::Held { .. } | Erasure::Done { .. } => Ok(Vec::new()),
        }
    }

    pub(super) fn hold_erasure(&self, id: UserId, reason: &Note) -> Judgement<Vec<Change>, R> {
        match self.removed(id)?.erasure {
            Erasure::Due { .. } => Ok(vec![Change::ErasureHeld {
                user: id,
                by: self.actor,
                since: self.now,
                reason: reason.clone(),
            }]),
            Erasure::Held { .. } => Ok(Vec::new()),
            Erasure::Done { .. } => Err(Refusal::AlreadyErased.into()),
        }
    }

    pub(super) fn release_erasure(&self, id: UserId) -> Judgement<Vec<Change>, R> {
        match self.removed(id)?.erasure {
            Erasure::Held { .. } => Ok(vec![Change::ErasureReleased { user: id }]),
            Erasure::Due { .. } => Err(Refusal::ErasureNotHeld.into()),
            Erasure::Done { .. } => Err(Refusal::AlreadyErased.into()),
        }
    }

    /// Records that are older than an erasure are brought up to it, whatever they say: no hold and
    /// no role stands against what was done already.
    pub(super) fn repeat_erasure(&self, person: Person) -> Judgement<Vec<Change>, R> {
        match person {
            Person::Operator(id) => self.repeat_erasure_of_operator(id),
            Person::User(id) => match self.read(|records| records.user(id))? {
                None => Ok(Vec::new()),
                Some(UserRecord::Removed(Tombstone {
                    erasure: Erasure::Done { .. },
                    ..
                })) => Ok(Vec::new()),
                Some(UserRecord::Removed(_)) => self.erasure(id),
                Some(UserRecord::Present(_)) => {
                    let mut changes = self.no_checkpoints_to(id)?;
                    changes.push(self.removal(id, self.now, None)?);
                    changes.extend(self.erasure(id)?);
                    Ok(changes)
                }
            },
        }
    }

    fn repeat_erasure_of_operator(&self, id: OperatorId) -> Judgement<Vec<Change>, R> {
        let found = self.read(|records| records.operator(id))?;
        Ok(found
            .map(|operator| Change::OperatorErased(operator.id))
            .into_iter()
            .collect())
    }

    pub(super) fn change_keeping(&self, after: Keeping) -> Judgement<Vec<Change>, R> {
        let before = self.read(|records| records.keeping())?;
        Ok(if before == after {
            Vec::new()
        } else {
            vec![Change::KeepingChanged { before, after }]
        })
    }
}
