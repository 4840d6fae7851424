//! The profile summary: who this is, what they hold, what they can open now, what they did lately.

use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use offgate_core::actor::Actor;
use offgate_core::calendar::{write_full, write_minute, write_rfc3339, write_time};
use offgate_core::confirmation::Alone;
use offgate_core::credential::{Credential, CredentialState};
use offgate_core::id::UserId;
use offgate_core::operator::Role;
use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_core::policy::PolicyHours;
use offgate_core::records::Records as _;
use offgate_core::table::admission::{Decision, Reason};
use offgate_core::table::compile::{effective_policies, what_can_they_open};
use offgate_core::user::{Standing, User};
use offgate_store::activity::{About, ActivityKinds, ActivityQuery};
use offgate_store::{Reader, StoreError};
use serde::Deserialize;

use super::{DoorsStanding, held, person};
use crate::console::door_state::{self, DoorState};
use crate::console::ending;
use crate::console::failure::Failure;
use crate::console::frame::{Banner, Frame, Section};
use crate::console::live::{self, Fragment};
use crate::console::page::page;
use crate::console::signed_in::SignedIn;
use crate::console::timeline::{DayOfLines, Timeline};
use crate::console::tried::TriedAt;
use crate::console::words::counted;
use crate::console::words::sentence;
use crate::console::{Console, times};

/// How many lines of activity the profile shows.
const LINES: usize = 15;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/users/{user}", get(profile))
        .route("/users/{user}/live", get(profile_live))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    done: String,
}

/// A credential as pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CredentialLine {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) label: Option<String>,
    /// Since when it is lost, if it is.
    pub(super) lost: Option<String>,
    pub(super) added: String,
    /// Which stolen agent knew it, if one did.
    pub(super) exposed: Option<String>,
}

pub(super) fn credential_line(
    reader: &Reader,
    credential: &Credential,
    zone: &ZoneName,
) -> Result<CredentialLine, StoreError> {
    let exposure = reader.exposure(credential.id)?;
    Ok(CredentialLine {
        id: credential.id.to_string(),
        name: sentence(&credential.means.short_name())
            .trim_end_matches('.')
            .to_owned(),
        label: credential
            .label
            .as_ref()
            .map(|label| label.as_str().to_owned()),
        lost: match credential.state {
            CredentialState::Usable => None,
            CredentialState::Lost { since } => Some(write_minute(zone, since)),
        },
        added: write_minute(zone, credential.added_at),
        exposed: exposure.map(|exposure| exposure.agent.name.as_str().to_owned()),
    })
}

/// What a door does when a person stands at it now, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Does {
    /// It has not said that it decides by what is written here.
    NotConfirmed,
    Opens,
    Refuses,
}

/// What a person can do at one door now.
struct DoorNow {
    name: String,
    href: String,
    does: Does,
    label: &'static str,
    tone: &'static str,
    why: String,
}

/// Where and when somebody was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenAt {
    pub(super) door: String,
    pub(super) time: String,
    pub(super) time_in_full: String,
    pub(super) datetime: String,
}

/// What is remembered of a deactivation, in words.
struct DeactivationWords {
    by: String,
    at: String,
    datetime: String,
    reason: &'static str,
    employment_ended_at: String,
    /// For owners alone.
    note: Option<String>,
}

#[derive(Template)]
#[template(path = "people/profile.html", blocks = ["tag", "truth", "now"])]
struct ProfilePage {
    frame: Frame,
    id: String,
    name: String,
    preferred: Option<String>,
    initials: String,
    active: bool,
    truth: String,
    deactivation: Option<DeactivationWords>,
    standing: Option<DoorsStanding>,
    /// Where they tried all the same, within a day.
    tried: Vec<TriedAt>,
    credentials: Vec<CredentialLine>,
    groups: Vec<String>,
    policies: Vec<String>,
    starts: Option<String>,
    ends: Option<String>,
    /// Of doors that are cut off before their access ends.
    ending: Vec<String>,
    email: Option<String>,
    phone: Option<String>,
    employee_number: Option<String>,
    last_seen: Option<SeenAt>,
    doors: Vec<DoorNow>,
    days: Vec<DayOfLines>,
    more: bool,
    /// How long door events are kept.
    kept: String,
}

fn view(console: &Console, signed_in: &SignedIn, id: &str) -> Result<ProfilePage, Failure> {
    let reader = console.store.read();
    let now = console.clock.now();
    let zone = times::zone(&reader)?;
    let person = person(&reader, id)?;
    let standing = DoorsStanding::of(&reader, &person, &zone, now)?;
    let doors = doors_now(&reader, &person, now)?;
    let activity = reader.activity(&ActivityQuery {
        about: About::User(person.id),
        kinds: ActivityKinds::All,
        before: None,
        limit: LINES,
    })?;
    let mut timeline = Timeline::new(&reader, &zone, signed_in.operator.role);
    let mut groups = Vec::new();
    for group in &person.groups {
        if let Some(group) = reader.group(*group)? {
            groups.push(group.name.as_str().to_owned());
        }
    }
    let credentials = held(&reader, person.id)?;
    let truth = match (&person.standing, &standing) {
        (Standing::Active, _) => can_open(&doors),
        (Standing::Deactivated(_), Some(standing)) => standing.sentence.clone(),
        (Standing::Deactivated(_), None) => String::new(),
    };
    let profile = &person.profile;
    let text = |text: Option<&str>| text.map(str::to_owned);
    Ok(ProfilePage {
        frame: signed_in.frame(console, Section::Users)?,
        id: person.id.to_string(),
        name: profile.full_name(),
        preferred: text(profile.preferred_name.as_ref().map(|it| it.as_str())),
        initials: profile.initials(),
        active: person.standing == Standing::Active,
        truth,
        deactivation: deactivation(&reader, &person, &zone, signed_in.operator.role)?,
        standing,
        tried: tried(&reader, person.id, &zone, now)?,
        credentials: credentials
            .iter()
            .map(|credential| credential_line(&reader, credential, &zone))
            .collect::<Result<_, _>>()?,
        groups,
        policies: policies(&reader, &person)?,
        starts: person.access.starts.map(|at| write_minute(&zone, at)),
        ends: person.access.ends.map(|at| write_minute(&zone, at)),
        ending: ending::sentences(&reader, &person, &zone, now)?,
        email: text(profile.email.as_ref().map(|it| it.as_str())),
        phone: text(profile.phone.as_ref().map(|it| it.as_str())),
        employee_number: text(profile.employee_number.as_ref().map(|it| it.as_str())),
        last_seen: last_seen(&reader, &person, &zone, now)?,
        doors,
        days: timeline.days(&activity.items)?,
        more: activity.older.is_some(),
        kept: reader.keeping()?.door_events.sentence(),
    })
}

/// For how long a page says above everything that a stopped credential was tried.
const LATELY: Duration = Duration::from_secs(24 * 3600);

/// Where somebody who was taken out tried all the same lately, the latest last.
fn tried(
    reader: &Reader,
    user: UserId,
    zone: &ZoneName,
    now: Timestamp,
) -> Result<Vec<TriedAt>, StoreError> {
    let mut tries = reader.tries_of(user)?;
    tries.retain(|tries| tries.last_at.plus(LATELY) > now);
    tries.sort_by_key(|tries| tries.last_at);
    tries
        .iter()
        .map(|tries| TriedAt::of(reader, tries, zone, now))
        .collect()
}

/// "Can open 3 of 4 doors now. What 1 door does is not confirmed."
fn can_open(doors: &[DoorNow]) -> String {
    let count = |does| doors.iter().filter(|door| door.does == does).count();
    let told = format!(
        "Can open {} of {} now.",
        count(Does::Opens),
        counted(doors.len(), "door")
    );
    match count(Does::NotConfirmed) {
        0 => told,
        some => format!(
            "{told} What {} would do is not confirmed.",
            counted(some, "door")
        ),
    }
}

/// The door and the moment: "Front door, 17:02:14".
pub(super) fn last_seen(
    reader: &Reader,
    person: &User,
    zone: &ZoneName,
    now: Timestamp,
) -> Result<Option<SeenAt>, StoreError> {
    let Some(seen) = reader.last_seen(person.id)? else {
        return Ok(None);
    };
    let door = reader.door(seen.door)?;
    let name = door
        .as_ref()
        .map_or("a deleted door", |door| door.name.as_str());
    Ok(Some(SeenAt {
        door: name.to_owned(),
        time: write_time(zone, seen.at, now),
        time_in_full: write_full(zone, seen.at),
        datetime: write_rfc3339(zone, seen.at),
    }))
}

/// What the doors do now: by the same rules as they decide, as far as each has said that it has
/// them. First what is not confirmed, then what opens.
fn doors_now(reader: &Reader, person: &User, now: Timestamp) -> Result<Vec<DoorNow>, StoreError> {
    let mut doors = Vec::new();
    for opening in what_can_they_open(reader, person.id, now)? {
        let (decided, because) = match opening.decision {
            Decision::Granted { policy, .. } => {
                let policy = reader.policy(policy)?;
                let name = policy
                    .as_ref()
                    .map_or("a policy that was deleted", |policy| policy.name.as_str());
                (Does::Opens, format!("By the policy {name}."))
            }
            Decision::WayOut(_) => (Does::Opens, "The way out is free.".to_owned()),
            Decision::Refused { reason, .. } => (Does::Refuses, why(reason).to_owned()),
        };
        let door = &opening.door;
        let has_latest = match door.agent {
            Some(agent) => door_state::has_latest_table(reader, agent)?,
            None => false,
        };
        let refuses = |why: &str| (Does::Refuses, "Refuses", why.to_owned());
        let alone = door_state::alone(reader, door, Some(person.id))?;
        let state = match (door_state::of(reader, door, now)?, alone) {
            // For those on its emergency list it goes on.
            (DoorState::Refusing { since, .. }, Alone::OnEmergencyList(Some(until)))
                if until > now =>
            {
                DoorState::OnItsOwn { since, until }
            }
            (state, _) => state,
        };
        let (does, label, why) = match state {
            DoorState::NoAgent => refuses("No agent decides for it yet, so it opens for nobody."),
            DoorState::NeverHeard => refuses("Its agent has not been heard yet."),
            DoorState::Refusing { .. } => {
                refuses("It is cut off, and refuses everybody on the way in.")
            }
            DoorState::DiskFails => (
                Does::NotConfirmed,
                "Not confirmed",
                "Its agent's disk fails; until that is mended it decides as if it were cut off."
                    .to_owned(),
            ),
            DoorState::UpToDate
            | DoorState::Behind
            | DoorState::OnItsOwn { .. }
            | DoorState::KeepsLastTable { .. }
                if !has_latest =>
            {
                let then = match decided {
                    Does::Opens => "It has not confirmed the latest change; then it opens.",
                    _ => "It has not confirmed the latest change; then it refuses.",
                };
                (Does::NotConfirmed, "Not confirmed", then.to_owned())
            }
            DoorState::UpToDate
            | DoorState::Behind
            | DoorState::OnItsOwn { .. }
            | DoorState::KeepsLastTable { .. } => match decided {
                Does::Opens => (Does::Opens, "Opens", because),
                _ => (Does::Refuses, "Refuses", because),
            },
        };
        doors.push(DoorNow {
            name: door.name.as_str().to_owned(),
            href: format!("/doors/{}", door.id),
            does,
            label,
            tone: match does {
                Does::NotConfirmed => "waiting",
                Does::Opens => "confirmed",
                Does::Refuses => "neutral",
            },
            why,
        });
    }
    doors.sort_by(|one, other| (one.does, &one.name).cmp(&(other.does, &other.name)));
    Ok(doors)
}

/// A reason in a sentence.
const fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::Unknown => "The door does not know what they hold.",
        Reason::Deactivated => "They are deactivated.",
        Reason::NotStarted => "Their access has not started.",
        Reason::Ended => "Their access has ended.",
        Reason::Lost => "What they hold was reported lost.",
        Reason::LockedDown => "The door is locked down.",
        Reason::CutOff => "The door is cut off.",
        Reason::TooManyAttempts => "Too many wrong PINs were tried there.",
        Reason::NoPolicy => "No policy of theirs names this door.",
        Reason::Holiday => "It is a holiday.",
        Reason::Schedule => "Not at this hour.",
        Reason::ClockNotTrusted => "The door does not know what time it is.",
    }
}

/// Each policy in force, with its hours and where it comes from.
fn policies(reader: &Reader, person: &User) -> Result<Vec<String>, StoreError> {
    let mut told = Vec::new();
    for policy in effective_policies(reader, person)? {
        let Some(found) = reader.policy(policy)? else {
            continue;
        };
        let hours = match found.hours {
            PolicyHours::Always => "always".to_owned(),
            PolicyHours::Scheduled(schedule) => reader.schedule(schedule)?.map_or_else(
                || "never".to_owned(),
                |schedule| schedule.name.as_str().to_owned(),
            ),
        };
        let whose = if person.policies.contains(&policy) {
            ""
        } else {
            ", by a group"
        };
        told.push(format!("{} ({hours}{whose})", found.name.as_str()));
    }
    Ok(told)
}

fn deactivation(
    reader: &Reader,
    person: &User,
    zone: &ZoneName,
    role: Role,
) -> Result<Option<DeactivationWords>, StoreError> {
    let Standing::Deactivated(deactivation) = &person.standing else {
        return Ok(None);
    };
    let by = match deactivation.by {
        Actor::Operator(operator) => reader.operator(operator)?.map_or_else(
            || "an operator".to_owned(),
            |operator| operator.name.as_str().to_owned(),
        ),
        Actor::ServerCommandLine => "the server’s command line".to_owned(),
        Actor::Schedule => "Offgate, as it was set beforehand".to_owned(),
        Actor::JoiningAgent(_) | Actor::TestifyingAgent(_) => "an agent".to_owned(),
    };
    let note = deactivation.note.as_ref();
    Ok(Some(DeactivationWords {
        by,
        at: write_full(zone, deactivation.at),
        datetime: write_rfc3339(zone, deactivation.at),
        reason: deactivation.reason.label(),
        employment_ended_at: write_minute(zone, deactivation.employment_ended_at),
        note: note
            .filter(|_| offgate_core::log::may_read(role, "note"))
            .map(|note| note.as_str().to_owned()),
    }))
}

async fn profile(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let mut shown = view(&console, &signed_in, &user)?;
    shown.frame.banner = match asked.done.as_str() {
        "created" if shown.active => Some(Banner::done(
            "Created. Each door opens for them once it has taken this up. A PIN is not shown again.",
        )),
        "reactivated" if shown.active => Some(Banner::done(
            "Reactivated. Each door opens for them again once it has confirmed.",
        )),
        _ => None,
    };
    page(&shown)
}

async fn profile_live(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
) -> Response {
    live::stream(console.clone(), signed_in.clone(), move || {
        let shown = view(&console, &signed_in, &user)?;
        Ok(vec![
            Fragment::of("tag", &shown.as_tag())?,
            Fragment::of("truth", &shown.as_truth())?,
            Fragment::of("now", &shown.as_now())?,
        ])
    })
}
