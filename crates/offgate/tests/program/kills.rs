//! A server and two agents are killed again and again while people are deactivated and
//! reactivated. No command that was answered is lost, and nobody whose refusal a door has confirmed
//! is ever admitted there again before somebody reactivates them.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rustix::process::Signal;

use crate::support::{
    Console, Dice, Installation, Running, SOON, free_address, offgate, run, wait_until,
};

/// How often something is killed; `cargo xtask deep` asks for more.
const KILLS: usize = 200;
/// The variable with which it asks.
const VARIABLE: &str = "OFFGATE_DEEP_KILLS";
const PEOPLE: usize = 6;
const DOORS: [&str; 2] = ["Front door", "Back door"];

/// Somebody, and what the last answer about them said.
#[derive(Clone, Debug)]
struct Person {
    id: String,
    card: String,
    status: String,
}

struct House {
    installation: Installation,
    link: String,
    console: Console,
    /// Held while a command about anybody is under way, and while what doors do is compared with
    /// what they confirmed.
    people: Mutex<Vec<Person>>,
    answered: AtomicUsize,
    settled: AtomicUsize,
    site: String,
    /// How often a door that had confirmed was asked.
    compared: AtomicUsize,
    over: AtomicBool,
}

impl House {
    fn serve(&self) -> Running {
        Running::start(
            offgate()
                .args([
                    "serve",
                    "--log",
                    "off",
                    "--listen",
                    &self.link,
                    "--http",
                    &self.console.address,
                ])
                .arg("--data")
                .arg(self.installation.data())
                .stderr(Stdio::null()),
        )
    }

    fn agent(&self, number: usize, arguments: &[&str]) -> Running {
        Running::start(
            offgate()
                .args(["agent", "--log", "off", "--server", &self.link, "--data"])
                .arg(self.folder(number))
                .args(arguments)
                .stderr(Stdio::null()),
        )
    }

    fn folder(&self, number: usize) -> std::path::PathBuf {
        self.installation.data().join(format!("agent-{number}"))
    }

    /// What the door answers; asked again for as long as its agent is down.
    fn present(&self, door: usize, card: &str) -> String {
        let since = Instant::now();
        loop {
            let mut command = offgate();
            command.arg("present").arg("--data").arg(self.folder(door));
            let said = run(command.args(["--door", DOORS[door], "--nfc", card]), "");
            if said.code < 2 {
                return said.out.trim().to_owned();
            }
            assert!(
                since.elapsed() < SOON,
                "no answer at {}: {said:?}",
                DOORS[door]
            );
        }
    }

    fn status(&self, id: &str) -> String {
        let shown = self.installation.json(&["user", "show", id]);
        shown["status"].as_str().expect("a status").to_owned()
    }

    /// The doors that have confirmed somebody's deactivation.
    fn confirmed(&self, id: &str) -> Vec<usize> {
        let shown = self.installation.json(&["user", "show", id]);
        let Some(doors) = shown["doors"].as_array() else {
            return Vec::new();
        };
        let confirmed = doors.iter().filter(|door| door["state"] == "confirmed");
        let names = confirmed.filter_map(|door| door["door"]["name"].as_str());
        names
            .filter_map(|name| DOORS.iter().position(|door| *door == name))
            .collect()
    }

    /// Asks for something over the command line or the console. False: whether it was done is not
    /// known.
    fn ask(&self, dice: &mut Dice, id: &str, deactivate: bool) -> bool {
        let (verb, fields) = if deactivate {
            ("deactivate", "reason=left")
        } else {
            ("reactivate", "")
        };
        match dice.below(3) {
            0 => self.installation.run(&["user", verb, id]).code == 0,
            // Killed while it is at work.
            1 => {
                let mut command = offgate();
                command
                    .arg("--data")
                    .arg(self.installation.data())
                    .args(["user", verb, id]);
                let mut asked = Running::start(command.stderr(Stdio::null()));
                dice.wait(40);
                asked.end(Signal::KILL).0 == Some(0)
            }
            _ => self
                .console
                .submit(&format!("/users/{id}/{verb}"), fields)
                .is_some_and(|answer| {
                    assert!(!answer.starts_with("HTTP/1.1 4"), "{verb}: {answer}");
                    answer.starts_with("HTTP/1.1 303")
                }),
        }
    }

    /// Makes sure that what is read from here on stays so. A change whose process was killed may lie
    /// in SQLite's write-ahead log whole but not announced: nobody sees it, until the log is read
    /// anew because nobody has the store open. The next change that is written takes its place.
    fn settle(&self) {
        let number = self.settled.fetch_add(1, Ordering::Relaxed);
        let name = format!("Harbour Works {number}");
        self.installation
            .json(&["site", "edit", &self.site, "--name", &name]);
    }

    /// Deactivates and reactivates until it is over.
    fn command(&self, mut dice: Dice) {
        while !self.over.load(Ordering::Relaxed) {
            let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
            let one = dice.below(PEOPLE as u64) as usize;
            let Person { id, status, .. } = people[one].clone();
            let is = self.status(&id);
            assert_eq!(is, status, "an answered command was lost");
            let deactivate = status == "active";
            let known = self.ask(&mut dice, &id, deactivate);
            let wanted = if deactivate { "deactivated" } else { "active" };
            people[one].status = if known {
                self.answered.fetch_add(1, Ordering::Relaxed);
                wanted.to_owned()
            } else {
                self.settle();
                self.status(&id)
            };
            drop(people);
            dice.wait(60);
        }
    }

    /// Nobody whose refusal a door has confirmed gets in there.
    fn compare(&self, dice: &mut Dice) {
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let one = &people[dice.below(PEOPLE as u64) as usize];
        if one.status == "deactivated" {
            for door in self.confirmed(&one.id) {
                let answer = self.present(door, &one.card);
                self.compared.fetch_add(1, Ordering::Relaxed);
                assert_ne!(
                    answer, "granted",
                    "{one:?} at {}, which had confirmed",
                    DOORS[door]
                );
            }
        }
    }
}

/// A house with people, whose server and agents run.
fn begin() -> (House, Vec<Running>) {
    let mut house = House {
        installation: Installation::new(),
        link: free_address(),
        console: Console::at(free_address()),
        people: Mutex::default(),
        answered: AtomicUsize::new(0),
        settled: AtomicUsize::new(0),
        site: String::new(),
        compared: AtomicUsize::new(0),
        over: AtomicBool::new(false),
    };
    let books = &house.installation;
    let site = books.json(&["site", "create", "Harbour Works", "--zone", "Europe/Berlin"]);
    let site = site["id"].as_str().expect("an id").to_owned();
    for door in DOORS {
        books.json(&["door", "create", door]);
    }
    books.json(&[
        "policy", "create", "Always", "--door", DOORS[0], "--door", DOORS[1],
    ]);
    let people = (0..PEOPLE).map(|number| {
        let (name, card) = (format!("Number{number}"), format!("04A0B0C0D{number}"));
        let made = books.json(&[
            "user",
            "create",
            "--first-name",
            "Person",
            "--last-name",
            &name,
            "--policy",
            "Always",
            "--nfc",
            &card,
        ]);
        let id = made["id"].as_str().expect("an id").to_owned();
        Person {
            id,
            card,
            status: "active".to_owned(),
        }
    });
    let people = people.collect();
    let mut running = vec![house.serve()];
    running[0].read_until("Root fingerprint");
    house.console.sign_in(&house.installation);
    house.site = site;
    house.people = Mutex::new(people);
    for (number, door) in DOORS.iter().enumerate() {
        let name = format!("Agent {number}");
        let made = house
            .installation
            .json(&["join-token", "create", &name, "--door", door]);
        let token = made["token"].as_str().expect("a token");
        running.push(house.agent(number, &["--join", token]));
    }
    (house, running)
}

#[test]
fn nothing_answered_is_lost_and_nobody_refused_comes_back() {
    let kills = std::env::var(VARIABLE)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(KILLS);
    let (house, mut running) = begin();
    let card = |one: usize| house.people.lock().expect("people")[one].card.clone();
    for (number, door) in DOORS.iter().enumerate() {
        wait_until(door, || house.present(number, &card(0)) == "granted");
    }
    let mut dice = Dice(0x0ff9_a7e0);
    std::thread::scope(|scope| {
        let commands = scope.spawn(|| house.command(Dice(0x5eed)));
        for _ in 0..kills {
            dice.wait(150);
            let victim = dice.below(3) as usize;
            assert_eq!(
                running[victim].end(Signal::KILL).0,
                None,
                "it ran until it was killed"
            );
            running[victim] = match victim {
                0 => house.serve(),
                number => house.agent(number - 1, &[]),
            };
            house.compare(&mut dice);
            if commands.is_finished() {
                break;
            }
        }
        house.over.store(true, Ordering::Relaxed);
        commands.join().expect("the commands");
    });
    let counted = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let (answered, compared) = (counted(&house.answered), counted(&house.compared));
    println!("{kills} kills, {answered} commands answered, {compared} confirmed doors asked");
    assert!(
        answered > kills / 4 && compared > kills / 10,
        "too little happened"
    );

    // In the end every door does what was answered last.
    for person in house.people.lock().expect("people").iter() {
        assert_eq!(
            house.status(&person.id),
            person.status,
            "an answered command was lost"
        );
        let expected = if person.status == "active" {
            "granted"
        } else {
            "refused: deactivated"
        };
        for (number, door) in DOORS.iter().enumerate() {
            let what = format!("{person:?} at {door}: {expected}");
            wait_until(&what, || house.present(number, &person.card) == expected);
        }
    }
}
