//! The newest checkpoint of the server's log that this agent has seen, on disk.
//!
//! It is what makes this agent a witness: a server that shows another history is not followed.

use std::io;

use offgate_core::checkpoint::Checkpoint;

use crate::disk::Disk;

const NAME: &str = "checkpoint";

/// What this agent has seen of the log, and where it is kept.
pub struct Witness {
    folder: Box<dyn Disk>,
    seen: Option<Checkpoint>,
}

impl Witness {
    /// Reads what was kept. A file that is damaged is as good as none: it is said, and the next
    /// server that this store's log key speaks for is believed.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn open(mut folder: Box<dyn Disk>) -> io::Result<Self> {
        let Some(bytes) = folder.read_if_there(NAME)? else {
            return Ok(Self { folder, seen: None });
        };
        let seen = read(&bytes);
        if seen.is_none() {
            tracing::error!("what was seen of the server's log is damaged; beginning anew");
        }
        Ok(Self { folder, seen })
    }

    /// The newest checkpoint that was seen.
    #[must_use]
    pub const fn seen(&self) -> Option<Checkpoint> {
        self.seen
    }

    /// Keeps a newer one, so that a power cut leaves either it or the one before.
    ///
    /// # Errors
    /// It may not be durable. It counts in memory all the same.
    pub fn keep(&mut self, checkpoint: Checkpoint) -> io::Result<()> {
        self.seen = Some(checkpoint);
        let statement = checkpoint.statement();
        let checksum = blake3::hash(&statement);
        let bytes = [&statement, checksum.as_bytes().as_slice()].concat();
        self.folder.write_whole(NAME, &bytes)
    }
}

fn read(bytes: &[u8]) -> Option<Checkpoint> {
    let (statement, checksum) = bytes.split_last_chunk::<32>()?;
    if blake3::hash(statement).as_bytes() != checksum {
        return None;
    }
    Checkpoint::read(statement).ok()
}

#[cfg(test)]
mod tests {
    use offgate_core::id::StoreId;
    use offgate_core::parameters::{Epoch, Timestamp};
    use offgate_core::tree::TreeHash;

    use super::*;
    use crate::disk::simulated::{SimulatedDisk, Survivors};

    #[test]
    fn what_was_kept_survives_a_power_cut() {
        let disk = SimulatedDisk::default();
        let mut witness = Witness::open(Box::new(disk.clone())).expect("readable");
        assert_eq!(witness.seen(), None);
        let mut checkpoint = Checkpoint {
            store: StoreId::from_bytes([1; 16]),
            epoch: Epoch {
                counter: 1,
                nonce: [2; 16],
            },
            size: 5,
            root: TreeHash([3; 32]),
            at: Timestamp::from_seconds(1),
        };
        for size in [5, 6] {
            checkpoint.size = size;
            witness.keep(checkpoint).expect("a working disk");
            let after = disk.after_power_cut(Survivors::OnlySynced);
            let again = Witness::open(Box::new(after)).expect("readable");
            assert_eq!(again.seen(), Some(checkpoint));
        }
        let mut file = disk.clone().open(NAME).expect("a file");
        file.write_at(3, &[0xff]).expect("a working disk");
        let damaged = Witness::open(Box::new(disk)).expect("readable");
        assert_eq!(damaged.seen(), None);
    }
}
