//! A server and its agents as processes, the people who are deactivated and reactivated, those who
//! present their cards meanwhile, and what is judged of it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use offgate_agent::reader::simulated::{self, PresentError};
use offgate_agent::reader::{Answer, At};
use offgate_core::agent::AgentKey;
use offgate_core::credential::CredentialKind;
use offgate_core::place::Direction;
use offgate_link::acknowledgement::Acknowledgement;
use rustix::process::Signal;
use serde_json::Value;

use super::PATIENCE;
use crate::support::{
    Console, Dice, Installation, Running, Said, free_address, offgate, wait_until,
};
use crate::wire::Wire;

/// How many of the last happenings a failure tells.
const STORY: usize = 80;
/// How long each agent's reader has nobody before it, for each agent that there is: all of them
/// share one machine with the server.
const REST: Duration = Duration::from_millis(4);

/// Somebody, and what is known of them.
pub(super) struct Person {
    name: String,
    id: String,
    card: String,
    /// Once they are deactivated nobody reactivates them.
    leaves: bool,
    standing: Mutex<Standing>,
}

#[derive(Default)]
struct Standing {
    /// What was done so far: true is deactivated.
    done: Vec<bool>,
    /// Moves when a command about them is asked for, and when it is over.
    moment: u64,
    /// A command is under way.
    is_asked: bool,
    /// The doors of which it was said, since their last reactivation was asked for, that they
    /// refuse: one bit for each agent.
    said_to_refuse: u64,
}

impl Standing {
    fn is_deactivated(&self) -> bool {
        self.done.last().copied().unwrap_or(false)
    }
}

impl Person {
    fn standing(&self) -> MutexGuard<'_, Standing> {
        lock(&self.standing)
    }
}

/// An agent with one door.
pub(super) struct Agent {
    pub(super) door: String,
    folder: PathBuf,
    pub(super) wire: Wire,
    running: Mutex<Running>,
}

/// What somebody is at, for whoever wants to know why nothing goes on.
pub(super) struct Place(Mutex<(Instant, String)>);

impl Place {
    pub(super) fn new(what: &str) -> Self {
        Self(Mutex::new((Instant::now(), what.to_owned())))
    }

    pub(super) fn is(&self, what: String) {
        *lock(&self.0) = (Instant::now(), what);
    }

    /// What they are at, if they are at it for longer than anything takes.
    pub(super) fn hangs(&self) -> Option<String> {
        let place = lock(&self.0);
        let since = place.0.elapsed();
        (since > PATIENCE * 2).then(|| format!("for {} s: {}", since.as_secs(), place.1))
    }
}

/// How often what came up.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) answered: AtomicUsize,
    pub(super) unknown: AtomicUsize,
    pub(super) looks: AtomicUsize,
    pub(super) confirmed: AtomicUsize,
    pub(super) ended_by_limit: AtomicUsize,
    pub(super) presented: AtomicUsize,
    pub(super) granted: AtomicUsize,
    pub(super) at_confirmed: AtomicUsize,
    pub(super) no_answer: AtomicUsize,
}

pub(super) fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The site.
pub(super) struct House {
    installation: Installation,
    link: String,
    console: Console,
    site: String,
    server: Mutex<Running>,
    pub(super) people: Vec<Person>,
    pub(super) agents: Vec<Agent>,
    pub(super) counted: Counted,
    settled: AtomicUsize,
    begun: Instant,
    story: Mutex<VecDeque<String>>,
    /// Nobody commands any more.
    pub(super) quiet: AtomicBool,
    /// Nobody does anything any more.
    pub(super) over: AtomicBool,
}

impl House {
    /// A house with people and doors, whose server and agents run.
    pub(super) fn new(agents: usize, people: usize) -> Self {
        let installation = Installation::new();
        let (link, mut console) = (free_address(), Console::at(free_address()));
        let site = installation.json(&["site", "create", "Harbour Works", "--zone", "UTC"]);
        let mut policy = vec![
            "policy".to_owned(),
            "create".to_owned(),
            "Always".to_owned(),
        ];
        for number in 0..agents {
            let door = format!("Door {number}");
            installation.json(&["door", "create", &door, "--works-alone", "10s"]);
            policy.extend(["--door".to_owned(), door]);
        }
        installation.json(&policy.iter().map(String::as_str).collect::<Vec<_>>());
        let server = serve(&installation, &link, &console);
        console.sign_in(&installation);
        let mut house = Self {
            link,
            console,
            site: text(&site["id"]),
            server: Mutex::new(server),
            people: Vec::new(),
            agents: Vec::new(),
            counted: Counted::default(),
            settled: AtomicUsize::new(0),
            begun: Instant::now(),
            story: Mutex::default(),
            quiet: AtomicBool::new(false),
            over: AtomicBool::new(false),
            installation,
        };
        house.people = (0..people).map(|number| house.person(number)).collect();
        house.agents = (0..agents).map(|number| house.joined(number)).collect();
        for number in 0..agents {
            let first = &house.people[0];
            let granted = Some(Answer::Granted);
            let door = &house.agents[number].door;
            wait_until(door, || house.presented(number, first) == granted);
        }
        house
    }

    fn person(&self, number: usize) -> Person {
        let (name, card) = (format!("Number{number}"), format!("04A0B0C{number:03}"));
        let made = self.installation.json(&[
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
        Person {
            name,
            id: text(&made["id"]),
            card,
            leaves: number.is_multiple_of(4),
            standing: Mutex::default(),
        }
    }

    fn joined(&self, number: usize) -> Agent {
        let door = format!("Door {number}");
        let name = format!("Agent {number}");
        let create = ["join-token", "create", &name, "--door", &door];
        let made = self.installation.json(&create);
        let (wire, folder) = (
            Wire::lay(self.link.clone()),
            self.installation.data().join(format!("agent-{number}")),
        );
        let mut command = agent(&wire, &folder);
        command.args(["--join", &text(&made["token"])]);
        Agent {
            running: Mutex::new(Running::start(&mut command)),
            door,
            folder,
            wire,
        }
    }

    /// Keeps in mind that something happened.
    pub(super) fn tell(&self, what: &str) {
        let mut story = lock(&self.story);
        if story.len() == STORY {
            story.pop_front();
        }
        story.push_back(format!("{:8.3} {what}", self.begun.elapsed().as_secs_f64()));
    }

    /// What happened last, oldest first.
    pub(super) fn story(&self) -> String {
        Vec::from(lock(&self.story).clone()).join("\n")
    }

    pub(super) fn signal_server(&self, signal: Signal) {
        lock(&self.server).signal(signal);
    }

    pub(super) fn signal_agent(&self, number: usize, signal: Signal) {
        lock(&self.agents[number].running).signal(signal);
    }

    /// Kills the server, and starts it again.
    pub(super) fn kill_server(&self) {
        let mut server = lock(&self.server);
        let (code, _) = server.end(Signal::KILL);
        assert_eq!(code, None, "the server ended by itself");
        *server = serve(&self.installation, &self.link, &self.console);
    }

    /// Kills an agent, and starts it again.
    pub(super) fn kill_agent(&self, number: usize) {
        let one = &self.agents[number];
        let mut running = lock(&one.running);
        let (code, _) = running.end(Signal::KILL);
        assert_eq!(code, None, "the agent of {} ended by itself", one.door);
        *running = Running::start(&mut agent(&one.wire, &one.folder));
    }

    /// Ends every process, so that nobody waits for one.
    pub(super) fn end(&self) {
        self.quiet.store(true, Ordering::SeqCst);
        self.over.store(true, Ordering::SeqCst);
        let agents = self.agents.iter().map(|agent| &agent.running);
        for running in agents.chain([&self.server]) {
            // One that has ended is as good.
            let _ = lock(running).child.kill();
        }
    }

    fn offgate(&self, arguments: &[&str]) -> Command {
        let mut command = offgate();
        command
            .arg("--data")
            .arg(self.installation.data())
            .args(["--format", "json"])
            .args(arguments);
        command
    }

    /// The answer to a question; asked again while the store is not to be had, as it is while a
    /// process that writes is stopped.
    fn read(&self, arguments: &[&str]) -> Value {
        let since = Instant::now();
        loop {
            let said = ended(self.offgate(arguments));
            if said.code == 0 {
                return said.json();
            }
            let is_over = self.over.load(Ordering::SeqCst);
            assert!(
                since.elapsed() < PATIENCE && !is_over,
                "{arguments:?}: {said:?}"
            );
        }
    }

    fn is_deactivated(&self, person: &Person) -> bool {
        self.read(&["user", "show", &person.id])["status"] == "deactivated"
    }

    /// Asks for something over the command line or the console. False: whether it was done is not
    /// known.
    fn ask(&self, dice: &mut Dice, person: &Person, deactivate: bool) -> bool {
        let (verb, fields) = if deactivate {
            ("deactivate", "reason=left")
        } else {
            ("reactivate", "")
        };
        match dice.below(4) {
            0 => ended(self.offgate(&["user", verb, &person.id])).code == 0,
            // Killed while it is at work.
            1 => {
                let mut asked = Running::start(
                    self.offgate(&["user", verb, &person.id])
                        .stderr(Stdio::null()),
                );
                dice.wait(40);
                asked.end(Signal::KILL).0 == Some(0)
            }
            _ => {
                let path = format!("/users/{}/{verb}", person.id);
                self.console.submit(&path, fields).is_some_and(|answer| {
                    assert!(!answer.starts_with("HTTP/1.1 4"), "{verb}: {answer}");
                    answer.starts_with("HTTP/1.1 303")
                })
            }
        }
    }

    /// Makes sure that what is read from here on stays so: a change whose outcome is not known may
    /// lie in the write-ahead log whole but not announced. The next one takes its place.
    fn settle(&self) {
        let number = self.settled.fetch_add(1, Ordering::Relaxed);
        let name = format!("Harbour Works {number}");
        self.read(&["site", "edit", &self.site, "--name", &name]);
    }

    /// Deactivates and reactivates every `step`-th person from `first` on, until it is quiet.
    pub(super) fn command(&self, place: &Place, mut dice: Dice, (first, step): (usize, usize)) {
        let mine: Vec<&Person> = self.people.iter().skip(first).step_by(step).collect();
        while !self.quiet.load(Ordering::SeqCst) {
            let person = mine[dice.below(mine.len() as u64) as usize];
            let deactivate = {
                let standing = person.standing();
                !standing.is_deactivated()
            };
            if person.leaves && !deactivate {
                place.is("looks for somebody".to_owned());
                dice.wait(20);
                continue;
            }
            self.change(place, &mut dice, person, deactivate);
            dice.wait(100);
        }
    }

    fn change(&self, place: &Place, dice: &mut Dice, person: &Person, deactivate: bool) {
        let what = if deactivate {
            "deactivate"
        } else {
            "reactivate"
        };
        let name = &person.name;
        place.is(format!("looks at {name} before: {what}"));
        let is = self.is_deactivated(person);
        assert_eq!(is, !deactivate, "an answered command about {name} was lost");
        {
            let mut standing = person.standing();
            standing.moment += 1;
            standing.is_asked = true;
            standing.said_to_refuse = 0;
        }
        place.is(format!("asks to {what} {name}"));
        self.tell(&format!("{what} {name}: asked"));
        let is_known = self.ask(dice, person, deactivate);
        let is_done = if is_known {
            count(&self.counted.answered);
            true
        } else {
            count(&self.counted.unknown);
            place.is(format!("settles what became of: {what} {name}"));
            self.settle();
            self.is_deactivated(person) == deactivate
        };
        self.tell(&format!("{what} {name}: known {is_known}, done {is_done}"));
        let mut standing = person.standing();
        if is_done {
            standing.done.push(deactivate);
        }
        standing.moment += 1;
        standing.is_asked = false;
    }

    /// Looks at what is said of those who are deactivated, until it is over.
    pub(super) fn look(&self, place: &Place, mut dice: Dice) {
        while !self.over.load(Ordering::SeqCst) {
            let person = &self.people[dice.below(self.people.len() as u64) as usize];
            let before = {
                let standing = person.standing();
                let deactivated = standing.is_deactivated() && !standing.is_asked;
                deactivated.then_some(standing.moment)
            };
            let Some(before) = before else {
                place.is("looks for somebody".to_owned());
                std::thread::park_timeout(REST * 5);
                continue;
            };
            place.is(format!("looks at {}", person.name));
            let refuses = self.said_to_refuse(person);
            let mut standing = person.standing();
            // What was asked for meanwhile may have been done before this look, or after.
            if standing.moment == before {
                count(&self.counted.looks);
                let new = refuses & !standing.said_to_refuse;
                standing.said_to_refuse |= refuses;
                drop(standing);
                for (number, agent) in self.agents.iter().enumerate() {
                    if new & 1 << number != 0 {
                        self.tell(&format!("{} is said to refuse {}", agent.door, person.name));
                    }
                }
            }
        }
    }

    /// The doors of which it is said that they refuse somebody.
    fn said_to_refuse(&self, person: &Person) -> u64 {
        let shown = self.read(&["user", "show", &person.id]);
        let doors = shown["doors"].as_array().map_or(&[][..], Vec::as_slice);
        let mut refuse = 0;
        for one in doors {
            let counter = match one["state"].as_str() {
                Some("confirmed") => &self.counted.confirmed,
                Some("ended by its time limit") => &self.counted.ended_by_limit,
                _ => continue,
            };
            let name = &one["door"]["name"];
            let number = self.agents.iter().position(|agent| *name == *agent.door);
            refuse |= 1 << number.expect("a door");
            count(counter);
        }
        refuse
    }

    /// Presents cards at one agent's door, one after the other, until it is over. Nobody gets in
    /// where it was said before they came that they are refused, unless they were reactivated.
    pub(super) fn present(&self, place: &Place, mut dice: Dice, number: usize) {
        let pause = REST * u32::try_from(self.agents.len()).unwrap_or(u32::MAX);
        while !self.over.load(Ordering::SeqCst) {
            let mut person = &self.people[dice.below(self.people.len() as u64) as usize];
            // Rather one of whom something was said.
            for _ in 0..3 {
                if person.standing().said_to_refuse & 1 << number == 0 {
                    person = &self.people[dice.below(self.people.len() as u64) as usize];
                }
            }
            place.is(format!("presents the card of {}", person.name));
            let (moment, is_said) = {
                let standing = person.standing();
                (standing.moment, standing.said_to_refuse & 1 << number != 0)
            };
            let answer = self.presented(number, person);
            let Some(answer) = answer else {
                count(&self.counted.no_answer);
                std::thread::park_timeout(pause);
                continue;
            };
            count(&self.counted.presented);
            if is_said {
                count(&self.counted.at_confirmed);
            }
            if answer == Answer::Granted {
                count(&self.counted.granted);
                let now = person.standing().moment;
                let door = &self.agents[number].door;
                assert!(
                    !is_said || now != moment,
                    "{door} let {} in, and was said to refuse them",
                    person.name
                );
            }
            std::thread::park_timeout(pause);
        }
    }

    /// What a door says to somebody's card; nothing while its agent is down or stopped.
    fn presented(&self, number: usize, person: &Person) -> Option<Answer> {
        let agent = &self.agents[number];
        let at = At {
            door: agent.door.clone(),
            direction: Direction::In,
        };
        match simulated::present(&agent.folder, at, CredentialKind::NfcCard, &person.card) {
            Ok(answer) => Some(answer),
            Err(PresentError::NoAgent(_) | PresentError::NoAnswer(_)) => None,
            // Its table was never there yet.
            Err(PresentError::NotUnderstood(_)) => None,
        }
    }

    /// What is not as it should be when nothing hinders anybody any more. None: all is well.
    pub(super) fn unhealed(&self) -> Option<String> {
        for person in &self.people {
            let standing = person.standing();
            let (is_deactivated, all) = (standing.is_deactivated(), standing.done.clone());
            drop(standing);
            let is = self.is_deactivated(person);
            assert_eq!(is, is_deactivated, "{}: {all:?}", person.name);
            if is_deactivated {
                let missing = !self.said_to_refuse(person) & ((1 << self.agents.len()) - 1);
                if missing != 0 {
                    return Some(format!("{} is not confirmed: {missing:b}", person.name));
                }
            }
        }
        self.other_tables().pop()
    }

    /// The agents whose last signed acknowledgement is not of the table that the server has for
    /// them.
    fn other_tables(&self) -> Vec<String> {
        let file = self.installation.data().join(offgate_store::DATABASE_FILE);
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let books = rusqlite::Connection::open_with_flags(file, flags).expect("the books");
        let mut agents = books
            .prepare(
                "SELECT a.name, a.key, t.revision, t.hash, k.statement, k.signature FROM agent a \
                 JOIN agent_table t ON t.agent = a.id LEFT JOIN acknowledgement k ON k.number = \
                 (SELECT max(number) FROM acknowledgement WHERE agent = a.id)",
            )
            .expect("a question");
        let read = agents.query_map([], |row| {
            let name: String = row.get(0)?;
            let (revision, hash): (i64, [u8; 32]) = (row.get(2)?, row.get(3)?);
            let revision = u64::try_from(revision).expect("a revision");
            let Some(statement) = row.get::<_, Option<Vec<u8>>>(4)? else {
                return Ok(Some(format!("{name} never acknowledged anything")));
            };
            let (key, signature) = (AgentKey(row.get(1)?), row.get(5)?);
            let said = Acknowledgement::verify(&key, &statement, &signature).expect("a signature");
            let is_same = said.revision.number() >= revision && said.hash.0 == hash;
            Ok((!is_same).then(|| format!("{name} has {said:?}, not {revision}")))
        });
        let all: Vec<Option<String>> = read
            .and_then(Iterator::collect)
            .expect("what is in the books");
        assert_eq!(all.len(), self.agents.len());
        all.into_iter().flatten().collect()
    }

    /// In the end every door does what was done last, and the log tells what was answered: nothing
    /// more, nothing less, and it adds up.
    pub(super) fn judge_the_end(&self) {
        for person in &self.people {
            let standing = person.standing();
            for (number, agent) in self.agents.iter().enumerate() {
                let answer = self
                    .presented(number, person)
                    .map(|answer| answer.to_string());
                let expected = if standing.is_deactivated() {
                    "refused: deactivated"
                } else {
                    "granted"
                };
                let name = &person.name;
                assert_eq!(
                    answer.as_deref(),
                    Some(expected),
                    "{name} at {}",
                    agent.door
                );
            }
            let told = self.read(&[
                "activity", "--user", &person.id, "--kind", "changes", "--limit", "500",
            ]);
            let told = told["items"].as_array().expect("lines").iter().rev();
            let told: Vec<bool> = told
                .filter_map(|line| match line["what"].as_str() {
                    Some("user.deactivated") => Some(true),
                    Some("user.reactivated") => Some(false),
                    _ => None,
                })
                .collect();
            assert_eq!(told, standing.done, "what the log tells of {}", person.name);
        }
        let said = ended(self.offgate(&["audit", "verify"]));
        assert_eq!(said.code, 0, "{said:?}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn serve(installation: &Installation, link: &str, console: &Console) -> Running {
    let mut server = Running::start(
        offgate()
            .args(["serve", "--log", "off", "--listen", link])
            .args(["--http", &console.address, "--data"])
            .arg(installation.data())
            .stderr(Stdio::null()),
    );
    server.read_until("Root fingerprint");
    server
}

fn agent(wire: &Wire, folder: &std::path::Path) -> Command {
    let mut command = offgate();
    command
        .args(["agent", "--log", "off", "--server", &wire.address, "--data"])
        .arg(folder)
        .stderr(Stdio::null());
    command
}

/// Runs a command to its end, and no longer than anything takes. What it says is short.
fn ended(mut command: Command) -> Said {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let since = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if since.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it does not end: {command:?}");
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    let output = child.wait_with_output().expect("its end");
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}
