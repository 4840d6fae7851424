//! Signing in, signing out, proving again who one is, and the choice of light or dark.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use askama::Template;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use offgate_core::decide::may_sign_in;
use offgate_core::id::OperatorId;
use offgate_core::operator::Operator;
use offgate_core::records::Records as _;
use offgate_core::text::{Email, fold};
use offgate_store::sign_in::{Session, SignInChange};
use serde::Deserialize;

use super::failure::Failure;
use super::form::Form;
use super::frame::Theme;
use super::one_time_link::secret;
use super::password::{self, Verdict};
use super::signed_in::{self, SESSION, SignedIn, THEME_COOKIE};
use super::throttle::Whose;
use super::{Console, Transport, assets};

pub(crate) fn router() -> Router<Console> {
    Router::new()
        .route("/sign-in", get(ask).post(answer))
        .route("/sign-in/again", get(ask_again).post(answer_again))
        .route("/sign-out", post(sign_out))
        .route("/theme", post(choose_theme))
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Next {
    next: Option<String>,
}

/// A page of this console to go on to, never another site: a path with no host in it.
fn on_to(next: &str) -> &str {
    let is_a_path = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(|it: char| it == '\\' || it.is_control());
    if is_a_path { next } else { "/" }
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'p> {
    assets: &'static str,
    theme: Theme,
    next: &'p str,
    email: &'p str,
    problem: Option<String>,
    /// Who it is, when they are asked again.
    again: Option<&'p str>,
}

fn shown(status: StatusCode, page: &SignInPage<'_>) -> Result<Response, Failure> {
    Ok((status, Html(page.render()?)).into_response())
}

async fn ask(headers: HeaderMap, Query(next): Query<Next>) -> Result<Response, Failure> {
    shown(
        StatusCode::OK,
        &SignInPage {
            assets: assets::base(),
            theme: signed_in::theme(&headers),
            next: on_to(next.next.as_deref().unwrap_or("/")),
            email: "",
            problem: None,
            again: None,
        },
    )
}

const BUSY: &str = "Too many people are signing in just now. Try again in a moment.";

/// "Wait 16 seconds."
fn too_often(wait: Duration) -> String {
    let seconds = wait.as_secs().max(1);
    format!("Too many wrong tries. Wait {seconds} seconds, then try again.")
}

async fn answer(
    State(console): State<Console>,
    Extension(transport): Extension<Transport>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Failure> {
    let now = console.clock.now();
    let email = form.text("email");
    let again = |status, problem| {
        let page = SignInPage {
            assets: assets::base(),
            theme: signed_in::theme(&headers),
            next: on_to(form.text("next")),
            email,
            problem: Some(problem),
            again: None,
        };
        shown(status, &page)
    };
    let account = Whose::Account(fold(email.trim()).chars().take(200).collect());
    let address = Whose::address(origin(peer, &headers));
    let wait = console
        .throttle
        .wait(&account, now)
        .max(console.throttle.wait(&address, now));
    if !wait.is_zero() {
        return again(StatusCode::TOO_MANY_REQUESTS, too_often(wait));
    }
    console.throttle.tried(account.clone(), now);
    console.throttle.tried(address.clone(), now);
    let found = usable(&console, email)?;
    let hash = found.as_ref().and_then(|found| found.password.clone());
    let typed: String = form.text("password").chars().take(1_000).collect();
    let verdict = password::check(&console, typed, hash).await;
    match (verdict, found) {
        (Verdict::Right, Some(operator)) => {
            console.throttle.right(&account);
            console.throttle.right(&address);
            let next = on_to(form.text("next"));
            open(&console, transport, peer, &headers, operator.id, next).await
        }
        (Verdict::Busy, _) => again(StatusCode::SERVICE_UNAVAILABLE, BUSY.to_owned()),
        (Verdict::Right | Verdict::Wrong, _) => {
            let problem = "This e-mail address and password do not go together.".to_owned();
            again(StatusCode::UNPROCESSABLE_ENTITY, problem)
        }
    }
}

/// Where a try comes from. A proxy on this machine says for whom it asks; anybody else may say
/// what they like.
fn origin(peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    let told = headers
        .get_all("x-forwarded-for")
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.rsplit(',').next())
        .and_then(|address| address.trim().parse().ok());
    match told {
        Some(told) if peer.ip().is_loopback() => told,
        _ => peer.ip(),
    }
}

/// The operator with this address, if they may sign in now.
fn usable(console: &Console, email: &str) -> Result<Option<Operator>, Failure> {
    let reader = console.store.read();
    let Ok(email) = Email::parse(email) else {
        return Ok(None);
    };
    match reader.operator_by_email(&email)? {
        Some(operator) if may_sign_in(&reader, &operator)? => Ok(Some(operator)),
        _ => Ok(None),
    }
}

/// Starts a session and goes on to a page.
pub(super) async fn open(
    console: &Console,
    transport: Transport,
    peer: SocketAddr,
    headers: &HeaderMap,
    operator: OperatorId,
    next: &str,
) -> Result<Response, Failure> {
    if !signed_in::is_secure(transport, headers) && !peer.ip().is_loopback() {
        return Err(Failure::NotAllowed(
            "This connection is not encrypted, so a sign-in could be overheard. Use the https \
             address, or a proxy that says “X-Forwarded-Proto: https”."
                .to_owned(),
        ));
    }
    let now = console.clock.now();
    let secret = secret(&*console.randomness);
    let session = Session {
        token: signed_in::hash(&secret),
        operator,
        started_at: now,
        authenticated_at: now,
        expires_at: now.plus(SESSION),
    };
    // Whatever session this browser had before is over: a secret is never used across a sign-in.
    if let Some(old) = signed_in::token(transport, headers) {
        console.store.sign_in(SignInChange::Ended(old)).await?;
    }
    console
        .store
        .sign_in(SignInChange::Started(session))
        .await?;
    let mut response = Redirect::to(next).into_response();
    let cookie = signed_in::set_cookie(transport, headers, Some(&secret));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

async fn ask_again(signed_in: SignedIn, Query(next): Query<Next>) -> Result<Response, Failure> {
    shown(
        StatusCode::OK,
        &SignInPage {
            assets: assets::base(),
            theme: signed_in.theme,
            next: on_to(next.next.as_deref().unwrap_or("/")),
            email: signed_in.operator.email.as_str(),
            problem: None,
            again: Some(signed_in.operator.name.as_str()),
        },
    )
}

async fn answer_again(
    State(console): State<Console>,
    signed_in: SignedIn,
    form: Form,
) -> Result<Response, Failure> {
    let now = console.clock.now();
    let account = Whose::Again(signed_in.operator.id);
    let next = on_to(form.text("next"));
    let again = |status, problem| {
        let page = SignInPage {
            assets: assets::base(),
            theme: signed_in.theme,
            next,
            email: signed_in.operator.email.as_str(),
            problem: Some(problem),
            again: Some(signed_in.operator.name.as_str()),
        };
        shown(status, &page)
    };
    let wait = console.throttle.wait(&account, now);
    if !wait.is_zero() {
        return again(StatusCode::TOO_MANY_REQUESTS, too_often(wait));
    }
    console.throttle.tried(account.clone(), now);
    let typed: String = form.text("password").chars().take(1_000).collect();
    let hash = signed_in.operator.password.clone();
    match password::check(&console, typed, hash).await {
        Verdict::Right => {
            console.throttle.right(&account);
            let proved = SignInChange::Authenticated(signed_in.session.token, now);
            console.store.sign_in(proved).await?;
            Ok(Redirect::to(next).into_response())
        }
        Verdict::Busy => again(StatusCode::SERVICE_UNAVAILABLE, BUSY.to_owned()),
        Verdict::Wrong => {
            let problem = "This is not your password.".to_owned();
            again(StatusCode::UNPROCESSABLE_ENTITY, problem)
        }
    }
}

async fn sign_out(
    State(console): State<Console>,
    Extension(transport): Extension<Transport>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if let Some(token) = signed_in::token(transport, &headers) {
        console.store.sign_in(SignInChange::Ended(token)).await?;
    }
    let mut response = Redirect::to("/sign-in").into_response();
    let cookie = signed_in::set_cookie(transport, &headers, None);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Not a change to anything but this browser: no session is needed.
async fn choose_theme(headers: HeaderMap, form: Form) -> Response {
    let theme = Theme::from_name(form.text("theme")).name();
    // Back to the page with the choice; its address without the host.
    let page = headers
        .get(header::REFERER)
        .and_then(|address| address.to_str().ok())
        .and_then(|address| address.split_once("://"))
        .and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)))
        .unwrap_or("/");
    let mut response = Redirect::to(on_to(page)).into_response();
    let text = format!("{THEME_COOKIE}={theme}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::on_to;

    #[test]
    fn nobody_is_sent_to_another_site() {
        assert_eq!(on_to("/users/1"), "/users/1");
        for elsewhere in [
            "https://example.com",
            "//example.com",
            "/\\example.com",
            "\\\\example.com",
            "",
            "users",
            "/a\r\nSet-Cookie: x",
            "/a\u{1}b",
        ] {
            assert_eq!(on_to(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
