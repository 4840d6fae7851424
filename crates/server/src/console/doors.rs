//! Doors: which answer, which have the latest table, what happened at each, and its settings.

mod emergency_list;
mod length;
mod longer;
mod settings;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use offgate_core::calendar::write_time;
use offgate_core::door_position::{Positions, Stands};
use offgate_core::fail_mode::FailMode;
use offgate_core::id::DoorId;
use offgate_core::longer_limit::in_force;
use offgate_core::parameters::Timestamp;
use offgate_core::place::{Direction, Door, LeaseLength, ZoneName};
use offgate_core::records::Records as _;
use offgate_core::table::compile::doors_of_policy;
use offgate_store::activity::{About, ActivityKinds, ActivityQuery};
use offgate_store::{Reader, StoreError};
use serde::Deserialize;

use super::door_state::{self, DoorState, told};
use super::failure::Failure;
use super::frame::{Banner, Frame, Section};
use super::live::{self, Fragment};
use super::page::page;
use super::paging::{Paged, page_of};
use super::signed_in::SignedIn;
use super::timeline::{DayOfLines, Timeline};
use super::words::counted;
use super::{Console, times};

/// How many lines of activity a door's page shows.
const LINES: usize = 25;

pub(crate) fn router() -> Router<Console> {
    Router::new()
        .route("/doors", get(list))
        .route("/doors/live", get(list_live))
        .route("/doors/{door}", get(one))
        .route("/doors/{door}/live", get(one_live))
        .merge(settings::router())
        .merge(longer::router())
        .merge(emergency_list::router())
}

/// A door as pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DoorRow {
    pub(crate) id: DoorId,
    pub(crate) name: String,
    pub(crate) label: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) sentence: String,
    /// That it stands open.
    pub(crate) open: Option<String>,
    /// What its contact says.
    pub(crate) contact: String,
    pub(crate) alone: String,
    pub(crate) agent: String,
    pub(crate) state: DoorState,
}

/// Every door, those that need a look first, then by name.
pub(crate) fn rows(
    reader: &Reader,
    zone: &ZoneName,
    now: Timestamp,
) -> Result<Vec<DoorRow>, StoreError> {
    let mut rows = reader
        .doors()?
        .iter()
        .map(|door| row(reader, door, zone, now))
        .collect::<Result<Vec<_>, _>>()?;
    rows.sort_by(|one, other| {
        (!one.state.needs_a_look(), &one.name).cmp(&(!other.state.needs_a_look(), &other.name))
    });
    Ok(rows)
}

fn row(
    reader: &Reader,
    door: &Door,
    zone: &ZoneName,
    now: Timestamp,
) -> Result<DoorRow, StoreError> {
    let state = door_state::of(reader, door, now)?;
    let agent = door_state::agent_of(reader, door)?;
    let stands = reader.door_stands(door.id)?;
    Ok(DoorRow {
        id: door.id,
        name: door.name.as_str().to_owned(),
        label: state.label(),
        tone: state.tone(),
        sentence: state.sentence(door_state::but(reader, door)?, zone, now),
        open: Positions {
            then: None,
            now: stands,
        }
        .sentence(|at| write_time(zone, at, now)),
        contact: match stands {
            Some(Stands { position, since }) => {
                let (position, since) = (position.name(), write_time(zone, since, now));
                format!("{position} since {since}.")
            }
            None => "none is heard. Whether the door stands open is not known.".to_owned(),
        },
        alone: door_state::works_alone_for(lease(reader, door)?),
        agent: agent.map_or_else(|| "None".to_owned(), |it| it.name.as_str().to_owned()),
        state,
    })
}

/// How long a door works on its own by what is set now.
fn lease(reader: &Reader, door: &Door) -> Result<LeaseLength, StoreError> {
    Ok(in_force(door, reader.longer_limit(door.id)?.as_ref()))
}

/// How many doors with an agent are online: "4 of 5 doors are online."
fn summary(rows: &[DoorRow]) -> String {
    let with_agent = rows.iter().filter(|row| row.state != DoorState::NoAgent);
    let online = rows.iter().filter(|row| row.state.is_online());
    let (online, all) = (online.count(), with_agent.count());
    format!(
        "{online} of {all} door{} with an agent {} online.",
        if all == 1 { "" } else { "s" },
        if all == 1 { "is" } else { "are" }
    )
}

#[derive(Template)]
#[template(path = "doors.html", blocks = ["doors"])]
struct DoorsPage {
    frame: Frame,
    summary: String,
    paged: Paged<DoorRow>,
}

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    page: String,
    #[serde(default)]
    done: String,
}

fn doors_page(
    console: &Console,
    signed_in: &SignedIn,
    asked: &Asked,
) -> Result<DoorsPage, Failure> {
    let reader = console.store.read();
    let zone = times::zone(&reader)?;
    let rows = rows(&reader, &zone, console.clock.now())?;
    Ok(DoorsPage {
        frame: signed_in.frame(console, Section::Doors)?,
        summary: summary(&rows),
        paged: page_of(rows, &asked.page),
    })
}

async fn list(
    State(console): State<Console>,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    page(&doors_page(&console, &signed_in, &asked)?)
}

async fn list_live(
    State(console): State<Console>,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Response {
    live::stream(console.clone(), signed_in.clone(), move || {
        let shown = doors_page(&console, &signed_in, &asked)?;
        Ok(vec![Fragment::of("doors", &shown.as_doors())?])
    })
}

#[derive(Template)]
#[template(path = "door.html", blocks = ["door"])]
struct DoorPage {
    frame: Frame,
    row: DoorRow,
    site: String,
    readers: String,
    /// The longer limit that is in force, in words.
    longer: Option<String>,
    /// For how long a leaver could still get in; nothing where no time ends that.
    leaver: String,
    after: String,
    policies: String,
    days: Vec<DayOfLines>,
    /// How long door events are kept.
    kept: String,
}

fn door_page(console: &Console, signed_in: &SignedIn, door: DoorId) -> Result<DoorPage, Failure> {
    let reader = console.store.read();
    let door = reader.door(door)?.ok_or(Failure::NotFound)?;
    let site = reader.site(door.site)?.ok_or(Failure::NotFound)?;
    let mut policies = Vec::new();
    for policy in reader.policies()? {
        if doors_of_policy(&reader, &policy)?.contains(&door.id) {
            policies.push(policy.name.as_str().to_owned());
        }
    }
    let activity = reader.activity(&ActivityQuery {
        about: About::Door(door.id),
        kinds: ActivityKinds::All,
        before: None,
        limit: LINES,
    })?;
    let lease = lease(&reader, &door)?;
    let mut timeline = Timeline::new(&reader, &site.zone, signed_in.operator.role);
    Ok(DoorPage {
        frame: signed_in.frame(console, Section::Doors)?,
        row: row(&reader, &door, &site.zone, console.clock.now())?,
        site: site.name.as_str().to_owned(),
        readers: readers(&door),
        leaver: match door.fail_mode {
            FailMode::KeepLastTable => String::new(),
            FailMode::RefuseAll | FailMode::EmergencyList(_) => settings::price(lease),
        },
        longer: longer::words(&reader, &door)?,
        after: after(&reader, &door)?,
        policies: policies.join(", "),
        days: timeline.days(&activity.items)?,
        kept: reader.keeping()?.door_events.sentence(),
    })
}

/// What a door does when it has worked on its own for as long as it may.
fn after(reader: &Reader, door: &Door) -> Result<String, StoreError> {
    Ok(match door.fail_mode {
        FailMode::RefuseAll => "Refuses everybody. The way out stays free.".to_owned(),
        FailMode::KeepLastTable => "Goes on with its last table. Somebody who is taken out while \
                                    this door is cut off could still get in until it is heard \
                                    again: no time limit ends that."
            .to_owned(),
        FailMode::EmergencyList(list) => match reader.emergency_list(list)? {
            None => "Refuses everybody. The way out stays free.".to_owned(),
            Some(list) => format!(
                "Refuses everybody but those on the emergency list “{}” ({}), whom it admits for {} \
                 in all. The way out stays free.",
                list.name.as_str(),
                counted(list.people.len(), "name"),
                told(list.limit.seconds())
            ),
        },
    })
}

/// "1 way in, 1 way out".
fn readers(door: &Door) -> String {
    let ways = [(Direction::In, "way in"), (Direction::Out, "way out")];
    let told: Vec<String> = ways
        .into_iter()
        .filter_map(|(direction, words)| {
            let readers = door.readers.iter();
            match readers.filter(|it| it.direction == direction).count() {
                0 => None,
                number => Some(format!("{number} {words}")),
            }
        })
        .collect();
    if told.is_empty() {
        "None".to_owned()
    } else {
        told.join(", ")
    }
}

async fn one(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(door): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let door = door.parse().map_err(|_| Failure::NotFound)?;
    let mut shown = door_page(&console, &signed_in, door)?;
    shown.frame.banner = match asked.done.as_str() {
        "saved" => Some(Banner::done(
            "Saved. The door goes by it once its agent has taken it up.",
        )),
        "longer" => Some(Banner::done(
            "The longer limit is set. The door has it once its agent has taken it up.",
        )),
        "longer-ended" => Some(Banner::done(
            "The longer limit is ended. The door goes by that once its agent has taken it up.",
        )),
        _ => None,
    };
    page(&shown)
}

async fn one_live(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(door): Path<String>,
) -> Result<Response, Failure> {
    let door: DoorId = door.parse().map_err(|_| Failure::NotFound)?;
    Ok(live::stream(
        console.clone(),
        signed_in.clone(),
        move || {
            let shown = door_page(&console, &signed_in, door)?;
            Ok(vec![Fragment::of("door", &shown.as_door())?])
        },
    ))
}
