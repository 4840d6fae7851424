//! The server that takes mail from here, and how it is spoken to.

use std::net::IpAddr;
use std::num::NonZeroU16;

use crate::text::{Email, TextError, line};

/// The name of a machine, or its address: `mail.example.com`, `192.0.2.1`, `::1`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HostName(String);

impl HostName {
    /// The most characters it may have (RFC 1035).
    pub const LIMIT: usize = 253;

    /// Reads one. Whether there is such a machine, only asking for it tells.
    ///
    /// # Errors
    /// Neither a name nor an address.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = line(text, Self::LIMIT)?.to_ascii_lowercase();
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .chars()
                    .all(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '_'))
        };
        if text.parse::<IpAddr>().is_ok() || text.split('.').all(label) {
            Ok(Self(text))
        } else {
            Err(TextError::Shape(
                "a server’s name looks like mail.example.com",
            ))
        }
    }

    /// The name or address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what is sent there never leaves this machine.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        self.0 == "localhost" || self.0.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
    }
}

impl std::fmt::Debug for HostName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name by which one signs in at a mail server; often an address.
#[derive(Clone, PartialEq, Eq)]
pub struct MailUser(String);

impl MailUser {
    /// The most characters it may have.
    pub const LIMIT: usize = 254;

    /// Reads one.
    ///
    /// # Errors
    /// As for any line of text.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        line(text, Self::LIMIT).map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for MailUser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MailUser(…)")
    }
}

/// The certificates, in PEM, of those who may vouch for a server inside the house.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorities(String);

impl Authorities {
    /// The most bytes they may have.
    pub const LIMIT: usize = 32 * 1024;

    /// Reads them. Whether the certificates are any, only reading them tells.
    ///
    /// # Errors
    /// Too long, or no certificate in PEM.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text.trim();
        if text.len() > Self::LIMIT {
            return Err(TextError::TooLong {
                limit: Self::LIMIT,
                length: text.len(),
            });
        }
        if text.contains("PRIVATE KEY") {
            return Err(TextError::Shape(
                "this holds a private key; only certificates belong here",
            ));
        }
        if !text.contains("-----BEGIN CERTIFICATE-----") {
            return Err(TextError::Shape(
                "a certificate in PEM begins with -----BEGIN CERTIFICATE-----",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The certificates, in PEM.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Authorities {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authorities(…)")
    }
}

/// How what is said to a mail server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// By TLS from the first byte (RFC 8314; usually port 465).
    Tls,
    /// By TLS after STARTTLS; a server that does not offer it gets nothing (usually port 587).
    StartTls,
    /// Not at all. Only for a server on this machine.
    None,
}

impl Protection {
    /// All of them, the best first.
    pub const ALL: [Self; 3] = [Self::Tls, Self::StartTls, Self::None];

    /// The stable name used in rows, forms and the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::StartTls => "starttls",
            Self::None => "none",
        }
    }

    /// What has this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// The port unless another is named.
    #[must_use]
    pub const fn port(self) -> NonZeroU16 {
        let port = match self {
            Self::Tls => 465,
            Self::StartTls => 587,
            Self::None => 25,
        };
        match NonZeroU16::new(port) {
            Some(port) => port,
            None => NonZeroU16::MIN,
        }
    }
}

/// Who takes mail from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    /// Where it is.
    pub host: HostName,
    /// At which port.
    pub port: NonZeroU16,
    /// How it is spoken to.
    pub protection: Protection,
    /// Who signs in there; nobody, for a server that asks nobody.
    pub user: Option<MailUser>,
    /// From whom mail comes.
    pub sender: Email,
    /// What this server calls itself: in its greeting, and in what it writes.
    pub name: HostName,
    /// Who may vouch for the server, in place of those whom the operating system trusts.
    pub authorities: Option<Authorities>,
}

impl MailServer {
    /// Whether a password that was given for one is sent to the other.
    #[must_use]
    pub fn takes_the_password_of(&self, other: &Self) -> bool {
        self.host == other.host && self.port == other.port && self.user == other.user
    }
}

/// Whether a new password is kept with a change of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewPassword {
    /// The one that was given before stays.
    Kept,
    /// There is another now.
    Given,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_of_machines() {
        for (text, here) in [
            ("mail.example.com", false),
            ("MAIL", false),
            ("192.0.2.1", false),
            ("2001:db8::1", false),
            ("localhost", true),
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
        ] {
            let host = HostName::parse(text).expect(text);
            assert_eq!(host.is_this_machine(), here, "{text}");
        }
        for text in [
            "",
            "mail example",
            "a..b",
            "-a.b",
            "a/b",
            "a:25",
            "localhost.",
            "ä.de",
        ] {
            assert!(HostName::parse(text).is_err(), "{text}");
        }
        let other = HostName::parse("localhost.example.com").expect("a name");
        assert!(!other.is_this_machine());
    }

    #[test]
    fn a_key_is_no_certificate() {
        let certificate = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";
        let key = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----";
        assert!(Authorities::parse(certificate).is_ok());
        assert!(Authorities::parse("AA==").is_err());
        assert!(Authorities::parse(&format!("{certificate}\n{key}")).is_err());
    }
}
