//! Whether a chain of certificates leads to a root that is known by its fingerprint, and what the
//! certificate at its beginning may be used for.
//!
//! Every chain is: its own certificate, the issuing one, the root.

use rustls::pki_types::{CertificateDer, ServerName};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::identity::{always, public_key};
use crate::join_token::RootFingerprint;

/// The most certificates that a chain may have.
const LIMIT: usize = 8;

/// Orders a store's issuing keys: one that replaces another has a higher number. It is the serial
/// number of the issuing certificate. Whoever has seen a number believes no lower one, so that an
/// issuing key that was stolen and replaced is good for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct IssuingNumber(pub u64);

/// Why a chain shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotVouchedFor {
    /// The root with the expected fingerprint is not in it.
    #[error("the chain does not lead to the expected root")]
    AnotherRoot,
    /// Something in it is no certificate, does not follow from what is above it, or is meant for
    /// something else.
    #[error("the certificate is not one of this kind")]
    Certificate,
}

/// What a chain has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The Ed25519 key of its own certificate.
    pub(crate) key: [u8; 32],
    /// Of the issuing key that signed it.
    pub(crate) issued_under: IssuingNumber,
}

/// Follows a chain, its own certificate first, to the root with this fingerprint.
pub(crate) fn follow(
    own: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    root: RootFingerprint,
    usage: KeyUsage,
    name: &ServerName<'_>,
) -> Result<Shown, NotVouchedFor> {
    let above = above.get(..LIMIT.min(above.len())).unwrap_or_default();
    let root = above
        .iter()
        .find(|certificate| RootFingerprint::of(certificate) == root)
        .ok_or(NotVouchedFor::AnotherRoot)?;
    let root = [anchor_from_trusted_cert(root).map_err(|_| NotVouchedFor::Certificate)?];
    let own = EndEntityCert::try_from(own).map_err(|_| NotVouchedFor::Certificate)?;
    let path = own
        .verify_for_usage(
            &[webpki::aws_lc_rs::ED25519],
            &root,
            above,
            always(),
            usage,
            None,
            None,
        )
        .map_err(|_| NotVouchedFor::Certificate)?;
    own.verify_is_valid_for_subject_name(name)
        .map_err(|_| NotVouchedFor::Certificate)?;
    let issuing = path
        .intermediate_certificates()
        .next()
        .ok_or(NotVouchedFor::Certificate)?;
    Ok(Shown {
        key: public_key(own.subject_public_key_info().as_ref())
            .ok_or(NotVouchedFor::Certificate)?,
        issued_under: number(issuing.serial()),
    })
}

/// A serial number as an issuing number. The first stores gave their certificates long random
/// ones: those come before all others.
fn number(serial: &[u8]) -> IssuingNumber {
    let leading = serial.iter().take_while(|byte| **byte == 0).count();
    let serial = serial.get(leading..).unwrap_or_default();
    if serial.len() > 8 {
        return IssuingNumber(0);
    }
    IssuingNumber(
        serial
            .iter()
            .fold(0, |number, byte| (number << 8) | u64::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_read_with_and_without_padding() {
        for (serial, expected) in [
            (&[][..], 0),
            (&[7], 7),
            (&[0, 0x80], 0x80),
            (&[0, 0xff, 1, 2, 3, 4, 5, 6, 7], 0xff01_0203_0405_0607),
            (&[1; 9], 0),
            (&[0x7f; 20], 0),
        ] {
            assert_eq!(number(serial), IssuingNumber(expected));
        }
    }
}
