//! The generations of the table on disk: opening them, adding to the log, starting a new one.

use std::io;
use std::time::Duration;

use offgate_core::parameters::Boot;

use super::frame::{self, Chain, RowChange};
use super::lease_file::{self, KeptLease};
use super::log_file::{self, FIRST_FRAME, Header, OpenedLog, Tail};
use super::snapshot::{self, Contents, Position, Rows};
use super::{Disk, DiskFile};

/// How many bytes of log one generation has; at 100 to 200 bytes a change some 5,000 changes.
const LOG_BYTES: u32 = 1 << 20;

/// What was found on disk.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// There never was a table.
    Nothing,
    /// The table, with everything that was ever said to be durable.
    Table(Contents),
    /// There was a table, and what is left of it must not be trusted.
    Damaged,
}

/// What became of a change that was added to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// No power cut can undo it.
    Durable,
    /// It was not written: no log is open, or there is no room in it. Start a new generation.
    NeedsNewGeneration,
}

/// What was written may not be durable, and the generation must not be written to again. Start a
/// new one; until that has succeeded nothing may be acknowledged.
#[derive(Debug, thiserror::Error)]
#[error("the table may not be durable")]
pub(crate) struct NotDurable(#[source] pub(crate) io::Error);

/// The files of the table.
pub struct TableFiles<D> {
    disk: D,
    log_bytes: u32,
    /// The newest generation any file was ever made for.
    newest: u64,
    /// How the newest generation ends, where that is known.
    end: Option<End>,
    /// Its log; open only while everything up to its end is known to be durable.
    log: Option<Box<dyn DiskFile>>,
}

#[derive(Clone, Copy)]
struct End {
    generation: u64,
    /// What snapshot and log together hold.
    position: Position,
    at: usize,
    chain: Chain,
}

impl<D: Disk> TableFiles<D> {
    /// Opens what is there.
    ///
    /// # Errors
    /// The folder cannot be read at all.
    pub fn open(disk: D) -> io::Result<(Self, Found)> {
        Self::open_with(disk, LOG_BYTES)
    }

    /// As [`Self::open`], with logs of another size.
    pub fn open_with(mut disk: D, log_bytes: u32) -> io::Result<(Self, Found)> {
        let generations = generations(&disk.names()?);
        let newest = generations.last().copied().unwrap_or(0);
        let mut files = Self {
            disk,
            log_bytes,
            newest,
            end: None,
            log: None,
        };
        for generation in generations.into_iter().rev() {
            match files.load(generation) {
                Loaded::Never => {}
                Loaded::Damaged => return Ok((files, Found::Damaged)),
                Loaded::Table(contents, tail) => {
                    if let (Tail::Clean { at, chain }, true) = (tail, generation == newest) {
                        let position = contents.position;
                        files.end = Some(End {
                            generation,
                            position,
                            at,
                            chain,
                        });
                    }
                    return Ok((files, Found::Table(contents)));
                }
            }
        }
        Ok((files, Found::Nothing))
    }

    fn load(&mut self, generation: u64) -> Loaded {
        let log = self.disk.read(&log_name(generation));
        let snapshot = match self.disk.read(&snapshot_name(generation)) {
            Ok(bytes) => snapshot::decode(&bytes, generation),
            // The snapshot gets its name last: without it the generation was never begun, unless
            // its log says otherwise.
            Err(error) if error.kind() == io::ErrorKind::NotFound => match &log {
                Ok(log) if log_file::has_frames(log) => None,
                _ => return Loaded::Never,
            },
            Err(_) => None,
        };
        let Some(opened) = log.ok().and_then(|log| OpenedLog::read(&log, generation)) else {
            return Loaded::Damaged;
        };
        let contents = match snapshot {
            Some((contents, checksum)) if checksum == opened.header.snapshot => Some(contents),
            _ => self.load_before(generation, opened.header.continues),
        };
        let Some(mut contents) = contents else {
            return Loaded::Damaged;
        };
        let tail = opened.tail;
        opened.replay(&mut contents);
        Loaded::Table(contents, tail)
    }

    /// What the generation before `generation` ended with, if that is what `generation` began
    /// with: it stands in for a damaged snapshot.
    fn load_before(&mut self, generation: u64, continues: Option<Chain>) -> Option<Contents> {
        let before = generation.checked_sub(1)?;
        let bytes = self.disk.read(&snapshot_name(before)).ok()?;
        let (mut contents, checksum) = snapshot::decode(&bytes, before)?;
        let log = OpenedLog::read(&self.disk.read(&log_name(before)).ok()?, before)?;
        let Tail::Clean { chain, .. } = log.tail else {
            return None;
        };
        if log.header.snapshot != checksum || Some(chain) != continues {
            return None;
        }
        log.replay(&mut contents);
        Some(contents)
    }

    /// Whether the table at this position is known to be durable. Never so before a generation
    /// was started: what a process before this one wrote may be in memory only, if its sync failed
    /// just before it ended, and no sync by another process would tell.
    #[cfg(test)]
    fn holds(&self, position: &Position) -> bool {
        self.log.is_some() && self.end.is_some_and(|end| end.position == *position)
    }

    /// Keeps the lease for the next process: what is in force is durable up to `position`.
    pub(crate) fn keep_lease(&mut self, lease: KeptLease, position: &Position, rows: &Rows) {
        lease_file::keep(&mut self.disk, lease, position, rows);
    }

    /// Takes the lease away that was kept.
    pub(crate) fn forget_lease(&mut self) {
        lease_file::forget(&mut self.disk);
    }

    /// When the server was last heard since this start of the machine, if these contents, which were
    /// found, have everything that was in force then.
    pub fn lease(&mut self, boot: Boot, contents: &Contents) -> Option<Duration> {
        lease_file::read(&mut self.disk, boot, contents)
    }

    /// Whether the log is so full that the table should be written anew, at leisure.
    pub(crate) fn wants_new_generation(&self) -> bool {
        self.end
            .is_some_and(|end| end.at > self.log_bytes as usize / 4 * 3)
    }

    /// Adds changes to the log, which lead to `position`.
    ///
    /// # Errors
    /// They may not be durable; see [`NotDurable`].
    pub(crate) fn add(
        &mut self,
        position: Position,
        changes: &[RowChange],
    ) -> Result<Added, NotDurable> {
        let (Some(log), Some(end)) = (&mut self.log, &mut self.end) else {
            return Ok(Added::NeedsNewGeneration);
        };
        let encoded = frame::encode(end.generation, &end.chain, &position, changes);
        let Some((bytes, chain)) =
            encoded.filter(|(bytes, _)| end.at + bytes.len() <= self.log_bytes as usize)
        else {
            return Ok(Added::NeedsNewGeneration);
        };
        if let Err(error) = log
            .write_at(end.at as u64, &bytes)
            .and_then(|()| log.sync())
        {
            (self.log, self.end) = (None, None);
            return Err(NotDurable(error));
        }
        (end.at, end.chain, end.position) = (end.at + bytes.len(), chain, position);
        Ok(Added::Durable)
    }

    /// Writes the whole table into new files. Nothing of the files before is needed afterwards.
    ///
    /// # Errors
    /// It may not be durable; see [`NotDurable`].
    pub(crate) fn start_generation(
        &mut self,
        position: Position,
        rows: &Rows,
    ) -> Result<(), NotDurable> {
        self.log = None;
        // Equal positions are equal tables: the hash is part of the position.
        let continues = self
            .end
            .take()
            .filter(|end| end.position == position && end.generation == self.newest)
            .map(|end| end.chain);
        let generation = self.newest + 1;
        self.newest = generation;
        let (log, chain) = self.write_generation(generation, &position, rows, continues)?;
        self.log = Some(log);
        self.end = Some(End {
            generation,
            position,
            at: FIRST_FRAME,
            chain,
        });
        self.remove_before(generation - 1);
        Ok(())
    }

    /// Writes the whole table into new files and removes all before them: what is in no row any
    /// more is in no file either. The generation before stands in for a damaged one, so it too is
    /// written anew.
    ///
    /// # Errors
    /// It may not be durable, or something older is still there; see [`NotDurable`].
    pub(crate) fn start_over(&mut self, position: Position, rows: &Rows) -> Result<(), NotDurable> {
        self.start_generation(position, rows)?;
        self.start_generation(position, rows)?;
        let names = self.disk.names().map_err(NotDurable)?;
        let oldest = generations(&names).first().copied();
        if oldest.is_some_and(|oldest| oldest + 1 < self.newest) {
            return Err(NotDurable(io::Error::other("old files are still there")));
        }
        self.disk.sync_folder().map_err(NotDurable)
    }

    fn write_generation(
        &mut self,
        generation: u64,
        position: &Position,
        rows: &Rows,
        continues: Option<Chain>,
    ) -> Result<(Box<dyn DiskFile>, Chain), NotDurable> {
        let (bytes, checksum) = snapshot::encode(generation, position, rows)
            .ok_or_else(|| NotDurable(io::ErrorKind::FileTooLarge.into()))?;
        let header = Header {
            length: self.log_bytes,
            snapshot: checksum,
            continues,
        };
        let (header, chain) = log_file::encode_header(generation, &header);
        let mut write = || -> io::Result<Box<dyn DiskFile>> {
            let mut log = self.disk.create(&log_name(generation))?;
            log.write_at(0, &header)?;
            // Written, not just reserved: an update in place then changes no metadata.
            log.write_at(
                FIRST_FRAME as u64,
                &vec![0; self.log_bytes as usize - FIRST_FRAME],
            )?;
            log.sync()?;
            let unfinished = format!("{}.new", snapshot_name(generation));
            let mut file = self.disk.create(&unfinished)?;
            file.write_at(0, &bytes)?;
            file.sync()?;
            self.disk.rename(&unfinished, &snapshot_name(generation))?;
            self.disk.sync_folder()?;
            Ok(log)
        };
        Ok((write().map_err(NotDurable)?, chain))
    }

    /// Removes what is older than `generation`. What cannot be removed is only in the way.
    fn remove_before(&mut self, generation: u64) {
        let Ok(names) = self.disk.names() else { return };
        for name in names {
            if generation_of(&name).is_some_and(|found| found < generation) {
                let _ = self.disk.remove(&name);
            }
        }
    }
}

enum Loaded {
    /// The generation was never begun.
    Never,
    Damaged,
    Table(Contents, Tail),
}

fn snapshot_name(generation: u64) -> String {
    format!("table-{generation}.snapshot")
}

fn log_name(generation: u64) -> String {
    format!("table-{generation}.log")
}

/// The generation that a file belongs to.
fn generation_of(name: &str) -> Option<u64> {
    let number = name.strip_prefix("table-")?.split_once('.')?.0;
    // Only as this program writes it, and never one that has no successor.
    let generation = number
        .parse::<u64>()
        .ok()
        .filter(|number| *number < u64::MAX)?;
    (generation.to_string() == number).then_some(generation)
}

/// The generations with any file, in ascending order.
fn generations(names: &[String]) -> Vec<u64> {
    let mut generations: Vec<u64> = names
        .iter()
        .filter_map(|name| generation_of(name))
        .collect();
    generations.sort_unstable();
    generations.dedup();
    generations
}

#[cfg(test)]
#[path = "table_files_tests.rs"]
mod tests;
