//! The backups that a store was restored from, and what came of it.

use offgate_core::id::{AgentId, UserId};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::user::DeactivationReason;
use rusqlite::{Connection, params};

use super::rows::{all, one, revision};
use crate::engine::RestoreRecord;
use crate::error::StoreError;

/// The last change of an epoch that is known here.
pub(super) fn known_of(
    connection: &Connection,
    epoch: Epoch,
) -> Result<Option<Revision>, StoreError> {
    let known = one(
        connection,
        "SELECT CASE WHEN epoch_counter = ?1 AND epoch_nonce = ?2 THEN ?3 ELSE ( \
         SELECT last FROM restore WHERE restore.epoch_counter = ?1 \
         AND restore.epoch_nonce = ?2) END FROM store",
        params![
            i64::try_from(epoch.counter).unwrap_or(i64::MAX),
            epoch.nonce,
            i64::MAX
        ],
        |row| Ok(row.get::<_, Option<i64>>(0)?),
    )?;
    Ok(known.flatten().map(revision))
}

/// The last restore, if there was one.
pub(crate) fn last(connection: &Connection) -> Result<Option<RestoreRecord>, StoreError> {
    one(
        connection,
        "SELECT revision, at, made_at FROM restore ORDER BY revision DESC LIMIT 1",
        [],
        |row| {
            Ok(RestoreRecord {
                revision: revision(row.get(0)?),
                at: Timestamp::from_microseconds(row.get(1)?),
                made_at: Timestamp::from_microseconds(row.get(2)?),
            })
        },
    )
}

/// Agents that have confirmed nothing since a change and decide for a door, in the order of their
/// names; at most so many.
pub(crate) fn not_heard_since(
    connection: &Connection,
    since: Revision,
    limit: usize,
) -> Result<Vec<AgentId>, StoreError> {
    all(
        connection,
        "SELECT a.id FROM agent a WHERE a.revoked_at IS NULL \
         AND EXISTS (SELECT 1 FROM door d WHERE d.agent = a.id) \
         AND NOT EXISTS (SELECT 1 FROM acknowledgement k JOIN store s \
         ON k.epoch_counter = s.epoch_counter AND k.epoch_nonce = s.epoch_nonce \
         WHERE k.agent = a.id AND k.revision >= ?1) ORDER BY a.name, a.id LIMIT ?2",
        params![
            i64::try_from(since.number()).unwrap_or(i64::MAX),
            i64::try_from(limit).unwrap_or(i64::MAX)
        ],
        |row| Ok(AgentId::from_bytes(row.get(0)?)),
    )
}

/// People who are deactivated because a door showed that they had been; at most so many.
pub(crate) fn shown_by_doors(
    connection: &Connection,
    limit: usize,
) -> Result<Vec<UserId>, StoreError> {
    all(
        connection,
        "SELECT id FROM user WHERE status = 'deactivated' AND deactivation_reason = ?1 \
         ORDER BY revision, id LIMIT ?2",
        params![
            DeactivationReason::ShownByADoor.name(),
            i64::try_from(limit).unwrap_or(i64::MAX)
        ],
        |row| Ok(UserId::from_bytes(row.get(0)?)),
    )
}
