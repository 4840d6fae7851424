//! Hours as they are written on the command line: `Mon-Fri 07:00-19:00`, `Sat,Sun 10:00-14:00`,
//! `daily 22:00-06:00`.

use offgate_core::calendar::parse_minute;
use offgate_core::policy::{Weekday, Window};

use crate::terminal::quoted;

/// Reads windows on days of the week.
pub(crate) fn weekly(text: &str) -> Result<Vec<(Weekday, Window)>, String> {
    let (on, span) = text
        .trim()
        .rsplit_once(' ')
        .ok_or_else(|| format!("{} is not like \"Mon-Fri 07:00-19:00\"", quoted(text)))?;
    let span = window(span)?;
    Ok(days(on)?.into_iter().map(|day| (day, span)).collect())
}

/// Reads one window, as in `07:00-19:00`.
pub(crate) fn window(text: &str) -> Result<Window, String> {
    let span = text.trim().split_once('-').and_then(|(from, to)| {
        let (from, to) = (parse_minute(from).ok()?, parse_minute(to).ok()?);
        Window::new(from, to)
    });
    span.ok_or_else(|| {
        let text = quoted(text);
        format!("{text} is not a span of a day like 07:00-19:00 or 22:00-06:00")
    })
}

fn days(text: &str) -> Result<Vec<Weekday>, String> {
    if matches!(text.trim().to_lowercase().as_str(), "daily" | "every day") {
        return Ok(Weekday::ALL.to_vec());
    }
    let mut days = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            None => days.push(day(part)?),
            Some((first, last)) => {
                let (first, last) = (position(day(first)?), position(day(last)?));
                // Sat-Mon goes over the end of the week.
                let length = (last + 7 - first) % 7 + 1;
                days.extend((0..length).map(|step| Weekday::ALL[(first + step) % 7]));
            }
        }
    }
    Ok(days)
}

fn day(text: &str) -> Result<Weekday, String> {
    let text = text.trim().to_lowercase();
    let found = Weekday::ALL.into_iter().find(|day| {
        let name = day.name().to_lowercase();
        text.len() >= 2 && name.starts_with(&text)
    });
    found.ok_or_else(|| format!("{} is not a day like Mon or Saturday", quoted(&text)))
}

fn position(day: Weekday) -> usize {
    Weekday::ALL
        .iter()
        .position(|other| *other == day)
        .unwrap_or_default()
}

/// Writes one window.
pub(crate) fn window_text(window: Window) -> String {
    let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    format!("{}-{}", time(window.from()), time(window.to()))
}

/// Writes windows of the week, days with the same window together.
pub(crate) fn weekly_text(weekly: &[(Weekday, Window)]) -> Vec<String> {
    let mut windows: Vec<Window> = weekly.iter().map(|(_, window)| *window).collect();
    windows.sort_unstable();
    windows.dedup();
    let days_of = |window: Window| -> Vec<Weekday> {
        let has = |day: &Weekday| weekly.contains(&(*day, window));
        Weekday::ALL.into_iter().filter(has).collect()
    };
    let mut lines: Vec<(Vec<Weekday>, Window)> = windows
        .into_iter()
        .map(|window| (days_of(window), window))
        .collect();
    lines.sort();
    lines
        .into_iter()
        .map(|(days, window)| format!("{} {}", days_text(&days), window_text(window)))
        .collect()
}

fn days_text(days: &[Weekday]) -> String {
    if days.len() == 7 {
        return "daily".to_owned();
    }
    let short = |day: Weekday| &day.name()[..3];
    let mut runs: Vec<(Weekday, Weekday)> = Vec::new();
    for day in days {
        match runs.last_mut() {
            Some((_, last)) if position(*last) + 1 == position(*day) => *last = *day,
            _ => runs.push((*day, *day)),
        }
    }
    let written = runs
        .into_iter()
        .map(|(first, last)| match position(last) - position(first) {
            0 => short(first).to_owned(),
            1 => format!("{},{}", short(first), short(last)),
            _ => format!("{}-{}", short(first), short(last)),
        });
    written.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "Mon-Fri 07:00-19:00",
            "Sat 08:00-12:30",
            "daily 00:00-24:00",
            "Mon,Wed,Fri-Sun 22:00-06:00",
            "Sat,Sun 10:00-14:00",
        ] {
            assert_eq!(weekly_text(&weekly(text).expect("hours")), [text]);
        }
    }

    #[test]
    fn a_range_may_go_over_the_end_of_the_week() {
        let days: Vec<Weekday> = weekly("sat-mon 10:00-11:00")
            .expect("hours")
            .into_iter()
            .map(|(day, _)| day)
            .collect();
        assert_eq!(days, [Weekday::Saturday, Weekday::Sunday, Weekday::Monday]);
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "07:00-19:00",
            "Mon",
            "Mon 7-19",
            "Mon 07:00-07:00",
            "Mon 07:60-19:00",
            "Mon 24:00-19:00",
            "Mon 07:00-24:01",
            "Someday 07:00-19:00",
            "M 07:00-19:00",
            "Mon 07:00",
            "é é",
            "T 07:00-08:00",
        ] {
            assert!(weekly(text).is_err(), "{text}");
        }
    }
}
