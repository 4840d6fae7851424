//! Whether a door stands open, as its contact says.
//!
//! A door that refuses somebody lets everybody in while it stands open, and no table changes that. So
//! what its contact said when they were taken out, and says now, is told beside every refusal. A door
//! without a contact, or one that was not heard, is *not known*: never taken for closed.

use std::time::Duration;

use crate::id::DoorId;
use crate::parameters::Timestamp;

/// What a door's contact says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The leaf is in its frame. Says nothing of the lock.
    Closed,
    /// It is not.
    Open,
}

impl Position {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Closed, Self::Open];

    /// The name in rows, files and at a terminal.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }

    /// What has this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// Where a door stands, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stands {
    /// How.
    pub position: Position,
    /// Since when, by the server's clock.
    pub since: Timestamp,
}

/// What an agent says of one of its doors that has a contact. It tells for how long and not since
/// when, so that it does not matter whether its clock is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaidPosition {
    /// Which.
    pub door: DoorId,
    /// How it stands.
    pub position: Position,
    /// For how long.
    pub lasts: Duration,
}

impl SaidPosition {
    /// The same by the clock of whoever hears it now.
    #[must_use]
    pub fn heard(self, now: Timestamp) -> Stands {
        Stands {
            position: self.position,
            since: now.minus(self.lasts),
        }
    }
}

/// What is known of a door beside a refusal. None: it has no contact, or was not heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// How it stood when the refusal was decided.
    pub then: Option<Position>,
    /// How it stands.
    pub now: Option<Stands>,
}

impl Positions {
    /// What is to be said of a door of which there is something to say: it stood open, or it does.
    /// `time` writes an instant.
    #[must_use]
    pub fn sentence(self, time: impl Fn(Timestamp) -> String) -> Option<String> {
        use Position::{Closed, Open};
        let (now, since) = match self.now {
            Some(Stands { position, since }) => (Some(position), time(since)),
            None => (None, String::new()),
        };
        match (self.then, now) {
            (_, Some(Open)) => Some(format!("Stands open since {since}; whoever comes gets in.")),
            (Some(Open), Some(Closed)) => Some(format!("Stood open then; closed since {since}.")),
            (Some(Open), None) => {
                Some("Stood open then; whether it still does is not known.".to_owned())
            }
            (Some(Closed) | None, Some(Closed) | None) => None,
        }
    }
}

/// Of all doors of a refusal: which stood open when it was decided or do so now, and of how many
/// that is not known.
#[must_use]
pub fn sentence(doors: &[(&str, Positions)]) -> Option<String> {
    if doors.is_empty() {
        return None;
    }
    let named = |which: &dyn Fn(&Positions) -> bool| -> Vec<&str> {
        let chosen = doors.iter().filter(|(_, positions)| which(positions));
        chosen.map(|(name, _)| *name).collect()
    };
    let open_now = |it: &Positions| {
        it.now
            .is_some_and(|stands| stands.position == Position::Open)
    };
    let standing = named(&open_now);
    let stood = named(&|it| it.then == Some(Position::Open) && !open_now(it));
    let unknown = named(&|it| it.then.is_none()).len();
    let mut told = Vec::new();
    match standing.as_slice() {
        [] => {}
        [one] => told.push(format!(
            "{one} stands open: whoever comes gets in, whatever it refuses."
        )),
        some => told.push(format!(
            "{} stand open: whoever comes gets in, whatever they refuse.",
            listed(some)
        )),
    }
    if !stood.is_empty() {
        told.push(format!("{} stood open then.", listed(&stood)));
    }
    let none_stood = doors.iter().all(|(_, it)| it.then != Some(Position::Open));
    match (unknown, doors.len()) {
        (0, _) if told.is_empty() => told.push("No door stood open then.".to_owned()),
        (0, _) => {}
        (unknown, all) if unknown == all => told.push(
            "Whether a door stood open then is not known: none has a contact that was heard."
                .to_owned(),
        ),
        (unknown, all) => told.push(format!(
            "Whether {unknown} of the {all} doors stood open then is not known{}.",
            if none_stood {
                "; the others did not"
            } else {
                ""
            }
        )),
    }
    Some(told.join(" "))
}

/// "A", "A and B", "A, B and 3 more".
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} and {other}"),
        [one, other, rest @ ..] => format!("{one}, {other} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn time(at: Timestamp) -> String {
        format!("{}", at.microseconds() / 1_000_000)
    }

    fn positions(then: Option<Position>, now: Option<Position>) -> Positions {
        Positions {
            then,
            now: now.map(|position| Stands {
                position,
                since: at(8),
            }),
        }
    }

    #[test]
    fn a_position_is_read_by_its_name() {
        for position in Position::ALL {
            assert_eq!(Position::from_name(position.name()), Some(position));
        }
        assert_eq!(Position::from_name("ajar"), None);
    }

    #[test]
    fn a_door_is_spoken_of_when_it_stood_open_or_does() {
        use Position::{Closed, Open};
        for (then, now, said) in [
            (None, None, None),
            (None, Some(Closed), None),
            (Some(Closed), None, None),
            (Some(Closed), Some(Closed), None),
            (
                None,
                Some(Open),
                Some("Stands open since 8; whoever comes gets in."),
            ),
            (
                Some(Closed),
                Some(Open),
                Some("Stands open since 8; whoever comes gets in."),
            ),
            (
                Some(Open),
                Some(Open),
                Some("Stands open since 8; whoever comes gets in."),
            ),
            (
                Some(Open),
                Some(Closed),
                Some("Stood open then; closed since 8."),
            ),
            (
                Some(Open),
                None,
                Some("Stood open then; whether it still does is not known."),
            ),
        ] {
            assert_eq!(positions(then, now).sentence(time).as_deref(), said);
        }
    }

    #[test]
    fn what_is_not_known_is_never_told_as_closed() {
        use Position::{Closed, Open};
        let unknown = positions(None, None);
        let shut = positions(Some(Closed), Some(Closed));
        let opened = positions(Some(Closed), Some(Open));
        let stood = positions(Some(Open), Some(Closed));
        let lost = positions(Some(Open), None);
        for (doors, said) in [
            (vec![], None),
            (
                vec![("A", unknown), ("B", unknown)],
                Some(
                    "Whether a door stood open then is not known: none has a contact that was \
                     heard.",
                ),
            ),
            (vec![("A", shut)], Some("No door stood open then.")),
            (
                vec![("A", shut), ("B", unknown)],
                Some("Whether 1 of the 2 doors stood open then is not known; the others did not."),
            ),
            (
                vec![("A", opened), ("B", shut)],
                Some("A stands open: whoever comes gets in, whatever it refuses."),
            ),
            (
                vec![("A", stood), ("B", lost), ("C", unknown)],
                Some(
                    "A and B stood open then. Whether 1 of the 3 doors stood open then is not \
                     known.",
                ),
            ),
            (
                vec![("A", opened), ("B", opened), ("C", opened), ("D", opened)],
                Some("A, B and 2 more stand open: whoever comes gets in, whatever they refuse."),
            ),
        ] {
            assert_eq!(sentence(&doors).as_deref(), said);
        }
    }
}
