//! The one thread that writes.
//!
//! It takes every job that is waiting into one transaction (group commit), judges each command
//! against the state the one before it left, signs for the log if that has grown, and answers after
//! the commit. A batch that fails is run again job by job, so that one bad job costs its neighbours nothing but time.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::agent::DiskState;
use offgate_core::alert::{Alert, AlertKind};
use offgate_core::change::Change;
use offgate_core::command::Command;
use offgate_core::disagreement::Disagreement;
use offgate_core::door_event::DoorEvent;
use offgate_core::door_position::SaidPosition;
use offgate_core::id::{AgentId, CommandId, LetterId, QuestionId, UserId};
use offgate_core::log::Person;
use offgate_core::mail::Posting;
use offgate_core::parameters::{Clock, Randomness, Timestamp};
use tokio::sync::{oneshot, watch};

use crate::alerts;
use crate::carry_out::{Outcome, carry_out};
use crate::checkpoint::{self, StoreSigner};
use crate::engine::{Batch, Engine, Forgotten, Heard, Receipt, Verdict, Witnessed};
use crate::error::StoreError;
use crate::outbox::{Attempt, Posted};
use crate::questions::{ConfirmedRefusal, NewAnswer, NewQuestion};
use crate::sign_in::{LinkPurpose, SecretHash, SignInChange};

/// How many jobs go into one transaction.
const BATCH: usize = 256;

/// How long after an erasure its traces are looked for again, while somebody was reading.
const FORGET_AGAIN: Duration = Duration::from_millis(200);

/// What is written.
pub(crate) enum Job {
    Command {
        id: CommandId,
        actor: Actor,
        command: Box<Command>,
    },
    Acknowledge {
        agent: AgentId,
        receipt: Receipt,
        /// When it came. Its turn to be written may come later, behind everybody else's.
        at: Timestamp,
    },
    /// Ask the doors whether they refuse somebody.
    AskDoors(UserId),
    Answered {
        agent: AgentId,
        answer: Box<NewAnswer>,
        /// When it came.
        at: Timestamp,
    },
    Contact {
        agent: AgentId,
        heard: Heard,
    },
    Positions {
        agent: AgentId,
        said: Vec<SaidPosition>,
    },
    Disk {
        agent: AgentId,
        state: DiskState,
    },
    Witness {
        agent: AgentId,
        seen: Witnessed,
    },
    Disagreement {
        agent: AgentId,
        disagreement: Disagreement,
    },
    Events {
        agent: AgentId,
        lost: u64,
        events: Vec<DoorEvent>,
    },
    Raise(Vec<Alert>),
    TellTries,
    ForgetTraces,
    ForgetEvents {
        before: Timestamp,
        at_most: usize,
    },
    PostCheckpoint {
        posting: Box<Posting>,
        was_due: Timestamp,
        next: Timestamp,
    },
    Attempted {
        letter: LetterId,
        attempt: Attempt,
    },
    ForgetLetters {
        before: Timestamp,
        at_most: usize,
    },
    ServerStarted,
    NoteEndedLimits,
    SignIn(SignInChange),
    UseLink(SecretHash),
}

impl Job {
    /// Who has to be woken when it is done.
    const fn concerns(&self) -> Concerns {
        match self {
            Self::Command { .. } | Self::AskDoors(_) => Concerns::Doors,
            Self::Acknowledge { .. }
            | Self::Answered { .. }
            | Self::Positions { .. }
            | Self::Disk { .. }
            | Self::Disagreement { .. }
            | Self::Events { .. }
            | Self::ForgetEvents { .. }
            | Self::PostCheckpoint { .. }
            | Self::Attempted { .. }
            | Self::NoteEndedLimits
            | Self::ServerStarted => Concerns::Pages,
            Self::Contact { heard, .. } => match heard {
                Heard::Connected | Heard::Gone => Concerns::Pages,
                // Every agent renews every few seconds; no page changes by it.
                Heard::AsksRenewal => Concerns::Nobody,
            },
            Self::Witness { seen, .. } => match seen.verdict {
                Verdict::Doubted => Concerns::Pages,
                Verdict::Seen => Concerns::Nobody,
            },
            Self::SignIn(_)
            | Self::UseLink(_)
            | Self::Raise(_)
            | Self::TellTries
            | Self::ForgetTraces
            | Self::ForgetLetters { .. } => Concerns::Nobody,
        }
    }
}

/// Whom a job concerns: each is also everything before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Concerns {
    Nobody,
    Pages,
    Doors,
}

/// What is answered when a job is done.
#[derive(Debug)]
pub(crate) enum Answer {
    Command(Outcome),
    Noted,
    /// How many questions wait for their answers.
    Asked(usize),
    EventsKept(Option<u64>),
    Forgotten(usize),
    Posted(Posted),
    Link(Option<LinkPurpose>),
}

pub(crate) struct Request {
    pub(crate) job: Job,
    pub(crate) answer: oneshot::Sender<Result<Answer, StoreError>>,
}

/// A number that rises whenever there is something new to look at.
pub type Pulse = u64;

/// Wakes whoever waits for news.
#[derive(Clone)]
pub(crate) struct Pulses {
    /// Commands were carried out.
    pub(crate) changed: Arc<watch::Sender<Pulse>>,
    /// That, or something was heard of a door.
    pub(crate) heard: Arc<watch::Sender<Pulse>>,
}

impl Pulses {
    pub(crate) fn changed(&self) {
        self.changed
            .send_modify(|pulse| *pulse = pulse.wrapping_add(1));
        self.heard();
    }

    fn heard(&self) {
        self.heard
            .send_modify(|pulse| *pulse = pulse.wrapping_add(1));
    }
}

pub(crate) struct Writer<E> {
    pub(crate) engine: E,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) signer: Arc<dyn StoreSigner>,
    pub(crate) pulses: Pulses,
    pub(crate) traces: Traces,
}

/// Whether files may still hold what was erased from the records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traces {
    None,
    Left,
}

impl<E: Engine> Writer<E> {
    /// Writes until every handle of the store is gone.
    pub(crate) fn run(mut self, requests: &Receiver<Request>) {
        // A process before this one may have ended between an erasure and this.
        self.forget();
        loop {
            let patience = match self.traces {
                Traces::None => Duration::from_secs(3600),
                Traces::Left => FORGET_AGAIN,
            };
            let first = match requests.recv_timeout(patience) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    self.forget();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut waiting = vec![first];
            while waiting.len() < BATCH
                && let Ok(next) = requests.try_recv()
            {
                waiting.push(next);
            }
            self.write(waiting);
        }
    }

    /// Erases people once more whom the vault knows as erased and the records do not.
    pub(crate) fn repeat_erasures(&mut self, people: Vec<Person>) -> Result<(), StoreError> {
        let randomness = Arc::clone(&self.randomness);
        let jobs: Vec<Job> = people
            .into_iter()
            .map(|person| Job::Command {
                id: CommandId::random(&*randomness),
                actor: Actor::Schedule,
                command: Box::new(Command::RepeatErasure(person)),
            })
            .collect();
        for jobs in jobs.chunks(BATCH) {
            self.batch(&jobs.iter().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn write(&mut self, waiting: Vec<Request>) {
        let jobs: Vec<&Job> = waiting.iter().map(|request| &request.job).collect();
        let concerns = jobs.iter().map(|job| job.concerns()).max();
        let answers: Vec<Result<Answer, StoreError>> = match self.batch(&jobs) {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error) if jobs.len() == 1 => vec![Err(error)],
            // Nothing has happened, or it is found by its command id.
            Err(_) => jobs
                .iter()
                .map(|job| self.batch(&[*job])?.pop().ok_or(StoreError::OutcomeUnknown))
                .collect(),
        };
        match concerns {
            Some(Concerns::Doors) => self.pulses.changed(),
            Some(Concerns::Pages) => self.pulses.heard(),
            Some(Concerns::Nobody) | None => {}
        }
        for (request, answer) in waiting.into_iter().zip(answers) {
            // Whoever asked may have gone; what was asked is done all the same.
            let _ = request.answer.send(answer);
        }
    }

    /// Does all of it in one transaction, or none of it.
    fn batch(&mut self, jobs: &[&Job]) -> Result<Vec<Answer>, StoreError> {
        let (clock, randomness, signer) = (&self.clock, &self.randomness, &self.signer);
        let mut outcomes = Vec::new();
        let mut erased = Erased::Nothing;
        self.engine.batch(&mut |batch| {
            outcomes.clear();
            let before = batch.head()?;
            for job in jobs {
                outcomes.push(perform(
                    batch,
                    job,
                    &**clock,
                    &**randomness,
                    &**signer,
                    &mut erased,
                )?);
            }
            if batch.head()? != before {
                checkpoint::sign(batch, &**signer, clock.now())?;
            }
            Ok(())
        })?;
        if erased == Erased::Somebody {
            self.traces = Traces::Left;
        }
        self.forget();
        Ok(outcomes)
    }

    /// Takes what was erased from the records out of every file too; what somebody's reading keeps
    /// there now is taken out after the next commit, or in a moment.
    fn forget(&mut self) {
        if self.traces == Traces::None {
            return;
        }
        match self.engine.forget() {
            Ok(Forgotten::Everywhere) => self.traces = Traces::None,
            Ok(Forgotten::NotYet) => {}
            Err(error) => tracing::warn!(%error, "what was erased is not out of every file yet"),
        }
    }
}

/// Whether a batch took personal data away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Erased {
    Nothing,
    Somebody,
}

const fn takes_personal_data_away(change: &Change) -> bool {
    matches!(
        change,
        Change::UserRemoved { .. } | Change::UserErased { .. } | Change::OperatorErased(_)
    )
}

fn perform(
    batch: &mut dyn Batch,
    job: &Job,
    clock: &dyn Clock,
    randomness: &dyn Randomness,
    signer: &dyn StoreSigner,
    erased: &mut Erased,
) -> Result<Answer, StoreError> {
    let now = clock.now();
    match job {
        Job::Command { id, actor, command } => {
            let asked = (*id, *actor, &**command);
            let carried = carry_out(batch, asked, randomness, signer, now)?;
            if carried.changes.iter().any(takes_personal_data_away) {
                *erased = Erased::Somebody;
            }
            Ok(Answer::Command(carried.outcome))
        }
        Job::Acknowledge { agent, receipt, at } => {
            let open = if batch.is_chosen(AlertKind::LastDoorConfirmed)? {
                batch.open_refusals(*agent)?
            } else {
                Vec::new()
            };
            let confirmed = batch.acknowledge(*agent, receipt, *at)?;
            for (user, revision) in open {
                if let Some(alert) = batch.confirmed_everywhere(user, revision)? {
                    alerts::raise(batch, &alert, now, randomness)?;
                }
            }
            ask_who_confirmed(batch, *agent, &confirmed, randomness, now)?;
            Ok(Answer::Noted)
        }
        Job::AskDoors(user) => Ok(Answer::Asked(ask_doors(batch, *user, randomness, now)?)),
        Job::Answered { agent, answer, at } => {
            batch.answered(*agent, answer, *at)?;
            Ok(Answer::Noted)
        }
        Job::Contact { agent, heard } => {
            batch.contact(*agent, *heard, now)?;
            Ok(Answer::Noted)
        }
        Job::Positions { agent, said } => {
            batch.positions(*agent, said, now)?;
            Ok(Answer::Noted)
        }
        Job::Disk { agent, state } => {
            batch.disk(*agent, *state, now)?;
            Ok(Answer::Noted)
        }
        Job::Witness { agent, seen } => {
            let (agent, doubted) = (*agent, batch.is_in_doubt(*agent)?);
            batch.witness(agent, *seen, now)?;
            if seen.verdict == Verdict::Doubted && !doubted {
                let alert = Alert::HistoryDoesNotContinue { agent, at: now };
                alerts::raise(batch, &alert, now, randomness)?;
            }
            Ok(Answer::Noted)
        }
        Job::Disagreement {
            agent,
            disagreement,
        } => {
            batch.disagrees(*agent, *disagreement, now)?;
            Ok(Answer::Noted)
        }
        Job::Events {
            agent,
            lost,
            events,
        } => {
            let kept = batch.keep_events(*agent, *lost, events, now)?;
            alerts::events(batch, &kept.new, now, randomness)?;
            Ok(Answer::EventsKept(kept.up_to))
        }
        Job::Raise(alerts) => {
            for alert in alerts {
                alerts::raise(batch, alert, now, randomness)?;
            }
            Ok(Answer::Noted)
        }
        Job::TellTries => {
            alerts::tries_due(batch, now, randomness)?;
            Ok(Answer::Noted)
        }
        Job::ForgetTraces => {
            if batch.owes_keys()? {
                *erased = Erased::Somebody;
            }
            Ok(Answer::Noted)
        }
        Job::ForgetEvents { before, at_most } => {
            Ok(Answer::Forgotten(batch.forget_events(*before, *at_most)?))
        }
        Job::PostCheckpoint {
            posting,
            was_due,
            next,
        } => {
            let posted = match batch.checkpoint_mailed(*was_due, *next)? {
                Posted::Taken => batch.post(posting, now)?,
                other => other,
            };
            Ok(Answer::Posted(posted))
        }
        Job::Attempted { letter, attempt } => {
            batch.attempted(*letter, attempt, now)?;
            Ok(Answer::Noted)
        }
        Job::ForgetLetters { before, at_most } => {
            Ok(Answer::Forgotten(batch.forget_letters(*before, *at_most)?))
        }
        Job::NoteEndedLimits => {
            batch.note_ended_limits()?;
            Ok(Answer::Noted)
        }
        Job::ServerStarted => {
            batch.server_started()?;
            Ok(Answer::Noted)
        }
        Job::SignIn(change) => {
            batch.sign_in(change, now)?;
            Ok(Answer::Noted)
        }
        Job::UseLink(secret) => Ok(Answer::Link(batch.use_link(*secret, now)?)),
    }
}

/// Asks the doors that have just confirmed a refusal about each credential that it refuses.
fn ask_who_confirmed(
    batch: &mut dyn Batch,
    agent: AgentId,
    confirmed: &[ConfirmedRefusal],
    randomness: &dyn Randomness,
    now: Timestamp,
) -> Result<(), StoreError> {
    for refusal in confirmed {
        let refused = batch.refused(refusal.user)?.into_iter();
        for refused in refused.filter(|refused| refused.revision == refusal.revision) {
            let question = NewQuestion {
                id: QuestionId::random(randomness),
                agent,
                door: refusal.door,
                user: refusal.user,
                refused,
            };
            batch.ask(&question, now)?;
        }
    }
    Ok(())
}

/// Asks every door that counts about everything of somebody's that must be refused. Says how many
/// questions wait for their answers.
fn ask_doors(
    batch: &mut dyn Batch,
    user: UserId,
    randomness: &dyn Randomness,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut asked = 0;
    for refused in batch.refused(user)? {
        for (door, agent) in batch.doors_to_ask(user, refused.revision)? {
            let question = NewQuestion {
                id: QuestionId::random(randomness),
                agent,
                door,
                user,
                refused,
            };
            asked += usize::from(batch.ask(&question, now)?);
        }
    }
    Ok(asked)
}
