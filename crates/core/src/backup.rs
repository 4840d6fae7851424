//! When a backup is due, how long one is kept, when the lack of one is worth a word, and what is
//! on record of a restore.

use std::time::Duration;

use crate::calendar::{self, Edge};
use crate::parameters::{Epoch, Revision, Timestamp};
use crate::place::ZoneName;

/// The longest that a backup is kept beside newer ones. Whoever was removed is out of every backup
/// after that.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// The minute of the night from which backups are made; a site's own delay is added.
pub const NIGHT: u16 = 2 * 60;
/// The longest delay: sites that share a disk or a line do not all begin at once.
pub const DELAY: u16 = 60;

/// From when on the last backup is called old: a night was missed.
pub const OLD: Duration = Duration::from_secs(36 * 3600);

/// Whether a backup is due: none was made since last night's moment came. `delay` is the site's
/// own, in minutes, of [`DELAY`].
#[must_use]
pub fn is_due(zone: &ZoneName, delay: u16, last: Option<Timestamp>, now: Timestamp) -> bool {
    let Some(last) = last else {
        return true;
    };
    let minute = NIGHT + delay.min(DELAY);
    let (day, _) = calendar::local(zone, now);
    let tonight = calendar::instant(zone, day, minute, Edge::Start);
    let moment = if tonight <= now {
        tonight
    } else {
        let (yesterday, _) = calendar::local(zone, now.minus(Duration::from_secs(24 * 3600)));
        calendar::instant(zone, yesterday, minute, Edge::Start)
    };
    // A clock that was set back must not keep a site without backups.
    last < moment || last > now.plus(Duration::from_secs(3600))
}

/// Which of the backups made at these moments are kept no longer. The newest always stays.
#[must_use]
pub fn outlived(made_at: &[Timestamp], now: Timestamp) -> Vec<Timestamp> {
    let newest = made_at.iter().max();
    made_at
        .iter()
        .filter(|made| Some(*made) != newest && now.since(**made) > KEPT)
        .copied()
        .collect()
}

/// From what a store was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made.
    pub made_at: Timestamp,
    /// The epoch that the store was in then.
    pub epoch: Epoch,
    /// The last change in it.
    pub last: Revision,
}

/// How a store stands with its backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    Never,
    /// The last one is recent.
    Recent {
        /// When it was made.
        at: Timestamp,
    },
    /// A night was missed.
    Old {
        /// When the last one was made.
        at: Timestamp,
    },
}

impl Standing {
    /// In a sentence.
    #[must_use]
    pub fn sentence(self, zone: &ZoneName) -> String {
        match self {
            Self::Never => "There is no backup yet.".to_owned(),
            Self::Recent { at } => format!(
                "The last backup was made on {}.",
                calendar::write_minute(zone, at)
            ),
            Self::Old { at } => format!(
                "The last backup was made on {}: a night was missed.",
                calendar::write_minute(zone, at)
            ),
        }
    }
}

/// How a store stands whose last backup was made then.
#[must_use]
pub fn standing(last: Option<Timestamp>, now: Timestamp) -> Standing {
    match last {
        None => Standing::Never,
        Some(at) if now.since(at) > OLD => Standing::Old { at },
        Some(at) => Standing::Recent { at },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    /// Midnight in Berlin at the start of 25 November 2026, plus hours.
    fn at(hours: i64) -> Timestamp {
        Timestamp::from_seconds(1_795_561_200 + hours * HOUR)
    }

    #[test]
    fn once_a_night_and_at_once_when_a_night_was_missed() {
        let zone = ZoneName::parse("Europe/Berlin").expect("a zone");
        assert_eq!(calendar::write_minute(&zone, at(0)), "25 Nov 2026, 00:00");
        let due = |last, now| is_due(&zone, 30, Some(at(last)), at(now));
        assert!(is_due(&zone, 30, None, at(12)), "there is none");
        for (last, now, expected) in [
            (-21, 2, false), // Made last night; it is not half past two yet.
            (-21, 3, true),
            (3, 3, false),
            (3, 23, false),
            (3, 26, false),
            (3, 27, true),
            (-10, 1, false), // Made in the afternoon: tonight's comes at its time.
            (-10, 3, true),
            (-46, 1, true), // The server was off for a night.
            (50, 12, true), // The clock was set back.
        ] {
            assert_eq!(due(last, now), expected, "{last} {now}");
        }
    }

    #[test]
    fn old_ones_go_and_the_newest_stays() {
        let day = 24;
        let made = [at(0), at(5 * day), at(20 * day)];
        assert_eq!(outlived(&made, at(34 * day)), [at(0)]);
        assert_eq!(outlived(&made, at(400 * day)), [at(0), at(5 * day)]);
        assert!(outlived(&made, at(30 * day)).is_empty());
        assert!(outlived(&[], at(0)).is_empty());
    }

    #[test]
    fn a_missed_night_is_old() {
        assert_eq!(standing(None, at(0)), Standing::Never);
        assert_eq!(
            standing(Some(at(0)), at(36)),
            Standing::Recent { at: at(0) }
        );
        assert_eq!(standing(Some(at(0)), at(37)), Standing::Old { at: at(0) });
    }
}
