//! One agent's connection: carries bytes in and out of the server's end of the link, and reads
//! and writes the store for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, DiskState};
use offgate_core::checkpoint::Checkpoint;
use offgate_core::command::Command;
use offgate_core::disagreement::Disagreement;
use offgate_core::id::CommandId;
use offgate_core::parameters::Revision;
use offgate_core::question;
use offgate_core::records::Records as _;
use offgate_core::ruling::Ruling;
use offgate_core::table::entry::RulingEntry;
use offgate_link::frame;
use offgate_link::message::{Seen, ToServer};
use offgate_link::server_end::{
    self, History, Input, OVERTAKING_AT_ONCE, Output, QUESTIONS, Refusals, Rest, ServerEnd, Table,
};
use offgate_store::questions::NewAnswer;
use offgate_store::{Heard, Outcome, Receipt, StoreError, Verdict, Witnessed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Shared;
use crate::agents::Presence;
use crate::listener::Stream;

/// How long a frame may take to be taken. A door that does not read is given up, so that it
/// comes back and catches up.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
enum Over {
    #[error("the connection ended")]
    Connection(#[from] std::io::Error),
    #[error("ended by the protocol")]
    Protocol,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the agent has no table")]
    NoTable,
}

/// Talks with an agent until one of both ends it.
pub(crate) async fn hold(stream: Stream, agent: Agent, shared: &Arc<Shared>) {
    let ended = CancellationToken::new();
    let number = shared.agents.arrived(agent.id, ended.clone());
    let id = agent.id;
    tracing::info!(agent = %id, "agent connected");
    let over = tokio::select! {
        () = ended.cancelled() => None,
        over = talk(stream, agent, shared) => Some(over),
    };
    if let Some(Err(reason)) = over {
        tracing::info!(agent = %id, %reason, "conversation over");
    }
    if shared.agents.left(id, number) == Presence::Gone
        && let Err(error) = shared.store.record_contact(id, Heard::Gone).await
    {
        tracing::error!(%error, agent = %id, "could not note that an agent is gone");
    }
}

struct Talk<'s> {
    stream: Stream,
    agent: Agent,
    shared: &'s Arc<Shared>,
    end: ServerEnd,
    started: Instant,
    /// The head of the agent's table when it was last looked at.
    head: Option<Revision>,
    questions: Questions,
}

/// How long a question waits: a refusal that is still on its way to other doors goes ahead of it.
const ASK_AFTER: Duration = Duration::from_millis(250);

/// Whether there may be something to ask the agent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Questions {
    /// Not since it was last looked.
    None,
    /// There may be; it is looked from then on.
    From(Instant),
}

impl Questions {
    /// There may be something to ask; what waits already waits no longer for it.
    fn perhaps(&mut self) {
        if *self == Self::None {
            *self = Self::From(Instant::now() + ASK_AFTER);
        }
    }

    /// Waits until it is to be looked.
    async fn are_due(self) {
        match self {
            Self::None => std::future::pending().await,
            Self::From(due) => tokio::time::sleep_until(due).await,
        }
    }
}

async fn talk(stream: Stream, agent: Agent, shared: &Arc<Shared>) -> Result<(), Over> {
    let reader = shared.store.read();
    let doors = reader.doors_of(agent.id)?.into_iter();
    let who = server_end::Agent {
        key: agent.key,
        doors: doors.map(|door| (door.id, door.name)).collect(),
        addresses: reader.server_addresses()?,
    };
    let identity = shared.store.identity();
    let end = ServerEnd::new(
        who,
        identity.store,
        identity.epoch,
        shared.clock.now(),
        Duration::ZERO,
    );
    shared
        .store
        .record_contact(agent.id, Heard::Connected)
        .await?;
    let mut talk = Talk {
        stream,
        agent,
        shared,
        end,
        started: Instant::now(),
        head: None,
        questions: Questions::From(Instant::now()),
    };
    let mut changed = shared.store.changed();
    let mut decoder = frame::Decoder::default();
    let mut bytes = vec![0; 16 * 1024];
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            read = talk.stream.read(&mut bytes) => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                decoder.extend(&bytes[..read]);
                loop {
                    let input = match decoder.next_body() {
                        Ok(None) => break,
                        Ok(Some(body)) => ToServer::decode(&body).map_or(Input::Malformed, Input::Message),
                        Err(_) => Input::Malformed,
                    };
                    talk.handle(input).await?;
                }
            }
            woken = changed.changed() => {
                if woken.is_err() {
                    return Ok(());
                }
                talk.look().await?;
                talk.questions.perhaps();
            }
            () = talk.questions.are_due() => talk.ask().await?,
            _ = tick.tick() => talk.handle(Input::Tick(shared.clock.now())).await?,
        }
    }
}

impl Talk<'_> {
    /// Looks whether there is something new for this agent; most commits concern others.
    async fn look(&mut self) -> Result<(), Over> {
        let reader = self.shared.store.read();
        if let Some(door) = reader.agent(self.agent.id)?
            && door.state != self.agent.state
        {
            return Err(Over::Protocol);
        }
        let head = reader.table_head(self.agent.id)?.map(|head| head.revision);
        if head != self.head {
            self.head = head;
            self.handle(Input::Woken).await?;
        }
        Ok(())
    }

    /// Asks the agent what is to be asked, as far as it may be asked now.
    async fn ask(&mut self) -> Result<(), Over> {
        self.questions = Questions::None;
        if self.end.may_ask() == 0 {
            self.questions.perhaps();
            return Ok(());
        }
        let now = self.shared.clock.now();
        let reader = self.shared.store.read();
        // What it has not answered yet is among them, and is not asked again.
        for question in reader.open_questions(self.agent.id, QUESTIONS, now)? {
            self.handle(Input::Ask(question)).await?;
        }
        Ok(())
    }

    async fn handle(&mut self, input: Input) -> Result<(), Over> {
        let mut outputs: VecDeque<Output> = self.end.handle(input, self.started.elapsed()).into();
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Send(message) => {
                    let frame = frame::encode(&message.encode()).map_err(|_| Over::Protocol)?;
                    tokio::time::timeout(WRITE_WITHIN, self.stream.write_all(&frame))
                        .await
                        .map_err(std::io::Error::from)??;
                }
                Output::Read(since) => {
                    let table = self.read(since)?;
                    outputs.extend(self.end.handle(Input::Read(table), self.started.elapsed()));
                }
                Output::ReadRefusals(since) => {
                    let refusals = Input::Refusals(self.refusals(since)?);
                    outputs.extend(self.end.handle(refusals, self.started.elapsed()));
                }
                Output::Acknowledged {
                    acknowledgement,
                    up_to,
                    refused,
                    statement,
                    signature,
                } => {
                    let receipt = Receipt {
                        revision: acknowledgement.revision,
                        up_to,
                        above: refused,
                        statement,
                        signature,
                    };
                    let store = &self.shared.store;
                    store.record_acknowledgement(self.agent.id, receipt).await?;
                    // It is asked about what it has confirmed.
                    self.questions.perhaps();
                }
                Output::Prove(size) => {
                    let history = self.history(size)?;
                    let shown = Input::History(history);
                    outputs.extend(self.end.handle(shown, self.started.elapsed()));
                }
                Output::Witnessed(seen) => self.witness(seen, Verdict::Seen).await?,
                Output::Doubted(seen) => {
                    tracing::error!(
                        agent = %self.agent.id, size = seen.size,
                        "an agent says that the log does not continue what it has seen"
                    );
                    self.witness(seen, Verdict::Doubted).await?;
                }
                Output::Disagrees(disagreement) => {
                    // That there is none is no news of an agent that has just joined.
                    if let Disagreement::Another(revision) = disagreement {
                        tracing::error!(
                            agent = %self.agent.id, %revision,
                            "an agent's table is not the one that it should be"
                        );
                    }
                    let store = &self.shared.store;
                    store
                        .record_disagreement(self.agent.id, disagreement)
                        .await?;
                }
                Output::Testimony(rulings) => self.take_over(rulings).await?,
                // On record before anything is read for the answer: the bound for a door that is cut
                // off is counted from here, for every refusal that comes after it and for no other.
                Output::AsksRenewal => {
                    self.shared
                        .store
                        .record_contact(self.agent.id, Heard::AsksRenewal)
                        .await?;
                }
                Output::Store { lost, events } => {
                    let store = &self.shared.store;
                    if let Some(up_to) = store.record_events(self.agent.id, lost, events).await? {
                        let stored = Input::EventsStored(up_to);
                        outputs.extend(self.end.handle(stored, self.started.elapsed()));
                    }
                }
                Output::Positions(said) => {
                    let store = &self.shared.store;
                    store.record_positions(self.agent.id, said).await?;
                }
                Output::Disk(state) => {
                    if state == DiskState::Fails {
                        tracing::error!(agent = %self.agent.id, "an agent's disk fails: it cannot confirm");
                    }
                    self.shared.store.record_disk(self.agent.id, state).await?;
                }
                Output::Answered {
                    question,
                    answer,
                    statement,
                    signature,
                } => {
                    let verdict = answer.verdict();
                    if verdict == question::Verdict::Admits {
                        tracing::error!(
                            agent = %self.agent.id, door = %answer.door,
                            credential = %answer.credential,
                            "a door says that it would admit what must be refused"
                        );
                    }
                    let answer = NewAnswer {
                        question: question.id,
                        verdict,
                        statement,
                        signature,
                    };
                    let store = &self.shared.store;
                    store.record_answer(self.agent.id, answer).await?;
                    self.questions.perhaps();
                }
                Output::Close(_) => return Err(Over::Protocol),
            }
        }
        Ok(())
    }

    /// Refusals that the table will come to later.
    fn refusals(&self, since: Revision) -> Result<Refusals, Over> {
        let read =
            self.shared
                .store
                .read()
                .refusals_since(self.agent.id, since, OVERTAKING_AT_ONCE)?;
        let (head, rulings) = read.ok_or(Over::NoTable)?;
        let last = rulings.last().and_then(RulingEntry::ruling);
        Ok(match last {
            Some(last) if rulings.len() == OVERTAKING_AT_ONCE => Refusals {
                rulings,
                up_to: last.revision,
                rest: Rest::More,
            },
            _ => Refusals {
                rulings,
                up_to: head.revision,
                rest: Rest::Nothing,
            },
        })
    }

    /// Has the store take over what it has forgotten of what this agent shows. What this store has
    /// not sealed is somebody's invention.
    async fn take_over(&self, shown: Vec<RulingEntry>) -> Result<(), Over> {
        let store = self.shared.store.identity().store;
        let count = shown.len();
        let sealed: Vec<Ruling> = shown
            .iter()
            .filter_map(|entry| {
                let ruling = entry.ruling()?;
                let seal = self.shared.keys.seal(&ruling.statement(store));
                (seal == entry.seal()).then_some(ruling)
            })
            .collect();
        if sealed.len() < count {
            tracing::error!(
                agent = %self.agent.id, count = count - sealed.len(),
                "an agent shows refusals that this store never sealed; they are ignored"
            );
        }
        let id = CommandId::random(&*self.shared.randomness);
        let actor = Actor::TestifyingAgent(self.agent.id);
        let command = Command::TakeOver(sealed);
        match self.shared.store.execute(id, actor, command).await? {
            Outcome::Done { .. } => Ok(()),
            Outcome::Refused(refusal) => {
                tracing::error!(%refusal, "what an agent showed could not be taken over");
                Err(Over::Protocol)
            }
        }
    }

    async fn witness(&self, seen: Seen, verdict: Verdict) -> Result<(), Over> {
        let Seen { epoch, size, root } = seen;
        let seen = Witnessed {
            epoch,
            size,
            root,
            verdict,
        };
        let store = &self.shared.store;
        Ok(store.record_witness(self.agent.id, seen).await?)
    }

    /// The newest checkpoint, and that it continues one of this size, if it can.
    fn history(&self, size: Option<u64>) -> Result<History, Over> {
        let reader = self.shared.store.read();
        let signed = reader.newest_checkpoint()?;
        let checkpoint = Checkpoint::read(&signed.statement)
            .map_err(|_| StoreError::Damaged("a checkpoint that is none"))?;
        let proof = match size {
            Some(size) if size <= checkpoint.size => {
                reader.consistency(Revision::new(size), Revision::new(checkpoint.size))?
            }
            // The agent tells by the sizes.
            Some(_) | None => Vec::new(),
        };
        Ok(History {
            checkpoint,
            signed,
            proof,
        })
    }

    fn read(&mut self, since: Option<Revision>) -> Result<Table, Over> {
        let reader = self.shared.store.read();
        let changes = reader
            .table_since(self.agent.id, since)?
            .ok_or(Over::NoTable)?;
        let (revision, hash) = (changes.head.revision, changes.head.hash);
        self.head = Some(revision);
        let puts = changes.puts.into_iter().map(|(_, bytes)| bytes).collect();
        Ok(match since {
            Some(since) if since == revision => Table::Same { hash },
            // An agent that is ahead of the store holds what this store never said.
            Some(since) if since < revision => Table::Changed {
                deletes: changes.deletes,
                puts,
                revision,
                hash,
            },
            Some(_) => {
                let whole = reader
                    .table_since(self.agent.id, None)?
                    .ok_or(Over::NoTable)?;
                Table::Whole {
                    puts: whole.puts.into_iter().map(|(_, bytes)| bytes).collect(),
                    revision: whole.head.revision,
                    hash: whole.head.hash,
                }
            }
            None => Table::Whole {
                puts,
                revision,
                hash,
            },
        })
    }
}
