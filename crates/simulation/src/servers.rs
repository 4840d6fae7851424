//! The server: the product's end of the link, carried out as a conversation carries it out, over
//! the store in memory.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, AgentState};
use offgate_core::change::{Change, Edit};
use offgate_core::command::Command;
use offgate_core::confirmation::{self, Alone, DoorFacts, DoorStanding};
use offgate_core::disagreement::Disagreement;
use offgate_core::id::{AgentId, CommandId, StoreId};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::ruling::{Ruling, ruled_by};
use offgate_core::server_address::ServerAddresses;
use offgate_core::table::entry::{RulingEntry, TableHash};
use offgate_link::frame;
use offgate_link::message::{ToAgent, ToServer};
use offgate_link::server_end::{self, Input, Output, Pace, ServerEnd, Table};
use offgate_store::engine::Heard;
use offgate_store::{CarriedOut, Outcome, StoreSigner as _};

use crate::books::Books;
use crate::faults::DeliberateFault;
use crate::keys::keys;
use crate::oracle::{Page, Violation};
use crate::story::About;
use crate::world::{Event, MILLI, SECOND, STORE, World};

/// When the next command that changes something brings the server down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Before it is committed: nothing has happened.
    BeforeCommit,
    /// After that, before anything is sent or answered.
    AfterCommit,
}

/// A server over a store.
pub(crate) struct Node {
    pub(crate) books: Books,
    pub(crate) up: bool,
    pub(crate) talks: BTreeMap<u64, Talk>,
    /// Backups, the oldest first, and when each was made.
    pub(crate) backups: Vec<(Timestamp, Books)>,
    pub(crate) crash: Option<Crash>,
    /// What a stale node reads from, and since when.
    stale: Option<(u64, Books)>,
}

/// A conversation with an agent.
pub(crate) struct Talk {
    agent: Agent,
    end: ServerEnd,
    decoder: frame::Decoder,
    started: u64,
    /// The head of the agent's table when it was last looked at.
    head: Option<Revision>,
    /// The table that the agent has once it has applied all that was sent.
    pub(crate) sent: Option<(Revision, TableHash)>,
    /// Whether it has acknowledged anything here.
    pub(crate) settled: bool,
}

impl Node {
    pub(crate) fn new(store: StoreId, epoch: Epoch, now: Timestamp) -> Self {
        Self::over(Books::new(store, epoch, now))
    }

    pub(crate) const fn over(books: Books) -> Self {
        Self {
            books,
            up: true,
            talks: BTreeMap::new(),
            backups: Vec::new(),
            crash: None,
            stale: None,
        }
    }
}

/// So little is under way to an agent here that refusals overtake even small tables.
const PACE: Pace = Pace {
    tables: 4,
    change_bytes: 1_000,
    part_bytes: 300,
    parts: 2,
};

impl World {
    /// In which life the store behind a connection is: it has one more after each restore.
    pub(crate) fn life_of(&self, connection: u64) -> Option<u64> {
        let node = self.connections.get(&connection)?.node;
        (node == STORE).then_some(self.weather.restores)
    }

    /// The server's machine runs and serves.
    pub(crate) fn start_server(&mut self, n: usize) {
        let uptime = self.uptime();
        let Some(node) = self.nodes.get_mut(n).filter(|node| !node.up) else {
            return;
        };
        node.up = true;
        node.books.server_started(uptime);
        self.tell(About::ALL, || "the server starts".to_owned());
        self.pages(n, None);
    }

    /// The server ends without a word.
    pub(crate) fn crash_server(&mut self, n: usize) {
        let Some(node) = self.nodes.get_mut(n).filter(|node| node.up) else {
            return;
        };
        (node.up, node.crash) = (false, None);
        node.talks.clear();
        self.counters.server_crashes += 1;
        self.everybody_is_troubled();
        self.tell(About::ALL, || "the server crashes".to_owned());
        let over: Vec<u64> = self
            .connections
            .iter()
            .filter(|(_, it)| it.node == n && it.server_open)
            .map(|(number, _)| *number)
            .collect();
        for number in over {
            if let Some(connection) = self.connections.get_mut(&number) {
                connection.server_open = false;
            }
            // Some hear of it at once, some only by the silence.
            if self.random.one_in(2) {
                let soon = self.random.below(500 * MILLI);
                self.after(soon, Event::AgentCut(number));
            }
        }
    }

    /// A broken server sends what it held back, if the connection still stands there.
    pub(crate) fn sends_late(&mut self, number: u64, bytes: &[u8]) {
        if self
            .connections
            .get(&number)
            .is_some_and(|it| it.server_open)
        {
            self.send_down(number, bytes);
        }
    }

    /// Bytes arrive at a server.
    pub(crate) fn server_hears(&mut self, number: u64, bytes: &[u8]) {
        let Some(connection) = self.connections.get(&number).filter(|it| it.server_open) else {
            return;
        };
        let (a, n) = (connection.agent, connection.node);
        if self.nodes.get(n).is_none_or(|node| !node.up) {
            return;
        }
        if !self.nodes[n].talks.contains_key(&number) && !self.begins(number, a, n) {
            return;
        }
        let mut bodies = Vec::new();
        if let Some(talk) = self.nodes[n].talks.get_mut(&number) {
            talk.decoder.extend(bytes);
            while let Some(body) = talk.decoder.next_body().transpose() {
                bodies.push(body);
            }
        }
        for body in bodies {
            let input = match body {
                Ok(body) => ToServer::decode(&body).map_or(Input::Malformed, Input::Message),
                Err(_) => Input::Malformed,
            };
            self.talk(n, number, input);
        }
    }

    /// A conversation begins, if the agent's key is accepted.
    fn begins(&mut self, number: u64, a: usize, n: usize) -> bool {
        let (time, uptime) = (self.server_time(), self.uptime());
        let elapsed = self.elapsed();
        let id = self.agents[a].id;
        let key = self.agents[a].key.public();
        let node = &mut self.nodes[n];
        let memory = node.books.memory();
        let known = memory
            .agents
            .get(&id)
            .filter(|agent| agent.state == AgentState::Enrolled && agent.key == key);
        let Some(agent) = known.cloned() else {
            self.close_at_server(number);
            return false;
        };
        let doors = memory.doors.values().filter(|door| door.agent == Some(id));
        let who = server_end::Agent {
            key: agent.key,
            doors: doors.map(|door| (door.id, door.name.clone())).collect(),
            addresses: ServerAddresses::default(),
        };
        let identity = node.books.identity();
        let end = ServerEnd::new(who, identity.store, identity.epoch, time, Duration::ZERO)
            .with_pace(PACE);
        // Each agent has one conversation at most, the newest.
        let older: Vec<u64> = node
            .talks
            .iter()
            .filter(|(_, talk)| talk.agent.id == id)
            .map(|(number, _)| *number)
            .collect();
        for older in older {
            self.nodes[n].talks.remove(&older);
            self.close_at_server(older);
        }
        let node = &mut self.nodes[n];
        node.books.contact(id, Heard::Connected, uptime, time);
        node.talks.insert(
            number,
            Talk {
                agent,
                end,
                decoder: frame::Decoder::default(),
                started: u64::try_from(elapsed.as_micros()).unwrap_or(0),
                head: None,
                sent: None,
                settled: false,
            },
        );
        let about = About::door(self.agents[a].doors[0]);
        let name = self.agents[a].name.clone();
        let which = if n == STORE { "" } else { "the copy: " };
        self.tell(about, || format!("{which}the agent at {name} is connected"));
        self.pages(n, Some(id));
        self.after(SECOND, Event::ServerTick(number));
        self.is_heard_again(a, n);
        true
    }

    pub(crate) fn server_ticks(&mut self, number: u64) {
        let Some(n) = self.connections.get(&number).map(|it| it.node) else {
            return;
        };
        let time = self.server_time();
        if self
            .nodes
            .get(n)
            .is_some_and(|it| it.talks.contains_key(&number))
        {
            self.talk(n, number, Input::Tick(time));
            self.after(SECOND, Event::ServerTick(number));
        }
    }

    pub(crate) fn server_is_cut(&mut self, number: u64) {
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        connection.server_open = false;
        let n = connection.node;
        self.conversation_over(n, number);
    }

    /// A conversation is over; the agent is gone unless it has begun another.
    fn conversation_over(&mut self, n: usize, number: u64) {
        let (time, uptime) = (self.server_time(), self.uptime());
        let Some(node) = self.nodes.get_mut(n).filter(|node| node.up) else {
            return;
        };
        if let Some(talk) = node.talks.remove(&number) {
            let id = talk.agent.id;
            node.books.contact(id, Heard::Gone, uptime, time);
            self.close_at_server(number);
            self.tell_of_agent(id, |name| format!("the server misses the agent at {name}"));
            self.pages(n, Some(id));
        }
    }

    /// Looks whether there is something new for an agent.
    pub(crate) fn server_looks(&mut self, number: u64) {
        let Some(n) = self.connections.get(&number).map(|it| it.node) else {
            return;
        };
        let Some(node) = self.nodes.get_mut(n).filter(|node| node.up) else {
            return;
        };
        let Some(talk) = node.talks.get_mut(&number) else {
            return;
        };
        let id = talk.agent.id;
        let state = node.books.memory().agents.get(&id).map(|it| it.state);
        if state != Some(talk.agent.state) {
            return self.conversation_over(n, number);
        }
        let head = node.books.head_of(id).map(|head| head.revision);
        if head != talk.head {
            talk.head = head;
            self.talk(n, number, Input::Woken);
        }
    }

    /// Hands an input to a conversation, and carries out what it asks for.
    fn talk(&mut self, n: usize, number: u64, input: Input) {
        let renews = matches!(input, Input::Message(ToServer::Renew { .. }));
        if renews {
            let id = self.nodes[n].talks.get(&number).map(|it| it.agent.id);
            let behind = id.is_some_and(|id| {
                let books = &self.nodes[n].books;
                books.head_of(id).map(|head| head.revision) > books.acknowledged(id)
            });
            if behind {
                self.counters.renewed_while_stalled += 1;
                self.asks_while_behind(number);
            }
        }
        let outputs = self.hand(n, number, input);
        let mut left = VecDeque::from(outputs);
        let mut why = String::new();
        while let Some(output) = left.pop_front() {
            let (time, uptime) = (self.server_time(), self.uptime());
            let Some(node) = self.nodes.get_mut(n).filter(|node| node.up) else {
                return;
            };
            let Some(talk) = node.talks.get_mut(&number) else {
                return;
            };
            let id = talk.agent.id;
            match output {
                Output::Send(message) => {
                    match &message {
                        ToAgent::Delta { revision, hash, .. }
                        | ToAgent::SnapshotEnd { revision, hash } => {
                            talk.sent = Some((Revision::new(*revision), TableHash(**hash)));
                        }
                        ToAgent::Refused { words, .. } => {
                            why.clone_from(words);
                        }
                        _ => {}
                    }
                    // Whole tables are not held back: an agent without any hangs up on a renewal.
                    let is_change =
                        matches!(message, ToAgent::Overtake { .. } | ToAgent::Delta { .. });
                    if is_change && self.has(DeliberateFault::RenewalAhead) {
                        let bytes = message.encode();
                        self.after(SECOND / 2, Event::SendDown(number, bytes));
                    } else {
                        self.send_down(number, &message.encode());
                    }
                }
                Output::Read(since) => {
                    let Some(table) = self.read(n, number, since) else {
                        return self.conversation_over(n, number);
                    };
                    left.extend(self.hand(n, number, Input::Read(table)));
                }
                Output::ReadRefusals(since) => {
                    let Some(refusals) = node.books.refusals_since(id, since) else {
                        return self.conversation_over(n, number);
                    };
                    left.extend(self.hand(n, number, Input::Refusals(refusals)));
                }
                Output::Acknowledged {
                    acknowledgement,
                    up_to,
                    refused,
                    ..
                } => {
                    let revision = acknowledgement.revision;
                    talk.settled = true;
                    node.books
                        .acknowledge(id, (revision, up_to), &refused, time);
                    self.tell_of_agent(id, |name| {
                        format!(
                            "the server has the word of the agent at {name}: revision {revision}"
                        )
                    });
                    self.pages(n, Some(id));
                }
                Output::Prove(size) => {
                    let shown = Input::History(node.books.history(size));
                    left.extend(self.hand(n, number, shown));
                }
                Output::Answered { .. }
                | Output::Positions(_)
                | Output::Witnessed(_)
                | Output::Doubted(_)
                | Output::Disagrees(Disagreement::Missing) => {}
                // Every table here comes from a server of its epoch, and none is written by hand.
                Output::Disagrees(Disagreement::Another(revision)) => self.breaks(Violation {
                    promise: "the tables",
                    about: About::ALL,
                    words: format!("the table of revision {revision} is not the server’s"),
                }),
                Output::Testimony(rulings) => {
                    if !self.take_over(n, id, &rulings) {
                        return self.conversation_over(n, number);
                    }
                }
                Output::Disk(state) => {
                    node.books.disk(id, state);
                    self.pages(n, Some(id));
                }
                Output::AsksRenewal => {
                    node.books.contact(id, Heard::AsksRenewal, uptime, time);
                    self.pages(n, Some(id));
                }
                Output::Store { events, .. } => {
                    if let Some(last) = events.last() {
                        let stored = Input::EventsStored(last.sequence);
                        left.extend(self.hand(n, number, stored));
                    }
                }
                Output::Close(code) => {
                    use offgate_link::message::RefusalCode;
                    self.tell_of_agent(id, |name| {
                        format!("the server hangs up on the agent at {name}: {code:?}")
                    });
                    if code == RefusalCode::Protocol && self.fault.is_none() {
                        self.breaks(Violation {
                            promise: "the link",
                            about: self.about(id),
                            words: format!("an honest agent was misunderstood: {why}"),
                        });
                    }
                    return self.conversation_over(n, number);
                }
            }
        }
    }

    fn hand(&mut self, n: usize, number: u64, input: Input) -> Vec<Output> {
        let now = self.now;
        let talk = self
            .nodes
            .get_mut(n)
            .and_then(|it| it.talks.get_mut(&number));
        talk.map_or_else(Vec::new, |talk| {
            let clock = Duration::from_micros(now - talk.started);
            talk.end.handle(input, clock)
        })
    }

    fn read(&mut self, n: usize, number: u64, since: Option<Revision>) -> Option<Table> {
        let (now, stale) = (self.now, self.has(DeliberateFault::StaleNodeRenews));
        let node = &mut self.nodes[n];
        let talk = node.talks.get_mut(&number)?;
        let id = talk.agent.id;
        if stale {
            let old = node
                .stale
                .as_ref()
                .is_none_or(|(at, _)| now - at > 15 * SECOND);
            if old {
                node.stale = Some((now, node.books.clone()));
            }
            if let Some((_, books)) = &node.stale
                && let Some(table @ Table::Same { .. }) = books.table(id, since)
            {
                return Some(table);
            }
        }
        let table = node.books.table(id, since)?;
        talk.head = node.books.head_of(id).map(|head| head.revision);
        if let (Table::Same { hash }, Some(revision)) = (&table, since) {
            talk.sent = Some((revision, *hash));
        }
        Some(table)
    }

    /// Takes over what the store has forgotten of what an agent shows, if the store sealed it.
    fn take_over(&mut self, n: usize, agent: AgentId, shown: &[RulingEntry]) -> bool {
        if self.fault.is_some_and(DeliberateFault::ignores_testimony) {
            return true;
        }
        let store = self.nodes[n].books.identity().store;
        let any = self.has(DeliberateFault::UnsignedTestimony);
        let sealed: Vec<Ruling> = shown
            .iter()
            .filter_map(|entry| {
                let ruling = entry.ruling()?;
                let seal = keys().seal(&ruling.statement(store));
                (any || seal == entry.seal()).then_some(ruling)
            })
            .collect();
        let id = CommandId::from_bytes(self.random.bytes());
        let actor = Actor::TestifyingAgent(agent);
        let carried = self.carry_out(n, id, actor, &Command::TakeOver(sealed));
        matches!(carried.outcome, Outcome::Done { .. })
    }

    /// Carries out a command on a node that is up, and has everybody hear of it.
    pub(crate) fn carry_out(
        &mut self,
        n: usize,
        id: CommandId,
        actor: Actor,
        command: &Command,
    ) -> CarriedOut {
        let clocks = (self.uptime(), self.server_time());
        let carried = self.nodes[n]
            .books
            .execute(id, actor, command, &self.salts, clocks);
        if !carried.changes.is_empty() {
            let by_testimony = matches!(actor, Actor::TestifyingAgent(_));
            for change in &carried.changes {
                self.changed(n, change, by_testimony);
            }
            let talks: Vec<u64> = self.nodes[n].talks.keys().copied().collect();
            for number in talks {
                let soon = 200 + self.random.below(3 * MILLI);
                let busy = self.weather.busy_before > self.now;
                let late = if busy {
                    self.random.below(4_000) * MILLI
                } else {
                    0
                };
                self.after(soon + late, Event::Look(number));
            }
            self.pages(n, None);
        }
        carried
    }

    /// What everybody else makes of a change.
    fn changed(&mut self, n: usize, change: &Change, by_testimony: bool) {
        let which = if n == STORE { "" } else { "on the copy: " };
        if let Change::CredentialAdded(credential) = change {
            let presented = offgate_core::table::compile::presented(&credential.means);
            self.was_given(&presented, credential.id, credential.user);
        }
        if let Change::Door(Edit::Changed(_, door)) = change {
            let name = self.door_name(door.id);
            let (seconds, mode) = (door.lease.seconds(), door.fail_mode.name());
            self.tell(About::door(door.id), || {
                format!("{which}{name} works on its own for {seconds} s, then: {mode}")
            });
        }
        let Some((user, subject, ruled)) = ruled_by(change) else {
            return;
        };
        let head = self.nodes[n].books.memory().revision;
        let name = self.name_of(user);
        self.tell(About::user(user), || {
            format!("{which}{name}: {ruled:?} (the log is at {head})")
        });
        if n != STORE {
            return;
        }
        if !ruled.refuses() {
            self.oracle.admitted(subject);
            return;
        }
        if by_testimony {
            self.counters.taken_over += 1;
            if !self.oracle.was_refused(subject) {
                self.breaks(Violation {
                    promise: "G4",
                    about: About::user(user),
                    words: "the store took over a refusal that nobody ever ruled".to_owned(),
                });
            }
        }
        self.oracle.refused(subject);
        self.somebody_is_refused(user);
    }

    /// Draws every page about refusals, or those about one agent's doors, and has the oracle read
    /// them. What a copy of the store says of doors is nobody's word.
    pub(crate) fn pages(&mut self, n: usize, agent: Option<AgentId>) {
        if n != STORE || !self.nodes[n].up {
            return;
        }
        let (time, uptime, fault) = (self.server_time(), self.uptime(), self.fault);
        let page = Page {
            life: self.weather.restores,
            ahead: self.weather.server_ahead,
        };
        let books = &self.nodes[n].books;
        let mut named = Vec::new();
        let mut moved = None;
        for (row, subject) in books.latest_refusals() {
            if agent.is_some_and(|agent| agent != row.agent) {
                continue;
            }
            let standing = match row.confirmed_at {
                Some(at) => DoorStanding::Confirmed { at },
                None => {
                    let facts = match fault {
                        Some(DeliberateFault::EmergencyListBounded) => {
                            books.facts_about(row, None, books.by_both_clocks(uptime, time))
                        }
                        Some(DeliberateFault::LimitByTimeOfDay) => {
                            books.facts_about(row, Some(row.user), |renewal| renewal.at)
                        }
                        _ => {
                            let facts = books.facts(row, uptime, time);
                            misread(fault, facts, books.lease_of(row))
                        }
                    };
                    confirmation::standing(&facts, row.decided_at, time)
                }
            };
            let about = (row.door, subject, row.revision);
            let news = match self.oracle.page(page, about, standing) {
                Ok(news) => news,
                Err(words) => {
                    moved = Some((About::both(row.door, row.user), words));
                    continue;
                }
            };
            let standing = truly(standing, page.ahead);
            if let (
                DoorStanding::MayStillOpen {
                    until: Some(at), ..
                },
                true,
            ) = (standing, news)
            {
                named.push((row.door, row.user, at));
            }
            if !news {
                continue;
            }
            match standing {
                DoorStanding::Confirmed { .. } => self.counters.confirmed += 1,
                DoorStanding::EndedByLimit { .. } => self.counters.ended_by_limit += 1,
                DoorStanding::OnEmergencyList { .. } => self.counters.on_emergency_list += 1,
                DoorStanding::Failed { .. } => self.counters.disk_failed += 1,
                _ => {}
            }
            let (door, user) = (row.door, row.user);
            let words = || {
                let at = self
                    .people
                    .doors
                    .get(&door)
                    .map_or("a door", String::as_str);
                format!("the page says of {at}: {}", said(standing))
            };
            self.story.tell(self.now, About::both(door, user), words);
        }
        if let Some((about, words)) = moved {
            self.breaks(Violation {
                promise: "G3",
                about,
                words,
            });
        }
        // Somebody tries just after the moment that was named.
        for (door, user, at) in named {
            self.tries_after(door, user, at);
        }
    }

    fn about(&self, id: AgentId) -> About {
        let agent = self.agents.iter().find(|agent| agent.id == id);
        agent.map_or(About::ALL, |agent| About::door(agent.doors[0]))
    }

    pub(crate) fn tell_of_agent(&mut self, id: AgentId, line: impl FnOnce(&str) -> String) {
        let Some(agent) = self.agents.iter().find(|agent| agent.id == id) else {
            return;
        };
        let (about, name) = (About::door(agent.doors[0]), agent.name.clone());
        self.tell(about, || line(&name));
    }
}

/// What a broken page makes of what it knows.
fn misread(
    fault: Option<DeliberateFault>,
    facts: DoorFacts,
    lease_seconds: Option<u32>,
) -> DoorFacts {
    let (Some(DeliberateFault::NoDriftMargin), Some(seconds)) = (fault, lease_seconds) else {
        return facts;
    };
    let margin = Duration::from_secs(seconds.into()) / 100 + Duration::from_secs(1);
    DoorFacts {
        alone: match facts.alone {
            Alone::UntilLimit(until) => Alone::UntilLimit(until.map(|at| at.minus(margin))),
            alone => alone,
        },
        ended_at: facts.ended_at.map(|at| at.minus(margin)),
        ..facts
    }
}

/// What is said by a clock that is so far ahead, by a true one.
fn truly(standing: DoorStanding, ahead: i64) -> DoorStanding {
    let by = |at: Timestamp| Timestamp::from_microseconds(at.microseconds() - ahead);
    match standing {
        DoorStanding::Confirmed { at } => DoorStanding::Confirmed { at: by(at) },
        DoorStanding::EndedByLimit { at } => DoorStanding::EndedByLimit { at: by(at) },
        DoorStanding::MayStillOpen {
            silent_since,
            until,
        } => DoorStanding::MayStillOpen {
            silent_since,
            until: until.map(by),
        },
        other => other,
    }
}

fn said(standing: DoorStanding) -> String {
    let time = |at: Timestamp| {
        let since = at.since(crate::keys::BEGINNING);
        format!("{:.3} s", since.as_secs_f64())
    };
    match standing {
        DoorStanding::Waiting => "waiting".to_owned(),
        DoorStanding::Overdue => "overdue".to_owned(),
        DoorStanding::Failed { fault } => format!("failed: its {}", fault.what()),
        DoorStanding::Confirmed { at } => format!("confirmed at {}", time(at)),
        DoorStanding::MayStillOpen { until, .. } => match until {
            Some(until) => format!("may still open until {}", time(until)),
            None => "may still open".to_owned(),
        },
        DoorStanding::EndedByLimit { at } => format!("ended by its limit at {}", time(at)),
        DoorStanding::OnEmergencyList { .. } => "they are on its emergency list".to_owned(),
        DoorStanding::KeepsLastTable { .. } => "it keeps its last table".to_owned(),
    }
}
