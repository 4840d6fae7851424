//! What a server and a door's agent say to each other.
//!
//! Owns: frames, messages and their one encoding, both ends of the conversation as state machines,
//! signed acknowledgements, and the certificates by which the two know each other.
//!
//! Refuses to know: sockets, SQL, HTTP, async, files and the clock. A runtime hands inputs in and
//! carries outputs out; the same machines run in the simulation.

pub mod acknowledgement;
pub mod agent_end;
pub mod chain;
pub mod frame;
pub mod history;
pub mod identity;
pub mod join_token;
pub mod log_key;
pub mod log_proof;
pub mod message;
pub mod proof;
pub mod question;
pub mod reconnect;
pub mod server_end;

/// The version of the protocol this build speaks.
pub const PROTOCOL: u16 = 1;

/// A connection is dead when nothing was heard on it for this long.
pub const SILENCE: std::time::Duration = std::time::Duration::from_secs(15);

/// Each end says something at least this often.
pub const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(5);
