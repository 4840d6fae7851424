//! The program's mouth and ears: answers go to standard output, talk to standard error, secrets
//! come from standard input or a file and never from an argument.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::exit::Failure;

/// The longest secret that is read.
const SECRET_LIMIT: u64 = 4096;

/// Writes a line of the answer. Whoever reads may stop reading (`| head`); that is not an error of
/// ours, and there is nobody left to tell.
pub(crate) fn answer(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{text}").and_then(|()| output.flush());
}

/// Says something to the person at the terminal that is not part of the answer.
pub(crate) fn talk(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// What somebody typed, as an error repeats it: the beginning of it, with nothing in it that a
/// terminal would obey.
pub(crate) fn quoted(typed: &str) -> String {
    const SHOWN: usize = 60;
    match typed.char_indices().nth(SHOWN) {
        None => format!("{typed:?}"),
        Some((end, _)) => format!("{:?} and so on", &typed[..end]),
    }
}

/// Whether to ask before something is destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// Ask; without anybody to ask, refuse.
    Ask,
    /// `--yes` was given.
    Given,
}

impl Confirmation {
    /// Asks, if it must. What follows `question` is only done when this returns.
    pub(crate) fn of(self, question: &str) -> Result<(), Failure> {
        if self == Self::Given {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(
                "--yes",
                format!("needed without a terminal: {question}"),
            ));
        }
        let _ = write!(std::io::stderr().lock(), "{question} [y/N] ");
        let mut line = String::new();
        let read = std::io::stdin()
            .lock()
            .take(SECRET_LIMIT)
            .read_line(&mut line);
        match read {
            Ok(_) if matches!(line.trim().to_lowercase().as_str(), "y" | "yes") => Ok(()),
            Ok(_) | Err(_) => Err(Failure::Declined),
        }
    }
}

/// While it lives, the terminal does not show what is typed.
struct Unseen(Termios);

impl Unseen {
    /// None if the terminal cannot do that.
    fn begin() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut during = before.clone();
        during.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &during).ok()?;
        Some(Self(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing either.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Reads a secret: `-` is the first line of standard input, anything else a file's first line.
pub(crate) fn secret(what: &str, source: &str) -> Result<String, Failure> {
    let mut text = String::new();
    if source == "-" {
        let input = std::io::stdin();
        let unseen = input.is_terminal().then(Unseen::begin).flatten();
        if input.is_terminal() {
            let shows = if unseen.is_some() { "" } else { " (it shows)" };
            talk(&format!("{what}: type it, then Enter{shows}"));
        }
        input
            .lock()
            .take(SECRET_LIMIT)
            .read_line(&mut text)
            .map_err(|error| Failure::usage(what, format!("standard input: {error}")))?;
    } else {
        std::fs::File::open(Path::new(source))
            .and_then(|file| file.take(SECRET_LIMIT).read_to_string(&mut text))
            .map_err(|error| {
                Failure::usage(
                    what,
                    format!("no file to read it from ({error}). Give a file, or - for standard input; a secret on the command line would show in the list of processes"),
                )
            })?;
    }
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err(Failure::usage(what, "nothing was given"));
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_first_line_of_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "  correct horse \nsecond line\n").expect("a file");
        let source = path.to_str().expect("text");
        assert_eq!(
            secret("the password", source).expect("a secret"),
            "correct horse"
        );
        std::fs::write(&path, "\n").expect("a file");
        assert_eq!(secret("the password", source).expect_err("empty").code(), 2);
    }

    #[test]
    fn a_secret_given_as_argument_is_not_repeated() {
        let failure = secret("the PIN", "73915620").expect_err("no such file");
        assert_eq!(failure.code(), 2);
        assert!(!failure.to_string().contains("73915620"), "{failure}");
    }
}
