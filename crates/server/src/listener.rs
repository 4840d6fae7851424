//! The port: TLS, and who is at the other end.

use std::sync::Arc;
use std::time::Duration;

use offgate_core::agent::AgentState;
use offgate_core::records::Records as _;
use offgate_link::frame;
use offgate_link::identity::{Authority, IdentityError, agent_key, server_config};
use offgate_link::message::{RefusalCode, ToAgent};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::{Shared, conversation, enrolment};

/// A connection of the link.
pub(crate) type Stream = TlsStream<TcpStream>;

/// How many connections there may be.
const CONNECTIONS: usize = 10_000;
/// How many may be in their handshake or enrolling at once.
const STRANGERS: usize = 64;
/// How long to wait when no connection can be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

pub(crate) fn acceptor(authority: &Authority) -> Result<TlsAcceptor, IdentityError> {
    let root = authority.root.chain.first().map_or(&[][..], Vec::as_slice);
    Ok(TlsAcceptor::from(Arc::new(server_config(
        &authority.link,
        root,
    )?)))
}

/// Accepts connections until the server stops.
pub(crate) async fn listen(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    loop {
        let Ok(place) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = shared.stopping.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file handles, most likely: others have to end first.
                tracing::warn!(%error, "could not accept a connection");
                let pause = tokio::time::timeout(PAUSE, shared.stopping.cancelled());
                if pause.await.is_ok() {
                    return;
                }
                continue;
            }
        };
        let (tls, strangers, shared_here) =
            (tls.clone(), Arc::clone(&strangers), Arc::clone(&shared));
        shared.tasks.spawn(async move {
            let _place = place;
            let served = serve(stream, tls, &strangers, &shared_here);
            tokio::select! {
                () = shared_here.stopping.cancelled() => {}
                () = served => {}
            }
        });
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, strangers: &Semaphore, shared: &Arc<Shared>) {
    let Ok(stranger) = strangers.acquire().await else {
        return;
    };
    // Frames are small and each waits for an answer.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Ok(Ok(mut stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await else {
        return;
    };
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
    match shared.store.read().agents() {
        Ok(agents) => match agents.into_iter().find(|agent| agent.key == key) {
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
