//! The port: TLS, and who is at the other end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use offgate_core::agent::AgentState;
use offgate_link::frame;
use offgate_link::identity::{ALPN, IdentityError, agent_key, server_config};
use offgate_link::message::{RefusalCode, ToAgent};
use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::browsers::{self, Protocol};
use crate::keys::Keys;
use crate::{Shared, conversation, enrolment};

/// A connection of the link.
pub(crate) type Stream = TlsStream<TcpStream>;

/// How many connections there may be.
const CONNECTIONS: usize = 10_000;
/// How many may be in their handshake or enrolling at once.
const STRANGERS: usize = 256;
/// How many connections of browsers there may be.
pub(crate) const BROWSERS: usize = 1_000;
/// How long to wait when no connection can be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What is served with TLS, and how.
#[derive(Clone)]
pub(crate) struct Tls {
    /// How agents are met.
    pub(crate) link: watch::Receiver<Arc<ServerConfig>>,
    /// How browsers are met; they are never asked for a certificate.
    pub(crate) browsers: watch::Receiver<Arc<ServerConfig>>,
    /// How many browsers there may be: they never take the place of a door.
    pub(crate) places: Arc<Semaphore>,
    /// What browsers get.
    pub(crate) pages: axum::Router,
}

pub(crate) fn link_config(keys: &Keys) -> Result<Arc<ServerConfig>, IdentityError> {
    let root = keys.root();
    keys.with_link(|link| server_config(link, &root))
        .map(Arc::new)
}

/// Accepts connections until the server stops.
pub(crate) async fn listen(listener: TcpListener, tls: Tls, shared: Arc<Shared>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    loop {
        let Ok(place) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let Some((stream, peer)) = accept(&listener, &shared).await else {
            return;
        };
        let (tls, strangers, shared_here) =
            (tls.clone(), Arc::clone(&strangers), Arc::clone(&shared));
        shared.tasks.spawn(async move {
            let _place = place;
            serve(stream, peer, tls, &strangers, &shared_here).await;
        });
    }
}

/// The next connection; none when the server stops.
pub(crate) async fn accept(
    listener: &TcpListener,
    shared: &Shared,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            () = shared.stopping.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => return Some(accepted),
            Err(error) => {
                // Out of file handles, most likely: others have to end first.
                tracing::warn!(%error, "could not accept a connection");
                let pause = tokio::time::timeout(PAUSE, shared.stopping.cancelled());
                if pause.await.is_ok() {
                    return None;
                }
            }
        }
    }
}

/// Who a connection is from, as its first bytes say.
enum Caller {
    Agent(Box<Stream>),
    Browser(Box<Stream>),
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Tls,
    strangers: &Semaphore,
    shared: &Arc<Shared>,
) {
    let Ok(stranger) = strangers.acquire().await else {
        return;
    };
    // Frames are small and each waits for an answer.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let greeted = tokio::time::timeout(HANDSHAKE, greet(stream, &tls));
    let greeted = tokio::select! {
        () = shared.stopping.cancelled() => return,
        greeted = greeted => greeted,
    };
    match greeted {
        Ok(Ok(Caller::Agent(stream))) => {
            let held = agent(*stream, stranger, shared);
            tokio::select! {
                () = shared.stopping.cancelled() => {}
                () = held => {}
            }
        }
        Ok(Ok(Caller::Browser(stream))) => {
            drop(stranger);
            let Ok(_place) = tls.places.try_acquire() else {
                return;
            };
            let protocol = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Protocol::Http2,
                _ => Protocol::Http1,
            };
            browsers::serve(*stream, peer, protocol, tls.pages, shared).await;
        }
        Ok(Err(_)) | Err(_) => {}
    }
}

/// The handshake: agents name their protocol (ALPN), everybody else is a browser.
async fn greet(stream: TcpStream, tls: &Tls) -> std::io::Result<Caller> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let is_agent = start
        .client_hello()
        .alpn()
        .is_some_and(|mut names| names.any(|name| name == ALPN));
    if is_agent {
        let config = Arc::clone(&tls.link.borrow());
        let stream = start.into_stream(config).await?;
        Ok(Caller::Agent(Box::new(stream)))
    } else {
        let config = Arc::clone(&tls.browsers.borrow());
        let stream = start.into_stream(config).await?;
        Ok(Caller::Browser(Box::new(stream)))
    }
}

async fn agent(mut stream: Stream, stranger: SemaphorePermit<'_>, shared: &Arc<Shared>) {
    let certificate = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first)
        .cloned();
    let Some(certificate) = certificate else {
        enrolment::enrol(&mut stream, shared).await;
        return;
    };
    drop(stranger);
    let Ok(key) = agent_key(&certificate) else {
        return;
    };
    match shared.store.read().agent_with_key(&key) {
        Ok(found) => match found {
            Some(agent) if agent.state == AgentState::Enrolled => {
                conversation::hold(stream, agent, shared).await;
            }
            _ => {
                refuse(
                    &mut stream,
                    RefusalCode::Revoked,
                    "this key is not accepted",
                )
                .await
            }
        },
        Err(error) => {
            tracing::error!(%error, "could not look an agent up");
            refuse(&mut stream, RefusalCode::Later, "the store cannot be read").await;
        }
    }
}

/// Says why, and ends.
pub(crate) async fn refuse(stream: &mut Stream, code: RefusalCode, words: &str) {
    let message = ToAgent::Refused {
        code,
        words: words.to_owned(),
    };
    if let Ok(frame) = frame::encode(&message.encode()) {
        // The connection is given up either way.
        let _ = stream.write_all(&frame).await;
        let _ = stream.shutdown().await;
    }
}
