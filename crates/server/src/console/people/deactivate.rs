//! Deactivate: the page that calms, and prevents the wrong person.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::calendar::{Edge, write_time};
use offgate_core::command::Command;
use offgate_core::confirmation::Alone;
use offgate_core::credential::CredentialState;
use offgate_core::fault::Fault;
use offgate_core::id::CommandId;
use offgate_core::records::Records as _;
use offgate_core::text::Note;
use offgate_core::user::{DeactivationReason, Standing, User};
use offgate_store::Reader;

use super::{held, person, profile};
use crate::console::door_state::{self, DoorState};
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
use crate::console::words::{counted, listed, sentence};
use crate::console::{Console, times};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/users/{user}/deactivate", get(ask).post(deactivate))
}

#[derive(Template)]
#[template(path = "people/deactivate.html")]
struct DeactivatePage {
    frame: Frame,
    id: String,
    name: String,
    initials: String,
    employee_number: Option<String>,
    last_seen: Option<profile::SeenAt>,
    /// How long door events are kept.
    kept: String,
    /// "Card ··4821 and PIN stop at 12 doors."
    effect: String,
    /// Doors that cannot be reached now.
    unreachable: Vec<String>,
    /// Whether they are an operator, whose sign-in ends too.
    signs_in: bool,
    reasons: Vec<(&'static str, &'static str)>,
    form: Form,
    problems: Problems,
}

fn draw(
    console: &Console,
    signed_in: &SignedIn,
    person: &User,
    form: Form,
    problems: Problems,
) -> Result<DeactivatePage, Failure> {
    let reader = console.store.read();
    let now = console.clock.now();
    let zone = times::zone(&reader)?;
    Ok(DeactivatePage {
        frame: signed_in.frame(console, Section::Users)?,
        id: person.id.to_string(),
        name: person.profile.full_name(),
        initials: person.profile.initials(),
        employee_number: person
            .profile
            .employee_number
            .as_ref()
            .map(|number| number.as_str().to_owned()),
        last_seen: profile::last_seen(&reader, person, &zone, now)?,
        kept: reader.keeping()?.door_events.sentence(),
        effect: effect(&reader, person)?,
        unreachable: unreachable(console, &reader, person)?,
        signs_in: reader
            .operators()?
            .iter()
            .any(|operator| operator.user == Some(person.id)),
        reasons: DeactivationReason::CHOICES
            .into_iter()
            .map(|reason| (reason.name(), reason.label()))
            .collect(),
        form,
        problems,
    })
}

/// What stops, and where.
fn effect(reader: &Reader, person: &User) -> Result<String, Failure> {
    let credentials: Vec<String> = held(reader, person.id)?
        .into_iter()
        .filter(|credential| credential.state == CredentialState::Usable)
        .map(|credential| credential.means.short_name())
        .collect();
    let doors = reader.doors_that_know(person.id)?.len();
    let stop = match credentials.len() {
        0 => return Ok(
            "They hold nothing that opens a door; whatever they are given later is refused too."
                .to_owned(),
        ),
        1 => "stops",
        _ => "stop",
    };
    Ok(sentence(&format!(
        "{} {stop} at {}",
        listed(&credentials),
        counted(doors, "door")
    )))
}

/// What is true of doors that know them and do not answer now.
fn unreachable(console: &Console, reader: &Reader, person: &User) -> Result<Vec<String>, Failure> {
    let now = console.clock.now();
    let zone = times::zone(reader)?;
    let time = |at| write_time(&zone, at, now);
    let mut told = Vec::new();
    for door in reader.doors_that_know(person.id)? {
        let Some(door) = reader.door(door)? else {
            continue;
        };
        let name = door.name.as_str();
        match door_state::of(reader, &door, now)? {
            DoorState::UpToDate | DoorState::Behind | DoorState::NoAgent => {}
            DoorState::NeverHeard => told.push(format!("{name} has never answered.")),
            DoorState::DiskFails => told.push(format!(
                "{name} cannot confirm it: its {}.",
                Fault::DiskFails.what()
            )),
            DoorState::OnItsOwn { since, .. }
            | DoorState::KeepsLastTable { since }
            | DoorState::Refusing { since, .. } => {
                let may = match door_state::alone(reader, &door, Some(person.id))? {
                    Alone::UntilLimit(Some(until)) if until > now => {
                        format!("It may still open for them until {}.", time(until))
                    }
                    Alone::UntilLimit(_) => "It refuses everybody until it is heard.".to_owned(),
                    Alone::OnEmergencyList(until) => {
                        let until = until.map(|until| format!(" until {}", time(until)));
                        format!(
                            "They are on its emergency list: it may still open for them{}.",
                            until.unwrap_or_default()
                        )
                    }
                    Alone::KeepsLastTable => "It keeps its last table: it may still open for them \
                                              until it is heard again."
                        .to_owned(),
                };
                told.push(format!(
                    "{name} has not answered since {}. {may}",
                    time(since)
                ));
            }
        }
    }
    Ok(told)
}

async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let person = person(&reader, &user)?;
    if person.standing != Standing::Active {
        return Ok(Redirect::to(&format!("/users/{}", person.id)).into_response());
    }
    let mut form = Form::default();
    let zone = times::zone(&reader)?;
    form.set(
        "employment_ended_at",
        times::input(&zone, console.clock.now()),
    );
    form.set("reason", DeactivationReason::LeftTheOrganisation.name());
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

async fn deactivate(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let person = person(&reader, &user)?;
    let zone = times::zone(&reader)?;
    let mut problems = Problems::default();
    let reason = DeactivationReason::from_name(form.text("reason"))
        .filter(|reason| DeactivationReason::CHOICES.contains(reason));
    if reason.is_none() {
        problems.add("reason", "choose one of these");
    }
    let note = form
        .filled("note")
        .and_then(|text| problems.take("note", Note::parse(text)));
    let ended_at = form
        .filled("employment_ended_at")
        .and_then(|text| problems.take("employment_ended_at", times::read(&zone, text, Edge::End)));
    if problems.is_empty()
        && let Some(reason) = reason
    {
        let command = Command::DeactivateUser {
            user: person.id,
            reason,
            note,
            employment_ended_at: ended_at,
        };
        let id = command_id(&console, &form);
        match execute(&console, &signed_in, id, command).await? {
            Executed::Done => {
                return Ok(Redirect::to(&format!("/users/{}", person.id)).into_response());
            }
            Executed::Refused(refusal) => problems.refused(&reader, &refusal)?,
            Executed::SignInAgain => return Err(Failure::SignIn("/sign-in/again".to_owned())),
        }
    }
    let html = Html(draw(&console, &signed_in, &person, form, problems)?.render()?);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}
