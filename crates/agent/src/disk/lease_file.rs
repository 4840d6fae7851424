//! The lease as it outlives this process: until the machine is started anew, and no longer.
//!
//! It is written without being synced, because after a power cut it counts for nothing anyway: it
//! names the start of the machine that it is of.

use std::time::Duration;

use offgate_core::parameters::Boot;

use super::Disk;
use super::bytes::Bytes;
use super::snapshot::{Contents, Position, RowKey, Rows};

const NAME: &str = "lease";
const MAGIC: &[u8; 8] = b"OFFGLEA1";

/// When the server was last heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptLease {
    /// Since which start of the machine is counted.
    pub boot: Boot,
    /// When the renewal that was answered had been asked for.
    pub asked_at: Duration,
}

/// Whether a refusal stands beside the table.
fn beside(rows: &Rows) -> u32 {
    let held = rows.keys().filter(|key| matches!(key, RowKey::Held(_)));
    u32::try_from(held.count()).unwrap_or(u32::MAX)
}

/// Writes it, with the table that was durable when it was renewed. What cannot be written is not
/// there after a restart, and that is all.
pub(super) fn keep(disk: &mut dyn Disk, lease: KeptLease, position: &Position, rows: &Rows) {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&lease.boot.0);
    let asked_at = u64::try_from(lease.asked_at.as_micros()).unwrap_or(u64::MAX);
    bytes.extend_from_slice(&asked_at.to_be_bytes());
    position.write(&mut bytes);
    bytes.extend_from_slice(&beside(rows).to_be_bytes());
    let checksum = *blake3::hash(&bytes).as_bytes();
    bytes.extend_from_slice(&checksum);
    let unfinished = format!("{NAME}.new");
    let written = disk
        .create(&unfinished)
        .and_then(|mut file| file.write_at(0, &bytes))
        .and_then(|()| disk.rename(&unfinished, NAME));
    if let Err(error) = written {
        tracing::warn!(%error, "the lease will not outlive this process");
    }
}

/// Takes it away: the table may not be what it was renewed for.
pub(super) fn forget(disk: &mut dyn Disk) {
    match disk.remove(NAME) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, "the lease that was kept could not be removed"),
    }
}

/// When the server was last heard, by the clock of this start of the machine, if the table on disk
/// has everything that was in force then. Anything else is no lease.
pub(super) fn read(disk: &mut dyn Disk, boot: Boot, contents: &Contents) -> Option<Duration> {
    let bytes = disk.read(NAME).ok()?;
    let (body, checksum) = bytes.split_last_chunk::<32>()?;
    if blake3::hash(body).as_bytes() != checksum {
        return None;
    }
    let mut from = Bytes(body);
    if from.array::<8>()? != *MAGIC || Boot(from.array()?) != boot {
        return None;
    }
    let asked_at = Duration::from_micros(from.u64()?);
    let renewed = Position::read(&mut from)?;
    let held = from.u32()?;
    let found = &contents.position;
    let reaches = (found.store, found.epoch) == (renewed.store, renewed.epoch)
        && found.revision >= renewed.revision
        && (found.revision > renewed.revision || found.hash == renewed.hash)
        && beside(&contents.rows) >= held;
    (from.is_empty() && reaches).then_some(asked_at)
}

#[cfg(test)]
mod tests {
    use offgate_core::id::StoreId;
    use offgate_core::parameters::{Epoch, Revision};
    use offgate_core::table::entry::TableHash;

    use super::super::simulated::SimulatedDisk;
    use super::*;

    const BOOT: Boot = Boot([4; 16]);

    fn contents(counter: u64, revision: u64, held: u8) -> Contents {
        Contents {
            position: Position {
                store: StoreId::from_bytes([1; 16]),
                epoch: Epoch {
                    counter,
                    nonce: [counter as u8; 16],
                },
                revision: Revision::new(revision),
                hash: TableHash([revision as u8; 32]),
            },
            rows: (0..held)
                .map(|number| (RowKey::Held([number; 16]), vec![number]))
                .collect(),
        }
    }

    #[test]
    fn it_counts_within_one_start_of_the_machine_and_for_no_older_table() {
        let mut disk = SimulatedDisk::default();
        let asked_at = Duration::from_millis(70_001);
        let renewed = contents(2, 10, 1);
        let lease = KeptLease {
            boot: BOOT,
            asked_at,
        };
        assert_eq!(read(&mut disk, BOOT, &renewed), None);
        keep(&mut disk, lease, &renewed.position, &renewed.rows);
        assert_eq!(read(&mut disk, BOOT, &renewed), Some(asked_at));
        assert_eq!(read(&mut disk, BOOT, &contents(2, 11, 3)), Some(asked_at));
        for (what, boot, found) in [
            (
                "the machine was started anew",
                Boot([5; 16]),
                renewed.clone(),
            ),
            ("an older table", BOOT, contents(2, 9, 1)),
            ("a refusal beside it is lost", BOOT, contents(2, 10, 0)),
            ("another epoch", BOOT, contents(3, 10, 1)),
        ] {
            assert_eq!(read(&mut disk, boot, &found), None, "{what}");
        }
        // Every byte counts, and every cut.
        let bytes = disk.read(NAME).expect("it");
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            for damaged in [&other[..], &bytes[..at]] {
                let mut disk = SimulatedDisk::default();
                let mut file = disk.create(NAME).expect("a file");
                file.write_at(0, damaged).expect("written");
                assert_eq!(read(&mut disk, BOOT, &renewed), None, "byte {at}");
            }
        }
        // Whole, and of a form that this program does not know.
        let mut newer = bytes[..bytes.len() - 32].to_vec();
        newer[7] += 1;
        let checksum = *blake3::hash(&newer).as_bytes();
        newer.extend_from_slice(&checksum);
        disk.set_bytes_of(NAME, newer);
        assert_eq!(read(&mut disk, BOOT, &renewed), None);
        forget(&mut disk);
        assert_eq!(read(&mut disk, BOOT, &renewed), None);
        forget(&mut disk);
    }
}
