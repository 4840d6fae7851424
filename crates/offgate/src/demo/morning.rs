//! What happened at the doors before anybody looked: a few people came in, so that the timeline of
//! a new demo is not empty. They present what they hold at the doors' own readers.

use offgate_agent::reader::At;
use offgate_core::credential::CredentialKind;
use offgate_core::door_position::Position;
use offgate_core::place::Direction;

use super::people::PEOPLE;
use super::station::Station;

/// Whose card was held to which reader.
const PASSAGES: [(&str, &str, Direction); 9] = [
    ("Okafor", "Front door", Direction::In),
    ("Kowalczyk", "Front door", Direction::In),
    ("Chen", "Front door", Direction::In),
    ("Haddad", "Back door", Direction::In),
    ("Kowalczyk", "Workshop", Direction::In),
    ("Okafor", "Server room", Direction::In),
    ("Okafor", "Server room", Direction::Out),
    ("Chen", "Server room", Direction::In),
    ("Chen", "Front door", Direction::Out),
];

/// Shuts the doors, and lets them come.
pub(super) async fn pass(stations: &[Station]) {
    for station in stations {
        for door in station.doors {
            station.move_leaf(door, Position::Closed).await;
        }
    }
    for (name, door, direction) in PASSAGES {
        let station = stations
            .iter()
            .find(|station| station.doors.contains(&door));
        let card = PEOPLE
            .iter()
            .find(|person| person.last_name == name)
            .and_then(|it| it.card);
        if let (Some(station), Some(card)) = (station, card) {
            let at = At {
                door: door.to_owned(),
                direction,
            };
            // What the door answers is for the timeline; the page begins without an answer.
            if let Err(words) = station
                .offer(at, CredentialKind::NfcCard, card.to_owned())
                .await
            {
                tracing::warn!(
                    door,
                    words,
                    "nobody could be let in at the demo's beginning"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::organisation::DOORS;
    use super::*;

    #[test]
    fn whoever_comes_has_a_card_and_the_door_a_reader() {
        for (name, door, direction) in PASSAGES {
            let person = PEOPLE.iter().find(|person| person.last_name == name);
            assert!(person.is_some_and(|person| person.card.is_some()), "{name}");
            let found = DOORS.iter().find(|(named, _)| *named == door);
            assert!(
                found.is_some_and(|(_, ways)| ways.contains(&direction)),
                "{door}"
            );
        }
    }
}
