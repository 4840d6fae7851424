//! From a server's address to a stream that only that server can read.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use offgate_link::identity::{Identity, client_config, server_name};
use offgate_link::join_token::RootFingerprint;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long connecting may take, handshake included.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to servers below one root, as one agent or as nobody yet.
pub(crate) struct Connector(TlsConnector);

impl Connector {
    pub(crate) fn new(root: RootFingerprint, own: Option<&Identity>) -> io::Result<Self> {
        let config = client_config(root, own).map_err(io::Error::other)?;
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Connects to `address`, a host and a port.
    pub(crate) async fn connect(&self, address: &str) -> io::Result<TlsStream<TcpStream>> {
        let connecting = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            self.0.connect(server_name(), stream).await
        };
        tokio::time::timeout(PATIENCE, connecting).await?
    }
}
