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
            Ok((
                row.get::<_, i64>(0)?,
                (row.get(1)?, row.get(2)?, row.get(3)?),
            ))
        },
    )?;
    let in_its_place = |&(_, (last_epoch, last_size, signed_at)): &(i64, (i64, i64, i64))| {
        last_epoch == epoch
            && (last_size == size || signed_at.div_euclid(DAY) == at.div_euclid(DAY))
    };
    let number = last.filter(in_its_place).map(|(number, _)| number);
    // Without a number it is a new row.
    connection
        .prepare_cached(
            "INSERT INTO checkpoint (number, epoch, size, at, signed) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (number) DO UPDATE SET size = ?3, at = ?4, signed = ?5",
        )?
        .execute(params![number, epoch, size, at, signed.encode()])?;
    Ok(())
}
