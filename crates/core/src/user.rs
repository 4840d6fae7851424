//! People who may open doors, and the one state machine that says whether they may.

use std::collections::BTreeSet;

use crate::actor::Actor;
use crate::id::{GroupId, PolicyId, UserId};
use crate::parameters::{Revision, Timestamp};
use crate::text::{Email, EmployeeNumber, Note, PersonName, Phone, fold};

/// Who a person is. Everything here is personal data and is erased by Remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Given name.
    pub first_name: PersonName,
    /// Family name.
    pub last_name: PersonName,
    /// What they like to be called, if that differs.
    pub preferred_name: Option<PersonName>,
    /// How to write to them.
    pub email: Option<Email>,
    /// How to call them.
    pub phone: Option<Phone>,
    /// What their employer's lists call them.
    pub employee_number: Option<EmployeeNumber>,
}

impl Profile {
    /// The name on every page: first name, then last name.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name.as_str(), self.last_name.as_str())
    }

    /// The key people are listed by: last name, then first, folded.
    #[must_use]
    pub fn sort_key(&self) -> String {
        format!(
            "{}\u{1f}{}",
            fold(self.last_name.as_str()),
            fold(self.first_name.as_str())
        )
    }

    /// Two letters to stand where a photo would.
    #[must_use]
    pub fn initials(&self) -> String {
        [&self.first_name, &self.last_name]
            .iter()
            .filter_map(|name| name.as_str().chars().next())
            .flat_map(char::to_uppercase)
            .collect()
    }

    /// Whether `typed` is this person's full name, not minding spaces, accents or case.
    #[must_use]
    pub fn is_called(&self, typed: &str) -> bool {
        let words = |text: &str| {
            fold(text)
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        words(typed) == words(&self.full_name())
    }
}

/// From when until when a person may open anything at all. Travels to the doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AccessPeriod {
    /// Refused before this instant.
    pub starts: Option<Timestamp>,
    /// Refused from this instant on.
    pub ends: Option<Timestamp>,
}

/// Why somebody was deactivated: the short list on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeactivationReason {
    /// They no longer work or study here.
    LeftTheOrganisation,
    /// Leave, sabbatical, illness: they are expected back.
    AwayForAWhile,
    /// Something happened; stop access first, ask later.
    SecurityConcern,
    /// The end of their access, set beforehand, came.
    AccessEnded,
    /// A door showed a restored store that it had been decided before.
    ShownByADoor,
    /// None of these.
    Other,
}

impl DeactivationReason {
    /// The reasons an operator may choose, in the order they are offered.
    pub const CHOICES: [Self; 4] = [
        Self::LeftTheOrganisation,
        Self::AwayForAWhile,
        Self::SecurityConcern,
        Self::Other,
    ];

    /// The stable name used in rows, forms and the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeftTheOrganisation => "left",
            Self::AwayForAWhile => "away",
            Self::SecurityConcern => "security",
            Self::AccessEnded => "access-ended",
            Self::ShownByADoor => "shown-by-a-door",
            Self::Other => "other",
        }
    }

    /// The reason with this stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::AccessEnded, Self::ShownByADoor]
            .into_iter()
            .chain(Self::CHOICES)
            .find(|reason| reason.name() == name)
    }

    /// The words on the page.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::LeftTheOrganisation => "Left the organisation",
            Self::AwayForAWhile => "Away for a while",
            Self::SecurityConcern => "Security concern",
            Self::AccessEnded => "End of access reached",
            Self::ShownByADoor => "Shown by a door after a restore",
            Self::Other => "Other",
        }
    }
}

/// What is remembered of a deactivation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deactivation {
    /// When it was decided.
    pub at: Timestamp,
    /// Who did it.
    pub by: Actor,
    /// Why, from the list.
    pub reason: DeactivationReason,
    /// Why, in words that owners alone see.
    pub note: Option<Note>,
    /// When the employment ended; auditors compare it with the doors' confirmations.
    pub employment_ended_at: Timestamp,
    /// The position of the refusal in the log: a door refuses once it has reached it.
    pub revision: Revision,
}

/// Where a person that still has a profile stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// May open doors, as far as their policies say.
    Active,
    /// Refused everywhere; everything is kept.
    Deactivated(Deactivation),
}

/// A person with a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// The last change to this person; a form drawn from an older one is stale.
    pub revision: Revision,
    /// When they were created.
    pub created_at: Timestamp,
    /// Name and contacts.
    pub profile: Profile,
    /// From when until when.
    pub access: AccessPeriod,
    /// Direct memberships.
    pub groups: BTreeSet<GroupId>,
    /// Policies given to this person directly, beside those of their groups.
    pub policies: BTreeSet<PolicyId>,
    /// Active or deactivated.
    pub standing: Standing,
}

/// What is left of a removed person, so that history adds up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Who; nothing else says.
    pub id: UserId,
    /// When they were removed.
    pub removed_at: Timestamp,
    /// By whom.
    pub removed_by: Actor,
    /// The position of the removal in the log.
    pub revision: Revision,
    /// Whether what names and contacts them is erased, and if not, when it will be.
    pub erasure: Erasure,
}

/// What becomes of what is left of a removed person: their name, contacts, and the details of the
/// log about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// It is erased when this moment comes.
    Due {
        /// When.
        at: Timestamp,
    },
    /// An owner keeps it from being erased.
    Held {
        /// Who.
        by: Actor,
        /// Since when.
        since: Timestamp,
        /// When it would have been, or will be after a release.
        due: Timestamp,
    },
    /// It is gone.
    Done {
        /// Since when.
        at: Timestamp,
    },
}

/// Everything that can be known under a user's id.
#[expect(
    clippy::large_enum_variant,
    reason = "the large variant is the common one, and records are read one at a time"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserRecord {
    /// Somebody with a profile.
    Present(User),
    /// Somebody who was removed.
    Removed(Tombstone),
}
