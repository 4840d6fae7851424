//! What an agent makes durable, and what becomes of it.

use offgate_agent::pieces::{DiskState, Durable, Keep, RETRY, Written};
use offgate_link::agent_end::Input;

use crate::faults::DeliberateFault;
use crate::story::About;
use crate::world::{Event, MILLI, SECOND, World};

impl World {
    /// Hands over what is to be kept.
    pub(super) fn keep(&mut self, a: usize, keep: Keep) {
        let early = self.has(DeliberateFault::AcknowledgedBeforeSync);
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
    pub(super) fn disk_goes_on(&mut self, a: usize) {
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

    pub(super) fn disk_said(&mut self, a: usize, said: Vec<Durable>) {
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
                Durable::Failing if fault == Some(DeliberateFault::FailedSyncFallsBack) => {
                    self.falls_back(a);
                }
                Durable::Failing => process.judge.disk(DiskState::Fails),
            }
            self.tell_of_disk(a);
        }
    }

    /// Tells the agent's end of a conversation what is durable.
    pub(super) fn is_durable(&mut self, a: usize, written: Written) {
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
}
