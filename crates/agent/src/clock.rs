//! The two clocks of an agent: one that only counts (leases, keypad delays), and the time of day
//! with whether it is to be believed (schedules).

use std::sync::OnceLock;
use std::time::Duration;

use offgate_core::parameters::{Boot, Timestamp};
use offgate_core::table::admission::ClockTrust;

/// A clock that counts from the start of the machine, also while it sleeps, and is set by nobody.
pub trait BootClock: Send + Sync {
    /// The time since the machine was started.
    fn now(&self) -> Duration;

    /// Which start of the machine it is; none where that cannot be told. Then no lease outlives the
    /// process.
    fn boot(&self) -> Option<Boot> {
        None
    }
}

/// The boot clock of the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelBootClock;

impl BootClock for KernelBootClock {
    fn now(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // Never negative since boot, and never a billion nanoseconds.
        Duration::new(
            u64::try_from(time.tv_sec).unwrap_or(0),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        )
    }

    /// As Linux tells it (`random(4)`).
    fn boot(&self) -> Option<Boot> {
        static BOOT: OnceLock<Option<Boot>> = OnceLock::new();
        *BOOT.get_or_init(|| {
            let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
            let digits = text.trim().replace('-', "");
            let bytes = data_encoding::HEXLOWER.decode(digits.as_bytes()).ok()?;
            Some(Boot(bytes.try_into().ok()?))
        })
    }
}

/// How far the time of day may be from the server's and still be believed.
const TOLERANCE: Duration = Duration::from_secs(300);

/// Whether the time of day is believed: only while it goes on from an instant at which it agreed
/// with the server, which is the one party whose time the schedules were written by.
///
/// An agent that was never told the time since its start believes no clock: a board without a
/// battery comes up in some other year, and a rule by the clock must not open a door then. Rules
/// without a time go on, and so does the lease, which needs no time of day.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WallTrust {
    /// The server's time, and what the boot clock said then.
    told: Option<(Timestamp, Duration)>,
}

impl WallTrust {
    /// The server said what time it is.
    pub(crate) fn told(&mut self, server: Timestamp, boot: Duration) {
        self.told = Some((server, boot));
    }

    /// Whether `wall` is to be believed: it is within five minutes of the server's last word and
    /// the time that has passed since by the boot clock.
    pub(crate) fn of(&self, wall: Timestamp, boot: Duration) -> ClockTrust {
        let Some((server, then)) = self.told else {
            return ClockTrust::Untrusted;
        };
        let expected = server.plus(boot.saturating_sub(then));
        let apart = wall.since(expected).max(expected.since(wall));
        if apart <= TOLERANCE {
            ClockTrust::Trusted
        } else {
            ClockTrust::Untrusted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_goes_forward() {
        let first = KernelBootClock.now();
        assert!(first > Duration::ZERO);
        assert!(KernelBootClock.now() >= first);
    }

    #[test]
    fn a_time_of_day_that_jumps_is_not_believed() {
        let seconds = Timestamp::from_seconds;
        let boot = Duration::from_secs;
        let mut trust = WallTrust::default();
        assert_eq!(trust.of(seconds(1_000_000), boot(5)), ClockTrust::Untrusted);
        trust.told(seconds(1_000_000), boot(5));
        assert_eq!(trust.of(seconds(1_000_300), boot(5)), ClockTrust::Trusted);
        assert_eq!(trust.of(seconds(1_000_301), boot(5)), ClockTrust::Untrusted);
        assert_eq!(trust.of(seconds(999_699), boot(5)), ClockTrust::Untrusted);
        assert_eq!(
            trust.of(seconds(1_086_400), boot(86_405)),
            ClockTrust::Trusted
        );
        assert_eq!(
            trust.of(seconds(1_000_000), boot(86_405)),
            ClockTrust::Untrusted
        );
    }
}
