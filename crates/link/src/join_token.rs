//! The text with which an agent joins: a secret, and the fingerprint of whom to trust.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use offgate_core::agent::JoinSecretHash;
use offgate_core::parameters::Randomness;

/// SHA-256 of a store's root certificate (DER). Agents trust the root with this fingerprint and
/// nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RootFingerprint(pub [u8; 32]);

impl RootFingerprint {
    /// The fingerprint of a certificate.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest.as_ref());
        Self(fingerprint)
    }
}

/// In groups of four hexadecimal digits, to read aloud and compare.
impl std::fmt::Display for RootFingerprint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, pair) in self.0.chunks(2).enumerate() {
            if position > 0 {
                formatter.write_str("-")?;
            }
            for byte in pair {
                write!(formatter, "{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// The text is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a fingerprint: 64 hexadecimal digits, in groups or not")]
pub struct NotAFingerprint;

/// As it is shown, or without what parts the groups.
impl std::str::FromStr for RootFingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let parts = |letter: &char| !matches!(letter, '-' | ':' | ' ');
        let digits: String = text.trim().chars().filter(parts).collect();
        HEXLOWER_PERMISSIVE
            .decode(digits.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(NotAFingerprint)
    }
}

const PREFIX: &str = "offgate-join-1.";

/// A join token. A secret until it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinTokenText {
    secret: [u8; 16],
    root: RootFingerprint,
}

/// The text is not a join token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a join token; it begins with {PREFIX}")]
pub struct NotAJoinToken;

impl JoinTokenText {
    /// A new token for a store with this root.
    #[must_use]
    pub fn random(root: RootFingerprint, randomness: &dyn Randomness) -> Self {
        let mut secret = [0; 16];
        randomness.fill(&mut secret);
        Self { secret, root }
    }

    /// Reads a token.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, NotAJoinToken> {
        let text = text.trim().strip_prefix(PREFIX).ok_or(NotAJoinToken)?;
        if text.len() > 100 {
            return Err(NotAJoinToken);
        }
        let bytes = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| NotAJoinToken)?;
        let (secret, root) = bytes.split_first_chunk::<16>().ok_or(NotAJoinToken)?;
        let root = <[u8; 32]>::try_from(root).map_err(|_| NotAJoinToken)?;
        Ok(Self {
            secret: *secret,
            root: RootFingerprint(root),
        })
    }

    /// The text to hand on. A secret.
    #[must_use]
    pub fn text(&self) -> String {
        let mut bytes = self.secret.to_vec();
        bytes.extend_from_slice(&self.root.0);
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes))
    }

    /// The secret, to show to the server.
    #[must_use]
    pub const fn secret(&self) -> &[u8; 16] {
        &self.secret
    }

    /// Whom to trust.
    #[must_use]
    pub const fn root(&self) -> RootFingerprint {
        self.root
    }

    /// What a store recognises the secret by.
    #[must_use]
    pub fn secret_hash(&self) -> JoinSecretHash {
        secret_hash(&self.secret)
    }
}

/// What a store recognises a token's secret by: SHA-256. The secret is random, so nothing slower
/// is needed.
#[must_use]
pub fn secret_hash(secret: &[u8; 16]) -> JoinSecretHash {
    JoinSecretHash(RootFingerprint::of(secret).0)
}

impl std::fmt::Debug for JoinTokenText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("JoinTokenText(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;
    impl Randomness for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (position, byte) in bytes.iter_mut().enumerate() {
                *byte = position as u8;
            }
        }
    }

    #[test]
    fn a_token_is_read_back_and_never_shown_by_accident() {
        let token = JoinTokenText::random(RootFingerprint([9; 32]), &Counting);
        assert_eq!(
            JoinTokenText::parse(&format!(" {}\n", token.text())),
            Ok(token.clone())
        );
        assert_eq!(format!("{token:?}"), "JoinTokenText(…)");
        let cut = &token.text()[..60];
        for text in [
            "",
            "offgate-join-1.",
            cut,
            "offgate-join-2.AAAA",
            &"x".repeat(10_000),
        ] {
            assert_eq!(JoinTokenText::parse(text), Err(NotAJoinToken));
        }
    }

    #[test]
    fn a_fingerprint_is_written_in_groups() {
        let text = RootFingerprint([0xab; 32]).to_string();
        assert_eq!(text.len(), 64 + 15);
        assert!(text.starts_with("abab-abab-"));
    }
}
