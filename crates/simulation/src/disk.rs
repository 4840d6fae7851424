//! An agent's folder in memory, which fails in the ways of a real one.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use offgate_agent::pieces::{Disk, DiskFile};

use crate::random::Random;

/// What is found after the power came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survivors {
    /// Everything that was written, the last write torn where the power went.
    AllWritten,
    /// Only what was synced.
    OnlySynced,
    /// Names as they were, contents only as synced.
    NamesAndSynced,
    /// Contents as written, names only as synced.
    ContentsAndSyncedNames,
}

impl Survivors {
    pub(crate) fn any(random: &mut Random) -> Self {
        match random.below(6) {
            0 => Self::AllWritten,
            1 => Self::NamesAndSynced,
            2 => Self::ContentsAndSyncedNames,
            _ => Self::OnlySynced,
        }
    }
}

#[derive(Clone, Default)]
struct File {
    written: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<usize, File>,
    next: usize,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    /// Bytes that may still be written until the power goes; a name costs one.
    power: Option<u64>,
    failing_syncs: u64,
    full: bool,
}

/// A folder; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Folder(Arc<Mutex<State>>);

struct OpenFile {
    folder: Folder,
    file: usize,
}

fn put(into: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if into.len() < offset + bytes.len() {
        into.resize(offset + bytes.len(), 0);
    }
    into[offset..offset + bytes.len()].copy_from_slice(bytes);
}

impl State {
    fn spend(&mut self, wanted: u64) -> u64 {
        let Some(power) = &mut self.power else {
            return wanted;
        };
        let spent = wanted.min(*power);
        *power -= spent;
        if spent < wanted {
            *power = 0;
        }
        spent
    }

    fn is_off(&self) -> bool {
        self.power == Some(0)
    }

    fn change_a_name(&mut self) -> io::Result<()> {
        if self.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.spend(1) == 1 {
            Ok(())
        } else {
            Err(io::Error::other("the power is off"))
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.is_off() {
            return Err(io::Error::other("the power is off"));
        }
        if self.failing_syncs > 0 {
            self.failing_syncs -= 1;
            return Err(io::Error::other("the sync failed"));
        }
        Ok(())
    }

    /// Forgets files that no name leads to.
    fn tidy(&mut self) {
        let (names, synced) = (&self.names, &self.synced_names);
        self.files
            .retain(|file, _| names.values().chain(synced.values()).any(|it| it == file));
    }
}

impl Folder {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The power goes after this many more bytes.
    pub(crate) fn power_goes_after(&self, bytes: u64) {
        self.state().power = Some(bytes);
    }

    /// The next syncs fail.
    pub(crate) fn syncs_fail(&self, count: u64) {
        self.state().failing_syncs = count;
    }

    /// Whether there is room.
    pub(crate) fn fill_up(&self, full: bool) {
        self.state().full = full;
    }

    /// The folder as it is found after the power came back.
    pub(crate) fn after_power_cut(&self, survivors: Survivors) -> Self {
        let state = self.state();
        let (names, written) = match survivors {
            Survivors::AllWritten => (&state.names, true),
            Survivors::OnlySynced => (&state.synced_names, false),
            Survivors::NamesAndSynced => (&state.names, false),
            Survivors::ContentsAndSyncedNames => (&state.synced_names, true),
        };
        let files = state.files.iter().map(|(number, file)| {
            let bytes = if written { &file.written } else { &file.synced };
            let found = File {
                written: bytes.clone(),
                synced: bytes.clone(),
                unsynced: Vec::new(),
            };
            (*number, found)
        });
        Self(Arc::new(Mutex::new(State {
            files: files.collect(),
            next: state.next,
            names: names.clone(),
            synced_names: names.clone(),
            full: state.full,
            ..State::default()
        })))
    }
}

impl Disk for Folder {
    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.state();
        let number = state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        let file = state.files.get(number).ok_or(io::ErrorKind::NotFound)?;
        Ok(file.written.clone())
    }

    fn create(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.change_a_name()?;
        let file = state.next;
        state.next += 1;
        state.files.insert(file, File::default());
        state.names.insert(name.to_owned(), file);
        Ok(Box::new(OpenFile {
            folder: self.clone(),
            file,
        }))
    }

    fn open(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let state = self.state();
        let file = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(OpenFile {
            folder: self.clone(),
            file,
        }))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change_a_name()?;
        let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        if state.is_off() {
            return Err(io::Error::other("the power is off"));
        }
        state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(())
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        let mut state = self.state();
        state.sync()?;
        state.synced_names = state.names.clone();
        state.tidy();
        Ok(())
    }
}

impl DiskFile for OpenFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.folder.state();
        if state.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let arrived = usize::try_from(state.spend(bytes.len() as u64)).unwrap_or(0);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let file = state.files.entry(self.file).or_default();
        put(&mut file.written, offset, &bytes[..arrived]);
        file.unsynced.push((offset, bytes[..arrived].to_vec()));
        if arrived == bytes.len() {
            Ok(())
        } else {
            Err(io::Error::other("the power is off"))
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.folder.state();
        let off = state.is_off();
        let result = state.sync();
        let file = state.files.entry(self.file).or_default();
        // As on Linux: after a failed sync the pages count as clean, and a second sync that
        // succeeds has written nothing of them.
        let writes = if off {
            Vec::new()
        } else {
            std::mem::take(&mut file.unsynced)
        };
        if result.is_ok() {
            for (offset, bytes) in writes {
                put(&mut file.synced, offset, &bytes);
            }
        }
        result
    }
}
