//! A door's settings: what it is called, how long it works on its own, and what it does after that.
//!
//! Each choice says both its numbers where it is made: how long the door goes on without the server,
//! and how long somebody who is taken out meanwhile could still get in.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::command::{Command, Expected};
use offgate_core::fail_mode::{EmergencyList, FailMode};
use offgate_core::id::{CommandId, DoorId, EmergencyListId};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::place::{Door, LeaseLength};
use offgate_core::records::Records as _;
use offgate_core::refusal::Refusal;
use offgate_core::text::Title;
use offgate_store::Reader;
use serde::Deserialize;

use super::length::{self, UNITS};
use super::longer;
use crate::console::Console;
use crate::console::door_state::{leaver_gets_in_for, told};
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Banner, Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;
use crate::console::words::capital;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/doors/{door}/settings", get(ask).post(save))
}

/// The door an address names.
pub(super) fn find(reader: &Reader, door: &str) -> Result<Door, Failure> {
    let id: DoorId = door.parse().map_err(|_| Failure::NotFound)?;
    reader.door(id)?.ok_or(Failure::NotFound)
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    done: String,
}

/// A time of working on its own that can be chosen by its name.
struct Preset {
    name: &'static str,
    label: String,
    chosen: bool,
    price: String,
    /// What it would have meant lately, if it is shorter than it is now and anything is known.
    lately: Option<String>,
}

/// A list that can be chosen.
struct ListChoice {
    id: String,
    name: String,
    words: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "doors/settings.html")]
struct SettingsPage {
    frame: Frame,
    id: String,
    name: String,
    form: Form,
    problems: Problems,
    presets: Vec<Preset>,
    units: [(&'static str, &'static str); 4],
    lists: Vec<ListChoice>,
    /// The longer limit that is in force, in words.
    longer: Option<String>,
}

/// What each preset is for, in the order of [`LeaseLength::PRESETS`].
const FOR: [&str; 3] = [
    "Survives a weekend without the server",
    "Survives half a day without the server",
    "Closes soon after the server is gone",
];

/// Both prices of a time of working on its own.
pub(super) fn price(lease: LeaseLength) -> String {
    format!(
        "Somebody who is taken out while this door is cut off could still get in for up to {}.",
        leaver_gets_in_for(lease)
    )
}

/// What another time on its own would have meant for a door lately, if that is known.
fn lately(
    reader: &Reader,
    door: &Door,
    lease: LeaseLength,
    now: Timestamp,
) -> Result<Option<String>, Failure> {
    let Some(agent) = door.agent else {
        return Ok(None);
    };
    let outages = reader.outages(agent)?;
    Ok(outages.sentence(door.name.as_str(), lease.duration(), now))
}

fn presets(
    reader: &Reader,
    door: &Door,
    form: &Form,
    now: Timestamp,
) -> Result<Vec<Preset>, Failure> {
    let named = LeaseLength::PRESETS.into_iter().zip(FOR);
    named
        .map(|((name, lease), survives)| {
            let lately = match lease < door.lease {
                true => lately(reader, door, lease, now)?,
                false => None,
            };
            Ok(Preset {
                name,
                label: format!("{}: {}", capital(name), told(lease.seconds())),
                chosen: form.text("limit") == name,
                price: format!("{survives}. {}", price(lease)),
                lately,
            })
        })
        .collect()
}

fn lists(reader: &Reader, form: &Form) -> Result<Vec<ListChoice>, Failure> {
    let mut all = reader.emergency_lists()?;
    all.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    Ok(all
        .iter()
        .map(|list| {
            let id = list.id.to_string();
            ListChoice {
                chosen: form.text("emergency_list") == id,
                id,
                name: list.name.as_str().to_owned(),
                words: described(list),
            }
        })
        .collect())
}

/// "Key holders: 3 people, for 336 hours".
fn described(list: &EmergencyList) -> String {
    let people = match list.people.len() {
        1 => "1 person".to_owned(),
        many => format!("{many} people"),
    };
    format!(
        "{}: {people}, for {} in all",
        list.name.as_str(),
        told(list.limit.seconds())
    )
}

/// The form as the door is now.
fn form_of(console: &Console, door: &Door) -> Form {
    let mut form = Form::default();
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    form.set("revision", door.revision.number().to_string());
    form.set("name", door.name.as_str());
    let preset = LeaseLength::PRESETS
        .into_iter()
        .find(|(_, length)| *length == door.lease);
    form.set("limit", preset.map_or("other", |(name, _)| name));
    length::set(&mut form, door.lease.seconds());
    form.set("fail_mode", door.fail_mode.name());
    if let Some(list) = door.fail_mode.list() {
        form.set("emergency_list", list.to_string());
    }
    form
}

fn draw(
    console: &Console,
    signed_in: &SignedIn,
    door: &Door,
    form: Form,
    problems: Problems,
) -> Result<SettingsPage, Failure> {
    let reader = console.store.read();
    Ok(SettingsPage {
        frame: signed_in.frame(console, Section::Doors)?,
        id: door.id.to_string(),
        name: door.name.as_str().to_owned(),
        presets: presets(&reader, door, &form, console.clock.now())?,
        units: UNITS,
        lists: lists(&reader, &form)?,
        longer: longer::words(&reader, door)?,
        form,
        problems,
    })
}

async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(door): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let door = find(&console.store.read(), &door)?;
    let form = form_of(&console, &door);
    let mut shown = draw(&console, &signed_in, &door, form, Problems::default())?;
    shown.frame.banner = match asked.done.as_str() {
        "list" => Some(Banner::done(
            "The emergency list was saved. Each door that uses it takes it up as it confirms.",
        )),
        _ => None,
    };
    page(&shown)
}

/// What was chosen, as far as it can be read.
struct Chosen {
    name: Title,
    lease: LeaseLength,
    fail_mode: FailMode,
    drawn: Revision,
}

fn read(form: &Form, problems: &mut Problems) -> Option<Chosen> {
    let name = problems.take("name", Title::parse(form.text("name")));
    let preset = LeaseLength::PRESETS
        .into_iter()
        .find(|(name, _)| *name == form.text("limit"));
    let lease = match preset {
        Some((_, lease)) => Some(lease),
        None => length::read(form).and_then(LeaseLength::from_seconds),
    };
    if lease.is_none() {
        problems.add("number", "from 10 seconds to 7 days");
    }
    let fail_mode = match form.text("fail_mode") {
        "refuse-all" => Some(FailMode::RefuseAll),
        "keep-last-table" => Some(FailMode::KeepLastTable),
        "emergency-list" => {
            let list: Option<EmergencyListId> = form.text("emergency_list").parse().ok();
            if list.is_none() {
                problems.add("emergency_list", "choose a list, or make one first");
            }
            list.map(FailMode::EmergencyList)
        }
        _ => {
            problems.add("fail_mode", "choose one of these");
            None
        }
    };
    let drawn: Option<u64> = form.text("revision").parse().ok();
    if drawn.is_none() {
        problems.add("", "this form is not whole; load the page again");
    }
    Some(Chosen {
        name: name?,
        lease: lease?,
        fail_mode: fail_mode?,
        drawn: Revision::new(drawn?),
    })
}

/// What is asked before a door is given less time on its own.
#[derive(Template)]
#[template(path = "doors/shorten.html")]
struct ShortenPage {
    frame: Frame,
    id: String,
    name: String,
    before: String,
    after: String,
    price: String,
    /// What that would have meant lately; none if nothing is known.
    lately: Option<String>,
    form: Form,
}

async fn save(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(door): Path<String>,
    mut form: Form,
) -> Result<Response, Failure> {
    let door = find(&console.store.read(), &door)?;
    let mut problems = Problems::default();
    if let Some(chosen) = read(&form, &mut problems) {
        if chosen.lease < door.lease && form.text("shorter") != chosen.lease.seconds().to_string() {
            form.set("shorter", chosen.lease.seconds().to_string());
            return page(&ShortenPage {
                frame: signed_in.frame(&console, Section::Doors)?,
                id: door.id.to_string(),
                name: door.name.as_str().to_owned(),
                before: told(door.lease.seconds()),
                after: told(chosen.lease.seconds()),
                price: price(chosen.lease),
                lately: lately(
                    &console.store.read(),
                    &door,
                    chosen.lease,
                    console.clock.now(),
                )?,
                form,
            });
        }
        let command = Command::EditDoor(
            Door {
                name: chosen.name,
                lease: chosen.lease,
                fail_mode: chosen.fail_mode,
                ..door.clone()
            },
            Expected::Unchanged(chosen.drawn),
        );
        let id = command_id(&console, &form);
        match execute(&console, &signed_in, id, command).await? {
            Executed::Done => {
                let to = format!("/doors/{}?done=saved", door.id);
                return Ok(Redirect::to(&to).into_response());
            }
            Executed::Refused(Refusal::Stale { .. }) => problems.add(
                "",
                "somebody changed this door while you were choosing. What you chose is still here; \
                 save again to put it in the place of theirs",
            ),
            Executed::Refused(refusal) => problems.refused(&console.store.read(), &refusal)?,
            Executed::SignInAgain => return Err(Failure::SignIn("/sign-in/again".to_owned())),
        }
    }
    let door = find(&console.store.read(), &door.id.to_string())?;
    // Saving once more means it.
    form.set("revision", door.revision.number().to_string());
    form.set(
        "command",
        CommandId::random(&*console.randomness).to_string(),
    );
    let shown = draw(&console, &signed_in, &door, form, problems)?;
    let html = Html(shown.render()?);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}
