//! What the rules may ask of whoever keeps the records.
//!
//! An engine answers from inside the transaction in which the answer will be acted on. "There is
//! none" and "it could not be read" are different answers: the first is a value, the second an
//! error, and no rule can mistake one for the other.

use std::collections::BTreeSet;

use crate::actor::Actor;
use crate::agent::{Agent, JoinSecretHash, JoinToken};
use crate::alert::AlertKind;
use crate::credential::{CardToken, Credential, Plate};
use crate::fail_mode::EmergencyList;
use crate::id::{
    AgentId, CredentialId, DoorGroupId, DoorId, EmergencyListId, GroupId, HolidayGroupId,
    JoinTokenId, OperatorId, PolicyId, ScheduleId, SiteId, UserId,
};
use crate::keeping::Keeping;
use crate::longer_limit::LongerLimit;
use crate::mail::{CheckpointMail, MailServer};
use crate::operator::Operator;
use crate::parameters::{Epoch, Revision, Timestamp};
use crate::pin::PinDigest;
use crate::place::{Door, DoorGroup, Site};
use crate::policy::{Group, HolidayGroup, Policy, Schedule};
use crate::server_address::ServerAddresses;
use crate::text::Email;
use crate::user::UserRecord;
use crate::webhook::Webhook;

/// Who has a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinUse {
    /// Nobody; it may be given out.
    Free,
    /// Somebody holds it, or held it less than twelve months ago.
    Taken,
}

/// Who has a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardUse {
    /// Nobody.
    Free,
    /// This person.
    Held(UserId),
    /// It was lost by somebody who has gone; nobody may have it again.
    Burned,
}

/// Read access to the records, as of now. Lists are of the organisation's furniture (sites, doors,
/// groups, policies, …), which is small; people are only ever asked for one by one.
pub trait Records {
    /// What reading may fail with.
    type Error;

    /// Who has this id.
    ///
    /// # Errors
    /// Here and below: the records could not be read.
    fn user(&self, id: UserId) -> Result<Option<UserRecord>, Self::Error>;
    /// The credential with this id.
    fn credential(&self, id: CredentialId) -> Result<Option<Credential>, Self::Error>;
    /// A person's credentials in the order of their ids.
    fn credentials_of(&self, user: UserId) -> Result<Vec<Credential>, Self::Error>;
    /// Who has this PIN, at this time.
    fn pin_use(&self, pin: &PinDigest, now: Timestamp) -> Result<PinUse, Self::Error>;
    /// Who has this card.
    fn card_use(&self, token: &CardToken) -> Result<CardUse, Self::Error>;
    /// The credentials with this plate, in the order of their ids.
    fn plate_holders(&self, plate: &Plate) -> Result<Vec<Credential>, Self::Error>;
    /// How many PINs were refused to this actor since then.
    fn pin_refusals(&self, actor: Actor, since: Timestamp) -> Result<u64, Self::Error>;
    /// The doors that have not yet confirmed this person's deactivation, in the order of their ids.
    fn doors_not_confirmed(&self, user: UserId, now: Timestamp)
    -> Result<Vec<DoorId>, Self::Error>;

    /// The group with this id.
    fn group(&self, id: GroupId) -> Result<Option<Group>, Self::Error>;
    /// All groups.
    fn groups(&self) -> Result<Vec<Group>, Self::Error>;
    /// How many people (deactivated ones too) are directly in this group.
    fn members(&self, group: GroupId) -> Result<u64, Self::Error>;
    /// The site with this id.
    fn site(&self, id: SiteId) -> Result<Option<Site>, Self::Error>;
    /// All sites.
    fn sites(&self) -> Result<Vec<Site>, Self::Error>;
    /// The door with this id.
    fn door(&self, id: DoorId) -> Result<Option<Door>, Self::Error>;
    /// All doors.
    fn doors(&self) -> Result<Vec<Door>, Self::Error>;
    /// The longer limit that is in force at this door, if one is.
    fn longer_limit(&self, door: DoorId) -> Result<Option<LongerLimit>, Self::Error>;
    /// The door group with this id.
    fn door_group(&self, id: DoorGroupId) -> Result<Option<DoorGroup>, Self::Error>;
    /// All door groups.
    fn door_groups(&self) -> Result<Vec<DoorGroup>, Self::Error>;
    /// The policy with this id.
    fn policy(&self, id: PolicyId) -> Result<Option<Policy>, Self::Error>;
    /// All policies.
    fn policies(&self) -> Result<Vec<Policy>, Self::Error>;
    /// How many people (deactivated ones too) have this policy directly.
    fn policy_holders(&self, policy: PolicyId) -> Result<u64, Self::Error>;
    /// The schedule with this id.
    fn schedule(&self, id: ScheduleId) -> Result<Option<Schedule>, Self::Error>;
    /// All schedules.
    fn schedules(&self) -> Result<Vec<Schedule>, Self::Error>;
    /// The holiday group with this id.
    fn holiday_group(&self, id: HolidayGroupId) -> Result<Option<HolidayGroup>, Self::Error>;
    /// All holiday groups.
    fn holiday_groups(&self) -> Result<Vec<HolidayGroup>, Self::Error>;
    /// The emergency list with this id.
    fn emergency_list(&self, id: EmergencyListId) -> Result<Option<EmergencyList>, Self::Error>;
    /// All emergency lists.
    fn emergency_lists(&self) -> Result<Vec<EmergencyList>, Self::Error>;
    /// The agent with this id, revoked ones too.
    fn agent(&self, id: AgentId) -> Result<Option<Agent>, Self::Error>;
    /// How many PINs that are still in use the device of this agent may know: those of everybody
    /// in its table, and of everybody taken out of it of whom it has not acknowledged that. PINs
    /// that are newer than its revocation never came to it.
    fn pins_known_to(&self, agent: AgentId) -> Result<u64, Self::Error>;
    /// All agents, revoked ones too.
    fn agents(&self) -> Result<Vec<Agent>, Self::Error>;
    /// The join token with this id.
    fn join_token(&self, id: JoinTokenId) -> Result<Option<JoinToken>, Self::Error>;
    /// The join token with this secret.
    fn join_token_with(&self, secret: &JoinSecretHash) -> Result<Option<JoinToken>, Self::Error>;
    /// The operator with this id, ended ones too.
    fn operator(&self, id: OperatorId) -> Result<Option<Operator>, Self::Error>;
    /// All operators, ended ones too.
    fn operators(&self) -> Result<Vec<Operator>, Self::Error>;
    /// The operator who signs in with this address, not minding case.
    fn operator_by_email(&self, email: &Email) -> Result<Option<Operator>, Self::Error>;
    /// How long things are kept.
    fn keeping(&self) -> Result<Keeping, Self::Error>;
    /// The last change of an epoch that these records know of: all of the one they are in, those up
    /// to the backup of one they were restored from, and none of any other.
    fn known_of(&self, epoch: Epoch) -> Result<Option<Revision>, Self::Error>;
    /// The change that admitted this person, or made this credential usable, again, if it was made
    /// since the last restore and nothing has refused them since. Any such change is later than all
    /// that earlier epochs ruled.
    fn readmitted(&self, subject: &[u8; 16]) -> Result<Option<Revision>, Self::Error>;
    /// Which addresses of the server agents are told.
    fn server_addresses(&self) -> Result<ServerAddresses, Self::Error>;
    /// By which server mail leaves; none if it does not.
    fn mail_server(&self) -> Result<Option<MailServer>, Self::Error>;
    /// Who is sent checkpoints of the log, if anybody is.
    fn checkpoint_mail(&self) -> Result<Option<CheckpointMail>, Self::Error>;
    /// The address at which another program listens for alerts, if there is one.
    fn webhook(&self) -> Result<Option<Webhook>, Self::Error>;
    /// Which alerts an operator chose to be sent; none before they chose.
    fn alerts_chosen(
        &self,
        operator: OperatorId,
    ) -> Result<Option<BTreeSet<AlertKind>>, Self::Error>;
    /// The first year that calendars at the doors cover.
    fn calendars_from(&self) -> Result<i16, Self::Error>;
}
