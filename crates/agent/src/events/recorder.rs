//! The thread that writes door events down, so that no door waits for a disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use offgate_core::door_event::DoorEvent;

use super::ring::{Batch, EventRing};
use super::slot::Weight;
use crate::disk::Disk;

/// How many events and questions may wait for the disk.
const WAITING: usize = 1_024;
/// How many are written before they are synced together.
const TOGETHER: usize = 256;
/// How long after a failure the disk is tried again.
const RETRY: Duration = Duration::from_secs(1);

enum Request {
    Record(DoorEvent),
    After {
        sequence: u64,
        limit: usize,
        answer: oneshot::Sender<Batch>,
    },
    Stored {
        up_to: u64,
    },
}

/// How the ring is, as of the last sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The newest number that is durable.
    pub(crate) durable: u64,
    /// How many the server does not have yet.
    pub(crate) waiting: u64,
    /// How many it will never have.
    pub(crate) lost: u64,
}

/// The way to the recorder; clones lead to the same one.
#[derive(Clone)]
pub(crate) struct Recorder {
    requests: SyncSender<Request>,
    missed: Arc<AtomicU64>,
    kept: watch::Receiver<Kept>,
}

impl Recorder {
    /// Starts the thread; it ends when the last [`Recorder`] is gone and all is written.
    pub(crate) fn start<D: Disk + 'static>(
        ring: EventRing<D>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (requests, waiting) = sync_channel(WAITING);
        let missed = Arc::new(AtomicU64::new(0));
        let (keep, kept) = watch::channel(ring.kept());
        let counted = Arc::clone(&missed);
        let thread = std::thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || write_down(ring, &waiting, &counted, &keep))?;
        Ok((
            Self {
                requests,
                missed,
                kept,
            },
            thread,
        ))
    }

    /// Hands an event over; it gets its number here. Never waits: what a full queue will not take is counted as lost.
    pub(crate) fn record(&self, event: DoorEvent) {
        match self.requests.try_send(Request::Record(event)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The way to it for whoever only has events to hand over.
    pub(crate) fn hand_over(self) -> Box<dyn Fn(DoorEvent) + Send> {
        Box::new(move |event| self.record(event))
    }

    /// The durable events after a number that the server does not have, the oldest first. None if
    /// the recorder is too busy: ask again when [`Self::kept`] changes.
    pub(crate) async fn after(&self, sequence: u64, limit: usize) -> Batch {
        let (answer, answered) = oneshot::channel();
        match self.requests.try_send(Request::After {
            sequence,
            limit,
            answer,
        }) {
            Ok(()) => answered.await.unwrap_or(Batch {
                newest: sequence,
                ..Batch::default()
            }),
            Err(_) => Batch {
                newest: sequence,
                ..Batch::default()
            },
        }
    }

    /// The server has everything up to this number. If this is not taken, the server is sent what
    /// it has, and says so again.
    pub(crate) fn stored(&self, up_to: u64) {
        let _ = self.requests.try_send(Request::Stored { up_to });
    }

    /// How the ring is, and when that changes.
    pub(crate) fn kept(&self) -> watch::Receiver<Kept> {
        self.kept.clone()
    }
}

fn write_down<D: Disk>(
    mut ring: EventRing<D>,
    requests: &Receiver<Request>,
    missed: &AtomicU64,
    keep: &watch::Sender<Kept>,
) {
    let mut unsynced = false;
    loop {
        let first = if unsynced {
            // The disk failed: try again also when nobody comes.
            match requests.recv_timeout(RETRY) {
                Ok(request) => Some(request),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        } else {
            match requests.recv() {
                Ok(request) => Some(request),
                Err(_) => return,
            }
        };
        for request in first.into_iter().chain(requests.try_iter().take(TOGETHER)) {
            ring.miss(missed.swap(0, Ordering::Relaxed));
            match request {
                Request::Record(event) => {
                    let weight = if event.is_routine() {
                        Weight::Routine
                    } else {
                        Weight::Alarm
                    };
                    ring.record(weight, |sequence| DoorEvent { sequence, ..event }.encode());
                    unsynced = true;
                }
                Request::After {
                    sequence,
                    limit,
                    answer,
                } => {
                    let _ = answer.send(ring.after(sequence, limit));
                }
                Request::Stored { up_to } => ring.server_has(up_to),
            }
        }
        if unsynced {
            match ring.sync() {
                Ok(()) => unsynced = false,
                Err(error) => tracing::warn!(%error, "door events are not durable, and wait"),
            }
        }
        keep.send_if_modified(|kept| std::mem::replace(kept, ring.kept()) != *kept);
    }
}

#[cfg(test)]
mod tests {
    use offgate_core::credential::CredentialKind;
    use offgate_core::door_event::Happening;
    use offgate_core::id::{AgentId, CredentialId, DoorId, PolicyId, UserId};
    use offgate_core::parameters::Timestamp;
    use offgate_core::place::Direction;
    use offgate_core::table::admission::Holder;

    use super::super::slot::LONGEST;
    use super::*;
    use crate::disk::Folder;

    fn event(sequence: u64) -> DoorEvent {
        let holder = Holder {
            credential: CredentialId::from_bytes([255; 16]),
            user: UserId::from_bytes([254; 16]),
        };
        DoorEvent {
            sequence,
            door: DoorId::from_bytes([1; 16]),
            direction: Direction::Out,
            at: Timestamp::from_microseconds(i64::MAX),
            presented: CredentialKind::Pin,
            happening: Happening::Granted {
                holder,
                policy: PolicyId::from_bytes([253; 16]),
            },
        }
    }

    #[test]
    fn the_longest_event_fits_a_slot() {
        assert!(event(u64::MAX).encode().len() <= LONGEST);
    }

    #[tokio::test]
    async fn events_are_kept_until_the_server_has_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || {
            let disk = Folder::open(folder.path()).expect("a folder");
            EventRing::open(disk, AgentId::from_bytes([1; 16]), 50)
        };
        let numbers = |batch: Batch| -> Vec<u64> {
            let read = |bytes: &Vec<u8>| DoorEvent::decode(bytes).expect("an event").sequence;
            batch.events.iter().map(read).collect()
        };
        let (recorder, thread) = Recorder::start(open()).expect("a thread");
        (1..=20).for_each(|_| recorder.record(event(0)));
        let mut kept = recorder.kept();
        kept.wait_for(|kept| kept.durable == 20)
            .await
            .expect("it runs");
        assert_eq!(numbers(recorder.after(15, 3).await), [16, 17, 18]);
        recorder.stored(18);
        kept.wait_for(|kept| kept.waiting == 2)
            .await
            .expect("it runs");
        drop(recorder);
        thread.join().expect("it ends");

        let (recorder, thread) = Recorder::start(open()).expect("a thread");
        recorder.stored(18);
        assert_eq!(numbers(recorder.after(0, 9).await), [19, 20]);
        drop(recorder);
        thread.join().expect("it ends");
    }
}
