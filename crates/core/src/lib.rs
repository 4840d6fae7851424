//! The rules of Offgate, and nothing else.
//!
//! Owns: people, credentials, doors, policies, schedules; who may do what; the lifecycle; the
//! compiled table of a door and the door's decision with its reason. All of it is pure functions
//! over values: a command and the records go in, a refusal or a list of changes comes out.
//!
//! Refuses to know: async, SQL, HTTP, files, sockets, the clock and randomness (both are
//! parameters, see [`parameters`]).

pub mod actor;
pub mod agent;
pub mod alert;
pub mod backup;
pub mod calendar;
pub mod change;
pub mod checkpoint;
pub mod command;
pub mod confirmation;
pub mod credential;
pub mod decide;
pub mod disagreement;
pub mod door_event;
pub mod door_position;
pub mod ending;
pub mod fail_mode;
pub mod fault;
pub mod id;
pub mod keeping;
pub mod log;
pub mod log_proof;
pub mod longer_limit;
pub mod mail;
pub mod memory;
pub mod operator;
pub mod outage;
pub mod parameters;
pub mod pin;
pub mod place;
pub mod policy;
pub mod question;
pub mod records;
pub mod refusal;
pub mod ruling;
pub mod server_address;
pub mod server_key;
pub mod speed;
pub mod table;
pub mod text;
pub mod tree;
pub mod user;
pub mod webhook;

pub use decide::{Decision, decide};
