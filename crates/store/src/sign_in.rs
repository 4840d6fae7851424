//! Who is signed in, and links that sign somebody in once. Neither is part of the log: nothing a
//! door must know, nothing an auditor asks for.

use offgate_core::id::OperatorId;
use offgate_core::parameters::Timestamp;

/// SHA-256 of a secret that was given out. The secret itself is never kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SecretHash(…)")
    }
}

/// Somebody's sign-in on one browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// What its cookie is recognised by.
    pub token: SecretHash,
    /// Who.
    pub operator: OperatorId,
    /// Since when.
    pub started_at: Timestamp,
    /// When they last proved who they are.
    pub authenticated_at: Timestamp,
    /// It is no good from then on.
    pub expires_at: Timestamp,
}

/// What a one-time link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Makes the first owner.
    SetUp,
    /// Sets an operator's password.
    Reset(OperatorId),
    /// Signs an operator in (demo).
    SignIn(OperatorId),
}

/// A link that works once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneTimeLink {
    /// What its secret is recognised by.
    pub secret: SecretHash,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// It is no good from then on.
    pub expires_at: Timestamp,
}

/// A change to sessions and links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInChange {
    /// Somebody signed in.
    Started(Session),
    /// A session was used and lasts longer.
    Extended(SecretHash, Timestamp),
    /// They proved who they are once more.
    Authenticated(SecretHash, Timestamp),
    /// They signed out.
    Ended(SecretHash),
    /// A link was given out.
    LinkCreated(OneTimeLink),
}
