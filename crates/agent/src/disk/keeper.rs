//! The thread that makes the table durable, so that no door waits for a disk.
//!
//! It keeps a copy of the rows, so that it can write the whole table at any time: when a log is
//! full, and when a sync has failed.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use super::Disk;
use super::frame::{RowChange, apply};
use super::snapshot::{Contents, Position, Rows};
use super::table_files::{Added, NotDurable, TableFiles};

/// How many updates may wait for the disk; the link waits when they do.
const WAITING: usize = 64;
/// How long after a failure the disk is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What is to be kept.
#[derive(Debug)]
pub(crate) enum Keep {
    /// A few entries are other than before.
    Delta {
        to: Position,
        changes: Vec<RowChange>,
    },
    /// Everything is other than before.
    Snapshot(Contents),
}

/// What is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durable {
    /// Everything up to here, and the disk works.
    UpTo(Option<Position>),
    /// The last write failed. Nothing may be acknowledged, and no door may rely on its table,
    /// before everything was written anew.
    Failing,
}

/// The thread has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended;

/// The way to the keeper.
pub(crate) struct Keeper {
    requests: SyncSender<Keep>,
    durable: watch::Receiver<Durable>,
    /// The newest table that was handed over.
    newest: Mutex<Option<Position>>,
}

impl Keeper {
    /// Starts the thread, which first writes what was found into a generation of its own. It ends
    /// when the keeper is dropped.
    pub(crate) fn start<D: Disk + 'static>(
        files: TableFiles<D>,
        found: Option<Contents>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let newest = found.as_ref().map(|found| found.position);
        let (requests, waiting) = sync_channel(WAITING);
        let (tell, durable) = watch::channel(Durable::UpTo(None));
        let thread = std::thread::Builder::new()
            .name("table".to_owned())
            .spawn(move || keep(files, found, &waiting, &tell))?;
        Ok((
            Self {
                requests,
                durable,
                newest: Mutex::new(newest),
            },
            thread,
        ))
    }

    /// Hands over what is to be kept, in the order in which it was applied. Waits for room: a disk
    /// that is slow slows the link down, never a door.
    pub(crate) async fn keep(&self, mut what: Keep) -> Result<(), Ended> {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(match &what {
            Keep::Delta { to, .. } => *to,
            Keep::Snapshot(contents) => contents.position,
        });
        let mut durable = self.durable.clone();
        durable.mark_unchanged();
        loop {
            match self.requests.try_send(what) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(Ended),
                Err(TrySendError::Full(back)) => what = back,
            }
            // Room comes with the next thing it says.
            durable.changed().await.map_err(|_| Ended)?;
        }
    }

    /// The newest table that was handed over.
    pub(crate) fn newest(&self) -> Option<Position> {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all that was handed over is on disk, and says what that is; nothing if the disk
    /// fails, or if there is no table.
    pub(crate) async fn settled(&self) -> Option<Position> {
        let newest = self.newest();
        let mut durable = self.durable.clone();
        let settled = durable
            .wait_for(|durable| *durable == Durable::Failing || *durable == Durable::UpTo(newest));
        match settled.await.as_deref() {
            Ok(Durable::UpTo(position)) => *position,
            Ok(Durable::Failing) | Err(_) => None,
        }
    }

    /// What is on disk, and when that changes.
    pub(crate) fn durable(&self) -> watch::Receiver<Durable> {
        self.durable.clone()
    }
}

/// What becomes of the files of before when a new generation is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The last one stays, to stand in for a damaged one.
    Stays,
    /// Somebody was deleted: nothing may hold what is in no row any more.
    Goes,
}

fn keep<D: Disk>(
    mut files: TableFiles<D>,
    found: Option<Contents>,
    requests: &Receiver<Keep>,
    tell: &watch::Sender<Durable>,
) {
    let (mut position, mut rows) = match found {
        Some(contents) => (Some(contents.position), contents.rows),
        None => (None, Rows::new()),
    };
    // A process before this one may have left in memory what no disk took, and on disk somebody
    // who is in no row any more.
    let mut written = match &position {
        Some(position) => files.start_over(*position, &rows),
        None => Ok(()),
    };
    let mut before = Before::Stays;
    loop {
        match &written {
            Ok(()) => drop(tell.send_replace(Durable::UpTo(position))),
            Err(NotDurable(error)) => {
                tracing::error!(%error, "the table is not durable; writing all of it anew");
                tell.send_replace(Durable::Failing);
            }
        }
        let request = match &written {
            Ok(()) => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Err(_) => requests.recv_timeout(RETRY),
        };
        let added = match request {
            Ok(Keep::Delta { to, changes }) => {
                position = Some(to);
                if changes.iter().any(|change| change.entry.is_none()) {
                    before = Before::Goes;
                }
                let added = if written.is_ok() && before == Before::Stays {
                    files.add(to, &changes)
                } else {
                    Ok(Added::NeedsNewGeneration)
                };
                apply(changes, &mut rows);
                added
            }
            Ok(Keep::Snapshot(contents)) => {
                (position, rows) = (Some(contents.position), contents.rows);
                before = Before::Goes;
                Ok(Added::NeedsNewGeneration)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Added::NeedsNewGeneration),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let Some(to) = position else { continue };
        written = match added {
            Ok(Added::Durable) if files.wants_new_generation() => {
                // It is durable already; whoever waits for it need not wait for this.
                tell.send_replace(Durable::UpTo(position));
                files.start_generation(to, &rows)
            }
            Ok(Added::Durable) => Ok(()),
            Ok(Added::NeedsNewGeneration) if before == Before::Goes => {
                let written = files.start_over(to, &rows);
                if written.is_ok() {
                    before = Before::Stays;
                }
                written
            }
            Ok(Added::NeedsNewGeneration) => files.start_generation(to, &rows),
            // Said before it is mended: doors must stop relying on it now.
            Err(error) => Err(error),
        };
    }
}

#[cfg(test)]
mod tests {
    use offgate_core::id::StoreId;
    use offgate_core::parameters::{Epoch, Revision};
    use offgate_core::table::entry::{EntryKey, TableHash};

    use super::super::simulated::{SimulatedDisk, Survivors};
    use super::super::snapshot::RowKey;
    use super::super::table_files::Found;
    use super::*;

    fn position(revision: u64) -> Position {
        Position {
            store: StoreId::from_bytes([1; 16]),
            epoch: Epoch {
                counter: 1,
                nonce: [1; 16],
            },
            revision: Revision::new(revision),
            hash: TableHash([revision as u8; 32]),
        }
    }

    fn delta(revision: u64) -> Keep {
        let change = RowChange {
            key: EntryKey::KEYPAD,
            entry: Some(vec![revision as u8; 9]),
        };
        Keep::Delta {
            to: position(revision),
            changes: vec![change],
        }
    }

    #[tokio::test]
    async fn a_failing_disk_is_said_and_then_everything_is_written_anew() {
        let disk = SimulatedDisk::default();
        let (files, _) = TableFiles::open(disk.clone()).expect("readable");
        let (keeper, thread) = Keeper::start(files, None).expect("a thread");
        let mut durable = keeper.durable();
        keeper
            .keep(Keep::Snapshot(Contents {
                position: position(1),
                rows: Rows::new(),
            }))
            .await
            .expect("it runs");
        keeper.keep(delta(2)).await.expect("it runs");
        let up_to = |revision| Durable::UpTo(Some(position(revision)));
        durable
            .wait_for(|durable| *durable == up_to(2))
            .await
            .expect("it runs");

        let syncs = disk.syncs();
        disk.syncs_fail(syncs + 1, syncs + 2);
        keeper.keep(delta(3)).await.expect("it runs");
        durable
            .wait_for(|durable| *durable == Durable::Failing)
            .await
            .expect("it runs");
        keeper.keep(delta(4)).await.expect("it runs");
        durable
            .wait_for(|durable| *durable == up_to(4))
            .await
            .expect("it mends");
        drop(keeper);
        thread.join().expect("it ends");
        let after = disk.after_power_cut(Survivors::OnlySynced);
        let Found::Table(contents) = TableFiles::open(after).expect("readable").1 else {
            panic!("a table");
        };
        assert_eq!(contents.position, position(4));
        assert_eq!(contents.rows[&RowKey::Entry(EntryKey::KEYPAD)], [4; 9]);
    }

    fn bytes_on(disk: &SimulatedDisk, what: &[u8]) -> usize {
        let mut disk = disk.clone();
        let names = disk.names().expect("names");
        names
            .iter()
            .map(|name| disk.read(name).expect("its bytes"))
            .filter(|bytes| bytes.windows(what.len()).any(|bytes| bytes == what))
            .count()
    }

    #[tokio::test]
    async fn who_was_deleted_is_in_no_file_once_that_is_durable() {
        let disk = SimulatedDisk::default();
        let (files, _) = TableFiles::open(disk.clone()).expect("readable");
        let (keeper, thread) = Keeper::start(files, None).expect("a thread");
        let mut durable = keeper.durable();
        let contents = Contents {
            position: position(1),
            rows: Rows::new(),
        };
        keeper
            .keep(Keep::Snapshot(contents))
            .await
            .expect("it runs");
        let settle = |durable: &mut watch::Receiver<Durable>, revision| {
            let mut durable = durable.clone();
            async move {
                durable
                    .wait_for(|durable| *durable == Durable::UpTo(Some(position(revision))))
                    .await
                    .expect("it runs");
            }
        };
        settle(&mut durable, 1).await;
        let person = EntryKey::user(offgate_core::id::UserId::from_bytes([8; 16]));
        let change = |entry: Option<&[u8]>| RowChange {
            key: person,
            entry: entry.map(<[u8]>::to_vec),
        };
        let planted = b"keyed hash of a card";
        for (revision, entry) in [
            (2, Some(planted.as_slice())),
            (3, Some(b"other".as_slice())),
        ] {
            let before = disk.syncs();
            let changes = vec![change(entry)];
            let to = position(revision);
            keeper
                .keep(Keep::Delta { to, changes })
                .await
                .expect("it runs");
            settle(&mut durable, revision).await;
            assert_eq!(disk.syncs(), before + 1, "an ordinary change is one write");
        }
        assert_eq!(bytes_on(&disk, planted), 1, "the log remembers");
        let (to, changes) = (position(4), vec![change(None)]);
        keeper
            .keep(Keep::Delta { to, changes })
            .await
            .expect("it runs");
        settle(&mut durable, 4).await;
        assert_eq!(bytes_on(&disk, planted), 0);
        assert_eq!(bytes_on(&disk, b"other"), 0);
        // A power cut cannot bring the old files back.
        let after = disk.after_power_cut(Survivors::OnlySynced);
        assert_eq!(bytes_on(&after, planted), 0);
        drop(keeper);
        thread.join().expect("it ends");
    }
}
