//! Links that work once: the owner's set-up, a new password, the demo's sign-in.

use std::time::Duration;

use offgate_core::parameters::{Clock, Randomness};
use offgate_store::sign_in::{LinkPurpose, OneTimeLink, SignInChange};
use offgate_store::{Store, StoreError};

use super::signed_in::hash;

/// The secret of a link. Shown once to whoever asked for it, and never logged.
pub struct LinkSecret(String);

/// As it stands in the address, `/start/…`.
impl std::fmt::Display for LinkSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::fmt::Debug for LinkSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LinkSecret(…)")
    }
}

/// 32 random bytes in hexadecimal.
pub(super) fn secret(randomness: &dyn Randomness) -> String {
    let mut bytes = [0; 32];
    randomness.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes a link for a purpose that works once, within `valid`.
///
/// # Errors
/// The store could not keep it.
pub async fn one_time_link(
    store: &Store,
    clock: &dyn Clock,
    randomness: &dyn Randomness,
    purpose: LinkPurpose,
    valid: Duration,
) -> Result<LinkSecret, StoreError> {
    let secret = secret(randomness);
    let link = OneTimeLink {
        secret: hash(&secret),
        purpose,
        expires_at: clock.now().plus(valid),
    };
    store.sign_in(SignInChange::LinkCreated(link)).await?;
    Ok(LinkSecret(secret))
}
