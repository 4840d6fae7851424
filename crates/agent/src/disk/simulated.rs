//! A folder in memory that fails in the ways of a real one.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Disk, DiskFile};

/// What is still there after a power cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Survivors {
    /// Everything written until then, the last write torn where the power went.
    AllWritten,
    /// Only what was synced.
    OnlySynced,
    /// Names as they were, contents only as synced.
    NamesAndSynced,
    /// Contents as written, names only as synced.
    ContentsAndSyncedNames,
}

#[derive(Default)]
struct State {
    contents: Vec<Contents>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    /// Bytes that may still be written (a change of a name counts as one) until the power goes.
    power: Option<u64>,
    off: bool,
    syncs: u64,
    failing_syncs: Option<(u64, u64)>,
}

#[derive(Default, Clone)]
struct Contents {
    written: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

/// A folder in memory; clones are the same folder.
#[derive(Clone, Default)]
pub(crate) struct SimulatedDisk(Arc<Mutex<State>>);

struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
}

fn put(into: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if into.len() < offset + bytes.len() {
        into.resize(offset + bytes.len(), 0);
    }
    into[offset..offset + bytes.len()].copy_from_slice(bytes);
}

impl State {
    /// Uses power for `wanted` bytes, and says how many get through.
    fn spend(&mut self, wanted: u64) -> u64 {
        if self.off {
            return 0;
        }
        let Some(power) = &mut self.power else {
            return wanted;
        };
        let spent = wanted.min(*power);
        *power -= spent;
        self.off = spent < wanted;
        spent
    }

    fn rename_costs_one(&mut self) -> io::Result<()> {
        if self.spend(1) == 1 {
            Ok(())
        } else {
            Err(io::Error::other("the power is off"))
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.off {
            return Err(io::Error::other("the power is off"));
        }
        self.syncs += 1;
        match self.failing_syncs {
            Some((first, last)) if (first..=last).contains(&self.syncs) => {
                Err(io::Error::other("the sync failed"))
            }
            _ => Ok(()),
        }
    }
}

impl SimulatedDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .expect("no test panics while it holds the disk")
    }

    /// The power goes after this many more bytes.
    pub(crate) fn power_goes_after(&self, bytes: u64) {
        self.state().power = Some(bytes);
    }

    /// The `first` to the `last` sync from the beginning fail.
    pub(crate) fn syncs_fail(&self, first: u64, last: u64) {
        self.state().failing_syncs = Some((first, last));
    }

    /// How many syncs there were.
    pub(crate) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// How many bytes all the files have.
    pub(crate) fn bytes_of(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.contents[state.names[name]].written.clone()
    }

    /// Changes a file behind everybody's back.
    pub(crate) fn set_bytes_of(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.state();
        let file = state.names[name];
        state.contents[file] = Contents {
            written: bytes.clone(),
            synced: bytes,
            unsynced: Vec::new(),
        };
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
        let contents = state.contents.iter().map(|file| {
            let bytes = if written {
                file.written.clone()
            } else {
                file.synced.clone()
            };
            Contents {
                written: bytes.clone(),
                synced: bytes,
                unsynced: Vec::new(),
            }
        });
        Self(Arc::new(Mutex::new(State {
            contents: contents.collect(),
            names: names.clone(),
            synced_names: names.clone(),
            ..State::default()
        })))
    }
}

impl Disk for SimulatedDisk {
    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.state();
        let file = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.contents[file].written.clone())
    }

    fn create(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.rename_costs_one()?;
        let file = state.contents.len();
        state.contents.push(Contents::default());
        state.names.insert(name.to_owned(), file);
        Ok(Box::new(SimulatedFile {
            disk: self.clone(),
            file,
        }))
    }

    fn open(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = *self
            .state()
            .names
            .get(name)
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimulatedFile {
            disk: self.clone(),
            file,
        }))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.rename_costs_one()?;
        let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.rename_costs_one()?;
        state
            .names
            .remove(name)
            .map(|_| ())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        let mut state = self.state();
        state.sync()?;
        state.synced_names = state.names.clone();
        Ok(())
    }
}

impl DiskFile for SimulatedFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let arrived = state.spend(bytes.len() as u64) as usize;
        let offset = offset as usize;
        let file = &mut state.contents[self.file];
        put(&mut file.written, offset, &bytes[..arrived]);
        file.unsynced.push((offset, bytes[..arrived].to_vec()));
        if arrived == bytes.len() {
            Ok(())
        } else {
            Err(io::Error::other("the power is off"))
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        let result = state.sync();
        let off = state.off;
        let file = &mut state.contents[self.file];
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
