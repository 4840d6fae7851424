//! How long to wait before the next try to connect.

use std::time::Duration;

/// The first wait is below this.
const FIRST: Duration = Duration::from_millis(500);
/// No wait is above this.
const LONGEST: Duration = Duration::from_secs(30);

/// The wait before the next try after `failures` in a row: anywhere between nothing and a bound
/// that doubles up to 30 seconds ("full jitter"), so that a thousand agents which lost one server
/// do not come back in one instant. `random` is any number, evenly spread.
#[must_use]
pub fn wait(failures: u32, random: u64) -> Duration {
    let bound = FIRST.saturating_mul(1 << failures.min(10)).min(LONGEST);
    let nanoseconds = bound.as_nanos().saturating_mul(u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        assert_eq!(wait(0, 0), Duration::ZERO);
        assert!(wait(0, u64::MAX) <= FIRST);
        assert!(wait(3, u64::MAX) > Duration::from_secs(3));
        assert!(wait(u32::MAX, u64::MAX) <= LONGEST);
    }

    #[test]
    fn a_thousand_agents_come_back_spread_out() {
        let mut buckets = [0; 10];
        for agent in 0..1000_u64 {
            let random = agent.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let wait = wait(6, random);
            buckets[(wait.as_millis() * 10 / 30_001) as usize] += 1;
        }
        assert!(
            buckets.iter().all(|count| (60..=140).contains(count)),
            "{buckets:?}"
        );
    }
}
