//! Activity: everything that happened, newest first, by kind, by person, by door; and as a table.

use std::fmt::Write as _;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use offgate_core::id::{DoorId, UserId};
use offgate_core::records::Records as _;
use offgate_core::user::UserRecord;
use offgate_store::activity::{
    ACTIVITY_LIMIT, About, ActivityCursor, ActivityKinds, ActivityQuery,
};
use serde::Deserialize;

use super::failure::Failure;
use super::frame::{Frame, Section};
use super::live::{self, Fragment};
use super::page::page;
use super::signed_in::SignedIn;
use super::timeline::{DayOfLines, Line, Timeline};
use super::{Console, times};

/// How many lines a page has.
const LINES: usize = 50;
/// How many lines an export has at most.
const EXPORTED: usize = 5_000;

pub(crate) fn router() -> Router<Console> {
    Router::new()
        .route("/activity", get(list))
        .route("/activity/live", get(news))
        .route("/activity.csv", get(export))
}

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize)]
struct Asked {
    kind: Option<String>,
    user: Option<String>,
    door: Option<String>,
    before: Option<String>,
    /// The newest line a page has, for its live part.
    since: Option<String>,
}

const KINDS: [(&str, &str, ActivityKinds); 4] = [
    ("all", "Everything", ActivityKinds::All),
    ("changes", "Changes", ActivityKinds::Changes),
    ("doors", "At doors", ActivityKinds::Doors),
    ("refused", "Refused at doors", ActivityKinds::RefusedAtDoors),
];

impl Asked {
    fn kinds(&self) -> ActivityKinds {
        KINDS
            .into_iter()
            .find(|(name, ..)| self.kind.as_deref() == Some(name))
            .map_or(ActivityKinds::All, |(_, _, kinds)| kinds)
    }

    fn about(&self) -> Result<About, Failure> {
        match (&self.user, &self.door) {
            (Some(user), _) => {
                let user: UserId = user.parse().map_err(|_| Failure::NotFound)?;
                Ok(About::User(user))
            }
            (None, Some(door)) => {
                let door: DoorId = door.parse().map_err(|_| Failure::NotFound)?;
                Ok(About::Door(door))
            }
            (None, None) => Ok(About::Everything),
        }
    }

    fn query(&self) -> Result<ActivityQuery, Failure> {
        let place = |text: &String| {
            text.parse::<ActivityCursor>()
                .map_err(|_| Failure::NotFound)
        };
        Ok(ActivityQuery {
            about: self.about()?,
            kinds: self.kinds(),
            before: self.before.as_ref().map(place).transpose()?,
            limit: LINES,
        })
    }

    /// The address of another page of the same, of a kind, with one more parameter.
    fn address(&self, path: &str, kind: ActivityKinds, more: &str) -> String {
        let mut address = path.to_owned();
        let mut separator = '?';
        let mut add = |text: &str| {
            address.push(separator);
            address.push_str(text);
            separator = '&';
        };
        if let Some((name, ..)) = KINDS.into_iter().find(|(_, _, known)| *known == kind)
            && kind != ActivityKinds::All
        {
            add(&format!("kind={name}"));
        }
        match self.about() {
            Ok(About::User(user)) => add(&format!("user={user}")),
            Ok(About::Door(door)) => add(&format!("door={door}")),
            Ok(About::Everything) | Err(_) => {}
        }
        if !more.is_empty() {
            add(more);
        }
        address
    }
}

struct Filter {
    label: &'static str,
    href: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "activity.html", blocks = ["news"])]
struct ActivityView {
    frame: Frame,
    about: Option<String>,
    filters: Vec<Filter>,
    days: Vec<DayOfLines>,
    newer: usize,
    newest: String,
    older: Option<String>,
    is_older: bool,
    /// How long door events are kept.
    kept: String,
    live: String,
    export: String,
}

fn view(console: &Console, signed_in: &SignedIn, asked: &Asked) -> Result<ActivityView, Failure> {
    let reader = console.store.read();
    let zone = times::zone(&reader)?;
    let query = asked.query()?;
    let found = reader.activity(&query)?;
    let about = match query.about {
        About::Everything => None,
        About::User(user) => Some(match reader.user(user)?.ok_or(Failure::NotFound)? {
            UserRecord::Present(person) => person.profile.full_name(),
            UserRecord::Removed(_) => "a removed person".to_owned(),
        }),
        About::Door(door) => {
            let door = reader.door(door)?.ok_or(Failure::NotFound)?;
            Some(door.name.as_str().to_owned())
        }
    };
    let seen: Option<ActivityCursor> = match &asked.since {
        Some(since) => Some(since.parse().map_err(|_| Failure::NotFound)?),
        None => found.items.first().map(|item| item.cursor),
    };
    let newer = match seen {
        Some(seen) => reader.activity_since(&query, seen)?,
        None => 0,
    };
    let kind = query.kinds;
    let mut timeline = Timeline::new(&reader, &zone, signed_in.operator.role);
    let since = seen.map_or_else(String::new, |seen| format!("since={seen}"));
    Ok(ActivityView {
        frame: signed_in.frame(console, Section::Activity)?,
        about,
        filters: KINDS
            .into_iter()
            .map(|(_, label, other)| Filter {
                label,
                href: asked.address("/activity", other, ""),
                chosen: other == kind,
            })
            .collect(),
        days: timeline.days(&found.items)?,
        newer: if query.before.is_some() && asked.since.is_none() {
            0
        } else {
            newer
        },
        newest: asked.address("/activity", kind, ""),
        older: found
            .older
            .map(|older| asked.address("/activity", kind, &format!("before={older}"))),
        is_older: query.before.is_some(),
        kept: reader.keeping()?.door_events.sentence(),
        live: asked.address("/activity/live", kind, &since),
        export: asked.address("/activity.csv", kind, ""),
    })
}

async fn list(
    State(console): State<Console>,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    page(&view(&console, &signed_in, &asked)?)
}

async fn news(
    State(console): State<Console>,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Response {
    live::stream(console.clone(), signed_in.clone(), move || {
        let shown = view(&console, &signed_in, &asked)?;
        Ok(vec![Fragment::of("news", &shown.as_news())?])
    })
}

/// The same as a table, newest first.
async fn export(
    State(console): State<Console>,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let zone = times::zone(&reader)?;
    let mut timeline = Timeline::new(&reader, &zone, signed_in.operator.role);
    let mut query = asked.query()?;
    query.limit = ACTIVITY_LIMIT;
    let mut table = "time,who,what,whom,why\r\n".to_owned();
    let mut lines = 0;
    loop {
        let found = reader.activity(&query)?;
        for day in timeline.days(&found.items)? {
            for line in &day.lines {
                write_row(&mut table, line);
                lines += 1;
            }
        }
        match found.older {
            Some(older) if lines < EXPORTED => query.before = Some(older),
            _ => break,
        }
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"offgate-activity.csv\"",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, table).into_response())
}

fn write_row(table: &mut String, line: &Line) {
    let whom = line.whom.as_ref().map_or("", |whom| whom.name.as_str());
    let because = line.because.unwrap_or_default();
    let cells = [&line.datetime, &line.who.name, &line.words, whom, because].map(cell);
    // Writing to a string does not fail.
    let _ = write!(table, "{}\r\n", cells.join(","));
}

/// A cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("Ann \"A\" Lee"), "\"Ann \"\"A\"\" Lee\"");
    }

    #[test]
    fn addresses_keep_what_they_are_about() {
        let asked = Asked {
            user: Some("00000000-0000-4000-8000-000000000001".to_owned()),
            ..Asked::default()
        };
        assert_eq!(
            asked.address("/activity", ActivityKinds::Doors, "before=x"),
            "/activity?kind=doors&user=00000000-0000-4000-8000-000000000001&before=x"
        );
        assert_eq!(
            Asked::default().address("/activity", ActivityKinds::All, ""),
            "/activity"
        );
    }
}
