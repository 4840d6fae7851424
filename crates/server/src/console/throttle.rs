//! Slows whoever tries passwords: a growing wait per account and per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    /// Where the tries come from.
    Address(IpAddr),
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
            Whose::Account(_) => FREE_FOR_ACCOUNT,
            Whose::Address(_) => FREE_FOR_ADDRESS,
        };
        let Some(over) = found.wrong.checked_sub(free) else {
            return Duration::ZERO;
        };
        let wait = Duration::from_secs(1 << over.min(6)).min(LONGEST);
        wait.saturating_sub(now.since(found.last))
    }

    /// Notes a wrong try.
    pub(super) fn wrong(&self, whose: Whose, now: Timestamp) {
        let mut tries = self.tries();
        if tries.len() >= REMEMBERED {
            tries.retain(|_, tries| now.since(tries.last) < FORGET_AFTER);
            if tries.len() >= REMEMBERED {
                tries.clear();
            }
        }
        let entry = tries.entry(whose).or_insert(Tries {
            wrong: 0,
            last: now,
        });
        if now.since(entry.last) >= FORGET_AFTER {
            entry.wrong = 0;
        }
        entry.wrong = entry.wrong.saturating_add(1);
        entry.last = now;
    }

    /// Forgets an account's wrong tries, because somebody knew the password.
    pub(super) fn right(&self, whose: &Whose) {
        self.tries().remove(whose);
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
            throttle.wrong(whose.clone(), at(0));
        }
        assert_eq!(throttle.wait(&whose, at(0)), Duration::from_secs(1));
        assert_eq!(throttle.wait(&whose, at(1)), Duration::ZERO);
        for _ in 0..20 {
            throttle.wrong(whose.clone(), at(1));
        }
        assert_eq!(throttle.wait(&whose, at(1)), LONGEST);
        throttle.right(&whose);
        assert_eq!(throttle.wait(&whose, at(1)), Duration::ZERO);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let throttle = Throttle::default();
        for number in 0..(REMEMBERED + 10) {
            throttle.wrong(
                Whose::Account(number.to_string()),
                Timestamp::from_seconds(1),
            );
        }
        assert!(throttle.tries().len() <= REMEMBERED);
    }
}
