//! What an accepted command does: facts, each with a position in the log.
//!
//! The same values become rows, log entries and door updates, so each carries all that any of the
//! three needs. Entities inside carry the revision of their last change, which the store stamps
//! with the change's own position as it applies it.

use std::collections::BTreeSet;

use crate::actor::Actor;
use crate::agent::{Agent, JoinToken};
use crate::alert::AlertKind;
use crate::backup::Restored;
use crate::credential::{CardToken, Credential};
use crate::fail_mode::EmergencyList;
use crate::id::{AgentId, CredentialId, GroupId, JoinTokenId, OperatorId, PolicyId, UserId};
use crate::keeping::Keeping;
use crate::longer_limit::LongerLimit;
use crate::mail::{CheckpointMail, MailServer, NewPassword};
use crate::operator::{Operator, PasswordHash};
use crate::parameters::Timestamp;
use crate::pin::PinDigest;
use crate::place::{Door, DoorGroup, Site};
use crate::policy::{Group, HolidayGroup, Policy, Schedule};
use crate::server_address::ServerAddresses;
use crate::server_key::KeyReplaced;
use crate::text::Note;
use crate::user::{AccessPeriod, Deactivation, Profile, Tombstone, User};
use crate::webhook::Webhook;

/// A PIN that nobody may have until it is forgotten: a leaver still knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetiredPin {
    /// The PIN.
    pub digest: PinDigest,
    /// From when on it is free again.
    pub until: Timestamp,
}

/// One thing of a kind came, became another, or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit<T> {
    /// It is new.
    Created(T),
    /// It was the first and is the second.
    Changed(Box<T>, Box<T>),
    /// It is gone.
    Deleted(T),
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A person was added, without credentials: those are changes of their own.
    UserCreated(User),
    /// Name or contacts changed.
    ProfileChanged {
        /// Whose.
        user: UserId,
        /// What it was.
        before: Profile,
        /// What it is.
        after: Profile,
    },
    /// The access period changed.
    AccessPeriodChanged {
        /// Whose.
        user: UserId,
        /// What it was.
        before: AccessPeriod,
        /// What it is.
        after: AccessPeriod,
    },
    /// Direct memberships changed.
    UserGroupsChanged {
        /// Whose.
        user: UserId,
        /// What they were.
        before: BTreeSet<GroupId>,
        /// What they are.
        after: BTreeSet<GroupId>,
    },
    /// Direct policies changed.
    UserPoliciesChanged {
        /// Whose.
        user: UserId,
        /// What they were.
        before: BTreeSet<PolicyId>,
        /// What they are.
        after: BTreeSet<PolicyId>,
    },
    /// A person is refused everywhere from this revision on. The store stamps
    /// `deactivation.revision` with it.
    UserDeactivated {
        /// Who.
        user: UserId,
        /// Who, when, why.
        deactivation: Deactivation,
    },
    /// A person has back what they had.
    UserReactivated {
        /// Who.
        user: UserId,
        /// The deactivation that ended.
        ended: Deactivation,
        /// An end of access that had passed and is not given back.
        expired_end: Option<Timestamp>,
    },
    /// A person is gone from every list, and their credentials and memberships with them. Their
    /// profile and the log's details about them stay, sealed, until they are erased.
    UserRemoved {
        /// What stays.
        tombstone: Tombstone,
        /// PINs nobody may have for a while.
        retired: Vec<RetiredPin>,
        /// Lost cards that nobody may ever have: their finder would get in.
        burned: Vec<CardToken>,
        /// The reason, when an owner did not wait for every door.
        unconfirmed: Option<Note>,
    },
    /// What was left of a removed person is erased.
    UserErased {
        /// Who.
        user: UserId,
        /// When.
        at: Timestamp,
    },
    /// An operator who was a person that is erased: name, address and password are gone.
    OperatorErased(OperatorId),
    /// What is left of a removed person is kept for now.
    ErasureHeld {
        /// Who.
        user: UserId,
        /// By whom.
        by: Actor,
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: Note,
    },
    /// It is no longer kept; it is erased when its day comes, or came.
    ErasureReleased {
        /// Who.
        user: UserId,
    },
    /// How long things are kept is other than before.
    KeepingChanged {
        /// What it was.
        before: Keeping,
        /// What it is.
        after: Keeping,
    },
    /// All that is on record about a person was written into a file.
    UserExported(UserId),
    /// A person has one more credential.
    CredentialAdded(Credential),
    /// A credential was taken away.
    CredentialRemoved {
        /// It.
        credential: Credential,
        /// Its PIN, if it was one.
        retired: Option<RetiredPin>,
        /// Its token, if it was a lost card.
        burned: Option<CardToken>,
    },
    /// A credential is refused everywhere from this revision on.
    CredentialLost {
        /// Which.
        credential: CredentialId,
        /// Whose.
        user: UserId,
        /// Since when.
        since: Timestamp,
    },
    /// A lost credential is back.
    CredentialFound {
        /// Which.
        credential: CredentialId,
        /// Whose.
        user: UserId,
    },
    /// Somebody asked for a PIN that is not to be had. Kept, so that guessing is seen and limited.
    PinRefused {
        /// For whom it was meant.
        user: UserId,
    },
    /// The sessions of an operator ended with their user's access.
    SessionsEnded(OperatorId),
    /// A group of users.
    Group(Edit<Group>),
    /// A site.
    Site(Edit<Site>),
    /// A door.
    Door(Edit<Door>),
    /// A group of doors.
    DoorGroup(Edit<DoorGroup>),
    /// A policy.
    Policy(Edit<Policy>),
    /// A schedule.
    Schedule(Edit<Schedule>),
    /// A holiday group.
    HolidayGroup(Edit<HolidayGroup>),
    /// An emergency list.
    EmergencyList(Edit<EmergencyList>),
    /// An invitation was made.
    JoinTokenCreated(JoinToken),
    /// An invitation was taken back.
    JoinTokenWithdrawn(JoinTokenId),
    /// An agent joined. Its doors follow as changes of their own.
    AgentEnrolled {
        /// It.
        agent: Agent,
        /// With which token.
        token: JoinTokenId,
    },
    /// An agent's key is refused from now on.
    AgentRevoked {
        /// It, as it was.
        agent: Agent,
        /// When.
        at: Timestamp,
    },
    /// An agent's device is in other hands. The PINs it knew, as [`Records::pins_known_to`] counts
    /// them, are on the list of those to renew; that its key is refused is a change of its own.
    ///
    /// [`Records::pins_known_to`]: crate::records::Records::pins_known_to
    AgentStolen {
        /// Which.
        agent: AgentId,
        /// How many PINs it knew.
        pins: u64,
        /// When it was reported.
        at: Timestamp,
    },
    /// An operator came, changed (role, linked person, end), but not by a password.
    Operator(Edit<Operator>),
    /// An operator has a new password; their sessions end.
    PasswordSet(OperatorId, PasswordHash),
    /// A key of the server was replaced. The keys themselves are not in the store.
    ServerKeyReplaced(KeyReplaced),
    /// Agents are told other addresses of the server than before.
    AddressesAnnounced {
        /// What they were told.
        before: ServerAddresses,
        /// What they are told.
        after: ServerAddresses,
    },
    /// The store was restored from a backup, and every door has to confirm anew.
    Restored(Restored),
    /// Mail leaves by another server, by none any more, or with another password.
    MailServerChanged {
        /// By which it left.
        before: Option<Box<MailServer>>,
        /// By which it leaves.
        after: Option<Box<MailServer>>,
        /// Whether there is another password.
        password: NewPassword,
    },
    /// Checkpoints are mailed to somebody else, or otherwise, or to nobody.
    CheckpointMailChanged {
        /// What it was.
        before: Option<CheckpointMail>,
        /// What it is.
        after: Option<CheckpointMail>,
    },
    /// A letter was sent to see whether it goes.
    MailTested,
    /// Another program listens for alerts elsewhere, for others, or not any more.
    WebhookChanged {
        /// What it was.
        before: Option<Box<Webhook>>,
        /// What it is.
        after: Option<Box<Webhook>>,
    },
    /// What is sent to the webhook is signed with another secret, which is kept outside the store.
    WebhookSecretReplaced,
    /// Something was sent to the webhook to see whether it arrives.
    WebhookTested,
    /// A door works on its own for longer, until a moment.
    LimitLengthened {
        /// What was in force of the kind.
        before: Option<LongerLimit>,
        /// What is.
        after: LongerLimit,
    },
    /// It works on its own for as long as otherwise.
    LongerLimitEnded(LongerLimit),
    /// Which alerts an operator is sent.
    AlertsChosen {
        /// Who.
        operator: OperatorId,
        /// What they had chosen; none if nothing yet.
        before: Option<BTreeSet<AlertKind>>,
        /// What they chose.
        after: BTreeSet<AlertKind>,
    },
    /// Calendars at the doors reach five years ahead from this year on.
    CalendarsExtended {
        /// The year.
        from_year: i16,
    },
}
