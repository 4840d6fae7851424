//! The layout of the first stores: the seeds of root, issuing and link key in the clear in one
//! file, and their certificates in another.

use offgate_core::parameters::Timestamp;
use offgate_link::chain::IssuingNumber;
use offgate_link::identity::{Authority, Identity};

use super::folder::Folder;
use super::keyring::Keyring;
use super::{KeysError, Making, NewPassphrase, locked};

const SEEDS: &str = "link-seeds";
const CERTIFICATES: &str = "link-certificates";

/// Its files.
pub(super) const FILES: [&str; 2] = [SEEDS, CERTIFICATES];

/// What they hold.
pub(super) struct Older {
    seeds: [[u8; 32]; 3],
    /// Link, issuing, root; none if the first start was interrupted before they were written.
    certificates: Option<[Vec<u8>; 3]>,
    made_at: Timestamp,
}

/// Reads them, if they are there.
pub(super) fn read(folder: &Folder) -> Result<Option<Older>, KeysError> {
    let Some(bytes) = folder.read(SEEDS)? else {
        return Ok(None);
    };
    let bytes = <[u8; 96]>::try_from(bytes).map_err(|_| KeysError::Damaged(SEEDS))?;
    let mut seeds = [[0; 32]; 3];
    for (seed, bytes) in seeds.iter_mut().zip(bytes.chunks_exact(32)) {
        seed.copy_from_slice(bytes);
    }
    let certificates = match folder.read(CERTIFICATES)? {
        Some(bytes) => Some(certificates(&bytes).ok_or(KeysError::Damaged(CERTIFICATES))?),
        None => None,
    };
    let made_at = folder.stamp(SEEDS)?.modified();
    Ok(Some(Older {
        seeds,
        certificates,
        made_at,
    }))
}

fn certificates(mut bytes: &[u8]) -> Option<[Vec<u8>; 3]> {
    let mut next = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (certificate, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some(certificate.to_vec())
    };
    Some([next()?, next()?, next()?])
}

impl Older {
    /// The same keys with the root locked, and those there were none of yet.
    pub(super) fn keyring(
        self,
        making: Making<'_>,
        show: &dyn Fn(NewPassphrase<'_>),
    ) -> Result<Keyring, KeysError> {
        let [root, issuing, link] = self.seeds;
        let seeds = [root, issuing, link, making.seed()];
        // A chain that was never written was never shown to an agent either.
        let number = IssuingNumber(0);
        let mut authority = Authority::create(seeds, number)?;
        if let Some([of_link, of_issuing, of_root]) = self.certificates {
            let above = vec![of_root];
            authority.root = Identity::known(&root, above.clone())?;
            let above = [vec![of_issuing], above].concat();
            authority.issuing = Identity::known(&issuing, above.clone())?;
            authority.link = Identity::known(&link, [vec![of_link], above].concat())?;
            authority.log = authority.issuing.log_key(&seeds[3])?;
        }
        locked(seeds, &authority, number, self.made_at, making, show)
    }
}
