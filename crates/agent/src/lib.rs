//! What runs beside the doors and decides without the server.
pub mod disk;
mod events;
