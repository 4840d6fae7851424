//! The real thing: a server and agents as processes, with wires between them that are cut, left
//! half open, slowed and held; processes that are stopped past their doors' time limit, killed and
//! started again; and meanwhile people who are deactivated and reactivated, and present their cards
//! at every door without pause.
//!
//! No door lets anybody in of whom it was said that it refuses them, before their reactivation was
//! asked for. Nothing that was answered is lost. In the end every agent has the table that the
//! server has for it.

mod house;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use self::house::{House, Place};
use crate::support::Dice;
use crate::wire::Carries;

/// How many agents and changes; `cargo xtask deep` asks for more.
const SIZE: (usize, usize) = (4, 60);
/// The variable with which it asks: `AGENTS,CHANGES`.
const VARIABLE: &str = "OFFGATE_DEEP_REAL";
/// The variable that says where the dice begin.
const SEED: &str = "OFFGATE_DEEP_REAL_SEED";
/// Longer than anything takes that is not hindered.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than a door may work on its own here: ten seconds, the shortest limit there is.
const PAST_THE_LIMIT: Duration = Duration::from_secs(11);
/// How many command at once.
const COMMANDERS: usize = 3;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// A wire does something else for a time.
    Wire(Carries),
    /// The server loses a connection, and the agent is not told.
    HalfOpen,
    /// An agent is stopped for less than its door's limit, or for longer.
    StopAgent,
    StopAgentPastTheLimit,
    StopServer,
    /// Every door's limit ends meanwhile.
    StopServerPastTheLimit,
    KillAgent,
    KillServer,
}

/// What goes wrong with agents, in an order that is thrown anew each time.
const OF_AGENTS: [Trouble; 13] = [
    Trouble::Wire(Carries::Slowly),
    Trouble::Wire(Carries::Slowly),
    Trouble::Wire(Carries::OnlyToServer),
    Trouble::Wire(Carries::OnlyToAgent),
    Trouble::Wire(Carries::Nothing),
    Trouble::Wire(Carries::Cut),
    Trouble::Wire(Carries::Cut),
    Trouble::HalfOpen,
    Trouble::StopAgent,
    Trouble::StopAgent,
    Trouble::StopAgentPastTheLimit,
    Trouble::KillAgent,
    Trouble::KillAgent,
];

/// What goes wrong with the server.
const OF_THE_SERVER: [Trouble; 3] = [
    Trouble::StopServer,
    Trouble::StopServerPastTheLimit,
    Trouble::KillServer,
];

/// Whom a trouble troubles.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Troubled {
    Server,
    Agent(usize),
}

/// Troubles as they come and go.
struct Fate<'h> {
    house: &'h House,
    dice: Dice,
    for_agents: Vec<Trouble>,
    for_the_server: Vec<Trouble>,
    /// Until when whom.
    now: Vec<(Instant, Troubled)>,
    /// Until when the server has peace.
    peace: Instant,
    /// What came so far.
    came: Vec<Trouble>,
}

impl<'h> Fate<'h> {
    fn new(house: &'h House, seed: u64) -> Self {
        Self {
            house,
            dice: Dice(seed),
            for_agents: Vec::new(),
            for_the_server: Vec::new(),
            now: Vec::new(),
            peace: Instant::now(),
            came: Vec::new(),
        }
    }

    /// Ends what is over, and begins something.
    fn go_on(&mut self) {
        let now = Instant::now();
        let is_over = |(until, _): &(Instant, Troubled)| *until <= now;
        let (over, rest): (Vec<_>, Vec<_>) = self.now.drain(..).partition(is_over);
        self.now = rest;
        for (_, whom) in over {
            self.heal(whom);
        }
        let agents = self.house.agents.len();
        let number = self.dice.below(agents as u64) as usize;
        if !self.is_troubled(Troubled::Agent(number)) {
            let trouble = next(&mut self.for_agents, &OF_AGENTS, &mut self.dice);
            self.begin(trouble, Troubled::Agent(number), number);
        }
        if !self.is_troubled(Troubled::Server) && self.peace <= now {
            let trouble = next(&mut self.for_the_server, &OF_THE_SERVER, &mut self.dice);
            let lasts = self.begin(trouble, Troubled::Server, number);
            let peace = self.brief() * u32::try_from(1 + agents / 4).unwrap_or(u32::MAX);
            self.peace = Instant::now() + lasts + peace;
        }
    }

    fn is_troubled(&self, whom: Troubled) -> bool {
        self.now.iter().any(|(_, troubled)| *troubled == whom)
    }

    fn begin(&mut self, trouble: Trouble, whom: Troubled, number: usize) -> Duration {
        self.came.push(trouble);
        let lasts = self.trouble(trouble, number);
        self.now.push((Instant::now() + lasts, whom));
        lasts
    }

    /// Shorter than any limit.
    fn brief(&mut self) -> Duration {
        Duration::from_millis(100 + self.dice.below(2500))
    }

    /// Begins it, and says how long it lasts.
    fn trouble(&mut self, trouble: Trouble, number: usize) -> Duration {
        let house = self.house;
        let agent = &house.agents[number];
        house.tell(&format!("{trouble:?} ({})", agent.door));
        let brief = self.brief();
        match trouble {
            Trouble::Wire(carries) => {
                agent.wire.turn(carries);
                brief * 2
            }
            Trouble::HalfOpen => {
                agent.wire.leave_half_open();
                brief
            }
            Trouble::StopAgent => {
                house.signal_agent(number, Signal::STOP);
                brief
            }
            Trouble::StopAgentPastTheLimit => {
                house.signal_agent(number, Signal::STOP);
                PAST_THE_LIMIT
            }
            Trouble::StopServer => {
                house.signal_server(Signal::STOP);
                brief
            }
            Trouble::StopServerPastTheLimit => {
                house.signal_server(Signal::STOP);
                PAST_THE_LIMIT
            }
            Trouble::KillAgent => {
                house.kill_agent(number);
                brief / 4
            }
            Trouble::KillServer => {
                house.kill_server();
                brief
            }
        }
    }

    fn heal(&self, whom: Troubled) {
        match whom {
            Troubled::Server => self.house.signal_server(Signal::CONT),
            Troubled::Agent(number) => {
                self.house.signal_agent(number, Signal::CONT);
                self.house.agents[number].wire.mend();
            }
        }
    }

    fn all_times(&self) -> Vec<(Trouble, usize)> {
        let mut kinds = [&OF_AGENTS[..], &OF_THE_SERVER[..]].concat();
        kinds.dedup();
        let times = |one| self.came.iter().filter(|came| **came == one).count();
        kinds.into_iter().map(|one| (one, times(one))).collect()
    }

    fn heal_all(&mut self) {
        for (_, whom) in std::mem::take(&mut self.now) {
            self.heal(whom);
        }
        self.house.tell("nothing hinders anybody any more");
    }
}

/// The next of these, all of which come up before any comes up again.
fn next(to_come: &mut Vec<Trouble>, all: &[Trouble], dice: &mut Dice) -> Trouble {
    if to_come.is_empty() {
        to_come.extend_from_slice(all);
    }
    to_come.swap_remove(dice.below(to_come.len() as u64) as usize)
}

/// Ends everything when its thread fails, so that the others do not wait for it.
struct EndOnFailure<'h>(&'h House);

impl Drop for EndOnFailure<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}

/// Tells what had happened when the test fails.
struct TellOnFailure<'h>(&'h House);

impl Drop for TellOnFailure<'_> {
    #[expect(clippy::print_stdout, reason = "it is what a failed test says")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0.story());
        }
    }
}

fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

fn size() -> (usize, usize) {
    let Some(text) = given(VARIABLE) else {
        return SIZE;
    };
    let parts = text.split_once(',').expect("AGENTS,CHANGES");
    let read = |part: &str| part.parse().expect("a number");
    (read(parts.0), read(parts.1))
}

fn seed() -> u64 {
    let chosen = given(SEED).map(|text| text.parse().expect("a number"));
    let now = || {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("a seed");
        u64::from_le_bytes(bytes)
    };
    chosen.unwrap_or_else(now).max(1)
}

/// Whether anybody hangs, and at what.
fn hang(places: &[Place]) -> Option<String> {
    let hanging: Vec<String> = places.iter().filter_map(Place::hangs).collect();
    (!hanging.is_empty()).then(|| hanging.join("\n"))
}

#[test]
fn no_door_goes_back_on_what_was_said_of_it_whatever_breaks() {
    let ((agents, changes), seed) = (size(), seed());
    println!("{SEED}={seed} {VARIABLE}={agents},{changes}");
    let begun = Instant::now();
    let house = House::new(agents, agents * 2 + 4);
    let set_up = begun.elapsed();
    let mut fate = Fate::new(&house, seed);
    let places: Vec<Place> = (0..agents + COMMANDERS + 1)
        .map(|_| Place::new("begins"))
        .collect();
    let mut healed_in = Duration::ZERO;
    let tale = TellOnFailure(&house);
    std::thread::scope(|scope| {
        let _ending = EndOnFailure(&house);
        let dice = |number: usize| Dice(seed.rotate_left(7) ^ (number as u64 + 1) << 20 | 1);
        for (number, place) in places.iter().enumerate() {
            let (house, dice) = (&house, dice(number));
            scope.spawn(move || {
                let _ending = EndOnFailure(house);
                match number.checked_sub(agents) {
                    None => house.present(place, dice, number),
                    Some(0) => house.look(place, dice),
                    Some(more) => house.command(place, dice, (more - 1, COMMANDERS)),
                }
            });
        }
        let answered = || house.counted.answered.load(Ordering::Relaxed);
        let watch = || {
            if let Some(hang) = hang(&places) {
                panic!("somebody hangs\n{hang}");
            }
            !house.over.load(Ordering::SeqCst)
        };
        let all_came = |fate: &Fate<'_>| fate.all_times().iter().all(|(_, times)| *times > 0);
        while watch() && (answered() < changes || !all_came(&fate)) {
            fate.go_on();
            fate.dice.wait(4000 / agents as u64);
        }
        fate.heal_all();
        house.quiet.store(true, Ordering::SeqCst);
        let since = Instant::now();
        while watch() {
            let Some(still) = house.unhealed() else { break };
            assert!(since.elapsed() < PATIENCE * 2, "not healed: {still}");
            std::thread::park_timeout(Duration::from_millis(200));
        }
        healed_in = since.elapsed();
        house.over.store(true, Ordering::SeqCst);
    });
    house.judge_the_end();
    let counted = &house.counted;
    println!(
        "set up in {:.1} s, healed in {:.1} s, all in {:.1} s\n{counted:?}\n{:?}",
        set_up.as_secs_f64(),
        healed_in.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        fate.all_times(),
    );
    let enough = |what: &str, counter: &std::sync::atomic::AtomicUsize, least: usize| {
        let times = counter.load(Ordering::Relaxed);
        assert!(times >= least, "too little happened: {what} {times} times");
    };
    enough("a door was said to refuse", &counted.confirmed, changes);
    enough("a card at such a door", &counted.at_confirmed, changes);
    enough("a card that opened", &counted.granted, changes);
    drop(tale);
}
