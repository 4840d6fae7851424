//! The real program, run as somebody at a terminal runs it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

mod agents;
mod alerts;
mod audit;
mod backup;
mod command_line;
mod cut;
mod demo;
mod drill;
mod erasure;
mod full_disk;
mod keys;
mod kills;
mod mail;
mod real;
mod server;
mod support;
mod wire;
