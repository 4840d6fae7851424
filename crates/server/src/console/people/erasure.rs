//! What is left of somebody removed: when it is erased, and who keeps it from that.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::calendar::write_full;
use offgate_core::command::Command;
use offgate_core::id::{CommandId, UserId};
use offgate_core::operator::Role;
use offgate_core::place::ZoneName;
use offgate_core::records::Records as _;
use offgate_core::text::Note;
use offgate_core::user::{Erasure, Tombstone, UserRecord};

use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
use crate::console::{Console, times};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/users/{user}/erasure", get(ask).post(act))
}

/// What becomes of what is left of somebody, as a sentence.
pub(crate) fn sentence(zone: &ZoneName, erasure: Erasure) -> String {
    match erasure {
        Erasure::Due { at } => {
            format!("Their personal data is erased on {}.", write_full(zone, at))
        }
        Erasure::Held { since, .. } => format!(
            "An owner has kept their personal data from being erased since {}.",
            write_full(zone, since)
        ),
        Erasure::Done { at } => {
            format!(
                "Their personal data was erased on {}.",
                write_full(zone, at)
            )
        }
    }
}

#[derive(Template)]
#[template(path = "people/erasure.html")]
struct ErasurePage {
    frame: Frame,
    id: String,
    name: String,
    sentence: String,
    held: bool,
    done: bool,
    is_owner: bool,
    form: Form,
    problems: Problems,
}

fn tombstone(console: &Console, user: &str) -> Result<Tombstone, Failure> {
    let id: UserId = user.parse().map_err(|_| Failure::NotFound)?;
    match console.store.read().user(id)? {
        Some(UserRecord::Removed(tombstone)) => Ok(tombstone),
        Some(UserRecord::Present(_)) | None => Err(Failure::NotFound),
    }
}

fn draw(
    console: &Console,
    signed_in: &SignedIn,
    tombstone: &Tombstone,
    form: Form,
    problems: Problems,
) -> Result<ErasurePage, Failure> {
    // Their name is still told here, so only those see it who may remove people.
    if signed_in.operator.role < Role::Administrator {
        return Err(Failure::NotAllowed(
            "This needs the role administrator.".to_owned(),
        ));
    }
    let reader = console.store.read();
    let zone = times::zone(&reader)?;
    let kept = reader.kept_profile(tombstone.id)?;
    Ok(ErasurePage {
        frame: signed_in.frame(console, Section::Users)?,
        id: tombstone.id.to_string(),
        name: kept.map_or_else(
            || "A removed person".to_owned(),
            |profile| profile.full_name(),
        ),
        sentence: sentence(&zone, tombstone.erasure),
        held: matches!(tombstone.erasure, Erasure::Held { .. }),
        done: matches!(tombstone.erasure, Erasure::Done { .. }),
        is_owner: signed_in.operator.role == Role::Owner,
        form,
        problems,
    })
}

async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
) -> Result<Response, Failure> {
    let tombstone = tombstone(&console, &user)?;
    let mut form = Form::default();
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    let problems = Problems::default();
    page(&draw(&console, &signed_in, &tombstone, form, problems)?)
}

async fn act(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let found = tombstone(&console, &user)?;
    let user = found.id;
    let mut problems = Problems::default();
    let command = match form.text("act") {
        "erase" if form.text("sure") == "yes" => Some(Command::EraseUser { user }),
        "erase" => {
            problems.add("sure", "tick this to erase; it cannot be undone");
            None
        }
        "hold" => problems
            .take("reason", Note::parse(form.text("reason")))
            .map(|reason| Command::HoldErasure { user, reason }),
        "release" => Some(Command::ReleaseErasure { user }),
        _ => return Err(Failure::BadForm("It did not say what to do.")),
    };
    if let Some(command) = command {
        let id = command_id(&console, &form);
        match execute(&console, &signed_in, id, command).await? {
            Executed::Done => {
                return Ok(Redirect::to(&format!("/users/{user}/erasure")).into_response());
            }
            Executed::Refused(refusal) => problems.refused(&console.store.read(), &refusal)?,
            Executed::SignInAgain => {
                let to = format!("/sign-in/again?next=/users/{user}/erasure");
                return Ok(Redirect::to(&to).into_response());
            }
        }
    }
    let drawn = draw(&console, &signed_in, &found, form, problems)?;
    let html = Html(drawn.render()?);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}
