//! Moments as they are typed and shown on the command line: in the zone of the site.

use offgate_core::calendar::{Edge, end_of_day, instant, parse_minute, write_rfc3339};
use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_core::policy::Day;
use offgate_core::records::Records as _;
use offgate_core::text::TextError;
use offgate_store::Reader;

use crate::exit::Failure;
use crate::terminal::quoted;

/// What a date without a time means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    /// The first moment of that day.
    StartOfDay,
    /// The end of that day.
    EndOfDay,
}

/// Reads `2026-12-31` or `2026-12-31 17:30`.
pub(crate) fn moment(
    what: &str,
    text: &str,
    zone: &ZoneName,
    alone: Alone,
) -> Result<Timestamp, Failure> {
    let wrong = |_: TextError| {
        Failure::usage(
            what,
            format!(
                "{} is not like 2026-12-31 or \"2026-12-31 17:30\"",
                quoted(text)
            ),
        )
    };
    let edge = match alone {
        Alone::StartOfDay => Edge::Start,
        Alone::EndOfDay => Edge::End,
    };
    let text = text.trim();
    match text.split_once([' ', 'T']) {
        Some((date, time)) => {
            let (day, minute) = (
                Day::parse(date).map_err(wrong)?,
                parse_minute(time).map_err(wrong)?,
            );
            Ok(instant(zone, day, minute, edge))
        }
        None => {
            let day = Day::parse(text).map_err(wrong)?;
            Ok(match alone {
                Alone::StartOfDay => instant(zone, day, 0, edge),
                Alone::EndOfDay => end_of_day(zone, day),
            })
        }
    }
}

/// The zone in which moments are typed and shown: that of the only site, or UTC.
pub(crate) fn zone(reader: &Reader) -> Result<ZoneName, Failure> {
    let mut sites = reader.sites()?;
    match (sites.pop(), sites.is_empty()) {
        (Some(only), true) => Ok(only.zone),
        _ => utc(),
    }
}

/// The zone that is named, or else [`zone`].
pub(crate) fn chosen_zone(reader: &Reader, named: Option<&str>) -> Result<ZoneName, Failure> {
    match named {
        Some(name) => ZoneName::parse(name).map_err(|error| Failure::usage("--zone", error)),
        None => zone(reader),
    }
}

/// The zone of what is shown without a store.
pub(crate) fn utc() -> Result<ZoneName, Failure> {
    ZoneName::parse("UTC").map_err(|error| Failure::unavailable("time zones", error))
}

/// A moment as it is shown.
pub(crate) fn shown(zone: &ZoneName, at: Timestamp) -> String {
    write_rfc3339(zone, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_alone_is_the_end_or_the_start_of_its_day() {
        let berlin = ZoneName::parse("Europe/Berlin").expect("a zone");
        for (text, alone, expected) in [
            ("2026-12-31", Alone::EndOfDay, "2027-01-01T00:00:00+01:00"),
            ("2026-12-31", Alone::StartOfDay, "2026-12-31T00:00:00+01:00"),
            (
                "2026-07-31 17:30",
                Alone::EndOfDay,
                "2026-07-31T17:30:00+02:00",
            ),
        ] {
            let at = moment("--access-ends", text, &berlin, alone).expect("a moment");
            assert_eq!(shown(&berlin, at), expected);
        }
    }

    #[test]
    fn other_text_is_refused() {
        let berlin = ZoneName::parse("Europe/Berlin").expect("a zone");
        for text in [
            "",
            "tomorrow",
            "2026-02-30",
            "2026-12-31 25:00",
            "31.12.2026",
        ] {
            let failure = moment("--access-ends", text, &berlin, Alone::EndOfDay);
            assert_eq!(failure.expect_err("not a moment").code(), 2, "{text}");
        }
    }
}
