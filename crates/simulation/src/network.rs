//! Connections between agents and servers: streams of bytes that arrive late and in order, until
//! they are cut.
//!
//! A stream loses nothing: what is lost is the connection. What is under way when it is cut is
//! gone; what was sent on an earlier connection may still be under way while a new one stands.

use offgate_link::frame;

use crate::random::Random;
use crate::world::{Event, MILLI, World};

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) agent: usize,
    /// Which process of the agent.
    pub(crate) process: u64,
    pub(crate) node: usize,
    /// Whether each end still takes what arrives.
    pub(crate) server_open: bool,
    pub(crate) agent_open: bool,
    /// When what was sent last arrives.
    to_server: u64,
    to_agent: u64,
}

/// How an agent's network is.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The least time a message takes.
    pub(crate) latency: u64,
    /// Until then nothing gets to the server, or to the agent.
    pub(crate) no_way_up_before: u64,
    pub(crate) no_way_down_before: u64,
    /// Until then messages take far longer.
    pub(crate) slow_before: u64,
}

/// How much longer than the least time a message may take, ordinarily.
pub(crate) const JITTER: u64 = 10 * MILLI;

impl Connection {
    /// When all that was sent has arrived.
    pub(crate) fn arrived_by(&self) -> u64 {
        self.to_server.max(self.to_agent)
    }
}

impl Line {
    pub(crate) const fn new(random: &mut Random) -> Self {
        Self {
            latency: random.between(MILLI, 60 * MILLI),
            no_way_up_before: 0,
            no_way_down_before: 0,
            slow_before: 0,
        }
    }
}

impl World {
    /// A new connection; none if nothing gets through.
    pub(crate) fn dial(&mut self, agent: usize, process: u64, node: usize) -> Option<u64> {
        let line = &self.agents[agent].line;
        if line.no_way_up_before.max(line.no_way_down_before) > self.now || !self.nodes[node].up {
            return None;
        }
        let number = self.next_connection;
        self.next_connection += 1;
        self.connections.insert(
            number,
            Connection {
                agent,
                process,
                node,
                server_open: true,
                agent_open: true,
                to_server: self.now,
                to_agent: self.now,
            },
        );
        Some(number)
    }

    fn takes(&mut self, agent: usize) -> u64 {
        let (latency, slow) = {
            let line = &self.agents[agent].line;
            (line.latency, line.slow_before > self.now)
        };
        let slowness = if slow {
            self.random.between(200 * MILLI, 4_000 * MILLI)
        } else {
            0
        };
        latency + self.random.below(JITTER) + slowness
    }

    /// Sends a message's frame to the server.
    pub(crate) fn send_up(&mut self, number: u64, message: &[u8]) {
        let Some(agent) = self.connections.get(&number).map(|it| it.agent) else {
            return;
        };
        let takes = self.takes(agent);
        let earliest = (self.now + takes).max(self.agents[agent].line.no_way_up_before);
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.to_server = connection.to_server.max(earliest);
            let when = connection.to_server;
            self.counters.messages += 1;
            self.deliver(message, when, |piece| Event::AtServer(number, piece));
        }
    }

    /// Sends a message's frame to the agent.
    pub(crate) fn send_down(&mut self, number: u64, message: &[u8]) {
        let Some(agent) = self.connections.get(&number).map(|it| it.agent) else {
            return;
        };
        let takes = self.takes(agent);
        let earliest = (self.now + takes).max(self.agents[agent].line.no_way_down_before);
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.to_agent = connection.to_agent.max(earliest);
            let when = connection.to_agent;
            self.counters.messages += 1;
            self.deliver(message, when, |piece| Event::AtAgent(number, piece));
        }
    }

    #[expect(clippy::expect_used, reason = "no message here is as long as a frame")]
    fn deliver(&mut self, message: &[u8], when: u64, event: impl Fn(Vec<u8>) -> Event) {
        let mut bytes = frame::encode(message).expect("a short message");
        if self.random.one_in(8) {
            let middle = usize::try_from(self.random.below(bytes.len() as u64)).unwrap_or(0);
            let rest = bytes.split_off(middle);
            self.at(when, event(bytes));
            self.at(when, event(rest));
        } else {
            self.at(when, event(bytes));
        }
    }

    /// The server's end goes; the agent learns of it behind what was sent before.
    pub(crate) fn close_at_server(&mut self, number: u64) {
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.server_open = false;
            let when = connection.to_agent;
            self.at(when, Event::AgentCut(number));
        }
    }

    /// The agent's end goes; the server learns of it behind what was sent before.
    pub(crate) fn close_at_agent(&mut self, number: u64) {
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.agent_open = false;
            let when = connection.to_server;
            self.at(when, Event::ServerCut(number));
        }
    }

    /// Forgets connections that are over at both ends.
    pub(crate) fn sweep(&mut self) {
        self.connections
            .retain(|_, connection| connection.server_open || connection.agent_open);
    }
}
