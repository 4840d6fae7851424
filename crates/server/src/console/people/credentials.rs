//! A person's credentials: one more, lost, found, taken away.

use askama::Template as _;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::post;
use offgate_core::command::Command;
use offgate_core::id::CredentialId;
use offgate_core::records::Records as _;
use offgate_core::user::User;

use super::{person, settings, typed};
use crate::console::Console;
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
use crate::console::words::sentence;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/users/{user}/credentials", post(add))
        .route("/users/{user}/credentials/{credential}/{act}", post(act))
}

async fn add(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let found = person(&reader, &user)?;
    let mut problems = Problems::default();
    let credential = typed::credential(&console, &form, &mut problems).await;
    match credential {
        Some(credential) if problems.is_empty() => {
            let command = Command::AddCredential {
                user: found.id,
                credential,
            };
            let id = command_id(&console, &form);
            match execute(&console, &signed_in, id, command).await? {
                Executed::Done => return Ok(back(&found, "credential-added")),
                Executed::Refused(refusal) => problems.refused(&reader, &refusal)?,
                Executed::SignInAgain => {
                    return Err(Failure::SignIn("/sign-in/again".to_owned()));
                }
            }
        }
        Some(_) => {}
        None if problems.is_empty() => problems.add("method", "choose what to add"),
        None => {}
    }
    let details = settings::details_of(&console, &reader, &found)?;
    let shown = settings::draw(&console, &signed_in, &found, details, (form, problems))?;
    let html = Html(shown.render()?);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}

fn back(person: &User, done: &str) -> Response {
    Redirect::to(&format!(
        "/users/{}/settings?done={done}#credentials",
        person.id
    ))
    .into_response()
}

async fn act(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path((user, credential, act)): Path<(String, String, String)>,
    form: Form,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let found = person(&reader, &user)?;
    let credential: CredentialId = credential.parse().map_err(|_| Failure::NotFound)?;
    let is_theirs = reader
        .credential(credential)?
        .is_some_and(|credential| credential.user == found.id);
    if !is_theirs {
        return Err(Failure::NotFound);
    }
    let (command, done) = match act.as_str() {
        "lost" => (Command::ReportLost { credential }, "lost"),
        "found" => (Command::ReportFound { credential }, "found"),
        "remove" => (
            Command::RemoveCredential { credential },
            "credential-removed",
        ),
        _ => return Err(Failure::NotFound),
    };
    let id = command_id(&console, &form);
    match execute(&console, &signed_in, id, command).await? {
        Executed::Done => Ok(back(&found, done)),
        Executed::Refused(refusal) => Err(Failure::NotAllowed(sentence(&refusal.to_string()))),
        Executed::SignInAgain => Err(Failure::SignIn("/sign-in/again".to_owned())),
    }
}
