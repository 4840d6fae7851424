//! An agent’s conversations: it connects, hears, does what its end of the link says, and hangs up.

use std::collections::{BTreeSet, VecDeque};

use offgate_agent::pieces::{
    Changed, DiskState, Durable, Keep, KeptLease, beside, delta, hold, whole,
};
use offgate_core::table::entry::Entry;
use offgate_link::agent_end::{AgentEnd, Ending, Held, Input, Output};
use offgate_link::message::{LIST_LIMIT, ToAgent, ToServer};
use offgate_link::{frame, reconnect};

use super::broken::{is_admitted, rulings_of};
use super::{Ask, Link};
use crate::faults::DeliberateFault;
use crate::keys::keys;
use crate::oracle::Violation;
use crate::story::About;
use crate::world::{Event, MILLI, SECOND, STORE, World};

impl World {
    /// Looks for a server.
    pub(crate) fn connect(&mut self, a: usize, number: u64) {
        if !self.is_running(a, number, &Event::Connect(a, number)) {
            return;
        }
        let (now, time) = (self.now, self.time());
        let node = self.which_node(a);
        let whole_histories =
            self.has(DeliberateFault::NoEpoch) || self.has(DeliberateFault::ForkByRevision);
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
                disk_told: DiskState::Works,
            });
        }
        self.agent_does(a, outputs);
    }

    pub(super) fn try_again_later(&mut self, a: usize) {
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
    pub(super) fn is_over(&mut self, a: usize, ask: Ask) {
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
        if !open && self.has(DeliberateFault::OlderFrames) {
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

    pub(super) fn tell_end(&mut self, a: usize, input: Input) {
        let (now, time) = (self.now, self.time());
        let agent = &mut self.agents[a];
        let boot = agent.boot(now, time);
        if let Some(process) = &mut agent.process
            && let Some(link) = &mut process.link
        {
            let outputs = link.end.handle(input, boot);
            self.agent_does(a, outputs);
        }
        self.tell_of_disk(a);
    }

    /// Tells the server how the disk is, if that is news to it.
    pub(super) fn tell_of_disk(&mut self, a: usize) {
        let Some(process) = &mut self.agents[a].process else {
            return;
        };
        let disk = process.durable.disk();
        if let Some(link) = &mut process.link
            && link.end.speaks()
            && link.disk_told != disk
        {
            link.disk_told = disk;
            self.tell_end(a, Input::Disk(disk));
        }
    }

    /// Carries out what the agent's end of a conversation asks for, as a session does.
    pub(super) fn agent_does(&mut self, a: usize, outputs: Vec<Output>) {
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
                                Some(DeliberateFault::SnapshotLifts) => {
                                    self.replace_forgetting(a, *table, |_, _| false)
                                }
                                Some(DeliberateFault::OlderAdmissionLifts) => self
                                    .replace_forgetting(a, *table, |table, held| {
                                        !is_admitted(table, held)
                                    }),
                                Some(DeliberateFault::OvertakingDropped) => {
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
                        Some(DeliberateFault::LeaseFromReceipt) => boot,
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

    pub(super) fn hung_up(&mut self, a: usize, connection: u64, ending: Ending) {
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

    pub(super) fn is_heard_by(&mut self, a: usize, connection: u64) {
        if let Some(life) = self.life_of(connection) {
            for door in &self.agents[a].doors {
                self.oracle.renewed(*door, life);
            }
        }
    }
}
