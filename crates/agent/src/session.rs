//! One connection to a server: carries the link's outputs out, in their order.

use std::sync::Arc;
use std::time::Duration;

use offgate_core::agent::{DiskState, HashKey};
use offgate_core::door_event::DoorEvent;
use offgate_core::id::{DoorId, StoreId};
use offgate_core::question::{Answer, Question};
use offgate_core::table::Table;
use offgate_core::table::entry::Entry;
use offgate_core::text::Title;
use offgate_link::SILENCE;
use offgate_link::acknowledgement::SigningKey;
use offgate_link::agent_end::{AgentEnd, Changes, Ending, Held, Input, Output};
use offgate_link::frame;
use offgate_link::join_token::RootFingerprint;
use offgate_link::message::{EVENTS_LIMIT, LIST_LIMIT, ToAgent, ToServer};
use offgate_link::question;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex, watch};

use crate::clock::BootClock;
use crate::decisions::{Changed, Decisions, Unavailable};
use crate::disk::book::{Durable, Keep, Written};
use crate::disk::keeper::Keeper;
use crate::disk::lease_file::KeptLease;
use crate::disk::snapshot::Contents;
use crate::events::recorder::Recorder;
use crate::positions::Positions;
use crate::servers::Servers;
use crate::table_changes::{beside, delta, hold, whole};
use crate::witness::Witness;

/// All that outlives a connection.
pub(crate) struct Agent {
    pub(crate) store: StoreId,
    pub(crate) hash_key: HashKey,
    pub(crate) key: SigningKey,
    pub(crate) decisions: Decisions,
    pub(crate) keeper: Keeper,
    pub(crate) recorder: Recorder,
    /// Whose history it follows.
    pub(crate) root: RootFingerprint,
    /// What it has seen of that.
    pub(crate) witness: Arc<Mutex<Witness>>,
    pub(crate) boot_clock: Arc<dyn BootClock>,
    pub(crate) doors: watch::Sender<Vec<(DoorId, Title)>>,
    pub(crate) connected: watch::Sender<Connected>,
    /// How its doors stand.
    pub(crate) positions: Positions,
    /// Where it looks for the server.
    pub(crate) servers: Arc<Mutex<Servers>>,
    pub(crate) software: String,
}

/// Whether the server was greeted and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connected {
    Yes,
    No,
    /// It answered, and its history does not continue what was seen.
    Doubted,
}

/// What to ask the server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// What changed since the table on disk.
    Changes,
    /// A whole table: what the two made of changes did not fit together.
    Whole,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Over {
    /// One of the two ended it.
    #[error("the conversation ended: {0:?}")]
    Ended(Ending),
    /// The network ended it.
    #[error("the connection broke")]
    Broken(#[from] std::io::Error),
    /// A thread of this agent has ended, which ends the agent.
    #[error("this agent cannot go on")]
    CannotGoOn,
}

/// Speaks until the connection is over. Dropped only when the whole agent stops: a change may be
/// in memory and not handed to the disk yet.
pub(crate) async fn speak<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    agent: &Agent,
    ask: Ask,
) -> Over {
    let mut speaking = Speaking {
        stream,
        agent,
        told: 0,
        lease_kept: None,
    };
    let over = match speaking.run(ask).await {
        Ok(never) => match never {},
        Err(over) => over,
    };
    let now = match over {
        Over::Ended(Ending::Doubted(doubt)) => {
            tracing::error!(
                %doubt,
                "this server's history does not continue what was seen: nothing is taken from it; \
                 the doors go on with the table they have, while their lease lasts"
            );
            Connected::Doubted
        }
        _ => Connected::No,
    };
    // Only a connection that was greeted counts as a change.
    agent
        .connected
        .send_if_modified(|connected| std::mem::replace(connected, now) == Connected::Yes);
    over
}

struct Speaking<'a, S> {
    stream: S,
    agent: &'a Agent,
    /// The newest event that was sent on this connection.
    told: u64,
    /// The last renewal of this connection that was kept on disk.
    lease_kept: Option<Duration>,
}

/// How often the lease is kept for the next process: often enough for leases that matter to
/// somebody who restarts an agent, and seldom enough for flash.
const LEASE_KEPT_EVERY: Duration = Duration::from_secs(30);

impl<S: AsyncRead + AsyncWrite + Unpin> Speaking<'_, S> {
    async fn run(&mut self, ask: Ask) -> Result<std::convert::Infallible, Over> {
        let agent = self.agent;
        let boot = || agent.boot_clock.now();
        // What is on disk must not lag behind what is in memory when the two are compared with
        // what the server has.
        let settled = agent.keeper.settled().await.filter(|_| ask == Ask::Changes);
        // Refusals of connections before this one.
        let before = agent.keeper.newest().beside;
        let mut durable = agent.keeper.durable();
        let mut kept = agent.recorder.kept();
        let mut positions = agent.positions.follow();
        // The server takes it to work until it is told otherwise.
        let mut disk_told = DiskState::Works;
        let mut end = AgentEnd::new(
            agent.store,
            agent.root,
            agent.witness.lock().await.seen(),
            settled.map(Held::from),
            agent.software.clone(),
            boot(),
        );
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut decoder = frame::Decoder::default();
        let mut arrived = vec![0; 16 * 1024];
        self.carry_out(end.handle(Input::Connected, boot()), &mut end)
            .await?;
        loop {
            let input = tokio::select! {
                read = self.stream.read(&mut arrived) => {
                    let read = read?;
                    if read == 0 {
                        return Err(Over::Broken(std::io::ErrorKind::UnexpectedEof.into()));
                    }
                    decoder.extend(&arrived[..read]);
                    self.hear(&mut decoder, &mut end).await?;
                    None
                }
                changed = durable.changed() => {
                    changed.map_err(|_| Over::CannotGoOn)?;
                    match *durable.borrow_and_update() {
                        Durable::UpTo(Written { table: Some(table), beside }) => {
                            Some(Input::Durable {
                                held: table.into(),
                                overtaken: beside.saturating_sub(before),
                            })
                        }
                        Durable::UpTo(Written { table: None, .. }) | Durable::Failing => None,
                    }
                }
                changed = kept.changed() => {
                    changed.map_err(|_| Over::CannotGoOn)?;
                    None
                }
                () = positions.changed() => None,
                _ = ticks.tick() => Some(Input::Tick),
            };
            if let Some(input) = input {
                self.carry_out(end.handle(input, boot()), &mut end).await?;
            }
            if end.speaks()
                && let Some(said) = positions.untold()
            {
                let outputs = end.handle(Input::Positions(said), boot());
                self.carry_out(outputs, &mut end).await?;
            }
            let disk = durable.borrow().disk();
            if end.speaks() && disk != disk_told {
                disk_told = disk;
                self.carry_out(end.handle(Input::Disk(disk), boot()), &mut end)
                    .await?;
            }
            if end.wants_events() && kept.borrow().durable > self.told {
                self.tell(&mut end).await?;
            }
        }
    }

    async fn hear(&mut self, decoder: &mut frame::Decoder, end: &mut AgentEnd) -> Result<(), Over> {
        loop {
            let input = match decoder.next_body() {
                Ok(None) => return Ok(()),
                Ok(Some(body)) => ToAgent::decode(&body).map_or(Input::Malformed, Input::Message),
                Err(_) => Input::Malformed,
            };
            let outputs = end.handle(input, self.agent.boot_clock.now());
            self.carry_out(outputs, end).await?;
        }
    }

    async fn tell(&mut self, end: &mut AgentEnd) -> Result<(), Over> {
        let batch = self.agent.recorder.after(self.told, EVENTS_LIMIT).await;
        let events: Vec<_> = batch
            .events
            .iter()
            .filter_map(|it| DoorEvent::decode(it))
            .collect();
        self.told = batch.newest;
        let input = Input::Events {
            lost: batch.lost,
            events,
        };
        let outputs = end.handle(input, self.agent.boot_clock.now());
        self.carry_out(outputs, end).await
    }

    async fn carry_out(&mut self, outputs: Vec<Output>, end: &mut AgentEnd) -> Result<(), Over> {
        let agent = self.agent;
        let mut left = std::collections::VecDeque::from(outputs);
        while let Some(output) = left.pop_front() {
            match output {
                Output::Send(message) => self.send(&message).await?,
                Output::Acknowledge(acknowledgement) => {
                    let statement = acknowledgement.statement();
                    let signature = agent.key.sign(&statement).into();
                    let statement = statement.into();
                    self.send(&ToServer::Acknowledge {
                        statement,
                        signature,
                    })
                    .await?;
                }
                Output::Witness(checkpoint) => {
                    let mut witness = Arc::clone(&agent.witness).lock_owned().await;
                    let kept = tokio::task::spawn_blocking(move || witness.keep(checkpoint));
                    if let Err(error) = kept.await.map_err(|_| Over::CannotGoOn)? {
                        tracing::warn!(%error, "what was seen of the log could not be kept");
                    }
                }
                Output::Apply(changes) => {
                    let (changes, keep, becomes) = delta(changes);
                    let changed = agent.decisions.change(changes, becomes.hash).await;
                    match changed.map_err(|_| Over::CannotGoOn)? {
                        Changed::InForce => self.keep(keep).await?,
                        Changed::Mismatch => left = self.mismatch(end),
                    }
                }
                Output::Replace(changes) => match self.build(changes).await? {
                    Some((table, mut contents)) => {
                        let replaced = agent.decisions.replace(table).await;
                        // In the file of the table that lacks them: there is no moment between.
                        hold(&mut contents, replaced.map_err(|_| Over::CannotGoOn)?);
                        self.keep(Keep::Snapshot(contents)).await?;
                    }
                    None => left = self.mismatch(end),
                },
                Output::Hold(refusals) => {
                    let rows = beside(&refusals);
                    let held = agent.decisions.hold(refusals).await;
                    held.map_err(|_| Over::CannotGoOn)?;
                    self.keep(Keep::Beside(rows)).await?;
                }
                Output::Testify(which) => {
                    let refusals = agent.decisions.refusals(which).await;
                    let refusals = refusals.map_err(|_| Over::CannotGoOn)?;
                    for some in refusals.chunks(LIST_LIMIT) {
                        let rulings = some.iter().cloned().map(Entry::Ruling);
                        let rulings = rulings.map(|entry| entry.encode().into()).collect();
                        self.send(&ToServer::Testimony { rulings }).await?;
                    }
                }
                Output::Answer { question, held } => self.answer(question, held).await?,
                Output::LeaseFrom(asked_at) => {
                    // A lease that is not taken now is taken with the next renewal.
                    let _ = agent.decisions.renewed(asked_at);
                    self.keep_lease(asked_at).await?;
                }
                Output::ServerTime(server) => {
                    let _ = agent.decisions.told(server);
                }
                Output::Doors(doors) => {
                    agent.connected.send_replace(Connected::Yes);
                    agent.doors.send_if_modified(|known| {
                        let other = *known != doors;
                        *known = doors;
                        other
                    });
                }
                Output::Addresses(addresses) => {
                    let mut servers = Arc::clone(&agent.servers).lock_owned().await;
                    let kept = tokio::task::spawn_blocking(move || servers.keep(addresses));
                    if let Err(error) = kept.await.map_err(|_| Over::CannotGoOn)? {
                        tracing::warn!(%error, "where the server is found could not be kept");
                    }
                }
                Output::EventsStored(up_to) => agent.recorder.stored(up_to),
                Output::Close(ending) => return Err(Over::Ended(ending)),
            }
        }
        Ok(())
    }

    /// Has the deciding thread say what it would decide, and sends that signed.
    async fn answer(&mut self, question: Question, held: Held) -> Result<(), Over> {
        let asked = match self.agent.decisions.question(question).await {
            Ok(asked) => asked,
            // Far too many people stand at the doors; the server asks again.
            Err(Unavailable) => return Ok(()),
        };
        let statement = question::statement(&Answer {
            store: held.store,
            epoch: held.epoch,
            revision: held.revision,
            hash: asked.hash,
            question: question::digest_of(&question),
            credential: question.credential,
            door: question.door,
            direction: question.direction,
            said: asked.said,
            at: asked.at,
            clock: asked.clock,
        });
        let signature = self.agent.key.sign(&statement).into();
        let statement = statement.into();
        self.send(&ToServer::Answer {
            statement,
            signature,
        })
        .await
    }

    /// Keeps the lease for the next process, now and then.
    async fn keep_lease(&mut self, asked_at: Duration) -> Result<(), Over> {
        let due = self
            .lease_kept
            .is_none_or(|kept| asked_at.saturating_sub(kept) >= LEASE_KEPT_EVERY);
        let Some(boot) = self.agent.boot_clock.boot().filter(|_| due) else {
            return Ok(());
        };
        self.lease_kept = Some(asked_at);
        self.keep(Keep::Lease(KeptLease { boot, asked_at })).await
    }

    fn mismatch(&self, end: &mut AgentEnd) -> std::collections::VecDeque<Output> {
        tracing::error!("a change did not lead to the table that it was said to lead to");
        end.handle(Input::Mismatch, self.agent.boot_clock.now())
            .into()
    }

    async fn keep(&self, keep: Keep) -> Result<(), Over> {
        self.agent
            .keeper
            .keep(keep)
            .await
            .map_err(|_| Over::CannotGoOn)
    }

    /// A whole table, built beside the one in force; none if it is not what it was said to be.
    async fn build(&self, changes: Changes) -> Result<Option<(Box<Table>, Contents)>, Over> {
        let hash_key = self.agent.hash_key;
        let built = tokio::task::spawn_blocking(move || whole(changes, hash_key));
        built.await.map_err(|_| Over::CannotGoOn)
    }

    async fn send(&mut self, message: &ToServer) -> Result<(), Over> {
        send(&mut self.stream, message).await
    }
}

/// Sends a message. A server that takes nothing for so long is gone.
pub(crate) async fn send(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &ToServer,
) -> Result<(), Over> {
    let frame = frame::encode(&message.encode())
        .map_err(|too_long| std::io::Error::other(too_long.to_string()))?;
    let written = tokio::time::timeout(SILENCE, async {
        stream.write_all(&frame).await?;
        stream.flush().await
    });
    written.await.map_err(std::io::Error::from)??;
    Ok(())
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
