//! Reading what is on record: short, indexed questions, asked where their answer is needed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, AgentKey, DiskState, JoinSecretHash, JoinToken};
use offgate_core::alert::{AlertKind, Tries};
use offgate_core::checkpoint::SignedCheckpoint;
use offgate_core::confirmation::{Alone, Contact, DoorFacts, DoorVersion};
use offgate_core::credential::{CardToken, Credential, Plate};
use offgate_core::disagreement::Noticed;
use offgate_core::door_position::Stands;
use offgate_core::ending::{DoorBeforeEnd, Told};
use offgate_core::fail_mode::EmergencyList;
use offgate_core::id::{
    AgentId, CredentialId, DoorGroupId, DoorId, EmergencyListId, GroupId, HolidayGroupId,
    JoinTokenId, OperatorId, PolicyId, ScheduleId, SiteId, UserId,
};
use offgate_core::keeping::Keeping;
use offgate_core::longer_limit::LongerLimit;
use offgate_core::mail::{CheckpointMail, MailServer};
use offgate_core::operator::Operator;
use offgate_core::outage::Outages;
use offgate_core::parameters::{Clock, Epoch, Randomness, Revision, Timestamp};
use offgate_core::pin::PinDigest;
use offgate_core::place::{Door, DoorGroup, Site};
use offgate_core::policy::{Group, HolidayGroup, Policy, Schedule};
use offgate_core::question::Question;
use offgate_core::records::{CardUse, PinUse, Records};
use offgate_core::server_address::ServerAddresses;
use offgate_core::speed::{COUNTED, Speed};
use offgate_core::table::entry::{DoorEntry, EntryKey, RulingEntry};
use offgate_core::text::Email;
use offgate_core::tree::TreeHash;
use offgate_core::user::{Profile, UserRecord};
use offgate_core::webhook::Webhook;

use crate::activity::{ActivityCursor, ActivityPage, ActivityQuery};
use crate::audit::Audit;
use crate::engine::{RestoreRecord, TableHead};
use crate::error::StoreError;
use crate::evidence::DoorRecord;
use crate::exposed_pins::{ExposedPinPage, ExposedPinQuery, Exposure};
use crate::outbox::{Channel, FailedLetter, OutboxState, WaitingLetter, WaitingNotice};
use crate::questions::{KeptAnswer, RefusedCredential};
use crate::sign_in::{LinkPurpose, SecretHash, Session};
use crate::sqlite::{
    DATABASE_FILE, EndedLimit, Rows, Sqlite, activity, alerts, audit, checkpoints, contacts,
    erasure, evidence, exposed_pins, log_tree, longer_limits, mail, outages, positions, questions,
    receipts, restores, sign_in, speed, table_check, tables, users,
};
use crate::store::Readers;
use crate::users::{AwaitingErasure, LastSeen, Pending, UserCounts, UserPage, UserQuery};
use crate::vault::Vault;

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

/// Entries of an agent's table beside the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedEntries {
    /// How many there are among those that were looked at.
    pub entries: usize,
    /// Those that are not what the records say; also those that are not there and should be.
    pub wrong: Vec<EntryKey>,
    /// After which one to go on; none: these were the last.
    pub next: Option<EntryKey>,
}

/// How an agent was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentContact {
    /// Whether it is connected, and if not, when it was last heard.
    pub contact: Contact,
    /// Whether its disk keeps what it is told, as it says itself while it is connected.
    pub disk: DiskState,
    /// From when it is counted how long it may go on deciding on its own: when its lease was last
    /// renewed, or later, where the clocks do not tell how long ago that is; none if it never was.
    pub counted_from: Option<Timestamp>,
}

/// Answers questions about the records, each as of the moment it is asked.
#[derive(Clone)]
pub struct Reader {
    readers: Arc<Readers>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
}

impl Reader {
    pub(crate) const fn new(
        readers: Arc<Readers>,
        vault: Arc<Vault>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            readers,
            vault,
            clock,
        }
    }

    /// Reads the store in a directory without opening it for anything else: whether or not a
    /// server runs, and whatever is wrong with its log. Makes and changes nothing.
    ///
    /// # Errors
    /// There is none, or another Offgate made it.
    pub fn of(
        directory: &Path,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, StoreError> {
        let readers = Readers::new(directory.join(DATABASE_FILE));
        let connection = readers.take()?;
        Sqlite::check_schema(&connection)?;
        readers.give_back(connection);
        let vault = Arc::new(Vault::new(directory, randomness));
        Ok(Self::new(Arc::new(readers), vault, clock))
    }

    fn with<T>(
        &self,
        ask: impl FnOnce(&Rows<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self.readers.take()?;
        let answer = ask(&Rows {
            connection: &connection,
            vault: &self.vault,
            clock: &*self.clock,
        });
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

    /// The last time this store was restored from a backup, if it was.
    pub fn last_restore(&self) -> Result<Option<RestoreRecord>, StoreError> {
        self.with(|rows| restores::last(rows.connection))
    }

    /// Agents with doors that have confirmed nothing since a change, in the order of their names; at
    /// most so many.
    pub fn not_heard_since(
        &self,
        since: Revision,
        limit: usize,
    ) -> Result<Vec<AgentId>, StoreError> {
        self.with(|rows| restores::not_heard_since(rows.connection, since, limit))
    }

    /// People who are deactivated because a door showed this store, after a restore, that they had
    /// been; at most so many.
    pub fn shown_by_doors(&self, limit: usize) -> Result<Vec<UserId>, StoreError> {
        self.with(|rows| restores::shown_by_doors(rows.connection, limit))
    }

    /// Active people whose end of access has come, at most a hundred.
    pub fn access_ended(&self, now: Timestamp) -> Result<Vec<UserId>, StoreError> {
        self.with(|rows| rows.access_ended(now))
    }

    /// Removed people whose day to be erased has come and whom nobody holds, at most a hundred.
    pub fn erasures_due(&self, now: Timestamp) -> Result<Vec<UserId>, StoreError> {
        self.with(|rows| erasure::due(rows.connection, now))
    }

    /// Removed people who are not erased, the earliest due first.
    pub fn awaiting_erasure(&self, limit: usize) -> Result<Vec<AwaitingErasure>, StoreError> {
        self.with(|rows| erasure::awaiting(rows.connection, rows.vault, limit))
    }

    /// Name and contacts of somebody removed who is not erased; none either when their key is not
    /// to be had.
    pub fn kept_profile(&self, user: UserId) -> Result<Option<Profile>, StoreError> {
        self.with(|rows| erasure::kept_profile(rows.connection, rows.vault, user))
    }

    /// The agent with this key, revoked ones too.
    pub fn agent_with_key(&self, key: &AgentKey) -> Result<Option<Agent>, StoreError> {
        self.with(|rows| rows.agent_with_key(key))
    }

    /// The doors an agent decides for.
    pub fn doors_of(&self, agent: AgentId) -> Result<Vec<Door>, StoreError> {
        self.with(|rows| rows.doors_of(agent))
    }

    /// The latest invitations of agents, the newest first, used and withdrawn ones too, at most a
    /// thousand.
    pub fn join_tokens(&self) -> Result<Vec<JoinToken>, StoreError> {
        self.with(|rows| rows.join_tokens())
    }

    /// The position of the last change.
    pub fn head(&self) -> Result<Revision, StoreError> {
        self.with(|rows| tables::head(rows.connection))
    }

    /// The newest signed checkpoint of the log; every open store has one.
    pub fn newest_checkpoint(&self) -> Result<SignedCheckpoint, StoreError> {
        self.with(|rows| checkpoints::newest(rows.connection))?
            .ok_or(StoreError::Damaged("the log has no checkpoint"))
    }

    /// The bytes of an entry's leaf in the log's tree; none if there is no such entry.
    pub fn leaf(&self, entry: Revision) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|rows| log_tree::leaf_bytes(rows.connection, entry))
    }

    /// Proves that the log up to the revision `size` has this entry.
    pub fn inclusion(&self, entry: Revision, size: Revision) -> Result<Vec<TreeHash>, StoreError> {
        self.with(|rows| log_tree::inclusion(rows.connection, entry, size))
    }

    /// Proves that the log up to one revision continues the log up to an earlier one.
    pub fn consistency(&self, old: Revision, new: Revision) -> Result<Vec<TreeHash>, StoreError> {
        self.with(|rows| log_tree::consistency(rows.connection, old, new))
    }

    /// Walks the whole log and computes again what is stored of it. Reads all of it.
    pub fn audit(&self) -> Result<Audit, StoreError> {
        self.with(|rows| audit::audit(rows.connection, rows.vault))
    }

    /// An agent's table as a whole; none before anything was written for it.
    pub fn table_head(&self, agent: AgentId) -> Result<Option<TableHead>, StoreError> {
        self.with(|rows| tables::table_head(rows.connection, agent))
    }

    /// A page of people.
    pub fn users(&self, query: &UserQuery, now: Timestamp) -> Result<UserPage, StoreError> {
        self.with(|rows| users::users(rows, query, now))
    }

    /// How many people each filter finds, among those a search finds.
    pub fn user_counts(
        &self,
        search: Option<&str>,
        now: Timestamp,
    ) -> Result<UserCounts, StoreError> {
        self.with(|rows| users::counts(rows.connection, search, now))
    }

    /// How many people some door has not confirmed, removed ones too.
    pub fn not_confirmed_count(&self) -> Result<u64, StoreError> {
        self.with(|rows| users::not_confirmed_count(rows.connection))
    }

    /// When and where somebody last opened a door or left by one.
    pub fn last_seen(&self, user: UserId) -> Result<Option<LastSeen>, StoreError> {
        self.with(|rows| users::last_seen(rows.connection, user))
    }

    /// The latest change about a person that doors must confirm.
    pub fn pending(&self, user: UserId) -> Result<Option<Pending>, StoreError> {
        self.with(|rows| users::pending(rows.connection, user))
    }

    /// The doors that know a person: those whose agent's table has an entry of theirs.
    pub fn doors_that_know(&self, user: UserId) -> Result<Vec<DoorId>, StoreError> {
        self.with(|rows| tables::doors_that_know(rows.connection, user))
    }

    /// People whose last refusal some door has not confirmed in its own words, removed ones too, the
    /// latest first.
    pub fn not_confirmed(&self, limit: usize) -> Result<Vec<UserId>, StoreError> {
        self.with(|rows| users::not_confirmed(rows.connection, limit))
    }

    /// Active people whose access ends between two moments, the earliest first.
    pub fn access_ending(
        &self,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.with(|rows| users::access_ending(rows.connection, from, until, limit))
    }

    /// A page of what happened.
    pub fn activity(&self, query: &ActivityQuery) -> Result<ActivityPage, StoreError> {
        self.with(|rows| activity::page(rows, query))
    }

    /// How many lines there are that are newer than one, counted up to a hundred.
    pub fn activity_since(
        &self,
        query: &ActivityQuery,
        seen: ActivityCursor,
    ) -> Result<usize, StoreError> {
        let newest = ActivityQuery {
            before: None,
            limit: 100,
            ..*query
        };
        let page = self.activity(&newest)?;
        Ok(page.items.iter().filter(|item| item.cursor > seen).count())
    }

    /// A page of the PINs that a stolen agent knew.
    pub fn exposed_pins(&self, query: &ExposedPinQuery) -> Result<ExposedPinPage, StoreError> {
        self.with(|rows| exposed_pins::page(rows, query))
    }

    /// How many PINs that a stolen agent knew are still to be renewed.
    pub fn exposed_pin_count(&self) -> Result<u64, StoreError> {
        self.with(|rows| exposed_pins::count(rows.connection))
    }

    /// Which stolen agent knew a credential; none if none did, or it is no PIN.
    pub fn exposure(&self, credential: CredentialId) -> Result<Option<Exposure>, StoreError> {
        self.with(|rows| exposed_pins::of(rows, credential))
    }

    /// When an agent was heard; none if it never was.
    pub fn contact(&self, agent: AgentId) -> Result<Option<AgentContact>, StoreError> {
        self.with(|rows| contacts::contact(rows.connection, agent, rows.clock))
    }

    /// How a door stands; none if it has no contact, or is not heard.
    pub fn door_stands(&self, door: DoorId) -> Result<Option<Stands>, StoreError> {
        self.with(|rows| positions::of(rows.connection, door))
    }

    /// The agents that say that the log does not continue what they have seen, and since when; the
    /// first of them first, at most a hundred.
    pub fn doubts(&self) -> Result<Vec<(AgentId, Timestamp)>, StoreError> {
        self.with(|rows| tables::doubts(rows.connection))
    }

    /// The agents whose table was not the one that it should have been, as far as that is still told
    /// of, the last to be noticed first.
    pub fn disagreements(&self, now: Timestamp) -> Result<Vec<(AgentId, Noticed)>, StoreError> {
        let mut found = self.with(|rows| tables::disagreements(rows.connection))?;
        found.retain(|(_, noticed)| noticed.is_told(now));
        Ok(found)
    }

    /// Compares entries of an agent's table with what the records say, those after a key, at most so
    /// many. There are none of an agent that was revoked.
    pub fn check_entries(
        &self,
        agent: AgentId,
        after: Option<EntryKey>,
        limit: usize,
    ) -> Result<CheckedEntries, StoreError> {
        self.with(|rows| table_check::entries(rows, agent, after, limit))
    }

    /// How fast deactivations reached the last door that was connected; none if there were none.
    pub fn speed(&self, now: Timestamp) -> Result<Option<Speed>, StoreError> {
        let times = self.with(|rows| speed::times(rows.connection, now.minus(COUNTED)))?;
        Ok(Speed::of(times))
    }

    /// The last tries at each door of people who were taken out, since a moment, the latest first.
    pub fn tries_since(&self, since: Timestamp, limit: usize) -> Result<Vec<Tries>, StoreError> {
        self.with(|rows| alerts::tries_since(rows.connection, since, limit))
    }

    /// The last tries of a person who was taken out at each door, in the order of the doors.
    pub fn tries_of(&self, user: UserId) -> Result<Vec<Tries>, StoreError> {
        self.with(|rows| alerts::tries_of(rows.connection, user))
    }

    /// Whether tries at doors are to be told by now.
    pub fn tries_are_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.with(|rows| Ok(!alerts::tries_due(rows.connection, now, 1)?.is_empty()))
    }

    /// Refusals that an agent's table came to after a revision and that nothing later lifted, in the
    /// order of their changes, at most so many; and the table as of that moment. None: it has no
    /// table.
    pub fn refusals_since(
        &self,
        agent: AgentId,
        since: Revision,
        limit: usize,
    ) -> Result<Option<(TableHead, Vec<RulingEntry>)>, StoreError> {
        self.with(|rows| tables::refusals_since(rows.connection, agent, since, limit))
    }

    /// Doors whose time limit has been counted out, where that is not noted yet.
    pub(crate) fn ended_limits(&self) -> Result<Vec<EndedLimit>, StoreError> {
        self.with(|rows| rows.ended_limits())
    }

    /// A door's settings that an agent may be working by: those it acknowledged last, and all
    /// later ones.
    pub fn door_settings(
        &self,
        agent: AgentId,
        door: DoorId,
    ) -> Result<Vec<DoorEntry>, StoreError> {
        let versions = self.door_versions(agent, door)?.into_iter();
        Ok(versions.map(|version| version.settings).collect())
    }

    /// The same with the change of each, in the order of their changes.
    pub fn door_versions(
        &self,
        agent: AgentId,
        door: DoorId,
    ) -> Result<Vec<DoorVersion>, StoreError> {
        self.with(|rows| tables::door_versions(rows.connection, agent, door))
    }

    /// The doors that know somebody, and what each may do about an end of their access, in the order
    /// of ids.
    pub fn doors_before_end(&self, user: UserId) -> Result<Vec<DoorBeforeEnd>, StoreError> {
        let mut doors = Vec::new();
        for id in self.doors_that_know(user)? {
            let Some(agent) = self.door(id)?.and_then(|door| door.agent) else {
                continue;
            };
            let contact = self.contact(agent)?;
            let about = self.with(|rows| tables::last_about(rows.connection, agent, user))?;
            let acknowledged = self.acknowledged(agent)?;
            let settings = self.door_settings(agent, id)?;
            let counted_from = contact.and_then(|heard| heard.counted_from);
            doors.push(DoorBeforeEnd {
                door: id,
                contact: contact.map_or(Contact::Silent { since: None }, |heard| heard.contact),
                told: if about.is_some() && about <= acknowledged {
                    Told::Acknowledged
                } else {
                    Told::NotAcknowledged
                },
                alone: Alone::by(&settings, Some(user), counted_from),
            });
        }
        Ok(doors)
    }

    /// When an agent was not heard, as far as that is on record.
    pub fn outages(&self, agent: AgentId) -> Result<Outages, StoreError> {
        self.with(|rows| outages::of(rows.connection, agent))
    }

    /// The doors whose longer limit is over, at most a hundred.
    pub fn longer_limits_over(&self, now: Timestamp) -> Result<Vec<DoorId>, StoreError> {
        self.with(|rows| longer_limits::over(rows.connection, now))
    }

    /// Who is sent checkpoints of the log, and when the next one is due.
    pub fn checkpoint_mail_due(&self) -> Result<Option<(CheckpointMail, Timestamp)>, StoreError> {
        self.with(|rows| mail::checkpoint_due(rows.connection))
    }

    /// Letters that may be sent now, the longest due first.
    pub fn waiting_letters(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<WaitingLetter>, StoreError> {
        self.with(|rows| mail::waiting(rows.connection, now, limit))
    }

    /// How the outbox is.
    pub fn outbox(&self) -> Result<OutboxState, StoreError> {
        self.with(|rows| mail::state(rows.connection, Channel::Mail))
    }

    /// How that is which waits for the webhook.
    pub fn webhook_outbox(&self) -> Result<OutboxState, StoreError> {
        self.with(|rows| mail::state(rows.connection, Channel::Webhook))
    }

    /// What may be sent to the webhook now, the longest due first.
    pub fn waiting_notices(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<WaitingNotice>, StoreError> {
        self.with(|rows| mail::waiting_notices(rows.connection, now, limit))
    }

    /// Letters that failed for good, the last first, of before a place in that list.
    pub fn failed_letters(
        &self,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<FailedLetter>, StoreError> {
        self.with(|rows| mail::failed(rows.connection, before, limit))
    }

    /// The last entry of a kind about somebody, also after they were erased.
    pub fn last_entry(&self, user: UserId, kind: &str) -> Result<Option<Revision>, StoreError> {
        self.with(|rows| evidence::last_entry(rows.connection, user, kind))
    }

    /// Later entries about somebody's access, in order; at most a hundred.
    pub fn later_entries(
        &self,
        user: UserId,
        after: Revision,
    ) -> Result<Vec<Revision>, StoreError> {
        self.with(|rows| evidence::later_entries(rows.connection, user, after))
    }

    /// What there is of each door that must confirm a refusal, in the order of their ids.
    pub fn door_records(
        &self,
        user: UserId,
        refusal: Revision,
    ) -> Result<Vec<DoorRecord>, StoreError> {
        self.with(|rows| evidence::doors(rows.connection, user, refusal))
    }

    /// What somebody holds that must be refused, and by which change.
    pub fn refused(&self, user: UserId) -> Result<Vec<RefusedCredential>, StoreError> {
        self.with(|rows| questions::refused(rows, user))
    }

    /// Which change reported a credential lost, also of somebody who is deactivated; none if it is
    /// not lost, or no agent ever knew it.
    pub fn lost_by(&self, credential: CredentialId) -> Result<Option<Revision>, StoreError> {
        self.with(|rows| questions::lost_by(rows, credential))
    }

    /// What an agent is to be asked, the first first.
    pub fn open_questions(
        &self,
        agent: AgentId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Question>, StoreError> {
        self.with(|rows| questions::open(rows, agent, limit, now))
    }

    /// How many questions about somebody wait for their answers.
    pub fn open_question_count(&self, user: UserId, now: Timestamp) -> Result<u64, StoreError> {
        self.with(|rows| questions::count_open(rows.connection, user, now))
    }

    /// What doors answered about a refusal, in the order in which it came.
    pub fn answers(&self, user: UserId, refusal: Revision) -> Result<Vec<KeptAnswer>, StoreError> {
        self.with(|rows| questions::answers(rows.connection, user, refusal))
    }

    /// Answers by which a door would open for somebody who is refused, the last first, at most a
    /// hundred: each is an alarm, until the door says something else.
    pub fn admitting_answers(&self) -> Result<Vec<KeptAnswer>, StoreError> {
        self.with(questions::admitting)
    }

    /// The last revision an agent has acknowledged.
    pub fn acknowledged(&self, agent: AgentId) -> Result<Option<Revision>, StoreError> {
        self.with(|rows| receipts::acknowledged(rows.connection, agent))
    }

    /// The session with this token, unless it is over.
    pub fn session(
        &self,
        token: SecretHash,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        self.with(|rows| sign_in::session(rows.connection, token, now))
    }

    /// What a one-time link is for, unless it was used or is over.
    pub fn one_time_link(
        &self,
        secret: SecretHash,
        now: Timestamp,
    ) -> Result<Option<LinkPurpose>, StoreError> {
        self.with(|rows| sign_in::link(rows.connection, secret, now))
    }

    /// What the database engine finds wrong with its files, at most a hundred lines; none when
    /// all is well. Reads all of it.
    pub fn damage(&self) -> Result<Vec<String>, StoreError> {
        self.with(|rows| tables::damage(rows.connection))
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
    longer_limit(door: DoorId) -> Option<LongerLimit>;
    door_group(id: DoorGroupId) -> Option<DoorGroup>;
    door_groups() -> Vec<DoorGroup>;
    policy(id: PolicyId) -> Option<Policy>;
    policies() -> Vec<Policy>;
    policy_holders(policy: PolicyId) -> u64;
    schedule(id: ScheduleId) -> Option<Schedule>;
    schedules() -> Vec<Schedule>;
    holiday_group(id: HolidayGroupId) -> Option<HolidayGroup>;
    holiday_groups() -> Vec<HolidayGroup>;
    emergency_list(id: EmergencyListId) -> Option<EmergencyList>;
    emergency_lists() -> Vec<EmergencyList>;
    agent(id: AgentId) -> Option<Agent>;
    agents() -> Vec<Agent>;
    pins_known_to(agent: AgentId) -> u64;
    join_token(id: JoinTokenId) -> Option<JoinToken>;
    join_token_with(secret: &JoinSecretHash) -> Option<JoinToken>;
    operator(id: OperatorId) -> Option<Operator>;
    operators() -> Vec<Operator>;
    operator_by_email(email: &Email) -> Option<Operator>;
    keeping() -> Keeping;
    known_of(epoch: Epoch) -> Option<Revision>;
    readmitted(subject: &[u8; 16]) -> Option<Revision>;
    server_addresses() -> ServerAddresses;
    mail_server() -> Option<MailServer>;
    checkpoint_mail() -> Option<CheckpointMail>;
    webhook() -> Option<Webhook>;
    alerts_chosen(operator: OperatorId) -> Option<BTreeSet<AlertKind>>;
    calendars_from() -> i16;
}
