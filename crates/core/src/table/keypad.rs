//! A keypad that is being guessed at slows down. It never stops for good, and never stops cards.

use std::time::Duration;

use super::admission::Keypad;

/// Wrong PINs that cost nothing: people mistype.
const FREE: u32 = 2;
/// The longest a keypad waits.
const LONGEST: Duration = Duration::from_secs(30);
/// Wrong PINs are forgotten after this long without another.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// The wrong PINs at one reader. Times are any clock that only goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeypadDelay {
    wrong: u32,
    last_wrong: Duration,
}

/// What a wrong PIN led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slowing {
    /// Nothing yet.
    None,
    /// The keypad waits; this is the first time in this series, which is worth an event.
    Begun(Duration),
    /// The keypad waits, again.
    Continued(Duration),
}

impl KeypadDelay {
    /// Whether a PIN is judged now.
    #[must_use]
    pub fn state(&self, now: Duration) -> Keypad {
        match self.delay() {
            Some(delay) if now < self.last_wrong.saturating_add(delay) => Keypad::Slowed,
            _ => Keypad::Ready,
        }
    }

    /// Counts a wrong PIN that was judged. One offered while the keypad waits is not judged and
    /// not counted.
    pub fn wrong(&mut self, now: Duration) -> Slowing {
        if now.saturating_sub(self.last_wrong) >= FORGOTTEN {
            self.wrong = 0;
        }
        self.wrong = self.wrong.saturating_add(1);
        self.last_wrong = now;
        match self.delay() {
            None => Slowing::None,
            Some(delay) if self.wrong == FREE + 1 => Slowing::Begun(delay),
            Some(delay) => Slowing::Continued(delay),
        }
    }

    /// Forgets wrong PINs: a right one was typed.
    pub fn right(&mut self) {
        *self = Self::default();
    }

    fn delay(&self) -> Option<Duration> {
        let beyond = self.wrong.checked_sub(FREE + 1)?;
        Some(Duration::from_secs(2 << beyond.min(8)).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_thirty_seconds_and_are_forgotten() {
        let mut keypad = KeypadDelay::default();
        let mut now = Duration::from_secs(1_000);
        let mut delays = Vec::new();
        for _ in 0..8 {
            let slowing = keypad.wrong(now);
            let delay = match slowing {
                Slowing::None => Duration::ZERO,
                Slowing::Begun(delay) | Slowing::Continued(delay) => delay,
            };
            delays.push(delay.as_secs());
            if delay > Duration::ZERO {
                assert_eq!(
                    keypad.state(now + delay - Duration::from_millis(1)),
                    Keypad::Slowed
                );
            }
            now += delay;
            assert_eq!(keypad.state(now), Keypad::Ready);
        }
        assert_eq!(delays, [0, 0, 2, 4, 8, 16, 30, 30]);
        assert_eq!(keypad.wrong(now + FORGOTTEN), Slowing::None);
        keypad.wrong(now + FORGOTTEN);
        assert!(matches!(keypad.wrong(now + FORGOTTEN), Slowing::Begun(_)));
        keypad.right();
        assert_eq!(keypad, KeypadDelay::default());
    }
}
