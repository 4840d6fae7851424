//! The log as a tree. The row of each entry has the hashes of the subtrees that it completes, so
//! that every node of the tree is found by one look into the log, and nothing else is kept of it.

use offgate_core::parameters::Revision;
use offgate_core::tree::{Leaf, Peaks, Subtree, TreeHash, prove_consistency, prove_inclusion};
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, Row, params};

use super::rows::{number, one};
use crate::error::StoreError;

/// The columns that a leaf is made of, in the order in which [`leaf`] reads them.
macro_rules! leaf_columns {
    () => {
        "revision, at, actor, actor_id, kind, subject, subject_id, details_hash"
    };
}
pub(super) use leaf_columns;

const NOT_A_LEAF: StoreError = StoreError::Damaged("a log entry that cannot have been written");
const NO_NODE: StoreError = StoreError::Damaged("the log's tree has a gap");

/// The hash of the leaf that a row of [`leaf_columns`] is. `buffer` is overwritten.
pub(super) fn leaf(row: &Row<'_>, buffer: &mut Vec<u8>) -> Result<TreeHash, StoreError> {
    let odd = |_: FromSqlError| NOT_A_LEAF;
    Leaf {
        revision: u64::try_from(row.get::<_, i64>(0)?).map_err(|_| NOT_A_LEAF)?,
        at: row.get(1)?,
        actor: row.get_ref(2)?.as_str().map_err(odd)?,
        actor_id: row.get_ref(3)?.as_blob_or_null().map_err(odd)?,
        kind: row.get_ref(4)?.as_str().map_err(odd)?,
        subject: row.get_ref(5)?.as_str().map_err(odd)?,
        subject_id: row.get_ref(6)?.as_blob_or_null().map_err(odd)?,
        details: row.get_ref(7)?.as_blob().map_err(odd)?,
    }
    .encode(buffer);
    Ok(TreeHash::leaf(buffer))
}

/// Hashes as the column has them.
pub(super) fn column(subtrees: &[TreeHash]) -> Vec<u8> {
    subtrees.iter().flat_map(|hash| hash.0).collect()
}

/// The hash of a complete subtree.
pub(super) fn subtree(connection: &Connection, wanted: Subtree) -> Result<TreeHash, StoreError> {
    let found = one(
        connection,
        "SELECT subtrees FROM log WHERE revision = ?1",
        params![i64::try_from(wanted.completed_at()).map_err(|_| NO_NODE)?],
        |row| {
            let subtrees = row.get_ref(0)?.as_blob().map_err(|_| NO_NODE)?;
            let (hashes, rest) = subtrees.as_chunks::<32>();
            match hashes.get(wanted.level as usize) {
                Some(hash) if rest.is_empty() => Ok(TreeHash(*hash)),
                _ => Err(NO_NODE),
            }
        },
    )?;
    found.ok_or(NO_NODE)
}

/// The tree of the log up to a revision.
pub(super) fn peaks(connection: &Connection, size: Revision) -> Result<Peaks, StoreError> {
    Peaks::of(size.number(), |wanted| subtree(connection, wanted))
}

/// Proves that the log up to a revision has this entry.
pub(crate) fn inclusion(
    connection: &Connection,
    entry: Revision,
    size: Revision,
) -> Result<Vec<TreeHash>, StoreError> {
    let place = entry.number().saturating_sub(1);
    prove_inclusion(place, size.number(), |wanted| subtree(connection, wanted))
}

/// Proves that the log up to a revision continues the log up to an earlier one.
pub(crate) fn consistency(
    connection: &Connection,
    old: Revision,
    new: Revision,
) -> Result<Vec<TreeHash>, StoreError> {
    prove_consistency(old.number(), new.number(), |wanted| {
        subtree(connection, wanted)
    })
}

/// The bytes of an entry's leaf; none if there is no such entry.
pub(crate) fn leaf_bytes(
    connection: &Connection,
    entry: Revision,
) -> Result<Option<Vec<u8>>, StoreError> {
    one(
        connection,
        concat!("SELECT ", leaf_columns!(), " FROM log WHERE revision = ?1"),
        params![number(entry)],
        |row| {
            let mut bytes = Vec::new();
            leaf(row, &mut bytes)?;
            Ok(bytes)
        },
    )
}

/// Makes the tree of a log that was written before there was one.
pub(super) fn fill(connection: &Connection) -> Result<(), StoreError> {
    let head = super::tables::head(connection)?;
    let mut read = connection.prepare(concat!(
        "SELECT ",
        leaf_columns!(),
        " FROM log WHERE revision = ?1"
    ))?;
    let mut write = connection.prepare("UPDATE log SET subtrees = ?2 WHERE revision = ?1")?;
    let (mut peaks, mut buffer) = (Peaks::EMPTY, Vec::new());
    for revision in 1..=number(head) {
        let mut rows = read.query(params![revision])?;
        let row = rows.next()?.ok_or(NO_NODE)?;
        let completed = peaks.push(leaf(row, &mut buffer)?);
        write.execute(params![revision, column(&completed)])?;
    }
    Ok(())
}
