//! Credentials: given, taken away, lost, found. And the PINs that are not to be had.

use super::{
    CREDENTIALS_PER_USER, Case, Judgement, PIN_RETIREMENT, PIN_TRIES, PIN_TRIES_WINDOW, Stop,
    at_most,
};
use crate::change::{Change, RetiredPin};
use crate::credential::{
    Credential, CredentialKind, CredentialState, Means, NewCredential, NewMeans, PlateSharing,
};
use crate::id::{CredentialId, UserId};
use crate::pin::PinCandidate;
use crate::records::{CardUse, PinUse, Records};
use crate::refusal::{Refusal, Thing};

impl<R: Records + ?Sized> Case<'_, R> {
    pub(super) fn add_credential(
        &self,
        user: UserId,
        new: &NewCredential,
    ) -> Judgement<Vec<Change>, R> {
        self.present(user)?;
        self.not_above(user)?;
        let held = self.read(|records| records.credentials_of(user))?;
        at_most(held.len() + 1, CREDENTIALS_PER_USER, "credentials")?;
        Ok(vec![Change::CredentialAdded(
            self.new_credential(user, new, &held)?,
        )])
    }

    pub(super) fn remove_credential(&self, id: CredentialId) -> Judgement<Vec<Change>, R> {
        let credential = self.find(Thing::Credential, |records| records.credential(id))?;
        self.not_above(credential.user)?;
        let retired = match credential.means {
            Means::Pin { digest, .. } => Some(RetiredPin {
                digest,
                until: self.now.plus(PIN_RETIREMENT),
            }),
            Means::NfcCard { .. } | Means::LicencePlate { .. } => None,
        };
        let burned = match (&credential.means, credential.state) {
            (Means::NfcCard { token, .. }, CredentialState::Lost { .. }) => Some(token.clone()),
            _ => None,
        };
        Ok(vec![Change::CredentialRemoved {
            credential,
            retired,
            burned,
        }])
    }

    /// As many as before are held, so no limit is asked.
    pub(super) fn renew_pin(
        &self,
        id: CredentialId,
        new: CredentialId,
        pin: &PinCandidate,
    ) -> Judgement<Vec<Change>, R> {
        let mut changes = self.remove_credential(id)?;
        let old = self.find(Thing::Credential, |records| records.credential(id))?;
        if old.means.kind() != CredentialKind::Pin {
            return Err(Refusal::NotAPin.into());
        }
        let held = self.read(|records| records.credentials_of(old.user))?;
        let new = NewCredential {
            id: new,
            label: old.label,
            means: NewMeans::Pin(*pin),
        };
        let added = self.new_credential(old.user, &new, &held)?;
        changes.push(Change::CredentialAdded(added));
        Ok(changes)
    }

    pub(super) fn report_lost(&self, id: CredentialId) -> Judgement<Vec<Change>, R> {
        let credential = self.find(Thing::Credential, |records| records.credential(id))?;
        Ok(match credential.state {
            CredentialState::Lost { .. } => Vec::new(),
            CredentialState::Usable => vec![Change::CredentialLost {
                credential: id,
                user: credential.user,
                since: self.now,
            }],
        })
    }

    pub(super) fn report_found(&self, id: CredentialId) -> Judgement<Vec<Change>, R> {
        let credential = self.find(Thing::Credential, |records| records.credential(id))?;
        self.not_above(credential.user)?;
        Ok(match credential.state {
            CredentialState::Usable => Vec::new(),
            CredentialState::Lost { .. } => {
                vec![Change::CredentialFound {
                    credential: id,
                    user: credential.user,
                }]
            }
        })
    }

    /// The credential as it will be, if `user`, who holds `held` so far, may have it.
    pub(super) fn new_credential(
        &self,
        user: UserId,
        new: &NewCredential,
        held: &[Credential],
    ) -> Judgement<Credential, R> {
        self.free(Thing::Credential, |records| records.credential(new.id))?;
        if held.iter().any(|credential| credential.id == new.id) {
            return Err(Refusal::Exists(Thing::Credential).into());
        }
        let means = match &new.means {
            NewMeans::Pin(candidate) => self.new_pin(user, candidate, held)?,
            NewMeans::NfcCard {
                token,
                display_number,
            } => {
                match self.read(|records| records.card_use(token))? {
                    CardUse::Free => {}
                    CardUse::Burned => return Err(Refusal::CardBurned.into()),
                    CardUse::Held(holder) if holder == user => {
                        return Err(Refusal::HasItAlready.into());
                    }
                    CardUse::Held(holder) => return Err(Refusal::CardInUse { holder }.into()),
                }
                Means::NfcCard {
                    token: token.clone(),
                    display_number: display_number.clone(),
                }
            }
            NewMeans::LicencePlate { plate, sharing } => {
                for other in self.read(|records| records.plate_holders(plate))? {
                    if other.user == user {
                        return Err(Refusal::HasItAlready.into());
                    }
                    let shared = |means: &Means| {
                        matches!(
                            means,
                            Means::LicencePlate {
                                sharing: PlateSharing::Shared,
                                ..
                            }
                        )
                    };
                    if *sharing == PlateSharing::Unique || !shared(&other.means) {
                        return Err(Refusal::PlateInUse { holder: other.user }.into());
                    }
                }
                Means::LicencePlate {
                    plate: plate.clone(),
                    sharing: *sharing,
                }
            }
        };
        let twice = held
            .iter()
            .any(|credential| match (&credential.means, &means) {
                (Means::NfcCard { token: one, .. }, Means::NfcCard { token: other, .. }) => {
                    one == other
                }
                (
                    Means::LicencePlate { plate: one, .. },
                    Means::LicencePlate { plate: other, .. },
                ) => one == other,
                // A PIN given twice was answered like any PIN that is taken.
                _ => false,
            });
        if twice {
            return Err(Refusal::HasItAlready.into());
        }
        Ok(Credential {
            id: new.id,
            user,
            means,
            label: new.label.clone(),
            state: CredentialState::Usable,
            added_at: self.now,
        })
    }

    /// A PIN finds its holder by itself, so "taken" would tell a guesser somebody's code: common,
    /// used and retired get one answer, and only a few of them.
    fn new_pin(
        &self,
        user: UserId,
        candidate: &PinCandidate,
        held: &[Credential],
    ) -> Judgement<Means, R> {
        let since = self.now.minus(PIN_TRIES_WINDOW);
        if self.read(|records| records.pin_refusals(self.actor, since))? >= PIN_TRIES {
            return Err(Refusal::TooManyPinTries.into());
        }
        let digest = candidate.digest();
        let own = held
            .iter()
            .any(|credential| matches!(&credential.means, Means::Pin { digest: held, .. } if *held == digest));
        let taken = self.read(|records| records.pin_use(&digest, self.now))? == PinUse::Taken;
        if candidate.is_common() || own || taken {
            return Err(Stop::RefusedAndNoted(
                Refusal::ChooseAnotherPin,
                Box::new(Change::PinRefused { user }),
            ));
        }
        Ok(Means::Pin {
            digest,
            length: candidate.length(),
        })
    }
}
