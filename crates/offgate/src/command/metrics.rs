//! `offgate metrics`: figures for whatever watches this machine, in OpenMetrics text.

use std::fmt::Write as _;

use crate::books::Books;
use crate::exit::Failure;
use crate::terminal::answer;

/// Prints figures of ids, names and times of nobody.
pub(crate) fn run(books: &Books) -> Result<(), Failure> {
    let reader = books.reader();
    let mut text = String::new();
    let mut say = |name: &str, help: &str, samples: &[(&str, f64)]| {
        let _ = writeln!(text, "# TYPE {name} gauge\n# HELP {name} {help}");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let speed = reader.speed(books.now())?;
    if let Some(speed) = &speed {
        say(
            "offgate_deactivation_seconds",
            "From a deactivation to the confirmation of the last door that was connected, over 90 days.",
            &[
                ("{share=\"0.5\"}", speed.median.as_secs_f64()),
                ("{share=\"0.99\"}", speed.most.as_secs_f64()),
                ("{share=\"1\"}", speed.longest.as_secs_f64()),
            ],
        );
    }
    let whole = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let deactivations = speed.map_or(0, |speed| speed.deactivations);
    let deactivations = u64::try_from(deactivations).unwrap_or(u64::MAX);
    say(
        "offgate_deactivations",
        "How many deactivations that is made of.",
        &[("", whole(deactivations))],
    );
    say(
        "offgate_people_not_confirmed",
        "People whom some door has not confirmed to refuse.",
        &[("", whole(reader.not_confirmed_count()?))],
    );
    answer(text.trim_end());
    answer("# EOF");
    Ok(())
}
