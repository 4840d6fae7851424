//! Remove: permanent, so it asks for the name, for a fresh sign-in, and for the doors' word.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::calendar::write_full;
use offgate_core::command::{Command, Unconfirmed};
use offgate_core::id::CommandId;
use offgate_core::keeping::ErasureWait;
use offgate_core::records::Records as _;
use offgate_core::refusal::Refusal;
use offgate_core::text::Note;
use offgate_core::user::{Standing, User};

use super::{DoorsStanding, held, person};
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::{SignInAge, SignedIn};
use crate::console::{Console, times};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/users/{user}/remove", get(ask).post(remove))
}

#[derive(Template)]
#[template(path = "people/remove.html")]
struct RemovePage {
    frame: Frame,
    id: String,
    name: String,
    initials: String,
    active: bool,
    /// The doors that are still to confirm, as a sentence.
    waiting: Option<String>,
    cards: Vec<String>,
    /// When their personal data is erased, as the end of a sentence.
    erased: String,
    form: Form,
    problems: Problems,
}

fn draw(
    console: &Console,
    signed_in: &SignedIn,
    person: &User,
    form: Form,
    problems: Problems,
) -> Result<RemovePage, Failure> {
    let reader = console.store.read();
    let zone = times::zone(&reader)?;
    let now = console.clock.now();
    let open = reader.doors_not_confirmed(person.id, now)?;
    let waiting = match open.is_empty() {
        true => None,
        false => DoorsStanding::of(&reader, person, &zone, now)?.map(|standing| standing.sentence),
    };
    Ok(RemovePage {
        frame: signed_in.frame(console, Section::Users)?,
        id: person.id.to_string(),
        name: person.profile.full_name(),
        initials: person.profile.initials(),
        active: person.standing == Standing::Active,
        waiting,
        cards: held(&reader, person.id)?
            .iter()
            .map(|credential| credential.means.short_name())
            .collect(),
        erased: match reader.keeping()?.erasure_wait {
            ErasureWait::AT_ONCE => "at once".to_owned(),
            wait => format!("on {}", write_full(&zone, now.plus(wait.duration()))),
        },
        form,
        problems,
    })
}

/// Where to prove again who one is, to come back here.
fn again(person: &User) -> Response {
    Redirect::to(&format!("/sign-in/again?next=/users/{}/remove", person.id)).into_response()
}

async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
) -> Result<Response, Failure> {
    let person = person(&console.store.read(), &user)?;
    // Asked before anything is typed, so that nothing typed is lost.
    if person.standing != Standing::Active && signed_in.age(console.clock.now()) == SignInAge::Stale
    {
        return Ok(again(&person));
    }
    let mut form = Form::default();
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    page(&draw(
        &console,
        &signed_in,
        &person,
        form,
        Problems::default(),
    )?)
}

async fn remove(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let person = person(&reader, &user)?;
    let mut problems = Problems::default();
    if !person.profile.is_called(form.text("name")) {
        problems.add("name", "this is not their name; type it as it stands above");
    }
    let unconfirmed = match form.filled("override") {
        None => Some(Unconfirmed::Wait),
        Some(reason) => problems
            .take("override", Note::parse(reason))
            .map(Unconfirmed::Override),
    };
    if problems.is_empty()
        && let Some(unconfirmed) = unconfirmed
    {
        let command = Command::RemoveUser {
            user: person.id,
            unconfirmed,
        };
        let id = command_id(&console, &form);
        match execute(&console, &signed_in, id, command).await? {
            Executed::Done => return Ok(Redirect::to("/users?done=removed").into_response()),
            Executed::Refused(refusal @ Refusal::DoorsNotConfirmed(_)) => problems.add(
                "override",
                &format!("{refusal}; wait, or an owner gives a reason here"),
            ),
            Executed::Refused(refusal) => problems.refused(&reader, &refusal)?,
            Executed::SignInAgain => return Ok(again(&person)),
        }
    }
    let html = Html(draw(&console, &signed_in, &person, form, problems)?.render()?);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}
