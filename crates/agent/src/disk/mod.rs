//! What an agent keeps on disk so that it survives a power cut at any byte.
//!
//! Owns: the little a file must be able to do ([`Disk`]), the files of the door table
//! ([`table_files`]), and their bytes. Refuses to know: what an entry means, the server, the
//! clock.
//!
//! # The files of the table
//!
//! A *generation* is a snapshot `table-N.snapshot` and the log `table-N.log` of what changed
//! since. The log is written full of zeros first, so that one durable change costs one small
//! write in place and one `fdatasync`. All numbers are big-endian.
//!
//! | snapshot | bytes |
//! |---|---|
//! | magic `OFFGTAB1` | 8 |
//! | generation | 8 |
//! | position: store 16, epoch 8 + 16, revision 8, table hash 32 | 80 |
//! | number of rows | 4 |
//! | rows: kind 1 (`ff`: a refusal that stands beside the table), id 16, length 4, entry | |
//! | BLAKE3 of everything before | 32 |
//!
//! | log | bytes |
//! |---|---|
//! | magic `OFFGLOG1`, generation 8, length of this file 4, checksum of its snapshot 32 | 52 |
//! | what it continues: 1 and the chain of the generation before, or 0 and zeros | 17 |
//! | BLAKE3 of the 69 bytes before, cut to 16: the first *chain* | 16 |
//! | zeros up to byte 128, then frames | |
//!
//! | frame | bytes |
//! |---|---|
//! | payload length 4, revision 8, generation 8, BLAKE3 of these 20 bytes cut to 4 | 24 |
//! | payload: position 80, number of changes 4, changes: kind 1 (`ff` as above), id 16, length 4 (`ffffffff`: the entry goes), entry | |
//! | BLAKE3 of (chain, header, payload) cut to 16: the next chain | 16 |
//! | `a5`: never zero, so that the last written byte of a frame can be told from the zeros behind it | 1 |
//!
//! Beside them `lease` has when the server was last heard, for the next process within one start of
//! the machine: see [`lease_file`].
//!
//! What was acknowledged must not be lost silently, so a bad frame at the end of a log is taken
//! for a torn write only where its bytes stop before its end and zeros follow; a frame that was
//! written to its end and does not check is damage, and a damaged table is no table.

pub(crate) mod book;
mod bytes;
pub(crate) mod frame;
pub(crate) mod keeper;
pub(crate) mod lease_file;
mod log_file;
mod real;
pub(crate) mod snapshot;
pub(crate) mod table_files;

#[cfg(test)]
pub(crate) mod simulated;

use std::io;

pub(crate) use real::Folder;

/// The few things an agent asks of a folder.
pub trait Disk: Send {
    /// The names of the files in it.
    ///
    /// # Errors
    /// The folder cannot be read.
    fn names(&mut self) -> io::Result<Vec<String>>;

    /// All of a file.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read(&mut self, name: &str) -> io::Result<Vec<u8>>;

    /// A new, empty file that only its owner may read. One of the same name is gone.
    ///
    /// # Errors
    /// The file cannot be made.
    fn create(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// An existing file, to write to.
    ///
    /// # Errors
    /// The file cannot be opened.
    fn open(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name; one that had it is gone.
    ///
    /// # Errors
    /// The file cannot be renamed.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The file cannot be removed.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Makes the names durable: returns when a power cut can no longer undo them.
    ///
    /// # Errors
    /// They may not be durable, and asking again proves nothing.
    fn sync_folder(&mut self) -> io::Result<()>;

    /// Writes a small file so that it is either all there or not at all, also after a power cut.
    ///
    /// # Errors
    /// The file may or may not be there; what it had before is whole.
    fn write_whole(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = format!("{name}.new");
        let mut file = self.create(&unfinished)?;
        file.write_at(0, bytes)?;
        file.sync()?;
        self.rename(&unfinished, name)?;
        self.sync_folder()
    }

    /// All of a file, or nothing if there is none.
    ///
    /// # Errors
    /// It is there and cannot be read.
    fn read_if_there(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match self.read(name) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// An open file.
pub trait DiskFile: Send {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// Any part of them may or may not have been written.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written durable: returns when a power cut can no longer undo it.
    ///
    /// # Errors
    /// It may not be durable, and asking again proves nothing.
    fn sync(&mut self) -> io::Result<()>;
}
