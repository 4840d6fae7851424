//! Keys, and what is sealed under them: AES-256-GCM with a random nonce before and the tag behind.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use offgate_core::parameters::Randomness;

/// What was sealed was not sealed like this: another key, another purpose, or damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CannotOpen;

/// A key to seal with. Neither shown nor compared.
#[derive(Clone)]
pub(crate) struct SealingKey([u8; 32]);

impl SealingKey {
    pub(super) fn random(randomness: &dyn Randomness) -> Self {
        let mut bytes = [0; 32];
        randomness.fill(&mut bytes);
        Self(bytes)
    }

    pub(super) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn cipher(&self) -> Result<LessSafeKey, CannotOpen> {
        UnboundKey::new(&AES_256_GCM, &self.0)
            .map(LessSafeKey::new)
            .map_err(|_| CannotOpen)
    }

    /// Prepares it for opening many things.
    pub(crate) fn opener(&self) -> Result<OpeningKey, CannotOpen> {
        self.cipher().map(OpeningKey)
    }

    /// Seals `plain`; it opens only for the same `purpose`.
    pub(crate) fn seal(
        &self,
        purpose: &[u8],
        plain: &[u8],
        randomness: &dyn Randomness,
    ) -> Result<Vec<u8>, CannotOpen> {
        let mut nonce = [0; NONCE_LEN];
        randomness.fill(&mut nonce);
        let mut sealed = plain.to_vec();
        self.cipher()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose),
                &mut sealed,
            )
            .map_err(|_| CannotOpen)?;
        let mut all = nonce.to_vec();
        all.append(&mut sealed);
        Ok(all)
    }

    /// Opens what was sealed for this purpose.
    pub(crate) fn open(&self, purpose: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        let mut opened = Vec::new();
        let length = self.opener()?.open(purpose, sealed, &mut opened)?.len();
        opened.truncate(length);
        Ok(opened)
    }
}

/// A key that is ready to open things.
pub(crate) struct OpeningKey(LessSafeKey);

impl OpeningKey {
    /// Opens what was sealed for this purpose. `buffer` is overwritten.
    pub(crate) fn open<'b>(
        &self,
        purpose: &[u8],
        sealed: &[u8],
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], CannotOpen> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(CannotOpen)?;
        buffer.clear();
        buffer.extend_from_slice(sealed);
        self.0
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(purpose),
                buffer,
            )
            .map(|opened| &*opened)
            .map_err(|_| CannotOpen)
    }
}
