//! What is on disk of the table, and what is still to be written: one step at a time.
//!
//! It keeps a copy of the rows, so that it can write the whole table at any time: when a log is
//! full, and when a sync has failed. Refuses to know who hands over what is to be kept, and when.

use std::time::Duration;

use super::Disk;
use super::frame::{RowChange, apply};
use super::lease_file::KeptLease;
use super::snapshot::{Contents, Position, Rows};
use super::table_files::{Added, NotDurable, TableFiles};
use crate::decisions::DiskState;

/// How long after a failure the disk is to be tried again.
pub const RETRY: Duration = Duration::from_secs(1);

/// What is to be kept.
#[derive(Debug)]
pub enum Keep {
    /// A few entries are other than before.
    Delta {
        /// Where the table stands with them.
        to: Position,
        /// The entries.
        changes: Vec<RowChange>,
    },
    /// Everything is other than before.
    Snapshot(Contents),
    /// Refusals stand beside the table.
    Beside(Vec<RowChange>),
    /// The lease was renewed for everything that was handed over so far.
    Lease(KeptLease),
}

/// How much of what was handed over is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Where the table stands; none: there is none.
    pub table: Option<Position>,
    /// How many refusals were put beside it since this process was started.
    pub beside: u64,
}

/// What is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// Everything up to here, and the disk works.
    UpTo(Written),
    /// The last write failed. Nothing may be acknowledged, and no door may rely on its table,
    /// before everything was written anew.
    Failing,
}

impl Durable {
    /// How the disk is.
    #[must_use]
    pub const fn disk(self) -> DiskState {
        match self {
            Self::UpTo(_) => DiskState::Works,
            Self::Failing => DiskState::Fails,
        }
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

/// The table as it is to be on disk, and the files it is in. Each step says what is durable as soon
/// as that is known.
pub struct Book<D> {
    files: TableFiles<D>,
    to: Written,
    rows: Rows,
    state: DiskState,
    before: Before,
}

impl<D: Disk> Book<D> {
    /// Begins with what was found, which is first written into a generation of its own: a process
    /// before this one may have left in memory what no disk took, and on disk somebody who is in no
    /// row any more.
    pub fn open(
        mut files: TableFiles<D>,
        found: Option<Contents>,
        tell: &mut dyn FnMut(Durable),
    ) -> Self {
        let (table, rows) = match found {
            Some(contents) => (Some(contents.position), contents.rows),
            None => (None, Rows::new()),
        };
        let written = match &table {
            Some(position) => files.start_over(*position, &rows),
            None => Ok(()),
        };
        let mut book = Self {
            files,
            to: Written { table, beside: 0 },
            rows,
            state: DiskState::Works,
            before: Before::Stays,
        };
        book.wrote(written, tell);
        book
    }

    /// Whether the last write succeeded. If not, it has to be tried again: with what is handed over
    /// next, or after [`RETRY`].
    pub const fn state(&self) -> DiskState {
        self.state
    }

    /// Writes what was handed over.
    pub fn write(&mut self, what: Keep, tell: &mut dyn FnMut(Durable)) {
        let added = match what {
            Keep::Lease(lease) => {
                if let (DiskState::Works, Some(position)) = (self.state, &self.to.table) {
                    self.files.keep_lease(lease, position, &self.rows);
                }
                return;
            }
            Keep::Delta { to, changes } => {
                self.to.table = Some(to);
                if changes.iter().any(|change| change.entry.is_none()) {
                    self.before = Before::Goes;
                }
                self.add(to, changes)
            }
            Keep::Snapshot(contents) => {
                (self.to.table, self.rows) = (Some(contents.position), contents.rows);
                self.before = Before::Goes;
                Ok(Added::NeedsNewGeneration)
            }
            Keep::Beside(refusals) => {
                // Without a table there is nothing that they could refuse.
                let Some(to) = self.to.table else { return };
                self.to.beside += refusals.len() as u64;
                self.add(to, refusals)
            }
        };
        self.go_on(added, tell);
    }

    fn add(&mut self, to: Position, changes: Vec<RowChange>) -> Result<Added, NotDurable> {
        let added = if self.state == DiskState::Works && self.before == Before::Stays {
            self.files.add(to, &changes)
        } else {
            Ok(Added::NeedsNewGeneration)
        };
        apply(changes, &mut self.rows);
        added
    }

    /// Writes all of it anew after a failure.
    pub fn try_again(&mut self, tell: &mut dyn FnMut(Durable)) {
        self.go_on(Ok(Added::NeedsNewGeneration), tell);
    }

    fn go_on(&mut self, added: Result<Added, NotDurable>, tell: &mut dyn FnMut(Durable)) {
        let Some(to) = self.to.table else { return };
        let written = match added {
            Ok(Added::Durable) if self.files.wants_new_generation() => {
                // It is durable already; whoever waits for it need not wait for this.
                tell(Durable::UpTo(self.to));
                self.files.start_generation(to, &self.rows)
            }
            Ok(Added::Durable) => Ok(()),
            Ok(Added::NeedsNewGeneration) if self.before == Before::Goes => {
                let written = self.files.start_over(to, &self.rows);
                if written.is_ok() {
                    self.before = Before::Stays;
                }
                written
            }
            Ok(Added::NeedsNewGeneration) => self.files.start_generation(to, &self.rows),
            // Said before it is mended: doors must stop relying on it now.
            Err(error) => Err(error),
        };
        self.wrote(written, tell);
    }

    fn wrote(&mut self, written: Result<(), NotDurable>, tell: &mut dyn FnMut(Durable)) {
        self.state = match written {
            Ok(()) => {
                tell(Durable::UpTo(self.to));
                DiskState::Works
            }
            Err(NotDurable(error)) => {
                tracing::error!(%error, "the table is not durable; writing all of it anew");
                tell(Durable::Failing);
                self.files.forget_lease();
                DiskState::Fails
            }
        };
    }
}
