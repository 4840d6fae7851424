//! The simulation: one server, up to eight agents, a network, operators and people in one thread,
//! all from one seed.
//!
//! The product's own pieces run in it: the codec, both ends of the link, the rules, the projection,
//! the table, the decision, the disk's format. What is simulated is what is around them: machines,
//! clocks, disks, the network, and whoever does something. `ARCHITECTURE.md` says how to add a
//! situation, an invariant, and a fault.
//!
//! Nothing ships from here, and only the benchmarks see it.

mod agents;
mod books;
mod commands;
mod counters;
mod disk;
mod ending;
mod faults;
mod keys;
mod network;
mod oracle;
mod random;
mod servers;
mod situations;
mod story;
mod world;
mod wrong_backup;

pub use counters::Counters;
pub use faults::DeliberateFault;
pub use story::Telling;
pub use world::{Ran, run};
