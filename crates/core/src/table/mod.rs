//! What a door knows: entries compiled on the server, and the decision made from them.
pub mod admission;
pub mod compile;
pub mod entry;
