//! The outbox as it is read: what waits, and what became of what was sent.

use offgate_core::id::{LetterId, UserId};
use offgate_core::mail::{Letter, LetterKind, Problem, ServerSaid};
use offgate_core::parameters::Timestamp;
use offgate_core::text::Email;

/// How many letters may wait at once. What comes when it is full is not taken.
pub const OUTBOX_LIMIT: usize = 1_000;

/// A letter that is to be sent now.
#[derive(Clone, PartialEq, Eq)]
pub struct WaitingLetter {
    /// It.
    pub letter: Letter,
    /// Since when it waits.
    pub created: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
}

/// What waits for the webhook and is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingNotice {
    /// Which; a program that is sent it twice can tell by it.
    pub id: LetterId,
    /// What is sent: JSON.
    pub body: String,
    /// Since when it waits.
    pub created: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
}

/// Something for the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which.
    pub id: LetterId,
    /// What it is for.
    pub kind: LetterKind,
    /// The person it is about: when they go, it goes.
    pub about: Option<UserId>,
    /// JSON.
    pub body: String,
}

/// By which way something leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// By mail.
    Mail,
    /// To the webhook.
    Webhook,
}

impl Channel {
    /// The name in rows.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }
}

/// Whether the outbox took a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It did, or had it already.
    Taken,
    /// Too many wait.
    Full,
    /// What it was for is not so any more.
    Outdated,
}

/// What became of one attempt to send a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The mail server took it.
    Accepted(ServerSaid),
    /// It did not go, and is tried again from a moment on.
    Again(Problem, Timestamp),
    /// It did not go, and is not tried again.
    Failed(Problem),
}

/// How the outbox is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxState {
    /// When a server last took a letter.
    pub last_sent: Option<Timestamp>,
    /// How many letters wait.
    pub waiting: u64,
    /// Since when the first of them waits.
    pub waiting_since: Option<Timestamp>,
    /// What kept the one from going that was tried last of those that wait.
    pub problem: Option<Problem>,
    /// How many failed, of those that are still listed.
    pub failed: u64,
    /// When the last of them failed.
    pub last_failed: Option<Timestamp>,
}

/// A letter that failed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedLetter {
    /// Its place in the list, for [`crate::Reader::failed_letters`].
    pub number: i64,
    /// Which.
    pub id: LetterId,
    /// What it was for.
    pub kind: LetterKind,
    /// To whom; none if it was for the webhook.
    pub to: Option<Email>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was given up.
    pub at: Timestamp,
    /// Why.
    pub problem: Problem,
}
