//! What a server does: it commits, takes over what doors show, believes acknowledgements, answers
//! renewals, and says what it knows.

use super::faults::Fault;
use super::model::{DRIFT, LEASE, Protocol};
use super::scopes::Act;
use super::state::{
    Agent, Entries, FORGED, Message, PerSubject, Position, Receipt, Server, Standing, State,
    Subject, Testimony, Tick, Version,
};

/// What a console may say of one door and one refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing is refused.
    Nothing,
    Confirmed,
    /// Not confirmed; may still open, until then if an instant may be named.
    MayStillOpen(Option<Tick>),
    EndedByLimit,
}

impl Protocol {
    /// What the console of this server says now.
    pub(crate) fn said(&self, server: &Server, door: usize, subject: Subject, now: Tick) -> Said {
        let row = &server.rows[subject as usize];
        if !row.refuses() {
            return Said::Nothing;
        }
        let view = &server.doors[door];
        let confirmed = view.receipt.is_some_and(|receipt| {
            let same_epoch = receipt.position.epoch == server.epoch;
            (same_epoch || self.without(Fault::NoEpoch))
                && (receipt.position.revision >= row.refused.revision
                    || receipt.above[subject as usize] & row.latest != 0)
        });
        match view.named[subject as usize] {
            _ if confirmed => Said::Confirmed,
            Some(until) if until <= now => Said::EndedByLimit,
            until => Said::MayStillOpen(until),
        }
    }

    /// Whether this may be done now.
    pub(crate) fn allowed(server: &Server, act: Act) -> bool {
        let row = |subject: Subject| &server.rows[subject as usize];
        match act {
            Act::Refuse(subject) => row(subject).standing == Standing::Admitted,
            Act::Readmit(subject) | Act::Remove(subject) => {
                row(subject).standing == Standing::Refused
            }
            Act::Reissue => {
                row(Subject::AdasCard).refuses()
                    && row(Subject::BobsCard).standing == Standing::Absent
            }
            Act::PutOnList(subject) => {
                row(subject).standing == Standing::Admitted && !row(subject).on_list
            }
            Act::TakeOffList(subject) => row(subject).on_list,
            Act::Import => true,
        }
    }

    /// Carries out what an administrator asked for: one change, one revision, then it is sent.
    pub(crate) fn act(&self, state: &mut State, at: usize, act: Act) {
        let touched = match act {
            Act::Refuse(subject)
            | Act::Readmit(subject)
            | Act::Remove(subject)
            | Act::PutOnList(subject)
            | Act::TakeOffList(subject) => only(subject),
            Act::Reissue => [false, false, true, true],
            Act::Import => [false; 4],
        };
        let entry: Entries = 1 << state.spent.refusals;
        let now = state.now;
        let previous = state.servers[at].position();
        let server = &mut state.servers[at];
        server.commit();
        let version = server.position().version();
        match act {
            Act::Refuse(subject) => {
                state.spent.refusals += 1;
                let row = &mut server.rows[subject as usize];
                row.standing = Standing::Refused;
                row.refused = version;
                row.entries |= entry;
                row.latest = entry;
                let on_own_list = row.on_list;
                for view in &mut server.doors {
                    let bounded = if self.without(Fault::EmergencyListBounded) {
                        true
                    } else if self.without(Fault::EmergencyListOfServer) {
                        !on_own_list
                    } else {
                        !view.maybe_on_list[subject as usize]
                    };
                    // It never moves later: what is answered from now on stands behind this.
                    view.named[subject as usize] =
                        bounded.then_some(view.works_alone_until.max(now));
                }
            }
            Act::Readmit(subject) => {
                let row = &mut server.rows[subject as usize];
                row.standing = Standing::Admitted;
                row.admitted = version;
                state.lifted[subject as usize] |= row.entries;
                for view in &mut server.doors {
                    view.named[subject as usize] = None;
                }
            }
            Act::Remove(subject) => {
                server.rows[subject as usize].standing = Standing::Removed;
            }
            Act::Reissue => {
                let row = &mut server.rows[Subject::BobsCard as usize];
                row.standing = Standing::Admitted;
                row.admitted = version;
                if self.without(Fault::ReissueRevivesFormerHolder) {
                    let row = &mut server.rows[Subject::AdasCard as usize];
                    row.standing = Standing::Admitted;
                    row.admitted = version;
                }
            }
            Act::PutOnList(subject) => {
                let row = &mut server.rows[subject as usize];
                row.on_list = true;
                row.list_revision = version.revision;
                for view in &mut server.doors {
                    view.maybe_on_list[subject as usize] = true;
                }
            }
            Act::TakeOffList(subject) => {
                let row = &mut server.rows[subject as usize];
                row.on_list = false;
                row.list_revision = version.revision;
            }
            Act::Import => {}
        }
        self.publish(state, at, previous, touched);
        if let (Act::Refuse(subject), true) = (act, self.scope.overtaking()) {
            state.send(Message::Refusal {
                subject,
                epoch: previous.epoch,
                version,
                entries: entry,
            });
        }
    }

    fn publish(&self, state: &mut State, at: usize, previous: Position, touched: PerSubject<bool>) {
        let server = &state.servers[at];
        let delta = Message::Delta {
            previous,
            becomes: server.position(),
            touched,
            rows: server.rows,
        };
        state.send(delta);
    }

    /// The server goes on from its backup. It can tell, by what is kept outside the database.
    pub(crate) fn restore(&self, state: &mut State) -> Option<()> {
        let backup = state.backup.clone()?;
        state.spent.branches += 1;
        let mut server = *backup;
        server.branch = state.spent.branches;
        if !self.without(Fault::NoEpoch) {
            let counter = server.epoch.counter + 1;
            state.spent.epochs += 1;
            server.new_epoch(counter, state.spent.epochs);
        }
        state.servers[0] = server;
        Some(())
    }

    /// A second copy of the store is started, and does not know it.
    pub(crate) fn copy(state: &mut State) {
        state.spent.branches += 1;
        let mut copy = state.servers[0].clone();
        copy.branch = state.spent.branches;
        state.servers.push(copy);
    }

    /// An agent greets, and is answered with a whole table unless it has this one.
    ///
    /// Where the history does not continue the door's, it takes a new epoch above every witness's
    /// and takes over every refusal that is shown with the store's signature, before it answers.
    pub(crate) fn greet(&self, state: &mut State, at: usize, greeting: Testimony) -> Option<()> {
        let server = &state.servers[at];
        let mut shown = greeting.entries;
        if !self.without(Fault::UnsignedTestimony) {
            for entries in &mut shown {
                *entries &= !FORGED;
            }
        }
        let unknown: Vec<(Subject, Entries)> = Subject::ALL
            .into_iter()
            .map(|subject| {
                let known = server.rows[subject as usize].entries;
                (subject, shown[subject as usize] & !known)
            })
            .filter(|(_, entries)| *entries != 0)
            .collect();
        let higher = server.revision > greeting.position.revision;
        let goes_on = server.continues(greeting.position) && unknown.is_empty();
        if !(goes_on
            || self.without(Fault::NoEpoch)
            || higher && self.without(Fault::ForkByRevision))
        {
            let witness = greeting.position.epoch.counter;
            if witness >= server.epoch.counter {
                if state.spent.epochs >= self.limits.epochs {
                    return None;
                }
                state.spent.epochs += 1;
                let counter = witness.max(server.epoch.counter) + 1;
                let nonce = state.spent.epochs;
                state.servers[at].new_epoch(counter, nonce);
            }
            if !unknown.is_empty() && !self.without(Fault::TestimonyIgnored) {
                let previous = state.servers[at].position();
                let server = &mut state.servers[at];
                server.commit();
                let version = server.position().version();
                let mut touched = [false; 4];
                for (subject, entries) in unknown {
                    let row = &mut server.rows[subject as usize];
                    if !row.refuses() {
                        row.standing = Standing::Refused;
                    }
                    row.refused = version;
                    row.entries |= entries;
                    row.latest = 0;
                    touched[subject as usize] = true;
                }
                self.publish(state, at, previous, touched);
            }
        }
        let server = &state.servers[at];
        let becomes = server.position();
        if becomes != greeting.position {
            let rows = server.rows;
            state.send(Message::Snapshot {
                greeting,
                becomes,
                rows,
            });
        }
        Some(())
    }

    /// Believes an acknowledgement only of a table of its own history, in its own epoch.
    pub(crate) fn acknowledged(
        &self,
        server: &mut Server,
        agent: usize,
        position: Position,
        above: PerSubject<Entries>,
    ) -> Option<()> {
        let own = position.epoch == server.epoch && server.continues(position);
        if !own && !self.without(Fault::NoEpoch) {
            return None;
        }
        let rows = server.rows;
        let view = &mut server.doors[agent];
        let receipt = match view.receipt {
            Some(old) if old.position.version() > position.version() => return None,
            Some(old) if old.position == position => Receipt {
                position,
                above: std::array::from_fn(|it| old.above[it] | above[it]),
            },
            _ => Receipt { position, above },
        };
        if view.receipt == Some(receipt) {
            return None;
        }
        view.receipt = Some(receipt);
        for (maybe, row) in view.maybe_on_list.iter_mut().zip(rows) {
            if position.revision >= row.list_revision {
                *maybe = row.on_list;
            }
        }
        Some(())
    }

    /// Answers a renewal, behind everything that was committed before the question came.
    pub(crate) fn renew(&self, state: &mut State, agent: usize, asked: Tick) {
        let now = state.now;
        let server = &mut state.servers[0];
        let mut behind = server.position().version();
        if self.without(Fault::StaleNodeRenews) {
            behind.revision = server.node_read;
        }
        if self.without(Fault::RenewalAhead) {
            behind = Version::default();
        }
        let ends = now + self.longest_lease();
        let view = &mut server.doors[agent];
        view.works_alone_until = view.works_alone_until.max(ends);
        state.send(Message::Renewed {
            agent,
            asked,
            behind,
        });
    }

    /// How long a lease may last by the server's clock.
    pub(crate) fn longest_lease(&self) -> Tick {
        if self.without(Fault::NoDriftMargin) {
            LEASE
        } else {
            LEASE + DRIFT
        }
    }

    /// The transaction was sent before it was committed, and is lost with the process.
    pub(crate) fn send_and_crash(&self, state: &mut State, at: usize, act: Act) {
        let before = state.servers[at].clone();
        let lifted = state.lifted;
        state.spent.branches += 1;
        state.servers[at].branch = state.spent.branches;
        self.act(state, at, act);
        state.servers[at] = before;
        state.lifted = lifted;
    }
}

impl Server {
    /// One more revision. Revisions are never used twice within a branch.
    fn commit(&mut self) {
        self.revision += 1;
        self.history.push(self.branch);
    }

    /// Begins an epoch, which is a change like any other.
    fn new_epoch(&mut self, counter: u8, nonce: u8) {
        self.epoch.counter = counter;
        self.epoch.nonce = nonce;
        self.commit();
    }
}

impl Agent {
    /// What it shows when it greets.
    pub(crate) fn greeting(&self) -> Testimony {
        Testimony {
            position: self.memory.position,
            entries: self.memory.tombstone_entries(),
        }
    }
}

/// This subject alone.
fn only(subject: Subject) -> PerSubject<bool> {
    let mut touched = [false; 4];
    touched[subject as usize] = true;
    touched
}
