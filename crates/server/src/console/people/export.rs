//! Export: all that is on record about a person, as a file for them.

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::user::User;
use offgate_store::StoreError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::person;
use crate::console::Console;
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::{SignInAge, SignedIn};
use crate::person_export::PersonExport;

/// How many pieces are made ahead of a browser that takes its time.
const AHEAD: usize = 2;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/users/{user}/export", get(ask).post(export))
}

#[derive(Template)]
#[template(path = "people/export.html")]
struct ExportPage {
    frame: Frame,
    id: String,
    name: String,
    initials: String,
    command: String,
    problems: Problems,
}

fn draw(
    console: &Console,
    signed_in: &SignedIn,
    person: &User,
    problems: Problems,
) -> Result<ExportPage, Failure> {
    Ok(ExportPage {
        frame: signed_in.frame(console, Section::Users)?,
        id: person.id.to_string(),
        name: person.profile.full_name(),
        initials: person.profile.initials(),
        command: CommandId::random(&*console.randomness).to_string(),
        problems,
    })
}

/// Where to prove again who one is, to come back here.
fn again(person: &User) -> Response {
    Redirect::to(&format!("/sign-in/again?next=/users/{}/export", person.id)).into_response()
}

async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
) -> Result<Response, Failure> {
    let person = person(&console.store.read(), &user)?;
    if signed_in.age(console.clock.now()) == SignInAge::Stale {
        return Ok(again(&person));
    }
    page(&draw(&console, &signed_in, &person, Problems::default())?)
}

async fn export(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let person = person(&reader, &user)?;
    let id = command_id(&console, &form);
    let command = Command::ExportUser { user: person.id };
    match execute(&console, &signed_in, id, command).await? {
        Executed::Done => file(&console, &signed_in, &person),
        Executed::Refused(refusal) => {
            let mut problems = Problems::default();
            problems.refused(&reader, &refusal)?;
            let html = Html(draw(&console, &signed_in, &person, problems)?.render()?);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
        }
        Executed::SignInAgain => Ok(again(&person)),
    }
}

/// The file, read from the store as fast as the browser takes it.
fn file(console: &Console, signed_in: &SignedIn, person: &User) -> Result<Response, Failure> {
    let place = console
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| Failure::Store(StoreError::Overloaded))?;
    let export = PersonExport::new(
        console.store.read(),
        person.id,
        signed_in.operator.role,
        console.clock.now(),
    );
    let (pieces, taken) = mpsc::channel(AHEAD);
    console.tasks.spawn_blocking(move || {
        let _place = place;
        for piece in export {
            if let Err(error) = &piece {
                tracing::error!(%error, "an export broke off");
            }
            // Whoever reads may stop reading.
            if pieces.blocking_send(piece).is_err() {
                return;
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            // The name of a file says who it is about no more than an address does.
            format!("attachment; filename=\"person-{}.json\"", person.id),
        ),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(taken))).into_response())
}
