//! Hands one notice to the webhook (Standard Webhooks 1.0.0): a POST over HTTP/1.1 that is taken when
//! the answer's status says so.
//!
//! Of the answer nothing is read but its head, which may not be long, and its body is never waited for.
//! No redirect is followed, and nothing of the answer is kept but its status.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use offgate_core::id::LetterId;
use offgate_core::mail::{Hurdle, Problem, ServerSaid};
use offgate_core::parameters::Timestamp;
use offgate_core::webhook::{Protection, Webhook, WebhookAddress};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::keys::Keys;

/// How long it may take to reach whoever listens.
const REACHED_WITHIN: Duration = Duration::from_secs(10);
/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(20);
/// The most bytes that are kept of an answer's head.
const HEAD: usize = 16 * 1024;
/// The most lines that an answer's head may have.
const LINES: usize = 64;

fn problem(hurdle: Hurdle) -> Problem {
    Problem {
        hurdle,
        said: ServerSaid::default(),
    }
}

/// Hands a notice over, and says what was answered.
pub(super) async fn deliver(
    webhook: &Webhook,
    keys: &Keys,
    id: LetterId,
    body: &str,
    now: Timestamp,
) -> Result<ServerSaid, Problem> {
    let secrets = keys
        .webhook_secrets(&webhook.address, now)
        .map_err(|error| {
            tracing::error!(%error, "the secret of the webhook cannot be read");
            problem(Hurdle::WebhookNoSecret)
        })?;
    if secrets.is_empty() {
        return Err(problem(Hurdle::WebhookNoSecret));
    }
    let (id, seconds) = (format!("msg_{id}"), now.seconds());
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| secret.sign(&id, seconds, body))
        .collect();
    let address = &webhook.address;
    let request = Request::post(address.path())
        .header(header::HOST, host(address))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, "Offgate")
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", signatures.join(" "))
        .body(Body::from(body.to_owned()))
        .map_err(|_| problem(Hurdle::WebhookCutOff))?;
    match tokio::time::timeout(WITHIN, hand_over(webhook, request)).await {
        Ok(status) => judged(status?),
        Err(_) => Err(problem(Hurdle::WebhookNotReached)),
    }
}

/// The machine as the request names it.
fn host(address: &WebhookAddress) -> String {
    let host = address.host().as_str();
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    match (address.protection(), address.port()) {
        (Protection::Tls, 443) | (Protection::None, 80) => host,
        (_, port) => format!("{host}:{port}"),
    }
}

/// What a status says.
fn judged(status: StatusCode) -> Result<ServerSaid, Problem> {
    let said = ServerSaid::of(&status.to_string());
    let hurdle = match status.as_u16() {
        200..=299 => return Ok(said),
        300..=399 => Hurdle::WebhookRedirects,
        410 => Hurdle::WebhookGone,
        _ => Hurdle::WebhookRefused,
    };
    Err(Problem { hurdle, said })
}

async fn hand_over(webhook: &Webhook, request: Request<Body>) -> Result<StatusCode, Problem> {
    let address = &webhook.address;
    let at = (address.host().as_str(), address.port());
    let stream = match tokio::time::timeout(REACHED_WITHIN, TcpStream::connect(at)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(_)) | Err(_) => return Err(problem(Hurdle::WebhookNotReached)),
    };
    match address.protection() {
        Protection::None => ask(stream, request).await,
        Protection::Tls => {
            let name = ServerName::try_from(address.host().as_str().to_owned())
                .map_err(|_| problem(Hurdle::WebhookNotTrusted))?;
            let connector = TlsConnector::from(Arc::new(trusted(webhook)?));
            let stream = connector
                .connect(name, stream)
                .await
                .map_err(|error| not_connected(&error))?;
            ask(stream, request).await
        }
    }
}

/// Whom the certificate must come from.
fn trusted(webhook: &Webhook) -> Result<ClientConfig, Problem> {
    let mut roots = RootCertStore::empty();
    match &webhook.authorities {
        Some(authorities) => {
            for certificate in CertificateDer::pem_slice_iter(authorities.as_str().as_bytes()) {
                certificate
                    .ok()
                    .and_then(|certificate| roots.add(certificate).ok())
                    .ok_or_else(|| problem(Hurdle::WebhookNotTrusted))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| problem(Hurdle::WebhookNotTrusted))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn not_connected(error: &std::io::Error) -> Problem {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => problem(Hurdle::WebhookNotTrusted),
        Some(_) | None => problem(Hurdle::WebhookCutOff),
    }
}

/// Asks, and says with which status it was answered.
async fn ask<S>(stream: S, request: Request<Body>) -> Result<StatusCode, Problem>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let cut = |_| problem(Hurdle::WebhookCutOff);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD)
        .max_headers(LINES)
        .handshake::<_, Body>(TokioIo::new(stream))
        .await
        .map_err(cut)?;
    let answer = sender.send_request(request);
    // Both end with this function, whatever comes after the head of the answer.
    tokio::pin!(connection, answer);
    let answered = tokio::select! {
        answered = &mut answer => answered,
        _ = &mut connection => answer.await,
    };
    Ok(answered.map_err(cut)?.status())
}
