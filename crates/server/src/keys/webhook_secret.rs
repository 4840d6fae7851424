//! The secret of the webhook: with the keys, so that it is in no database, no copy of one and no log.
//! It is kept with the address it was made for, and signs nothing that goes to another.

use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use offgate_core::parameters::{Randomness, Timestamp};
use offgate_core::webhook::WebhookAddress;

use super::{Keys, KeysError};

/// The file.
const FILE: &str = "webhook-secret";
/// The version of the file.
const VERSION: u8 = 1;
/// For how long a secret that was replaced signs beside the new one.
const BOTH: Duration = Duration::from_secs(24 * 3600);
/// How many bytes a secret has.
const LENGTH: usize = 32;

/// A secret of the webhook. Shown once, to whoever made it.
pub struct WebhookSecret([u8; LENGTH]);

impl WebhookSecret {
    /// As a program that checks signatures is given it.
    #[must_use]
    pub fn text(&self) -> String {
        format!("whsec_{}", BASE64.encode(&self.0))
    }

    /// Signs what is sent, as Standard Webhooks 1.0.0 has it: `v1`, HMAC-SHA256 of id, moment and
    /// body.
    pub(crate) fn sign(&self, id: &str, seconds: i64, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let signed = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", BASE64.encode(signed.as_ref()))
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WebhookSecret(…)")
    }
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Kept {
    #[n(0)]
    version: u8,
    #[n(1)]
    address: String,
    #[n(2)]
    secret: ByteArray<LENGTH>,
    /// The one before.
    #[n(3)]
    before: Option<ByteArray<LENGTH>>,
    /// Until when that one signs too, in microseconds since 1970.
    #[n(4)]
    until: Option<i64>,
}

impl Keys {
    fn kept_webhook_secret(&self, address: &WebhookAddress) -> Result<Option<Kept>, KeysError> {
        let Some(bytes) = self.folder.read(FILE)? else {
            return Ok(None);
        };
        let kept: Kept = minicbor::decode(&bytes).map_err(|_| KeysError::Damaged(FILE))?;
        let is_for = kept.version == VERSION && kept.address == address.as_str();
        Ok(is_for.then_some(kept))
    }

    /// The secrets that sign what goes to an address now, the newest first; none if the one that is
    /// kept was made for another.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(crate) fn webhook_secrets(
        &self,
        address: &WebhookAddress,
        now: Timestamp,
    ) -> Result<Vec<WebhookSecret>, KeysError> {
        let Some(kept) = self.kept_webhook_secret(address)? else {
            return Ok(Vec::new());
        };
        let until = kept.until.map(Timestamp::from_microseconds);
        let before = kept
            .before
            .filter(|_| until.is_some_and(|until| now < until));
        let all = [Some(kept.secret), before].into_iter().flatten();
        Ok(all.map(|secret| WebhookSecret(*secret)).collect())
    }

    /// Whether a secret for an address is kept.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn keeps_webhook_secret(&self, address: &WebhookAddress) -> Result<bool, KeysError> {
        Ok(self.kept_webhook_secret(address)?.is_some())
    }

    /// Makes another secret for an address. The one before signs beside it for a day, if it was for
    /// the same address.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn replace_webhook_secret(
        &self,
        address: &WebhookAddress,
        now: Timestamp,
        randomness: &dyn Randomness,
    ) -> Result<WebhookSecret, KeysError> {
        let _lock = self.folder.lock()?;
        let before = self.kept_webhook_secret(address)?.map(|kept| kept.secret);
        let mut secret = [0; LENGTH];
        randomness.fill(&mut secret);
        let kept = Kept {
            version: VERSION,
            address: address.as_str().to_owned(),
            secret: secret.into(),
            until: before.is_some().then(|| now.plus(BOTH).microseconds()),
            before,
        };
        let bytes = minicbor::to_vec(kept)
            .unwrap_or_else(|_| unreachable!("writing to memory cannot fail"));
        self.folder.write(FILE, &bytes)?;
        Ok(WebhookSecret(secret))
    }

    /// Keeps none any more.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn forget_webhook_secret(&self) -> Result<(), KeysError> {
        let _lock = self.folder.lock()?;
        self.folder.remove(&[FILE])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let secret = BASE64
            .decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .expect("base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let text = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        assert_eq!(
            BASE64.encode(hmac::sign(&key, text.as_bytes()).as_ref()),
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        let ours = WebhookSecret([7; LENGTH]);
        let body = "{\"test\": 2432232314}";
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; LENGTH]);
        let signed = hmac::sign(&key, format!("one.1614265330.{body}").as_bytes());
        assert_eq!(
            ours.sign("one", 1_614_265_330, body),
            format!("v1,{}", BASE64.encode(signed.as_ref()))
        );
        assert_eq!(format!("{ours:?}"), "WebhookSecret(…)");
    }
}
