//! System: who signs in, which agents there are, and invitations for more.

mod addresses;
mod agents;
mod alerts;
mod join_tokens;
mod keeping;
mod keys;
mod mail;
mod operators;
mod pins;
mod webhook;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use offgate_core::operator::Role;
use serde::Deserialize;

use self::agents::AgentRow;
use self::join_tokens::TokenRow;
use self::keeping::AwaitingRow;
use self::operators::OperatorRow;
use super::failure::Failure;
use super::frame::{Banner, Frame, Section};
use super::page::page;
use super::paging::{Paged, page_of};
use super::restored::{AfterRestore, after_restore};
use super::signed_in::SignedIn;
use super::{Console, history, times};
use crate::backups::{Told, told};

pub(crate) use pins::notice as exposed_pins;

pub(crate) fn router() -> Router<Console> {
    Router::new()
        .route("/system", get(overview))
        .merge(operators::router())
        .merge(agents::router())
        .merge(join_tokens::router())
        .merge(keeping::router())
        .merge(addresses::router())
        .merge(pins::router())
        .merge(alerts::router())
        .merge(webhook::router())
        .merge(mail::router())
        .merge(keys::router())
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    done: String,
    /// The page of operators.
    #[serde(default)]
    operators: String,
    /// The page of agents.
    #[serde(default)]
    agents: String,
}

#[derive(Template)]
#[template(path = "system/overview.html")]
struct Overview {
    frame: Frame,
    alarms: Vec<String>,
    /// How many PINs a stolen agent knew.
    exposed: Option<String>,
    after_restore: Option<AfterRestore>,
    operators: Paged<OperatorRow>,
    agents: Paged<AgentRow>,
    tokens: Vec<TokenRow>,
    awaiting: Vec<AwaitingRow>,
    kept: Vec<String>,
    /// Which alerts they are sent.
    alerts: String,
    /// How mail is; for owners.
    mail: Vec<String>,
    addresses: Vec<String>,
    backups: Option<Told>,
    fingerprint: String,
    is_owner: bool,
}

async fn overview(
    State(console): State<Console>,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let banner = match asked.done.as_str() {
        "role" => Some(Banner::done("The role was changed.")),
        "linked" => Some(Banner::done("The link to a person was changed.")),
        "ended" => Some(Banner::done(
            "The sign-in was ended, and their sessions with it.",
        )),
        "revoked" => Some(Banner::done(
            "The agent’s key is refused from now on. Its doors go on by what they have until their \
             time of working alone is over, then refuse everybody.",
        )),
        "stolen" => Some(Banner::done(
            "The agent was reported stolen already. Its join token was shown then; if nobody has it, \
             invite another agent.",
        )),
        "keeping" => Some(Banner::done("How long things are kept was changed.")),
        "addresses" => Some(Banner::done(
            "Agents are told the addresses as they come back, within moments.",
        )),
        "withdrawn" => Some(Banner::done("The invitation was withdrawn.")),
        _ => None,
    };
    let reader = console.store.read();
    let zone = times::zone(&reader)?;
    page(&Overview {
        frame: signed_in.frame(&console, Section::System)?.with(banner),
        alarms: history::alarms(&reader, &zone, console.clock.now())?,
        exposed: exposed_pins(&reader)?,
        after_restore: after_restore(&reader, &zone, console.clock.now())?,
        operators: page_of(operators::rows(&console)?, &asked.operators),
        agents: page_of(agents::rows(&console)?, &asked.agents),
        tokens: join_tokens::rows(&console)?,
        awaiting: keeping::awaiting(&console, &signed_in)?,
        kept: keeping::sentences(&console)?,
        alerts: alerts::sentence(&console, &signed_in)?,
        mail: if signed_in.operator.role == Role::Owner {
            mail::sentences(&console)?
        } else {
            Vec::new()
        },
        addresses: addresses::announced(&console)?,
        backups: told(&console, &zone),
        fingerprint: console.keys.fingerprint().to_string(),
        is_owner: signed_in.operator.role == Role::Owner,
    })
}

/// Something that is shown once, in the answer to the form that made it, and kept nowhere.
#[derive(Template)]
#[template(path = "system/shown_once.html")]
struct ShownOnce {
    frame: Frame,
    heading: String,
    words: String,
    secret: String,
    after: String,
}
