//! Slows whoever tries passwords: a growing wait per account and per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offgate_core::id::OperatorId;
use offgate_core::parameters::Timestamp;

/// Wrong tries that cost nothing, for an account and for an address (behind one, many people).
const FREE_FOR_ACCOUNT: u32 = 5;
const FREE_FOR_ADDRESS: u32 = 25;
/// The longest wait. Bounded, so that nobody can keep an owner out for long.
const LONGEST: Duration = Duration::from_secs(60);
/// Tries of longer ago than this are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);
/// How many accounts and addresses are remembered.
const REMEMBERED: usize = 10_000;

/// Whose tries are counted.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    /// An account, by its folded e-mail address, whether there is one or not.
    Account(String),
    /// Somebody signed in who is asked again.
    Again(OperatorId),
    /// Where the tries come from: an IPv4 address, or the network of an IPv6 one.
    Address(IpAddr),
}

impl Whose {
    /// Everybody behind one address; of IPv6, everybody in its /64, which is one household's.
    pub(super) fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let network = u128::from(address) & (u128::MAX << 64);
                IpAddr::V6(network.into())
            }
        })
    }
}

struct Tries {
    wrong: u32,
    last: Timestamp,
}

/// Counts wrong tries.
#[derive(Default)]
pub(crate) struct Throttle {
    tries: Mutex<HashMap<Whose, Tries>>,
}

impl Throttle {
    fn tries(&self) -> MutexGuard<'_, HashMap<Whose, Tries>> {
        // Counts are whole numbers; a panic elsewhere leaves none half written.
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long they have to wait before the next try.
    pub(super) fn wait(&self, whose: &Whose, now: Timestamp) -> Duration {
        let tries = self.tries();
        let Some(found) = tries.get(whose) else {
            return Duration::ZERO;
        };
        let free = match whose {
            Whose::Account(_) | Whose::Again(_) => FREE_FOR_ACCOUNT,
            Whose::Address(_) => FREE_FOR_ADDRESS,
        };
        let Some(over) = found.wrong.checked_sub(free) else {
            return Duration::ZERO;
        };
        let wait = Duration::from_secs(1 << over.min(6)).min(LONGEST);
        wait.saturating_sub(now.since(found.last))
    }

    /// Notes a try before it is looked at, as if it were wrong: of many at once, each counts.
    pub(super) fn tried(&self, whose: Whose, now: Timestamp) {
        let mut tries = self.tries();
        if tries.len() >= REMEMBERED {
            tries.retain(|_, tries| now.since(tries.last) < FORGET_AFTER);
            let oldest = tries.iter().min_by_key(|(_, tries)| tries.last);
            if tries.len() >= REMEMBERED
                && let Some(oldest) = oldest.map(|(whose, _)| whose.clone())
            {
                tries.remove(&oldest);
            }
        }
        let entry = tries.entry(whose).or_insert(Tries {
            wrong: 0,
            last: now,
        });
        // A minute of rest forgives one: whoever tries once a minute keeps nobody out.
        let rested = now.since(entry.last).as_secs() / LONGEST.as_secs();
        let rested = u32::try_from(rested).unwrap_or(u32::MAX);
        entry.wrong = entry.wrong.saturating_sub(rested);
        entry.wrong = entry.wrong.saturating_add(1);
        entry.last = now;
    }

    /// Takes a try back: it was right.
    pub(super) fn right(&self, whose: &Whose) {
        let mut tries = self.tries();
        match whose {
            Whose::Account(_) | Whose::Again(_) => {
                tries.remove(whose);
            }
            // Others come from the same address.
            Whose::Address(_) => {
                if let Some(found) = tries.get_mut(whose) {
                    found.wrong = found.wrong.saturating_sub(1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_end() {
        let throttle = Throttle::default();
        let whose = Whose::Account("owner@example.com".to_owned());
        let at = Timestamp::from_seconds;
        for _ in 0..5 {
            assert_eq!(throttle.wait(&whose, at(0)), Duration::ZERO);
            throttle.tried(whose.clone(), at(0));
        }
        assert_eq!(throttle.wait(&whose, at(0)), Duration::from_secs(1));
        assert_eq!(throttle.wait(&whose, at(1)), Duration::ZERO);
        for _ in 0..20 {
            throttle.tried(whose.clone(), at(1));
        }
        assert_eq!(throttle.wait(&whose, at(1)), LONGEST);
        throttle.right(&whose);
        assert_eq!(throttle.wait(&whose, at(1)), Duration::ZERO);
    }

    #[test]
    fn a_try_a_minute_keeps_nobody_out() {
        let throttle = Throttle::default();
        let whose = Whose::Account("owner@example.com".to_owned());
        for minute in 0..1_000 {
            let now = Timestamp::from_seconds(minute * 61);
            assert_eq!(
                throttle.wait(&whose, now),
                Duration::ZERO,
                "minute {minute}"
            );
            throttle.tried(whose.clone(), now);
        }
    }

    #[test]
    fn an_ipv6_household_is_one_address() {
        let address = |text: &str| Whose::address(text.parse().expect("an address"));
        assert!(address("2001:db8::1") == address("2001:db8::ffff:1"));
        assert!(address("2001:db8::1") != address("2001:db8:0:1::1"));
        assert!(address("::ffff:192.0.2.1") == address("192.0.2.1"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let throttle = Throttle::default();
        for number in 0..(REMEMBERED + 10) {
            throttle.tried(
                Whose::Account(number.to_string()),
                Timestamp::from_seconds(1),
            );
        }
        assert!(throttle.tries().len() <= REMEMBERED);
    }
}
