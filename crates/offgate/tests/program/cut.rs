//! A server, two agents, and between one of them and the server a wire that can be cut: what the
//! doors do, and what may be said of them meanwhile.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Installation, Running, offgate, run, wait_until};
use crate::wire::Wire;

const DOORS: [&str; 2] = ["Front door", "Back door"];
const CARDS: [&str; 2] = ["04A22B19F0", "04C5D6E7F8"];
const PEOPLE: [&str; 2] = ["Yuki Mori", "Amara Okafor"];

/// A server with two doors, each with an agent of its own, and two people.
struct House {
    installation: Installation,
    wires: Vec<Wire>,
    /// The server first; all are killed when the test ends.
    running: Vec<Running>,
}

impl House {
    fn new() -> Self {
        let installation = Installation::new();
        let mut server = installation.serve();
        let said = server.read_until("Agents connect to").pop();
        let address = said.expect("a line").replace("Agents connect to ", "");
        installation.json(&["site", "create", "Harbour Works", "--zone", "Europe/Berlin"]);
        for door in DOORS {
            installation.json(&["door", "create", door]);
        }
        installation.json(&[
            "policy", "create", "Always", "--door", DOORS[0], "--door", DOORS[1],
        ]);
        for (name, card) in PEOPLE.iter().zip(CARDS) {
            let (first, last) = name.split_once(' ').expect("two names");
            installation.json(&[
                "user",
                "create",
                "--first-name",
                first,
                "--last-name",
                last,
                "--policy",
                "Always",
                "--nfc",
                card,
            ]);
        }
        let mut house = Self {
            installation,
            wires: Vec::new(),
            running: vec![server],
        };
        for door in DOORS {
            let wire = Wire::lay(address.clone());
            let made = house
                .installation
                .json(&["join-token", "create", door, "--door", door]);
            let token = made["token"].as_str().expect("a token").to_owned();
            let agent = Running::start(
                offgate()
                    .args(["agent", "--log", "warn", "--join", &token])
                    .args(["--server", &wire.address, "--data"])
                    .arg(house.installation.data().join(door)),
            );
            house.wires.push(wire);
            house.running.push(agent);
        }
        house
    }

    /// What a door says to a card.
    fn present(&self, door: &str, card: &str) -> String {
        let mut command = offgate();
        command
            .args(["present", "--door", door, "--nfc", card, "--data"])
            .arg(self.installation.data().join(door));
        run(&mut command, "").out.trim().to_owned()
    }

    fn wait_for(&self, door: &str, card: &str, answer: &str) {
        let what = format!("{card} at {door}: {answer}");
        wait_until(&what, || self.present(door, card) == answer);
    }

    /// What the command line says of somebody who was deactivated.
    fn shown(&self, person: &str) -> Shown {
        let shown = self.installation.json(&["user", "show", person]);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let doors = DOORS.map(|door| {
            let doors = shown["doors"].as_array().expect("doors");
            let one = doors.iter().find(|one| one["door"]["name"] == door);
            let one = one.unwrap_or_else(|| panic!("no {door}: {shown}"));
            (text(&one["state"]).expect("a state"), text(&one["when"]))
        });
        Shown {
            doors,
            sentence: text(&shown["confirmation"]).expect("a sentence"),
        }
    }

    fn is(&self, person: &str, states: [&str; 2]) -> bool {
        self.shown(person)
            .doors
            .each_ref()
            .map(|(state, _)| state.as_str())
            == states
    }

    /// What happened at a door, oldest first: the number of the event, what it was, and to whom.
    fn events(&self, door: &str) -> Vec<(u64, String, String)> {
        let rows = self.installation.json(&[
            "activity", "--door", door, "--kind", "doors", "--limit", "500",
        ]);
        let mut events: Vec<_> = rows["items"]
            .as_array()
            .expect("events")
            .iter()
            .map(|row| {
                let sequence = row["sequence"].as_u64().expect("a number");
                let what = row["what"].as_str().expect("what").to_owned();
                let who = row["subject"]["name"].as_str().unwrap_or("nobody");
                (sequence, what, who.to_owned())
            })
            .collect();
        events.reverse();
        events
    }
}

struct Shown {
    doors: [(String, Option<String>); 2],
    sentence: String,
}

#[test]
fn both_doors_refuse_and_say_so_and_a_door_that_was_cut_off_says_so_when_it_is_back() {
    let mut house = House::new();
    let [front, back] = DOORS;
    for door in DOORS {
        for card in CARDS {
            house.wait_for(door, card, "granted");
        }
    }

    // Both doors are heard.
    house.installation.json(&["user", "deactivate", PEOPLE[0]]);
    wait_until("both doors confirm", || {
        house.is(PEOPLE[0], ["confirmed", "confirmed"])
    });
    // No waiting: what is confirmed is so.
    for door in DOORS {
        assert_eq!(house.present(door, CARDS[0]), "refused: deactivated");
        assert_eq!(
            house.present(door, CARDS[1]),
            "granted",
            "nobody else is touched"
        );
    }
    let shown = house.shown(PEOPLE[0]);
    assert!(
        shown
            .sentence
            .starts_with("Confirmed by 2 of 2 doors, the last at "),
        "{}",
        shown.sentence
    );
    assert!(shown.doors.iter().all(|(_, when)| when.is_some()));

    // One connection is cut; the agent lives on.
    house.wires[1].cut();
    house.installation.json(&["user", "deactivate", PEOPLE[1]]);
    wait_until("the other door confirms", || {
        house.is(PEOPLE[1], ["confirmed", "may still open"])
    });
    assert_eq!(house.present(front, CARDS[1]), "refused: deactivated");
    let cut_off = house.shown(PEOPLE[1]);
    let until = cut_off.doors[1].1.clone().expect("until when it may open");
    let sentence = &cut_off.sentence;
    assert!(
        sentence.starts_with("Confirmed by 1 of 2 doors. Back door has not answered since ")
            && sentence.ends_with(&format!(" and may still open for them until {until}.")),
        "{sentence}"
    );
    // What was said is true: it does still open, and it keeps refusing whom it had refused.
    let presented = [
        (CARDS[1], "granted"),
        (CARDS[0], "refused: deactivated"),
        ("04FFFFFFFF", "refused: unknown"),
        (CARDS[1], "granted"),
    ];
    for (card, answer) in presented {
        assert_eq!(house.present(back, card), answer);
    }
    let later = house.shown(PEOPLE[1]);
    assert_eq!(
        later.doors[1].1.as_ref(),
        Some(&until),
        "the instant stays where it was said to be"
    );

    // It is back.
    house.wires[1].mend();
    wait_until("the door confirms", || {
        house.is(PEOPLE[1], ["confirmed", "confirmed"])
    });
    assert_eq!(house.present(back, CARDS[1]), "refused: deactivated");
    let last = ("door.refused".to_owned(), PEOPLE[1].to_owned());
    wait_until("what happened meanwhile", || {
        let events = house.events(back).pop();
        events.map(|(_, what, who)| (what, who)) == Some(last.clone())
    });
    let events = house.events(back);
    let numbers: Vec<u64> = events.iter().map(|(number, ..)| *number).collect();
    let first = numbers[0];
    assert_eq!(
        numbers,
        (first..first + numbers.len() as u64).collect::<Vec<_>>(),
        "in order, without gaps, each once"
    );
    let meanwhile: Vec<_> = events[events.len() - presented.len() - 1..]
        .iter()
        .map(|(_, what, who)| (what.as_str(), who.as_str()))
        .collect();
    assert_eq!(
        meanwhile,
        [
            ("door.granted", PEOPLE[1]),
            ("door.refused", PEOPLE[0]),
            ("door.refused", "nobody"),
            ("door.granted", PEOPLE[1]),
            ("door.refused", PEOPLE[1]),
        ]
    );

    for running in house.running.iter_mut().rev() {
        assert_eq!(
            running.end(Signal::TERM).0,
            Some(0),
            "each ends when told to"
        );
    }
}
