//! Alerts: which an operator is sent, and a test; for owners, the webhook too.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use offgate_core::alert::{AlertKind, PER_HOUR, wants};
use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::operator::Role;
use offgate_core::records::Records as _;
use serde::Deserialize;

use super::webhook::{WebhookPart, tested};
use crate::console::Console;
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Banner, Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
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
    /// For owners.
    webhook: Option<WebhookPart>,
}

/// What a page of alerts is drawn with, beside what is on record.
#[derive(Default)]
pub(super) struct Shown<'f> {
    /// What they chose and was not taken.
    pub(super) chosen: Option<BTreeSet<AlertKind>>,
    pub(super) problems: Problems,
    pub(super) banner: Option<Banner>,
    /// What they typed for the webhook and was not taken.
    pub(super) webhook: Option<&'f Form>,
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

/// The page.
pub(super) fn answer(
    console: &Console,
    signed_in: &SignedIn,
    shown: Shown<'_>,
) -> Result<Response, Failure> {
    let command = || CommandId::random(&*console.randomness).to_string();
    let chosen = match shown.chosen {
        Some(chosen) => chosen,
        None => chosen(console, signed_in)?,
    };
    let drawn = AlertsPage {
        frame: signed_in
            .frame(console, Section::System)?
            .with(shown.banner),
        problems: shown.problems,
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
        webhook: match signed_in.operator.role {
            Role::Owner => Some(WebhookPart::of(console, shown.webhook)?),
            Role::Viewer | Role::Guard | Role::Administrator => None,
        },
    };
    if drawn.problems.is_empty() {
        page(&drawn)
    } else {
        let html = Html(drawn.render()?);
        Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
    }
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
    let banner = match asked.done.as_str() {
        "chosen" => Some(Banner::done("Your alerts were changed.")),
        "webhook" => Some(Banner::done("The webhook was changed.")),
        "webhook-stopped" => Some(Banner::done("Nothing is sent to the webhook any more.")),
        _ => None,
    };
    let shown = Shown {
        banner,
        ..Shown::default()
    };
    answer(&console, &signed_in, shown)
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
    let shown = Shown {
        chosen: Some(chosen),
        problems,
        ..Shown::default()
    };
    answer(&console, &signed_in, shown)
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
    match execute(&console, &signed_in, id, Command::TestMail(to.clone())).await? {
        Executed::Done => {}
        Executed::Refused(refusal) => {
            let mut shown = Shown::default();
            shown.problems.refused(&console.store.read(), &refusal)?;
            return answer(&console, &signed_in, shown);
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
    let sent = sending.await.ok().flatten();
    let shown = tested(sent.map(|sent| {
        let said = sent?;
        Ok(format!(
            "{host} took the test. It said: “{}”. Whether it arrives, your inbox says.",
            said.as_str()
        ))
    }));
    answer(&console, &signed_in, shown)
}
