//! What happened at the doors, kept until the server has it.
//!
//! Owns: the events, which of them are routine, the ring on disk ([`ring`]) and the thread that
//! writes it ([`recorder`]). Refuses to know: how events travel.

pub(crate) mod event;
pub(crate) mod recorder;
pub(crate) mod ring;
mod slot;
