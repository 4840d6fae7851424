//! The walk through the whole log: everything is computed again from what the entries say.

use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::parameters::Revision;
use offgate_core::tree::Peaks;
use rusqlite::{Connection, Row};

use super::log_tree::{leaf, leaf_columns};
use super::payload;
use super::payload_check::{Checked, Checker};
use super::rows::all;
use super::{checkpoints, identity};
use crate::audit::{Audit, Finding};
use crate::engine::StoreIdentity;
use crate::error::StoreError;
use crate::vault::Vault;

/// A kept checkpoint: its columns, and what they are for.
struct Kept {
    columns: (i64, i64, i64),
    signed: Result<SignedCheckpoint, StoreError>,
}

impl Kept {
    /// The checkpoint, if it is one of this store and its columns are its own.
    fn read(&self, identity: &StoreIdentity) -> Option<(Checkpoint, &SignedCheckpoint)> {
        let signed = self.signed.as_ref().ok()?;
        let checkpoint = Checkpoint::read(&signed.statement).ok()?;
        let (epoch, size, at) = self.columns;
        let fits = u64::try_from(epoch) == Ok(checkpoint.epoch.counter)
            && u64::try_from(size) == Ok(checkpoint.size)
            && at == checkpoint.at.microseconds()
            && checkpoint.store == identity.store
            && checkpoint.epoch.counter <= identity.epoch.counter
            && (checkpoint.epoch.counter < identity.epoch.counter
                || checkpoint.epoch == identity.epoch);
        fits.then_some((checkpoint, signed))
    }
}

/// Walks the log as it is at this moment, whatever is written meanwhile.
pub(crate) fn audit(connection: &Connection, vault: &Vault) -> Result<Audit, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let identity = identity(&transaction)?;
    // Whom the vault is still to put on its list was erased too. What is owed is read first: the
    // list only grows.
    let mut erasures = payload::owed(&transaction)?;
    let listed = vault.erasures()?;
    let listed_erasures = listed.len() as u64;
    erasures.extend(listed);
    let mut checker = Checker::new(vault, erasures);
    let mut kept = all(
        &transaction,
        "SELECT epoch, size, at, signed FROM checkpoint ORDER BY size, epoch",
        [],
        |row| {
            Ok(Kept {
                columns: (row.get(0)?, row.get(1)?, row.get(2)?),
                signed: checkpoints::read(row.get_ref(3)?.as_blob().unwrap_or_default()),
            })
        },
    )?
    .into_iter()
    .peekable();
    let mut rows = transaction.prepare(concat!(
        "SELECT ",
        leaf_columns!(),
        ", subtrees FROM log ORDER BY revision"
    ))?;
    let mut payloads = transaction.prepare(
        "SELECT revision, position, commitment, about, about_id, content, erased_at \
         FROM log_payload ORDER BY revision, position",
    )?;
    let (mut rows, mut payloads) = (rows.query([])?, payloads.query([])?);
    let (mut peaks, mut buffer) = (Peaks::EMPTY, Vec::new());
    let (mut entries, mut covered) = (0, 0);
    let (mut readable, mut erased, mut unreadable) = (0, 0, 0);
    let mut erased_for_nobody = Vec::new();
    let mut commitments = Vec::new();
    let mut checkpoints = Vec::new();
    let mut payload = payloads.next()?;
    let finding = loop {
        let here = Revision::new(peaks.size());
        // Every checkpoint of the log as long as it is here.
        let mut bad = None;
        while let Some(next) = kept
            .next_if(|next| u64::try_from(next.columns.1).is_ok_and(|size| size <= here.number()))
        {
            match next.read(&identity) {
                Some((checkpoint, signed)) if checkpoint.root == peaks.root() => {
                    covered = checkpoint.size;
                    checkpoints.push(signed.clone());
                }
                _ => bad = bad.or(Some(Finding::Checkpoint(here))),
            }
        }
        if bad.is_some() {
            break bad;
        }
        let next = here.next();
        let Some(row) = rows.next()? else {
            // The log ends here, so nothing may be said about a longer one.
            break if kept.peek().is_some() {
                Some(Finding::Missing(next))
            } else if covered < here.number() {
                Some(Finding::NotSigned(Revision::new(covered).next()))
            } else {
                None
            };
        };
        if revision(row)? != Some(next) {
            break Some(Finding::Missing(next));
        }
        let Ok(hash) = leaf(row, &mut buffer) else {
            break Some(Finding::Entry(next));
        };
        let (stored, rest) = row
            .get_ref(8)?
            .as_blob()
            .unwrap_or_default()
            .as_chunks::<32>();
        let completed = peaks.push(hash);
        if stored.first() != Some(&hash.0) {
            break Some(Finding::Entry(next));
        }
        if !rest.is_empty() || !completed.iter().map(|hash| &hash.0).eq(stored) {
            break Some(Finding::Subtree(next));
        }
        commitments.clear();
        let subject = row.get_ref(5)?.as_str_or_null().unwrap_or_default();
        let subject = payload::person(subject, row.get(6)?).unwrap_or_default();
        let mut of_this = None;
        while let Some(found) = payload
            && revision(found)? <= Some(next)
        {
            let (checked, commitment) = checker.check(found, next, commitments.len(), subject)?;
            commitments.push(commitment);
            if revision(found)? != Some(next) {
                of_this = Some(Checked::Altered);
                break;
            }
            match checked {
                Checked::Fits => readable += 1,
                Checked::Erased => erased += 1,
                Checked::ErasedForNobody => {
                    erased += 1;
                    if erased_for_nobody.len() < Audit::NAMED {
                        erased_for_nobody.push(next);
                    }
                }
                Checked::Unreadable => unreadable += 1,
                Checked::Altered => {
                    of_this = Some(Checked::Altered);
                    break;
                }
            }
            payload = payloads.next()?;
        }
        let hash = payload::details_hash(&commitments);
        if of_this.is_some() || row.get_ref(7)?.as_blob().ok() != Some(&hash) {
            break Some(Finding::Details(next));
        }
        entries = next.number();
    };
    Ok(Audit {
        entries,
        readable,
        erased,
        erased_for_nobody,
        erasures: listed_erasures,
        unreadable,
        root: peaks.root(),
        checkpoints,
        finding,
    })
}

fn revision(row: &Row<'_>) -> Result<Option<Revision>, StoreError> {
    let number: i64 = row.get(0)?;
    Ok(u64::try_from(number).ok().map(Revision::new))
}
