//! One run: everything there is, the queue of what happens next, and the loop over it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use offgate_core::id::{CommandId, StoreId, UserId};
use offgate_core::parameters::{Boot, Epoch, Timestamp, Uptime};
use offgate_core::table::admission::Presented;
use std::time::Duration;

use crate::agents::Agent;
use crate::commands::People;
use crate::counters::Counters;
use crate::faults::DeliberateFault;
use crate::keys::BEGINNING;
use crate::network::Connection;
use crate::oracle::{Oracle, Violation};
use crate::random::{Random, Salts};
use crate::servers::Node;
use crate::situations::Weather;
use crate::story::{About, Story, Telling};
use crate::wrong_backup::WrongBackup;

/// Microseconds in a millisecond and in a second.
pub(crate) const MILLI: u64 = 1_000;
/// See [`MILLI`].
pub(crate) const SECOND: u64 = 1_000_000;

/// How long trouble lasts, and how long everything may take to heal.
const TROUBLE: u64 = 150 * SECOND;
const HEALING: u64 = 60 * SECOND;

/// Which store is meant: the one that operators use. Any other node is a copy of it.
pub(crate) const STORE: usize = 0;

/// What happens at some instant.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Bytes arrive at the server's end of a connection.
    AtServer(u64, Vec<u8>),
    /// Bytes arrive at the agent's end.
    AtAgent(u64, Vec<u8>),
    /// The server learns that a connection is over.
    ServerCut(u64),
    /// The agent learns that.
    AgentCut(u64),
    /// A second has passed for a process of an agent.
    AgentTick(usize, u64),
    /// A second has passed for a conversation.
    ServerTick(u64),
    /// A conversation looks whether its table is another.
    Look(u64),
    /// A process of an agent tries to connect.
    Connect(usize, u64),
    /// What a process of an agent hands to its disk is done.
    DiskDone(usize, u64),
    /// An agent starts.
    AgentUp(usize),
    /// A server starts.
    ServerUp(usize),
    /// An operator does something.
    Operate,
    /// An operator asks again for what got no answer.
    Again(CommandId),
    /// The next person of an import.
    Import(u64),
    /// Somebody stands at a door.
    Stand,
    /// Somebody stands at a door with something in particular.
    StandWith(usize, usize, Presented),
    /// Something goes wrong.
    Trouble,
    /// Something goes wrong with this agent's machine.
    PowerCut(usize, u64),
    /// Something goes wrong with this agent's network.
    CutNow(usize),
    /// Somebody is refused while an import is under way.
    Refuse,
    /// A broken server sends what it held back.
    SendDown(u64, Vec<u8>),
    /// Nothing gets through to an agent until then.
    CutOff(usize, u64),
    /// By now an agent must have confirmed a refusal.
    Owed(usize, u64, u64),
    /// The copy of the store ends.
    CopyEnds,
    /// Somebody goes on with the wrong backup, about this person.
    WrongBackup(UserId, WrongBackup),
    /// A machine wakes up.
    Wakes(usize),
    /// The server does what it does every few seconds.
    Schedule,
    /// A disk has room again.
    Room(usize),
}

struct Due(u64, u64, Event);

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// What becomes of a run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How often each situation came up.
    pub counters: Counters,
    /// What went wrong: the promise, and a story. None: every promise was kept.
    pub broken: Option<String>,
    /// Everything that happened, if it was told.
    pub story: String,
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) now: u64,
    queue: BinaryHeap<Reverse<Due>>,
    next: u64,
    pub(crate) random: Random,
    pub(crate) salts: Salts,
    pub(crate) fault: Option<DeliberateFault>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) connections: BTreeMap<u64, Connection>,
    pub(crate) next_connection: u64,
    pub(crate) people: People,
    pub(crate) weather: Weather,
    pub(crate) oracle: Oracle,
    pub(crate) counters: Counters,
    pub(crate) story: Story,
    pub(crate) broken: Option<Violation>,
}

impl World {
    fn new(seed: u64, fault: Option<DeliberateFault>, telling: Telling) -> Self {
        let random = Random::new(seed);
        let epoch = Epoch {
            counter: 1,
            nonce: [1; 16],
        };
        Self {
            now: 0,
            queue: BinaryHeap::new(),
            next: 0,
            random,
            salts: Salts::new(seed),
            fault,
            agents: Vec::new(),
            nodes: vec![Node::new(StoreId::from_bytes([7; 16]), epoch, BEGINNING)],
            connections: BTreeMap::new(),
            next_connection: 1,
            people: People::default(),
            weather: Weather::default(),
            oracle: Oracle::default(),
            counters: Counters::default(),
            story: Story::new(telling),
            broken: None,
        }
    }

    pub(crate) fn has(&self, fault: DeliberateFault) -> bool {
        self.fault == Some(fault)
    }

    /// The true time of day.
    pub(crate) fn time(&self) -> Timestamp {
        BEGINNING.plus(Duration::from_micros(self.now))
    }

    /// The time of day by the server's clock, which somebody may set.
    pub(crate) fn server_time(&self) -> Timestamp {
        Timestamp::from_microseconds(self.time().microseconds() + self.weather.server_ahead)
    }

    /// The server's clock that nobody sets.
    pub(crate) const fn uptime(&self) -> Uptime {
        Uptime {
            boot: Boot([1; 16]),
            since: self.elapsed(),
        }
    }

    /// Time since the beginning.
    pub(crate) const fn elapsed(&self) -> Duration {
        Duration::from_micros(self.now)
    }

    pub(crate) fn at(&mut self, when: u64, event: Event) {
        self.next += 1;
        self.queue
            .push(Reverse(Due(when.max(self.now), self.next, event)));
    }

    pub(crate) fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    pub(crate) fn tell(&mut self, about: About, line: impl FnOnce() -> String) {
        self.story.tell(self.now, about, line);
    }

    pub(crate) fn breaks(&mut self, violation: Violation) {
        let counts = self
            .fault
            .is_none_or(|fault| fault.breaks().contains(&violation.promise));
        if self.broken.is_none() && counts {
            self.broken = Some(violation);
        }
    }

    fn run_until(&mut self, end: u64) {
        while self.broken.is_none() {
            match self.queue.peek() {
                Some(Reverse(due)) if due.0 <= end => {}
                _ => break,
            }
            let Some(Reverse(Due(when, _, event))) = self.queue.pop() else {
                break;
            };
            self.now = when;
            self.counters.events += 1;
            self.happen(event);
        }
        if self.broken.is_none() {
            self.now = self.now.max(end);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::AtServer(connection, bytes) => self.server_hears(connection, &bytes),
            Event::AtAgent(connection, bytes) => self.agent_hears(connection, bytes),
            Event::ServerCut(connection) => self.server_is_cut(connection),
            Event::AgentCut(connection) => self.agent_is_cut(connection),
            Event::AgentTick(agent, process) => self.agent_ticks(agent, process),
            Event::ServerTick(connection) => self.server_ticks(connection),
            Event::Look(connection) => self.server_looks(connection),
            Event::Connect(agent, process) => self.connect(agent, process),
            Event::DiskDone(agent, process) => self.disk_done(agent, process),
            Event::AgentUp(agent) => self.start_agent(agent),
            Event::ServerUp(node) => self.start_server(node),
            Event::Operate => self.operate(),
            Event::Again(id) => self.ask_again(id),
            Event::Import(number) => self.import(number),
            Event::Stand => self.somebody_stands(),
            Event::StandWith(agent, door, presented) => self.stands(agent, door, &presented),
            Event::Trouble => self.trouble(),
            Event::PowerCut(agent, process) => self.power_cut_of(agent, process),
            Event::CutNow(agent) => self.cut_now(agent),
            Event::Refuse => self.refuse_somebody(),
            Event::SendDown(connection, bytes) => self.sends_late(connection, &bytes),
            Event::CutOff(agent, until) => self.is_cut_off(agent, until),
            Event::Owed(agent, process, revision) => self.is_owed(agent, process, revision),
            Event::CopyEnds => self.copy_ends(),
            Event::WrongBackup(user, step) => self.wrong_backup(user, step),
            Event::Schedule => self.schedule(),
            Event::Wakes(agent) => self.wake(agent),
            Event::Room(agent) => self.has_room(agent),
        }
    }
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, fault: Option<DeliberateFault>, telling: Telling) -> Ran {
    let mut world = World::new(seed, fault, telling);
    world.set_up();
    world.run_until(TROUBLE);
    if world.broken.is_none() {
        world.heal();
        world.run_until(TROUBLE + HEALING);
    }
    if world.broken.is_none() {
        world.judge_the_end();
    }
    let broken = world.broken.take().map(|violation| {
        format!(
            "seed {seed}: {} is broken at {:.3} s: {}\n{}",
            violation.promise,
            world.elapsed().as_secs_f64(),
            violation.words,
            world.story.told(violation.about)
        )
    });
    Ran {
        counters: world.counters,
        broken,
        story: world.story.whole(),
    }
}
