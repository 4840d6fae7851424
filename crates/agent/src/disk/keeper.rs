//! The thread that makes the table durable, so that no door waits for a disk. What it does with
//! the disk is [`Book`]'s.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::Disk;
use super::book::{Book, Durable, Keep, RETRY, Written};
use super::snapshot::{Contents, Position};
use super::table_files::TableFiles;
use crate::decisions::DiskState;

/// How many updates may wait for the disk; the link waits when they do.
const WAITING: usize = 64;

/// The thread has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended;

/// The way to the keeper.
pub(crate) struct Keeper {
    requests: SyncSender<Keep>,
    durable: watch::Receiver<Durable>,
    /// What was handed over.
    newest: Mutex<Written>,
}

impl Keeper {
    /// Starts the thread, which first writes what was found into a generation of its own. It ends
    /// when the keeper is dropped.
    pub(crate) fn start<D: Disk + 'static>(
        files: TableFiles<D>,
        found: Option<Contents>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let table = found.as_ref().map(|found| found.position);
        let newest = Written { table, beside: 0 };
        let (requests, waiting) = sync_channel(WAITING);
        let (tell, durable) = watch::channel(Durable::UpTo(Written::default()));
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
        {
            let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            match &what {
                Keep::Delta { to, .. } => newest.table = Some(*to),
                Keep::Snapshot(contents) => newest.table = Some(contents.position),
                Keep::Beside(refusals) if newest.table.is_some() => {
                    newest.beside += refusals.len() as u64;
                }
                Keep::Beside(_) | Keep::Lease(_) => {}
            }
        }
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

    /// What was handed over.
    pub(crate) fn newest(&self) -> Written {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all that was handed over is on disk, and says where the table stands; nothing if
    /// the disk fails, or if there is no table.
    pub(crate) async fn settled(&self) -> Option<Position> {
        let newest = self.newest();
        let mut durable = self.durable.clone();
        let settled = durable
            .wait_for(|durable| *durable == Durable::Failing || *durable == Durable::UpTo(newest));
        match settled.await.as_deref() {
            Ok(Durable::UpTo(written)) => written.table,
            Ok(Durable::Failing) | Err(_) => None,
        }
    }

    /// What is on disk, and when that changes.
    pub(crate) fn durable(&self) -> watch::Receiver<Durable> {
        self.durable.clone()
    }
}

fn keep<D: Disk>(
    files: TableFiles<D>,
    found: Option<Contents>,
    requests: &Receiver<Keep>,
    tell: &watch::Sender<Durable>,
) {
    let mut tell = |durable| {
        tell.send_replace(durable);
    };
    let mut book = Book::open(files, found, &mut tell);
    loop {
        let request = match book.state() {
            DiskState::Works => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            DiskState::Fails => requests.recv_timeout(RETRY),
        };
        match request {
            Ok(what) => book.write(what, &mut tell),
            Err(RecvTimeoutError::Timeout) => book.try_again(&mut tell),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use offgate_core::id::StoreId;
    use offgate_core::parameters::{Epoch, Revision};
    use offgate_core::table::entry::{EntryKey, TableHash};

    use super::super::frame::RowChange;
    use super::super::simulated::{SimulatedDisk, Survivors};
    use super::super::snapshot::{RowKey, Rows};
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
            key: RowKey::Entry(EntryKey::KEYPAD),
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
        let up_to = |revision| {
            Durable::UpTo(Written {
                table: Some(position(revision)),
                beside: 0,
            })
        };
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

    #[tokio::test]
    async fn refusals_beside_a_table_are_durable_when_that_is_said() {
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
        let beside = |number: u8| {
            Keep::Beside(vec![RowChange {
                key: RowKey::Held([number; 16]),
                entry: Some(vec![number; 9]),
            }])
        };
        keeper.keep(beside(7)).await.expect("it runs");
        // The sync of the second one fails; the third is written with everything else.
        durable
            .wait_for(|durable| matches!(durable, Durable::UpTo(written) if written.beside == 1))
            .await
            .expect("it runs");
        let syncs = disk.syncs();
        disk.syncs_fail(syncs + 1, syncs + 1);
        keeper.keep(beside(8)).await.expect("it runs");
        keeper.keep(beside(9)).await.expect("it runs");
        durable
            .wait_for(|durable| matches!(durable, Durable::UpTo(written) if written.beside == 3))
            .await
            .expect("it mends");
        assert_eq!(keeper.settled().await, Some(position(1)));
        drop(keeper);
        thread.join().expect("it ends");
        let after = disk.after_power_cut(Survivors::OnlySynced);
        let Found::Table(contents) = TableFiles::open(after).expect("readable").1 else {
            panic!("a table");
        };
        for number in 7..=9 {
            assert_eq!(contents.rows[&RowKey::Held([number; 16])], [number; 9]);
        }
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
                    .wait_for(|durable| {
                        matches!(durable, Durable::UpTo(written) if written.table == Some(position(revision)))
                    })
                    .await
                    .expect("it runs");
            }
        };
        settle(&mut durable, 1).await;
        let person = EntryKey::user(offgate_core::id::UserId::from_bytes([8; 16]));
        let change = |entry: Option<&[u8]>| RowChange {
            key: RowKey::Entry(person),
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
