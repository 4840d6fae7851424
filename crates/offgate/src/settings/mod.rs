//! Settings: flags over environment over one TOML file over defaults.
//!
//! Owns both forms, the raw one that is written and the resolved one that applies; refuses to know
//! what is done with them.

mod address;
mod layers;
mod raw;
mod resolved;

pub(crate) use address::server_address;
pub(crate) use raw::{RawAgent, RawServer};
pub(crate) use resolved::{Config, Flags, Join, Program, ReaderKind};
