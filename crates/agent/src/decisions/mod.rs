//! The one thread that decides: it owns the table and the state of the doors, so no decision ever
//! sees half a change, and what is acknowledged after a change was applied is true of every
//! decision that begins later.
//!
//! Owns: the table in memory, the lease, slowed keypads, whether the time is believed. Refuses to
//! know: the disk (see [`crate::disk`]), the link, and how a PIN is digested: that takes long and
//! happens before.

mod judge;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use offgate_core::door_event::DoorEvent;
use offgate_core::id::DoorId;
use offgate_core::parameters::{Clock, Timestamp};
use offgate_core::pin::PinSalt;
use offgate_core::place::Direction;
use offgate_core::question::{Question, Said};
use offgate_core::table::Table;
use offgate_core::table::admission::{ClockTrust, Presented};
use offgate_core::table::entry::{Entry, EntryKey, RulingEntry, TableHash};
use offgate_link::agent_end::Testimony;
use tokio::sync::{Semaphore, oneshot};

use crate::clock::BootClock;
use crate::reader::{Answer, Offered};
use crate::strike::Strike;

pub use judge::Judge;

/// How many requests may wait for the deciding thread.
const WAITING: usize = 256;
/// How many PINs are digested at once: each takes 19 MiB.
const DIGESTING: usize = 2;

/// A change of the table in memory.
#[derive(Debug)]
pub enum EntryChange {
    /// This entry is new or other.
    Put(Entry),
    /// The entry with this key goes.
    Delete(EntryKey),
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Every decision to come follows it.
    InForce,
    /// It would not lead to the table it was said to; nothing was changed.
    Mismatch,
}

pub use offgate_core::agent::DiskState;

/// The doors of this agent cannot answer now: it is stopping, or far too many people are asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this agent cannot answer now")]
pub(crate) struct Unavailable;

/// How the deciding thread is.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The salt of PIN digests; none without a table.
    pub salt: Option<PinSalt>,
    /// How long the door with the shortest lease still decides.
    pub lease_left: Duration,
}

/// What would be decided, and by what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) said: Said,
    /// Of the table that decided.
    pub(crate) hash: TableHash,
    /// The time of day, and whether it is believed.
    pub(crate) at: Timestamp,
    pub(crate) clock: ClockTrust,
}

enum Request {
    Decide {
        door: DoorId,
        direction: Direction,
        /// With the PIN's digest; none if there is no salt to digest it with.
        presented: Result<Presented, Offered>,
        answer: oneshot::Sender<Answer>,
    },
    Question {
        question: Box<Question>,
        answer: oneshot::Sender<Asked>,
    },
    Change {
        changes: Vec<EntryChange>,
        becomes: TableHash,
        done: oneshot::Sender<Changed>,
    },
    Replace {
        table: Box<Table>,
        held: oneshot::Sender<Vec<RulingEntry>>,
    },
    Hold {
        refusals: Vec<RulingEntry>,
        done: oneshot::Sender<()>,
    },
    Refusals {
        which: Testimony,
        answer: oneshot::Sender<Vec<RulingEntry>>,
    },
    Renewed {
        asked_at: Duration,
    },
    Disk(DiskState),
    Told {
        server: Timestamp,
    },
    Look {
        answer: oneshot::Sender<Look>,
    },
}

/// What the deciding thread needs from outside.
pub struct Surroundings {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The clock of the lease.
    pub boot_clock: Arc<dyn BootClock>,
    /// What holds the doors shut.
    pub strike: Arc<dyn Strike>,
    /// Takes the events, which have no number yet. It must hand them over and return.
    pub record: Box<dyn Fn(DoorEvent) + Send>,
}

/// The way to the deciding thread; clones lead to the same one.
#[derive(Clone)]
pub(crate) struct Decisions {
    requests: SyncSender<Request>,
    digesting: Arc<Semaphore>,
}

impl Decisions {
    /// Starts the thread with the table from disk, and when the process before
    /// this one had last heard the server, where that counts still. It ends when
    /// the last [`Decisions`] is gone.
    pub(crate) fn start(
        table: Option<Table>,
        heard: Option<Duration>,
        surroundings: Surroundings,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (requests, waiting) = sync_channel(WAITING);
        let mut judge = Judge::new(table, surroundings);
        if let Some(heard) = heard {
            judge.renewed(heard);
        }
        let thread = std::thread::Builder::new()
            .name("decisions".to_owned())
            .spawn(move || run(judge, &waiting))?;
        Ok((
            Self {
                requests,
                digesting: Arc::new(Semaphore::new(DIGESTING)),
            },
            thread,
        ))
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Unavailable> {
        let (answer, answered) = oneshot::channel();
        self.requests
            .try_send(request(answer))
            .map_err(|_| Unavailable)?;
        answered.await.map_err(|_| Unavailable)
    }

    /// Somebody stands at a door. By the time of the answer the strike has its order.
    pub(crate) async fn present(
        &self,
        door: DoorId,
        direction: Direction,
        offered: Offered,
    ) -> Result<Answer, Unavailable> {
        let presented = match offered {
            Offered::NfcCard(token) => Ok(Presented::NfcCard(token)),
            Offered::LicencePlate(plate) => Ok(Presented::LicencePlate(plate)),
            // Nobody waits for a digest to get out.
            Offered::Pin(pin) if direction == Direction::Out => Err(Offered::Pin(pin)),
            Offered::Pin(pin) => match self.look().await?.salt {
                None => Err(Offered::Pin(pin)),
                Some(salt) => {
                    let _turn = self.digesting.acquire().await.map_err(|_| Unavailable)?;
                    tokio::task::spawn_blocking(move || pin.digest(&salt))
                        .await
                        .map(|digest| Ok(Presented::Pin(digest)))
                        .map_err(|_| Unavailable)?
                }
            },
        };
        self.ask(|answer| Request::Decide {
            door,
            direction,
            presented,
            answer,
        })
        .await
    }

    /// What would be decided now. Opens nothing, counts no attempt, and is no event.
    pub(crate) async fn question(&self, question: Question) -> Result<Asked, Unavailable> {
        let question = Box::new(question);
        self.ask(|answer| Request::Question { question, answer })
            .await
    }

    /// Changes the table, if that leads to this hash.
    pub(crate) async fn change(
        &self,
        changes: Vec<EntryChange>,
        becomes: TableHash,
    ) -> Result<Changed, Unavailable> {
        self.ask(|done| Request::Change {
            changes,
            becomes,
            done,
        })
        .await
    }

    /// Replaces the table; answers when every decision to come follows. Refusals of the one before
    /// that the new one says nothing later about stand beside it from now on, and are answered.
    pub(crate) async fn replace(&self, table: Box<Table>) -> Result<Vec<RulingEntry>, Unavailable> {
        self.ask(|held| Request::Replace { table, held }).await
    }

    /// Follows refusals beside the table; answers when every decision to come does.
    pub(crate) async fn hold(&self, refusals: Vec<RulingEntry>) -> Result<(), Unavailable> {
        self.ask(|done| Request::Hold { refusals, done }).await
    }

    /// The refusals that stand, with the store's seals.
    pub(crate) async fn refusals(&self, which: Testimony) -> Result<Vec<RulingEntry>, Unavailable> {
        self.ask(|answer| Request::Refusals { which, answer }).await
    }

    /// The server answered a renewal that was asked for at this time of the boot clock.
    pub(crate) fn renewed(&self, asked_at: Duration) -> Result<(), Unavailable> {
        self.requests
            .try_send(Request::Renewed { asked_at })
            .map_err(|_| Unavailable)
    }

    /// The disk works or fails. While it fails, and until the next renewal after that, the lease is
    /// void: what is refused in memory only might be admitted again after a restart.
    pub(crate) async fn disk(&self, state: DiskState) -> Result<(), Unavailable> {
        // Must not be lost to a full queue.
        loop {
            match self.requests.try_send(Request::Disk(state)) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => tokio::task::yield_now().await,
                Err(TrySendError::Disconnected(_)) => return Err(Unavailable),
            }
        }
    }

    /// The server said what time it is.
    pub(crate) fn told(&self, server: Timestamp) -> Result<(), Unavailable> {
        self.requests
            .try_send(Request::Told { server })
            .map_err(|_| Unavailable)
    }

    /// How the deciding thread is.
    pub(crate) async fn look(&self) -> Result<Look, Unavailable> {
        self.ask(|answer| Request::Look { answer }).await
    }
}

fn run(mut judge: Judge, requests: &Receiver<Request>) {
    // Whoever asked may have gone; then nobody hears the answer, and that is fine.
    while let Ok(request) = requests.recv() {
        match request {
            Request::Decide {
                door,
                direction,
                presented,
                answer,
            } => {
                let _ = answer.send(judge.decide(door, direction, presented));
            }
            Request::Question { question, answer } => {
                let _ = answer.send(judge.question(&question));
            }
            Request::Change {
                changes,
                becomes,
                done,
            } => {
                let _ = done.send(judge.change(changes, becomes));
            }
            Request::Replace { table, held } => {
                let _ = held.send(judge.replace(*table));
            }
            Request::Hold { refusals, done } => {
                judge.hold(refusals);
                let _ = done.send(());
            }
            Request::Refusals { which, answer } => {
                let _ = answer.send(judge.refusals(which));
            }
            Request::Renewed { asked_at } => judge.renewed(asked_at),
            Request::Disk(state) => judge.disk(state),
            Request::Told { server } => judge.told(server),
            Request::Look { answer } => {
                let _ = answer.send(judge.look());
            }
        }
    }
}

#[cfg(test)]
#[path = "decisions_tests.rs"]
mod tests;
