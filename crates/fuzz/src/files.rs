//! An agent's files: the table, the lease, and what was seen of the log.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offgate_agent::pieces::{
    Book, Contents, Disk, DiskFile, Found, Keep, KeptLease, Position, RowChange, RowKey, Rows,
    TableFiles, Witness,
};
use offgate_core::checkpoint::Checkpoint;
use offgate_core::id::StoreId;
use offgate_core::parameters::{Boot, Epoch, Revision};
use offgate_core::table::entry::{Entry, TableHash};

use crate::seeds;

/// The files there can be. Others are of no generation, and not looked at.
const NAMES: [&str; 6] = [
    "table-1.snapshot",
    "table-1.log",
    "table-2.snapshot",
    "table-2.log",
    "lease",
    "checkpoint",
];
/// Small, so that a whole folder is a short input.
const LOG_BYTES: u32 = 1_024;
const BOOT: Boot = Boot([6; 16]);

/// A folder in memory that never fails; clones are the same one.
#[derive(Clone, Default)]
struct Folder(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

/// An open file, by its name.
struct File(Folder, String);

impl Folder {
    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for Folder {
    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(self.files().keys().cloned().collect())
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let found = self.files().get(name).cloned();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn create(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.files().insert(name.to_owned(), Vec::new());
        self.open(name)
    }

    fn open(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.read(name)?;
        Ok(Box::new(File(self.clone(), name.to_owned())))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let bytes = self.read(from)?;
        self.remove(from)?;
        self.files().insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let removed = self.files().remove(name);
        removed
            .map(drop)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut files = self.0.files();
        let file = files.get_mut(&self.1).ok_or(io::ErrorKind::NotFound)?;
        let end = offset + bytes.len();
        if file.len() < end {
            file.resize(end, 0);
        }
        file[offset..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Files one after the other: the number of the name, the length in two bytes, the bytes.
pub(crate) fn read(bytes: &[u8]) {
    let folder = Folder::default();
    let mut rest = bytes;
    while let Some(([name, high, low], behind)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (file, behind) = behind.split_at(length);
        rest = behind;
        let name = NAMES[usize::from(*name) % NAMES.len()];
        folder.files().insert(name.to_owned(), file.to_vec());
    }
    let _ = Witness::open(Box::new(folder.clone())).expect("a folder");
    let (mut files, found) = open(&folder);
    let contents = match found {
        Found::Table(contents) => contents,
        Found::Nothing | Found::Damaged => return,
    };
    // Whatever became of the files, what they are taken for was once written as a whole.
    let written = [first(), second()];
    assert!(written.contains(&contents), "{contents:?}");
    let _ = files.lease(BOOT, &contents);
    // What is found is found again when it was written anew.
    let _ = Book::open(files, Some(contents.clone()), &mut |_| {});
    assert_eq!(open(&folder).1, Found::Table(contents));
}

fn open(folder: &Folder) -> (TableFiles<Folder>, Found) {
    TableFiles::open_with(folder.clone(), LOG_BYTES).expect("a folder")
}

fn row(encoded: &[u8]) -> (RowKey, Vec<u8>) {
    let entry = Entry::decode(encoded).expect("an entry");
    (RowKey::Entry(entry.key()), encoded.to_vec())
}

fn contents(revision: u64, entries: usize) -> Contents {
    let all = seeds::of(&["table", "entries"]);
    Contents {
        position: Position {
            store: StoreId::from_bytes([3; 16]),
            epoch: Epoch {
                counter: 1,
                nonce: [4; 16],
            },
            revision: Revision::new(revision),
            hash: TableHash([u8::try_from(entries).unwrap_or(0); 32]),
        },
        rows: all.iter().take(entries).map(|it| row(it)).collect::<Rows>(),
    }
}

fn first() -> Contents {
    contents(7, 3)
}

fn second() -> Contents {
    contents(8, 4)
}

/// A folder with a table, a change of it, a lease and a checkpoint.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let folder = Folder::default();
    let mut tell = |_| {};
    let mut book = Book::open(open(&folder).0, None, &mut tell);
    book.write(Keep::Snapshot(first()), &mut tell);
    let mut seeds = vec![input(&folder)];
    let change = |(key, row): (&RowKey, &Vec<u8>)| RowChange {
        key: *key,
        entry: Some(row.clone()),
    };
    let before = first().rows;
    let new = second();
    let delta = Keep::Delta {
        to: new.position,
        changes: new
            .rows
            .iter()
            .filter(|(key, _)| !before.contains_key(*key))
            .map(change)
            .collect(),
    };
    book.write(delta, &mut tell);
    let lease = KeptLease {
        boot: BOOT,
        asked_at: Duration::from_secs(5),
    };
    book.write(Keep::Lease(lease), &mut tell);
    let statement = seeds::one(&["history", "statement"]);
    let checkpoint = Checkpoint::read(&statement).expect("a checkpoint");
    let mut witness = Witness::open(Box::new(folder.clone())).expect("a folder");
    witness.keep(checkpoint).expect("kept");
    seeds.push(input(&folder));
    seeds
}

fn input(folder: &Folder) -> Vec<u8> {
    let mut input = Vec::new();
    for (name, bytes) in folder.files().iter() {
        let number = NAMES.iter().position(|known| known == name);
        let number = number.expect("a name that is known");
        input.push(u8::try_from(number).expect("a few names"));
        let length = u16::try_from(bytes.len()).expect("a short file");
        input.extend_from_slice(&length.to_be_bytes());
        input.extend_from_slice(bytes);
    }
    input
}
