//! The webhook, as a part of the page of alerts: where another program listens, what it takes, a test,
//! and its secret, which is shown once.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use offgate_core::alert::AlertKind;
use offgate_core::calendar::write_time;
use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::mail::Problem;
use offgate_core::records::Records as _;
use offgate_core::webhook::{Webhook, WebhookAddress, WebhookState};

use super::ShownOnce;
use super::alerts::{Shown, answer};
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Banner, Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
use crate::console::{Console, times};
use crate::keys::{KeysError, WebhookSecret};
use crate::webhook::send_test;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/system/alerts/webhook", post(set_up))
        .route("/system/alerts/webhook/test", post(test))
        .route(
            "/system/alerts/webhook/secret",
            get(ask_replace_secret).post(replace_secret),
        )
        .route("/system/alerts/webhook/stop", get(ask_stop).post(stop))
}

/// The webhook as the page shows it.
pub(super) struct WebhookPart {
    /// The id of the form's command.
    pub(super) command: String,
    /// How it is, in sentences; none while there is none.
    pub(super) sentences: Vec<String>,
    pub(super) address: String,
    pub(super) kinds: BTreeSet<AlertKind>,
}

impl WebhookPart {
    /// With what was typed, if that was not taken.
    pub(super) fn of(console: &Console, typed: Option<&Form>) -> Result<Self, Failure> {
        let webhook = console.store.read().webhook()?;
        let sentences = match &webhook {
            Some(webhook) => sentences(console, webhook)?,
            None => Vec::new(),
        };
        let (address, kinds) = match (typed, webhook) {
            (Some(form), _) => (form.text("url").to_owned(), kinds(form)),
            (None, Some(webhook)) => (webhook.address.as_str().to_owned(), webhook.kinds),
            (None, None) => (String::new(), AlertKind::ALL.into_iter().collect()),
        };
        Ok(Self {
            command: CommandId::random(&*console.randomness).to_string(),
            sentences,
            address,
            kinds,
        })
    }
}

fn kinds(form: &Form) -> BTreeSet<AlertKind> {
    form.all("kind").filter_map(AlertKind::from_name).collect()
}

fn sentences(console: &Console, webhook: &Webhook) -> Result<Vec<String>, Failure> {
    let reader = console.store.read();
    let (zone, now) = (times::zone(&reader)?, console.clock.now());
    let time = |at| write_time(&zone, at, now);
    let outbox = reader.webhook_outbox()?;
    let mut sentences = vec![match (webhook.state, outbox.last_sent) {
        (WebhookState::Gone { at }, _) => format!(
            "Nobody listens there any more: it said so at {}. Nothing is sent. Save it again when \
             somebody does.",
            time(at)
        ),
        (WebhookState::Open, Some(at)) => format!("It last took something at {}.", time(at)),
        (WebhookState::Open, None) => "Nothing was sent there lately.".to_owned(),
    }];
    if let Some(since) = outbox.waiting_since {
        let why = outbox.problem.map(|problem| problem.sentences());
        sentences.push(format!(
            "{} waiting since {}. {}",
            outbox.waiting,
            time(since),
            why.unwrap_or_default()
        ));
    }
    if outbox.failed > 0 {
        sentences.push(format!("{} failed in the last 30 days.", outbox.failed));
    }
    Ok(sentences)
}

fn kept<T>(kept: Result<T, KeysError>) -> Result<T, Failure> {
    kept.map_err(|error| {
        tracing::error!(%error, "the secret of the webhook cannot be kept");
        Failure::Store(offgate_store::StoreError::OutcomeUnknown)
    })
}

/// Shows a secret, once.
fn shown(
    console: &Console,
    signed_in: &SignedIn,
    secret: &WebhookSecret,
) -> Result<Response, Failure> {
    page(&ShownOnce {
        frame: signed_in.frame(console, Section::System)?,
        heading: "Secret of the webhook".to_owned(),
        words:
            "Give it to the program that listens: with it, it checks that what it is sent comes \
                from here. It is not shown again."
                .to_owned(),
        secret: secret.text(),
        after: "A secret that this one replaces signs beside it for a day.".to_owned(),
    })
}

async fn set_up(
    State(console): State<Console>,
    signed_in: SignedIn,
    form: Form,
) -> Result<Response, Failure> {
    let mut problems = Problems::default();
    if let Some(address) = problems.take("url", WebhookAddress::parse(form.text("url"))) {
        let before = console.store.read().webhook()?;
        let command = Command::SetUpWebhook(Box::new(Webhook {
            address: address.clone(),
            kinds: kinds(&form),
            authorities: before.and_then(|it| it.authorities),
            state: WebhookState::Open,
        }));
        match execute(&console, &signed_in, command_id(&console, &form), command).await? {
            Executed::Done if kept(console.keys.keeps_webhook_secret(&address))? => {
                return Ok(Redirect::to("/system/alerts?done=webhook").into_response());
            }
            Executed::Done => {
                let (now, randomness) = (console.clock.now(), &*console.randomness);
                let made = console
                    .keys
                    .replace_webhook_secret(&address, now, randomness);
                return shown(&console, &signed_in, &kept(made)?);
            }
            Executed::Refused(refusal) => problems.refused(&console.store.read(), &refusal)?,
            Executed::SignInAgain => return Ok(sign_in_again()),
        }
    }
    answer(
        &console,
        &signed_in,
        Shown {
            problems,
            webhook: Some(&form),
            ..Shown::default()
        },
    )
}

fn sign_in_again() -> Response {
    Redirect::to("/sign-in/again?next=/system/alerts").into_response()
}

/// Carries a command out; says what is to be answered if it was not.
async fn done(
    console: &Console,
    signed_in: &SignedIn,
    form: &Form,
    command: Command,
) -> Result<Option<Response>, Failure> {
    let id = command_id(console, form);
    match execute(console, signed_in, id, command).await? {
        Executed::Done => Ok(None),
        Executed::SignInAgain => Ok(Some(sign_in_again())),
        Executed::Refused(refusal) => {
            let mut problems = Problems::default();
            problems.refused(&console.store.read(), &refusal)?;
            let shown = Shown {
                problems,
                ..Shown::default()
            };
            Ok(Some(answer(console, signed_in, shown)?))
        }
    }
}

/// What is asked before what another program relies on ends.
#[derive(Template)]
#[template(path = "system/webhook_confirm.html")]
struct Confirm {
    frame: Frame,
    act: Act,
    /// To whom alerts are sent.
    host: String,
}

/// What may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Stop,
    ReplaceSecret,
}

fn confirm(console: &Console, signed_in: &SignedIn, act: Act) -> Result<Response, Failure> {
    let Some(webhook) = console.store.read().webhook()? else {
        return Ok(Redirect::to("/system/alerts").into_response());
    };
    page(&Confirm {
        frame: signed_in.frame(console, Section::System)?,
        act,
        host: webhook.address.host().as_str().to_owned(),
    })
}

async fn ask_stop(
    State(console): State<Console>,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    confirm(&console, &signed_in, Act::Stop)
}

async fn ask_replace_secret(
    State(console): State<Console>,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    confirm(&console, &signed_in, Act::ReplaceSecret)
}

async fn replace_secret(
    State(console): State<Console>,
    signed_in: SignedIn,
    form: Form,
) -> Result<Response, Failure> {
    let command = Command::ReplaceWebhookSecret;
    if let Some(other) = done(&console, &signed_in, &form, command).await? {
        return Ok(other);
    }
    let Some(webhook) = console.store.read().webhook()? else {
        return Ok(Redirect::to("/system/alerts").into_response());
    };
    let (now, randomness) = (console.clock.now(), &*console.randomness);
    let made = console
        .keys
        .replace_webhook_secret(&webhook.address, now, randomness);
    shown(&console, &signed_in, &kept(made)?)
}

async fn stop(
    State(console): State<Console>,
    signed_in: SignedIn,
    form: Form,
) -> Result<Response, Failure> {
    if let Some(other) = done(&console, &signed_in, &form, Command::StopWebhook).await? {
        return Ok(other);
    }
    kept(console.keys.forget_webhook_secret())?;
    Ok(Redirect::to("/system/alerts?done=webhook-stopped").into_response())
}

async fn test(
    State(console): State<Console>,
    signed_in: SignedIn,
    form: Form,
) -> Result<Response, Failure> {
    if let Some(other) = done(&console, &signed_in, &form, Command::TestWebhook).await? {
        return Ok(other);
    }
    let Some(webhook) = console.store.read().webhook()? else {
        return Ok(Redirect::to("/system/alerts").into_response());
    };
    let shared = Arc::clone(&console);
    let host = webhook.address.host().as_str().to_owned();
    let sending = console.tasks.spawn(async move {
        let (clock, randomness) = (&*shared.clock, &*shared.randomness);
        tokio::select! {
            () = shared.stopping.cancelled() => None,
            sent = send_test(&webhook, &shared.keys, clock, randomness) => Some(sent),
        }
    });
    let sent = sending.await.ok().flatten();
    answer(
        &console,
        &signed_in,
        tested(sent.map(|sent| {
            let said = sent?;
            Ok(format!(
                "{host} took the test. It said: “{}”.",
                said.as_str()
            ))
        })),
    )
}

/// What came of a test, as the page says it.
pub(super) fn tested(sent: Option<Result<String, Problem>>) -> Shown<'static> {
    let mut shown = Shown::default();
    match sent {
        Some(Ok(words)) => shown.banner = Some(Banner::done(words)),
        Some(Err(problem)) => {
            let words = format!("the test did not go. {}", problem.sentences());
            shown.problems.add("", &words);
        }
        None => {
            let words = "whether the test went is not known: the server stops";
            shown.problems.add("", words);
        }
    }
    shown
}
