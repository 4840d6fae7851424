//! About whom, and about which credential, the last word is an admission.
//!
//! A door that comes to know somebody may still hold a refusal from before, of this history or of
//! one that was lost in a restore, and is told by what is kept here that it is over.

use offgate_core::change::Change;
use offgate_core::id::UserId;
use offgate_core::parameters::{Epoch, Revision};
use offgate_core::ruling::{Ruled, Ruling, ruled_by};
use offgate_core::table::entry::{Entry, EntryKind};
use rusqlite::{Connection, params};

use super::rows::{all, number, one, revision};
use crate::engine::StoreIdentity;
use crate::error::StoreError;

/// Notes what a change rules, before it is applied: whom it removes may still be asked for.
pub(super) fn note(
    connection: &Connection,
    change: &Change,
    revision: i64,
) -> Result<(), StoreError> {
    match ruled_by(change) {
        None => Ok(()),
        Some((user, _, Ruled::Removed)) => {
            connection
                .prepare_cached(
                    "DELETE FROM readmission WHERE subject = ?1 \
                     OR subject IN (SELECT id FROM credential WHERE user = ?1)",
                )?
                .execute(params![user.as_bytes()])?;
            Ok(())
        }
        Some((_, subject, ruled)) if ruled.refuses() => {
            connection
                .prepare_cached("DELETE FROM readmission WHERE subject = ?1")?
                .execute(params![subject])?;
            Ok(())
        }
        Some((_, subject, _)) => admitted(connection, &subject, revision),
    }
}

fn admitted(connection: &Connection, subject: &[u8; 16], revision: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO readmission (subject, revision) VALUES (?1, ?2)")?
        .execute(params![subject, revision])?;
    Ok(())
}

/// The change that admitted somebody or something again, if that is the last word and was said after
/// the last restore.
pub(super) fn since_restore(
    connection: &Connection,
    subject: &[u8; 16],
) -> Result<Option<Revision>, StoreError> {
    one(
        connection,
        "SELECT revision FROM readmission WHERE subject = ?1 \
         AND revision > (SELECT coalesce(max(last), 0) FROM restore)",
        params![subject],
        |row| Ok(revision(row.get(0)?)),
    )
}

/// The admissions that are the last word about somebody or about a credential of theirs.
pub(super) fn of(
    connection: &Connection,
    identity: StoreIdentity,
    user: UserId,
) -> Result<Vec<Ruling>, StoreError> {
    let rows = all(
        connection,
        "SELECT subject, revision FROM readmission WHERE subject = ?1 \
         OR subject IN (SELECT id FROM credential WHERE user = ?1) ORDER BY revision",
        params![user.as_bytes()],
        |row| Ok((row.get::<_, [u8; 16]>(0)?, revision(row.get(1)?))),
    )?;
    let rulings = rows.into_iter().map(|(subject, revision)| {
        Ok(Ruling {
            subject,
            ruled: if subject == *user.as_bytes() {
                Ruled::Admitted
            } else {
                Ruled::Usable
            },
            epoch: epoch_of(connection, revision)?.unwrap_or(identity.epoch),
            revision,
        })
    });
    rulings.collect()
}

/// The epoch that a change was made in, if a restore has ended it since.
fn epoch_of(connection: &Connection, change: Revision) -> Result<Option<Epoch>, StoreError> {
    one(
        connection,
        "SELECT epoch_counter, epoch_nonce FROM restore WHERE last >= ?1 ORDER BY last LIMIT 1",
        params![number(change)],
        |row| {
            Ok(Epoch {
                counter: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
                nonce: row.get(1)?,
            })
        },
    )
}

/// Writes what was readmitted before this was kept: people by the log; credentials, of which the log
/// says whose they are and not which, by what agents were told.
pub(super) fn fill(connection: &Connection) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO readmission (subject, revision) \
         SELECT l.subject_id, max(l.revision) FROM log l \
         JOIN user u ON u.id = l.subject_id AND u.status = 'active' \
         WHERE l.subject = 'user' AND l.kind = 'user.reactivated' GROUP BY l.subject_id",
        [],
    )?;
    let told = all(
        connection,
        "SELECT e.encoded FROM agent_entry e \
         JOIN credential c ON c.id = e.id AND c.lost_since IS NULL \
         WHERE e.kind = ?1 AND e.encoded IS NOT NULL ORDER BY e.revision",
        params![EntryKind::Ruling as u8],
        |row| match Entry::decode(&row.get::<_, Vec<u8>>(0)?) {
            Ok(Entry::Ruling(entry)) => Ok(entry.ruling()),
            Ok(_) | Err(_) => Err(StoreError::Damaged("a ruling that is none")),
        },
    )?;
    let usable = |ruling: &Ruling| ruling.ruled == Ruled::Usable;
    told.into_iter()
        .flatten()
        .filter(usable)
        .try_for_each(|ruling| admitted(connection, &ruling.subject, number(ruling.revision)))
}
