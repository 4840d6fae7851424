//! What an agent does: it applies in memory first, makes that durable, then acknowledges; it keeps a
//! tombstone for each refusal, and a lease by its own clock.

use super::faults::Fault;
use super::model::{LEASE, Protocol};
use super::state::{
    Agent, Disk, Held, Lease, Message, PerSubject, Position, Power, Row, Standing, State, Subject,
    Tombstone, Version,
};

/// Whether the clock still tells how long the machine was off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum BootClock {
    /// A battery kept it going, and its stop flag is clear.
    Vouched,
    /// It starts at nothing, or where it was last saved.
    NotVouched,
}

/// What a message puts into the table.
enum Update {
    Delta(PerSubject<bool>),
    Snapshot,
}

impl Protocol {
    /// Whether the door opens for this subject now.
    pub(crate) fn admits(&self, agent: &Agent, subject: Subject) -> bool {
        let holder = &agent.memory.rows[subject.holder() as usize];
        let by_table = |subject: Subject| {
            agent.memory.rows[subject as usize].standing == Standing::Admitted
                && agent.memory.tombstones[self.slot(subject)].entries == 0
        };
        let runs =
            self.limits.ticks == 0 || agent.lease.is_some_and(|lease| lease.until > agent.clock);
        agent.power == Power::On
            && by_table(subject)
            && by_table(subject.holder())
            && (runs || holder.on_list)
    }

    /// Where the tombstone of a subject is kept.
    fn slot(&self, subject: Subject) -> usize {
        match subject {
            Subject::BobsCard if self.without(Fault::CardTombstone) => Subject::AdasCard as usize,
            _ => subject as usize,
        }
    }

    /// A message arrives at an agent. Nothing if it changes nothing.
    pub(crate) fn hear(&self, agent: &mut Agent, number: usize, message: &Message) -> Option<()> {
        if agent.power != Power::On {
            return None;
        }
        let own = agent.memory.position;
        match *message {
            Message::Delta {
                previous,
                becomes,
                touched,
                rows,
            } => {
                let follows = previous == own && becomes.epoch == own.epoch;
                if !(follows || self.accepts_wrongly(own, previous, becomes)) {
                    return None;
                }
                self.apply(&mut agent.memory, &Update::Delta(touched), becomes, &rows);
            }
            Message::Snapshot {
                greeting,
                becomes,
                rows,
            } => {
                // An answer to this very greeting. Into another epoch only if every refusal held
                // now had been shown.
                let answers = greeting.position == own
                    && (becomes.epoch == own.epoch
                        || becomes.epoch.counter > own.epoch.counter
                            && greeting.entries == agent.memory.tombstone_entries());
                if !(answers || self.accepts_wrongly(own, greeting.position, becomes)) {
                    return None;
                }
                self.apply(&mut agent.memory, &Update::Snapshot, becomes, &rows);
            }
            Message::Refusal {
                subject,
                epoch,
                version,
                entries,
            } => {
                if epoch != own.epoch || version <= own.version() {
                    return None;
                }
                let tombstone = &mut agent.memory.tombstones[self.slot(subject)];
                let before = *tombstone;
                tombstone.refuse(version, entries);
                if *tombstone == before {
                    return None;
                }
            }
            Message::Renewed {
                agent: to,
                asked,
                behind,
            } => {
                if to != number || own.version() < behind || agent.disk == Disk::Failed {
                    return None;
                }
                let from = if self.without(Fault::LeaseFromReceipt) {
                    agent.clock
                } else {
                    asked
                };
                let until = from + LEASE;
                if agent.lease.is_some_and(|lease| lease.until >= until) {
                    return None;
                }
                agent.lease = Some(Lease { until, behind });
            }
            Message::Acknowledgement { .. } => return None,
        }
        Some(())
    }

    /// Frames that only a faulty agent takes.
    fn accepts_wrongly(&self, own: Position, previous: Position, becomes: Position) -> bool {
        let newer = becomes.revision > own.revision;
        let same_counter = becomes.epoch.counter == own.epoch.counter;
        let older = becomes.version() < own.version();
        let takes_older =
            self.without(Fault::OlderFrames) || self.without(Fault::OlderFramesNoVersions);
        older && takes_older
            || newer && becomes.epoch == own.epoch && self.without(Fault::GapApplied)
            || newer && same_counter && self.without(Fault::ForkByRevision)
            || newer && previous.revision == own.revision && self.without(Fault::NoEpoch)
    }

    fn apply(&self, held: &mut Held, update: &Update, becomes: Position, rows: &PerSubject<Row>) {
        held.position = becomes;
        for subject in Subject::ALL {
            let is_touched = match update {
                Update::Delta(touched) => touched[subject as usize],
                Update::Snapshot => true,
            };
            if !is_touched {
                continue;
            }
            let row = rows[subject as usize];
            held.rows[subject as usize] = row;
            let tombstone = &mut held.tombstones[self.slot(subject)];
            // Deny wins: it falls only to an explicit re-admission that is newer.
            if row.admitted > tombstone.version
                || self.lifts_wrongly(update, &row, tombstone, becomes)
            {
                *tombstone = Tombstone::default();
            }
            let kept = row.standing == Standing::Refused
                || row.standing == Standing::Removed
                    && !self.without(Fault::RemovalForgetsTombstone);
            if kept && !self.without(Fault::NoTombstones) {
                tombstone.refuse(row.refused, row.entries);
            }
        }
    }

    /// Tombstones that only a faulty agent throws away.
    fn lifts_wrongly(
        &self,
        update: &Update,
        row: &Row,
        tombstone: &Tombstone,
        becomes: Position,
    ) -> bool {
        let snapshot = matches!(update, Update::Snapshot);
        let above = tombstone.version > becomes.version();
        let admitted = row.standing == Standing::Admitted;
        admitted && self.without(Fault::OlderFramesNoVersions)
            || admitted
                && row.admitted != Version::default()
                && self.without(Fault::OlderReadmissionLifts)
            || admitted && snapshot && self.without(Fault::SnapshotLifts)
            || above && snapshot && self.without(Fault::OvertakingRefusalDropped)
            || row.standing == Standing::Removed && self.without(Fault::RemovalForgetsTombstone)
    }

    /// Everything in memory is written and synced; then it is acknowledged.
    pub(crate) fn sync(&self, state: &mut State, number: usize) -> Option<()> {
        let agent = &mut state.agents[number];
        if agent.power != Power::On || agent.memory == agent.durable && agent.disk == Disk::Works {
            return None;
        }
        // What a failed sync has dropped, a second one does not write.
        if agent.disk == Disk::Works || !self.without(Fault::FailedSyncRetried) {
            agent.durable = agent.memory;
        }
        agent.disk = Disk::Works;
        agent.highest = agent.highest.max(agent.durable.position.version());
        self.acknowledge(state, number);
        Some(())
    }

    /// Signs what is in memory, which by now is durable.
    pub(crate) fn acknowledge(&self, state: &mut State, number: usize) {
        let held = state.agents[number].memory;
        let version = held.position.version();
        let above = held.tombstones.map(|tombstone| {
            if tombstone.version > version {
                tombstone.entries
            } else {
                0
            }
        });
        state.send(Message::Acknowledgement {
            agent: number,
            position: held.position,
            above,
        });
    }

    /// A sync fails. The refusals stay in memory, the lease is void, and nothing is acknowledged
    /// before a whole new generation is written.
    pub(crate) fn sync_fails(&self, agent: &mut Agent) -> Option<()> {
        if agent.power != Power::On || agent.memory == agent.durable {
            return None;
        }
        if self.without(Fault::FailedSyncFallsBack) {
            agent.memory = agent.durable;
        } else {
            agent.disk = Disk::Failed;
            agent.lease = None;
        }
        Some(())
    }

    /// The process ends and starts again, within one boot.
    pub(crate) fn restart(&self, agent: &mut Agent) -> Option<()> {
        if agent.power != Power::On {
            return None;
        }
        self.start_from_disk(agent);
        Some(())
    }

    /// The machine starts again. The lease is void, unless a clock vouches for the time between.
    pub(crate) fn boot(&self, agent: &mut Agent, clock: BootClock) -> Option<()> {
        let Power::Off { saved } = agent.power else {
            return None;
        };
        agent.power = Power::On;
        self.start_from_disk(agent);
        if clock == BootClock::NotVouched {
            if self.without(Fault::SavedClockTrusted) {
                agent.clock = saved;
            } else {
                agent.lease = None;
            }
            if self.without(Fault::LeaseAfreshAtBoot) {
                let behind = agent.durable.position.version();
                let until = agent.clock + LEASE;
                agent.lease = Some(Lease { until, behind });
            }
        }
        Some(())
    }

    /// A lease stands only over the table it was granted behind.
    fn start_from_disk(&self, agent: &mut Agent) {
        agent.memory = agent.durable;
        agent.disk = Disk::Works;
        let reached = agent.durable.position.version();
        if !self.without(Fault::LeaseOverOlderTable) {
            agent.lease = agent.lease.filter(|lease| lease.behind <= reached);
        }
    }
}

impl Tombstone {
    fn refuse(&mut self, version: Version, entries: super::state::Entries) {
        self.version = self.version.max(version);
        self.entries |= entries;
    }
}
