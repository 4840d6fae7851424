//! What happened at the doors, kept until the server has it.
//!
//! Owns: the ring on disk ([`ring`]) and the thread that
//! writes it ([`recorder`]). Refuses to know: what events mean, and how they travel.

pub(crate) mod recorder;
pub(crate) mod ring;
mod slot;
