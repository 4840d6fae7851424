//! Reactivate: what comes back, listed before it does.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::calendar::write_minute;
use offgate_core::command::Command;
use offgate_core::credential::CredentialState;
use offgate_core::id::CommandId;
use offgate_core::records::Records as _;
use offgate_core::table::compile::{doors_of_policy, effective_policies};
use offgate_core::user::{Standing, User};

use super::{held, person};
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
use crate::console::{Console, times};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/users/{user}/reactivate", get(ask).post(reactivate))
}

#[derive(Template)]
#[template(path = "people/reactivate.html")]
struct ReactivatePage {
    frame: Frame,
    id: String,
    name: String,
    initials: String,
    credentials: Vec<String>,
    /// Reported lost: they stay off.
    lost: Vec<String>,
    groups: Vec<String>,
    doors: Vec<String>,
    /// An end of access that is over and is taken out.
    expired_end: Option<String>,
    form: Form,
    problems: Problems,
}

fn draw(
    console: &Console,
    signed_in: &SignedIn,
    person: &User,
    form: Form,
    problems: Problems,
) -> Result<ReactivatePage, Failure> {
    let reader = console.store.read();
    let zone = times::zone(&reader)?;
    let (mut credentials, mut lost) = (Vec::new(), Vec::new());
    for credential in held(&reader, person.id)? {
        let name = credential.means.short_name();
        match credential.state {
            CredentialState::Usable => credentials.push(name),
            CredentialState::Lost { .. } => lost.push(name),
        }
    }
    let mut groups = Vec::new();
    for group in &person.groups {
        if let Some(group) = reader.group(*group)? {
            groups.push(group.name.as_str().to_owned());
        }
    }
    let mut doors = std::collections::BTreeSet::new();
    for policy in effective_policies(&reader, person)? {
        if let Some(policy) = reader.policy(policy)? {
            for door in doors_of_policy(&reader, &policy)? {
                if let Some(door) = reader.door(door)? {
                    doors.insert(door.name.as_str().to_owned());
                }
            }
        }
    }
    let now = console.clock.now();
    Ok(ReactivatePage {
        frame: signed_in.frame(console, Section::Users)?,
        id: person.id.to_string(),
        name: person.profile.full_name(),
        initials: person.profile.initials(),
        credentials,
        lost,
        groups,
        doors: doors.into_iter().collect(),
        expired_end: person
            .access
            .ends
            .filter(|ends| *ends <= now)
            .map(|ends| write_minute(&zone, ends)),
        form,
        problems,
    })
}

async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
) -> Result<Response, Failure> {
    let person = person(&console.store.read(), &user)?;
    if person.standing == Standing::Active {
        return Ok(Redirect::to(&format!("/users/{}", person.id)).into_response());
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

async fn reactivate(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let person = person(&reader, &user)?;
    let mut problems = Problems::default();
    let id = command_id(&console, &form);
    let command = Command::ReactivateUser { user: person.id };
    match execute(&console, &signed_in, id, command).await? {
        Executed::Done => {
            let to = format!("/users/{}?done=reactivated", person.id);
            return Ok(Redirect::to(&to).into_response());
        }
        Executed::Refused(refusal) => problems.refused(&reader, &refusal)?,
        Executed::SignInAgain => return Err(Failure::SignIn("/sign-in/again".to_owned())),
    }
    let html = Html(draw(&console, &signed_in, &person, form, problems)?.render()?);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}
