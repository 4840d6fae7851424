//! An agent whose device is in other hands: reported in one act.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::command::Command;
use offgate_core::id::{CommandId, DoorId};
use offgate_core::records::Records as _;

use super::{AgentRow, find, row};
use crate::console::Console;
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::signed_in::SignedIn;
use crate::console::system::{exposed_pins, join_tokens};
use crate::console::words::sentence;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/system/agents/{agent}/stolen", get(ask).post(report))
}

#[derive(Template)]
#[template(path = "system/agent_stolen.html")]
struct ReportStolen {
    frame: Frame,
    row: AgentRow,
    has_doors: bool,
    pins: String,
    command: String,
}

async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(agent): Path<String>,
) -> Result<Response, Failure> {
    let agent = find(&console, &agent)?;
    let reader = console.store.read();
    page(&ReportStolen {
        frame: signed_in.frame(&console, Section::System)?,
        row: row(&console, &agent)?,
        has_doors: !reader.doors_of(agent.id)?.is_empty(),
        pins: match reader.pins_known_to(agent.id)? {
            0 => "It knows no PIN that is in use.".to_owned(),
            1 => "The 1 PIN it knows is put on the list of PINs to renew.".to_owned(),
            many => format!("The {many} PINs it knows are put on the list of PINs to renew."),
        },
        command: CommandId::random(&*console.randomness).to_string(),
    })
}

/// The token for the device that takes its place.
struct Invited {
    text: String,
    /// What is run there.
    command: String,
}

#[derive(Template)]
#[template(path = "system/agent_stolen_done.html")]
struct Reported {
    frame: Frame,
    name: String,
    token: Option<Invited>,
    pins: Option<String>,
}

async fn report(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(agent): Path<String>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Failure> {
    let agent = find(&console, &agent)?;
    let doors = console.store.read().doors_of(agent.id)?;
    let doors: BTreeSet<DoorId> = doors.into_iter().map(|door| door.id).collect();
    let invited =
        (!doors.is_empty()).then(|| join_tokens::invitation(&console, agent.name.clone(), doors));
    let (token, text) = invited.unzip();
    let made = token.as_ref().map(|token| token.id);
    let command = Command::ReportAgentStolen {
        agent: agent.id,
        token,
    };
    let id = command_id(&console, &form);
    match execute(&console, &signed_in, id, command).await? {
        Executed::Done => {}
        Executed::Refused(refusal) => {
            return Err(Failure::NotAllowed(sentence(&refusal.to_string())));
        }
        Executed::SignInAgain => {
            return Err(Failure::SignIn("/sign-in/again?next=/system".to_owned()));
        }
    }
    let reader = console.store.read();
    // The form was sent twice: the token of the first answer is the one that works.
    if let Some(made) = made
        && reader.join_token(made)?.is_none()
    {
        return Ok(Redirect::to("/system?done=stolen").into_response());
    }
    page(&Reported {
        frame: signed_in.frame(&console, Section::System)?,
        name: agent.name.as_str().to_owned(),
        token: text.map(|text| Invited {
            text: text.text(),
            command: join_tokens::joining(&headers),
        }),
        pins: exposed_pins(&reader)?,
    })
}
