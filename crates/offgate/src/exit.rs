//! How the program ends: what went wrong, in words for the terminal and as an exit code that
//! scripts may rely on.

use std::process::ExitCode;

use offgate_core::refusal::{Refusal, Thing};

use crate::terminal::quoted;

/// The table of exit codes, as `--help` and docs/command-line.md show it.
pub(crate) const CODES: &str = "\
Exit codes:
  0  done; at a door: granted; doctor: all is well
  1  no: a rule refuses it, the door refuses, a question was not answered with yes,
     or doctor found something wrong
  2  usage: the command line, the settings or a value in them is wrong
  3  not found: nothing has this name, or more than one thing has
  4  unavailable: data directory, store, server or agent cannot be reached; nothing was done
  5  unknown: it was asked for, and whether it was done is not known; look before repeating it
  6  does not add up: the log is not as it was written, a proof does not show it, or
     a backup is not as it was made";

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A rule says no.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// A rule says no because of somebody else, who may be told here.
    #[error("refused: {refusal} (held by {holder})")]
    Held {
        /// What the rule says.
        refusal: Refusal,
        /// Their full name.
        holder: String,
    },
    /// The door says no; the answer itself went to standard output.
    #[error("")]
    NotGranted,
    /// Whoever sits at the terminal says no.
    #[error("nothing was done")]
    Declined,
    /// Findings went to standard output.
    #[error("")]
    Unwell,
    /// The log is not as it was written; what is wrong went to standard output.
    #[error("")]
    DoesNotAddUp,
    /// A proof does not show what it should.
    #[error("does not add up: {0}")]
    Disproven(String),
    /// A value cannot be read.
    #[error("{what}: {why}")]
    Usage {
        /// Which argument, setting or line.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing has this name.
    #[error("there is no {} {}", .thing.word(), quoted(.wanted))]
    NotFound {
        /// The kind of thing.
        thing: Thing,
        /// What was asked for.
        wanted: String,
    },
    /// Nothing has this name, and a few things have one that is like it.
    #[error("there is no {} {}; these are called nearly so:\n{}",
            .thing.word(), quoted(.wanted), .candidates.join("\n"))]
    NearlySo {
        /// The kind of thing.
        thing: Thing,
        /// What was asked for.
        wanted: String,
        /// One line for each that is meant, perhaps.
        candidates: Vec<String>,
    },
    /// More than one thing has this name.
    #[error("more than one {} is called {}; use the id of one of these:\n{}",
            .thing.word(), quoted(.wanted), .candidates.join("\n"))]
    Ambiguous {
        /// The kind of thing.
        thing: Thing,
        /// What was asked for.
        wanted: String,
        /// One line for each that is meant, perhaps.
        candidates: Vec<String>,
    },
    /// Something outside of this process does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// The store does not know whether it committed.
    #[error("{0}")]
    OutcomeUnknown(String),
}

impl Failure {
    /// A value that cannot be read.
    pub(crate) fn usage(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Usage {
            what: what.into(),
            why: why.to_string(),
        }
    }

    /// Something outside of this process, and what it said.
    pub(crate) fn unavailable(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        Self::Unavailable(format!("{what}: {why}"))
    }

    /// The number the process ends with.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Refused(Refusal::NotFound(_)) => 3,
            Self::Refused(_)
            | Self::Held { .. }
            | Self::NotGranted
            | Self::Declined
            | Self::Unwell => 1,
            Self::Usage { .. } => 2,
            Self::NotFound { .. } | Self::NearlySo { .. } | Self::Ambiguous { .. } => 3,
            Self::Unavailable(_) => 4,
            Self::OutcomeUnknown(_) => 5,
            Self::DoesNotAddUp | Self::Disproven(_) => 6,
        }
    }

    /// What to say of it on standard error; nothing if the answer said it already.
    pub(crate) fn words(&self) -> Option<String> {
        match self {
            Self::NotGranted | Self::Unwell | Self::DoesNotAddUp => None,
            other => Some(other.to_string()),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        Self::from(failure.code())
    }
}
