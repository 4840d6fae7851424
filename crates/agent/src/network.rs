//! From a server's address to a stream that only that server can read.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use offgate_link::chain::IssuingNumber;
use offgate_link::identity::{Identity, client_config, issued_under, server_name};
use offgate_link::join_token::RootFingerprint;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long connecting may take, handshake included.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to servers below one root, as one agent or as nobody yet.
pub(crate) struct Connector {
    root: RootFingerprint,
    own: Option<Identity>,
    seen: IssuingNumber,
    tls: TlsConnector,
}

impl Connector {
    /// Believes no issuing key with a number below `seen`.
    pub(crate) fn new(
        root: RootFingerprint,
        own: Option<Identity>,
        seen: IssuingNumber,
    ) -> io::Result<Self> {
        Ok(Self {
            tls: tls(root, own.as_ref(), seen)?,
            root,
            own,
            seen,
        })
    }

    /// Connects to `address`, a host and a port.
    pub(crate) async fn connect(&self, address: &str) -> io::Result<TlsStream<TcpStream>> {
        let connecting = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            self.tls.connect(server_name(), stream).await
        };
        tokio::time::timeout(PATIENCE, connecting).await?
    }

    /// Believes nobody any more who is vouched for by an issuing key that came before this
    /// server's. The number to keep, if it is a new one.
    pub(crate) fn follow(
        &mut self,
        stream: &TlsStream<TcpStream>,
    ) -> io::Result<Option<IssuingNumber>> {
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let number = issued_under(chain, self.root).map_err(io::Error::other)?;
        if number <= self.seen {
            return Ok(None);
        }
        self.tls = tls(self.root, self.own.as_ref(), number)?;
        self.seen = number;
        Ok(Some(number))
    }
}

fn tls(
    root: RootFingerprint,
    own: Option<&Identity>,
    seen: IssuingNumber,
) -> io::Result<TlsConnector> {
    let config = client_config(root, seen, own).map_err(io::Error::other)?;
    Ok(TlsConnector::from(Arc::new(config)))
}
