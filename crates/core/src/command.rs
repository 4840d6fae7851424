//! What can be asked for. A surface parses its input into one of these; [`crate::decide()`] judges.
//!
//! Ids of things to be created are made by the surface, so that a command repeated after a lost
//! answer creates nothing twice.

use std::collections::BTreeSet;

use crate::agent::{Agent, JoinSecretHash, JoinToken};
use crate::alert::AlertKind;
use crate::backup::Restored;
use crate::credential::NewCredential;
use crate::fail_mode::EmergencyList;
use crate::id::{
    AgentId, CredentialId, DoorGroupId, DoorId, EmergencyListId, GroupId, HolidayGroupId,
    JoinTokenId, OperatorId, PolicyId, ScheduleId, UserId,
};
use crate::keeping::Keeping;
use crate::log::Person;
use crate::longer_limit::LongerLimit;
use crate::mail::{CheckpointMail, MailServer, NewPassword};
use crate::operator::{Operator, PasswordHash, Role};
use crate::parameters::{Revision, Timestamp};
use crate::pin::PinCandidate;
use crate::place::{Door, DoorGroup, Site};
use crate::policy::{Group, HolidayGroup, Policy, Schedule};
use crate::ruling::Ruling;
use crate::server_address::ServerAddresses;
use crate::server_key::KeyReplaced;
use crate::text::{Email, Note};
use crate::user::{AccessPeriod, DeactivationReason, Profile};
use crate::webhook::{Webhook, WebhookAddress};

/// The state a form was drawn from. An edit based on an older state is refused as stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The thing must not have changed since this revision.
    Unchanged(Revision),
    /// Whatever it is now (command line, schedules).
    Whatever,
}

/// Which policies a new person gets directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitialPolicies {
    /// The default policy of every site that has one.
    SiteDefaults,
    /// These.
    Chosen(BTreeSet<PolicyId>),
}

/// Whether a removal may go ahead although some door has not confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unconfirmed {
    /// Refuse and name the doors.
    Wait,
    /// An owner takes it upon themselves, with a reason that is kept.
    Override(Note),
}

/// One thing to do. Entities given whole replace what has their id; their `revision` is ignored.
#[derive(Clone, Debug)]
pub enum Command {
    /// Adds a person.
    CreateUser {
        /// Their new id.
        user: UserId,
        /// Name and contacts.
        profile: Profile,
        /// From when until when.
        access: AccessPeriod,
        /// Groups they join.
        groups: BTreeSet<GroupId>,
        /// Policies of their own.
        policies: InitialPolicies,
        /// What they will present.
        credentials: Vec<NewCredential>,
    },
    /// Changes name, contacts, access period, groups and policies of a person.
    EditUser {
        /// Who.
        user: UserId,
        /// What the form was drawn from.
        expected: Expected,
        /// Name and contacts.
        profile: Profile,
        /// From when until when.
        access: AccessPeriod,
        /// Direct memberships.
        groups: BTreeSet<GroupId>,
        /// Policies given directly.
        policies: BTreeSet<PolicyId>,
    },
    /// Refuses a person at every door. A stale form never blocks it; repeating it is harmless.
    DeactivateUser {
        /// Who.
        user: UserId,
        /// Why.
        reason: DeactivationReason,
        /// Why, in words.
        note: Option<Note>,
        /// When the employment ended; now, if not said.
        employment_ended_at: Option<Timestamp>,
    },
    /// Deactivates a person whose end of access has come. Asked by the schedule, judged afresh.
    EndAccess {
        /// Who.
        user: UserId,
    },
    /// Gives back exactly what was there.
    ReactivateUser {
        /// Who.
        user: UserId,
    },
    /// Takes a deactivated person off every list; their personal data is erased at once or after
    /// the waiting time.
    RemoveUser {
        /// Who.
        user: UserId,
        /// What if a door has not confirmed the deactivation.
        unconfirmed: Unconfirmed,
    },
    /// Erases what is left of a removed person now.
    EraseUser {
        /// Who.
        user: UserId,
    },
    /// Erases what is left of a removed person whose day has come. Asked by the schedule, judged
    /// afresh.
    EraseDue {
        /// Who.
        user: UserId,
    },
    /// Keeps what is left of a removed person from being erased.
    HoldErasure {
        /// Who.
        user: UserId,
        /// Why.
        reason: Note,
    },
    /// Ends that.
    ReleaseErasure {
        /// Who.
        user: UserId,
    },
    /// Erases somebody once more whom the vault knows as erased: the records are older than that.
    RepeatErasure(Person),
    /// Says how long things are kept.
    ChangeKeeping(Keeping),
    /// Writes all that is on record about a person into a file for them. What is judged and noted is
    /// that it may be done; the file itself is read from the records.
    ExportUser {
        /// Who.
        user: UserId,
    },
    /// Gives a person one more credential.
    AddCredential {
        /// Who.
        user: UserId,
        /// What.
        credential: NewCredential,
    },
    /// Takes a credential away for good.
    RemoveCredential {
        /// Which.
        credential: CredentialId,
    },
    /// Puts another PIN in the place of one: the old one is refused and not given out again.
    RenewPin {
        /// Which.
        credential: CredentialId,
        /// The id of the new one.
        new: CredentialId,
        /// The new one.
        pin: PinCandidate,
    },
    /// Blocks a credential at every door; the person keeps the rest.
    ReportLost {
        /// Which.
        credential: CredentialId,
    },
    /// Ends the block.
    ReportFound {
        /// Which.
        credential: CredentialId,
    },
    /// Adds a group of users.
    CreateGroup(Group),
    /// Replaces one.
    EditGroup(Group, Expected),
    /// Deletes one without members.
    DeleteGroup(GroupId),
    /// Adds a site.
    CreateSite(Site),
    /// Replaces one.
    EditSite(Site, Expected),
    /// Adds a door.
    CreateDoor(Door),
    /// Replaces one. Its agent stays as it is.
    EditDoor(Door, Expected),
    /// Deletes a door.
    DeleteDoor(DoorId),
    /// Adds a group of doors.
    CreateDoorGroup(DoorGroup),
    /// Replaces one.
    EditDoorGroup(DoorGroup, Expected),
    /// Deletes one that no policy names.
    DeleteDoorGroup(DoorGroupId),
    /// Adds a policy.
    CreatePolicy(Policy),
    /// Replaces one.
    EditPolicy(Policy, Expected),
    /// Deletes one that nobody has.
    DeletePolicy(PolicyId),
    /// Adds a schedule.
    CreateSchedule(Schedule),
    /// Replaces one.
    EditSchedule(Schedule, Expected),
    /// Deletes one that no policy uses.
    DeleteSchedule(ScheduleId),
    /// Adds a holiday group.
    CreateHolidayGroup(HolidayGroup),
    /// Replaces one.
    EditHolidayGroup(HolidayGroup, Expected),
    /// Deletes one that no schedule uses.
    DeleteHolidayGroup(HolidayGroupId),
    /// Adds an emergency list.
    CreateEmergencyList(EmergencyList),
    /// Replaces one.
    EditEmergencyList(EmergencyList, Expected),
    /// Deletes one that no door uses.
    DeleteEmergencyList(EmergencyListId),
    /// Invites an agent. `state` must be open; who may decide for its doors now keeps doing so
    /// until the new one joins. One that has joined is replaced: "agent replaced" is this.
    CreateJoinToken(JoinToken),
    /// Takes an unused invitation back.
    WithdrawJoinToken(JoinTokenId),
    /// An agent shows the secret of its token and a key of its own.
    EnrolAgent {
        /// What the secret is recognised by.
        secret: JoinSecretHash,
        /// The agent as it will be, its `name` ignored: the token names it.
        agent: Agent,
    },
    /// Refuses an agent's key from now on.
    RevokeAgent(AgentId),
    /// Ends an agent whose device is in other hands, invites the one that takes its place, and puts
    /// every PIN it knew on the list of those to renew. One that was revoked before may be reported
    /// too: its device still knows what it knew.
    ReportAgentStolen {
        /// Which.
        agent: AgentId,
        /// The invitation for the new device; none if it has no doors to take over.
        token: Option<JoinToken>,
    },
    /// Adds an operator.
    CreateOperator(Operator),
    /// Changes what an operator may do.
    ChangeRole(OperatorId, Role),
    /// Says which person an operator is, or that they are none.
    LinkOperator(OperatorId, Option<UserId>),
    /// Sets a password: one's own, by a set-up or reset link, or from the server's command line.
    SetPassword(OperatorId, PasswordHash),
    /// Ends an operator's sign-in.
    EndOperator(OperatorId),
    /// Has the log tell that a key of the server was replaced, which happens outside the store.
    NoteKeyReplaced(KeyReplaced),
    /// Tells agents these addresses of the server, from now on.
    AnnounceAddresses(ServerAddresses),
    /// Takes over refusals that an agent showed this store, whose seals have been checked, as far as
    /// the store was restored from a backup that does not know of them.
    TakeOver(Vec<Ruling>),
    /// Notes that this store was restored from a backup, in an epoch of its own. Every door has to
    /// confirm anew: what one held before, another history led to.
    NoteRestore(Restored),
    /// Has mail leave by this server from now on. The password is kept outside the store.
    SetUpMail(MailServer, NewPassword),
    /// Sends no mail any more; what waits is given up.
    StopMail,
    /// Sends checkpoints of the log to somebody every so often, or to nobody.
    ChangeCheckpointMail(Option<CheckpointMail>),
    /// Sends a letter that says nothing to somebody, to see whether it goes. What is judged and noted
    /// is that it may be sent.
    TestMail(Email),
    /// Sends alerts to this webhook from now on. Its state is ignored: it is open. The secret is kept
    /// outside the store.
    SetUpWebhook(Box<Webhook>),
    /// Sends none any more; what waits is given up.
    StopWebhook,
    /// Signs what is sent to the webhook with another secret. What is judged and noted is that it may
    /// be done.
    ReplaceWebhookSecret,
    /// Sends something that says nothing to the webhook. What is judged and noted is that it may be
    /// sent.
    TestWebhook,
    /// Sends nothing to this address any more: whoever listened there said that nobody does. Asked by
    /// the server, judged afresh.
    WebhookGone(WebhookAddress),
    /// Lets a door work on its own for longer until a moment, in place of an earlier such limit.
    LengthenLimit(LongerLimit),
    /// Ends that before its moment comes.
    EndLongerLimit(DoorId),
    /// Ends a longer limit whose moment has come. Asked by the schedule, judged afresh.
    LongerLimitOver(DoorId),
    /// Says which alerts an operator is sent.
    ChooseAlerts(OperatorId, BTreeSet<AlertKind>),
    /// Lets calendars (clock changes, holidays) at the doors reach five years ahead from this
    /// year on. Asked by the schedule every January.
    ExtendCalendars {
        /// The first year that must be covered.
        from_year: i16,
    },
}

/// How recently somebody must have typed their password for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A session is enough.
    Session,
    /// The last ten minutes.
    Recent,
}

impl Command {
    /// Whether a session that was left open may do this, or a fresh sign-in is needed.
    #[must_use]
    pub const fn freshness(&self) -> Freshness {
        match self {
            Self::RemoveUser { .. }
            | Self::ExportUser { .. }
            | Self::EraseUser { .. }
            | Self::ChangeKeeping(_)
            | Self::CreateOperator(_)
            | Self::ChangeRole(..)
            | Self::LinkOperator(..)
            | Self::SetPassword(..)
            | Self::EndOperator(_)
            | Self::SetUpMail(..)
            | Self::StopMail
            | Self::SetUpWebhook(_)
            | Self::StopWebhook
            | Self::ReplaceWebhookSecret
            | Self::ChangeCheckpointMail(_) => Freshness::Recent,
            _ => Freshness::Session,
        }
    }
}
