//! The real clock and the real randomness. Everything else takes them as parameters, so this is
//! the only file in the project that asks the operating system for either.

use std::time::{SystemTime, UNIX_EPOCH};

use offgate_agent::clock::{BootClock as _, KernelBootClock};
use offgate_core::parameters::{Clock, Randomness, Timestamp, Uptime};

/// The clock of this machine.
#[derive(Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that others are given"
    )]
    fn now(&self) -> Timestamp {
        let now = SystemTime::now();
        // A clock before 1970 is wrong, and `doctor` says so; here it only must not end the program.
        let microseconds = match now.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |number| -number)
            }
        };
        Timestamp::from_microseconds(microseconds)
    }

    fn uptime(&self) -> Option<Uptime> {
        Some(Uptime {
            boot: KernelBootClock.boot()?,
            since: KernelBootClock.now(),
        })
    }
}

/// The operating system's randomness, at every draw: a generator of this process's own would take a
/// while to be seeded, at every command, and a copy of the machine would draw the same.
#[derive(Debug, Default)]
pub(crate) struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            // Guessable keys would be worse than no server, and no caller could do anything else.
            tracing::error!("the operating system gives no random bytes; stopping");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_past_the_day_this_was_written() {
        assert!(SystemClock.now() > Timestamp::from_seconds(1_760_000_000));
    }

    #[test]
    fn two_draws_differ() {
        let randomness = SystemRandomness;
        let mut draws = [[0_u8; 16]; 2];
        for draw in &mut draws {
            randomness.fill(draw);
        }
        assert_ne!(draws[0], draws[1]);
    }
}
