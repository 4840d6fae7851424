//! Browsers' connections: HTTP/1.1 and HTTP/2, with limits, ended when the server stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::Layer as _;

use crate::{Shared, listener};

/// How many connections without TLS there may be.
const CONNECTIONS: usize = 1_000;
/// How long a browser may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long requests that are under way may take when the server stops.
const FINISH_WITHIN: Duration = Duration::from_secs(3);
/// How many requests one HTTP/2 connection may have under way.
const STREAMS: u32 = 64;

/// Accepts connections without TLS until the server stops.
pub(crate) async fn listen(listener: TcpListener, pages: axum::Router, shared: Arc<Shared>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let Some((stream, peer)) = listener::accept(&listener, &shared).await else {
            return;
        };
        let (pages, shared_here) = (pages.clone(), Arc::clone(&shared));
        shared.tasks.spawn(async move {
            let _place = place;
            serve(stream, peer, Protocol::Http1, pages, &shared_here).await;
        });
    }
}

/// What a browser speaks, as its handshake said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Answers one connection's requests.
pub(crate) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    protocol: Protocol,
    pages: axum::Router,
    shared: &Shared,
) {
    let pages = axum::Extension(ConnectInfo(peer)).layer(pages);
    // Never found out from the first bytes: somebody who sends none would be waited for.
    let builder = Builder::new(TokioExecutor::new());
    let mut builder = match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A connection that breaks is the browser's affair.
        _ = connection.as_mut() => return,
        () = shared.stopping.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(FINISH_WITHIN, connection).await;
}
