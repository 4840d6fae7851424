//! The console over real sockets: who gets in, what a stranger's page may not do, what every answer
//! carries, and that it stops.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

mod forms;
mod house;
mod kept;
mod running;
mod sign_in;
mod strangers;
