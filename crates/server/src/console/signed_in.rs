//! Who is signed in on the browser that asks.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use offgate_core::decide::may_sign_in;
use offgate_core::operator::Operator;
use offgate_core::parameters::Timestamp;
use offgate_core::records::Records as _;
use offgate_store::sign_in::{SecretHash, Session, SignInChange};

use super::failure::Failure;
use super::frame::Theme;
use super::{Console, Transport};

/// How long a session lasts after it was last used.
pub(super) const SESSION: Duration = Duration::from_secs(30 * 24 * 3600);
/// How much of that may pass before its end is moved again.
const EXTEND_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How recently somebody must have proved who they are for what asks for it.
const FRESH: Duration = Duration::from_secs(10 * 60);

const SECURE_COOKIE: &str = "__Host-offgate";
const PLAIN_COOKIE: &str = "offgate";
pub(super) const THEME_COOKIE: &str = "offgate-theme";

/// Whether a sign-in is recent enough for what cannot be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignInAge {
    /// It is.
    Fresh,
    /// They have to prove again who they are.
    Stale,
}

/// Somebody with a session and the right to use it, looked up for this request.
#[derive(Clone)]
pub(crate) struct SignedIn {
    pub(crate) operator: Operator,
    pub(crate) session: Session,
    pub(crate) theme: Theme,
}

impl SignedIn {
    /// Whether they proved lately who they are.
    pub(crate) fn age(&self, now: Timestamp) -> SignInAge {
        if now.since(self.session.authenticated_at) < FRESH {
            SignInAge::Fresh
        } else {
            SignInAge::Stale
        }
    }

    /// Whether the session still holds: the live part of a page asks while it is open.
    pub(crate) fn still(&self, console: &Console) -> Result<bool, Failure> {
        Ok(find(console, self.session.token)?.is_some())
    }
}

fn find(console: &Console, token: SecretHash) -> Result<Option<(Operator, Session)>, Failure> {
    let reader = console.store.read();
    let Some(session) = reader.session(token, console.clock.now())? else {
        return Ok(None);
    };
    let Some(operator) = reader.operator(session.operator)? else {
        return Ok(None);
    };
    Ok(may_sign_in(&reader, &operator)?.then_some((operator, session)))
}

impl FromRequestParts<Console> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Failure> {
        let nobody = || Failure::SignIn(sign_in_address(parts));
        let transport = parts.extensions.get::<Transport>().copied();
        let token = transport
            .and_then(|transport| token(transport, &parts.headers))
            .ok_or_else(nobody)?;
        let (operator, session) = find(console, token)?.ok_or_else(nobody)?;
        let now = console.clock.now();
        if session.expires_at.since(now) + EXTEND_AFTER < SESSION {
            let until = now.plus(SESSION);
            console
                .store
                .sign_in(SignInChange::Extended(token, until))
                .await?;
        }
        Ok(Self {
            operator,
            session,
            theme: theme(&parts.headers),
        })
    }
}

/// Where to sign in, to come back here afterwards if this was a page.
fn sign_in_address(parts: &Parts) -> String {
    let here = parts.uri.path();
    if parts.method == Method::GET && here != "/" && !here.ends_with("/live") {
        let whole = parts.uri.path_and_query().map_or(here, |it| it.as_str());
        let next: String = form_encoded(whole);
        format!("/sign-in?next={next}")
    } else {
        "/sign-in".to_owned()
    }
}

/// A text as it may stand in a query.
pub(super) fn form_encoded(text: &str) -> String {
    serde_urlencoded::to_string([("", text)])
        .map(|pair| pair.trim_start_matches('=').to_owned())
        .unwrap_or_default()
}

/// The cookie a request carries under this name.
fn cookie<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

/// What the session cookie of a request is recognised by.
///
/// Over TLS only the name that browsers protect (`__Host-`) counts: another site on this machine
/// could set the other one.
pub(super) fn token(transport: Transport, headers: &HeaderMap) -> Option<SecretHash> {
    cookie(headers, cookie_name(transport, headers))
        .filter(|value| value.len() == 64)
        .map(hash)
}

pub(super) fn theme(headers: &HeaderMap) -> Theme {
    Theme::from_name(cookie(headers, THEME_COOKIE).unwrap_or_default())
}

/// What a secret in text form is recognised by.
pub(super) fn hash(secret: &str) -> SecretHash {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    SecretHash(hash)
}

/// Whether the browser is reached over TLS, here or at a proxy in front.
pub(super) fn is_secure(transport: Transport, headers: &HeaderMap) -> bool {
    transport == Transport::Tls
        || headers
            .get("x-forwarded-proto")
            .is_some_and(|value| value == "https")
}

fn cookie_name(transport: Transport, headers: &HeaderMap) -> &'static str {
    if is_secure(transport, headers) {
        SECURE_COOKIE
    } else {
        PLAIN_COOKIE
    }
}

/// The header that gives a browser its session, or takes it away when there is no secret.
pub(super) fn set_cookie(
    transport: Transport,
    headers: &HeaderMap,
    secret: Option<&str>,
) -> HeaderValue {
    let name = cookie_name(transport, headers);
    let secure = if name == SECURE_COOKIE {
        "; Secure"
    } else {
        ""
    };
    let age = if secret.is_some() {
        SESSION.as_secs()
    } else {
        0
    };
    let value = secret.unwrap_or_default();
    let text = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
