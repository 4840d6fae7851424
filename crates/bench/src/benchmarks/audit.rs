//! The walk through a whole log that trusts nothing, beside reading the same rows; and what the
//! tree costs an entry, beside all that is done to commit one.

use std::time::{Duration, Instant};

use anyhow::ensure;
use offgate_core::tree::{Leaf, Peaks, TreeHash};
use offgate_store::DATABASE_FILE;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::site::{Agents, Plan, SiteStore};
use crate::harness::{Bound, Ratio, Report, Unit, nanoseconds_each, take_turns};
use crate::say;

/// How many entries the log has, at least, unless `OFFGATE_BENCH_ENTRIES` says otherwise.
const ENTRIES: u64 = 1_000_000;
const PEOPLE: usize = 1000;

const SCAN: &str = "reading every column of every entry and its details, an entry";
const AUDIT: &str = "computing all of it again, an entry";
const TREE: &str = "hashing an entry into the tree";
const COMMIT: &str = "committing an entry among 256 callers";

pub(crate) fn run() -> anyhow::Result<Report> {
    let asked = std::env::var("OFFGATE_BENCH_ENTRIES").ok();
    let wanted = asked.map_or(Ok(ENTRIES), |number| number.parse())?;
    let site = SiteStore::new(Plan {
        doors: 1,
        people: PEOPLE,
        agents: Agents::Enrolled,
    })?;
    let head = || anyhow::Ok(site.store.read().head()?.number());
    while head()? < wanted {
        site.deactivate_all()?;
        site.reactivate(&site.people)?;
        if head()? % 50_000 < 2 * PEOPLE as u64 {
            say(&format!("{} entries", head()?));
        }
    }
    let path = site.directory().join(DATABASE_FILE);
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let measured = take_turns(vec![
        Box::new(|round| {
            let entries = head()?;
            let begun = Instant::now();
            let sum = scan(&database, "SELECT * FROM log")?
                .wrapping_add(scan(&database, "SELECT * FROM log_payload")?);
            ensure!(sum > 0, "nothing was read");
            let each = begun.elapsed().as_nanos() as f64 / entries as f64;
            round.record(SCAN, Unit::Nanoseconds, each);
            Ok(())
        }),
        Box::new(|round| {
            let entries = head()?;
            let begun = Instant::now();
            let audit = site.store.read().audit()?;
            let each = begun.elapsed().as_nanos() as f64 / entries as f64;
            ensure!(
                audit.finding.is_none() && audit.entries == entries,
                "{audit:?}"
            );
            round.record(AUDIT, Unit::Nanoseconds, each);
            Ok(())
        }),
        Box::new(|round| {
            round.record(TREE, Unit::Nanoseconds, tree());
            Ok(())
        }),
        Box::new(|round| {
            let before = head()?;
            let begun = Instant::now();
            site.deactivate_all()?;
            site.reactivate(&site.people)?;
            let spent = begun.elapsed().as_nanos() as f64;
            let each = spent / head()?.saturating_sub(before).max(1) as f64;
            round.record(COMMIT, Unit::Nanoseconds, each);
            Ok(())
        }),
    ])?;
    Ok(Report {
        measured,
        ratios: vec![
            Ratio {
                what: "verifying a log of a million entries beside reading it",
                of: AUDIT,
                beside: SCAN,
                bound: Bound::AtMost {
                    goal: 3.0,
                    aim: 2.2,
                },
            },
            Ratio {
                what: "the tree's share of a commit",
                of: TREE,
                beside: COMMIT,
                bound: Bound::Open,
            },
        ],
    })
}

/// What it takes to encode a leaf, hash it, and hash every subtree that it completes.
fn tree() -> f64 {
    let (mut peaks, mut leaf) = (Peaks::EMPTY, Vec::new());
    let each = nanoseconds_each(Duration::from_millis(300), 1024, || {
        Leaf {
            revision: peaks.size() + 1,
            at: 1_790_000_000_000_000,
            actor: "command-line",
            actor_id: None,
            kind: "user.deactivated",
            subject: "user",
            subject_id: Some(&[7; 16]),
            details: &[9; 32],
        }
        .encode(&mut leaf);
        std::hint::black_box(peaks.push(TreeHash::leaf(&leaf)));
    });
    std::hint::black_box(peaks.root());
    each
}

/// Touches every column of every row.
fn scan(database: &Connection, sql: &str) -> anyhow::Result<u64> {
    let mut statement = database.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut sum = 0_u64;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            let value = match row.get_ref(column)? {
                ValueRef::Null => 0,
                ValueRef::Integer(number) => number.unsigned_abs(),
                ValueRef::Real(_) => 1,
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                    bytes.iter().map(|byte| u64::from(*byte)).sum()
                }
            };
            sum = sum.wrapping_add(value);
        }
    }
    Ok(sum)
}
