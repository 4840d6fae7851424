//! Agents: which there are, whether they answer, and refusing one.

mod stolen;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::agent::{Agent, AgentState, DiskState};
use offgate_core::calendar::write_time;
use offgate_core::command::Command;
use offgate_core::confirmation::Contact;
use offgate_core::fault::Fault;
use offgate_core::id::CommandId;
use offgate_core::records::Records as _;

use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::signed_in::SignedIn;
use crate::console::words::sentence;
use crate::console::{Console, times};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/system/agents/{agent}/revoke", get(ask).post(revoke))
        .merge(stolen::router())
}

/// An agent as pages show it.
pub(super) struct AgentRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) doors: String,
    pub(super) label: &'static str,
    pub(super) tone: &'static str,
    pub(super) heard: String,
    pub(super) enrolled: bool,
}

fn row(console: &Console, agent: &Agent) -> Result<AgentRow, Failure> {
    let reader = console.store.read();
    let now = console.clock.now();
    let zone = times::zone(&reader)?;
    let mut doors: Vec<String> = reader
        .doors_of(agent.id)?
        .into_iter()
        .map(|door| door.name.as_str().to_owned())
        .collect();
    doors.sort();
    let heard = reader.contact(agent.id)?;
    let disk = heard.map_or(DiskState::Works, |heard| heard.disk);
    let (label, tone, heard) = match (agent.state, heard.map(|heard| heard.contact)) {
        (AgentState::Revoked { at }, _) => (
            "Revoked",
            "deactivated",
            format!("Since {}", write_time(&zone, at, now)),
        ),
        (AgentState::Enrolled, Some(Contact::Connected)) if disk == DiskState::Fails => (
            "Failed",
            "danger",
            format!("Connected: {}", Fault::DiskFails.with_what_to_do()),
        ),
        (AgentState::Enrolled, Some(Contact::Connected)) => {
            let table = reader.table_head(agent.id)?.map(|head| head.revision);
            if table <= reader.acknowledged(agent.id)? {
                ("Connected", "confirmed", "Has the latest table".to_owned())
            } else {
                ("Connected", "waiting", "Catching up".to_owned())
            }
        }
        (AgentState::Enrolled, Some(Contact::Silent { since: Some(since) })) => (
            "Not connected",
            "danger",
            format!("Not heard since {}", write_time(&zone, since, now)),
        ),
        (AgentState::Enrolled, _) => ("Not connected", "danger", "Never heard".to_owned()),
    };
    Ok(AgentRow {
        id: agent.id.to_string(),
        name: agent.name.as_str().to_owned(),
        doors: if doors.is_empty() {
            "None".to_owned()
        } else {
            doors.join(", ")
        },
        label,
        tone,
        heard,
        enrolled: agent.state == AgentState::Enrolled,
    })
}

/// Every agent, revoked ones last, by name.
pub(super) fn rows(console: &Console) -> Result<Vec<AgentRow>, Failure> {
    let mut agents = console.store.read().agents()?;
    agents.sort_by(|one, other| {
        let revoked = |agent: &Agent| agent.state != AgentState::Enrolled;
        (revoked(one), one.name.as_str()).cmp(&(revoked(other), other.name.as_str()))
    });
    agents.iter().map(|agent| row(console, agent)).collect()
}

#[derive(Template)]
#[template(path = "system/agent_revoke.html")]
struct RevokeAgent {
    frame: Frame,
    row: AgentRow,
    command: String,
}

fn find(console: &Console, agent: &str) -> Result<Agent, Failure> {
    let id = agent.parse().map_err(|_| Failure::NotFound)?;
    let found = console.store.read().agent(id)?;
    found.ok_or(Failure::NotFound)
}

async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(agent): Path<String>,
) -> Result<Response, Failure> {
    let agent = find(&console, &agent)?;
    page(&RevokeAgent {
        frame: signed_in.frame(&console, Section::System)?,
        row: row(&console, &agent)?,
        command: CommandId::random(&*console.randomness).to_string(),
    })
}

async fn revoke(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(agent): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let agent = find(&console, &agent)?;
    let id = command_id(&console, &form);
    match execute(&console, &signed_in, id, Command::RevokeAgent(agent.id)).await? {
        Executed::Done => Ok(Redirect::to("/system?done=revoked").into_response()),
        Executed::Refused(refusal) => Err(Failure::NotAllowed(sentence(&refusal.to_string()))),
        Executed::SignInAgain => Err(Failure::SignIn("/sign-in/again?next=/system".to_owned())),
    }
}
