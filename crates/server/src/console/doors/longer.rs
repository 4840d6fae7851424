//! More time on its own for a door, for a while.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use offgate_core::calendar::{Edge, write_minute};
use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::longer_limit::LongerLimit;
use offgate_core::place::{Door, LeaseLength};
use offgate_core::records::Records as _;
use offgate_core::text::Note;
use offgate_store::{Reader, StoreError};

use super::length::{self, UNITS};
use super::settings::find;
use crate::console::door_state::told;
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
use crate::console::{Console, times};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/doors/{door}/longer", get(ask).post(lengthen))
        .route("/doors/{door}/longer/end", post(end))
}

/// The longer limit that is in force at a door: "Works on its own for 7 days until 3 Dec, 12:00, then
/// for 72 hours again. Reason: moving the server."
pub(super) fn words(reader: &Reader, door: &Door) -> Result<Option<String>, StoreError> {
    let Some(limit) = reader.longer_limit(door.id)? else {
        return Ok(None);
    };
    let zone = times::zone(reader)?;
    Ok(Some(format!(
        "Works on its own for {} until {}, then for {} again. Reason: {}.",
        told(limit.lease.seconds()),
        write_minute(&zone, limit.until),
        told(door.lease.seconds()),
        limit.reason.as_str().trim_end_matches('.')
    )))
}

#[derive(Template)]
#[template(path = "doors/longer.html")]
struct LongerPage {
    frame: Frame,
    id: String,
    name: String,
    now: Option<String>,
    alone: String,
    form: Form,
    problems: Problems,
    units: [(&'static str, &'static str); 4],
    end: String,
}

fn draw(
    console: &Console,
    signed_in: &SignedIn,
    door: &Door,
    form: Form,
    problems: Problems,
) -> Result<LongerPage, Failure> {
    let reader = console.store.read();
    Ok(LongerPage {
        frame: signed_in.frame(console, Section::Doors)?,
        id: door.id.to_string(),
        name: door.name.as_str().to_owned(),
        now: words(&reader, door)?,
        alone: told(door.lease.seconds()),
        form,
        problems,
        units: UNITS,
        end: CommandId::random(&*console.randomness).to_string(),
    })
}

async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(door): Path<String>,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let door = find(&reader, &door)?;
    let mut form = Form::default();
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    match reader.longer_limit(door.id)? {
        Some(limit) => {
            length::set(&mut form, limit.lease.seconds());
            form.set("until", times::input(&times::zone(&reader)?, limit.until));
            form.set("reason", limit.reason.as_str());
        }
        None => form.set("unit", "86400"),
    }
    page(&draw(
        &console,
        &signed_in,
        &door,
        form,
        Problems::default(),
    )?)
}

async fn lengthen(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(door): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let door = find(&reader, &door)?;
    let zone = times::zone(&reader)?;
    let mut problems = Problems::default();
    let lease = length::read(&form).and_then(LeaseLength::from_seconds);
    if lease.is_none() {
        problems.add("number", "from 10 seconds to 7 days");
    }
    let until = problems.take("until", times::read(&zone, form.text("until"), Edge::End));
    let reason = problems.take("reason", Note::parse(form.text("reason")));
    if let (Some(lease), Some(until), Some(reason)) = (lease, until, reason) {
        let command = Command::LengthenLimit(LongerLimit {
            door: door.id,
            lease,
            until,
            reason,
        });
        match execute(&console, &signed_in, command_id(&console, &form), command).await? {
            Executed::Done => {
                let to = format!("/doors/{}?done=longer", door.id);
                return Ok(Redirect::to(&to).into_response());
            }
            Executed::Refused(refusal) => problems.refused(&reader, &refusal)?,
            Executed::SignInAgain => return Err(Failure::SignIn("/sign-in/again".to_owned())),
        }
    }
    answer(draw(&console, &signed_in, &door, form, problems)?)
}

async fn end(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(door): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let door = find(&reader, &door)?;
    let command = Command::EndLongerLimit(door.id);
    let mut problems = Problems::default();
    match execute(&console, &signed_in, command_id(&console, &form), command).await? {
        Executed::Done => {
            let to = format!("/doors/{}?done=longer-ended", door.id);
            return Ok(Redirect::to(&to).into_response());
        }
        Executed::Refused(refusal) => problems.refused(&reader, &refusal)?,
        Executed::SignInAgain => return Err(Failure::SignIn("/sign-in/again".to_owned())),
    }
    answer(draw(&console, &signed_in, &door, form, problems)?)
}

fn answer(shown: LongerPage) -> Result<Response, Failure> {
    let html = Html(shown.render()?);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}
