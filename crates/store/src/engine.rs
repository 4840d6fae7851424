//! What a database engine must be able to do.
//!
//! An engine answers what the rules ask ([`Records`]) and applies what they decide, inside one
//! transaction. The writer above it is the same for every engine, and so is the suite of tests
//! that says whether something is one.

use std::collections::BTreeSet;
use std::sync::Arc;

use offgate_core::actor::Actor;
use offgate_core::agent::DiskState;
use offgate_core::alert::{Alert, AlertKind};
use offgate_core::change::Change;
use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::disagreement::Disagreement;
use offgate_core::door_event::DoorEvent;
use offgate_core::door_position::SaidPosition;
use offgate_core::id::{AgentId, CommandId, DoorId, GroupId, LetterId, PolicyId, StoreId, UserId};
use offgate_core::mail::{LetterKind, Posting};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::pin::PinSalt;
use offgate_core::records::Records;
use offgate_core::ruling::Ruling;
use offgate_core::table::compile::Places;
use offgate_core::table::entry::{EntryKey, TableHash};
use offgate_core::text::Email;
use offgate_core::tree::TreeHash;

use crate::alerts::KeptTries;
use crate::error::StoreError;
use crate::outbox::{Attempt, Notice, Posted};
use crate::questions::{ConfirmedRefusal, NewAnswer, NewQuestion, RefusedCredential};
use crate::sign_in::{LinkPurpose, SecretHash, SignInChange};

/// Which store this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreIdentity {
    /// Its id.
    pub store: StoreId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The salt of its PINs.
    pub pin_salt: PinSalt,
}

/// What a store is for; decided when it is made, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Real doors.
    Installation,
    /// Showing Offgate. Everybody may know its PINs, so it must never serve real doors.
    Demo,
}

/// An engine.
pub trait Engine: Send + 'static {
    /// Which store this is.
    fn identity(&self) -> StoreIdentity;

    /// Runs `work` in one transaction and commits it. When `work` fails, nothing has happened.
    ///
    /// # Errors
    /// Those of `work`; [`StoreError::OutcomeUnknown`] when the commit itself failed in a way
    /// that does not tell.
    fn batch(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Batch) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Has the keys of those who were erased destroyed, and takes what was deleted out of every file
    /// the engine keeps.
    ///
    /// # Errors
    /// It could not be done now.
    fn forget(&mut self) -> Result<Forgotten, StoreError>;
}

/// Whether what was deleted is gone from every file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// It is.
    Everywhere,
    /// Somebody was reading; it has to be asked again.
    NotYet,
}

/// Whether a door must come to refuse or to admit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirms {
    /// Refuse.
    Refuse,
    /// Admit.
    Admit,
}

impl Confirms {
    /// The name in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Admit => "admit",
        }
    }

    /// What has this name in rows.
    #[must_use]
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Refuse, Self::Admit]
            .into_iter()
            .find(|confirms| confirms.name() == name)
    }
}

/// A restore from a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreRecord {
    /// The change that noted it.
    pub revision: Revision,
    /// When it was.
    pub at: Timestamp,
    /// When the backup was made.
    pub made_at: Timestamp,
}

/// An agent's signed acknowledgement, which was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The revision of this epoch that its table has reached, as it says.
    pub revision: Revision,
    /// Up to which change everything is confirmed: that revision, or zero if the table is not known
    /// to be the one it should be.
    pub up_to: Revision,
    /// The changes after that whose refusals it follows already.
    pub above: Vec<Revision>,
    /// The bytes it signed.
    pub statement: Vec<u8>,
    /// Its signature.
    pub signature: [u8; 64],
}

/// An agent's table as the store has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableHead {
    /// The revision of the last change that touched it.
    pub revision: Revision,
    /// Its hash.
    pub hash: TableHash,
}

/// What carrying a command out needs of a transaction: the rows, the log, and the door tables.
pub trait Ledger: Records<Error = StoreError> {
    /// Which store this is.
    fn identity(&self) -> StoreIdentity;
    /// The position of the last change.
    ///
    /// # Errors
    /// Here and below: the engine could not do it.
    fn head(&self) -> Result<Revision, StoreError>;
    /// The log as a tree: its size, which is the position of the last change, and its root.
    fn tree(&mut self) -> Result<(Revision, TreeHash), StoreError>;
    /// The newest checkpoint.
    fn newest_checkpoint(&self) -> Result<Option<SignedCheckpoint>, StoreError>;
    /// Keeps a checkpoint, in place of an earlier one of the same day.
    fn keep_checkpoint(
        &mut self,
        checkpoint: &Checkpoint,
        signed: &SignedCheckpoint,
    ) -> Result<(), StoreError>;
    /// The revision that a command with this id led to, if it was carried out.
    fn carried_out(&self, id: CommandId) -> Result<Option<Revision>, StoreError>;
    /// Remembers that a command was carried out, and forgets those of more than a week ago.
    fn remember(
        &mut self,
        id: CommandId,
        revision: Revision,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Applies a change to the rows, and writes its log entry at `revision`, which is the size of
    /// the tree that ends with it.
    fn apply(
        &mut self,
        actor: Actor,
        revision: Revision,
        change: &Change,
        salt: [u8; 16],
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Every door, and every policy with the doors that it names, as they are now.
    fn places(&mut self) -> Result<Arc<Places>, StoreError> {
        Places::read(&*self).map(Arc::new)
    }
    /// People (present ones) directly in one of these groups, or with one of these policies of
    /// their own.
    fn people_with(
        &self,
        groups: &BTreeSet<GroupId>,
        policies: &BTreeSet<PolicyId>,
    ) -> Result<BTreeSet<UserId>, StoreError>;
    /// The keys of every entry an agent's table has.
    fn entry_keys(&self, agent: AgentId) -> Result<BTreeSet<EntryKey>, StoreError>;
    /// The agents whose table has an entry with this key, or had one.
    fn agents_with(&self, key: EntryKey) -> Result<BTreeSet<AgentId>, StoreError>;
    /// The bytes of an entry of an agent's table.
    fn entry(&self, agent: AgentId, key: EntryKey) -> Result<Option<Vec<u8>>, StoreError>;
    /// Writes an entry of an agent's table, or that it is gone.
    fn write_entry(
        &mut self,
        agent: AgentId,
        key: EntryKey,
        revision: Revision,
        encoded: Option<&[u8]>,
    ) -> Result<(), StoreError>;
    /// An agent's table as a whole; none before anything was written.
    fn table_head(&self, agent: AgentId) -> Result<Option<TableHead>, StoreError>;
    /// Writes what an agent's table is as a whole.
    fn write_table_head(&mut self, agent: AgentId, head: TableHead) -> Result<(), StoreError>;
    /// The admissions that are the last word about somebody or about a credential of theirs.
    fn admissions(&self, user: UserId) -> Result<Vec<Ruling>, StoreError>;
    /// The people of whom an agent has still to confirm that it refuses them, or something of theirs.
    fn awaited(&self, agent: AgentId) -> Result<BTreeSet<UserId>, StoreError>;
    /// Notes that a door must confirm a change about a person.
    fn await_confirmation(
        &mut self,
        user: UserId,
        revision: Revision,
        door: DoorId,
        agent: AgentId,
        confirms: Confirms,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

/// One transaction of an engine.
pub trait Batch: Ledger {
    /// Keeps an agent's signed acknowledgement, and confirms what waited for it. Says which refusals
    /// that were, the latest first, at most some thousands.
    ///
    /// # Errors
    /// Here and below: the engine could not do it.
    fn acknowledge(
        &mut self,
        agent: AgentId,
        receipt: &Receipt,
        now: Timestamp,
    ) -> Result<Vec<ConfirmedRefusal>, StoreError>;
    /// What somebody holds that must be refused.
    fn refused(&self, user: UserId) -> Result<Vec<RefusedCredential>, StoreError>;
    /// The doors that count for a refusal and have an agent, with that agent.
    fn doors_to_ask(
        &self,
        user: UserId,
        refusal: Revision,
    ) -> Result<Vec<(DoorId, AgentId)>, StoreError>;
    /// Puts a question to a door, unless the same one is open or too many are. Says whether it
    /// waits now.
    fn ask(&mut self, question: &NewQuestion, now: Timestamp) -> Result<bool, StoreError>;
    /// Keeps an answer of an agent in the place of its question. One to a question that is gone is
    /// dropped.
    fn answered(
        &mut self,
        agent: AgentId,
        answer: &NewAnswer,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Keeps what an agent tells of its doors, each event once; `lost` is how many it had to drop
    /// before the first of these since it enrolled.
    fn keep_events(
        &mut self,
        agent: AgentId,
        lost: u64,
        events: &[DoorEvent],
        now: Timestamp,
    ) -> Result<KeptEvents, StoreError>;
    /// Whether anybody chose to be sent this kind of alert, of those that nobody is sent before they
    /// choose.
    fn is_chosen(&self, kind: AlertKind) -> Result<bool, StoreError>;
    /// How many letters of a kind somebody was sent since a moment, or will be; nobody: the webhook.
    fn sent(
        &self,
        to: Option<&Email>,
        kind: LetterKind,
        since: Timestamp,
    ) -> Result<u64, StoreError>;
    /// Notes that an alert is told, if its cause lasts. Says whether it was not yet.
    fn is_news(&mut self, alert: &Alert) -> Result<bool, StoreError>;
    /// The last tries of a person at a door that are told together.
    fn last_tries(&self, user: UserId, door: DoorId) -> Result<Option<KeptTries>, StoreError>;
    /// Keeps tries in place of earlier ones of the same person at the same door.
    fn keep_tries(&mut self, tries: &KeptTries) -> Result<(), StoreError>;
    /// Tries of which those after the first are to be told by now, the longest due first.
    fn tries_due(&self, now: Timestamp, limit: usize) -> Result<Vec<KeptTries>, StoreError>;
    /// Refusals that an agent has not confirmed, the oldest first; a few hundred at most.
    fn open_refusals(&self, agent: AgentId) -> Result<Vec<(UserId, Revision)>, StoreError>;
    /// The alert that every door has confirmed a deactivation, if this revision is one and they have.
    fn confirmed_everywhere(
        &self,
        user: UserId,
        revision: Revision,
    ) -> Result<Option<Alert>, StoreError>;
    /// Whether an agent says that the log does not continue what it has seen.
    fn is_in_doubt(&self, agent: AgentId) -> Result<bool, StoreError>;
    /// Whether somebody is erased from the records of whom keys or files may still tell.
    fn owes_keys(&self) -> Result<bool, StoreError>;
    /// Deletes door events of before a moment, the oldest first, at most so many. Says how many
    /// went.
    fn forget_events(&mut self, before: Timestamp, at_most: usize) -> Result<usize, StoreError>;
    /// Puts a letter into the outbox, unless too many wait or it is there already.
    fn post(&mut self, posting: &Posting, now: Timestamp) -> Result<Posted, StoreError>;
    /// Puts something for the webhook into the outbox, unless too much waits.
    fn post_notice(&mut self, notice: &Notice, now: Timestamp) -> Result<Posted, StoreError>;
    /// Says when the next checkpoint is to be mailed, if the last one was still due at `was_due`.
    fn checkpoint_mailed(
        &mut self,
        was_due: Timestamp,
        next: Timestamp,
    ) -> Result<Posted, StoreError>;
    /// Notes what became of an attempt to send a letter. One that is gone stays gone.
    fn attempted(
        &mut self,
        letter: LetterId,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Deletes letters of before a moment, whatever became of them, the oldest first, at most so
    /// many. Says how many went.
    fn forget_letters(&mut self, before: Timestamp, at_most: usize) -> Result<usize, StoreError>;
    /// Changes who is signed in.
    fn sign_in(&mut self, change: &SignInChange, now: Timestamp) -> Result<(), StoreError>;
    /// Uses a link up, and says what it was for.
    fn use_link(
        &mut self,
        secret: SecretHash,
        now: Timestamp,
    ) -> Result<Option<LinkPurpose>, StoreError>;
    /// Notes that the server has just started: no agent is connected.
    fn server_started(&mut self) -> Result<(), StoreError>;
    /// Notes at which doors that are not heard the time limit has been counted out, for the refusals
    /// that they have not confirmed.
    fn note_ended_limits(&mut self) -> Result<(), StoreError>;
    /// Keeps what an agent has seen of the log, and whether it goes on from there.
    fn witness(
        &mut self,
        agent: AgentId,
        seen: Witnessed,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Notes that an agent's table is not the one that it should be; that it has none only if it had
    /// acknowledged one in this epoch.
    fn disagrees(
        &mut self,
        agent: AgentId,
        disagreement: Disagreement,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Keeps how an agent's doors stand, in place of what it said before.
    fn positions(
        &mut self,
        agent: AgentId,
        said: &[SaidPosition],
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Notes whether the disk of an agent that is connected keeps what it is told.
    fn disk(&mut self, agent: AgentId, state: DiskState, now: Timestamp) -> Result<(), StoreError>;
    /// Notes that an agent was heard.
    fn contact(&mut self, agent: AgentId, contact: Heard, now: Timestamp)
    -> Result<(), StoreError>;
}

/// What became of events that an agent told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEvents {
    /// Up to which number all are kept.
    pub up_to: Option<u64>,
    /// Those that were not known before.
    pub new: Vec<DoorEvent>,
}

/// What an agent says it has seen of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// The epoch of the checkpoint it holds.
    pub epoch: Epoch,
    /// How many entries the log had then.
    pub size: u64,
    /// The root of their tree.
    pub root: TreeHash,
    /// Whether the log that it was shown goes on from there.
    pub verdict: Verdict,
}

/// What an agent says of the history that it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on from there; a doubt it had is over.
    Seen,
    /// It does not continue what was seen: the log was rewritten or cut, or this store is a copy.
    Doubted,
}

/// How an agent was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It greeted, or said anything.
    Connected,
    /// It asks for its lease. On record before anything is read for the answer.
    AsksRenewal,
    /// Its connection ended.
    Gone,
}
