//! What a store ruled about somebody or about a credential, as every door that knew them keeps it:
//! beside its table, with the store's seal.
//!
//! *Deny wins*: a door that was told of a refusal refuses until it is told of an admission that
//! was ruled later. A table that merely lacks the refusal, as one from a restored backup does,
//! lifts nothing. And because each ruling carries the store's seal, a door can show a restored
//! store what it has forgotten, and nobody else can make that up.
//!
//! A ruling names random ids, never a hash of what somebody presents: a card that is given to
//! somebody else is another credential.

use crate::change::Change;
use crate::id::{StoreId, UserId};
use crate::parameters::{Epoch, Revision};

/// What was ruled, and about which kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Ruled {
    /// The person is active again.
    Admitted = 0,
    /// The person is deactivated.
    Deactivated = 1,
    /// The person is removed.
    Removed = 2,
    /// The credential was found again.
    Usable = 3,
    /// The credential is lost.
    Lost = 4,
    /// The credential was taken away.
    Withdrawn = 5,
}

impl Ruled {
    const ALL: [Self; 6] = [
        Self::Admitted,
        Self::Deactivated,
        Self::Removed,
        Self::Usable,
        Self::Lost,
        Self::Withdrawn,
    ];

    /// The ruling with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether it refuses.
    #[must_use]
    pub const fn refuses(self) -> bool {
        match self {
            Self::Deactivated | Self::Removed | Self::Lost | Self::Withdrawn => true,
            Self::Admitted | Self::Usable => false,
        }
    }
}

/// A ruling: about whom or what, and when in which history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The random id of the person or the credential.
    pub subject: [u8; 16],
    /// What was ruled.
    pub ruled: Ruled,
    /// In which epoch of the store.
    pub epoch: Epoch,
    /// By which change of it.
    pub revision: Revision,
}

/// The store's seal of a ruling: a hash under a key that this store's servers have and nobody else.
#[derive(Clone, Copy, Debug, Eq)]
pub struct Seal(pub [u8; 32]);

/// How long it takes does not tell how much of it was right.
impl PartialEq for Seal {
    fn eq(&self, other: &Self) -> bool {
        blake3::Hash::from(self.0) == blake3::Hash::from(other.0)
    }
}

impl Seal {
    /// The seal of a ruling's statement under the store's key: BLAKE3, keyed.
    #[must_use]
    pub fn of(statement: &[u8], key: &[u8; 32]) -> Self {
        Self(*blake3::keyed_hash(key, statement).as_bytes())
    }
}

impl Ruling {
    /// Whether this one was ruled after another. Of two from stores that both say they are in the
    /// same epoch, neither was.
    #[must_use]
    pub fn is_later_than(&self, other: &Self) -> bool {
        let place = |ruling: &Self| (ruling.epoch.counter, ruling.revision);
        place(self) > place(other)
    }

    /// Whether this one takes the place of another about the same subject: it is that one, or it was
    /// ruled later.
    #[must_use]
    pub fn stands_for(&self, other: &Self) -> bool {
        self == other || self.is_later_than(other)
    }

    /// What is sealed, of this store's.
    #[must_use]
    pub fn statement(&self, store: StoreId) -> Vec<u8> {
        [
            b"offgate ruling 1".as_slice(),
            store.as_bytes(),
            &self.epoch.counter.to_be_bytes(),
            &self.epoch.nonce,
            &self.revision.number().to_be_bytes(),
            &[self.ruled as u8],
            &self.subject,
        ]
        .concat()
    }
}

/// Whom a change is about, and what it rules for the doors that know them: the id of the person or
/// the credential it rules about, and what.
#[must_use]
pub const fn ruled_by(change: &Change) -> Option<(UserId, [u8; 16], Ruled)> {
    match change {
        Change::UserDeactivated { user, .. } => Some((*user, *user.as_bytes(), Ruled::Deactivated)),
        Change::UserReactivated { user, .. } => Some((*user, *user.as_bytes(), Ruled::Admitted)),
        Change::UserRemoved { tombstone, .. } => {
            Some((tombstone.id, *tombstone.id.as_bytes(), Ruled::Removed))
        }
        Change::CredentialLost {
            credential, user, ..
        } => Some((*user, *credential.as_bytes(), Ruled::Lost)),
        Change::CredentialFound { credential, user } => {
            Some((*user, *credential.as_bytes(), Ruled::Usable))
        }
        Change::CredentialRemoved { credential, .. } => {
            Some((credential.user, *credential.id.as_bytes(), Ruled::Withdrawn))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ruling(counter: u64, nonce: u8, revision: u64) -> Ruling {
        Ruling {
            subject: [1; 16],
            ruled: Ruled::Deactivated,
            epoch: Epoch {
                counter,
                nonce: [nonce; 16],
            },
            revision: Revision::new(revision),
        }
    }

    #[test]
    fn later_is_a_higher_epoch_or_a_higher_revision_in_it() {
        for (one, other, later) in [
            (ruling(1, 1, 5), ruling(1, 1, 4), true),
            (ruling(1, 1, 4), ruling(1, 1, 5), false),
            (ruling(1, 1, 4), ruling(1, 1, 4), false),
            (ruling(2, 2, 1), ruling(1, 1, 900), true),
            (ruling(1, 1, 900), ruling(2, 2, 1), false),
            (ruling(1, 1, 4), ruling(1, 2, 4), false),
            (ruling(1, 2, 4), ruling(1, 1, 4), false),
        ] {
            assert_eq!(one.is_later_than(&other), later, "{one:?} {other:?}");
            assert_eq!(one.stands_for(&other), later || one == other, "{one:?}");
        }
    }

    #[test]
    fn every_part_of_a_ruling_is_in_what_is_sealed() {
        let store = StoreId::from_bytes([7; 16]);
        let plain = ruling(1, 1, 5);
        let others = [
            ruling(2, 1, 5),
            ruling(1, 2, 5),
            ruling(1, 1, 6),
            Ruling {
                subject: [2; 16],
                ..plain
            },
            Ruling {
                ruled: Ruled::Admitted,
                ..plain
            },
        ];
        for other in others {
            assert_ne!(plain.statement(store), other.statement(store));
        }
        let elsewhere = StoreId::from_bytes([8; 16]);
        assert_ne!(plain.statement(store), plain.statement(elsewhere));
    }

    #[test]
    fn a_seal_is_equal_in_every_byte() {
        let seal = Seal::of(b"a statement", &[3; 32]);
        assert_eq!(seal, Seal::of(b"a statement", &[3; 32]));
        for byte in 0..32 {
            let mut other = seal;
            other.0[byte] ^= 1;
            assert_ne!(seal, other, "byte {byte}");
        }
    }

    #[test]
    fn numbers_are_what_they_were() {
        for (number, ruled) in (0..).zip(Ruled::ALL) {
            assert_eq!(ruled as u8, number);
            assert_eq!(Ruled::from_number(number), Some(ruled));
        }
        assert_eq!(Ruled::from_number(6), None);
    }
}
