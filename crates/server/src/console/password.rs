//! Passwords: what is asked of them, and their hashes.

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use offgate_core::operator::PasswordHash;
use offgate_core::parameters::Randomness;

use super::Console;

/// The fewest and most characters of a password.
const LENGTH: std::ops::RangeInclusive<usize> = 10..=200;

/// Argon2id as OWASP asks at least: 19 MiB, two passes.
fn argon2() -> Argon2<'static> {
    let parameters = Params::new(19 * 1024, 2, 1, None)
        .unwrap_or_else(|_| unreachable!("the parameters are constants within range"));
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
}

/// What is wrong with a password as such, in words for whoever typed it.
pub(super) fn problem(password: &str) -> Option<String> {
    let length = password.chars().count();
    if LENGTH.contains(&length) {
        None
    } else {
        Some(format!(
            "Use {} to {} characters; this has {length}.",
            LENGTH.start(),
            LENGTH.end()
        ))
    }
}

/// The hash of a password, with a salt of its own. Takes tens of milliseconds on purpose.
#[must_use]
pub fn password_hash(password: &str, randomness: &dyn Randomness) -> PasswordHash {
    let mut salt = [0; 16];
    randomness.fill(&mut salt);
    let salt = SaltString::encode_b64(&salt)
        .unwrap_or_else(|_| unreachable!("16 bytes are a salt's length"));
    let hash = argon2()
        .hash_password(password.as_bytes(), &salt)
        .unwrap_or_else(|_| unreachable!("any password can be hashed with a good salt"));
    PasswordHash::from_phc(hash.to_string())
}

/// Of no password anybody has.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whether a password is the one of a hash. With no hash, as much work and no.
fn verify(password: &str, hash: Option<&PasswordHash>) -> Verdict {
    let text = hash.map_or(NOBODY, PasswordHash::as_phc);
    let right = argon2::PasswordHash::new(text)
        .and_then(|parsed| argon2().verify_password(password.as_bytes(), &parsed))
        .is_ok();
    if right && hash.is_some() {
        Verdict::Right
    } else {
        Verdict::Wrong
    }
}

/// Whether it was the right password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    /// Too many passwords wait to be looked at; nothing was looked at.
    Busy,
}

/// As [`verify`], away from the threads that serve, two at a time.
pub(super) async fn check(
    console: &Console,
    password: String,
    hash: Option<PasswordHash>,
) -> Verdict {
    let Ok(_place) = console.waiting_passwords.try_acquire() else {
        return Verdict::Busy;
    };
    let Ok(_turn) = console.passwords.acquire().await else {
        return Verdict::Busy;
    };
    tokio::task::spawn_blocking(move || verify(&password, hash.as_ref()))
        .await
        .unwrap_or(Verdict::Wrong)
}

/// The hash of a new password, away from the threads that serve.
pub(super) async fn hash(console: &Console, password: String) -> Option<PasswordHash> {
    let _turn = console.passwords.acquire().await.ok()?;
    let randomness = std::sync::Arc::clone(&console.randomness);
    tokio::task::spawn_blocking(move || password_hash(&password, &*randomness))
        .await
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zeros;
    impl Randomness for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn only_the_right_password_is_right_and_nobody_has_none() {
        let hash = password_hash("correct horse battery", &Zeros);
        assert_eq!(verify("correct horse battery", Some(&hash)), Verdict::Right);
        assert_eq!(verify("correct horse batterx", Some(&hash)), Verdict::Wrong);
        assert_eq!(verify("", None), Verdict::Wrong);
        let parsed = argon2::PasswordHash::new(NOBODY).expect("as much work for nobody");
        assert_eq!(parsed.params.get_decimal("m"), Some(19_456));
        assert_eq!(parsed.params.get_decimal("t"), Some(2));
        assert!(problem("too short").is_some());
        assert!(problem(&"x".repeat(201)).is_some());
        assert_eq!(problem("long enough"), None);
    }
}
