//! What runs beside the doors and decides without the server.
//!
//! Owns: the table and the door events on disk (`disk`), the thread that decides (`decisions`),
//! the lease, the clocks ([`clock`]), readers ([`reader`]) and strikes ([`strike`]).
//!
//! Refuses to know: the server, the console, how the table is compiled.

pub mod clock;
mod decisions;
mod disk;
mod events;
mod identity_file;
mod join;
mod lock;
mod network;
mod positions;
pub mod reader;
mod run;
mod servers;
mod session;
pub mod status;
pub mod strike;
mod table_changes;
mod witness;

/// What an agent is made of, without its threads and sockets: for the simulation, which takes the
/// place of those and has time of its own.
pub mod pieces {
    pub use crate::decisions::{Changed, DiskState, EntryChange, Judge, Look, Surroundings};
    pub use crate::disk::book::{Book, Durable, Keep, RETRY, Written};
    pub use crate::disk::frame::RowChange;
    pub use crate::disk::lease_file::KeptLease;
    pub use crate::disk::snapshot::{Contents, Position, RowKey, Rows};
    pub use crate::disk::table_files::{Found, TableFiles};
    pub use crate::disk::{Disk, DiskFile};
    pub use crate::table_changes::{beside, delta, hold, rebuild, whole};
    pub use crate::witness::Witness;
}

pub use identity_file::has_joined;
pub use run::{AgentError, EVENTS_KEPT, Parameters, ReaderKind, Settings, run};
