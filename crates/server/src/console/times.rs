//! In which zone pages show times.

use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_core::policy::Day;
use offgate_core::records::Records as _;
use offgate_core::{calendar, text::TextError};
use offgate_store::{Reader, StoreError};

/// The zone of the first site; UTC before there is one.
pub(crate) fn zone(reader: &Reader) -> Result<ZoneName, StoreError> {
    let first = reader.sites()?.into_iter().next();
    Ok(match first {
        Some(site) => site.zone,
        None => ZoneName::parse("UTC").unwrap_or_else(|_| unreachable!("UTC is a zone")),
    })
}

/// An instant as `<input type="datetime-local">` has it: "2026-11-23T17:02".
pub(crate) fn input(zone: &ZoneName, at: Timestamp) -> String {
    let (day, minute) = calendar::local(zone, at);
    let (year, month, day) = day.date();
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}",
        minute / 60,
        minute % 60
    )
}

/// Reads what such a field sends, or a date alone, which means `edge` of that day.
pub(crate) fn read(
    zone: &ZoneName,
    text: &str,
    edge: calendar::Edge,
) -> Result<Timestamp, TextError> {
    match text.trim().split_once(['T', ' ']) {
        Some((day, time)) => {
            let time = time.get(..5).unwrap_or(time);
            Ok(calendar::instant(
                zone,
                Day::parse(day)?,
                calendar::parse_minute(time)?,
                edge,
            ))
        }
        None => {
            let day = Day::parse(text.trim())?;
            Ok(match edge {
                calendar::Edge::Start => calendar::instant(zone, day, 0, edge),
                calendar::Edge::End => calendar::end_of_day(zone, day),
            })
        }
    }
}
