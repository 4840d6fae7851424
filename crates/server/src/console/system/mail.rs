//! Mail: whether it leaves, and what did not.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use offgate_core::calendar::write_time;
use offgate_core::operator::Role;
use offgate_core::records::Records as _;
use serde::Deserialize;

use crate::console::failure::Failure;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::signed_in::SignedIn;
use crate::console::{Console, times};

/// How many failed letters a page lists.
const LISTED: usize = 20;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/system/mail", get(show))
}

/// How mail is, in sentences.
pub(super) fn sentences(console: &Console) -> Result<Vec<String>, Failure> {
    let reader = console.store.read();
    let (zone, now) = (times::zone(&reader)?, console.clock.now());
    let Some(server) = reader.mail_server()? else {
        return Ok(vec![
            "No mail server is set up: nothing is sent.".to_owned(),
        ]);
    };
    let outbox = reader.outbox()?;
    let mut sentences = vec![match outbox.last_sent {
        Some(at) => format!(
            "Mail leaves by {}, which last took a letter at {}.",
            server.host.as_str(),
            write_time(&zone, at, now)
        ),
        None => format!(
            "Mail leaves by {}. No letter was sent lately.",
            server.host.as_str()
        ),
    }];
    if let Some(mail) = reader.checkpoint_mail()? {
        let every = mail.every.name();
        let to = mail.to.as_str();
        sentences.push(format!(
            "A checkpoint of the history goes to {to} every {every}."
        ));
    }
    if let Some(since) = outbox.waiting_since {
        let why = outbox.problem.map(|problem| problem.sentences());
        sentences.push(format!(
            "{} waiting since {}. {}",
            outbox.waiting,
            write_time(&zone, since, now),
            why.unwrap_or_default()
        ));
    }
    if outbox.failed > 0 {
        sentences.push(format!("{} failed in the last 30 days.", outbox.failed));
    }
    Ok(sentences)
}

/// A letter that failed.
struct FailedRow {
    at: String,
    what: &'static str,
    to: String,
    why: String,
}

#[derive(Template)]
#[template(path = "system/mail.html")]
struct MailPage {
    frame: Frame,
    sentences: Vec<String>,
    failed: Vec<FailedRow>,
    older: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    before: Option<i64>,
}

async fn show(
    State(console): State<Console>,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    if signed_in.operator.role < Role::Owner {
        return Err(Failure::NotAllowed("This needs the role owner.".to_owned()));
    }
    let reader = console.store.read();
    let (zone, now) = (times::zone(&reader)?, console.clock.now());
    let mut failed = reader.failed_letters(asked.before, LISTED + 1)?;
    let more = failed.len() > LISTED;
    failed.truncate(LISTED);
    page(&MailPage {
        frame: signed_in.frame(&console, Section::System)?,
        sentences: sentences(&console)?,
        older: failed.last().filter(|_| more).map(|letter| letter.number),
        failed: failed
            .into_iter()
            .map(|letter| FailedRow {
                at: write_time(&zone, letter.at, now),
                what: letter.kind.words(),
                to: letter
                    .to
                    .map_or_else(|| "the webhook".to_owned(), |to| to.as_str().to_owned()),
                why: letter.problem.sentences(),
            })
            .collect(),
    })
}
