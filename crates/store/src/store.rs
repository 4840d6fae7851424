//! The handle through which everybody else uses a store.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::agent::DiskState;
use offgate_core::alert::Alert;
use offgate_core::command::Command;
use offgate_core::disagreement::Disagreement;
use offgate_core::door_event::DoorEvent;
use offgate_core::door_position::SaidPosition;
use offgate_core::id::{AgentId, CommandId, LetterId, UserId};
use offgate_core::mail::Posting;
use offgate_core::parameters::{Clock, Randomness, Timestamp};
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use crate::backup::is_half_restored;
use crate::carry_out::Outcome;
use crate::checkpoint::{self, StoreSigner};
use crate::engine::{Engine as _, Heard, Purpose, Receipt, StoreIdentity, Witnessed};
use crate::error::StoreError;
use crate::outbox::{Attempt, Posted};
use crate::questions::NewAnswer;
use crate::reader::Reader;
use crate::sign_in::{LinkPurpose, SecretHash, SignInChange};
use crate::sqlite::{DATABASE_FILE, Sqlite, older_copy, purpose};
use crate::vault::{Erased, RotationStep, Vault, VaultState};
use crate::writer::{Answer, Job, Pulse, Pulses, Request, Traces, Writer};

/// How many jobs may wait for the writer.
const WAITING: usize = 4096;
/// How many connections for reading are kept.
const READERS: usize = 8;
/// How often other processes' commits are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A store. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    requests: SyncSender<Request>,
    changed: watch::Receiver<Pulse>,
    heard: watch::Receiver<Pulse>,
    identity: StoreIdentity,
    readers: Arc<Readers>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
}

/// Connections for reading that nobody uses at the moment.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self {
            path,
            idle: Mutex::new(Vec::new()),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // A panic while a list of connections is pushed to leaves the list as good as it was.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.idle().pop();
        idle.map_or_else(|| Sqlite::open_reader(&self.path), Ok)
    }

    pub(crate) fn give_back(&self, connection: Connection) {
        let mut idle = self.idle();
        if idle.len() < READERS {
            idle.push(connection);
        }
    }
}

impl Store {
    /// Opens the store in a directory, makes both if they are not there, and starts its writer.
    /// `signer` signs for the log, in the transaction of every batch that changes it.
    ///
    /// # Errors
    /// The directory or the database cannot be used, the signer fails, or a newer Offgate made it.
    pub fn open(
        directory: &Path,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        signer: Arc<dyn StoreSigner>,
    ) -> Result<Self, StoreError> {
        if is_half_restored(directory) {
            return Err(StoreError::HalfRestored);
        }
        Self::open_restoring(directory, clock, randomness, signer)
    }

    /// As [`Self::open`], also while a restore is under way: for the restore itself.
    ///
    /// # Errors
    /// As there.
    pub fn open_restoring(
        directory: &Path,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        signer: Arc<dyn StoreSigner>,
    ) -> Result<Self, StoreError> {
        make_private(directory).map_err(StoreError::Directory)?;
        let path = directory.join(DATABASE_FILE);
        make_private_file(&path).map_err(StoreError::Directory)?;
        let vault = Arc::new(Vault::new(directory, Arc::clone(&randomness)));
        if let Err(error) = vault.prepare(clock.now()) {
            // Names in old entries cannot be read and new ones cannot be written; doors go on.
            tracing::error!(%error, "the vault cannot be used");
        }
        let mut engine = Sqlite::open(&path, Arc::clone(&vault), &*randomness, Arc::clone(&clock))?;
        checkpoint::sign_when_opened(&mut engine, &*signer, clock.now())?;
        let identity = engine.identity();
        let (requests, inbox) = sync_channel(WAITING);
        let ((changed, see_changed), (heard, see_heard)) = (watch::channel(0), watch::channel(0));
        let pulses = Pulses {
            changed: Arc::new(changed),
            heard: Arc::new(heard),
        };
        let (not_erased, owes_keys) = (engine.not_erased(), engine.owes_keys()?);
        let readers_clock = Arc::clone(&clock);
        let mut writer = Writer {
            engine,
            clock,
            randomness,
            signer,
            pulses: pulses.clone(),
            traces: if owes_keys {
                Traces::Left
            } else {
                Traces::None
            },
        };
        // Before anything is served: a database from before an erasure must not bring anybody back.
        match not_erased {
            Ok(people) => writer.repeat_erasures(people)?,
            Err(StoreError::Vault(error)) => {
                tracing::error!(%error, "whether anybody in these records was erased is not known");
            }
            Err(error) => return Err(error),
        }
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(&inbox))
            .map_err(StoreError::Directory)?;
        let readers = Arc::new(Readers::new(path));
        let watched = Arc::downgrade(&readers);
        std::thread::Builder::new()
            .name("store-watcher".to_owned())
            .spawn(move || watch_others(&watched, &pulses))
            .map_err(StoreError::Directory)?;
        Ok(Self {
            requests,
            changed: see_changed,
            heard: see_heard,
            identity,
            readers,
            vault,
            clock: readers_clock,
        })
    }

    /// Begins the store of a demo in a directory; [`Store::open`] goes on. What is there already
    /// stays what it is, and is said.
    ///
    /// # Errors
    /// The directory or the database cannot be used.
    pub fn begin_demo(directory: &Path) -> Result<Purpose, StoreError> {
        make_private(directory).map_err(StoreError::Directory)?;
        let path = directory.join(DATABASE_FILE);
        make_private_file(&path).map_err(StoreError::Directory)?;
        purpose::begin_demo(&path)
    }

    /// What the store in a directory is for, without opening it.
    ///
    /// # Errors
    /// There is none, or the database cannot be read.
    pub fn purpose(directory: &Path) -> Result<Purpose, StoreError> {
        purpose::purpose(&Sqlite::open_reader(&directory.join(DATABASE_FILE))?)
    }

    /// Which store this is.
    #[must_use]
    pub const fn identity(&self) -> StoreIdentity {
        self.identity
    }

    /// Judges a command and, if it is accepted, carries it out. The answer comes after the commit.
    /// The same id again gets the same answer.
    ///
    /// # Errors
    /// The store could not do it, or does not know whether it did.
    pub async fn execute(
        &self,
        id: CommandId,
        actor: Actor,
        command: Command,
    ) -> Result<Outcome, StoreError> {
        let asked = self.ask(Job::Command {
            id,
            actor,
            command: Box::new(command),
        })?;
        outcome(asked.await.unwrap_or(Err(StoreError::OutcomeUnknown)))
    }

    /// As [`Self::execute`], for callers without a runtime.
    ///
    /// # Errors
    /// As there.
    pub fn execute_blocking(
        &self,
        id: CommandId,
        actor: Actor,
        command: Command,
    ) -> Result<Outcome, StoreError> {
        let asked = self.ask(Job::Command {
            id,
            actor,
            command: Box::new(command),
        })?;
        outcome(
            asked
                .blocking_recv()
                .unwrap_or(Err(StoreError::OutcomeUnknown)),
        )
    }

    /// Keeps an agent's signed acknowledgement of a revision, which the caller has verified, and
    /// confirms everything that waited for it.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn record_acknowledgement(
        &self,
        agent: AgentId,
        receipt: Receipt,
    ) -> Result<(), StoreError> {
        let at = self.clock.now();
        self.note(Job::Acknowledge { agent, receipt, at }).await
    }

    /// Has every door that counts asked whether it refuses what somebody holds that must be
    /// refused. Says how many questions wait for their answers: of doors that are cut off too, for a
    /// while.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn ask_doors(&self, user: UserId) -> Result<usize, StoreError> {
        let asked = self.ask(Job::AskDoors(user))?;
        questions(asked.await.unwrap_or(Err(StoreError::OutcomeUnknown)))
    }

    /// As [`Self::ask_doors`], for callers without a runtime.
    ///
    /// # Errors
    /// As there.
    pub fn ask_doors_blocking(&self, user: UserId) -> Result<usize, StoreError> {
        let asked = self.ask(Job::AskDoors(user))?;
        questions(
            asked
                .blocking_recv()
                .unwrap_or(Err(StoreError::OutcomeUnknown)),
        )
    }

    /// Keeps an agent's signed answer, which the caller has verified.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn record_answer(&self, agent: AgentId, answer: NewAnswer) -> Result<(), StoreError> {
        let answer = Box::new(answer);
        let at = self.clock.now();
        self.note(Job::Answered { agent, answer, at }).await
    }

    /// Notes that an agent was heard.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn record_contact(&self, agent: AgentId, heard: Heard) -> Result<(), StoreError> {
        self.note(Job::Contact { agent, heard }).await
    }

    /// Keeps how an agent's doors stand: all of them that have a contact, in place of what it said
    /// before. What it says of other doors is dropped.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn record_positions(
        &self,
        agent: AgentId,
        said: Vec<SaidPosition>,
    ) -> Result<(), StoreError> {
        self.note(Job::Positions { agent, said }).await
    }

    /// Keeps whether the disk of an agent that is connected keeps what it is told.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn record_disk(&self, agent: AgentId, state: DiskState) -> Result<(), StoreError> {
        self.note(Job::Disk { agent, state }).await
    }

    /// Keeps that an agent's table is not the one that it should be. That it has none is no news of
    /// one that has acknowledged nothing yet.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn record_disagreement(
        &self,
        agent: AgentId,
        disagreement: Disagreement,
    ) -> Result<(), StoreError> {
        self.note(Job::Disagreement {
            agent,
            disagreement,
        })
        .await
    }

    /// Keeps what an agent says it has seen of the log.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn record_witness(&self, agent: AgentId, seen: Witnessed) -> Result<(), StoreError> {
        self.note(Job::Witness { agent, seen }).await
    }

    /// Notes that a server starts: whoever was connected to an earlier one is not now, and limits of
    /// renewals before this start of the machine are counted from here.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn record_start(&self) -> Result<(), StoreError> {
        self.note(Job::ServerStarted).await
    }

    /// Notes for good which doors refuse by their time limit, where that was counted out since it was
    /// last asked.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn note_ended_limits(&self) -> Result<(), StoreError> {
        if self.read().ended_limits()?.is_empty() {
            return Ok(());
        }
        self.note(Job::NoteEndedLimits).await
    }

    /// Keeps what an agent tells of its doors, each event once. `lost` is how many events it had
    /// to drop before the first of these since it enrolled. Says up to which number all is kept.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn record_events(
        &self,
        agent: AgentId,
        lost: u64,
        events: Vec<DoorEvent>,
    ) -> Result<Option<u64>, StoreError> {
        let asked = self.ask(Job::Events {
            agent,
            lost,
            events,
        })?;
        match asked.await.unwrap_or(Err(StoreError::OutcomeUnknown))? {
            Answer::EventsKept(up_to) => Ok(up_to),
            _ => Err(StoreError::OutcomeUnknown),
        }
    }

    /// Puts alerts into the outbox whose causes come with time, those that are not told already.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn raise(&self, alerts: Vec<Alert>) -> Result<(), StoreError> {
        self.note(Job::Raise(alerts)).await
    }

    /// Tells of tries at doors whose time to be told together is over.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn tell_tries(&self) -> Result<(), StoreError> {
        self.note(Job::TellTries).await
    }

    /// Takes what another process erased out of every file, if that one ended before it could.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn forget_traces(&self) -> Result<(), StoreError> {
        self.note(Job::ForgetTraces).await
    }

    /// Deletes door events of before a moment, the oldest first, at most so many at once. Says how
    /// many went.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn forget_events(
        &self,
        before: Timestamp,
        at_most: usize,
    ) -> Result<usize, StoreError> {
        let asked = self.ask(Job::ForgetEvents { before, at_most })?;
        match asked.await.unwrap_or(Err(StoreError::OutcomeUnknown))? {
            Answer::Forgotten(count) => Ok(count),
            _ => Err(StoreError::OutcomeUnknown),
        }
    }

    /// Puts a letter with a checkpoint into the outbox and says when the next one is due, both or
    /// neither, if this one was still due at `was_due`. When the outbox is full it is left out.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn post_checkpoint(
        &self,
        posting: Posting,
        was_due: Timestamp,
        next: Timestamp,
    ) -> Result<Posted, StoreError> {
        let asked = self.ask(Job::PostCheckpoint {
            posting: Box::new(posting),
            was_due,
            next,
        })?;
        match asked.await.unwrap_or(Err(StoreError::OutcomeUnknown))? {
            Answer::Posted(posted) => Ok(posted),
            _ => Err(StoreError::OutcomeUnknown),
        }
    }

    /// Notes what became of an attempt to send a letter.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn record_attempt(
        &self,
        letter: LetterId,
        attempt: Attempt,
    ) -> Result<(), StoreError> {
        self.note(Job::Attempted { letter, attempt }).await
    }

    /// Deletes letters of before a moment, whatever became of them, at most so many at once. Says
    /// how many went.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn forget_letters(
        &self,
        before: Timestamp,
        at_most: usize,
    ) -> Result<usize, StoreError> {
        let asked = self.ask(Job::ForgetLetters { before, at_most })?;
        match asked.await.unwrap_or(Err(StoreError::OutcomeUnknown))? {
            Answer::Forgotten(count) => Ok(count),
            _ => Err(StoreError::OutcomeUnknown),
        }
    }

    /// Changes who is signed in.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn sign_in(&self, change: SignInChange) -> Result<(), StoreError> {
        self.note(Job::SignIn(change)).await
    }

    /// As [`Self::sign_in`], for callers without a runtime.
    ///
    /// # Errors
    /// As there.
    pub fn sign_in_blocking(&self, change: SignInChange) -> Result<(), StoreError> {
        self.ask(Job::SignIn(change))?
            .blocking_recv()
            .unwrap_or(Err(StoreError::OutcomeUnknown))
            .map(|_| ())
    }

    /// Uses a one-time link up, and says what it was for. Of two who ask at once, one is told.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn use_link(&self, secret: SecretHash) -> Result<Option<LinkPurpose>, StoreError> {
        let asked = self.ask(Job::UseLink(secret))?;
        match asked.await.unwrap_or(Err(StoreError::OutcomeUnknown))? {
            Answer::Link(purpose) => Ok(purpose),
            _ => Err(StoreError::OutcomeUnknown),
        }
    }

    async fn note(&self, job: Job) -> Result<(), StoreError> {
        self.ask(job)?
            .await
            .unwrap_or(Err(StoreError::OutcomeUnknown))
            .map(|_| ())
    }

    fn ask(&self, job: Job) -> Result<oneshot::Receiver<Result<Answer, StoreError>>, StoreError> {
        let (answer, answered) = oneshot::channel();
        match self.requests.try_send(Request { job, answer }) {
            Ok(()) => Ok(answered),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                Err(StoreError::Overloaded)
            }
        }
    }

    /// Removes copies of the database from before its schema was changed that are kept no longer.
    ///
    /// # Errors
    /// The data directory cannot be used.
    pub fn forget_older_copies(&self, now: Timestamp) -> Result<(), StoreError> {
        older_copy::forget_outlived(&self.readers.path, now)
    }

    /// Since when the vault's wrapping key is in use.
    ///
    /// # Errors
    /// The vault cannot be used.
    pub fn wrapping_key_since(&self) -> Result<Timestamp, StoreError> {
        Ok(self.vault.wrapped_since()?)
    }

    /// Replaces the vault's wrapping key: what an old copy of the vault holds cannot be opened
    /// after that. Takes a third of a second for a million people, and tells of every step.
    ///
    /// # Errors
    /// The vault cannot be used; one of both keys opens it.
    pub fn replace_wrapping_key(
        &self,
        now: Timestamp,
        done: &dyn Fn(RotationStep),
    ) -> Result<(), StoreError> {
        Ok(self.vault.rotate(now, done)?)
    }

    /// What changes when the vault has to be backed up at once: when somebody was erased.
    ///
    /// # Errors
    /// The vault cannot be used.
    pub fn vault_state(&self) -> Result<VaultState, StoreError> {
        Ok(self.vault.state()?)
    }

    /// Everybody who was ever erased, in that order.
    ///
    /// # Errors
    /// The vault cannot be used.
    pub fn erasures(&self) -> Result<Vec<Erased>, StoreError> {
        Ok(self.vault.erasures()?)
    }

    /// Rises with every commit of a command, also of another process on this machine (then within
    /// a tenth of a second).
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<Pulse> {
        self.changed.clone()
    }

    /// Rises with that, and whenever an agent acknowledged, told of its doors, came or went: what
    /// pages show may be different.
    #[must_use]
    pub fn heard(&self) -> watch::Receiver<Pulse> {
        self.heard.clone()
    }

    /// What is on record.
    #[must_use]
    pub fn read(&self) -> Reader {
        Reader::new(
            Arc::clone(&self.readers),
            Arc::clone(&self.vault),
            Arc::clone(&self.clock),
        )
    }
}

fn outcome(answer: Result<Answer, StoreError>) -> Result<Outcome, StoreError> {
    match answer? {
        Answer::Command(outcome) => Ok(outcome),
        _ => Err(StoreError::OutcomeUnknown),
    }
}

fn questions(answer: Result<Answer, StoreError>) -> Result<usize, StoreError> {
    match answer? {
        Answer::Asked(questions) => Ok(questions),
        _ => Err(StoreError::OutcomeUnknown),
    }
}

/// Notices what other processes (the command line) wrote, until the store is closed.
fn watch_others(readers: &Weak<Readers>, pulses: &Pulses) {
    let mut last = None;
    while let Some(readers) = readers.upgrade() {
        let seen = readers.take().and_then(|connection| {
            let head = crate::sqlite::tables::head(&connection);
            let asked = crate::sqlite::questions::newest(&connection);
            readers.give_back(connection);
            Ok((head?, asked?))
        });
        drop(readers);
        // What cannot be read now is looked at again the next time.
        if let Ok(seen) = seen
            && last.replace(seen).is_some_and(|last| last != seen)
        {
            pulses.changed();
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
}

fn make_private(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))
}

fn make_private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map(|_| ())
}
