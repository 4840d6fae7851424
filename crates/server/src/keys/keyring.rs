//! What is kept of a store's keys: one file, replaced as a whole, so that there is no moment at
//! which one key is new and what belongs to it is old.

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use offgate_core::id::CommandId;
use offgate_core::parameters::Timestamp;
use offgate_core::server_key::{KeyReplaced, ServerKey};
use offgate_link::chain::IssuingNumber;
use offgate_link::identity::{Identity, IdentityError};

/// A key and the certificate that its issuer gave it.
#[derive(Clone, Encode, Decode)]
#[cbor(array)]
pub(super) struct Kept {
    #[n(0)]
    pub(super) seed: ByteArray<32>,
    #[n(1)]
    pub(super) certificate: ByteVec,
    /// When it was made.
    #[n(2)]
    made_at: i64,
}

impl Kept {
    pub(super) fn new(seed: [u8; 32], identity: &Identity, made_at: Timestamp) -> Self {
        Self {
            seed: seed.into(),
            certificate: identity.chain.first().cloned().unwrap_or_default().into(),
            made_at: made_at.microseconds(),
        }
    }

    pub(super) const fn made_at(&self) -> Timestamp {
        Timestamp::from_microseconds(self.made_at)
    }

    fn identity(&self, above: &[Vec<u8>]) -> Result<Identity, IdentityError> {
        let chain = [vec![self.certificate.to_vec()], above.to_vec()].concat();
        Identity::known(&self.seed, chain)
    }
}

/// A secret that is also kept locked with the passphrase.
#[derive(Clone, Encode, Decode)]
#[cbor(array)]
pub(super) struct KeptBackup {
    #[n(0)]
    pub(super) key: ByteArray<32>,
    #[n(1)]
    pub(super) wrapped: ByteVec,
    #[n(2)]
    pub(super) made_at: i64,
}

/// A replacement that the log does not tell of yet.
#[derive(Clone, Encode, Decode)]
#[cbor(array)]
pub(super) struct Unnoted {
    #[n(0)]
    command: ByteArray<16>,
    #[n(1)]
    key: u8,
    #[n(2)]
    fingerprint: Option<ByteArray<32>>,
}

impl Unnoted {
    pub(super) fn new(command: CommandId, replaced: KeyReplaced) -> Self {
        Self {
            command: (*command.as_bytes()).into(),
            key: replaced.key.number(),
            fingerprint: replaced.fingerprint.map(Into::into),
        }
    }

    pub(super) fn command(&self) -> CommandId {
        CommandId::from_bytes(*self.command)
    }

    pub(super) fn replaced(&self) -> Option<KeyReplaced> {
        Some(KeyReplaced {
            key: ServerKey::from_number(self.key)?,
            fingerprint: self.fingerprint.map(Into::into),
        })
    }
}

/// All of it.
#[derive(Clone, Encode, Decode)]
#[cbor(array)]
pub(super) struct Keyring {
    #[n(0)]
    pub(super) version: u8,
    /// The root's certificate. Its key is only kept locked.
    #[n(1)]
    pub(super) root: ByteVec,
    #[n(2)]
    pub(super) root_made_at: i64,
    /// The root's seed, locked with the passphrase.
    #[n(3)]
    pub(super) root_wrapped: ByteVec,
    #[n(4)]
    pub(super) passphrase_made_at: i64,
    #[n(5)]
    pub(super) number: u64,
    #[n(6)]
    pub(super) issuing: Kept,
    #[n(7)]
    pub(super) link: Kept,
    #[n(8)]
    pub(super) log: Kept,
    #[n(9)]
    pub(super) backup: KeptBackup,
    #[n(10)]
    pub(super) unnoted: Vec<Unnoted>,
    /// With which rulings are sealed; none in a file from before there were any.
    #[n(11)]
    pub(super) ruling: Option<ByteArray<32>>,
}

/// The keys that the server works with, and what vouches for them.
pub(super) struct Working {
    pub(super) issuing: Identity,
    pub(super) link: Identity,
    pub(super) log: Identity,
}

impl Keyring {
    /// The version of the file.
    pub(super) const VERSION: u8 = 1;

    pub(super) fn working(&self) -> Result<Working, IdentityError> {
        let issuing = self.issuing.identity(&[self.root.to_vec()])?;
        Ok(Working {
            link: self.link.identity(&issuing.chain)?,
            log: self.log.identity(&issuing.chain)?,
            issuing,
        })
    }

    /// The number of the next issuing key: the time of day, so that it is higher than any that a
    /// lost successor of a restored store may have given; never lower than the one before.
    pub(super) fn next_number(&self, now: Timestamp) -> IssuingNumber {
        IssuingNumber(first_number(now).0.max(self.number.saturating_add(1)))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let bytes = minicbor::to_vec(self)
            .unwrap_or_else(|_| unreachable!("writing to memory cannot fail"));
        let checksum = checksum(&bytes);
        [bytes, checksum.to_vec()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (bytes, sum) = bytes.split_last_chunk::<32>()?;
        if checksum(bytes) != *sum {
            return None;
        }
        minicbor::decode(bytes)
            .ok()
            .filter(|keyring: &Self| keyring.version == Self::VERSION)
    }
}

/// The number of the first issuing key of a store.
pub(super) fn first_number(now: Timestamp) -> IssuingNumber {
    IssuingNumber(u64::try_from(now.seconds()).unwrap_or(0))
}

fn checksum(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    sum
}
