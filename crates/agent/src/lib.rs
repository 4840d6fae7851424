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
pub mod reader;
mod run;
mod servers;
mod session;
pub mod status;
pub mod strike;
mod witness;

pub use identity_file::has_joined;
pub use run::{AgentError, EVENTS_KEPT, Parameters, ReaderKind, Settings, run};
