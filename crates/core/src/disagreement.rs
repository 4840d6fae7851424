//! Agents whose table was not the one that it should have been.
//!
//! Owns: what is told of it, and for how long. That a table is another is found by its hash, when
//! an agent greets the server; the link sends it a whole one then. How it came about is not known
//! here: a disk that lost or changed bytes, a folder that was put back, a program that does what
//! it should not.

use std::time::Duration;

use crate::calendar::write_minute;
use crate::parameters::{Revision, Timestamp};
use crate::place::ZoneName;

/// How long it is told of after the agent has acknowledged the right table.
const TOLD_AFTERWARDS: Duration = Duration::from_secs(7 * 24 * 3600);

/// In which way a table is not the one that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// It says that it is of this revision, and is another than the store's of that revision.
    Another(Revision),
    /// There is none.
    Missing,
}

/// That it was noticed, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// In which way; a table that is missing had been acknowledged before.
    pub disagreement: Disagreement,
    /// When, the last time.
    pub at: Timestamp,
    /// When the agent acknowledged the right table after that.
    pub mended_at: Option<Timestamp>,
}

impl Noticed {
    /// Whether it is still told of.
    #[must_use]
    pub fn is_told(&self, now: Timestamp) -> bool {
        self.mended_at
            .is_none_or(|mended| now.since(mended) < TOLD_AFTERWARDS)
    }

    /// What is told, of an agent that is called this.
    #[must_use]
    pub fn sentence(&self, whose: &str, zone: &ZoneName) -> String {
        let at = write_minute(zone, self.at);
        let what = match self.disagreement {
            Disagreement::Another(_) => "had another table than it should have",
            Disagreement::Missing => "had lost its table",
        };
        match self.mended_at {
            None => format!(
                "{whose}’s agent {what} on {at}. It is sent the right one; until it has \
                 acknowledged that, nothing it says it refuses is believed."
            ),
            Some(mended) => format!(
                "{whose}’s agent {what} on {at}, and has acknowledged the right one on {}. Have its \
                 disk and its folder looked at.",
                write_minute(zone, mended)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_until_a_week_after_it_was_mended() {
        let at = Timestamp::from_seconds(1_790_000_000);
        let zone = ZoneName::parse("Europe/Berlin").expect("a zone");
        let open = Noticed {
            disagreement: Disagreement::Another(Revision::new(7)),
            at,
            mended_at: None,
        };
        let later = at.plus(Duration::from_secs(400 * 24 * 3600));
        assert!(open.is_told(later));
        assert!(open.sentence("Front door", &zone).contains("is believed"));
        let mended = Noticed {
            disagreement: Disagreement::Missing,
            mended_at: Some(at.plus(Duration::from_secs(60))),
            ..open
        };
        assert!(mended.is_told(at.plus(Duration::from_secs(60) + TOLD_AFTERWARDS / 2)));
        assert!(!mended.is_told(at.plus(Duration::from_secs(60) + TOLD_AFTERWARDS)));
        let words = mended.sentence("Front door", &zone);
        assert!(words.contains("had lost its table"), "{words}");
    }
}
