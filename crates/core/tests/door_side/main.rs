//! A door's table and decision: against a naive reading of the policies, in any order, and under
//! any sequence of commands.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

mod decisions;
mod generated;
mod naive;
mod organisation;
