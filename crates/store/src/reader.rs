//! Reading what is on record: short, indexed questions, asked where their answer is needed.

use std::sync::Arc;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, JoinSecretHash, JoinToken};
use offgate_core::confirmation::DoorFacts;
use offgate_core::credential::{CardToken, Credential, Plate};
use offgate_core::id::{
    AgentId, CredentialId, DoorGroupId, DoorId, GroupId, HolidayGroupId, JoinTokenId, OperatorId,
    PolicyId, ScheduleId, SiteId, UserId,
};
use offgate_core::operator::Operator;
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::pin::PinDigest;
use offgate_core::place::{Door, DoorGroup, Site};
use offgate_core::policy::{Group, HolidayGroup, Policy, Schedule};
use offgate_core::records::{CardUse, PinUse, Records};
use offgate_core::table::entry::EntryKey;
use offgate_core::text::Email;
use offgate_core::user::UserRecord;

use crate::engine::TableHead;
use crate::error::StoreError;
use crate::sqlite::{Rows, tables};
use crate::store::Readers;

/// What an agent's table has beyond a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableChanges {
    /// The table they lead to.
    pub head: TableHead,
    /// Entries that are there, encoded.
    pub puts: Vec<(EntryKey, Vec<u8>)>,
    /// Entries that are gone.
    pub deletes: Vec<EntryKey>,
}

/// Answers questions about the records, each as of the moment it is asked.
#[derive(Clone)]
pub struct Reader {
    readers: Arc<Readers>,
}

impl Reader {
    pub(crate) const fn new(readers: Arc<Readers>) -> Self {
        Self { readers }
    }

    fn with<T>(
        &self,
        ask: impl FnOnce(&Rows<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self.readers.take()?;
        let answer = ask(&Rows(&connection));
        self.readers.give_back(connection);
        answer
    }

    /// What is known of each door that must confirm a change about a person, at its revision.
    ///
    /// # Errors
    /// Here and below: the records could not be read.
    pub fn door_facts(
        &self,
        user: UserId,
        revision: Revision,
    ) -> Result<Vec<DoorFacts>, StoreError> {
        self.with(|rows| rows.door_facts(user, revision))
    }

    /// Active people whose end of access has come, at most a hundred.
    pub fn access_ended(&self, now: Timestamp) -> Result<Vec<UserId>, StoreError> {
        self.with(|rows| rows.access_ended(now))
    }

    /// The position of the last change.
    pub fn head(&self) -> Result<Revision, StoreError> {
        self.with(|rows| tables::head(rows.0))
    }

    /// An agent's table as a whole; none before anything was written for it.
    pub fn table_head(&self, agent: AgentId) -> Result<Option<TableHead>, StoreError> {
        self.with(|rows| tables::table_head(rows.0, agent))
    }

    /// What an agent's table has beyond a revision; since none, all of it, and nothing to take
    /// out. None when there is no table.
    pub fn table_since(
        &self,
        agent: AgentId,
        since: Option<Revision>,
    ) -> Result<Option<TableChanges>, StoreError> {
        let connection = self.readers.take()?;
        let answer = tables::since(&connection, agent, since);
        self.readers.give_back(connection);
        answer
    }
}

macro_rules! delegate {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl Records for Reader {
            type Error = StoreError;
            $(fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.with(|rows| rows.$name($($argument),*))
            })+
        }
    };
}

delegate! {
    user(id: UserId) -> Option<UserRecord>;
    credential(id: CredentialId) -> Option<Credential>;
    credentials_of(user: UserId) -> Vec<Credential>;
    pin_use(pin: &PinDigest, now: Timestamp) -> PinUse;
    card_use(token: &CardToken) -> CardUse;
    plate_holders(plate: &Plate) -> Vec<Credential>;
    pin_refusals(actor: Actor, since: Timestamp) -> u64;
    doors_not_confirmed(user: UserId, now: Timestamp) -> Vec<DoorId>;
    group(id: GroupId) -> Option<Group>;
    groups() -> Vec<Group>;
    members(group: GroupId) -> u64;
    site(id: SiteId) -> Option<Site>;
    sites() -> Vec<Site>;
    door(id: DoorId) -> Option<Door>;
    doors() -> Vec<Door>;
    door_group(id: DoorGroupId) -> Option<DoorGroup>;
    door_groups() -> Vec<DoorGroup>;
    policy(id: PolicyId) -> Option<Policy>;
    policies() -> Vec<Policy>;
    policy_holders(policy: PolicyId) -> u64;
    schedule(id: ScheduleId) -> Option<Schedule>;
    schedules() -> Vec<Schedule>;
    holiday_group(id: HolidayGroupId) -> Option<HolidayGroup>;
    holiday_groups() -> Vec<HolidayGroup>;
    agent(id: AgentId) -> Option<Agent>;
    agents() -> Vec<Agent>;
    join_token(id: JoinTokenId) -> Option<JoinToken>;
    join_token_with(secret: &JoinSecretHash) -> Option<JoinToken>;
    operator(id: OperatorId) -> Option<Operator>;
    operators() -> Vec<Operator>;
    operator_by_email(email: &Email) -> Option<Operator>;
    calendars_from() -> i16;
}
