//! One transaction: the rules' questions, applied changes, the log, door tables, evidence.

use std::collections::BTreeSet;
use std::sync::Arc;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, DiskState, JoinSecretHash, JoinToken};
use offgate_core::alert::{Alert, AlertKind};
use offgate_core::change::Change;
use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::credential::{CardToken, Credential, Plate};
use offgate_core::disagreement::Disagreement;
use offgate_core::door_event::DoorEvent;
use offgate_core::door_position::SaidPosition;
use offgate_core::fail_mode::EmergencyList;
use offgate_core::id::{
    AgentId, CommandId, CredentialId, DoorGroupId, DoorId, EmergencyListId, GroupId,
    HolidayGroupId, JoinTokenId, LetterId, OperatorId, PolicyId, ScheduleId, SiteId, UserId,
};
use offgate_core::keeping::Keeping;
use offgate_core::log::{self, Subject};
use offgate_core::longer_limit::LongerLimit;
use offgate_core::mail::{CheckpointMail, LetterKind, MailServer, Posting};
use offgate_core::operator::Operator;
use offgate_core::parameters::{Clock, Epoch, Revision, Timestamp};
use offgate_core::pin::PinDigest;
use offgate_core::place::{Door, DoorGroup, Site};
use offgate_core::policy::{Group, HolidayGroup, Policy, Schedule};
use offgate_core::records::{CardUse, PinUse, Records};
use offgate_core::ruling::Ruling;
use offgate_core::server_address::ServerAddresses;
use offgate_core::table::compile::Places;
use offgate_core::table::entry::{EntryKey, EntryKind};
use offgate_core::text::Email;
use offgate_core::tree::{Leaf, Peaks, TreeHash};
use offgate_core::user::{Erasure, UserRecord};
use offgate_core::webhook::Webhook;
use rusqlite::{Connection, params};

use super::held_over::HeldOver;
use super::read::{EndedLimit, Rows};
use super::rows::{actor_columns, all, ids, number, one, revision};
use super::tables;
use super::{
    activity, alerts, apply, checkpoints, contacts, erasure, log_tree, mail, payload, positions,
    questions, readmissions, receipts, sign_in, users,
};
use crate::alerts::KeptTries;
use crate::checkpoint;
use crate::engine::{
    Batch, Confirms, Heard, KeptEvents, Ledger, Receipt, StoreIdentity, TableHead, Verdict,
    Witnessed,
};
use crate::error::StoreError;
use crate::outbox::{Attempt, Notice, Posted};
use crate::questions::{ConfirmedRefusal, NewAnswer, NewQuestion, RefusedCredential};
use crate::sign_in::{LinkPurpose, SecretHash, SignInChange};
use crate::vault::Keys;

/// An hour, in microseconds.
const HOUR: i64 = 3600 * 1_000_000;
/// How long commands are remembered, in microseconds: a week.
const REMEMBERED: i64 = 7 * 24 * HOUR;

pub(super) struct SqliteBatch<'c> {
    pub(super) connection: &'c Connection,
    pub(super) keys: Keys<'c>,
    pub(super) identity: StoreIdentity,
    pub(super) clock: &'c dyn Clock,
    /// What is known from transactions before this one, and what is for the next.
    pub(super) held_over: HeldOver,
    /// The log as a tree, once it was asked for.
    pub(super) peaks: Option<Peaks>,
}

/// The name of a subject in rows, and its id.
fn subject(subject: Subject) -> (&'static str, Option<[u8; 16]>) {
    match subject {
        Subject::User(id) => ("user", Some(*id.as_bytes())),
        Subject::Group(id) => ("group", Some(*id.as_bytes())),
        Subject::Site(id) => ("site", Some(*id.as_bytes())),
        Subject::Door(id) => ("door", Some(*id.as_bytes())),
        Subject::DoorGroup(id) => ("door-group", Some(*id.as_bytes())),
        Subject::Policy(id) => ("policy", Some(*id.as_bytes())),
        Subject::Schedule(id) => ("schedule", Some(*id.as_bytes())),
        Subject::HolidayGroup(id) => ("holiday-group", Some(*id.as_bytes())),
        Subject::EmergencyList(id) => ("emergency-list", Some(*id.as_bytes())),
        Subject::Agent(id) => ("agent", Some(*id.as_bytes())),
        Subject::JoinToken(id) => ("join-token", Some(*id.as_bytes())),
        Subject::Operator(id) => ("operator", Some(*id.as_bytes())),
        Subject::Store => ("store", None),
        Subject::Mail => ("mail", None),
        Subject::Webhook => ("webhook", None),
    }
}

impl SqliteBatch<'_> {
    fn rows(&self) -> Rows<'_> {
        Rows {
            connection: self.connection,
            vault: self.keys.vault(),
            clock: self.clock,
        }
    }

    fn run(&self, sql: &'static str, parameters: impl rusqlite::Params) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute(parameters)?;
        Ok(())
    }

    /// What the next transaction need not look at again, if this one is committed.
    pub(super) fn into_held_over(self) -> HeldOver {
        let mut held_over = self.held_over;
        // A log that has grown and was not signed for is looked at again.
        if self.peaks.is_some() && self.peaks != held_over.signed {
            held_over.signed = None;
        }
        held_over
    }

    /// The log as a tree, as this transaction found it: what was signed for last in this epoch,
    /// or else nothing may be added to it.
    fn signed_peaks(&self) -> Result<Peaks, StoreError> {
        if let Some(signed) = &self.held_over.signed {
            return Ok(signed.clone());
        }
        let peaks = log_tree::peaks(self.connection, tables::head(self.connection)?)?;
        if let Some(newest) = checkpoints::newest(self.connection)? {
            let newest = checkpoint::read(&newest)?;
            let is_this = (newest.size, newest.root) == (peaks.size(), peaks.root());
            if newest.epoch == self.identity.epoch && !is_this {
                return Err(StoreError::Damaged(
                    "the log is not the one that was signed for",
                ));
            }
        }
        Ok(peaks)
    }

    /// The log as a tree, as this transaction has it so far.
    fn peaks(&mut self) -> Result<&mut Peaks, StoreError> {
        let peaks = match self.peaks.take() {
            Some(peaks) => peaks,
            None => self.signed_peaks()?,
        };
        Ok(self.peaks.insert(peaks))
    }
}

impl Ledger for SqliteBatch<'_> {
    fn identity(&self) -> StoreIdentity {
        self.identity
    }

    fn head(&self) -> Result<Revision, StoreError> {
        tables::head(self.connection)
    }

    fn tree(&mut self) -> Result<(Revision, TreeHash), StoreError> {
        let peaks = self.peaks()?;
        Ok((Revision::new(peaks.size()), peaks.root()))
    }

    fn newest_checkpoint(&self) -> Result<Option<SignedCheckpoint>, StoreError> {
        checkpoints::newest(self.connection)
    }

    fn keep_checkpoint(
        &mut self,
        checkpoint: &Checkpoint,
        signed: &SignedCheckpoint,
    ) -> Result<(), StoreError> {
        checkpoints::keep(self.connection, checkpoint, signed)?;
        let peaks = self.peaks()?.clone();
        let is_this = (checkpoint.size, checkpoint.root) == (peaks.size(), peaks.root());
        self.held_over.signed = is_this.then_some(peaks);
        Ok(())
    }

    fn places(&mut self) -> Result<Arc<Places>, StoreError> {
        let places = match self.held_over.places.take() {
            Some(places) => places,
            None => Arc::new(Places::read(self)?),
        };
        self.held_over.places = Some(Arc::clone(&places));
        Ok(places)
    }

    fn carried_out(&self, id: CommandId) -> Result<Option<Revision>, StoreError> {
        one(
            self.connection,
            "SELECT revision FROM command WHERE id = ?1",
            params![id.as_bytes()],
            |row| Ok(revision(row.get(0)?)),
        )
    }

    fn remember(
        &mut self,
        id: CommandId,
        revision: Revision,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let now = now.microseconds();
        // They are all looked at, once an hour, and when the clock has jumped.
        let is_recent = |at: &i64| now.abs_diff(*at) < HOUR.unsigned_abs();
        if self.held_over.forgot_commands.filter(is_recent).is_none() {
            self.run(
                "DELETE FROM command WHERE at < ?1",
                params![now.saturating_sub(REMEMBERED)],
            )?;
            self.held_over.forgot_commands = Some(now);
        }
        self.run(
            "INSERT INTO command (id, revision, at) VALUES (?1, ?2, ?3)",
            params![id.as_bytes(), number(revision), now],
        )
    }

    fn apply(
        &mut self,
        actor: Actor,
        revision: Revision,
        change: &Change,
        salt: [u8; 16],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Change::UserRemoved { tombstone, .. } = change
            && let Erasure::Due { at } = tombstone.erasure
        {
            erasure::keep_profile(self.connection, &mut self.keys, tombstone.id, at)?;
        }
        apply::change(self.connection, self.keys.vault(), revision, change, now)?;
        if !Places::stay_after(change) {
            self.held_over.places = None;
        }
        let entry = log::entry(change);
        if let Subject::User(user) = entry.subject
            && !users::keeps_words(change)
        {
            users::index(&self.rows(), user)?;
        }
        let (details_hash, payloads) = payload::make(&mut self.keys, revision, &entry, salt)?;
        let (actor, actor_id) = actor_columns(actor);
        let (subject, subject_id) = subject(entry.subject);
        let mut leaf = Vec::new();
        Leaf {
            revision: revision.number(),
            at: now.microseconds(),
            actor,
            actor_id: actor_id.as_ref().map(|id| id.as_slice()),
            kind: entry.kind,
            subject,
            subject_id: subject_id.as_ref().map(|id| id.as_slice()),
            details: &details_hash,
        }
        .encode(&mut leaf);
        let peaks = self.peaks()?;
        let completed = peaks.push(TreeHash::leaf(&leaf));
        if peaks.size() != revision.number() {
            return Err(StoreError::Damaged("the log is not as long as its tree"));
        }
        self.run(
            "INSERT INTO log (revision, at, actor, actor_id, kind, subject, subject_id, \
             details_hash, subtrees) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                number(revision),
                now.microseconds(),
                actor,
                actor_id,
                entry.kind,
                subject,
                subject_id,
                details_hash,
                log_tree::column(&completed)
            ],
        )?;
        payload::keep(self.connection, revision, &payloads)
    }

    fn people_with(
        &self,
        groups: &BTreeSet<GroupId>,
        policies: &BTreeSet<PolicyId>,
    ) -> Result<BTreeSet<UserId>, StoreError> {
        let mut people = BTreeSet::new();
        for group in groups {
            people.extend(ids(
                self.connection,
                "SELECT user FROM membership WHERE user_group = ?1",
                params![group.as_bytes()],
                UserId::from_bytes,
            )?);
        }
        for policy in policies {
            people.extend(ids(
                self.connection,
                "SELECT user FROM user_policy WHERE policy = ?1",
                params![policy.as_bytes()],
                UserId::from_bytes,
            )?);
        }
        Ok(people)
    }

    fn entry_keys(&self, agent: AgentId) -> Result<BTreeSet<EntryKey>, StoreError> {
        let keys = all(
            self.connection,
            "SELECT kind, id FROM agent_entry WHERE agent = ?1 AND encoded IS NOT NULL",
            params![agent.as_bytes()],
            |row| {
                EntryKey::from_parts(row.get(0)?, row.get(1)?)
                    .ok_or(StoreError::Damaged("a table entry of no known kind"))
            },
        )?;
        Ok(keys.into_iter().collect())
    }

    fn agents_with(&self, key: EntryKey) -> Result<BTreeSet<AgentId>, StoreError> {
        ids(
            self.connection,
            "SELECT a.id FROM agent a CROSS JOIN agent_entry e ON e.agent = a.id AND e.kind = ?1 \
             AND e.id = ?2",
            params![key.kind as u8, key.id],
            AgentId::from_bytes,
        )
    }

    fn entry(&self, agent: AgentId, key: EntryKey) -> Result<Option<Vec<u8>>, StoreError> {
        let found = one(
            self.connection,
            "SELECT encoded FROM agent_entry WHERE agent = ?1 AND kind = ?2 AND id = ?3",
            params![agent.as_bytes(), key.kind as u8, key.id],
            |row| Ok(row.get::<_, Option<Vec<u8>>>(0)?),
        )?;
        Ok(found.flatten())
    }

    fn write_entry(
        &mut self,
        agent: AgentId,
        key: EntryKey,
        revision: Revision,
        encoded: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO agent_entry (agent, kind, id, revision, encoded) \
             VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (agent, kind, id) DO UPDATE SET revision = ?4, encoded = ?5",
            params![
                agent.as_bytes(),
                key.kind as u8,
                key.id,
                number(revision),
                encoded
            ],
        )?;
        if key.kind == EntryKind::Door {
            self.run(
                "INSERT OR REPLACE INTO door_version (agent, door, revision, encoded) \
                 VALUES (?1, ?2, ?3, ?4)",
                params![agent.as_bytes(), key.id, number(revision), encoded],
            )?;
        }
        Ok(())
    }

    fn table_head(&self, agent: AgentId) -> Result<Option<TableHead>, StoreError> {
        tables::table_head(self.connection, agent)
    }

    fn write_table_head(&mut self, agent: AgentId, head: TableHead) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO agent_table (agent, revision, hash) VALUES (?1, ?2, ?3) \
             ON CONFLICT (agent) DO UPDATE SET revision = ?2, hash = ?3",
            params![agent.as_bytes(), number(head.revision), head.hash.0],
        )
    }

    fn admissions(&self, user: UserId) -> Result<Vec<Ruling>, StoreError> {
        readmissions::of(self.connection, self.identity, user)
    }

    fn awaited(&self, agent: AgentId) -> Result<BTreeSet<UserId>, StoreError> {
        ids(
            self.connection,
            "SELECT DISTINCT user FROM confirmation WHERE agent = ?1 AND confirmed_at IS NULL \
             AND what = 'refuse'",
            params![agent.as_bytes()],
            UserId::from_bytes,
        )
    }

    fn await_confirmation(
        &mut self,
        user: UserId,
        revision: Revision,
        door: DoorId,
        agent: AgentId,
        confirms: Confirms,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(
            concat!(
                "INSERT INTO confirmation (user, revision, door, agent, what, decided_at, \
                 connected, renewed_at, renewed_boot, renewed_since_boot, position) \
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, coalesce(k.connected, 0), \
                 k.renewed_at, k.renewed_boot, k.renewed_since_boot, p.position \
                 FROM (SELECT 1) LEFT JOIN contact k ON k.agent = ?4 \
                 LEFT JOIN door d ON d.id = ?3 ",
                positions::position_join!()
            ),
            params![
                user.as_bytes(),
                number(revision),
                door.as_bytes(),
                agent.as_bytes(),
                confirms.name(),
                now.microseconds()
            ],
        )
    }
}

impl Batch for SqliteBatch<'_> {
    fn acknowledge(
        &mut self,
        agent: AgentId,
        receipt: &Receipt,
        now: Timestamp,
    ) -> Result<Vec<ConfirmedRefusal>, StoreError> {
        receipts::acknowledge(self.connection, agent, receipt, now)
    }

    fn refused(&self, user: UserId) -> Result<Vec<RefusedCredential>, StoreError> {
        questions::refused(&self.rows(), user)
    }

    fn doors_to_ask(
        &self,
        user: UserId,
        refusal: Revision,
    ) -> Result<Vec<(DoorId, AgentId)>, StoreError> {
        questions::doors(self.connection, user, refusal)
    }

    fn ask(&mut self, question: &NewQuestion, now: Timestamp) -> Result<bool, StoreError> {
        questions::ask(
            self.connection,
            &mut self.held_over.questions,
            question,
            now,
        )
    }

    fn answered(
        &mut self,
        agent: AgentId,
        answer: &NewAnswer,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        questions::answered(&self.rows(), agent, answer, now)
    }

    fn keep_events(
        &mut self,
        agent: AgentId,
        lost: u64,
        events: &[DoorEvent],
        now: Timestamp,
    ) -> Result<KeptEvents, StoreError> {
        activity::keep(self.connection, agent, lost, events, now)
    }

    fn is_chosen(&self, kind: AlertKind) -> Result<bool, StoreError> {
        alerts::is_chosen(self.connection, kind)
    }

    fn sent(
        &self,
        to: Option<&Email>,
        kind: LetterKind,
        since: Timestamp,
    ) -> Result<u64, StoreError> {
        alerts::sent(self.connection, to, kind, since)
    }

    fn is_news(&mut self, alert: &Alert) -> Result<bool, StoreError> {
        alerts::is_new(self.connection, alert)
    }

    fn last_tries(&self, user: UserId, door: DoorId) -> Result<Option<KeptTries>, StoreError> {
        alerts::last_tries(self.connection, user, door)
    }

    fn keep_tries(&mut self, tries: &KeptTries) -> Result<(), StoreError> {
        alerts::keep_tries(self.connection, tries)
    }

    fn tries_due(&self, now: Timestamp, limit: usize) -> Result<Vec<KeptTries>, StoreError> {
        alerts::tries_due(self.connection, now, limit)
    }

    fn open_refusals(&self, agent: AgentId) -> Result<Vec<(UserId, Revision)>, StoreError> {
        alerts::open_refusals(self.connection, agent)
    }

    fn confirmed_everywhere(
        &self,
        user: UserId,
        revision: Revision,
    ) -> Result<Option<Alert>, StoreError> {
        alerts::confirmed_everywhere(self.connection, user, revision)
    }

    fn is_in_doubt(&self, agent: AgentId) -> Result<bool, StoreError> {
        alerts::is_in_doubt(self.connection, agent)
    }

    fn owes_keys(&self) -> Result<bool, StoreError> {
        payload::owes_keys(self.connection)
    }

    fn forget_events(&mut self, before: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        activity::forget(self.connection, before, at_most)
    }

    fn post(&mut self, posting: &Posting, now: Timestamp) -> Result<Posted, StoreError> {
        mail::post(self.connection, posting, now)
    }

    fn post_notice(&mut self, notice: &Notice, now: Timestamp) -> Result<Posted, StoreError> {
        mail::post_notice(self.connection, notice, now)
    }

    fn checkpoint_mailed(
        &mut self,
        was_due: Timestamp,
        next: Timestamp,
    ) -> Result<Posted, StoreError> {
        mail::checkpoint_sent(self.connection, was_due, next)
    }

    fn attempted(
        &mut self,
        letter: LetterId,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        mail::attempted(self.connection, letter, attempt, now)
    }

    fn forget_letters(&mut self, before: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        mail::forget(self.connection, before, at_most)
    }

    fn sign_in(&mut self, change: &SignInChange, now: Timestamp) -> Result<(), StoreError> {
        sign_in::apply(self.connection, change, now)
    }

    fn use_link(
        &mut self,
        secret: SecretHash,
        now: Timestamp,
    ) -> Result<Option<LinkPurpose>, StoreError> {
        sign_in::use_link(self.connection, secret, now)
    }

    fn server_started(&mut self) -> Result<(), StoreError> {
        contacts::server_started(self.connection, self.clock.uptime())
    }

    fn note_ended_limits(&mut self) -> Result<(), StoreError> {
        for EndedLimit {
            user,
            revision,
            door,
            at,
        } in self.rows().ended_limits()?
        {
            self.run(
                "UPDATE confirmation SET ended_at = ?4 \
                 WHERE user = ?1 AND revision = ?2 AND door = ?3 AND confirmed_at IS NULL",
                params![
                    user.as_bytes(),
                    number(revision),
                    door.as_bytes(),
                    at.microseconds()
                ],
            )?;
        }
        Ok(())
    }

    fn witness(
        &mut self,
        agent: AgentId,
        seen: Witnessed,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let number = |number: u64| {
            i64::try_from(number).map_err(|_| StoreError::Damaged("a log without an end"))
        };
        let doubted = match seen.verdict {
            Verdict::Seen => None,
            Verdict::Doubted => Some(now.microseconds()),
        };
        self.run(
            "INSERT INTO witness (agent, epoch, nonce, size, root, at, doubted_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (agent) DO UPDATE SET epoch = ?2, nonce = ?3, size = ?4, root = ?5, \
             at = ?6, \
             doubted_at = CASE WHEN ?7 IS NOT NULL THEN coalesce(doubted_at, ?7) END",
            params![
                agent.as_bytes(),
                number(seen.epoch.counter)?,
                seen.epoch.nonce,
                number(seen.size)?,
                seen.root.0,
                now.microseconds(),
                doubted
            ],
        )
    }

    fn disagrees(
        &mut self,
        agent: AgentId,
        disagreement: Disagreement,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (what, revision) = match disagreement {
            Disagreement::Another(revision) => ("another", Some(revision)),
            Disagreement::Missing => ("missing", receipts::acknowledged(self.connection, agent)?),
        };
        let Some(revision) = revision else {
            return Ok(());
        };
        self.run(
            "INSERT OR REPLACE INTO disagreement (agent, what, revision, noticed_at) \
             VALUES (?1, ?2, ?3, ?4)",
            params![agent.as_bytes(), what, number(revision), now.microseconds()],
        )
    }

    fn positions(
        &mut self,
        agent: AgentId,
        said: &[SaidPosition],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        positions::keep(self.connection, agent, said, now)
    }

    fn disk(&mut self, agent: AgentId, state: DiskState, now: Timestamp) -> Result<(), StoreError> {
        contacts::disk(self.connection, agent, state, now)
    }

    fn contact(&mut self, agent: AgentId, heard: Heard, now: Timestamp) -> Result<(), StoreError> {
        contacts::heard(self.connection, agent, heard, (self.clock.uptime(), now))
    }
}

macro_rules! delegate {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl Records for SqliteBatch<'_> {
            type Error = StoreError;
            $(fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.rows().$name($($argument),*)
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
