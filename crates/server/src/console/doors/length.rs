//! A length of time as forms have it: a number and its unit.

use crate::console::form::Form;

/// The units, as the form names them and as people read them.
pub(super) const UNITS: [(&str, &str); 4] = [
    ("1", "seconds"),
    ("60", "minutes"),
    ("3600", "hours"),
    ("86400", "days"),
];

/// Sets both fields to a length in seconds, in the largest unit that fits; hours up to
/// three days, as people say it.
pub(super) fn set(form: &mut Form, seconds: u32) {
    let unit = match seconds {
        _ if seconds.is_multiple_of(86_400) && seconds > 72 * 3600 => 86_400,
        _ if seconds.is_multiple_of(3600) => 3600,
        _ if seconds.is_multiple_of(60) => 60,
        _ => 1,
    };
    form.set("number", (seconds / unit).to_string());
    form.set("unit", unit.to_string());
}

/// Reads both fields, as seconds; none if they are no length.
pub(super) fn read(form: &Form) -> Option<u32> {
    let unit = form.text("unit");
    let (unit, _) = UNITS.into_iter().find(|(known, _)| *known == unit)?;
    let number: u32 = form.text("number").trim().parse().ok()?;
    number.checked_mul(unit.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_they_were_written() {
        for seconds in [10, 90, 900, 43_200, 259_200, 604_800] {
            let mut form = Form::default();
            set(&mut form, seconds);
            assert_eq!(read(&form), Some(seconds));
        }
        for (number, unit) in [("", "60"), ("-1", "60"), ("1", "7"), ("4294967295", "60")] {
            let mut form = Form::default();
            form.set("number", number);
            form.set("unit", unit);
            assert_eq!(read(&form), None, "{number} × {unit}");
        }
    }
}
