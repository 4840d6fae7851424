//! The page of the demo that shows each door as somebody standing there would meet it. Only a demo
//! has it: it reaches the doors' private sockets as `offgate present` does, never over the link.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, Path, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use offgate_agent::reader::{Answer, At, Light};
use offgate_agent::status::{LinkState, Status};
use offgate_core::credential::CredentialKind;
use offgate_core::door_position::Position;
use offgate_core::place::Direction;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::organisation::{DOORS, WORKS_ALONE_SECONDS};
use super::people::PEOPLE;
use super::station::Station;
use super::wire::Wire;

/// Where it is.
pub(super) const PATH: &str = "/demo/doors";
/// How many pages are kept true while they are open.
const STREAMS: usize = 16;
/// How often.
const DRAW_EVERY: Duration = Duration::from_secs(1);
/// More than any of its forms sends.
const LONGEST_FORM: usize = 4096;

/// The stations, as every request sees them; none before they have started.
pub(super) type Stations = Arc<OnceLock<Vec<Station>>>;

/// What its routes share.
#[derive(Clone)]
struct Page {
    stations: Stations,
    stop: CancellationToken,
    /// For pages that are kept true while they are open.
    places: Arc<Semaphore>,
}

/// Its routes, whose streams end with `stop`.
pub(super) fn router(stations: Stations, stop: CancellationToken) -> Router {
    let places = Arc::new(Semaphore::new(STREAMS));
    Router::new()
        .route(PATH, get(show))
        .route("/demo/doors/live", get(live))
        .route("/demo/doors.css", get(style))
        .route("/demo/doors/{door}/present", post(present))
        .route("/demo/doors/{door}/contact", post(contact))
        .route("/demo/doors/{door}/wire", post(wire))
        .route("/demo/doors/{door}/kill", post(kill))
        .layer(DefaultBodyLimit::max(LONGEST_FORM))
        .with_state(Page {
            stations,
            stop,
            places,
        })
}

#[derive(Template)]
#[template(path = "demo_doors.html")]
struct Doors {
    assets: &'static str,
    works_alone_seconds: u32,
    doors: Vec<Door>,
    people: Vec<Holder>,
}

/// A door as it is drawn.
struct Door {
    number: usize,
    name: &'static str,
    agent: &'static str,
    has_way_out: bool,
    cut: bool,
    /// Whether its contact says that it stands open.
    open: bool,
    state: State,
    /// Other doors of the same agent: what is done to one is done to all.
    shares_with: Vec<&'static str>,
    last: Option<Last>,
    /// What was presented last, to be presented again.
    value: String,
    kind: &'static str,
    was_out: bool,
}

/// How a door's agent is.
#[derive(Template)]
#[template(path = "demo_state.html")]
struct State {
    tone: &'static str,
    label: &'static str,
    words: String,
}

/// What a reader answered last.
struct Last {
    light: &'static str,
    colour: &'static str,
    words: String,
}

/// Somebody, and what they hold.
struct Holder {
    name: String,
    group: &'static str,
    pin: &'static str,
    card: &'static str,
    plate: &'static str,
    things: Vec<&'static str>,
}

/// The station of a door, and the door's name.
fn find(stations: &Stations, number: usize) -> Option<(&Station, &'static str)> {
    let (name, _) = DOORS.get(number)?;
    let station = stations
        .get()?
        .iter()
        .find(|station| station.doors.contains(name))?;
    Some((station, name))
}

async fn show(Shared(page): Shared<Page>) -> Response {
    let mut doors = Vec::new();
    for (number, (name, ways)) in DOORS.iter().enumerate() {
        let Some((station, _)) = find(&page.stations, number) else {
            continue;
        };
        let others = station.doors.iter().filter(|other| *other != name);
        let passage = station.last_passage(name);
        doors.push(Door {
            number,
            name,
            agent: station.name,
            has_way_out: ways.contains(&Direction::Out),
            cut: station.wire() == Wire::Cut,
            open: station.stands(name) == Some(Position::Open),
            state: state(station.wire(), station.status().await),
            shares_with: others.copied().collect(),
            kind: passage.as_ref().map_or("pin", |it| it.kind.name()),
            was_out: passage
                .as_ref()
                .is_some_and(|it| it.direction == Direction::Out),
            value: passage
                .as_ref()
                .map_or_else(String::new, |it| it.value.clone()),
            last: passage.map(|it| last(it.answer)),
        });
    }
    let people = PEOPLE.iter().map(|person| Holder {
        name: format!("{} {}", person.first_name, person.last_name),
        group: person.group,
        pin: person.pin.unwrap_or_default(),
        card: person.card.unwrap_or_default(),
        plate: person.plate.unwrap_or_default(),
        things: [person.pin, person.card, person.plate]
            .into_iter()
            .flatten()
            .collect(),
    });
    let drawn = Doors {
        assets: offgate_server::assets(),
        works_alone_seconds: WORKS_ALONE_SECONDS,
        doors,
        people: people.collect(),
    };
    match drawn.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "the doors could not be drawn");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Keeps the state of each door true while the page is open.
async fn live(Shared(page): Shared<Page>) -> Response {
    let Ok(place) = Arc::clone(&page.places).try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let (events, receiver) = tokio::sync::mpsc::channel::<Result<Event, Infallible>>(DOORS.len());
    tokio::spawn(async move {
        let _place = place;
        let mut sent: Vec<String> = vec![String::new(); DOORS.len()];
        let mut tick = tokio::time::interval(DRAW_EVERY);
        loop {
            tokio::select! {
                () = page.stop.cancelled() => return,
                () = events.closed() => return,
                _ = tick.tick() => {}
            }
            for (number, sent) in sent.iter_mut().enumerate() {
                let Some((station, _)) = find(&page.stations, number) else {
                    continue;
                };
                let Ok(html) = state(station.wire(), station.status().await).render() else {
                    continue;
                };
                if html == *sent {
                    continue;
                }
                let data = json!({ "id": format!("state-{number}"), "html": html }).to_string();
                *sent = html;
                if events
                    .send(Ok(Event::default().event("part").data(data)))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
    });
    Sse::new(ReceiverStream::new(receiver)).into_response()
}

async fn style() -> Response {
    let css = include_str!("../../templates/demo_doors.css");
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], css).into_response()
}

fn state(wire: Wire, status: Option<Status>) -> State {
    let (tone, label, words) = match (wire, status) {
        (_, None) => (
            "neutral",
            "Starting",
            "Nobody gets in yet; everybody gets out.".to_owned(),
        ),
        (
            Wire::Whole,
            Some(Status {
                link: LinkState::Connected,
                ..
            }),
        ) => ("confirmed", "Online", "It hears the server.".to_owned()),
        (Wire::Whole, Some(_)) => (
            "waiting",
            "Connecting",
            "It is looking for the server.".to_owned(),
        ),
        (
            Wire::Cut,
            Some(Status {
                lease_seconds: 0, ..
            }),
        ) => (
            "danger",
            "Cut off, refusing",
            "For longer than it works on its own: nobody gets in, everybody gets out.".to_owned(),
        ),
        (Wire::Cut, Some(Status { lease_seconds, .. })) => (
            "danger",
            "Cut off",
            format!("It works on its own for another {lease_seconds} seconds."),
        ),
    };
    State { tone, label, words }
}

fn last(answer: Result<Answer, String>) -> Last {
    let (light, colour, words) = match answer {
        Err(words) => ("No light:", "none", words),
        Ok(answer) => {
            let (light, colour) = match answer.light() {
                Light::Green => ("Green light:", "green"),
                Light::Red => ("Red light:", "red"),
                Light::Amber => ("Amber light:", "amber"),
            };
            (light, colour, answer.to_string())
        }
    };
    Last {
        light,
        colour,
        words,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    direction: Way,
    kind: Kind,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    In,
    Out,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Pin,
    Nfc,
    Plate,
}

async fn present(
    Shared(page): Shared<Page>,
    Path(number): Path<usize>,
    Form(held): Form<Held>,
) -> Response {
    let Some((station, name)) = find(&page.stations, number) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let direction = match held.direction {
        Way::In => Direction::In,
        Way::Out => Direction::Out,
    };
    let kind = match held.kind {
        Kind::Pin => CredentialKind::Pin,
        Kind::Nfc => CredentialKind::NfcCard,
        Kind::Plate => CredentialKind::LicencePlate,
    };
    station
        .present(
            At {
                door: name.to_owned(),
                direction,
            },
            kind,
            held.value,
        )
        .await;
    back_to(number)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaf {
    position: LeafPosition,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum LeafPosition {
    Open,
    Closed,
}

async fn contact(
    Shared(page): Shared<Page>,
    Path(number): Path<usize>,
    Form(leaf): Form<Leaf>,
) -> Response {
    let Some((station, name)) = find(&page.stations, number) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let position = match leaf.position {
        LeafPosition::Open => Position::Open,
        LeafPosition::Closed => Position::Closed,
    };
    station.move_leaf(name, position).await;
    back_to(number)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connection {
    wire: WireState,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum WireState {
    Cut,
    Whole,
}

async fn wire(
    Shared(page): Shared<Page>,
    Path(number): Path<usize>,
    Form(connection): Form<Connection>,
) -> Response {
    let Some((station, _)) = find(&page.stations, number) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    station.set_wire(match connection.wire {
        WireState::Cut => Wire::Cut,
        WireState::Whole => Wire::Whole,
    });
    back_to(number)
}

async fn kill(Shared(page): Shared<Page>, Path(number): Path<usize>) -> Response {
    let Some((station, _)) = find(&page.stations, number) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if let Err(error) = station.kill_and_restart().await {
        tracing::error!(%error, "an agent of the demo could not be started again");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    back_to(number)
}

/// Draws the page again, at the same door.
fn back_to(number: usize) -> Response {
    Redirect::to(&format!("{PATH}#door-{number}")).into_response()
}
