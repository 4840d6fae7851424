//! Emergency lists: the people whom cut-off doors still admit, and for how long.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::command::{Command, Expected};
use offgate_core::fail_mode::{EmergencyLimit, EmergencyList};
use offgate_core::id::{CommandId, DoorId, EmergencyListId, UserId};
use offgate_core::parameters::Revision;
use offgate_core::records::Records as _;
use offgate_core::refusal::Refusal;
use offgate_core::text::Title;
use offgate_core::user::UserRecord;
use offgate_store::users::{UserFilter, UserOrder, UserQuery};
use serde::Deserialize;

use super::length::{self, UNITS};
use crate::console::Console;
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::people::Choice;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;

/// How many people a search shows.
const FOUND: usize = 20;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/emergency-lists/new", get(ask_new).post(create))
        .route("/emergency-lists/{list}", get(ask).post(save))
}

/// From which door's settings somebody came, to go back there.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    door: String,
}

#[derive(Template)]
#[template(path = "doors/emergency_list.html")]
struct ListPage {
    frame: Frame,
    /// Where the form is sent.
    action: String,
    heading: &'static str,
    back: String,
    form: Form,
    problems: Problems,
    people: Vec<Choice>,
    /// Who was searched for and is not on it.
    found: Vec<Choice>,
    units: [(&'static str, &'static str); 4],
    /// The doors that use it.
    doors: Vec<String>,
}

/// Where somebody came from.
fn back(form: &Form) -> String {
    match form.text("door").parse::<DoorId>() {
        Ok(door) => format!("/doors/{door}/settings"),
        Err(_) => "/doors".to_owned(),
    }
}

fn draw(
    console: &Console,
    signed_in: &SignedIn,
    list: Option<EmergencyListId>,
    form: Form,
    problems: Problems,
) -> Result<ListPage, Failure> {
    let reader = console.store.read();
    let mut people = Vec::new();
    for text in form.all("person").collect::<BTreeSet<_>>() {
        let Ok(user) = text.parse::<UserId>() else {
            continue;
        };
        if let Some(UserRecord::Present(person)) = reader.user(user)? {
            people.push(Choice {
                id: user.to_string(),
                name: person.profile.full_name(),
                ticked: true,
            });
        }
    }
    people.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    let mut found = Vec::new();
    if let Some(search) = form.filled("q") {
        let query = UserQuery {
            filter: UserFilter::Active,
            search: Some(search.to_owned()),
            order: UserOrder::Name,
            from: None,
            limit: FOUND,
        };
        for row in reader.users(&query, console.clock.now())?.rows {
            let id = row.user.id.to_string();
            if people.iter().all(|known| known.id != id) {
                let name = row.user.profile.full_name();
                found.push(Choice {
                    id,
                    name,
                    ticked: false,
                });
            }
        }
    }
    let mut doors: Vec<String> = reader
        .doors()?
        .into_iter()
        .filter(|door| list.is_some() && door.fail_mode.list() == list)
        .map(|door| door.name.as_str().to_owned())
        .collect();
    doors.sort();
    Ok(ListPage {
        frame: signed_in.frame(console, Section::Doors)?,
        action: list.map_or_else(
            || "/emergency-lists/new".to_owned(),
            |list| format!("/emergency-lists/{list}"),
        ),
        heading: match list {
            Some(_) => "Emergency list",
            None => "New emergency list",
        },
        back: back(&form),
        form,
        problems,
        people,
        found,
        units: UNITS,
        doors,
    })
}

fn find(console: &Console, list: &str) -> Result<EmergencyList, Failure> {
    let id: EmergencyListId = list.parse().map_err(|_| Failure::NotFound)?;
    let found = console.store.read().emergency_list(id)?;
    found.ok_or(Failure::NotFound)
}

fn fresh(console: &Console, asked: &Asked) -> Form {
    let mut form = Form::default();
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    form.set("door", asked.door.clone());
    form
}

async fn ask_new(
    State(console): State<Console>,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let mut form = fresh(&console, &asked);
    length::set(&mut form, EmergencyLimit::ORDINARY.seconds());
    page(&draw(
        &console,
        &signed_in,
        None,
        form,
        Problems::default(),
    )?)
}

async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(list): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let list = find(&console, &list)?;
    let mut form = fresh(&console, &asked);
    form.set("revision", list.revision.number().to_string());
    form.set("name", list.name.as_str());
    length::set(&mut form, list.limit.seconds());
    for person in &list.people {
        form.add("person", person.to_string());
    }
    page(&draw(
        &console,
        &signed_in,
        Some(list.id),
        form,
        Problems::default(),
    )?)
}

/// What was typed, as a list with this id.
fn read(id: EmergencyListId, form: &Form, problems: &mut Problems) -> Option<EmergencyList> {
    let name = problems.take("name", Title::parse(form.text("name")));
    let limit = length::read(form).and_then(EmergencyLimit::from_seconds);
    if limit.is_none() {
        problems.add("number", "from 1 minute to 90 days");
    }
    let people: Result<BTreeSet<UserId>, _> = form.all("person").map(str::parse).collect();
    let people = problems.take("", people);
    Some(EmergencyList {
        id,
        revision: Revision::ZERO,
        name: name?,
        people: people?,
        limit: limit?,
    })
}

async fn create(
    State(console): State<Console>,
    signed_in: SignedIn,
    form: Form,
) -> Result<Response, Failure> {
    let mut problems = Problems::default();
    if form.text("act") != "find" {
        let id = EmergencyListId::random(&*console.randomness);
        if let Some(list) = read(id, &form, &mut problems) {
            let command = Command::CreateEmergencyList(list);
            let to = format!("{}?done=list", back(&form));
            if carried_out(&console, &signed_in, &form, command, &mut problems).await? {
                return Ok(Redirect::to(&to).into_response());
            }
        }
    }
    answer(draw(&console, &signed_in, None, form, problems)?)
}

async fn save(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(list): Path<String>,
    mut form: Form,
) -> Result<Response, Failure> {
    let list = find(&console, &list)?;
    let mut problems = Problems::default();
    if form.text("act") != "find" {
        let drawn: Option<u64> = form.text("revision").parse().ok();
        if drawn.is_none() {
            problems.add("", "this form is not whole; load the page again");
        }
        if let (Some(typed), Some(drawn)) = (read(list.id, &form, &mut problems), drawn) {
            let expected = Expected::Unchanged(Revision::new(drawn));
            let command = Command::EditEmergencyList(typed, expected);
            let to = format!("{}?done=list", back(&form));
            if carried_out(&console, &signed_in, &form, command, &mut problems).await? {
                return Ok(Redirect::to(&to).into_response());
            }
            // Saving once more means it.
            let now = find(&console, &list.id.to_string())?.revision;
            form.set("revision", now.number().to_string());
            form.set(
                "command",
                CommandId::random(&*console.randomness).to_string(),
            );
        }
    }
    answer(draw(&console, &signed_in, Some(list.id), form, problems)?)
}

/// Carries a command out, or notes why it was refused.
async fn carried_out(
    console: &Console,
    signed_in: &SignedIn,
    form: &Form,
    command: Command,
    problems: &mut Problems,
) -> Result<bool, Failure> {
    let id = command_id(console, form);
    match execute(console, signed_in, id, command).await? {
        Executed::Done => return Ok(true),
        Executed::Refused(Refusal::Stale { .. }) => problems.add(
            "",
            "somebody changed this list while you were typing. What you typed is still here; save \
             again to put it in the place of theirs",
        ),
        Executed::Refused(refusal) => problems.refused(&console.store.read(), &refusal)?,
        Executed::SignInAgain => return Err(Failure::SignIn("/sign-in/again".to_owned())),
    }
    Ok(false)
}

fn answer(shown: ListPage) -> Result<Response, Failure> {
    if shown.problems.is_empty() {
        return page(&shown);
    }
    let html = Html(shown.render()?);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}
