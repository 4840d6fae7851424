//! Which steps there are, and when.

use stateright::{Model, Property};

use super::agent::BootClock;
use super::faults::Fault;
use super::properties::{Claim, Situation};
use super::scopes::{Act, Limits, Scope};
use super::server::Said;
use super::state::{
    Agent, Disk, DoorView, Epoch, FORGED, Held, Lease, Message, Position, Power, Row, Server,
    Spent, Standing, State, Subject, Tick, Tombstone, Version,
};

/// How long a lease is.
pub(crate) const LEASE: Tick = 2;
/// How far a clock may fall behind meanwhile.
pub(crate) const DRIFT: Tick = 1;

/// The protocol within a scope, complete or with one rule taken away.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) scope: Scope,
    pub(crate) limits: Limits,
    fault: Option<Fault>,
    claims: Vec<Claim>,
    situations: Vec<Situation>,
}

/// Whether an agent's clock keeps up with the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pace {
    Even,
    Slow,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Act { server: usize, act: Act },
    SendAndCrash { act: Act },
    Backup,
    Restore,
    Copy,
    Greet { agent: usize, server: usize },
    Lie { agent: usize },
    ToAgent { agent: usize, message: Message },
    ToServer { server: usize, message: Message },
    Sync { agent: usize },
    SyncFails { agent: usize },
    Restart { agent: usize },
    PowerCut { agent: usize },
    Boot { agent: usize, clock: BootClock },
    Renew { agent: usize },
    NodeReads,
    Tick(Pace),
}

impl Protocol {
    /// All that a scope claims and must reach, with every rule in force.
    pub(crate) fn complete(scope: Scope) -> Self {
        Self {
            scope,
            limits: scope.limits(),
            fault: None,
            claims: scope.claims().to_vec(),
            situations: scope.situations().to_vec(),
        }
    }

    /// One rule taken away, and the claims to look at.
    pub(crate) fn broken(scope: Scope, fault: Fault, claims: &[Claim]) -> Self {
        Self {
            fault: Some(fault),
            ..Self::complete(scope).only(claims)
        }
    }

    /// The same, looking at these claims only.
    pub(crate) fn only(self, claims: &[Claim]) -> Self {
        Self {
            claims: claims.to_vec(),
            situations: Vec::new(),
            ..self
        }
    }

    /// Whether this rule was taken away.
    pub(crate) fn without(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let position = Position {
            epoch: Epoch {
                counter: 1,
                nonce: 0,
            },
            revision: 0,
            branch: 0,
        };
        let row = Row {
            standing: Standing::Admitted,
            refused: Version::default(),
            admitted: Version::default(),
            entries: 0,
            latest: 0,
            on_list: false,
            list_revision: 0,
        };
        let mut rows = [row; 4];
        rows[Subject::BobsCard as usize].standing = Standing::Absent;
        let held = Held {
            position,
            rows,
            tombstones: [Tombstone::default(); 4],
        };
        // Everybody starts with a renewal that was just answered.
        let agent = Agent {
            memory: held,
            durable: held,
            highest: position.version(),
            disk: Disk::Works,
            power: Power::On,
            clock: 0,
            slow_by: 0,
            lease: Some(Lease {
                until: LEASE,
                behind: position.version(),
            }),
        };
        let view = DoorView {
            receipt: None,
            works_alone_until: self.longest_lease(),
            named: [None; 4],
            maybe_on_list: [false; 4],
        };
        let agents = usize::from(self.limits.agents);
        vec![State {
            servers: vec![Server {
                epoch: position.epoch,
                revision: 0,
                branch: 0,
                history: vec![0],
                rows,
                doors: vec![view; agents],
                node_read: 0,
            }],
            backup: None,
            agents: vec![agent; agents],
            network: Vec::new(),
            now: 0,
            spent: Spent::default(),
            confirmed: vec![[0; 4]; agents],
            lifted: [0; 4],
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        let limits = &self.limits;
        let spent = &state.spent;
        for server in 0..state.servers.len() {
            if spent.changes < limits.changes {
                for act in self.scope.acts() {
                    if Self::allowed(&state.servers[server], *act) {
                        steps.push(Step::Act { server, act: *act });
                        if self.without(Fault::SentBeforeCommit) {
                            steps.push(Step::SendAndCrash { act: *act });
                        }
                    }
                }
            }
            for message in &state.network {
                if matches!(message, Message::Acknowledgement { .. }) {
                    steps.push(Step::ToServer {
                        server,
                        message: *message,
                    });
                }
            }
        }
        if limits.restores > 0 && state.backup.is_none() {
            steps.push(Step::Backup);
        }
        if spent.branches < limits.restores && state.backup.is_some() {
            steps.push(Step::Restore);
        }
        if state.servers.len() == 1 && limits.copies > 0 {
            steps.push(Step::Copy);
        }
        if self.without(Fault::StaleNodeRenews) {
            steps.push(Step::NodeReads);
        }
        for agent in 0..state.agents.len() {
            for message in &state.network {
                if !matches!(message, Message::Acknowledgement { .. }) {
                    steps.push(Step::ToAgent {
                        agent,
                        message: *message,
                    });
                }
            }
            steps.push(Step::Sync { agent });
            if spent.greetings < limits.greetings {
                for server in 0..state.servers.len() {
                    steps.push(Step::Greet { agent, server });
                }
            }
            if spent.forgeries < limits.forgeries {
                steps.push(Step::Lie { agent });
            }
            if spent.failed_syncs < limits.failed_syncs {
                steps.push(Step::SyncFails { agent });
            }
            if spent.restarts < limits.restarts {
                steps.push(Step::Restart { agent });
            }
            if spent.power_cuts < limits.power_cuts {
                steps.push(Step::PowerCut { agent });
            }
            if state.agents[agent].power != Power::On {
                for clock in [BootClock::Vouched, BootClock::NotVouched] {
                    steps.push(Step::Boot { agent, clock });
                }
            }
            if spent.renewals < limits.renewals {
                steps.push(Step::Renew { agent });
            }
        }
        if state.now < limits.ticks {
            steps.push(Step::Tick(Pace::Even));
            steps.push(Step::Tick(Pace::Slow));
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Act { server, act } => {
                state.spent.changes += 1;
                self.act(&mut state, server, act);
            }
            Step::SendAndCrash { act } => {
                state.spent.changes += 1;
                self.send_and_crash(&mut state, 0, act);
            }
            Step::Backup => state.backup = Some(Box::new(state.servers[0].clone())),
            Step::Restore => self.restore(&mut state)?,
            Step::Copy => Self::copy(&mut state),
            Step::Greet { agent, server } => {
                if state.agents[agent].power != Power::On {
                    return None;
                }
                let greeting = state.agents[agent].greeting();
                self.greet(&mut state, server, greeting)?;
                if state.network == last.network {
                    return None;
                }
                state.spent.greetings += 1;
            }
            Step::Lie { agent } => {
                let mut greeting = state.agents[agent].greeting();
                greeting.entries[Subject::Bob as usize] |= FORGED;
                self.greet(&mut state, 0, greeting)?;
                if state.servers == last.servers {
                    return None;
                }
                state.spent.forgeries += 1;
            }
            Step::ToAgent { agent, message } => {
                self.hear(&mut state.agents[agent], agent, &message)?;
                if state.agents == last.agents {
                    return None;
                }
                if self.without(Fault::AcknowledgedBeforeSync) {
                    self.acknowledge(&mut state, agent);
                }
            }
            Step::ToServer { server, message } => {
                let Message::Acknowledgement {
                    agent,
                    position,
                    above,
                } = message
                else {
                    return None;
                };
                self.acknowledged(&mut state.servers[server], agent, position, above)?;
            }
            Step::Sync { agent } => self.sync(&mut state, agent)?,
            Step::SyncFails { agent } => {
                state.spent.failed_syncs += 1;
                self.sync_fails(&mut state.agents[agent])?;
            }
            Step::Restart { agent } => {
                self.restart(&mut state.agents[agent])?;
                if state.agents == last.agents {
                    return None;
                }
                state.spent.restarts += 1;
            }
            Step::PowerCut { agent } => {
                state.spent.power_cuts += 1;
                let agent = &mut state.agents[agent];
                if agent.power != Power::On {
                    return None;
                }
                agent.power = Power::Off { saved: agent.clock };
            }
            Step::Boot { agent, clock } => self.boot(&mut state.agents[agent], clock)?,
            Step::Renew { agent } => {
                if state.agents[agent].power != Power::On {
                    return None;
                }
                state.spent.renewals += 1;
                let asked = state.agents[agent].clock;
                self.renew(&mut state, agent, asked);
            }
            Step::NodeReads => {
                let server = &mut state.servers[0];
                if server.node_read == server.revision {
                    return None;
                }
                server.node_read = server.revision;
            }
            Step::Tick(pace) => {
                state.now += 1;
                for agent in &mut state.agents {
                    if pace == Pace::Even {
                        agent.clock += 1;
                    } else if agent.slow_by < DRIFT {
                        agent.slow_by += 1;
                    } else {
                        return None;
                    }
                }
            }
        }
        self.remember(&mut state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let claims = self.claims.iter().map(|claim| claim.property());
        let situations = self.situations.iter().map(|situation| situation.property());
        claims.chain(situations).collect()
    }
}

impl Protocol {
    /// The judge remembers what consoles have called confirmed.
    fn remember(&self, state: &mut State) {
        for server in &state.servers {
            for (door, confirmed) in state.confirmed.iter_mut().enumerate() {
                for subject in Subject::ALL {
                    if self.said(server, door, subject, state.now) == Said::Confirmed {
                        confirmed[subject as usize] |= server.rows[subject as usize].entries;
                    }
                }
            }
        }
    }
}
