//! Today: what is not confirmed, which doors need a look, whose access ends soon, who was refused.

use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use offgate_core::calendar::{write_day, write_minute};
use offgate_core::ending::SOON;
use offgate_core::id::UserId;
use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_core::records::Records as _;
use offgate_core::user::UserRecord;
use offgate_store::activity::{About, ActivityKinds, ActivityQuery};
use offgate_store::{Reader, StoreError};

use super::door_state::DoorState;
use super::doors::{self, DoorRow};
use super::ending;
use super::failure::Failure;
use super::frame::{Frame, Section};
use super::live::{self, Fragment};
use super::page::page;
use super::people::{self, Alarm, DoorsStanding};
use super::restored::{AfterRestore, after_restore};
use super::signed_in::SignedIn;
use super::system::exposed_pins;
use super::tables::disagreeing;
use super::timeline::{DayOfLines, Timeline};
use super::tried::TriedAt;
use super::{Console, history, times};
use crate::backups::told;

/// How many people each list shows.
const PEOPLE: usize = 20;
/// How many people are looked at whom some door has not confirmed.
const LOOKED_AT: usize = 200;
/// How many doors that need a look are shown.
const DOORS: usize = 20;
/// How far back refusals are shown.
const LATELY: Duration = Duration::from_secs(24 * 3600);
/// How many people who were taken out and tried all the same are shown above everything.
const TRIED: usize = 5;
/// How many refusals.
const REFUSALS: usize = 10;

pub(crate) fn router() -> Router<Console> {
    Router::new()
        .route("/", get(today))
        .route("/live", get(today_live))
}

/// Somebody on one of the lists.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Person {
    id: UserId,
    name: String,
    sentence: String,
}

#[derive(Template)]
#[template(path = "today.html", blocks = ["today"])]
struct TodayPage {
    frame: Frame,
    date: String,
    alarms: Vec<String>,
    /// Doors that say that they would open for somebody who is refused.
    admitting: Vec<Alarm>,
    /// Agents whose table is not the one that it should be.
    disagreeing: Vec<String>,
    /// How many PINs a stolen agent knew.
    exposed: Option<String>,
    after_restore: Option<AfterRestore>,
    /// What is wrong with backups.
    backup_trouble: Option<String>,
    active: u64,
    online: usize,
    doors: usize,
    not_confirmed: u64,
    /// People who were taken out and were at a door since.
    tried: Vec<TriedAt>,
    /// How fast this site is.
    speed: Option<String>,
    /// People whom some door may still open for, as far as was looked.
    open: Vec<Person>,
    /// Whether everybody was looked at whom some door has not confirmed.
    looked_at_all: bool,
    troubles: Vec<DoorRow>,
    /// How many more doors need a look.
    more_troubles: usize,
    ending: Vec<Person>,
    days: Vec<DayOfLines>,
}

fn today_page(console: &Console, signed_in: &SignedIn) -> Result<TodayPage, Failure> {
    let reader = console.store.read();
    let now = console.clock.now();
    let zone = times::zone(&reader)?;
    let counts = reader.user_counts(None, now)?;
    let rows = doors::rows(&reader, &zone, now)?;
    let online = |row: &&DoorRow| row.state.is_online();
    let with_agent = |row: &&DoorRow| row.state != DoorState::NoAgent;
    let refused = reader.activity(&ActivityQuery {
        about: About::Everything,
        kinds: ActivityKinds::RefusedAtDoors,
        before: None,
        limit: REFUSALS,
    })?;
    let lately: Vec<_> = refused
        .items
        .into_iter()
        .filter(|item| item.at.plus(LATELY) > now)
        .collect();
    let not_confirmed = reader.not_confirmed(LOOKED_AT)?;
    let (open, looked_at_all) = open(&reader, &not_confirmed, &zone, now)?;
    Ok(TodayPage {
        frame: signed_in.frame(console, Section::Today)?,
        date: write_day(&zone, now),
        alarms: history::alarms(&reader, &zone, now)?,
        admitting: people::alarms(&reader, &zone, now)?,
        disagreeing: disagreeing(console, &reader, &zone, now)?,
        exposed: exposed_pins(&reader)?,
        after_restore: after_restore(&reader, &zone, now)?,
        backup_trouble: told(console, &zone).and_then(|told| told.trouble),
        active: counts.active,
        online: rows.iter().filter(online).count(),
        doors: rows.iter().filter(with_agent).count(),
        not_confirmed: reader.not_confirmed_count()?,
        tried: reader
            .tries_since(now.minus(LATELY), TRIED)?
            .iter()
            .map(|tries| TriedAt::of(&reader, tries, &zone, now))
            .collect::<Result<_, _>>()?,
        speed: reader.speed(now)?.map(|speed| speed.sentence()),
        open,
        looked_at_all: looked_at_all && not_confirmed.len() < LOOKED_AT,
        ending: ends(&reader, &zone, now)?,
        days: Timeline::new(&reader, &zone, signed_in.operator.role).days(&lately)?,
        more_troubles: rows
            .iter()
            .filter(|row| row.state.needs_a_look())
            .count()
            .saturating_sub(DOORS),
        troubles: rows
            .into_iter()
            .filter(|row| row.state.needs_a_look())
            .take(DOORS)
            .collect(),
    })
}

/// People of some whom a door has neither confirmed nor stopped by its limit, with the sentence;
/// and whether all of them were looked at.
fn open(
    reader: &Reader,
    not_confirmed: &[UserId],
    zone: &ZoneName,
    now: Timestamp,
) -> Result<(Vec<Person>, bool), StoreError> {
    let mut people = Vec::new();
    for &user in not_confirmed {
        if people.len() == PEOPLE {
            return Ok((people, false));
        }
        let (name, standing) = match reader.user(user)? {
            Some(UserRecord::Present(person)) => (
                person.profile.full_name(),
                DoorsStanding::of(reader, &person, zone, now)?,
            ),
            Some(UserRecord::Removed(_)) | None => (
                "A removed person".to_owned(),
                DoorsStanding::of_removed(reader, user, zone, now)?,
            ),
        };
        if let Some(standing) = standing
            && !standing.is_settled()
        {
            people.push(Person {
                id: user,
                name,
                sentence: standing.sentence,
            });
        }
    }
    Ok((people, true))
}

fn ends(reader: &Reader, zone: &ZoneName, now: Timestamp) -> Result<Vec<Person>, StoreError> {
    let mut people = Vec::new();
    for user in reader.access_ending(now, now.plus(SOON), PEOPLE)? {
        if let Some(UserRecord::Present(person)) = reader.user(user)?
            && let Some(ends) = person.access.ends
        {
            people.push(Person {
                id: user,
                name: person.profile.full_name(),
                sentence: [format!("Access ends {}.", write_minute(zone, ends))]
                    .into_iter()
                    .chain(ending::sentences(reader, &person, zone, now)?)
                    .collect::<Vec<_>>()
                    .join(" "),
            });
        }
    }
    Ok(people)
}

async fn today(State(console): State<Console>, signed_in: SignedIn) -> Result<Response, Failure> {
    page(&today_page(&console, &signed_in)?)
}

async fn today_live(State(console): State<Console>, signed_in: SignedIn) -> Response {
    live::stream(console.clone(), signed_in.clone(), move || {
        let shown = today_page(&console, &signed_in)?;
        Ok(vec![Fragment::of("today", &shown.as_today())?])
    })
}
