//! A durable deactivation, from the caller's side: judged, applied to rows, log and door tables,
//! committed and synced, answered.
//!
//! Two yardsticks: the disk itself (overwrite 4 KiB in a preallocated file and sync it), and the
//! same store with one transaction for each of 64 callers, who wait for one another. Beside both
//! stands a bare database that changes as many pages and does nothing else: what no rule can save.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, bail};
use offgate_core::id::UserId;
use rusqlite::{Connection, params};

use super::site::{Agents, Plan, SiteStore};
use crate::harness::{Bound, Ratio, Report, Round, Unit, take_turns};

const PEOPLE: usize = 10_000;
const DOORS: u16 = 1;
const CALLERS: usize = 64;
/// How often each caller of a turn calls, alone and among others.
const ALONE: usize = 400;
const AMONG: usize = 40;

const DISK: &str = "overwrite of 4 KiB and fdatasync";
const LOG: &str = "as many pages as a deactivation changes, in one write, and fdatasync";
const PAGES: &str = "transactions of a bare database with as many pages";
const PAGES_TOGETHER: &str = "64 at once in a transaction of that bare database";
const ONE: &str = "deactivations by one caller";
const TOGETHER: &str = "deactivations by 64 callers at once";
const APART: &str = "the same, one transaction each";
const TOGETHER_LATE: &str = "99th percentile of 64 callers at once";
const APART_LATE: &str = "the same, one transaction each, 99th percentile";

pub(crate) fn run() -> anyhow::Result<Report> {
    let site = SiteStore::new(Plan {
        doors: DOORS,
        people: PEOPLE,
        agents: Agents::Enrolled,
    })?;
    let disk = Disk::new()?;
    let mut pages = Pages::new()?;
    let turn = |people: usize| {
        let next = Cell::new(0);
        move |site: &SiteStore| -> Vec<UserId> {
            let from = next.get();
            next.set((from + people) % (PEOPLE - people));
            site.people[from..from + people].to_vec()
        }
    };
    let (alone, together, apart) = (turn(ALONE), turn(CALLERS * AMONG), turn(CALLERS * 4));
    let (site, disk) = (&site, &disk);
    let measured = take_turns(vec![
        Box::new(move |round| disk.measure(round)),
        Box::new(move |round| pages.measure(round)),
        Box::new(move |round| {
            let people = alone(site);
            let begun = Instant::now();
            for user in &people {
                site.deactivate(*user)?;
            }
            round.record(ONE, Unit::PerSecond, rate(people.len(), begun));
            site.reactivate(&people)
        }),
        Box::new(move |round| {
            let people = together(site);
            let names = (TOGETHER, TOGETHER_LATE);
            callers(round, names, &people, |user| {
                site.deactivate(user).map(drop)
            })?;
            site.reactivate(&people)
        }),
        Box::new(move |round| {
            let people = apart(site);
            let turnstile = Mutex::new(());
            callers(round, (APART, APART_LATE), &people, |user| {
                let _alone = turnstile.lock().unwrap_or_else(PoisonError::into_inner);
                site.deactivate(user).map(drop)
            })?;
            site.reactivate(&people)
        }),
    ])?;
    let ratio = |what, of, beside, bound| Ratio {
        what,
        of,
        beside,
        bound,
    };
    Ok(Report {
        measured,
        ratios: vec![
            ratio(
                "rate of durable deactivations beside the disk's own",
                ONE,
                DISK,
                Bound::AtLeast {
                    goal: 0.55,
                    aim: 0.75,
                },
            ),
            ratio(
                "beside a bare database that changes as many pages",
                ONE,
                PAGES,
                Bound::Open,
            ),
            ratio(
                "that bare database beside the disk",
                PAGES,
                DISK,
                Bound::Open,
            ),
            ratio(
                "those pages in one write beside the disk's own",
                LOG,
                DISK,
                Bound::Open,
            ),
            ratio(
                "64 callers at once beside one transaction each",
                TOGETHER,
                APART,
                Bound::AtLeast {
                    goal: 8.0,
                    aim: 12.0,
                },
            ),
            ratio(
                "64 at once in a transaction of a bare database beside one each",
                PAGES_TOGETHER,
                PAGES,
                Bound::Open,
            ),
            ratio(
                "their 99th percentile",
                TOGETHER_LATE,
                APART_LATE,
                Bound::AtMost {
                    goal: 0.25,
                    aim: 0.15,
                },
            ),
        ],
    })
}

fn rate(number: usize, begun: Instant) -> f64 {
    number as f64 / begun.elapsed().as_secs_f64()
}

/// Lets callers share the people out among themselves, all at once; notes their rate and how long
/// the slowest in a hundred waited.
fn callers(
    round: &mut Round,
    (rate_name, late_name): (&'static str, &'static str),
    people: &[UserId],
    call: impl Fn(UserId) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut waits = std::thread::scope(|scope| {
        let shares: Vec<_> = people
            .chunks(people.len().div_ceil(CALLERS))
            .map(|share| {
                let call = &call;
                scope.spawn(move || {
                    let one = |user: &UserId| {
                        let asked = Instant::now();
                        call(*user).map(|()| asked.elapsed())
                    };
                    share.iter().map(one).collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        let mut waits = Vec::new();
        for share in shares {
            match share.join() {
                Ok(found) => waits.extend(found?),
                Err(_) => bail!("a caller panicked"),
            }
        }
        Ok(waits)
    })?;
    round.record(rate_name, Unit::PerSecond, rate(people.len(), begun));
    waits.sort_unstable();
    let late = waits.get(waits.len() * 99 / 100).context("nobody called")?;
    round.record(late_name, Unit::Nanoseconds, late.as_nanos() as f64);
    Ok(())
}

/// A file that never grows.
struct Disk(File);

impl Disk {
    const PAGE: usize = 4096;
    const PAGES: u64 = 256;

    fn new() -> anyhow::Result<Self> {
        let file = tempfile::tempfile_in(crate::machine::build_folder())?;
        for page in 0..Self::PAGES {
            file.write_all_at(&[1; Self::PAGE], page * Self::PAGE as u64)?;
        }
        file.sync_all()?;
        Ok(Self(file))
    }

    fn measure(&self, round: &mut Round) -> anyhow::Result<()> {
        round.record(DISK, Unit::PerSecond, self.rate(1)?);
        round.record(LOG, Unit::PerSecond, self.rate(Pages::TOUCHED)?);
        Ok(())
    }

    /// How often so many pages beside each other are overwritten and synced in a second.
    fn rate(&self, pages: usize) -> anyhow::Result<f64> {
        let places = Self::PAGES / pages as u64;
        let begun = Instant::now();
        for number in 0..ALONE as u64 {
            let content = vec![number as u8; pages * Self::PAGE];
            let at = number % places * content.len() as u64;
            self.0.write_all_at(&content, at)?;
            self.0.sync_data()?;
        }
        Ok(rate(ALONE, begun))
    }
}

/// A database with a row to each page, set up as the store's is.
struct Pages {
    database: Connection,
    next: i64,
    turn: u8,
    _directory: tempfile::TempDir,
}

impl Pages {
    /// How many a deactivation at one door changes, by the frames of the write-ahead log.
    const TOUCHED: usize = 24;
    /// How many each changes of 64 in one transaction, by the same: what several of them change is
    /// written once.
    const TOUCHED_TOGETHER: usize = 10;
    /// As large as the store here.
    const ROWS: i64 = 5_000;

    fn new() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir_in(crate::machine::build_folder())?;
        let database = Connection::open(directory.path().join("pages.db"))?;
        database.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        database.pragma_update(None, "synchronous", "FULL")?;
        database.pragma_update(None, "cache_size", -64 * 1024)?;
        database.execute_batch("CREATE TABLE page (number INTEGER PRIMARY KEY, content BLOB)")?;
        database.execute(
            "WITH RECURSIVE some (number) AS \
             (SELECT 0 UNION ALL SELECT number + 1 FROM some WHERE number < ?1) \
             INSERT INTO page SELECT number, zeroblob(3900) FROM some",
            [Self::ROWS],
        )?;
        Ok(Self {
            database,
            next: 0,
            turn: 0,
            _directory: directory,
        })
    }

    fn measure(&mut self, round: &mut Round) -> anyhow::Result<()> {
        let begun = Instant::now();
        for _ in 0..ALONE {
            self.change(Self::TOUCHED)?;
        }
        round.record(PAGES, Unit::PerSecond, rate(ALONE, begun));
        let begun = Instant::now();
        for _ in 0..AMONG {
            self.change(CALLERS * Self::TOUCHED_TOGETHER)?;
        }
        let rate = rate(CALLERS * AMONG, begun);
        round.record(PAGES_TOGETHER, Unit::PerSecond, rate);
        Ok(())
    }

    /// Changes so many pages in one transaction.
    fn change(&mut self, pages: usize) -> anyhow::Result<()> {
        let transaction = self.database.transaction()?;
        // A page that stays as it was is not written.
        self.turn = self.turn.wrapping_add(1);
        for _ in 0..pages {
            // Far from the last one, and never the same in one transaction.
            self.next = (self.next + 1_117) % Self::ROWS;
            transaction
                .prepare_cached("UPDATE page SET content = ?2 WHERE number = ?1")?
                .execute(params![self.next, [self.turn; 3_900]])?;
        }
        Ok(transaction.commit()?)
    }
}
