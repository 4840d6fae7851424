//! The store, in memory: the plainest engine there can be, below the same rules, the same
//! projection and the same writer's steps as the real one.
//!
//! It keeps what the SQLite engine keeps of doors, and answers as that does; what no door and no
//! page about a door asks for (mail, sessions, events) it does not keep.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, DiskState, JoinSecretHash, JoinToken};
use offgate_core::alert::AlertKind;
use offgate_core::change::Change;
use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::command::Command;
use offgate_core::confirmation::{
    self, Alone, Contact, DoorFacts, DoorStanding, DoorVersion, Renewal, settings_without,
};
use offgate_core::credential::{CardToken, Credential, Plate};
use offgate_core::door_position::Positions;
use offgate_core::fail_mode::EmergencyList;
use offgate_core::fault::Fault;
use offgate_core::id::{
    AgentId, CommandId, CredentialId, DoorGroupId, DoorId, EmergencyListId, GroupId,
    HolidayGroupId, JoinTokenId, OperatorId, PolicyId, ScheduleId, SiteId, StoreId, UserId,
};
use offgate_core::keeping::Keeping;
use offgate_core::longer_limit::LongerLimit;
use offgate_core::mail::{CheckpointMail, MailServer};
use offgate_core::memory::Memory;
use offgate_core::operator::Operator;
use offgate_core::parameters::{Boot, Epoch, Revision, Timestamp, Uptime};
use offgate_core::pin::PinDigest;
use offgate_core::place::{Door, DoorGroup, Site};
use offgate_core::policy::{Group, HolidayGroup, Policy, Schedule};
use offgate_core::records::{CardUse, PinUse, Records};
use offgate_core::ruling::{Ruled, Ruling, ruled_by};
use offgate_core::server_address::ServerAddresses;
use offgate_core::table::entry::{DoorEntry, Entry, EntryKey, EntryKind};
use offgate_core::text::Email;
use offgate_core::tree::{Peaks, TreeHash, prove_consistency};
use offgate_core::user::{Standing, UserRecord};
use offgate_core::webhook::Webhook;
use offgate_link::server_end::{History, OVERTAKING_AT_ONCE, Refusals, Rest, Table};
use offgate_store::engine::{Confirms, Heard, Ledger, StoreIdentity, TableHead};
use offgate_store::{CarriedOut, StoreError, carry_out, sign_log};

use crate::keys::{SALT, keys};
use crate::random::Salts;

/// A door that must confirm a change.
#[derive(Clone, Debug)]
pub(crate) struct Confirmation {
    pub(crate) user: UserId,
    pub(crate) revision: Revision,
    pub(crate) door: DoorId,
    pub(crate) agent: AgentId,
    pub(crate) confirms: Confirms,
    pub(crate) decided_at: Timestamp,
    pub(crate) confirmed_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    /// The last renewal that was asked for before it.
    renewed: Option<Renewal>,
}

#[derive(Clone, Debug, Default)]
struct AgentTable {
    rows: BTreeMap<EntryKey, (Revision, Option<Vec<u8>>)>,
    head: Option<TableHead>,
}

#[derive(Clone, Copy, Debug)]
struct ContactRow {
    connected: bool,
    heard_at: Timestamp,
    renewed: Option<Renewal>,
    /// As it says while it is connected.
    disk: DiskState,
}

/// A store in memory. A clone is a backup.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    memory: Memory,
    identity: StoreIdentity,
    peaks: Peaks,
    nodes: BTreeMap<(u32, u64), TreeHash>,
    newest: Option<SignedCheckpoint>,
    carried_out: BTreeMap<CommandId, Revision>,
    tables: BTreeMap<AgentId, AgentTable>,
    confirmations: Vec<Confirmation>,
    /// The latest change about each person that doors must confirm, and its rows.
    latest: BTreeMap<UserId, (Revision, Vec<usize>)>,
    /// The last change that admitted each person or credential again.
    lifted: BTreeMap<[u8; 16], Revision>,
    /// What each change that rules something rules about: a person or a credential.
    subjects: BTreeMap<Revision, [u8; 16]>,
    versions: BTreeMap<(AgentId, DoorId), BTreeMap<Revision, Option<DoorEntry>>>,
    acknowledged: BTreeMap<AgentId, Revision>,
    /// The clock that nobody sets, as the server last read it.
    uptime: Uptime,
    /// When the server was started.
    serving: Option<Uptime>,
    /// The change that noted the last restore.
    restored_at: Option<Revision>,
    contacts: BTreeMap<AgentId, ContactRow>,
}

impl Books {
    /// A new store, signed for.
    pub(crate) fn new(store: StoreId, epoch: Epoch, now: Timestamp) -> Self {
        let mut books = Self {
            memory: Memory {
                calendars_from: 2027,
                ..Memory::default()
            },
            identity: StoreIdentity {
                store,
                epoch,
                pin_salt: SALT,
            },
            peaks: Peaks::EMPTY,
            nodes: BTreeMap::new(),
            newest: None,
            carried_out: BTreeMap::new(),
            tables: BTreeMap::new(),
            confirmations: Vec::new(),
            latest: BTreeMap::new(),
            lifted: BTreeMap::new(),
            subjects: BTreeMap::new(),
            versions: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            uptime: Uptime {
                boot: Boot([0; 16]),
                since: Duration::ZERO,
            },
            serving: None,
            restored_at: None,
            contacts: BTreeMap::new(),
        };
        books.sign(now);
        books
    }

    pub(crate) const fn identity(&self) -> StoreIdentity {
        self.identity
    }

    pub(crate) const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Gives it an epoch of its own, as a restore does.
    pub(crate) fn take_epoch(&mut self, epoch: Epoch, now: Timestamp) {
        self.identity.epoch = epoch;
        self.sign(now);
    }

    #[expect(
        clippy::expect_used,
        reason = "the keys are there and memory does not fail"
    )]
    fn sign(&mut self, now: Timestamp) {
        sign_log(self, keys(), now).expect("a signature");
    }

    /// One command in a transaction of its own.
    #[expect(clippy::expect_used, reason = "memory does not fail")]
    pub(crate) fn execute(
        &mut self,
        id: CommandId,
        actor: Actor,
        command: &Command,
        salts: &Salts,
        (uptime, now): (Uptime, Timestamp),
    ) -> CarriedOut {
        self.uptime = uptime;
        let before = self.memory.revision;
        let carried = carry_out(self, (id, actor, command), salts, keys(), now)
            .expect("records in memory can be read");
        if self.memory.revision != before {
            self.sign(now);
        }
        carried
    }

    /// The newest checkpoint, and that it continues one of this size, as the conversation shows it.
    #[expect(clippy::expect_used, reason = "a store is signed for when it is made")]
    pub(crate) fn history(&self, size: Option<u64>) -> History {
        let signed = self.newest.clone().expect("a checkpoint");
        let checkpoint = Checkpoint::read(&signed.statement).expect("a checkpoint");
        let proof = match size {
            Some(size) if size <= checkpoint.size => {
                prove_consistency(size, checkpoint.size, |wanted| {
                    Ok::<_, std::convert::Infallible>(self.nodes[&(wanted.level, wanted.number)])
                })
                .unwrap_or_else(|never| match never {})
            }
            Some(_) | None => Vec::new(),
        };
        History {
            checkpoint,
            signed,
            proof,
        }
    }

    /// An agent's table as a whole.
    pub(crate) fn head_of(&self, agent: AgentId) -> Option<TableHead> {
        self.tables.get(&agent)?.head
    }

    /// What the conversation reads for an agent since a revision.
    pub(crate) fn table(&self, agent: AgentId, since: Option<Revision>) -> Option<Table> {
        let table = self.tables.get(&agent)?;
        let TableHead { revision, hash } = table.head?;
        let whole = || Table::Whole {
            puts: table
                .rows
                .values()
                .filter_map(|(_, row)| row.clone())
                .collect(),
            revision,
            hash,
        };
        Some(match since {
            None => whole(),
            Some(since) if since == revision => Table::Same { hash },
            Some(since) if since > revision => whole(),
            Some(since) => {
                let (mut deletes, mut puts) = (Vec::new(), Vec::new());
                let mut newer: Vec<_> = table.rows.iter().filter(|(_, it)| it.0 > since).collect();
                newer.sort_by_key(|(_, (at, _))| *at);
                for (key, (_, row)) in newer {
                    match row {
                        Some(row) => puts.push(row.clone()),
                        None => deletes.push(*key),
                    }
                }
                Table::Changed {
                    deletes,
                    puts,
                    revision,
                    hash,
                }
            }
        })
    }

    /// The refusals after a change, as the conversation reads them when a table takes too long.
    pub(crate) fn refusals_since(&self, agent: AgentId, since: Revision) -> Option<Refusals> {
        let table = self.tables.get(&agent)?;
        let mut newer: Vec<_> = table
            .rows
            .iter()
            .filter(|(key, (at, _))| key.kind == EntryKind::Ruling && *at > since)
            .filter_map(|(_, (at, row))| Some((*at, row.as_ref()?)))
            .filter_map(|(at, row)| match Entry::decode(row) {
                Ok(Entry::Ruling(entry)) if entry.ruling()?.ruled.refuses() => Some((at, entry)),
                _ => None,
            })
            .collect();
        newer.sort_by_key(|(at, _)| *at);
        newer.truncate(OVERTAKING_AT_ONCE);
        let rest = newer.len() == OVERTAKING_AT_ONCE;
        let last = newer.last().map(|(at, _)| *at);
        Some(Refusals {
            up_to: last
                .filter(|_| rest)
                .or_else(|| table.head.map(|head| head.revision))?,
            rest: if rest { Rest::More } else { Rest::Nothing },
            rulings: newer.into_iter().map(|(_, entry)| entry).collect(),
        })
    }

    /// The refusals that a page about a person speaks of: those of the latest change about them. A
    /// card that was found while its holder is deactivated is no door's to confirm, and is refused
    /// no more.
    pub(crate) fn latest_refusals(&self) -> impl Iterator<Item = (&Confirmation, [u8; 16])> {
        let rows = self.latest.values().flat_map(|(_, rows)| rows);
        rows.filter_map(|row| self.confirmations.get(*row))
            .filter(|row| row.confirms == Confirms::Refuse)
            .filter_map(|row| Some((row, *self.subjects.get(&row.revision)?)))
            .filter(|(row, subject)| self.lifted.get(subject) < Some(&row.revision))
    }

    /// How long a door works on its own, by the settings on record.
    pub(crate) fn lease_of(&self, row: &Confirmation) -> Option<u32> {
        let door = self.memory.doors.get(&row.door)?;
        Some(door.lease.seconds())
    }

    /// Everything that doors must confirm.
    pub(crate) fn confirmations(&self) -> &[Confirmation] {
        &self.confirmations
    }

    /// What a page knows of a door that must confirm something.
    pub(crate) fn facts(&self, row: &Confirmation, uptime: Uptime, now: Timestamp) -> DoorFacts {
        self.facts_about(row, Some(row.user), self.by_both_clocks(uptime, now))
    }

    /// From when a limit is counted.
    pub(crate) fn by_both_clocks(
        &self,
        uptime: Uptime,
        now: Timestamp,
    ) -> impl Fn(Renewal) -> Timestamp {
        let serving = self.serving;
        move |renewal| renewal.counted_from(serving, Some(uptime), now)
    }

    /// As [`Self::facts`], for somebody in particular or for anybody, and counted as is said.
    pub(crate) fn facts_about(
        &self,
        row: &Confirmation,
        user: Option<UserId>,
        counted_from: impl Fn(Renewal) -> Timestamp,
    ) -> DoorFacts {
        let contact = self.contacts.get(&row.agent);
        let has_agent = self
            .memory
            .doors
            .get(&row.door)
            .is_some_and(|door| door.agent.is_some());
        let versions = self.versions.get(&(row.agent, row.door)).into_iter();
        let versions = versions
            .flatten()
            .filter_map(|(revision, settings)| {
                Some(DoorVersion {
                    revision: *revision,
                    settings: settings.clone()?,
                })
            })
            .collect();
        let settings = settings_without(versions, row.revision);
        DoorFacts {
            door: row.door,
            confirmed_at: row.confirmed_at,
            contact: match contact {
                Some(contact) if contact.connected && has_agent => Contact::Connected,
                Some(contact) => Contact::Silent {
                    since: Some(contact.heard_at),
                },
                None => Contact::Silent { since: None },
            },
            alone: Alone::by(&settings, user, row.renewed.map(counted_from)),
            ended_at: row.ended_at,
            fault: contact
                .filter(|contact| contact.disk == DiskState::Fails)
                .map(|_| Fault::DiskFails),
            positions: Positions::default(),
        }
    }

    /// The last revision an agent has acknowledged.
    pub(crate) fn acknowledged(&self, agent: AgentId) -> Option<Revision> {
        self.acknowledged.get(&agent).copied()
    }

    /// As the SQLite engine does it: every table is due to be confirmed at this revision, and with
    /// it every refusal that stands; by which settings doors work, and since when, the server that
    /// was lost knew.
    fn restored(&mut self, revision: Revision, now: Timestamp) {
        self.restored_at = Some(revision);
        // Whichever server was started then, it was another one.
        self.serving = None;
        for row in &mut self.confirmations {
            let decides = self.memory.doors.get(&row.door).and_then(|it| it.agent);
            let due = row.confirms == Confirms::Refuse && self.latest[&row.user].0 == row.revision;
            if let Some(agent) = decides.filter(|_| due) {
                (row.agent, row.confirmed_at, row.ended_at) = (agent, None, None);
                row.renewed = None;
            }
        }
        for head in self.tables.values_mut().filter_map(|it| it.head.as_mut()) {
            head.revision = revision;
        }
        for agent in self.memory.agents.values() {
            if agent.state == offgate_core::agent::AgentState::Enrolled {
                let contact = self.contacts.entry(agent.id).or_insert(ContactRow {
                    connected: false,
                    heard_at: now,
                    renewed: None,
                    disk: DiskState::Works,
                });
                (contact.connected, contact.renewed) = (false, None);
            }
        }
    }

    /// A broken store: tells agents the rulings that they were told before.
    pub(crate) fn take_rulings_of(&mut self, before: &Self) {
        for (agent, table) in &mut self.tables {
            let Some(before) = before.tables.get(agent) else {
                continue;
            };
            let is_ruling = |key: &EntryKey| key.kind == EntryKind::Ruling;
            table.rows.retain(|key, _| !is_ruling(key));
            let rulings = before.rows.iter().filter(|(key, _)| is_ruling(key));
            table
                .rows
                .extend(rulings.map(|(key, row)| (*key, row.clone())));
            // Nothing else is other than before.
            if let (Some(head), Some(before)) = (&mut table.head, before.head) {
                head.hash = before.hash;
            }
        }
    }

    /// Keeps an acknowledgement, and confirms what waited for it.
    pub(crate) fn acknowledge(
        &mut self,
        agent: AgentId,
        (revision, up_to): (Revision, Revision),
        above: &[Revision],
        now: Timestamp,
    ) {
        let acknowledged = self.acknowledged.entry(agent).or_default();
        *acknowledged = (*acknowledged).max(revision);
        for row in &mut self.confirmations {
            let listed = row.confirms == Confirms::Refuse && above.contains(&row.revision);
            if row.agent == agent && (row.revision <= up_to || listed) && row.confirmed_at.is_none()
            {
                row.confirmed_at = Some(now);
            }
        }
        for ((of, _), versions) in &mut self.versions {
            let newest = versions.range(..=up_to).next_back().map(|it| *it.0);
            if let Some(newest) = newest.filter(|_| *of == agent) {
                *versions = versions.split_off(&newest);
            }
        }
    }

    /// The server has just started: no agent is connected.
    pub(crate) fn server_started(&mut self, uptime: Uptime) {
        for contact in self.contacts.values_mut() {
            contact.connected = false;
        }
        self.serving = Some(uptime);
    }

    /// Notes at which doors that are not heard the time limit has been counted out.
    pub(crate) fn note_ended_limits(&mut self, uptime: Uptime, now: Timestamp) {
        for number in 0..self.confirmations.len() {
            let row = &self.confirmations[number];
            let silent = self
                .contacts
                .get(&row.agent)
                .is_some_and(|contact| !contact.connected);
            if row.confirms == Confirms::Refuse
                && row.confirmed_at.is_none()
                && row.ended_at.is_none()
                && silent
                && let DoorStanding::EndedByLimit { at } =
                    confirmation::standing(&self.facts(row, uptime, now), now, now)
            {
                self.confirmations[number].ended_at = Some(at);
            }
        }
    }

    /// Notes whether an agent's disk keeps what it is told.
    pub(crate) fn disk(&mut self, agent: AgentId, state: DiskState) {
        if let Some(contact) = self.contacts.get_mut(&agent) {
            contact.disk = state;
        }
    }

    /// Whether the disk of an agent that is connected is said to fail.
    pub(crate) fn disk_fails(&self, agent: AgentId) -> bool {
        self.contacts
            .get(&agent)
            .is_some_and(|contact| contact.connected && contact.disk == DiskState::Fails)
    }

    /// Notes that an agent was heard.
    pub(crate) fn contact(&mut self, agent: AgentId, heard: Heard, uptime: Uptime, now: Timestamp) {
        let connected = heard != Heard::Gone;
        let row = self.contacts.entry(agent).or_insert(ContactRow {
            connected,
            heard_at: now,
            renewed: None,
            disk: DiskState::Works,
        });
        row.connected = connected;
        if heard == Heard::Connected {
            row.disk = DiskState::Works;
        }
        if connected {
            row.heard_at = now;
        }
        if heard != Heard::AsksRenewal {
            return;
        }
        // After a restore a renewal counts once the agent has acknowledged something since.
        if self.restored_at <= self.acknowledged.get(&agent).copied() {
            row.renewed = Some(Renewal {
                at: now,
                by: Some(uptime),
            });
        }
        let renewed = row.renewed;
        for row in &mut self.confirmations {
            if row.agent == agent && row.confirmed_at.is_none() && row.renewed.is_none() {
                row.renewed = renewed;
            }
        }
    }
}

impl Ledger for Books {
    fn identity(&self) -> StoreIdentity {
        self.identity
    }

    fn head(&self) -> Result<Revision, StoreError> {
        Ok(self.memory.revision)
    }

    fn tree(&mut self) -> Result<(Revision, TreeHash), StoreError> {
        Ok((Revision::new(self.peaks.size()), self.peaks.root()))
    }

    fn newest_checkpoint(&self) -> Result<Option<SignedCheckpoint>, StoreError> {
        Ok(self.newest.clone())
    }

    fn keep_checkpoint(
        &mut self,
        _: &Checkpoint,
        signed: &SignedCheckpoint,
    ) -> Result<(), StoreError> {
        self.newest = Some(signed.clone());
        Ok(())
    }

    fn carried_out(&self, id: CommandId) -> Result<Option<Revision>, StoreError> {
        Ok(self.carried_out.get(&id).copied())
    }

    fn remember(
        &mut self,
        id: CommandId,
        revision: Revision,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        self.carried_out.insert(id, revision);
        Ok(())
    }

    fn apply(
        &mut self,
        actor: Actor,
        revision: Revision,
        change: &Change,
        salt: [u8; 16],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.memory.apply(actor, change, now);
        if let Some((_, subject, ruled)) = ruled_by(change) {
            self.subjects.insert(revision, subject);
            if !ruled.refuses() {
                self.lifted.insert(subject, revision);
            }
        }
        if matches!(change, Change::Restored(_)) {
            self.restored(revision, now);
        }
        let last = self.peaks.size();
        let leaf = [&salt[..], &revision.number().to_be_bytes()].concat();
        for (level, hash) in (0..).zip(self.peaks.push(TreeHash::leaf(&leaf))) {
            self.nodes.insert((level, last >> level), hash);
        }
        if self.peaks.size() == revision.number() {
            Ok(())
        } else {
            Err(StoreError::Damaged("the log is not as long as its tree"))
        }
    }

    fn people_with(
        &self,
        groups: &BTreeSet<GroupId>,
        policies: &BTreeSet<PolicyId>,
    ) -> Result<BTreeSet<UserId>, StoreError> {
        let people = self.memory.users.iter().filter(|(_, record)| match record {
            UserRecord::Present(user) => {
                !user.groups.is_disjoint(groups) || !user.policies.is_disjoint(policies)
            }
            UserRecord::Removed(_) => false,
        });
        Ok(people.map(|(id, _)| *id).collect())
    }

    fn entry_keys(&self, agent: AgentId) -> Result<BTreeSet<EntryKey>, StoreError> {
        let table = self.tables.get(&agent);
        let rows = table.into_iter().flat_map(|table| &table.rows);
        Ok(rows
            .filter(|(_, (_, row))| row.is_some())
            .map(|(key, _)| *key)
            .collect())
    }

    fn agents_with(&self, key: EntryKey) -> Result<BTreeSet<AgentId>, StoreError> {
        let knowing = self
            .tables
            .iter()
            .filter(|(_, table)| table.rows.contains_key(&key));
        Ok(knowing.map(|(agent, _)| *agent).collect())
    }

    fn entry(&self, agent: AgentId, key: EntryKey) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.tables.get(&agent).and_then(|it| it.rows.get(&key));
        Ok(row.and_then(|(_, row)| row.clone()))
    }

    fn write_entry(
        &mut self,
        agent: AgentId,
        key: EntryKey,
        revision: Revision,
        encoded: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let rows = &mut self.tables.entry(agent).or_default().rows;
        rows.insert(key, (revision, encoded.map(<[u8]>::to_vec)));
        if key.kind == EntryKind::Door {
            let version = encoded.and_then(|bytes| match Entry::decode(bytes) {
                Ok(Entry::Door(door)) => Some(door),
                Ok(_) | Err(_) => None,
            });
            let door = DoorId::from_bytes(key.id);
            self.versions
                .entry((agent, door))
                .or_default()
                .insert(revision, version);
        }
        Ok(())
    }

    fn table_head(&self, agent: AgentId) -> Result<Option<TableHead>, StoreError> {
        Ok(self.head_of(agent))
    }

    fn write_table_head(&mut self, agent: AgentId, head: TableHead) -> Result<(), StoreError> {
        self.tables.entry(agent).or_default().head = Some(head);
        Ok(())
    }

    fn admissions(&self, user: UserId) -> Result<Vec<Ruling>, StoreError> {
        let credentials = self.memory.credentials.values();
        let held = credentials
            .filter(|credential| credential.user == user)
            .map(|credential| (*credential.id.as_bytes(), Ruled::Usable));
        let subjects = [(*user.as_bytes(), Ruled::Admitted)]
            .into_iter()
            .chain(held);
        Ok(subjects
            .filter_map(|(subject, ruled)| {
                let revision = *self.memory.readmitted.get(&subject)?;
                let mut ended = self.memory.known.iter();
                let epoch = ended.find(|(_, last)| *last >= revision);
                Some(Ruling {
                    subject,
                    ruled,
                    epoch: epoch.map_or(self.identity.epoch, |(epoch, _)| *epoch),
                    revision,
                })
            })
            .collect())
    }

    fn awaited(&self, agent: AgentId) -> Result<BTreeSet<UserId>, StoreError> {
        let rows = self.confirmations.iter().filter(|row| {
            row.agent == agent && row.confirms == Confirms::Refuse && row.confirmed_at.is_none()
        });
        Ok(rows.map(|row| row.user).collect())
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
        let (latest, rows) = self.latest.entry(user).or_default();
        if *latest != revision {
            (*latest, *rows) = (revision, Vec::new());
        }
        rows.push(self.confirmations.len());
        self.confirmations.push(Confirmation {
            user,
            revision,
            door,
            agent,
            confirms,
            decided_at: now,
            confirmed_at: None,
            ended_at: None,
            renewed: self.contacts.get(&agent).and_then(|it| it.renewed),
        });
        Ok(())
    }
}

macro_rules! from_memory {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl Records for Books {
            type Error = StoreError;
            $(fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                Ok(self.memory.$name($($argument),*).unwrap_or_else(|never| match never {}))
            })+

            fn doors_not_confirmed(
                &self,
                user: UserId,
                now: Timestamp,
            ) -> Result<Vec<DoorId>, StoreError> {
                let Some(UserRecord::Present(person)) = self.memory.users.get(&user) else {
                    return Ok(Vec::new());
                };
                let Standing::Deactivated(ended) = &person.standing else {
                    return Ok(Vec::new());
                };
                let rows = self.confirmations.iter();
                let open = rows
                    .filter(|row| row.user == user && row.revision == ended.revision)
                    .map(|row| self.facts(row, self.uptime, now))
                    .filter(|facts| {
                        !confirmation::is_settled(confirmation::standing(facts, ended.at, now))
                    });
                Ok(open.map(|facts| facts.door).collect())
            }

            fn known_of(&self, epoch: Epoch) -> Result<Option<Revision>, StoreError> {
                if epoch == self.identity.epoch {
                    return Ok(Some(Revision::new(u64::MAX)));
                }
                Ok(self.memory.known_of(epoch).unwrap_or_else(|never| match never {}))
            }

            fn readmitted(&self, subject: &[u8; 16]) -> Result<Option<Revision>, StoreError> {
                Ok(self.memory.readmitted(subject).unwrap_or_else(|never| match never {}))
            }
        }
    };
}

from_memory! {
    user(id: UserId) -> Option<UserRecord>;
    credential(id: CredentialId) -> Option<Credential>;
    credentials_of(user: UserId) -> Vec<Credential>;
    pin_use(pin: &PinDigest, now: Timestamp) -> PinUse;
    card_use(token: &CardToken) -> CardUse;
    plate_holders(plate: &Plate) -> Vec<Credential>;
    pin_refusals(actor: Actor, since: Timestamp) -> u64;
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
    server_addresses() -> ServerAddresses;
    mail_server() -> Option<MailServer>;
    checkpoint_mail() -> Option<CheckpointMail>;
    webhook() -> Option<Webhook>;
    alerts_chosen(operator: OperatorId) -> Option<BTreeSet<AlertKind>>;
    calendars_from() -> i16;
}
