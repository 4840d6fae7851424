//! How an agent is, for whoever may read its folder.

use offgate_core::id::AgentId;
use offgate_core::parameters::Revision;

/// How an agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which agent; none before it has joined.
    pub agent: Option<AgentId>,
    /// Whether it hears the server.
    pub link: LinkState,
    /// Its table.
    pub table: TableState,
    /// For how many more seconds the door with the shortest lease decides without the server.
    pub lease_seconds: u64,
    /// Events that the server does not have yet.
    pub events_waiting: u64,
    /// Events that it will never have.
    pub events_lost: u64,
}

/// Whether the server is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It is.
    Connected,
    /// It is looked for.
    Searching,
    /// The server that was found shows a history that does not continue what this agent has seen:
    /// nothing is taken from it.
    Doubted,
}

/// The state of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableState {
    /// There is none: every way in refuses.
    Missing,
    /// In memory and on disk.
    Durable(Revision),
    /// In memory; not on disk yet, or the disk fails.
    NotDurable(Revision),
}
