//! What the link hands over, as the deciding thread and the disk take it, and a table as the disk
//! gives it back.

use offgate_core::agent::HashKey;
use offgate_core::id::StoreId;
use offgate_core::table::Table;
use offgate_core::table::entry::{Entry, RulingEntry};
use offgate_link::agent_end::{Changes, Held};

use crate::decisions::EntryChange;
use crate::disk::book::Keep;
use crate::disk::frame::RowChange;
use crate::disk::snapshot::{Contents, Position, RowKey, Rows};

impl From<Position> for Held {
    fn from(position: Position) -> Self {
        let Position {
            store,
            epoch,
            revision,
            hash,
        } = position;
        Self {
            store,
            epoch,
            revision,
            hash,
        }
    }
}

const fn position(held: Held) -> Position {
    let Held {
        store,
        epoch,
        revision,
        hash,
    } = held;
    Position {
        store,
        epoch,
        revision,
        hash,
    }
}

/// A few changes: for the table in memory, for the one on disk, and where they lead.
#[must_use]
pub fn delta(changes: Changes) -> (Vec<EntryChange>, Keep, Held) {
    let Changes {
        deletes,
        puts,
        becomes,
    } = changes;
    let rows = deletes
        .iter()
        .map(|key| RowChange {
            key: RowKey::Entry(*key),
            entry: None,
        })
        .chain(puts.iter().map(|put| RowChange {
            key: RowKey::Entry(put.key()),
            entry: Some(put.encode()),
        }))
        .collect();
    let entries = deletes
        .into_iter()
        .map(EntryChange::Delete)
        .chain(puts.into_iter().map(EntryChange::Put))
        .collect();
    (
        entries,
        Keep::Delta {
            to: position(becomes),
            changes: rows,
        },
        becomes,
    )
}

/// A whole table, for memory and for the disk; none if it is not what it was said to be.
#[must_use]
pub fn whole(changes: Changes, hash_key: HashKey) -> Option<(Box<Table>, Contents)> {
    let mut table = Table::empty(hash_key);
    changes.puts.into_iter().for_each(|entry| table.put(entry));
    let rows: Rows = table
        .entries()
        .map(|(key, row)| (RowKey::Entry(*key), row.to_vec()))
        .collect();
    let contents = Contents {
        position: position(changes.becomes),
        rows,
    };
    (table.hash() == changes.becomes.hash).then(|| (Box::new(table), contents))
}

/// Puts refusals of earlier tables beside a table on disk.
pub fn hold(contents: &mut Contents, refusals: Vec<RulingEntry>) {
    for refusal in refusals {
        let key = RowKey::Held(*refusal.subject);
        contents.rows.insert(key, Entry::Ruling(refusal).encode());
    }
}

/// Refusals that came ahead of a table, for the disk.
#[must_use]
pub fn beside(refusals: &[RulingEntry]) -> Vec<RowChange> {
    refusals
        .iter()
        .map(|refusal| RowChange {
            key: RowKey::Held(*refusal.subject),
            entry: Some(Entry::Ruling(refusal.clone()).encode()),
        })
        .collect()
}

/// The table that these rows make; none if they are of another store, key, or program.
#[must_use]
pub fn rebuild(contents: &Contents, store: StoreId, hash_key: HashKey) -> Option<Table> {
    let mut table = Table::empty(hash_key);
    for (key, row) in &contents.rows {
        match (key, Entry::decode(row).ok()?) {
            (RowKey::Entry(_), entry) => table.put(entry),
            (RowKey::Held(_), Entry::Ruling(refusal)) => table.hold(refusal),
            (RowKey::Held(_), _) => return None,
        }
    }
    let same = contents.position.store == store && table.hash() == contents.position.hash;
    same.then_some(table)
}
