//! Keys that every run shares, because making them takes longer than a run: the store's, and what
//! PINs are recognised by.

use std::sync::OnceLock;

use offgate_core::parameters::Timestamp;
use offgate_core::pin::{Pin, PinCandidate, PinSalt};
use offgate_core::ruling::Seal;
use offgate_link::acknowledgement::SigningKey;
use offgate_link::chain::IssuingNumber;
use offgate_link::identity::Authority;
use offgate_link::join_token::RootFingerprint;
use offgate_store::{LogSignature, SignerFailed, StoreSigner};

/// What the store is salted with.
pub(crate) const SALT: PinSalt = PinSalt::from_bytes([9; 16]);
/// The first moment of every run.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// The keys.
pub(crate) struct Keys {
    pub(crate) root: RootFingerprint,
    log: SigningKey,
    chain: Vec<Vec<u8>>,
    /// PINs that may be given out.
    pub(crate) pins: Vec<PinCandidate>,
}

/// The keys.
///
/// # Panics
/// They cannot be made.
#[expect(clippy::expect_used, reason = "fixed seeds make keys, always")]
pub(crate) fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let seeds = [[1; 32], [2; 32], [3; 32], [4; 32]];
        let authority = Authority::create(seeds, IssuingNumber(1)).expect("keys");
        let pins = (0..24_u32).map(|number| {
            let pin = Pin::parse(&format!("{}", 730_284 + number * 7919)).expect("a PIN");
            PinCandidate::new(&pin, &SALT)
        });
        Keys {
            root: authority.fingerprint(),
            log: SigningKey::from_pkcs8(authority.log.key.clone()).expect("a key"),
            chain: authority.log.chain.clone(),
            pins: pins.filter(|pin| !pin.is_common()).collect(),
        }
    })
}

impl StoreSigner for Keys {
    fn sign(&self, statement: &[u8]) -> Result<LogSignature, SignerFailed> {
        Ok(LogSignature {
            signature: self.log.sign(statement),
            chain: self.chain.clone(),
        })
    }

    fn seal(&self, statement: &[u8]) -> Seal {
        Seal::of(statement, &[5; 32])
    }
}
