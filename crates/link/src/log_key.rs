//! Whose signature a store's log bears: a key below the issuing one, meant for this alone.
//!
//! Whoever knows the fingerprint of the store's root can tell from a chain (log key, issuing key,
//! root) that the key is the log's. A certificate of an agent or of the link never passes for it,
//! nor this one for theirs: each says what it is for.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use rustls::pki_types::{CertificateDer, ServerName};
use webpki::KeyUsage;

use crate::chain::{self, IssuingNumber, NotVouchedFor};
use crate::join_token::RootFingerprint;

/// What a certificate of the log's key is for, as an extended key usage. Derived from a random
/// UUID below an arc that is open to everybody who does so.
pub(crate) const PURPOSE: [u64; 14] = [
    1, 2, 840, 113_556, 1, 8000, 2554, 28_445, 11_418, 33_971, 20_055, 39_966, 2_797_693, 5_503_046,
];

/// The same in the encoding of certificates (DER, without tag and length).
const PURPOSE_DER: [u8; 33] = [
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0xbe, 0x40, 0x93, 0x7a, 0x81, 0xde, 0x1d, 0xd9, 0x1a,
    0x82, 0x89, 0x33, 0x81, 0x9c, 0x57, 0x82, 0xb8, 0x1e, 0x81, 0xaa, 0xe0, 0x7d, 0x82, 0xcf, 0xf0,
    0x46,
];

/// The name in such a certificate, and in no other.
pub(crate) const NAME: &str = "log.offgate.internal";

/// A key of which its chain showed that it signs the log of the store with a certain root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogKey {
    key: [u8; 32],
    issued_under: IssuingNumber,
}

/// A signature is not this key's over these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not the log key's")]
pub struct NotSigned;

impl LogKey {
    /// The key that a chain (its own certificate first) shows to be the log's, below the root with
    /// this fingerprint.
    ///
    /// # Errors
    /// The chain shows nothing of the kind.
    pub fn of<C: AsRef<[u8]>>(chain: &[C], root: RootFingerprint) -> Result<Self, NotVouchedFor> {
        let certificates: Vec<CertificateDer<'_>> = chain
            .iter()
            .map(|certificate| CertificateDer::from(certificate.as_ref()))
            .collect();
        let (own, above) = certificates
            .split_first()
            .ok_or(NotVouchedFor::AnotherRoot)?;
        // The issuing certificate may leave open what it signs for; that its own does not, the
        // name makes sure of.
        let usage = KeyUsage::required_if_present(&PURPOSE_DER);
        let name = ServerName::try_from(NAME).map_err(|_| NotVouchedFor::Certificate)?;
        let shown = chain::follow(own, above, root, usage, &name)?;
        Ok(Self {
            key: shown.key,
            issued_under: shown.issued_under,
        })
    }

    /// Of the issuing key that vouches for it: whoever has seen a higher number does not believe
    /// what this key signs from now on.
    #[must_use]
    pub const fn issued_under(&self) -> IssuingNumber {
        self.issued_under
    }

    /// Checks that this key signed these bytes.
    ///
    /// # Errors
    /// It did not.
    pub fn verify(&self, statement: &[u8], signature: &[u8; 64]) -> Result<(), NotSigned> {
        UnparsedPublicKey::new(&ED25519, self.key)
            .verify(statement, signature)
            .map_err(|_| NotSigned)
    }
}
