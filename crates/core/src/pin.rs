//! PINs: their shape, how long a generated one must be, and the digest that stands for them.
//!
//! A PIN itself lives only between a keypad or form and [`Pin::digest`]; rows, messages and
//! tables hold digests. The digest is Argon2id with one salt per store, because a keypad has to
//! find the holder by the PIN alone.

use crate::parameters::{Randomness, Timestamp};
use crate::records::{PinUse, Records};
use crate::text::TextError;

/// A code of 4 to 8 digits. Neither shown nor compared; hashed and forgotten.
#[derive(Clone)]
pub struct Pin(String);

/// How many digits a PIN has: 4 to 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PinLength(u8);

impl PinLength {
    /// The length with this many digits, if a PIN may have so many.
    #[must_use]
    pub const fn new(digits: u8) -> Option<Self> {
        if digits >= 4 && digits <= 8 {
            Some(Self(digits))
        } else {
            None
        }
    }

    /// How many digits.
    #[must_use]
    pub const fn digits(self) -> u8 {
        self.0
    }

    /// How long a generated PIN must be when `holders` PINs are in use or retired: at least six
    /// digits, and 1,000 codes per holder (EN 60839-11-1 asks this of PIN-only access), counting
    /// the one about to be made. `None` when eight digits are too few for that.
    #[must_use]
    pub fn for_holders(holders: u64) -> Option<Self> {
        (6..=8_u8)
            .find(|digits| 10_u64.pow(u32::from(*digits)) / 1_000 > holders)
            .map(Self)
    }
}

/// The salt of a store's PIN digests: 16 random bytes, made once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PinSalt([u8; 16]);

impl PinSalt {
    /// The salt with these bytes, as stored or sent.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A new salt, for a new store.
    #[must_use]
    pub fn random(randomness: &dyn Randomness) -> Self {
        let mut bytes = [0; 16];
        randomness.fill(&mut bytes);
        Self(bytes)
    }
}

impl std::fmt::Debug for PinSalt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PinSalt(…)")
    }
}

/// How often another PIN is drawn when one is taken; with 1,000 codes per holder the odds of
/// needing even the fourth are one in a billion.
const DRAWS: usize = 20;

/// A generated PIN that nobody has, long enough for this number of holders. None if there is none:
/// eight digits are too few. Takes as long as a digest does.
///
/// # Errors
/// The records could not be read.
pub fn free_pin<R: Records + ?Sized>(
    records: &R,
    salt: &PinSalt,
    holders: u64,
    randomness: &dyn Randomness,
    now: Timestamp,
) -> Result<Option<Pin>, R::Error> {
    let Some(length) = PinLength::for_holders(holders) else {
        return Ok(None);
    };
    for _ in 0..DRAWS {
        let pin = Pin::generate(length, randomness);
        if records.pin_use(&pin.digest(salt), now)? == PinUse::Free {
            return Ok(Some(pin));
        }
    }
    Ok(None)
}

/// What a PIN is recognised by: 32 bytes of Argon2id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PinDigest([u8; 32]);

impl PinDigest {
    /// The digest with these bytes, as stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for PinDigest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PinDigest(…)")
    }
}

impl Pin {
    /// Reads what was typed.
    ///
    /// # Errors
    /// Anything but 4 to 8 digits.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text.trim();
        if (4..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TextError::Shape("a PIN has 4 to 8 digits"))
        }
    }

    /// A random PIN of this length that is not a common one.
    #[must_use]
    pub fn generate(length: PinLength, randomness: &dyn Randomness) -> Self {
        loop {
            let mut bytes = [0_u8; 8];
            randomness.fill(&mut bytes);
            // 2^64 is so much larger than 10^8 that the remainder's bias is below 10^-11.
            let number = u64::from_le_bytes(bytes) % 10_u64.pow(u32::from(length.0));
            let pin = Self(format!("{number:0width$}", width = usize::from(length.0)));
            if !pin.is_common() {
                return pin;
            }
        }
    }

    /// The digits, to show a generated PIN to the person who hands it on.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// How many digits it has.
    #[must_use]
    pub fn length(&self) -> PinLength {
        // The constructor took at most eight digits.
        PinLength(self.0.len() as u8)
    }

    /// Whether it is one of the codes people choose first: one digit repeated, digits in a row up
    /// or down, a short pattern repeated, a mirrored pair, a year, a day of the year.
    #[must_use]
    pub fn is_common(&self) -> bool {
        let digits = self.0.as_bytes();
        let in_steps = |step: u8| {
            digits
                .windows(2)
                .all(|pair| (pair[0] - b'0' + step) % 10 == pair[1] - b'0')
        };
        let repeats = |period: usize| {
            digits.len().is_multiple_of(period)
                && digits
                    .chunks(period)
                    .all(|chunk| chunk == &digits[..period])
        };
        let doubled =
            digits.len().is_multiple_of(2) && digits.chunks(2).all(|pair| pair[0] == pair[1]);
        let number = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
        let year = self.0.len() == 4 && (1940..=2039).contains(&number(&self.0));
        let day = match self.0.len() {
            4 | 6 | 8 => {
                let (first, second) = (number(&self.0[..2]), number(&self.0[2..4]));
                let is_day = |day, month| (1..=31).contains(&day) && (1..=12).contains(&month);
                let full_year = || (1940..=2039).contains(&number(&self.0[4..]));
                (is_day(first, second) || is_day(second, first))
                    && match self.0.len() {
                        4 => false,
                        6 => self.0[4..].starts_with(['0', '1', '2', '5', '6', '7', '8', '9']),
                        _ => full_year(),
                    }
            }
            _ => false,
        };
        let keypad_pattern = matches!(
            self.0.as_str(),
            "2580" | "0852" | "1379" | "147258" | "159357" | "1470" | "3690" | "147258369"
        );
        in_steps(0)
            || in_steps(1)
            || in_steps(9)
            || repeats(2)
            || repeats(3)
            || doubled
            || year
            || day
            || keypad_pattern
    }

    /// The digest by which this PIN is recognised in a store with this salt. Takes tens of
    /// milliseconds and 19 MiB on purpose (Argon2id, two passes: the OWASP minimum).
    #[must_use]
    pub fn digest(&self, salt: &PinSalt) -> PinDigest {
        let mut digest = [0_u8; 32];
        let parameters = argon2::Params::new(19 * 1024, 2, 1, Some(32))
            .unwrap_or_else(|_| unreachable!("the parameters are constants within range"));
        argon2::Argon2::new(
            argon2::Algorithm::Argon2id,
            argon2::Version::V0x13,
            parameters,
        )
        .hash_password_into(self.0.as_bytes(), &salt.0, &mut digest)
        .unwrap_or_else(|_| unreachable!("salt and output lengths are constants within range"));
        PinDigest(digest)
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Pin(…)")
    }
}

/// All that the rules must know of a PIN somebody wants to have.
#[derive(Clone, Copy, Debug)]
pub struct PinCandidate {
    digest: PinDigest,
    length: PinLength,
    common: bool,
}

impl PinCandidate {
    /// Takes what the rules need from a PIN. Costs one [`Pin::digest`]; do it before queueing.
    #[must_use]
    pub fn new(pin: &Pin, salt: &PinSalt) -> Self {
        Self {
            digest: pin.digest(salt),
            length: pin.length(),
            common: pin.is_common(),
        }
    }

    /// What it would be recognised by.
    #[must_use]
    pub const fn digest(&self) -> PinDigest {
        self.digest
    }

    /// How many digits.
    #[must_use]
    pub const fn length(&self) -> PinLength {
        self.length
    }

    /// Whether it is one of the codes people choose first.
    #[must_use]
    pub const fn is_common(&self) -> bool {
        self.common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_codes_are_known() {
        for code in [
            "0000", "1234", "4321", "7890", "1212", "123123", "112233", "1998", "2011", "311299",
            "122585", "31121999", "2580", "12345678", "87654321", "11223344",
        ] {
            assert!(Pin::parse(code).expect("digits").is_common(), "{code}");
        }
        for code in ["4827", "739156", "80417263", "5093"] {
            assert!(!Pin::parse(code).expect("digits").is_common(), "{code}");
        }
    }

    #[test]
    fn only_four_to_eight_digits_are_a_pin() {
        for text in [
            "",
            "123",
            "123456789",
            "12a4",
            "１２３４",
            &"1".repeat(10_000),
        ] {
            assert!(Pin::parse(text).is_err());
        }
    }

    #[test]
    fn a_thousand_codes_stay_for_each_holder() {
        let digits = |holders| PinLength::for_holders(holders).map(PinLength::digits);
        assert_eq!(digits(0), Some(6));
        assert_eq!(digits(999), Some(6));
        assert_eq!(digits(1_000), Some(7));
        assert_eq!(digits(9_999), Some(7));
        assert_eq!(digits(99_999), Some(8));
        assert_eq!(digits(100_000), None);
    }
}
