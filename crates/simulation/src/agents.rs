//! Agents: the product's own pieces, carried out as a session and its threads carry them out, on a
//! machine that may lose its power, its clock and its disk.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use offgate_agent::clock::BootClock;
use offgate_agent::pieces::{
    Book, Changed, DiskState, Durable, Found, Judge, Keep, KeptLease, RETRY, Surroundings,
    TableFiles, Witness, Written, beside, delta, hold, rebuild, whole,
};
use offgate_agent::reader::Answer;
use offgate_agent::strike::Strike;
use offgate_core::agent::HashKey;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::{AgentId, CredentialId, DoorId};
use offgate_core::parameters::{Boot, Clock, Epoch, Timestamp};
use offgate_core::place::Direction;
use offgate_core::table::Table;
use offgate_core::table::admission::{Holder, Presented, Reason};
use offgate_core::table::entry::{Entry, EntryKey, RulingEntry};
use offgate_link::acknowledgement::SigningKey;
use offgate_link::agent_end::{AgentEnd, Ending, Held, Input, Output, Testimony};
use offgate_link::message::{LIST_LIMIT, ToAgent, ToServer};
use offgate_link::{frame, reconnect};

use crate::disk::{Folder, Survivors};
use crate::faults::Fault;
use crate::keys::keys;
use crate::network::Line;
use crate::oracle::Violation;
use crate::random::Random;
use crate::story::{About, STRANGER};
use crate::world::{Event, MILLI, SECOND, STORE, World};

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

/// What an oracle knows of something presented.
pub(crate) fn bytes_of(presented: &Presented) -> Vec<u8> {
    match presented {
        Presented::Pin(digest) => [&[0], &digest.as_bytes()[..]].concat(),
        Presented::NfcCard(token) => [&[1], token.as_str().as_bytes()].concat(),
        Presented::LicencePlate(plate) => [&[2], plate.as_str().as_bytes()].concat(),
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
            Some(Fault::LeaseAfreshAtBoot) => judge.renewed(boot),
            Some(Fault::SavedClockTrusted) => {
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

    /// Looks for a server.
    pub(crate) fn connect(&mut self, a: usize, number: u64) {
        if !self.is_running(a, number, &Event::Connect(a, number)) {
            return;
        }
        let (now, time) = (self.now, self.time());
        let node = self.which_node(a);
        let whole_histories = self.has(Fault::NoEpoch) || self.has(Fault::ForkByRevision);
        let store = self.nodes[STORE].books.identity().store;
        let agent = &mut self.agents[a];
        let boot = agent.boot(now, time);
        let Some(process) = agent.process.as_mut().filter(|it| it.link.is_none()) else {
            return;
        };
        // What is on disk must not lag behind what is in memory.
        if !process.waiting.is_empty() && process.durable != Durable::Failing {
            self.after(5 * MILLI, Event::Connect(a, number));
            return;
        }
        let settled = match process.durable {
            Durable::UpTo(written) if process.ask == Ask::Changes => written.table,
            Durable::UpTo(_) | Durable::Failing => None,
        };
        let seen = process.witness.seen().filter(|_| !whole_histories);
        let software = "agent".to_owned();
        let held = settled.map(Held::from);
        let mut end = AgentEnd::new(store, keys().root, seen, held, software, boot);
        let Some(connection) = self.dial(a, number, node) else {
            self.try_again_later(a);
            return;
        };
        let outputs = end.handle(Input::Connected, boot);
        let before = self.agents[a]
            .process
            .as_ref()
            .map_or(0, |process| process.newest.beside);
        if let Some(process) = &mut self.agents[a].process {
            process.link = Some(Link {
                connection,
                end,
                decoder: frame::Decoder::default(),
                greeted: false,
                before,
                overtaken: BTreeSet::new(),
            });
        }
        self.agent_does(a, outputs);
    }

    fn try_again_later(&mut self, a: usize) {
        let random = self.random.next();
        if let Some(process) = &mut self.agents[a].process {
            let wait = reconnect::wait(process.failures, random);
            process.failures += 1;
            let number = process.number;
            let wait = u64::try_from(wait.as_micros()).unwrap_or(SECOND);
            self.after(wait, Event::Connect(a, number));
        }
    }

    /// The connection an agent speaks on is over.
    fn is_over(&mut self, a: usize, ask: Ask) {
        if let Some(process) = &mut self.agents[a].process
            && let Some(link) = process.link.take()
        {
            process.ask = ask;
            if link.greeted && ask == Ask::Changes {
                process.failures = 0;
            }
            self.close_at_agent(link.connection);
            self.try_again_later(a);
        }
    }

    /// The agent learns that its connection is over.
    pub(crate) fn agent_is_cut(&mut self, number: u64) {
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        let (a, process) = (connection.agent, connection.process);
        if !self.is_running(a, process, &Event::AgentCut(number)) {
            return;
        }
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.agent_open = false;
        }
        if self.agents[a].connection() == Some(number) {
            self.is_over(a, Ask::Changes);
        }
    }

    /// Bytes arrive at an agent.
    pub(crate) fn agent_hears(&mut self, number: u64, bytes: Vec<u8>) {
        let Some(connection) = self.connections.get(&number) else {
            return;
        };
        let (a, process, open) = (connection.agent, connection.process, connection.agent_open);
        if !open && self.has(Fault::OlderFrames) {
            return self.hears_late(a, &bytes);
        }
        if !open || !self.is_running(a, process, &Event::AtAgent(number, bytes.clone())) {
            return;
        }
        let mut bodies = Vec::new();
        if let Some(process) = &mut self.agents[a].process
            && let Some(link) = process.link.as_mut().filter(|it| it.connection == number)
        {
            link.decoder.extend(&bytes);
            while let Some(body) = link.decoder.next_body().transpose() {
                bodies.push(body);
            }
        }
        for body in bodies {
            let input = match body {
                Ok(body) => ToAgent::decode(&body).map_or(Input::Malformed, Input::Message),
                Err(_) => Input::Malformed,
            };
            if self.agents[a].connection() != Some(number) {
                return;
            }
            self.tell_end(a, input);
        }
    }

    fn tell_end(&mut self, a: usize, input: Input) {
        let (now, time) = (self.now, self.time());
        let agent = &mut self.agents[a];
        let boot = agent.boot(now, time);
        if let Some(process) = &mut agent.process
            && let Some(link) = &mut process.link
        {
            let outputs = link.end.handle(input, boot);
            self.agent_does(a, outputs);
        }
    }

    /// Carries out what the agent's end of a conversation asks for, as a session does.
    fn agent_does(&mut self, a: usize, outputs: Vec<Output>) {
        let mut left = VecDeque::from(outputs);
        while let Some(output) = left.pop_front() {
            let (now, time, fault) = (self.now, self.time(), self.fault);
            let agent = &mut self.agents[a];
            let boot = agent.boot(now, time);
            let about = About::door(agent.doors[0]);
            let hash_key = agent.hash_key;
            let this_boot = agent.this_boot();
            let Some(process) = &mut agent.process else {
                return;
            };
            let Some(link) = &mut process.link else {
                return;
            };
            let connection = link.connection;
            match output {
                Output::Send(message) => {
                    if matches!(message, ToServer::Renew { .. }) {
                        self.asks_for_renewal(a);
                    }
                    self.send_up(connection, &message.encode());
                }
                Output::Acknowledge(acknowledgement) => {
                    let statement = acknowledgement.statement();
                    let signature = agent.key.sign(&statement).into();
                    let message = ToServer::Acknowledge {
                        statement: statement.into(),
                        signature,
                    };
                    self.send_up(connection, &message.encode());
                }
                Output::Witness(checkpoint) => {
                    // One that may not be durable counts in memory all the same.
                    let _ = process.witness.keep(checkpoint);
                }
                Output::Apply(changes) => {
                    let rulings = rulings_of(&changes.puts);
                    let (entries, keep, becomes) = delta(changes);
                    match process.judge.change(entries, becomes.hash) {
                        Changed::InForce => {
                            self.learn_cards(a, &rulings);
                            self.keep(a, keep);
                        }
                        Changed::Mismatch => {
                            left = link.end.handle(Input::Mismatch, boot).into();
                        }
                    }
                }
                Output::Hold(refusals) => {
                    let rows = beside(&refusals);
                    link.overtaken
                        .extend(refusals.iter().map(|refusal| *refusal.subject));
                    self.counters.overtaken += refusals.len() as u64;
                    process.judge.hold(refusals);
                    self.keep(a, Keep::Beside(rows));
                    self.is_overtaken(a);
                }
                Output::Replace(changes) => {
                    let rulings = rulings_of(&changes.puts);
                    match whole(changes, hash_key) {
                        Some((table, mut contents)) => {
                            let held = match fault {
                                Some(Fault::SnapshotLifts) => {
                                    self.replace_forgetting(a, *table, |_, _| false)
                                }
                                Some(Fault::OlderAdmissionLifts) => {
                                    self.replace_forgetting(a, *table, |table, held| {
                                        !is_admitted(table, held)
                                    })
                                }
                                Some(Fault::OvertakingDropped) => {
                                    let overtaken = link.overtaken.clone();
                                    self.replace_forgetting(a, *table, |_, held| {
                                        !overtaken.contains(&*held.subject)
                                    })
                                }
                                _ => process.judge.replace(*table),
                            };
                            hold(&mut contents, held);
                            // A door that has the table of a restored store was heard by it.
                            self.is_heard_by(a, connection);
                            self.learn_cards(a, &rulings);
                            self.keep(a, Keep::Snapshot(contents));
                        }
                        None => left = link.end.handle(Input::Mismatch, boot).into(),
                    }
                }
                Output::Testify(which) => {
                    let refusals = process.judge.refusals(which);
                    for some in refusals.chunks(LIST_LIMIT) {
                        let rulings = some.iter().cloned().map(Entry::Ruling);
                        let rulings = rulings.map(|entry| entry.encode().into()).collect();
                        self.send_up(connection, &ToServer::Testimony { rulings }.encode());
                    }
                    self.makes_up_testimony(a, connection);
                }
                Output::LeaseFrom(asked_at) => {
                    let from = match fault {
                        Some(Fault::LeaseFromReceipt) => boot,
                        _ => asked_at,
                    };
                    process.judge.renewed(from);
                    agent.heard = Some(from);
                    process.waiting.push_back(Keep::Lease(KeptLease {
                        boot: this_boot,
                        asked_at: from,
                    }));
                    self.is_heard_by(a, connection);
                    self.disk_goes_on(a);
                }
                Output::ServerTime(server) => process.judge.told(server),
                Output::Doors(_) => link.greeted = true,
                // Nothing is asked here.
                Output::Answer { .. } | Output::Addresses(_) | Output::EventsStored(_) => {}
                Output::Close(ending) => {
                    let ask = match ending {
                        Ending::Protocol => Ask::Whole,
                        _ => Ask::Changes,
                    };
                    let name = agent.name.clone();
                    self.tell(about, || {
                        format!("the agent at {name} hangs up: {ending:?}")
                    });
                    self.hung_up(a, connection, ending);
                    self.is_over(a, ask);
                    return;
                }
            }
        }
    }

    fn hung_up(&mut self, a: usize, connection: u64, ending: Ending) {
        let node = self.connections.get(&connection).map(|it| it.node);
        match ending {
            Ending::Doubted(doubt) if node != Some(STORE) => {
                self.counters.forks_doubted += 1;
                let about = About::door(self.agents[a].doors[0]);
                let name = self.agents[a].name.clone();
                self.tell(about, || {
                    format!("the agent at {name} does not believe the copy of the store: {doubt}")
                });
            }
            Ending::Doubted(doubt) => self.breaks(Violation {
                promise: "the link",
                about: About::door(self.agents[a].doors[0]),
                words: format!("an honest store was doubted: {doubt}"),
            }),
            Ending::Protocol if self.fault.is_none() => self.breaks(Violation {
                promise: "the link",
                about: About::door(self.agents[a].doors[0]),
                words: "an honest server was misunderstood".to_owned(),
            }),
            Ending::Protocol | Ending::Silent | Ending::Refused(_) => {}
        }
    }

    /// Hands over what is to be kept.
    fn keep(&mut self, a: usize, keep: Keep) {
        let early = self.has(Fault::AcknowledgedBeforeSync);
        let mut newest = Written::default();
        if let Some(process) = &mut self.agents[a].process {
            match &keep {
                Keep::Delta { to, .. } => process.newest.table = Some(*to),
                Keep::Snapshot(contents) => process.newest.table = Some(contents.position),
                Keep::Beside(refusals) if process.newest.table.is_some() => {
                    process.newest.beside += refusals.len() as u64;
                }
                Keep::Beside(_) | Keep::Lease(_) => {}
            }
            newest = process.newest;
            process.waiting.push_back(keep);
        }
        self.disk_goes_on(a);
        let about = About::door(self.agents[a].doors[0]);
        let name = self.agents[a].name.clone();
        self.tell(about, || {
            let revision = newest.table.map_or(0, |table| table.revision.number());
            let beside = newest.beside;
            format!(
                "the agent at {name} follows revision {revision} in memory, and beside it {beside}"
            )
        });
        if early {
            self.is_durable(a, newest);
        }
    }

    /// Has the disk begin what waits.
    fn disk_goes_on(&mut self, a: usize) {
        let (now, slowness) = (self.now, self.random.between(300, 3_000) * MILLI);
        let agent = &mut self.agents[a];
        let takes = if agent.disk_slow_before > now {
            slowness
        } else {
            agent.disk_takes
        };
        if let Some(process) = &mut agent.process
            && !process.writing
        {
            let failing = process.book.state() == DiskState::Fails;
            let takes = match (process.waiting.is_empty(), failing) {
                (false, _) => takes,
                (true, true) => u64::try_from(RETRY.as_micros()).unwrap_or(SECOND),
                (true, false) => return,
            };
            process.writing = true;
            let number = process.number;
            self.after(takes, Event::DiskDone(a, number));
        }
    }

    pub(crate) fn disk_done(&mut self, a: usize, number: u64) {
        if !self.is_running(a, number, &Event::DiskDone(a, number)) {
            return;
        }
        let mut said = Vec::new();
        if let Some(process) = &mut self.agents[a].process {
            process.writing = false;
            let mut tell = |durable| said.push(durable);
            match process.waiting.pop_front() {
                Some(keep) => process.book.write(keep, &mut tell),
                None => process.book.try_again(&mut tell),
            }
        }
        self.disk_said(a, said);
        self.disk_goes_on(a);
    }

    fn disk_said(&mut self, a: usize, said: Vec<Durable>) {
        for durable in said {
            let fault = self.fault;
            let about = About::door(self.agents[a].doors[0]);
            let name = self.agents[a].name.clone();
            match durable {
                Durable::UpTo(Written {
                    table: Some(position),
                    ..
                }) => self.tell(about, || {
                    let revision = position.revision;
                    format!("revision {revision} is on the disk of the agent at {name}")
                }),
                Durable::UpTo(Written { table: None, .. }) => {}
                Durable::Failing => {
                    self.counters.failed_syncs += 1;
                    self.is_troubled(a);
                    self.tell(about, || format!("the disk of the agent at {name} fails"));
                }
            }
            let Some(process) = &mut self.agents[a].process else {
                return;
            };
            process.durable = durable;
            match durable {
                Durable::UpTo(written) => {
                    process.judge.disk(DiskState::Works);
                    self.is_durable(a, written);
                }
                Durable::Failing if fault == Some(Fault::FailedSyncFallsBack) => {
                    self.falls_back(a);
                }
                Durable::Failing => process.judge.disk(DiskState::Fails),
            }
        }
    }

    fn is_heard_by(&mut self, a: usize, connection: u64) {
        if let Some(life) = self.life_of(connection) {
            for door in &self.agents[a].doors {
                self.oracle.renewed(*door, life);
            }
        }
    }

    /// Tells the agent's end of a conversation what is durable.
    fn is_durable(&mut self, a: usize, written: Written) {
        let link = self.agents[a]
            .process
            .as_ref()
            .and_then(|it| it.link.as_ref());
        if let (Some(table), Some(link)) = (written.table, link) {
            let overtaken = written.beside.saturating_sub(link.before);
            let held = table.into();
            self.tell_end(a, Input::Durable { held, overtaken });
        }
    }

    /// A broken agent: goes on with what is on disk.
    fn falls_back(&mut self, a: usize) {
        let agent = &mut self.agents[a];
        let survivor = agent.folder.after_power_cut(Survivors::OnlySynced);
        let found = TableFiles::open_with(survivor, LOG_BYTES);
        let Ok((_, Found::Table(contents))) = found else {
            return;
        };
        let table = rebuild(&contents, contents.position.store, agent.hash_key);
        let mut judge = Judge::new(table, agent.surroundings());
        if let Some(heard) = agent.heard {
            judge.renewed(heard);
        }
        if let Some(process) = &mut agent.process {
            process.judge = judge;
        }
    }

    /// A broken agent: replaces its table and keeps only some of the refusals that it had.
    fn replace_forgetting(
        &mut self,
        a: usize,
        mut table: Table,
        keeps: impl Fn(&Table, &RulingEntry) -> bool,
    ) -> Vec<RulingEntry> {
        let agent = &mut self.agents[a];
        let Some(process) = &mut agent.process else {
            return Vec::new();
        };
        let before = process.judge.refusals(Testimony::Everything);
        for refusal in before {
            if keeps(&table, &refusal) {
                table.hold(refusal);
            }
        }
        let mut judge = Judge::new(Some(table), agent.surroundings());
        if let Some(heard) = agent.heard {
            judge.renewed(heard);
        }
        let held = judge.refusals(Testimony::WhatIsHeld);
        if let Some(process) = &mut self.agents[a].process {
            process.judge = judge;
        }
        held
    }

    /// A broken agent: applies what arrives from a connection that is over.
    fn hears_late(&mut self, a: usize, bytes: &[u8]) {
        let mut decoder = frame::Decoder::default();
        decoder.extend(bytes);
        let hash_key = self.agents[a].hash_key;
        while let Ok(Some(body)) = decoder.next_body() {
            let puts = match ToAgent::decode(&body) {
                Ok(ToAgent::Delta { puts, .. } | ToAgent::SnapshotPart { puts }) => puts,
                _ => continue,
            };
            let agent = &mut self.agents[a];
            let Some(process) = &mut agent.process else {
                return;
            };
            let mut table = match process.judge.table() {
                Some(table) => table.clone(),
                None => Table::empty(hash_key),
            };
            for put in &puts {
                if let Ok(entry) = Entry::decode(put) {
                    table.put(entry);
                }
            }
            let mut judge = Judge::new(Some(table), agent.surroundings());
            if let Some(heard) = agent.heard {
                judge.renewed(heard);
            }
            if let Some(process) = &mut self.agents[a].process {
                process.judge = judge;
            }
        }
    }

    /// What a broken agent makes of rulings about credentials.
    fn learn_cards(&mut self, a: usize, rulings: &[RulingEntry]) {
        if !self.has(Fault::TombstoneByCard) {
            return;
        }
        for ruling in rulings.iter().filter_map(RulingEntry::ruling) {
            let credential = CredentialId::from_bytes(ruling.subject);
            if ruling.ruled.refuses() {
                self.agents[a].dead_cards.insert(credential);
            } else {
                self.agents[a].dead_cards.remove(&credential);
            }
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

    /// Somebody stands at a door of an agent.
    pub(crate) fn stands(&mut self, a: usize, door: usize, presented: &Presented) {
        let (now, time) = (self.now, self.time());
        let direction = if self.random.one_in(12) {
            Direction::Out
        } else {
            Direction::In
        };
        let by_card = self.has(Fault::TombstoneByCard)
            && self
                .oracle
                .credentials(&bytes_of(presented))
                .any(|id| self.agents[a].dead_cards.contains(&id));
        let agent = &mut self.agents[a];
        let Some(door) = agent.doors.get(door).copied() else {
            return;
        };
        agent.boot(now, time);
        if agent.asleep || by_card {
            return;
        }
        let Some(process) = &mut agent.process else {
            return;
        };
        self.counters.presented += 1;
        let before = agent.strikes.0.load(Ordering::Relaxed);
        let answer = process.judge.decide(door, direction, Ok(presented.clone()));
        let opened = agent.strikes.0.load(Ordering::Relaxed) > before;
        let events =
            std::mem::take(&mut *agent.events.lock().unwrap_or_else(PoisonError::into_inner));
        if direction == Direction::Out {
            if !opened || answer != Answer::Granted {
                self.breaks(Violation {
                    promise: "G0",
                    about: About::door(door),
                    words: "a reader on the way out refused".to_owned(),
                });
            }
            return;
        }
        let mut holder = events.first().and_then(|event| match event.happening {
            Happening::Granted { holder, .. } => Some(holder),
            Happening::Refused { holder, .. } => holder,
            Happening::WayOut { .. } | Happening::KeypadSlowed => None,
        });
        self.tell_of_standing(door, holder, answer);
        if !opened {
            return;
        }
        self.counters.opened += 1;
        let bytes = bytes_of(presented);
        if self.has(Fault::ReissuedCardIsFormerHolders) {
            holder = self.oracle.first_holder(&bytes);
        }
        if let Err(violation) = self.oracle.opened(door, &bytes, holder, time) {
            self.breaks(violation);
        }
    }

    fn tell_of_standing(&mut self, door: DoorId, holder: Option<Holder>, answer: Answer) {
        let who = holder.map(|holder| holder.user);
        let about = About {
            door: Some(door),
            user: who.or(Some(STRANGER)),
        };
        let name = who.map_or("somebody unknown".to_owned(), |who| self.name_of(who));
        let at = self.door_name(door);
        self.tell(about, || format!("{name} stands at {at}: {answer}"));
    }

    /// Whether a door would open now on the way in; none while its keypad judges nothing.
    pub(crate) fn would_open(
        &mut self,
        a: usize,
        door: DoorId,
        presented: &Presented,
    ) -> Option<bool> {
        let (now, time) = (self.now, self.time());
        if self.has(Fault::TombstoneByCard)
            && self
                .oracle
                .credentials(&bytes_of(presented))
                .any(|id| self.agents[a].dead_cards.contains(&id))
        {
            return Some(false);
        }
        let agent = &mut self.agents[a];
        agent.boot(now, time);
        let process = agent.process.as_mut()?;
        let presented = Ok(presented.clone());
        match process.judge.decide(door, Direction::In, presented) {
            Answer::Granted => Some(true),
            Answer::Refused(Reason::TooManyAttempts) => None,
            Answer::Refused(_) => Some(false),
        }
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

fn rulings_of(puts: &[Entry]) -> Vec<RulingEntry> {
    let rulings = puts.iter().filter_map(|entry| match entry {
        Entry::Ruling(ruling) => Some(ruling.clone()),
        _ => None,
    });
    rulings.collect()
}

/// Whether a table says at all that somebody is admitted.
fn is_admitted(table: &Table, held: &RulingEntry) -> bool {
    let told = table.entry(&EntryKey::ruling(*held.subject));
    matches!(
        told.map(Entry::decode),
        Some(Ok(Entry::Ruling(told))) if told.ruling().is_some_and(|it| !it.ruled.refuses())
    )
}
