//! The list of people: search, filters with counts, pages.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use offgate_core::calendar::{write_minute, write_rfc3339};
use offgate_core::credential::CredentialState;
use offgate_core::records::Records as _;
use offgate_core::text::fold;
use offgate_core::user::Standing;
use offgate_store::users::{UserCounts, UserCursor, UserFilter, UserOrder, UserQuery, UserRow};
use serde::Deserialize;

use super::put_in_order;
use crate::console::failure::Failure;
use crate::console::frame::{Banner, Frame, Section};
use crate::console::page::page;
use crate::console::signed_in::{SignedIn, form_encoded};
use crate::console::words::counted;
use crate::console::{Console, times};

/// How many people a page has.
const PEOPLE: usize = 50;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/users", get(list))
}

/// What the address says: the whole state of the list.
#[derive(Clone, Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    filter: String,
    #[serde(default)]
    order: String,
    #[serde(default)]
    page: String,
    #[serde(default)]
    done: String,
}

const FILTERS: [(&str, &str, UserFilter); 5] = [
    ("", "Current", UserFilter::Current),
    ("active", "Active", UserFilter::Active),
    ("deactivated", "Deactivated", UserFilter::Deactivated),
    (
        "not-confirmed",
        "Not confirmed at all doors",
        UserFilter::NotConfirmed,
    ),
    ("all", "All", UserFilter::All),
];

const ORDERS: [(&str, &str, UserOrder); 3] = [
    ("", "Name, A to Z", UserOrder::Name),
    ("z-a", "Name, Z to A", UserOrder::NameDescending),
    ("latest", "Latest change first", UserOrder::LatestChange),
];

impl Asked {
    fn filter(&self) -> UserFilter {
        let found = FILTERS.into_iter().find(|(name, ..)| *name == self.filter);
        // A search looks among everybody unless something else is chosen.
        match found {
            Some((_, _, UserFilter::Current)) | None if !self.q.trim().is_empty() => {
                UserFilter::All
            }
            Some((_, _, filter)) => filter,
            None => UserFilter::Current,
        }
    }

    fn order(&self) -> UserOrder {
        ORDERS
            .into_iter()
            .find(|(name, ..)| *name == self.order)
            .map_or(UserOrder::Name, |(_, _, order)| order)
    }

    fn address(&self, filter: UserFilter, order: UserOrder, page: Option<UserCursor>) -> String {
        let filters = FILTERS.into_iter().map(|(name, _, known)| (name, known));
        let filter = filters
            .into_iter()
            .find(|(_, known)| *known == filter)
            .map_or("", |(name, _)| name);
        let order = ORDERS
            .into_iter()
            .find(|(_, _, known)| *known == order)
            .map_or("", |(name, ..)| name);
        let page = page.map_or_else(String::new, |page| page.to_string());
        let parts = [
            ("q", self.q.trim()),
            ("filter", filter),
            ("order", order),
            ("page", &page),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", form_encoded(value)))
            .collect();
        if parts.is_empty() {
            "/users".to_owned()
        } else {
            format!("/users?{}", parts.join("&"))
        }
    }
}

struct FilterLink {
    label: &'static str,
    href: String,
    count: u64,
    chosen: bool,
}

struct OrderLink {
    label: &'static str,
    href: String,
    chosen: bool,
}

/// A person as the list shows them.
struct Row {
    id: String,
    /// The words of the name, each with how much of its beginning was searched for.
    name: Vec<Word>,
    preferred: Option<String>,
    status: &'static str,
    tone: &'static str,
    groups: String,
    credentials: String,
    last_seen: Option<(String, String, String)>,
    pending: u64,
    muted: bool,
}

#[derive(Template)]
#[template(path = "people/list.html")]
struct ListPage {
    frame: Frame,
    search: String,
    filter: String,
    order: String,
    filters: Vec<FilterLink>,
    orders: Vec<OrderLink>,
    rows: Vec<Row>,
    found: u64,
    deactivated: u64,
    nobody_at_all: bool,
    show_deactivated: String,
    everybody: String,
    previous: Option<String>,
    next: Option<String>,
    /// How long door events are kept.
    kept: String,
}

async fn list(
    State(console): State<Console>,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let now = console.clock.now();
    let zone = times::zone(&reader)?;
    let search = Some(asked.q.trim()).filter(|text| !text.is_empty());
    let counts = reader.user_counts(search, now)?;
    let (filter, order) = (asked.filter(), asked.order());
    let found = reader.users(
        &UserQuery {
            filter,
            search: search.map(str::to_owned),
            order,
            // A page that cannot be read is the first one.
            from: asked.page.parse().ok(),
            limit: PEOPLE,
        },
        now,
    )?;
    let groups: std::collections::BTreeMap<_, _> = reader
        .groups()?
        .into_iter()
        .map(|group| (group.id, group.name))
        .collect();
    let doors: std::collections::BTreeMap<_, _> = reader
        .doors()?
        .into_iter()
        .map(|door| (door.id, door.name))
        .collect();
    let row = |mut row: UserRow| -> Row {
        put_in_order(&mut row.credentials);
        let groups: Vec<&str> = row
            .user
            .groups
            .iter()
            .filter_map(|group| groups.get(group))
            .map(|name| name.as_str())
            .collect();
        let (status, tone, muted) = match row.user.standing {
            Standing::Active => ("Active", "active", false),
            Standing::Deactivated(_) => ("Deactivated", "deactivated", true),
        };
        Row {
            id: row.user.id.to_string(),
            name: words(&row.user.profile.full_name(), search),
            preferred: row
                .user
                .profile
                .preferred_name
                .as_ref()
                .map(|name| name.as_str().to_owned()),
            status,
            tone,
            groups: groups.join(", "),
            credentials: credentials(&row),
            last_seen: row.last_seen.map(|seen| {
                let door = doors
                    .get(&seen.door)
                    .map_or("a deleted door", |name| name.as_str());
                (
                    door.to_owned(),
                    write_minute(&zone, seen.at),
                    write_rfc3339(&zone, seen.at),
                )
            }),
            pending: row.doors_pending,
            muted,
        }
    };
    let count_of = |filter: UserFilter, counts: &UserCounts| match filter {
        UserFilter::Current => counts.current,
        UserFilter::Active => counts.active,
        UserFilter::Deactivated => counts.deactivated,
        UserFilter::NotConfirmed => counts.not_confirmed,
        UserFilter::All => counts.all,
    };
    let banner = match asked.done.as_str() {
        "removed" => Some(Banner::done(
            "The person was removed. Their personal data is erased; the history still adds up.",
        )),
        _ => None,
    };
    let everybody = reader.user_counts(None, now)?.all;
    page(&ListPage {
        frame: signed_in.frame(&console, Section::Users)?.with(banner),
        search: asked.q.trim().to_owned(),
        filter: asked.filter.clone(),
        order: asked.order.clone(),
        filters: FILTERS
            .into_iter()
            .map(|(_, label, other)| FilterLink {
                label,
                href: asked.address(other, order, None),
                count: count_of(other, &counts),
                chosen: other == filter,
            })
            .collect(),
        orders: ORDERS
            .into_iter()
            .map(|(_, label, other)| OrderLink {
                label,
                href: asked.address(filter, other, None),
                chosen: other == order,
            })
            .collect(),
        rows: found.rows.into_iter().map(row).collect(),
        found: count_of(filter, &counts),
        deactivated: counts.deactivated,
        nobody_at_all: everybody == 0,
        show_deactivated: asked.address(UserFilter::Deactivated, order, None),
        everybody: "/users?filter=all".to_owned(),
        previous: found
            .previous
            .map(|cursor| asked.address(filter, order, Some(cursor))),
        next: found
            .next
            .map(|cursor| asked.address(filter, order, Some(cursor))),
        kept: reader.keeping()?.door_events.sentence(),
    })
}

/// A word of a name, in two parts.
struct Word {
    found: String,
    rest: String,
}

/// The words of a name, parted where what was searched for ends.
fn words(name: &str, search: Option<&str>) -> Vec<Word> {
    let wanted: Vec<String> = search
        .unwrap_or_default()
        .split_whitespace()
        .map(fold)
        .collect();
    name.split(' ')
        .map(|word| {
            let longest = wanted
                .iter()
                .filter(|wanted| fold(word).starts_with(wanted.as_str()))
                .map(|wanted| wanted.chars().count())
                .max()
                .unwrap_or(0);
            Word {
                found: word.chars().take(longest).collect(),
                rest: word.chars().skip(longest).collect(),
            }
        })
        .collect()
}

/// "PIN, card ··4821 (lost)".
fn credentials(row: &UserRow) -> String {
    let told: Vec<String> = row
        .credentials
        .iter()
        .map(|credential| {
            let name = credential.means.short_name();
            match credential.state {
                CredentialState::Usable => name,
                CredentialState::Lost { .. } => format!("{name} (lost)"),
            }
        })
        .collect();
    if told.len() > 3 {
        format!(
            "{}, {}",
            told[..2].join(", "),
            counted(told.len() - 2, "more")
        )
        .replace("mores", "more")
    } else {
        told.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn what_was_searched_for_is_marked() {
        let marked = |search| {
            words("Zoë van Dörte", Some(search))
                .iter()
                .map(|word| format!("[{}]{}", word.found, word.rest))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(marked("zoe DO"), "[Zoë] []van [Dö]rte");
        assert_eq!(marked("nobody"), "[]Zoë []van []Dörte");
    }
}
