//! What a one-time link opens: a form, used up when it is sent and not when it is looked at.

use std::net::SocketAddr;
use std::sync::Arc;

use askama::Template;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use offgate_core::actor::Actor;
use offgate_core::command::Command;
use offgate_core::decide::may_sign_in;
use offgate_core::id::{CommandId, OperatorId};
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::Revision;
use offgate_core::records::Records as _;
use offgate_core::text::{Email, Title};
use offgate_store::sign_in::LinkPurpose;
use offgate_store::{Outcome, StoreError};

use super::failure::Failure;
use super::form::Form;
use super::frame::Theme;
use super::words::sentence;
use super::{Console, Transport, assets, password, sign_in, signed_in};

pub(crate) fn router() -> Router<Console> {
    Router::new().route("/start/{secret}", get(look).post(go))
}

/// What the form asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// Nothing but a click.
    Nothing,
    /// A new password.
    Password,
    /// Everything about the first owner.
    Owner,
    /// Nothing: the link is no good any more.
    Over,
}

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage<'p> {
    assets: &'static str,
    theme: Theme,
    asks: Asks,
    /// Whose sign-in it is.
    who: String,
    form: &'p Form,
    problems: Vec<(&'static str, String)>,
}

impl StartPage<'_> {
    fn problem(&self, field: &str) -> Option<&str> {
        self.problems
            .iter()
            .find(|(name, _)| *name == field)
            .map(|(_, words)| words.as_str())
    }
}

/// What a link may be used for at this moment.
fn purpose(console: &Console, secret: &str) -> Result<Option<LinkPurpose>, Failure> {
    let reader = console.store.read();
    let found = reader.one_time_link(signed_in::hash(secret), console.clock.now())?;
    Ok(match found {
        // Only for the very first owner.
        Some(LinkPurpose::SetUp) if !reader.operators()?.is_empty() => None,
        // Also for the first password: whoever has none may not sign in yet.
        Some(LinkPurpose::Reset(operator)) => match reader.operator(operator)? {
            Some(operator) if operator.state == OperatorState::Open => found,
            _ => None,
        },
        Some(LinkPurpose::SignIn(operator)) => match reader.operator(operator)? {
            Some(operator) if may_sign_in(&reader, &operator)? => found,
            _ => None,
        },
        other => other,
    })
}

fn show(
    console: &Console,
    headers: &HeaderMap,
    purpose: Option<LinkPurpose>,
    form: &Form,
    problems: Vec<(&'static str, String)>,
) -> Result<Response, Failure> {
    let (asks, operator) = match purpose {
        None => (Asks::Over, None),
        Some(LinkPurpose::SetUp) => (Asks::Owner, None),
        Some(LinkPurpose::Reset(operator)) => (Asks::Password, Some(operator)),
        Some(LinkPurpose::SignIn(operator)) => (Asks::Nothing, Some(operator)),
    };
    let operator = match operator {
        Some(operator) => console.store.read().operator(operator)?,
        None => None,
    };
    let status = match (asks, problems.is_empty()) {
        (Asks::Over, _) => StatusCode::GONE,
        (_, true) => StatusCode::OK,
        (_, false) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let page = StartPage {
        assets: assets::base(),
        theme: signed_in::theme(headers),
        asks,
        who: operator.map_or_else(String::new, |it| it.name.as_str().to_owned()),
        form,
        problems,
    };
    Ok((status, Html(page.render()?)).into_response())
}

async fn look(
    State(console): State<Console>,
    Path(secret): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let purpose = purpose(&console, &secret)?;
    show(&console, &headers, purpose, &Form::default(), Vec::new())
}

async fn go(
    State(console): State<Console>,
    Extension(transport): Extension<Transport>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(secret): Path<String>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Failure> {
    let link = purpose(&console, &secret)?;
    // Looked at before the link is used up: a typing mistake must not cost it.
    let mut problems = Vec::new();
    let owner = match link {
        Some(LinkPurpose::SetUp) => Some(owner(&form, &mut problems)),
        _ => None,
    };
    let typed = form.text("password").to_owned();
    if matches!(link, Some(LinkPurpose::SetUp | LinkPurpose::Reset(_)))
        && let Some(problem) = password::problem(&typed)
    {
        problems.push(("password", problem));
    }
    if link.is_none() || !problems.is_empty() {
        return show(&console, &headers, link, &form, problems);
    }
    let hash = match link {
        Some(LinkPurpose::SignIn(_)) | None => None,
        Some(_) => password::hash(&console, typed).await,
    };
    let visit = Visit {
        transport,
        peer,
        headers,
        form,
    };
    // To its end, also when the browser goes away: a link that was used up must have been used.
    let console_here = Arc::clone(&console);
    let task = console.tasks.spawn(async move {
        let owner = owner.flatten();
        use_up(&console_here, &visit, &secret, hash, owner).await
    });
    task.await
        .unwrap_or(Err(Failure::Store(StoreError::OutcomeUnknown)))
}

/// The browser that has the link open.
struct Visit {
    transport: Transport,
    peer: SocketAddr,
    headers: HeaderMap,
    form: Form,
}

/// Uses a link up and does what it is for.
async fn use_up(
    console: &Console,
    visit: &Visit,
    secret: &str,
    hash: Option<PasswordHash>,
    owner: Option<(Title, Email)>,
) -> Result<Response, Failure> {
    let over = || show(console, &visit.headers, None, &visit.form, Vec::new());
    let open = |operator| {
        sign_in::open(
            console,
            visit.transport,
            visit.peer,
            &visit.headers,
            operator,
            "/",
        )
    };
    let _alone = console.setting_up.lock().await;
    // Of two who send the form at once, one is told that the link is over; and of two set-up
    // links, one makes the owner.
    if purpose(console, secret)?.is_none() {
        return over();
    }
    let used = console.store.use_link(signed_in::hash(secret)).await?;
    let (operator, command) = match (used, hash, owner) {
        (Some(LinkPurpose::SignIn(operator)), ..) => return open(operator).await,
        (Some(LinkPurpose::Reset(operator)), Some(hash), _) => {
            (operator, Command::SetPassword(operator, hash))
        }
        (Some(LinkPurpose::SetUp), Some(hash), Some((name, email))) => {
            let id = OperatorId::random(&*console.randomness);
            let operator = Operator {
                id,
                revision: Revision::ZERO,
                name,
                email,
                role: Role::Owner,
                user: None,
                password: Some(hash),
                state: OperatorState::Open,
            };
            (id, Command::CreateOperator(operator))
        }
        _ => return over(),
    };
    // Whoever holds the link was given it by the server or an owner: it acts as the server does.
    let id = CommandId::random(&*console.randomness);
    let actor = Actor::ServerCommandLine;
    match console.store.execute(id, actor, command).await? {
        Outcome::Done { .. } => open(operator).await,
        Outcome::Refused(refusal) => Err(Failure::NotAllowed(sentence(&refusal.to_string()))),
    }
}

/// Name and address of the first owner, or what is wrong with them.
fn owner(form: &Form, problems: &mut Vec<(&'static str, String)>) -> Option<(Title, Email)> {
    let name = Title::parse(form.text("name"));
    let email = Email::parse(form.text("email"));
    if let Err(error) = &name {
        problems.push(("name", error.to_string()));
    }
    if let Err(error) = &email {
        problems.push(("email", error.to_string()));
    }
    Some((name.ok()?, email.ok()?))
}
