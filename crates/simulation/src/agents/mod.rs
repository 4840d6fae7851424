//! Agents: the product's own pieces, carried out as a session and its threads carry them out, on a
//! machine that may lose its power, its clock and its disk.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use offgate_agent::clock::BootClock;
use offgate_agent::pieces::{
    Book, DiskState, Durable, Found, Judge, Keep, Surroundings, TableFiles, Witness, Written,
    rebuild,
};
use offgate_agent::strike::Strike;
use offgate_core::agent::HashKey;
use offgate_core::door_event::DoorEvent;
use offgate_core::id::{AgentId, CredentialId, DoorId};
use offgate_core::parameters::{Boot, Clock, Epoch, Timestamp};
use offgate_core::table::Table;
use offgate_link::acknowledgement::SigningKey;
use offgate_link::agent_end::{AgentEnd, Input};
use offgate_link::frame;

use crate::disk::{Folder, Survivors};
use crate::faults::DeliberateFault;
use crate::network::Line;
use crate::random::Random;
use crate::story::About;
use crate::world::{Event, MILLI, SECOND, World};

mod broken;
mod keeping;
mod presenting;
mod session;

pub(crate) use presenting::bytes_of;

/// How many bytes of log a generation has here: few, so that logs fill up.
const LOG_BYTES: u32 = 8 * 1024;
/// What the boot clock shows when a machine starts: it has been up for a while before the agent.
const UP_FOR: u64 = 100 * SECOND;

/// The hands of an agent's two clocks.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    boot: AtomicU64,
    wall: AtomicI64,
}

impl BootClock for Hands {
    fn now(&self) -> Duration {
        Duration::from_micros(self.boot.load(Ordering::Relaxed))
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_microseconds(self.wall.load(Ordering::Relaxed))
    }
}

/// What holds an agent's doors shut: counts how often one was let go.
#[derive(Debug, Default)]
struct Strikes(AtomicU64);

impl Strike for Strikes {
    fn unlock(&self, _: DoorId) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What an agent asks the server for when it connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Changes,
    Whole,
}

/// A connection as an agent sees it.
struct Link {
    connection: u64,
    end: AgentEnd,
    decoder: frame::Decoder,
    greeted: bool,
    /// How many refusals were put beside the table on connections before this one.
    before: u64,
    /// Whom the refusals that overtook something on this connection are about.
    overtaken: BTreeSet<[u8; 16]>,
    /// What the server was told of the disk.
    disk_told: DiskState,
}

/// The program while it runs.
pub(crate) struct Process {
    pub(crate) number: u64,
    judge: Judge,
    book: Book<Folder>,
    witness: Witness,
    /// What waits for the disk.
    waiting: VecDeque<Keep>,
    /// Whether the disk is at work.
    writing: bool,
    newest: Written,
    durable: Durable,
    link: Option<Link>,
    ask: Ask,
    failures: u32,
}

/// A machine beside one or more doors.
pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) name: String,
    pub(crate) key: SigningKey,
    pub(crate) hash_key: HashKey,
    pub(crate) doors: Vec<DoorId>,
    pub(crate) folder: Folder,
    pub(crate) process: Option<Process>,
    processes: u64,
    pub(crate) line: Line,
    /// How long the disk takes for one write, and until when it takes far longer.
    pub(crate) disk_takes: u64,
    pub(crate) disk_slow_before: u64,
    /// How fast its boot clock runs, in millionths.
    rate: i64,
    booted_at: u64,
    /// How far its time of day is ahead.
    pub(crate) wall_ahead: i64,
    pub(crate) battery: bool,
    pub(crate) asleep: bool,
    missed: Vec<Event>,
    /// When the last renewal was asked for, by the boot clock.
    heard: Option<Duration>,
    /// How long that was ago when the machine went down.
    unheard: Option<Duration>,
    /// Presented things that a broken agent refuses for good.
    dead_cards: BTreeSet<CredentialId>,
    hands: Arc<Hands>,
    strikes: Arc<Strikes>,
    events: Arc<Mutex<Vec<DoorEvent>>>,
}

impl Agent {
    pub(crate) fn new(
        id: AgentId,
        name: String,
        key: SigningKey,
        hash_key: HashKey,
        doors: Vec<DoorId>,
        random: &mut Random,
    ) -> Self {
        // To the bound, in both directions: slower by a part in 101 is as much as 1 % faster.
        let rate = match random.below(4) {
            0 => 1_010_000,
            1 => 990_100,
            _ => 1_000_000,
        };
        Self {
            id,
            name,
            key,
            hash_key,
            doors,
            folder: Folder::default(),
            process: None,
            processes: 0,
            line: Line::new(random),
            disk_takes: random.between(MILLI, 12 * MILLI),
            disk_slow_before: 0,
            rate,
            booted_at: 0,
            wall_ahead: 0,
            battery: random.one_in(2),
            asleep: false,
            missed: Vec::new(),
            heard: None,
            unheard: None,
            dead_cards: BTreeSet::new(),
            hands: Arc::default(),
            strikes: Arc::default(),
            events: Arc::default(),
        }
    }

    /// Sets the hands, and reads the boot clock.
    fn boot(&self, now: u64, time: Timestamp) -> Duration {
        let up = i128::from(now - self.booted_at) * i128::from(self.rate) / 1_000_000;
        let boot = u64::try_from(up).unwrap_or(0) + UP_FOR;
        self.hands.boot.store(boot, Ordering::Relaxed);
        let wall = time.microseconds() + self.wall_ahead;
        self.hands.wall.store(wall, Ordering::Relaxed);
        Duration::from_micros(boot)
    }

    fn surroundings(&self) -> Surroundings {
        let events = Arc::clone(&self.events);
        Surroundings {
            clock: Arc::clone(&self.hands) as Arc<dyn Clock>,
            boot_clock: Arc::clone(&self.hands) as Arc<dyn BootClock>,
            strike: Arc::clone(&self.strikes) as Arc<dyn Strike>,
            record: Box::new(move |event| {
                events
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(event);
            }),
        }
    }

    /// How much of the log of an epoch it has seen, as its disk tells whatever happens.
    pub(crate) fn seen(&self, epoch: Epoch) -> u64 {
        let folder = self.folder.after_power_cut(Survivors::OnlySynced);
        let witness = Witness::open(Box::new(folder)).ok();
        let seen = witness.and_then(|witness| witness.seen());
        let seen = seen.filter(|seen| seen.epoch == epoch);
        seen.map_or(0, |seen| seen.size)
    }

    /// Which start of its machine it is.
    fn this_boot(&self) -> Boot {
        let mut boot = [0; 16];
        boot[..8].copy_from_slice(&self.booted_at.to_be_bytes());
        Boot(boot)
    }

    /// Whether it is connected and has nothing to write.
    pub(crate) fn is_at_ease(&self) -> bool {
        self.process.as_ref().is_some_and(|process| {
            process.link.as_ref().is_some_and(|link| link.greeted)
                && process.waiting.is_empty()
                && process.durable == Durable::UpTo(process.newest)
        })
    }

    /// Whether its disk fails.
    pub(crate) fn is_failing(&self) -> bool {
        let process = self.process.as_ref();
        process.is_some_and(|process| process.durable == Durable::Failing)
    }

    /// Which connection it speaks on.
    pub(crate) fn connection(&self) -> Option<u64> {
        Some(self.process.as_ref()?.link.as_ref()?.connection)
    }

    pub(crate) fn process_number(&self) -> u64 {
        self.process.as_ref().map_or(0, |process| process.number)
    }

    /// The table in force.
    pub(crate) fn table(&self) -> Option<&Table> {
        self.process.as_ref()?.judge.table()
    }
}

impl World {
    /// A machine starts, or the program on it.
    #[expect(clippy::expect_used, reason = "a folder in memory can be read")]
    pub(crate) fn start_agent(&mut self, a: usize) {
        let (now, time, fault) = (self.now, self.time(), self.fault);
        let agent = &mut self.agents[a];
        if agent.process.is_some() || agent.asleep {
            return;
        }
        let boot = agent.boot(now, time);
        let (mut files, found) =
            TableFiles::open_with(agent.folder.clone(), LOG_BYTES).expect("a folder");
        let (table, contents) = match found {
            Found::Table(contents) => {
                let store = contents.position.store;
                match rebuild(&contents, store, agent.hash_key) {
                    Some(table) => (Some(table), Some(contents)),
                    None => (None, None),
                }
            }
            Found::Damaged | Found::Nothing => (None, None),
        };
        let table_kept = contents.as_ref().map(|contents| contents.position);
        let newest = Written {
            table: table_kept,
            beside: 0,
        };
        let heard = contents
            .as_ref()
            .and_then(|contents| files.lease(agent.this_boot(), contents));
        let mut durable = Durable::UpTo(Written::default());
        let book = Book::open(files, contents, &mut |said| durable = said);
        let mut judge = Judge::new(table, agent.surroundings());
        if let Some(heard) = heard {
            judge.renewed(heard);
            self.counters.leases_outlived += 1;
        }
        match fault {
            Some(DeliberateFault::LeaseAfreshAtBoot) => judge.renewed(boot),
            Some(DeliberateFault::SavedClockTrusted) => {
                if let Some(unheard) = agent.unheard {
                    judge.renewed(boot.saturating_sub(unheard));
                }
            }
            _ => {}
        }
        let witness = Witness::open(Box::new(agent.folder.clone())).expect("a folder");
        agent.processes += 1;
        let number = agent.processes;
        agent.heard = heard;
        agent.process = Some(Process {
            number,
            judge,
            book,
            witness,
            waiting: VecDeque::new(),
            writing: false,
            newest,
            durable,
            link: None,
            ask: Ask::Changes,
            failures: 0,
        });
        let about = About::door(agent.doors[0]);
        let revision = table_kept.map_or(0, |position| position.revision.number());
        let name = agent.name.clone();
        self.tell(about, || {
            format!("the agent at {name} starts, with its table at revision {revision}")
        });
        self.disk_said(a, vec![durable]);
        self.disk_goes_on(a);
        self.after(SECOND, Event::AgentTick(a, number));
        let wait = self.random.below(300 * MILLI);
        self.after(wait, Event::Connect(a, number));
    }

    fn is_running(&mut self, a: usize, number: u64, event: &Event) -> bool {
        let agent = &mut self.agents[a];
        if agent.process_number() != number || agent.process.is_none() {
            return false;
        }
        if agent.asleep {
            agent.missed.push(event.clone());
            return false;
        }
        true
    }

    /// The machine wakes up: all that was due happens now.
    pub(crate) fn wake(&mut self, a: usize) {
        let agent = &mut self.agents[a];
        if !std::mem::take(&mut agent.asleep) {
            return;
        }
        for event in std::mem::take(&mut agent.missed) {
            self.at(self.now, event);
        }
        let about = About::door(self.agents[a].doors[0]);
        let name = self.agents[a].name.clone();
        self.tell(about, || format!("the machine at {name} wakes up"));
    }

    pub(crate) fn agent_ticks(&mut self, a: usize, number: u64) {
        if self.is_running(a, number, &Event::AgentTick(a, number)) {
            self.tell_end(a, Input::Tick);
            self.after(SECOND, Event::AgentTick(a, number));
        }
    }

    /// The program ends, or the machine loses its power.
    pub(crate) fn goes_down(&mut self, a: usize, how: Down) {
        let (now, time) = (self.now, self.time());
        let survivors = Survivors::any(&mut self.random);
        let torn = self.random.below(3_000);
        let finishes = self.random.one_in(2);
        let agent = &mut self.agents[a];
        let boot = agent.boot(now, time);
        agent.unheard = agent.heard.map(|heard| boot.saturating_sub(heard));
        let Some(mut process) = agent.process.take() else {
            return;
        };
        agent.asleep = false;
        agent.missed.clear();
        if !process.waiting.is_empty() || process.durable != Durable::UpTo(process.newest) {
            self.counters.down_before_durable += 1;
            let overtaking = |keep: &Keep| matches!(keep, Keep::Beside(_));
            if process.waiting.iter().any(overtaking) {
                self.counters.down_during_overtaking += 1;
            }
        }
        if how == Down::PowerCut {
            // The write that was under way is torn where the power went.
            if finishes && let Some(keep) = process.waiting.pop_front() {
                agent.folder.power_goes_after(torn);
                process.book.write(keep, &mut |_| {});
            }
            agent.folder = agent.folder.after_power_cut(survivors);
            agent.booted_at = now;
            if !agent.battery {
                // A clock without a battery begins in some other year.
                agent.wall_ahead = -time.microseconds();
            }
            self.counters.power_cuts += 1;
        }
        let about = About::door(agent.doors[0]);
        let name = agent.name.clone();
        self.tell(about, || match how {
            Down::PowerCut => format!("the power of the agent at {name} goes; left: {survivors:?}"),
            Down::Killed => format!("the agent at {name} is killed"),
        });
        if let Some(link) = process.link {
            // Nobody says goodbye when the power goes.
            if let Some(connection) = self.connections.get_mut(&link.connection) {
                connection.agent_open = false;
            }
            if how == Down::Killed {
                self.close_at_agent(link.connection);
            }
        }
    }

    /// The clock without a battery is set again, as a machine does that has found a time server.
    pub(crate) fn set_clock(&mut self, a: usize) {
        self.agents[a].wall_ahead = 0;
    }
}

/// How an agent goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Down {
    /// The program alone: what it has written is in the machine's memory and gets to the disk.
    Killed,
    /// The machine.
    PowerCut,
}
