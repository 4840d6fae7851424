//! Join tokens: invitations for agents, shown once.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use offgate_core::agent::{JoinToken, JoinTokenState};
use offgate_core::calendar::write_time;
use offgate_core::command::Command;
use offgate_core::id::{CommandId, DoorId, JoinTokenId};
use offgate_core::records::Records as _;
use offgate_core::text::Title;
use offgate_link::join_token::JoinTokenText;

use super::ShownOnce;
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
use crate::console::words::sentence;
use crate::console::{Console, times};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/system/join-tokens/new", get(ask).post(create))
        .route("/system/join-tokens/{token}/withdraw", post(withdraw))
}

/// An invitation as pages show it.
pub(super) struct TokenRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) doors: String,
    pub(super) label: &'static str,
    pub(super) tone: &'static str,
    pub(super) until: String,
    pub(super) open: bool,
}

/// The latest invitations.
pub(super) fn rows(console: &Console) -> Result<Vec<TokenRow>, Failure> {
    /// How many are shown.
    const SHOWN: usize = 20;
    let reader = console.store.read();
    let now = console.clock.now();
    let zone = times::zone(&reader)?;
    let mut rows = Vec::new();
    for token in reader.join_tokens()?.into_iter().take(SHOWN) {
        let mut doors = Vec::new();
        for door in &token.doors {
            if let Some(door) = reader.door(*door)? {
                doors.push(door.name.as_str().to_owned());
            }
        }
        let (label, tone, open) = match token.state {
            JoinTokenState::Open if token.expires_at > now => ("Open", "waiting", true),
            JoinTokenState::Open => ("Over", "neutral", false),
            JoinTokenState::Used { .. } => ("Used", "confirmed", false),
            JoinTokenState::Withdrawn => ("Withdrawn", "neutral", false),
        };
        rows.push(TokenRow {
            id: token.id.to_string(),
            name: token.name.as_str().to_owned(),
            doors: doors.join(", "),
            label,
            tone,
            until: write_time(&zone, token.expires_at, now),
            open,
        });
    }
    Ok(rows)
}

/// A door to tick.
struct DoorChoice {
    id: String,
    name: String,
    /// Who decides for it now.
    agent: Option<String>,
    ticked: bool,
}

#[derive(Template)]
#[template(path = "system/join_token_new.html")]
struct NewToken {
    frame: Frame,
    form: Form,
    problems: Problems,
    doors: Vec<DoorChoice>,
}

fn draw(
    console: &Console,
    signed_in: &SignedIn,
    form: Form,
    problems: Problems,
) -> Result<NewToken, Failure> {
    let reader = console.store.read();
    let mut doors = Vec::new();
    for door in reader.doors()? {
        let id = door.id.to_string();
        let agent = door.agent.map(|agent| reader.agent(agent)).transpose()?;
        doors.push(DoorChoice {
            ticked: form.all("door").any(|chosen| chosen == id),
            name: door.name.as_str().to_owned(),
            agent: agent.flatten().map(|agent| agent.name.as_str().to_owned()),
            id,
        });
    }
    doors.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(NewToken {
        frame: signed_in.frame(console, Section::System)?,
        form,
        problems,
        doors,
    })
}

async fn ask(State(console): State<Console>, signed_in: SignedIn) -> Result<Response, Failure> {
    let mut form = Form::default();
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    page(&draw(&console, &signed_in, form, Problems::default())?)
}

async fn create(
    State(console): State<Console>,
    signed_in: SignedIn,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Failure> {
    let mut problems = Problems::default();
    let name = problems.take("name", Title::parse(form.text("name")));
    let doors: Result<BTreeSet<DoorId>, _> = form.all("door").map(str::parse).collect();
    let doors = problems.take("", doors).unwrap_or_default();
    if doors.is_empty() {
        problems.add("door", "tick the doors it will decide for");
    }
    if problems.is_empty()
        && let Some(name) = name
    {
        let (token, text) = invitation(&console, name.clone(), doors);
        let id = command_id(&console, &form);
        match execute(&console, &signed_in, id, Command::CreateJoinToken(token)).await? {
            Executed::Done => return shown(&console, &signed_in, &headers, &name, &text),
            Executed::Refused(refusal) => problems.refused(&console.store.read(), &refusal)?,
            Executed::SignInAgain => {
                return Err(Failure::SignIn("/sign-in/again?next=/system".to_owned()));
            }
        }
    }
    let shown = draw(&console, &signed_in, form, problems)?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(shown.render()?)).into_response())
}

/// A token for an agent of this name and these doors, and the text that is shown once.
pub(super) fn invitation(
    console: &Console,
    name: Title,
    doors: BTreeSet<DoorId>,
) -> (JoinToken, JoinTokenText) {
    let text = JoinTokenText::random(console.keys.fingerprint(), &*console.randomness);
    let token = JoinToken {
        id: JoinTokenId::random(&*console.randomness),
        secret: text.secret_hash(),
        name,
        doors,
        expires_at: console.clock.now().plus(JoinToken::LIFE),
        state: JoinTokenState::Open,
    };
    (token, text)
}

/// What is run beside the door to join, at the address at which the browser found this server.
pub(super) fn joining(headers: &HeaderMap) -> String {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .and_then(|host| {
            host.rsplit_once(':')
                .map_or(Some(host), |(host, _)| Some(host))
        })
        .unwrap_or("SERVER");
    format!("offgate agent --server {host}:{} --join -", crate::PORT)
}

fn shown(
    console: &Console,
    signed_in: &SignedIn,
    headers: &HeaderMap,
    name: &Title,
    text: &JoinTokenText,
) -> Result<Response, Failure> {
    page(&ShownOnce {
        frame: signed_in.frame(console, Section::System)?,
        heading: format!("Join token for {}", name.as_str()),
        words: "It works once, for an hour, and is not shown again.".to_owned(),
        secret: text.text(),
        after: format!(
            "On the machine beside the door, run “{}” and paste the token.",
            joining(headers)
        ),
    })
}

async fn withdraw(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(token): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let token: JoinTokenId = token.parse().map_err(|_| Failure::NotFound)?;
    let id = command_id(&console, &form);
    match execute(&console, &signed_in, id, Command::WithdrawJoinToken(token)).await? {
        Executed::Done => Ok(Redirect::to("/system?done=withdrawn").into_response()),
        Executed::Refused(refusal) => Err(Failure::NotAllowed(sentence(&refusal.to_string()))),
        Executed::SignInAgain => Err(Failure::SignIn("/sign-in/again?next=/system".to_owned())),
    }
}
