//! Alerts: which an operator is sent, and a test.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use offgate_core::alert::{AlertKind, PER_HOUR, wants};
use offgate_core::calendar::write_time;
use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::operator::Role;
use offgate_core::records::Records as _;
use serde::Deserialize;

use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Banner, Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
use crate::console::{Console, times};
use crate::mail::send_test;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/system/alerts", get(show).post(choose))
        .route("/system/alerts/test", post(test))
}

/// A kind of alert, and whether they are sent it.
struct Choice {
    kind: AlertKind,
    ticked: bool,
}

#[derive(Template)]
#[template(path = "system/alerts.html")]
struct AlertsPage {
    frame: Frame,
    problems: Problems,
    /// The ids of the two forms' commands.
    commands: [String; 2],
    address: String,
    choices: Vec<Choice>,
    per_hour: u64,
    mail_is_set_up: bool,
    is_owner: bool,
}

/// Which alerts somebody is sent now.
fn chosen(console: &Console, signed_in: &SignedIn) -> Result<BTreeSet<AlertKind>, Failure> {
    let operator = &signed_in.operator;
    let chosen = console.store.read().alerts_chosen(operator.id)?;
    let wanted = |kind: &AlertKind| wants(operator.role, chosen.as_ref(), *kind);
    Ok(AlertKind::ALL.into_iter().filter(wanted).collect())
}

/// What somebody is sent, in a sentence.
pub(super) fn sentence(console: &Console, signed_in: &SignedIn) -> Result<String, Failure> {
    let chosen = chosen(console, signed_in)?;
    let words: Vec<&str> = chosen.iter().map(|kind| kind.words()).collect();
    Ok(if words.is_empty() {
        "You are sent none.".to_owned()
    } else {
        format!(
            "You are sent, to {}: {}.",
            signed_in.operator.email.as_str(),
            words.join("; ")
        )
    })
}

fn drawn(
    console: &Console,
    signed_in: &SignedIn,
    chosen: &BTreeSet<AlertKind>,
    problems: Problems,
    banner: Option<Banner>,
) -> Result<AlertsPage, Failure> {
    let command = || CommandId::random(&*console.randomness).to_string();
    Ok(AlertsPage {
        frame: signed_in.frame(console, Section::System)?.with(banner),
        problems,
        commands: [command(), command()],
        address: signed_in.operator.email.as_str().to_owned(),
        choices: AlertKind::ALL
            .into_iter()
            .map(|kind| Choice {
                kind,
                ticked: chosen.contains(&kind),
            })
            .collect(),
        per_hour: PER_HOUR,
        mail_is_set_up: console.store.read().mail_server()?.is_some(),
        is_owner: signed_in.operator.role == Role::Owner,
    })
}

fn with_problem(drawn: &AlertsPage) -> Result<Response, Failure> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(drawn.render()?)).into_response())
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    done: String,
}

async fn show(
    State(console): State<Console>,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let banner = (asked.done == "chosen").then(|| Banner::done("Your alerts were changed."));
    let chosen = chosen(&console, &signed_in)?;
    page(&drawn(
        &console,
        &signed_in,
        &chosen,
        Problems::default(),
        banner,
    )?)
}

async fn choose(
    State(console): State<Console>,
    signed_in: SignedIn,
    form: Form,
) -> Result<Response, Failure> {
    let chosen: BTreeSet<AlertKind> = form.all("alert").filter_map(AlertKind::from_name).collect();
    let id = command_id(&console, &form);
    let command = Command::ChooseAlerts(signed_in.operator.id, chosen.clone());
    let mut problems = Problems::default();
    match execute(&console, &signed_in, id, command).await? {
        Executed::Done => return Ok(Redirect::to("/system/alerts?done=chosen").into_response()),
        Executed::Refused(refusal) => problems.refused(&console.store.read(), &refusal)?,
        Executed::SignInAgain => {
            return Ok(Redirect::to("/sign-in/again?next=/system/alerts").into_response());
        }
    }
    with_problem(&drawn(&console, &signed_in, &chosen, problems, None)?)
}

/// Sends a letter to whoever asks, to its end also when the browser goes away, and says what the
/// mail server said.
async fn test(
    State(console): State<Console>,
    signed_in: SignedIn,
    form: Form,
) -> Result<Response, Failure> {
    let (id, to) = (
        command_id(&console, &form),
        signed_in.operator.email.clone(),
    );
    let chosen = chosen(&console, &signed_in)?;
    let mut problems = Problems::default();
    match execute(&console, &signed_in, id, Command::TestMail(to.clone())).await? {
        Executed::Done => {}
        Executed::Refused(refusal) => {
            problems.refused(&console.store.read(), &refusal)?;
            return with_problem(&drawn(&console, &signed_in, &chosen, problems, None)?);
        }
        Executed::SignInAgain => {
            return Ok(Redirect::to("/sign-in/again?next=/system/alerts").into_response());
        }
    }
    let Some(server) = console.store.read().mail_server()? else {
        return Ok(Redirect::to("/system/alerts").into_response());
    };
    let shared = Arc::clone(&console);
    let host = server.host.as_str().to_owned();
    let sending = console.tasks.spawn(async move {
        let (clock, randomness) = (&*shared.clock, &*shared.randomness);
        tokio::select! {
            () = shared.stopping.cancelled() => None,
            sent = send_test(&server, &shared.keys, &to, clock, randomness) => Some(sent),
        }
    });
    let zone = times::zone(&console.store.read())?;
    let banner = match sending.await.ok().flatten() {
        Some(Ok(said)) => {
            let now = console.clock.now();
            Some(Banner::done(format!(
                "{host} took the test at {}. It said: “{}”. Whether it arrives, your inbox says.",
                write_time(&zone, now, now),
                said.as_str()
            )))
        }
        Some(Err(problem)) => {
            problems.add("", &format!("the test did not go. {}", problem.sentences()));
            None
        }
        None => {
            problems.add("", "whether the test went is not known: the server stops");
            None
        }
    };
    let drawn = drawn(&console, &signed_in, &chosen, problems, banner)?;
    if drawn.problems.is_empty() {
        page(&drawn)
    } else {
        with_problem(&drawn)
    }
}
