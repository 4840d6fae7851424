//! What the demo says at the terminal: where to look, what to try, and how the real thing begins.

use std::net::SocketAddr;
use std::path::Path;

use super::organisation::WORKS_ALONE_SECONDS;
use super::page;
use super::people::{PEOPLE, Person};
use super::station::Station;
use crate::terminal::answer;

/// What is known by the time there is something to say.
pub(super) struct Told<'a> {
    /// Where the console is.
    pub(super) console: SocketAddr,
    /// The doors.
    pub(super) stations: &'a [Station],
}

impl Told<'_> {
    /// Says all of it.
    pub(super) fn whole(&self, link: &str, password: &str) {
        let program = program();
        answer(&sign_in(link));
        answer(&format!(
            "The doors, as somebody standing there meets them: http://{}{} (cut off, they work on \
             their own for {WORKS_ALONE_SECONDS} seconds)",
            self.console,
            page::PATH,
        ));
        answer(&format!(
            "If a page asks for the password once more: {password}"
        ));
        answer("Try, in another terminal:");
        for (person, door, outcome) in TRIED {
            answer(&format!(
                "  {}",
                self.attempt(&program, person, door, outcome)
            ));
        }
        answer("Then deactivate Amara Okafor, and try her lines again. Ctrl-C ends the demo.");
        answer(&format!("A real installation starts with: {program} serve"));
    }

    /// A line that presents something, as the shell takes it.
    fn attempt(&self, program: &str, person: &Person, door: &str, outcome: &str) -> String {
        let station = self
            .stations
            .iter()
            .find(|station| station.doors.contains(&door));
        let data = station
            .map(|station| quoted(station.data()))
            .unwrap_or_default();
        let presented = match (person.pin, person.card) {
            (Some(pin), None) => format!("--pin {pin}"),
            (Some(pin), Some(_)) if door == "Front door" => format!("--pin {pin}"),
            (_, card) => format!("--nfc {}", card.unwrap_or_default()),
        };
        format!(
            "{program} present --data {data} --door {} {presented}   # {} {}: {outcome}",
            quoted(Path::new(door)),
            person.first_name,
            person.last_name,
        )
    }
}

/// What is worth trying: whom, where, and what comes of it.
const TRIED: [(&Person, &str, &str); 3] = [
    (&PEOPLE[0], "Front door", "granted"),
    (&PEOPLE[0], "Server room", "granted"),
    (
        &PEOPLE[17],
        "Server room",
        "refused, as no policy of his opens it",
    ),
];

/// The line with the link.
pub(super) fn sign_in(link: &str) -> String {
    format!("Offgate demo: {link} (works once, for 10 minutes; Enter prints a new one)")
}

/// This program, as it can be called from here.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_else(|_| "offgate".into());
    let here = std::env::current_dir().ok();
    match here
        .as_deref()
        .and_then(|here| path.strip_prefix(here).ok())
    {
        Some(inside) => quoted(&Path::new(".").join(inside)),
        None => quoted(&path),
    }
}

/// A word as the shell takes it.
fn quoted(word: &Path) -> String {
    let word = word.to_string_lossy();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+,:@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        for (word, expected) in [
            ("/tmp/offgate-demo-07", "/tmp/offgate-demo-07"),
            ("Front door", "'Front door'"),
            ("it's", "'it'\\''s'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(Path::new(word)), expected);
        }
    }

    #[test]
    fn whoever_is_tried_holds_what_is_presented() {
        assert_eq!(PEOPLE[0].last_name, "Okafor");
        assert!(PEOPLE[0].pin.is_some() && PEOPLE[0].card.is_some());
        assert_eq!((PEOPLE[17].group, PEOPLE[17].card), ("Office", None));
    }
}
