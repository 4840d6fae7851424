//! How long a door works on its own: for longer for a while, and what less would have meant lately.

use clap::Args;
use offgate_core::command::Command;
use offgate_core::longer_limit::LongerLimit;
use offgate_core::outage::Outages;
use offgate_core::place::{Door, LeaseLength};
use offgate_core::records::Records as _;
use offgate_core::text::Note;
use offgate_store::Reader;
use serde_json::{Value, json};

use super::super::furniture::{Which, pick, show_result};
use super::lease;
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{Alone, moment, shown, zone};
use crate::record::Record;

/// How many outages are shown, the latest.
const SHOWN: usize = 20;

/// More time on its own.
#[derive(Clone, Debug, Args)]
pub(crate) struct Lengthen {
    #[command(flatten)]
    which: Which,
    /// How long it works on its own meanwhile: longer than otherwise, 7 days at most
    #[arg(long, value_name = "TIME")]
    works_alone: String,
    /// When that ends, within 31 days, as in 2026-12-31 or "2026-12-31 17:30"
    #[arg(long, value_name = "MOMENT")]
    until: String,
    /// Why; the history keeps it, so name no person
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Which door's outages.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutagesOf {
    #[command(flatten)]
    which: Which,
    /// Say in how many of them this time on its own would have ended; without it, its own
    #[arg(long, value_name = "TIME")]
    works_alone: Option<String>,
}

pub(super) fn lengthen(books: &Books, what: &Lengthen) -> Result<(), Failure> {
    let reader = books.reader();
    let door: Door = pick(&reader, &what.which.wanted)?;
    let until = moment("--until", &what.until, &zone(&reader)?, Alone::EndOfDay)?;
    books.carry_out(Command::LengthenLimit(LongerLimit {
        door: door.id,
        lease: lease(&what.works_alone)?,
        until,
        reason: Note::parse(&what.reason).map_err(|error| Failure::usage("--reason", error))?,
    }))?;
    show_result::<Door>(books, door.id)
}

pub(super) fn end_longer(books: &Books, which: &Which) -> Result<(), Failure> {
    let door: Door = pick(&books.reader(), &which.wanted)?;
    books.carry_out(Command::EndLongerLimit(door.id))?;
    show_result::<Door>(books, door.id)
}

/// The longer limit that is in force at a door; nothing if none is.
pub(super) fn longer(reader: &Reader, door: &Door) -> Result<Value, Failure> {
    let zone = zone(reader)?;
    Ok(match reader.longer_limit(door.id)? {
        None => Value::Null,
        Some(limit) => json!({
            "works_alone_seconds": limit.lease.seconds(),
            "until": shown(&zone, limit.until),
            "reason": limit.reason.as_str(),
        }),
    })
}

fn known(reader: &Reader, door: &Door) -> Result<Outages, Failure> {
    Ok(match door.agent {
        Some(agent) => reader.outages(agent)?,
        None => Outages {
            since: None,
            all: Vec::new(),
        },
    })
}

/// What a time on its own would have meant for a door lately.
fn lately(books: &Books, door: &Door, lease: LeaseLength) -> Result<String, Failure> {
    let outages = known(&books.reader(), door)?;
    let sentence = outages.sentence(door.name.as_str(), lease.duration(), books.now());
    Ok(sentence.unwrap_or_else(|| {
        "When it was cut off before is not on record: its agent was never heard.".to_owned()
    }))
}

/// Before a door is given less time on its own: what that would have meant lately.
pub(super) fn confirm_shorter(books: &Books, before: &Door, after: &Door) -> Result<(), Failure> {
    if after.lease >= before.lease {
        return Ok(());
    }
    books.confirmation.of(&format!(
        "{} Shorten how long {} works on its own from {} s to {} s?",
        lately(books, before, after.lease)?,
        before.name.as_str(),
        before.lease.seconds(),
        after.lease.seconds()
    ))
}

pub(super) fn outages(books: &Books, of: &OutagesOf) -> Result<(), Failure> {
    let reader = books.reader();
    let door: Door = pick(&reader, &of.which.wanted)?;
    let limit = match &of.works_alone {
        Some(text) => lease(text)?,
        None => door.lease,
    };
    let outages = known(&reader, &door)?;
    let zone = zone(&reader)?;
    let instant = |at| shown(&zone, at);
    let latest = outages
        .all
        .iter()
        .rev()
        .take(SHOWN)
        .map(|outage| {
            Record::default()
                .with("from", instant(outage.from))
                .with("until", outage.until.map(instant))
        })
        .collect();
    Record::default()
        .with("door", door.name.as_str())
        .with("on_record_since", outages.since.map(instant))
        .with_rows("latest_outages", &["from", "until"], latest)
        .with("works_alone_seconds", limit.seconds())
        .with(
            "would_have_ended",
            outages.outlasting(limit.duration(), books.now()),
        )
        .with("sentence", lately(books, &door, limit)?)
        .show(books.format);
    Ok(())
}
