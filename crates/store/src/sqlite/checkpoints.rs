//! Signed checkpoints as rows: the newest, and the last of each day.

use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use rusqlite::{Connection, params};

use super::rows::one;
use crate::error::StoreError;

/// A day, in microseconds.
const DAY: i64 = 24 * 3600 * 1_000_000;

/// The newest checkpoint.
pub(crate) fn newest(connection: &Connection) -> Result<Option<SignedCheckpoint>, StoreError> {
    one(
        connection,
        "SELECT signed FROM checkpoint ORDER BY number DESC LIMIT 1",
        [],
        |row| read(row.get_ref(0)?.as_blob().unwrap_or_default()),
    )
}

pub(super) fn read(signed: &[u8]) -> Result<SignedCheckpoint, StoreError> {
    SignedCheckpoint::decode(signed).map_err(|_| StoreError::Damaged("a checkpoint that is none"))
}

/// The row of the newest checkpoint.
struct Last {
    number: i64,
    epoch: i64,
    size: i64,
    /// The day on which it was signed, since 1970.
    day: i64,
}

/// Keeps a checkpoint, in place of an earlier one of the same day.
pub(super) fn keep(
    connection: &Connection,
    checkpoint: &Checkpoint,
    signed: &SignedCheckpoint,
) -> Result<(), StoreError> {
    let number = |number: u64| {
        i64::try_from(number).map_err(|_| StoreError::Damaged("a log without an end"))
    };
    let (epoch, size) = (number(checkpoint.epoch.counter)?, number(checkpoint.size)?);
    let at = checkpoint.at.microseconds();
    let last = one(
        connection,
        "SELECT number, epoch, size, at FROM checkpoint ORDER BY number DESC LIMIT 1",
        [],
        |row| {
            Ok(Last {
                number: row.get(0)?,
                epoch: row.get(1)?,
                size: row.get(2)?,
                day: row.get::<_, i64>(3)?.div_euclid(DAY),
            })
        },
    )?;
    let in_its_place =
        |last: &Last| last.epoch == epoch && (last.size == size || last.day == at.div_euclid(DAY));
    let number = last.filter(in_its_place).map(|last| last.number);
    // Without a number it is a new row.
    connection
        .prepare_cached(
            "INSERT INTO checkpoint (number, epoch, size, at, signed) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (number) DO UPDATE SET size = ?3, at = ?4, signed = ?5",
        )?
        .execute(params![number, epoch, size, at, signed.encode()])?;
    Ok(())
}
