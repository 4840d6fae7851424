//! What happened at the doors, kept until the server has it.
//!
//! Owns: the ring on disk ([`ring`]) and what is routine. Refuses to know: how events travel.

pub(crate) mod ring;
mod slot;
