//! How long things are kept, and who was removed and is not erased yet.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::keeping::{ErasureWait, EventRetention, Keeping};
use offgate_core::operator::Role;
use offgate_core::records::Records as _;

use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::people::sentence;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
use crate::console::{Console, times};

/// How many people are shown who were removed and are not erased.
const SHOWN: usize = 200;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/system/keeping", get(ask).post(change))
}

/// Somebody who was removed and is not erased.
pub(super) struct AwaitingRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) sentence: String,
}

/// Who was removed and is not erased, for those who may remove people.
pub(super) fn awaiting(
    console: &Console,
    signed_in: &SignedIn,
) -> Result<Vec<AwaitingRow>, Failure> {
    if signed_in.operator.role < Role::Administrator {
        return Ok(Vec::new());
    }
    let reader = console.store.read();
    let zone = times::zone(&reader)?;
    let rows = reader.awaiting_erasure(SHOWN)?.into_iter();
    Ok(rows
        .map(|row| AwaitingRow {
            id: row.user.to_string(),
            name: row.profile.map_or_else(
                || "A removed person".to_owned(),
                |profile| profile.full_name(),
            ),
            sentence: sentence(&zone, row.erasure),
        })
        .collect())
}

/// How long things are kept, in sentences.
pub(super) fn sentences(console: &Console) -> Result<Vec<String>, Failure> {
    let keeping = console.store.read().keeping()?;
    let erasure = match keeping.erasure_wait.days() {
        0 => "People who are removed are erased at once.".to_owned(),
        1 => "People who are removed are erased 1 day later.".to_owned(),
        days => format!("People who are removed are erased {days} days later."),
    };
    Ok(vec![erasure, keeping.door_events.sentence()])
}

#[derive(Template)]
#[template(path = "system/keeping.html")]
struct KeepingPage {
    frame: Frame,
    form: Form,
    problems: Problems,
}

async fn ask(State(console): State<Console>, signed_in: SignedIn) -> Result<Response, Failure> {
    let keeping = console.store.read().keeping()?;
    let mut form = Form::default();
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    form.set("erasure_wait", keeping.erasure_wait.days().to_string());
    form.set("door_events", keeping.door_events.days().to_string());
    page(&KeepingPage {
        frame: signed_in.frame(&console, Section::System)?,
        form,
        problems: Problems::default(),
    })
}

async fn change(
    State(console): State<Console>,
    signed_in: SignedIn,
    form: Form,
) -> Result<Response, Failure> {
    let mut problems = Problems::default();
    let days = |field: &str| form.text(field).trim().parse::<u16>().ok();
    let wait = days("erasure_wait").and_then(ErasureWait::from_days);
    if wait.is_none() {
        problems.add("erasure_wait", "a number of days from 0 to 365");
    }
    let events = days("door_events").and_then(EventRetention::from_days);
    if events.is_none() {
        problems.add("door_events", "a number of days from 1 to 3650");
    }
    if let (Some(erasure_wait), Some(door_events)) = (wait, events) {
        let command = Command::ChangeKeeping(Keeping {
            erasure_wait,
            door_events,
        });
        let id = command_id(&console, &form);
        match execute(&console, &signed_in, id, command).await? {
            Executed::Done => {
                return Ok(Redirect::to("/system?done=keeping").into_response());
            }
            Executed::Refused(refusal) => problems.refused(&console.store.read(), &refusal)?,
            Executed::SignInAgain => {
                let to = "/sign-in/again?next=/system/keeping";
                return Ok(Redirect::to(to).into_response());
            }
        }
    }
    let drawn = KeepingPage {
        frame: signed_in.frame(&console, Section::System)?,
        form,
        problems,
    };
    let html = Html(drawn.render()?);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}
