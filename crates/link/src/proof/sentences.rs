//! What a proof shows and what it does not, in plain words: the same on paper and at a terminal.

use std::fmt::Write as _;

use offgate_core::confirmation::DoorStanding;
use offgate_core::door_position::Position;
use offgate_core::parameters::Timestamp;
use offgate_core::question::Verdict;

use super::check::{Shown, ShownDoor, Standing};

/// What no proof of this kind shows.
pub const NOT_SHOWN: [&str; 6] = [
    "It does not show that the person stayed outside: a mechanical key, a door that stands open or \
     somebody who holds it open let anybody in.",
    "It shows what each door’s agent signed. An agent that was tampered with, or a lock that does \
     not follow its agent, can do otherwise.",
    "It is about the doors that it lists, which are those that could have opened for them then. \
     Doors of other systems decide for themselves.",
    "That nothing else about this person is in the log is the store’s word. What is listed is in \
     the log that was signed for.",
    "The times are those of the server’s own clock, and in answers those of the door’s.",
    "Without the root fingerprint, kept outside since the store was set up, it is not known whose \
     proof this is.",
];

/// The words for what happened.
#[must_use]
pub fn kind_words(kind: &str) -> &str {
    match kind {
        "user.deactivated" => "deactivated",
        "user.reactivated" => "reactivated",
        "user.removed" => "removed",
        "user.erased" => "erased",
        "credential.lost" => "reported lost",
        "credential.found" => "reported found",
        "credential.removed" => "taken away",
        other => other,
    }
}

/// "From 2026-11-25 10:00 on, as of 2026-11-26 09:00." `time` writes an instant.
#[must_use]
pub fn period(shown: &Shown, time: impl Fn(Timestamp) -> String) -> String {
    let ends = |kind: &str| match shown.subject.credential {
        None => kind == "user.reactivated",
        Some(_) => kind == "credential.found",
    };
    let (from, as_of) = (time(shown.decided.at), time(shown.made_at));
    match shown.since.iter().find(|later| ends(&later.kind)) {
        Some(end) => format!(
            "From {from} until {}, when they were admitted again; as of {as_of}.",
            time(end.at)
        ),
        None => format!("From {from} on, as of {as_of}."),
    }
}

/// What the proof shows, a sentence for each thing.
#[must_use]
pub fn shows(shown: &Shown, time: impl Fn(Timestamp) -> String) -> Vec<String> {
    let what = match shown.subject.credential {
        None => "This person was",
        Some(_) => "A credential of this person was",
    };
    let confirmed = count(shown, |door| {
        matches!(door.standing, Standing::Confirmed { .. })
    });
    let ended = count(shown, |door| {
        matches!(door.standing, Standing::EndedByLimit { .. })
    });
    let mut said = format!(
        "{confirmed} of {} said so in words signed with their own keys, which are in this file",
        counted(shown.doors.len(), "door")
    );
    if ended > 0 {
        let _ = write!(said, "; {ended} by the end of a time limit");
    }
    let mut told = vec![
        format!(
            "{what} {} on {}: entry {} of a log that was signed for when it had {} entries.",
            kind_words(&shown.decided.kind),
            time(shown.decided.at),
            shown.decided.revision,
            shown.log.size
        ),
        format!("{said}."),
    ];
    let asked = count(shown, |door| !door.answers.is_empty());
    let admit = count(shown, ShownDoor::admits);
    if asked > 0 {
        told.push(format!(
            "{} asked whether they would open now: {}.",
            match asked {
                1 => "1 door was".to_owned(),
                more => format!("{more} doors were"),
            },
            match admit {
                0 => "none would for this person".to_owned(),
                some => format!("{some} WOULD OPEN"),
            }
        ));
    }
    let known = count(shown, |door| door.stood.is_some());
    if known > 0 {
        let open = count(shown, |door| door.stood == Some(Position::Open));
        told.push(format!(
            "The contacts of {known} of {} told the store how they stood when it was decided: {}.",
            counted(shown.doors.len(), "door"),
            match open {
                0 => "none stood open".to_owned(),
                some => format!("{some} STOOD OPEN"),
            }
        ));
    }
    told.push(if shown.is_final() {
        "It is final: every door that counts has been shown to refuse.".to_owned()
    } else {
        "It is interim: not every door that counts has been shown to refuse. Another proof can be \
         made later."
            .to_owned()
    });
    told
}

fn count(shown: &Shown, which: impl Fn(&ShownDoor) -> bool) -> usize {
    shown.doors.iter().filter(|door| which(door)).count()
}

/// Where one door stands, in a sentence.
#[must_use]
pub fn door_sentence(door: &ShownDoor, time: impl Fn(Timestamp) -> String) -> String {
    let mut text = match door.standing {
        Standing::Confirmed { at, .. } => {
            format!("Confirmed: its signed word came at {}.", time(at))
        }
        Standing::EndedByLimit {
            at,
            basis: Some(basis),
        } => format!(
            "Cut off, and refuses by its time limit since {}: it was last allowed to go on at {}, \
             and works on its own for {}.",
            time(at),
            time(basis.renewed_at),
            length(basis.lease_seconds)
        ),
        Standing::EndedByLimit { at, basis: None } => {
            format!("Cut off, and refuses by its time limit since {}.", time(at))
        }
        Standing::NotConfirmed(standing) => not_confirmed(standing, &time),
    };
    // What would open stands first; the earliest time is given, so as not to claim more.
    let mut told: Vec<(Verdict, usize, Timestamp)> = Vec::new();
    for said in door.last_answers() {
        let verdict = said.answer.verdict();
        match told.iter_mut().find(|(known, ..)| *known == verdict) {
            Some((_, number, at)) => {
                *number += 1;
                *at = (*at).min(said.received_at);
            }
            None => told.push((verdict, 1, said.received_at)),
        }
    }
    told.sort_by_key(|(verdict, ..)| matches!(verdict, Verdict::Refuses(_)));
    for (verdict, number, at) in told {
        let (at, what) = (time(at), counted(number, "credential"));
        let _ = match verdict {
            Verdict::Refuses(reason) => {
                write!(
                    text,
                    " Asked about {what} at {at}, it refuses: {}.",
                    reason.name()
                )
            }
            Verdict::Admits => write!(text, " Asked about {what} at {at}, it WOULD OPEN for them."),
            Verdict::AdmitsAnother => write!(
                text,
                " Asked about {what} at {at}, it would open for somebody else who has the same."
            ),
        };
    }
    if door.stood == Some(Position::Open) {
        text.push_str(" It STOOD OPEN when this was decided, as its contact said.");
    }
    text
}

fn not_confirmed(standing: DoorStanding, time: impl Fn(Timestamp) -> String) -> String {
    let silent = |since: Option<Timestamp>| match since {
        Some(since) => format!("it has not answered since {}", time(since)),
        None => "it has never answered".to_owned(),
    };
    let until = |until: Option<Timestamp>| match until {
        Some(until) => format!("may still open until {}", time(until)),
        None => "may still open".to_owned(),
    };
    match standing {
        DoorStanding::Confirmed { at } => format!(
            "Not shown: it is on record as confirmed at {}, without a receipt that shows it.",
            time(at)
        ),
        DoorStanding::Waiting => "Not confirmed: its answer is awaited.".to_owned(),
        DoorStanding::Overdue => {
            "Not confirmed: it is connected, and has not confirmed in time.".to_owned()
        }
        DoorStanding::Failed { fault } => {
            format!("Not confirmed: it cannot, because its {}.", fault.what())
        }
        DoorStanding::MayStillOpen {
            silent_since,
            until: end,
        } => format!("Not confirmed: {}; {}.", silent(silent_since), until(end)),
        DoorStanding::OnEmergencyList {
            silent_since,
            until: end,
        } => format!(
            "Not confirmed: {}, and they are on its emergency list; {}.",
            silent(silent_since),
            until(end)
        ),
        DoorStanding::KeepsLastTable { silent_since } => format!(
            "Not confirmed: {}, and it keeps its last table; may still open until it is heard.",
            silent(silent_since)
        ),
        DoorStanding::EndedByLimit { at } => {
            format!("Refuses by its time limit since {}.", time(at))
        }
    }
}

fn length(seconds: u32) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        _ => format!("{} hours", seconds / 3600),
    }
}

fn counted(number: usize, word: &str) -> String {
    if number == 1 {
        format!("1 {word}")
    } else {
        format!("{number} {word}s")
    }
}
