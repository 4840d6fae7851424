//! One address at which another program listens for alerts.
//!
//! Owns: what such an address may be, and what is sent there. Refuses to know: the secret with which
//! it is signed (it is kept with the keys of the server), and how it is handed over.

use std::collections::BTreeSet;

use crate::alert::AlertKind;
use crate::mail::{Authorities, HostName};
use crate::parameters::Timestamp;
use crate::text::{TextError, line};

/// Where a webhook is: `https://host/path`, or `http://` for a program on this machine. It may hold a
/// secret of whoever listens there, so it is neither printed nor logged as a whole.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookAddress {
    text: String,
    protection: Protection,
    host: HostName,
    port: u16,
    /// Where the path begins in the text.
    path: usize,
}

/// How what is sent to a webhook is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// By TLS.
    Tls,
    /// Not at all: it does not leave this machine.
    None,
}

const SHAPE: TextError = TextError::Shape("an address looks like https://example.com/alerts");

impl WebhookAddress {
    /// The most characters it may have.
    pub const LIMIT: usize = 500;

    /// Reads one.
    ///
    /// # Errors
    /// Not an address, without TLS to another machine, or with a user name or a fragment in it.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = line(text, Self::LIMIT)?;
        if !text.chars().all(|it| it.is_ascii_graphic()) || text.contains('#') {
            return Err(SHAPE);
        }
        let (protection, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://"))
        {
            (Some(rest), _) => (Protection::Tls, rest),
            (None, Some(rest)) => (Protection::None, rest),
            (None, None) => return Err(SHAPE),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let path = text.len() - rest.len() + end;
        let authority = &rest[..end];
        if authority.contains('@') {
            return Err(TextError::Shape(
                "no user name or password in an address; what is sent is signed",
            ));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(SHAPE)?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(port) => port
                .parse::<std::num::NonZeroU16>()
                .map_err(|_| SHAPE)?
                .get(),
            None if protection == Protection::Tls => 443,
            None => 80,
        };
        let host = HostName::parse(host).map_err(|_| SHAPE)?;
        if protection == Protection::None && !host.is_this_machine() {
            return Err(TextError::Shape(
                "https:// to any machine but this one; without TLS everybody on the way could read it",
            ));
        }
        Ok(Self {
            text,
            protection,
            host,
            port,
            path,
        })
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How it is spoken to.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.protection
    }

    /// The machine.
    #[must_use]
    pub const fn host(&self) -> &HostName {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What is asked for there: path and query.
    #[must_use]
    pub fn path(&self) -> String {
        match &self.text[self.path..] {
            query if query.starts_with('/') => query.to_owned(),
            query => format!("/{query}"),
        }
    }
}

impl std::fmt::Debug for WebhookAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "WebhookAddress({:?}, …)", self.host)
    }
}

/// Whether anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookState {
    /// It is.
    Open,
    /// Whoever listened there said that nobody does any more (410 Gone).
    Gone {
        /// When.
        at: Timestamp,
    },
}

/// The webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where.
    pub address: WebhookAddress,
    /// Which alerts are sent there.
    pub kinds: BTreeSet<AlertKind>,
    /// Who may vouch for whoever listens there, in place of those whom the operating system trusts.
    pub authorities: Option<Authorities>,
    /// Whether anything is sent.
    pub state: WebhookState,
}

impl Webhook {
    /// Whether alerts of a kind are sent there.
    #[must_use]
    pub fn takes(&self, kind: AlertKind) -> bool {
        self.state == WebhookState::Open && self.kinds.contains(&kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_webhooks() {
        for (text, host, port, path) in [
            ("https://example.com", "example.com", 443, "/"),
            ("https://example.com/a?b=c", "example.com", 443, "/a?b=c"),
            ("https://example.com?b=c", "example.com", 443, "/?b=c"),
            ("https://192.0.2.1:8443/a", "192.0.2.1", 8443, "/a"),
            ("https://[2001:db8::1]/a", "2001:db8::1", 443, "/a"),
            ("http://127.0.0.1:9000/a", "127.0.0.1", 9000, "/a"),
            ("http://localhost/a", "localhost", 80, "/a"),
            ("http://[::1]:81", "::1", 81, "/"),
        ] {
            let address = WebhookAddress::parse(text).expect(text);
            let found = (address.host().as_str(), address.port(), address.path());
            assert_eq!(found, (host, port, path.to_owned()), "{text}");
            assert_eq!(
                address.protection() == Protection::Tls,
                text.starts_with("https")
            );
            let shown = format!("{address:?}");
            assert!(!shown.contains("b=c"), "{shown}");
        }
        for text in [
            "",
            "example.com",
            "ftp://example.com/",
            "http://example.com/",
            "http://192.0.2.1/",
            "https://",
            "https:///a",
            "https://user:word@example.com/",
            "https://example.com:0/",
            "https://example.com:99999/",
            "https://example.com/#a",
            "https://example.com/ä",
            "https://example.com/a b",
            "https://[::1/",
        ] {
            assert!(WebhookAddress::parse(text).is_err(), "{text}");
        }
    }
}
