//! Operators: people who sign in to the console, and what their role lets them do.

use crate::id::{OperatorId, UserId};
use crate::parameters::{Revision, Timestamp};
use crate::text::{Email, Title};

/// What an operator may do. Ordered: a later role may do all an earlier one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, deactivates, reports cards lost; cannot give anything back.
    Guard,
    /// Manages people, doors and policies.
    Administrator,
    /// Everything, operators and overrides included.
    Owner,
}

impl Role {
    /// All roles, the weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Guard, Self::Administrator, Self::Owner];

    /// The stable name, also used on pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Guard => "guard",
            Self::Administrator => "administrator",
            Self::Owner => "owner",
        }
    }

    /// The role with this stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A password's Argon2id hash in PHC string form.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a PHC string made by whoever saw the password.
    #[must_use]
    pub fn from_phc(text: String) -> Self {
        Self(text)
    }

    /// The PHC string, to verify against.
    #[must_use]
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

/// Whether an operator's sign-in still works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorState {
    /// It works (unless the linked user is deactivated).
    Open,
    /// Ended for good.
    Ended {
        /// When.
        at: Timestamp,
    },
}

/// Someone who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Which.
    pub id: OperatorId,
    /// The last change to it.
    pub revision: Revision,
    /// What pages call them.
    pub name: Title,
    /// What they sign in with; unique, folded.
    pub email: Email,
    /// What they may do.
    pub role: Role,
    /// The person they are, if that person also opens doors. They sign in only while it is Active.
    pub user: Option<UserId>,
    /// How they prove who they are; none until they have used their set-up link.
    pub password: Option<PasswordHash>,
    /// Open or ended.
    pub state: OperatorState,
}
