//! The settings page: details, credentials, and last the way to stop or remove the person.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::command::{Command, Expected};
use offgate_core::id::CommandId;
use offgate_core::parameters::Revision;
use offgate_core::refusal::Refusal;
use offgate_core::user::{Standing, User};
use offgate_store::Reader;
use serde::Deserialize;

use super::profile::{CredentialLine, credential_line};
use super::typed::{self, Choice, METHODS};
use super::{held, person};
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Banner, Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
use crate::console::words::counted;
use crate::console::{Console, times};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/users/{user}/settings", get(ask).post(save))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    done: String,
}

#[derive(Template)]
#[template(path = "people/settings.html")]
pub(super) struct SettingsPage {
    frame: Frame,
    id: String,
    name: String,
    active: bool,
    form: Form,
    problems: Problems,
    /// What others changed since the form was drawn.
    meanwhile: Vec<String>,
    groups: Vec<Choice>,
    policies: Vec<Choice>,
    zone: String,
    credentials: Vec<CredentialLine>,
    methods: [(&'static str, &'static str); 4],
    /// What was typed for another credential.
    another: Form,
    another_problems: Problems,
    doors: String,
}

/// Draws the page; either form as it was typed.
pub(super) fn draw(
    console: &Console,
    signed_in: &SignedIn,
    person: &User,
    details: (Form, Problems),
    another: (Form, Problems),
) -> Result<SettingsPage, Failure> {
    let reader = console.store.read();
    let zone = times::zone(&reader)?;
    let (groups, policies) = typed::groups_and_policies(&reader, &details.0)?;
    let credentials = held(&reader, person.id)?;
    Ok(SettingsPage {
        frame: signed_in.frame(console, Section::Users)?,
        id: person.id.to_string(),
        name: person.profile.full_name(),
        active: person.standing == Standing::Active,
        meanwhile: meanwhile(&reader, person, &details.0)?,
        form: details.0,
        problems: details.1,
        groups,
        policies,
        credentials: credentials
            .iter()
            .map(|credential| credential_line(&reader, credential, &zone))
            .collect::<Result<_, _>>()?,
        zone: zone.as_str().to_owned(),
        methods: METHODS,
        another: another.0,
        another_problems: another.1,
        doors: counted(reader.doors_that_know(person.id)?.len(), "door"),
    })
}

/// The details as they are now, with a fresh command id.
pub(super) fn details_of(
    console: &Console,
    reader: &Reader,
    person: &User,
) -> Result<(Form, Problems), Failure> {
    let mut form = typed::of(person, &times::zone(reader)?);
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    Ok((form, Problems::default()))
}

/// A form for another credential, nothing typed yet.
pub(super) fn another(console: &Console) -> (Form, Problems) {
    let mut form = Form::default();
    form.set("method", "nfc");
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    (form, Problems::default())
}

/// What is different now from what the form was drawn from, when that was an older state.
fn meanwhile(reader: &Reader, person: &User, form: &Form) -> Result<Vec<String>, Failure> {
    if form.text("revision") == person.revision.number().to_string() {
        return Ok(Vec::new());
    }
    let now = typed::of(person, &times::zone(reader)?);
    let fields = [
        ("first_name", "First name"),
        ("last_name", "Last name"),
        ("preferred_name", "Preferred name"),
        ("email", "E-mail"),
        ("phone", "Phone"),
        ("employee_number", "Employee number"),
        ("access_starts", "Access starts"),
        ("access_ends", "Access ends"),
    ];
    let mut told: Vec<String> = fields
        .into_iter()
        .filter(|(field, _)| now.text(field) != form.text(field).trim())
        .map(|(field, label)| match now.text(field) {
            "" => format!("{label} is empty now."),
            text => format!("{label} is “{text}” now."),
        })
        .collect();
    for (field, label) in [("group", "The groups"), ("policy", "The policies")] {
        let sorted = |form: &Form| {
            let mut all: Vec<String> = form.all(field).map(str::to_owned).collect();
            all.sort();
            all
        };
        if sorted(&now) != sorted(form) {
            told.push(format!("{label} are not those you ticked."));
        }
    }
    Ok(told)
}

async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let person = person(&reader, &user)?;
    let details = details_of(&console, &reader, &person)?;
    let mut shown = draw(&console, &signed_in, &person, details, another(&console))?;
    shown.frame.banner = match asked.done.as_str() {
        "saved" => Some(Banner::done("Saved.")),
        "credential-added" => Some(Banner::done(
            "Added. Each door opens for it once it has taken this up.",
        )),
        "credential-removed" => Some(Banner::done(
            "Removed. The profile shows which doors have confirmed that they refuse it.",
        )),
        "lost" => Some(Banner::done(
            "Reported lost. The profile shows which doors have confirmed that they refuse it.",
        )),
        "found" => Some(Banner::done(
            "Reported found. Each door opens for it again once it has taken this up.",
        )),
        _ => None,
    };
    page(&shown)
}

async fn save(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
    mut form: Form,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let zone = times::zone(&reader)?;
    let found = person(&reader, &user)?;
    let mut problems = Problems::default();
    let revision: Option<u64> = form.text("revision").parse().ok();
    if let (Some(read), Some(revision)) = (typed::read(&form, &zone, &mut problems), revision) {
        let command = Command::EditUser {
            user: found.id,
            expected: Expected::Unchanged(Revision::new(revision)),
            profile: read.profile,
            access: read.access,
            groups: read.groups,
            policies: read.policies,
        };
        let id = command_id(&console, &form);
        match execute(&console, &signed_in, id, command).await? {
            Executed::Done => {
                let to = format!("/users/{}/settings?done=saved", found.id);
                return Ok(Redirect::to(&to).into_response());
            }
            Executed::Refused(Refusal::Stale { .. }) => problems.add(
                "",
                "Somebody changed this person while you were typing. What you typed is still \
                 here; what is different now is listed below. Save again to put yours in its place",
            ),
            Executed::Refused(refusal) => problems.refused(&reader, &refusal)?,
            Executed::SignInAgain => return Err(Failure::SignIn("/sign-in/again".to_owned())),
        }
    } else if revision.is_none() {
        problems.add("", "This form is not whole; load the page again");
    }
    // As it is now: another process may have written meanwhile.
    let found = person(&console.store.read(), &user)?;
    let mut shown = draw(
        &console,
        &signed_in,
        &found,
        (form.clone(), problems),
        another(&console),
    )?;
    // Saving once more means it, having seen what changed.
    form.set("revision", found.revision.number().to_string());
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    shown.form = form;
    let html = Html(shown.render()?);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}
