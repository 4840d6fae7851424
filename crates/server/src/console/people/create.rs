//! Create: a new person and what they will present.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::command::{Command, InitialPolicies};
use offgate_core::id::{CommandId, UserId};
use offgate_core::records::Records as _;

use super::typed::{self, Choice, METHODS};
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
use crate::console::{Console, times};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/users/new", get(ask).post(create))
}

#[derive(Template)]
#[template(path = "people/create.html")]
struct CreatePage {
    frame: Frame,
    form: Form,
    problems: Problems,
    methods: [(&'static str, &'static str); 4],
    groups: Vec<Choice>,
    policies: Vec<Choice>,
    /// The names of the sites' default policies.
    defaults: String,
    zone: String,
}

fn shown(
    console: &Console,
    signed_in: &SignedIn,
    form: Form,
    problems: Problems,
) -> Result<CreatePage, Failure> {
    let reader = console.store.read();
    let (groups, policies) = typed::groups_and_policies(&reader, &form)?;
    let mut defaults = Vec::new();
    for site in reader.sites()? {
        if let Some(policy) = site.default_policy
            && let Some(policy) = reader.policy(policy)?
        {
            defaults.push(policy.name.as_str().to_owned());
        }
    }
    Ok(CreatePage {
        frame: signed_in.frame(console, Section::Users)?,
        form,
        problems,
        methods: METHODS,
        groups,
        policies,
        defaults: defaults.join(", "),
        zone: times::zone(&reader)?.as_str().to_owned(),
    })
}

async fn ask(State(console): State<Console>, signed_in: SignedIn) -> Result<Response, Failure> {
    let mut form = Form::default();
    form.set("method", "pin");
    form.set("pin", typed::free_pin(&console).await?);
    form.set("whose_policies", "defaults");
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    // The person's id is in the form as well, so that sending it twice finds the same person.
    form.set("user", UserId::random(&*console.randomness).to_string());
    page(&shown(&console, &signed_in, form, Problems::default())?)
}

async fn create(
    State(console): State<Console>,
    signed_in: SignedIn,
    form: Form,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let zone = times::zone(&reader)?;
    let mut problems = Problems::default();
    let read = typed::read(&form, &zone, &mut problems);
    let credential = typed::credential(&console, &form, &mut problems).await;
    if problems.is_empty()
        && let Some(read) = read
    {
        let user = form
            .text("user")
            .parse()
            .unwrap_or_else(|_| UserId::random(&*console.randomness));
        let policies = match form.text("whose_policies") {
            "chosen" => InitialPolicies::Chosen(read.policies),
            _ => InitialPolicies::SiteDefaults,
        };
        let command = Command::CreateUser {
            user,
            profile: read.profile,
            access: read.access,
            groups: read.groups,
            policies,
            credentials: credential.into_iter().collect(),
        };
        let id = command_id(&console, &form);
        match execute(&console, &signed_in, id, command).await? {
            Executed::Done => {
                return Ok(Redirect::to(&format!("/users/{user}?done=created")).into_response());
            }
            Executed::Refused(refusal) => problems.refused(&reader, &refusal)?,
            Executed::SignInAgain => {
                return Ok(Redirect::to("/sign-in/again?next=/users/new").into_response());
            }
        }
    }
    let shown = shown(&console, &signed_in, form, problems)?;
    let html = Html(shown.render()?);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}
