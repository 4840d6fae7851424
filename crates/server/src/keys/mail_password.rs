//! The password of the mail server: with the keys, so that it is in no database, no copy of one and
//! no log. It is kept with the server and user it was given for, and given to no other.

use minicbor::{Decode, Encode};
use offgate_core::mail::MailServer;

use super::{Keys, KeysError};

/// The file.
const FILE: &str = "mail-password";
/// The version of the file.
const VERSION: u8 = 1;

/// The password of a mail server. Neither shown nor compared.
pub struct MailPassword(String);

impl MailPassword {
    /// The most bytes it may have.
    pub const LIMIT: usize = 1024;

    /// What somebody typed; none if that is nothing, or longer than any password is.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= Self::LIMIT).then(|| Self(text.to_owned()))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for MailPassword {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MailPassword(…)")
    }
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Kept {
    #[n(0)]
    version: u8,
    #[n(1)]
    host: String,
    #[n(2)]
    port: u16,
    #[n(3)]
    user: String,
    #[n(4)]
    password: String,
}

impl Keys {
    /// The password that was given for this server and user; none if that was for another.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(crate) fn mail_password(
        &self,
        server: &MailServer,
    ) -> Result<Option<MailPassword>, KeysError> {
        let (Some(user), Some(bytes)) = (&server.user, self.folder.read(FILE)?) else {
            return Ok(None);
        };
        let kept: Kept = minicbor::decode(&bytes).map_err(|_| KeysError::Damaged(FILE))?;
        let is_for = kept.version == VERSION
            && kept.host == server.host.as_str()
            && kept.port == server.port.get()
            && kept.user == user.as_str();
        Ok(is_for.then_some(MailPassword(kept.password)))
    }

    /// Whether the password for this server and user is kept.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn keeps_mail_password(&self, server: &MailServer) -> Result<bool, KeysError> {
        Ok(self.mail_password(server)?.is_some())
    }

    /// Keeps the password for a server and user, in place of any other. None for nobody.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn keep_mail_password(
        &self,
        server: &MailServer,
        password: &MailPassword,
    ) -> Result<(), KeysError> {
        let Some(user) = &server.user else {
            return self.forget_mail_password();
        };
        let kept = Kept {
            version: VERSION,
            host: server.host.as_str().to_owned(),
            port: server.port.get(),
            user: user.as_str().to_owned(),
            password: password.text().to_owned(),
        };
        let bytes = minicbor::to_vec(kept)
            .unwrap_or_else(|_| unreachable!("writing to memory cannot fail"));
        let _lock = self.folder.lock()?;
        self.folder.write(FILE, &bytes)
    }

    /// Keeps none any more.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn forget_mail_password(&self) -> Result<(), KeysError> {
        let _lock = self.folder.lock()?;
        self.folder.remove(&[FILE])
    }
}
