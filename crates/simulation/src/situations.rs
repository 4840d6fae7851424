//! What goes wrong, and when: at any time, and more often at the moments at which it hurts.

use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::agent::AgentState;
use offgate_core::backup::Restored;
use offgate_core::command::Command;
use offgate_core::id::{CommandId, UserId};
use offgate_core::parameters::{Epoch, Revision};
use offgate_core::ruling::{Ruled, Ruling, Seal};
use offgate_core::table::entry::{Entry, RulingEntry};
use offgate_core::user::{Standing, UserRecord};
use offgate_link::message::ToServer;

use crate::agents::Down;
use crate::faults::DeliberateFault;
use crate::network::JITTER;
use crate::oracle::Violation;
use crate::servers::{Crash, Node};
use crate::story::About;
use crate::world::{Event, MILLI, SECOND, STORE, World};

/// What is under way of what goes wrong.
#[derive(Debug, Default)]
pub(crate) struct Weather {
    /// Nothing goes wrong any more.
    pub(crate) calm: bool,
    pub(crate) restores: u64,
    /// Until then the server is slow to look what is new for an agent.
    pub(crate) busy_before: u64,
    /// How far the server's time of day is ahead.
    pub(crate) server_ahead: i64,
    /// When each agent was troubled last.
    troubled: Vec<u64>,
}

impl World {
    fn any_agent(&mut self) -> usize {
        usize::try_from(self.random.below(self.agents.len() as u64)).unwrap_or(0)
    }

    pub(crate) fn is_troubled(&mut self, a: usize) {
        if self.weather.troubled.len() < self.agents.len() {
            self.weather.troubled.resize(self.agents.len(), 0);
        }
        self.weather.troubled[a] = self.now;
    }

    pub(crate) fn everybody_is_troubled(&mut self) {
        for a in 0..self.agents.len() {
            self.is_troubled(a);
        }
    }

    fn tell_at(&mut self, a: usize, line: impl FnOnce(&str) -> String) {
        let (about, name) = (
            About::door(self.agents[a].doors[0]),
            self.agents[a].name.clone(),
        );
        self.tell(about, || line(&name));
    }

    /// Something goes wrong.
    pub(crate) fn trouble(&mut self) {
        if self.weather.calm {
            return;
        }
        let pause = self.random.between(500, 6_000) * MILLI;
        self.after(pause, Event::Trouble);
        self.sweep_if_honest();
        let a = self.any_agent();
        match self.random.below(100) {
            0..=14 => self.cut(a),
            15..=29 => self.cuts_off(a),
            30..=34 => {
                let until = self.now + self.random.between(2, 20) * SECOND;
                self.is_troubled(a);
                self.agents[a].line.slow_before = until;
                self.tell_at(a, |name| format!("the network to {name} is slow"));
            }
            35..=42 => self.fails(a, Down::Killed),
            43..=52 => self.fails(a, Down::PowerCut),
            53..=60 => self.sleeps(a),
            61..=67 => self.syncs_fail(a),
            68..=71 => self.disk_is_full(a),
            72..=74 => {
                let until = self.now + self.random.between(2, 15) * SECOND;
                self.is_troubled(a);
                self.agents[a].disk_slow_before = until;
            }
            75..=77 => self.is_replaced(a),
            78..=80 => {
                let hours = self.random.between(0, 20);
                let hour = 3_600 * 1_000_000;
                self.agents[a].wall_ahead = (i64::try_from(hours).unwrap_or(0) - 10) * hour;
                self.tell_at(a, |name| format!("the time of day jumps at {name}"));
            }
            81..=86 => {
                self.nodes[STORE].crash = Some(if self.random.one_in(2) {
                    Crash::BeforeCommit
                } else {
                    Crash::AfterCommit
                });
                self.everybody_is_troubled();
            }
            87..=89 => {
                self.everybody_is_troubled();
                self.crash_server(STORE);
                let back = self.random.between(200, 9_000) * MILLI;
                self.after(back, Event::ServerUp(STORE));
            }
            90..=91 => self.back_up(),
            92 => self.server_clock_is_set(),
            93..=94 => {
                self.everybody_is_troubled();
                self.weather.busy_before = self.now + self.random.between(2, 15) * SECOND;
                self.tell(About::ALL, || "the server is busy".to_owned());
            }
            95..=97 => self.restore(),
            _ => self.copy_begins(),
        }
    }

    fn sweep_if_honest(&mut self) {
        if !self.has(DeliberateFault::OlderFrames) {
            self.sweep();
        }
    }

    pub(crate) fn cut_now(&mut self, a: usize) {
        if !self.weather.calm {
            self.cut(a);
        }
    }

    /// A connection is lost: both hear of it, or only one of them does.
    fn cut(&mut self, a: usize) {
        let Some(number) = self.agents[a].connection() else {
            return;
        };
        self.is_troubled(a);
        let node = self.connections.get(&number).map_or(STORE, |it| it.node);
        let heard = self.random.below(3);
        if heard != 0 {
            self.agent_is_cut(number);
        }
        if heard != 1 {
            self.server_is_cut(number);
        }
        if let Some(connection) = self.connections.get_mut(&number) {
            match heard {
                // Half open: the other goes on until it misses an answer.
                0 => connection.server_open = false,
                1 => connection.agent_open = false,
                _ => {}
            }
        }
        let which = if node == STORE { "server" } else { "copy" };
        self.tell_at(a, |name| match heard {
            0 => format!("the connection to {name} is lost, and only the {which} notices"),
            1 => format!("the connection to {name} is lost, and only the agent notices"),
            _ => format!("the connection to {name} is lost"),
        });
    }

    /// Nothing gets through for a while, one way or both ways.
    fn cuts_off(&mut self, a: usize) {
        self.is_troubled(a);
        let longest = *self.random.pick(&[8, 20, 30, 45, 70]).unwrap_or(&20);
        let until = self.now + self.random.between(3, longest) * SECOND;
        let way = self.random.below(3);
        let line = &mut self.agents[a].line;
        if way != 0 {
            line.no_way_up_before = until;
        }
        if way != 1 {
            line.no_way_down_before = until;
        }
        let seconds = (until - self.now) / SECOND;
        self.tell_at(a, |name| {
            let what = ["to", "from", "to or from"][usize::try_from(way).unwrap_or(0)];
            format!("nothing gets {what} {name} for {seconds} s")
        });
    }

    fn fails(&mut self, a: usize, how: Down) {
        self.is_troubled(a);
        self.goes_down(a, how);
        let longest = *self.random.pick(&[1_000, 5_000, 15_000]).unwrap_or(&1_000);
        let back = self.random.between(100, longest) * MILLI;
        self.after(back, Event::AgentUp(a));
    }

    /// The power of a machine goes, if the process is still the same.
    pub(crate) fn power_cut_of(&mut self, a: usize, process: u64) {
        if self.agents[a].process_number() == process && !self.weather.calm {
            self.fails(a, Down::PowerCut);
        }
    }

    fn sleeps(&mut self, a: usize) {
        if self.agents[a].process.is_none() || self.agents[a].asleep {
            return;
        }
        self.is_troubled(a);
        self.agents[a].asleep = true;
        let longest = *self.random.pick(&[3, 15, 40]).unwrap_or(&3);
        let back = self.random.between(1, longest) * SECOND;
        self.tell_at(a, |name| format!("the machine at {name} is suspended"));
        self.after(back, Event::Wakes(a));
        // Somebody stands there in the first moment after.
        if let Some(presented) = self.random.pick(&self.people.tokens).cloned() {
            self.after(back, Event::StandWith(a, 0, presented));
        }
    }

    fn syncs_fail(&mut self, a: usize) {
        self.is_troubled(a);
        let count = self.random.between(1, 3);
        self.agents[a].folder.syncs_fail(count);
        self.tell_at(a, |name| format!("the next {count} syncs at {name} fail"));
    }

    fn disk_is_full(&mut self, a: usize) {
        self.is_troubled(a);
        self.agents[a].folder.fill_up(true);
        let back = self.random.between(2, 15) * SECOND;
        self.tell_at(a, |name| format!("the disk at {name} is full"));
        self.after(back, Event::Room(a));
    }

    pub(crate) fn has_room(&mut self, a: usize) {
        self.is_troubled(a);
        self.agents[a].folder.fill_up(false);
    }

    /// The machine at these doors is taken away, and another one put there.
    fn is_replaced(&mut self, a: usize) {
        if !self.nodes[STORE].up {
            return;
        }
        self.is_troubled(a);
        self.counters.replaced += 1;
        self.tell_at(a, |name| {
            format!("the agent at {name} is replaced by another")
        });
        self.goes_down(a, Down::Killed);
        let doors = self.agents[a].doors.clone();
        let mut oracle = std::mem::take(&mut self.oracle);
        oracle.replaced(&doors, |subject| self.is_admitted(subject));
        self.oracle = oracle;
        self.enrol(doors);
        let soon = self.random.between(100, 3_000) * MILLI;
        self.after(soon, Event::AgentUp(a));
    }

    /// What the server does every few seconds.
    pub(crate) fn schedule(&mut self) {
        let (uptime, time) = (self.uptime(), self.server_time());
        let node = &mut self.nodes[STORE];
        if node.up {
            node.books.note_ended_limits(uptime, time);
            self.pages(STORE, None);
        }
        self.after(5 * SECOND, Event::Schedule);
    }

    pub(crate) fn back_up(&mut self) {
        let time = self.server_time();
        let node = &mut self.nodes[STORE];
        if node.up {
            let books = node.books.clone();
            let head = books.memory().revision;
            node.backups.push((time, books));
            if node.backups.len() > 4 {
                node.backups.remove(1);
            }
            self.tell(About::ALL, || {
                format!("a backup is made at revision {head}")
            });
        }
    }

    /// Somebody sets the server's time of day, back or forth by up to half a day.
    fn server_clock_is_set(&mut self) {
        let minute = 60 * 1_000_000;
        let minutes = i64::try_from(self.random.below(1_441)).unwrap_or(0) - 720;
        self.weather.server_ahead = minutes * minute;
        self.counters.server_clock_set += 1;
        self.tell(About::ALL, || {
            format!("the server's time of day is {minutes} minutes ahead now")
        });
        self.pages(STORE, None);
    }

    /// The server burns, and any of the backups is put back.
    fn restore(&mut self) {
        let backups = self.nodes[STORE].backups.len() as u64;
        let which = usize::try_from(self.random.below(backups)).unwrap_or(0);
        self.put_back(which);
    }

    /// The server burns, and a backup is put back, on a machine whose clock is right. Says whether
    /// that was done.
    pub(crate) fn put_back(&mut self, which: usize) -> bool {
        if self.weather.restores >= 2 || !self.nodes[STORE].up || self.nodes.len() > 1 {
            return false;
        }
        let Some((made_at, books)) = self.nodes[STORE].backups.get(which).cloned() else {
            return false;
        };
        // Machines that joined after the backup would have to join again.
        let known = self.agents.iter().all(|agent| {
            let known = books.memory().agents.get(&agent.id);
            known.is_some_and(|known| known.state == AgentState::Enrolled)
        });
        if !known {
            return false;
        }
        self.weather.restores += 1;
        self.counters.restores += 1;
        self.everybody_is_troubled();
        self.crash_server(STORE);
        self.weather.server_ahead = 0;
        let last = books.memory().revision;
        self.tell(About::ALL, || {
            format!("the server burns; the backup of revision {last} is put back")
        });
        let before = books.identity().epoch;
        let time = self.server_time();
        let nonce = self.random.bytes();
        let node = &mut self.nodes[STORE];
        node.books = books;
        if self.fault != Some(DeliberateFault::NoEpoch) {
            let now = u64::try_from(time.microseconds()).unwrap_or(0);
            let counter = (before.counter + 1).max(now);
            node.books.take_epoch(Epoch { counter, nonce }, time);
            let restored = Restored {
                made_at,
                epoch: before,
                last,
            };
            let id = CommandId::from_bytes(self.random.bytes());
            let by = Actor::ServerCommandLine;
            let command = Command::NoteRestore(restored);
            let before = self
                .has(DeliberateFault::RefusalsNotRuledAgain)
                .then(|| self.nodes[STORE].books.clone());
            self.carry_out(STORE, id, by, &command);
            if let Some(before) = before {
                self.nodes[STORE].books.take_rulings_of(&before);
            }
        }
        let back = self.random.between(500, 10_000) * MILLI;
        self.after(back, Event::ServerUp(STORE));
        true
    }

    /// Somebody starts a copy of the store, older than what every agent has seen of it.
    fn copy_begins(&mut self) {
        if self.nodes.len() > 1 {
            return;
        }
        let epoch = self.nodes[STORE].books.identity().epoch;
        let seen = self.agents.iter().map(|agent| agent.seen(epoch)).min();
        let seen = seen.unwrap_or(0);
        let backups = self.nodes[STORE].backups.iter().rev();
        let older = backups.map(|(_, books)| books).find(|books| {
            books.memory().revision < Revision::new(seen) && books.identity().epoch == epoch
        });
        if let Some(books) = older.cloned() {
            let head = books.memory().revision;
            self.everybody_is_troubled();
            self.nodes.push(Node::over(books));
            self.tell(About::ALL, || {
                format!("somebody starts a copy of the store, made at revision {head}")
            });
            let long = self.random.between(15, 60) * SECOND;
            self.after(long, Event::CopyEnds);
        }
    }

    pub(crate) fn copy_ends(&mut self) {
        if self.nodes.len() > 1 {
            self.crash_server(1);
            self.nodes.truncate(1);
            self.tell(About::ALL, || "the copy of the store ends".to_owned());
            self.everybody_is_troubled();
        }
    }

    /// Which server an agent reaches.
    pub(crate) fn which_node(&mut self, _: usize) -> usize {
        if self.nodes.len() > 1 && self.random.one_in(2) {
            1
        } else {
            STORE
        }
    }

    /// A refusal was just committed.
    pub(crate) fn somebody_is_refused(&mut self, user: UserId) {
        if self.weather.calm {
            return;
        }
        self.try_everywhere(user);
        let revision = self.nodes[STORE].books.memory().revision;
        for a in 0..self.agents.len() {
            self.must_confirm_in_time(a, revision);
        }
        if self.random.one_in(20) {
            self.wrong_backup_begins(user);
        }
        if !self.random.one_in(3) {
            return;
        }
        let a = self.any_agent();
        let soon = self.random.below(150) * MILLI;
        let process = self.agents[a].process_number();
        match self.random.below(7) {
            0 => {
                // Slow to be durable, and then the power goes.
                self.is_troubled(a);
                self.agents[a].disk_slow_before = self.now + 2 * SECOND;
                let when = self.random.below(1_500) * MILLI;
                self.after(when, Event::PowerCut(a, process));
            }
            1 => self.after(soon, Event::PowerCut(a, process)),
            2 => self.syncs_fail(a),
            3 => self.after(soon, Event::CutNow(a)),
            4 => self.cuts_off(a),
            5 => self.restore(),
            _ => self.sleeps(a),
        }
    }

    /// An agent that is at ease must confirm a refusal within a round trip and its writes.
    fn must_confirm_in_time(&mut self, a: usize, revision: Revision) {
        let agent = &self.agents[a];
        let books = &self.nodes[STORE].books;
        let at_ease = agent.is_at_ease()
            && !agent.asleep
            && books
                .head_of(agent.id)
                .is_some_and(|head| head.revision == revision)
            && agent.connection().is_some_and(|number| {
                self.connections.get(&number).is_some_and(|it| {
                    it.node == STORE
                        && it.server_open
                        && it.arrived_by() <= self.now + agent.line.latency + JITTER
                }) && self.nodes[STORE]
                    .talks
                    .get(&number)
                    .is_some_and(|talk| talk.settled)
            });
        if !at_ease {
            return;
        }
        let round_trip = 2 * (agent.line.latency + JITTER);
        // What was sent before and is still to be written comes first: nothing, or while people are
        // imported as many tables as may be under way.
        let sent = agent.connection().and_then(|number| {
            let talk = self.nodes[STORE].talks.get(&number)?;
            Some(talk.sent?.0)
        });
        let before = if books.acknowledged(agent.id) >= sent {
            3
        } else {
            36
        };
        let writes = before * agent.disk_takes;
        let bound = round_trip + writes + 20 * MILLI;
        self.after(bound, Event::Owed(a, self.now, revision.number()));
    }

    pub(crate) fn is_owed(&mut self, a: usize, since: u64, revision: u64) {
        let troubled = self.weather.troubled.get(a).copied().unwrap_or(0);
        let line = &self.agents[a].line;
        let agent = &self.agents[a];
        let hindered = troubled >= since
            || self.weather.busy_before >= since
            || line.slow_before >= since
            || line.no_way_up_before >= since
            || line.no_way_down_before >= since
            || agent.disk_slow_before >= since
            || agent.asleep
            || agent.connection().is_none()
            || agent.is_failing();
        if hindered {
            return;
        }
        let books = &self.nodes[STORE].books;
        let revision = Revision::new(revision);
        let overtook = books.confirmations().iter().any(|row| {
            row.agent == agent.id && row.revision == revision && row.confirmed_at.is_some()
        });
        if overtook || books.acknowledged(agent.id) >= Some(revision) {
            self.counters.in_time += 1;
            return;
        }
        let (door, name) = (agent.doors[0], agent.name.clone());
        let took = Duration::from_micros(self.now - since).as_secs_f64();
        self.breaks(Violation {
            promise: "G2",
            about: About::door(door),
            words: format!(
                "the agent at {name} is connected and has not confirmed revision {revision} \
                 within {took:.3} s"
            ),
        });
    }

    /// An agent asks for a renewal: the worst moment to be cut off.
    pub(crate) fn asks_for_renewal(&mut self, a: usize) {
        if self.weather.calm || !self.random.one_in(40) {
            return;
        }
        let soon = self.random.below(150) * MILLI;
        if self.random.one_in(2) {
            self.after(soon, Event::CutNow(a));
        } else {
            self.is_troubled(a);
            let until = self.now + self.random.between(2, 30) * SECOND;
            self.agents[a].line.no_way_down_before = until;
            self.tell_at(a, |name| {
                format!("the answer to {name}'s renewal is long under way")
            });
        }
    }

    /// An agent asks for a renewal while something is on its way to it that it has not acknowledged:
    /// the worst moment to be cut off for longer than its lease, between that and the answer.
    pub(crate) fn asks_while_behind(&mut self, connection: u64) {
        if self.weather.calm || !self.random.one_in(6) {
            return;
        }
        let Some(a) = self.connections.get(&connection).map(|it| it.agent) else {
            return;
        };
        self.is_troubled(a);
        let soon = self.random.below(500) * MILLI;
        let until = self.now + soon + self.random.between(15, 70) * SECOND;
        self.after(soon, Event::CutNow(a));
        self.after(soon, Event::CutOff(a, until));
    }

    /// An agent is connected again, and may have refusals to catch up with: the worst moment to lose
    /// the connection.
    pub(crate) fn is_heard_again(&mut self, a: usize, n: usize) {
        if self.weather.calm || n != STORE || !self.random.one_in(5) {
            return;
        }
        let soon = self.random.below(400) * MILLI;
        self.after(soon, Event::CutNow(a));
        self.is_troubled(a);
        let until = self.now + soon + self.random.between(2, 25) * SECOND;
        if self.random.one_in(2) {
            self.after(soon, Event::CutOff(a, until));
        }
    }

    /// Nothing gets to an agent, or from it, before some time.
    pub(crate) fn is_cut_off(&mut self, a: usize, until: u64) {
        if !self.weather.calm {
            self.is_troubled(a);
            let line = &mut self.agents[a].line;
            (line.no_way_up_before, line.no_way_down_before) = (until, until);
            self.tell_at(a, |name| format!("nothing gets to or from {name} for long"));
        }
    }

    /// An import begins: at some door the disk cannot follow, so that refusals have to overtake.
    pub(crate) fn import_is_slow_somewhere(&mut self) {
        let a = self.any_agent();
        self.is_troubled(a);
        self.agents[a].disk_slow_before = self.now + 6 * SECOND;
        for delay in [900, 1_300, 2_000] {
            self.after(delay * MILLI, Event::Refuse);
        }
    }

    /// A refusal overtook something: the worst moment to lose power.
    pub(crate) fn is_overtaken(&mut self, a: usize) {
        if !self.weather.calm && self.random.one_in(2) {
            self.is_troubled(a);
            let process = self.agents[a].process_number();
            let soon = self.random.below(1_500) * MILLI;
            self.after(soon, Event::PowerCut(a, process));
        }
    }

    /// Whoever has an agent's key shows refusals that the store never sealed.
    pub(crate) fn makes_up_testimony(&mut self, a: usize, connection: u64) {
        if self.weather.calm || !self.random.one_in(6) {
            return;
        }
        let memory = self.nodes[STORE].books.memory();
        let active: Vec<UserId> = memory
            .users
            .values()
            .filter_map(|record| match record {
                UserRecord::Present(user) if user.standing == Standing::Active => Some(user.id),
                _ => None,
            })
            .filter(|user| !self.oracle.was_refused(*user.as_bytes()))
            .collect();
        let Some(user) = self.random.pick(&active).copied() else {
            return;
        };
        self.counters.forged += 1;
        let ruling = Ruling {
            subject: *user.as_bytes(),
            ruled: Ruled::Deactivated,
            epoch: Epoch {
                counter: 1,
                nonce: self.random.bytes(),
            },
            revision: Revision::new(1_000_000),
        };
        let entry = Entry::Ruling(RulingEntry::new(&ruling, Seal(self.random.bytes())));
        let rulings = vec![entry.encode().into()];
        self.tell_at(a, |name| {
            format!("somebody shows a made-up refusal as {name}")
        });
        self.send_up(connection, &ToServer::Testimony { rulings }.encode());
    }
}
