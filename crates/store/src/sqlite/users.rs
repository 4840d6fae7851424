//! Lists of people, and the words by which they are found.

use offgate_core::change::Change;
use offgate_core::credential::Means;
use offgate_core::id::{DoorId, UserId};
use offgate_core::parameters::Timestamp;
use offgate_core::records::Records as _;
use offgate_core::text::fold;
use offgate_core::user::{User, UserRecord};
use rusqlite::{Connection, ToSql, named_params, params};

use super::read::Rows;
use super::rows::{all, id, one, revision};
use crate::engine::Confirms;
use crate::error::StoreError;
use crate::users::{
    LastSeen, Pending, RECENT, SEARCH_LIMIT, USERS_LIMIT, UserCounts, UserCursor, UserFilter,
    UserOrder, UserPage, UserQuery, UserRow,
};

/// Somebody whose last refusal a door has not confirmed. A later admission takes its place.
macro_rules! not_confirmed {
    () => {
        "EXISTS (SELECT 1 FROM confirmation c WHERE c.user = u.id AND c.confirmed_at IS NULL \
         AND c.what = 'refuse' AND c.revision = \
         (SELECT max(l.revision) FROM confirmation l WHERE l.user = u.id))"
    };
}

const fn condition(filter: UserFilter) -> &'static str {
    match filter {
        UserFilter::Current => concat!(
            "u.first_name IS NOT NULL AND (u.status = 'active' OR u.deactivated_at >= :recent OR ",
            not_confirmed!(),
            ")"
        ),
        UserFilter::Active => "u.status = 'active'",
        UserFilter::Deactivated => "u.status = 'deactivated'",
        UserFilter::NotConfirmed => concat!(
            "u.first_name IS NOT NULL AND u.id IN (SELECT user FROM confirmation \
             WHERE confirmed_at IS NULL AND what = 'refuse') AND ",
            not_confirmed!()
        ),
        UserFilter::All => "u.first_name IS NOT NULL",
    }
}

/// Where the people come from: all of them, or those who match.
const fn source(search: Option<&String>) -> &'static str {
    match search {
        None => "user u",
        Some(_) => {
            "user_search s CROSS JOIN user_search_row f ON f.number = s.rowid \
             CROSS JOIN user u ON u.id = f.user"
        }
    }
}

const fn matching(search: Option<&String>) -> &'static str {
    match search {
        None => "",
        Some(_) => " AND s.words MATCH :search",
    }
}

/// Every word, as the beginning of one: `"anna"* "kle"*`. None for no words at all.
fn match_expression(search: &str) -> Option<String> {
    let search: String = search.chars().take(SEARCH_LIMIT).collect();
    let words: Vec<String> = fold(&search)
        .split_whitespace()
        .map(|word| word.replace('"', ""))
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{word}\"*"))
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Whether a search had words in it, and none of them can be looked for ("!?").
fn finds_nothing(search: Option<&str>) -> bool {
    search.is_some_and(|search| !search.trim().is_empty() && match_expression(search).is_none())
}

fn recent(now: Timestamp) -> i64 {
    let week = i64::try_from(RECENT.as_micros()).unwrap_or(i64::MAX);
    now.microseconds().saturating_sub(week)
}

/// A page of people.
pub(crate) fn users(
    rows: &Rows<'_>,
    query: &UserQuery,
    now: Timestamp,
) -> Result<UserPage, StoreError> {
    let transaction = rows.connection.unchecked_transaction()?;
    let mut page = UserPage {
        rows: Vec::new(),
        previous: None,
        next: None,
    };
    if finds_nothing(query.search.as_deref()) {
        return Ok(page);
    }
    let limit = query.limit.clamp(1, USERS_LIMIT);
    let search = query.search.as_deref().and_then(match_expression);
    // A person who is gone since the page was drawn names no place: from the beginning, then.
    let from = match query.from {
        None => None,
        Some(UserCursor::After(user)) => place(&transaction, user)?.map(|place| (place, Step::On)),
        Some(UserCursor::Before(user)) => {
            place(&transaction, user)?.map(|place| (place, Step::Back))
        }
    };
    let step = match from {
        None => Step::First,
        Some((_, Step::Back)) => Step::Back,
        Some(_) => Step::On,
    };
    let sql = statement(query.filter, search.as_ref(), query.order, step);
    let recent = recent(now);
    let one_more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut values: Vec<(&str, &dyn ToSql)> = vec![(":limit", &one_more)];
    if query.filter == UserFilter::Current {
        values.push((":recent", &recent));
    }
    if let Some(search) = &search {
        values.push((":search", search));
    }
    if let Some((place, _)) = &from {
        values.push(match query.order {
            UserOrder::Name | UserOrder::NameDescending => (":key", &place.sort_key),
            UserOrder::LatestChange => (":key", &place.revision),
        });
        values.push((":user", &place.user));
    }
    let mut found: Vec<UserId> = all(&transaction, &sql, values.as_slice(), |row| {
        Ok(id!(row, 0, UserId))
    })?;
    let more = found.len() > limit;
    found.truncate(limit);
    let (has_previous, has_next) = match step {
        Step::First => (false, more),
        Step::On => (true, more),
        Step::Back => {
            found.reverse();
            (more, true)
        }
    };
    page.previous = found
        .first()
        .filter(|_| has_previous)
        .map(|user| UserCursor::Before(*user));
    page.next = found
        .last()
        .filter(|_| has_next)
        .map(|user| UserCursor::After(*user));
    let rows = Rows {
        connection: &transaction,
        vault: rows.vault,
        clock: rows.clock,
    };
    for user in found {
        if let Some(UserRecord::Present(user)) = rows.user(user)? {
            page.rows.push(UserRow {
                credentials: rows.credentials_of(user.id)?,
                last_seen: last_seen(&transaction, user.id)?,
                doors_pending: doors_pending(&transaction, user.id)?,
                user,
            });
        }
    }
    Ok(page)
}

/// Which way a page lies from the place that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    First,
    On,
    Back,
}

/// The one statement of every list.
fn statement(filter: UserFilter, search: Option<&String>, order: UserOrder, step: Step) -> String {
    let (column, ascending) = match order {
        UserOrder::Name => ("sort_key", step != Step::Back),
        UserOrder::NameDescending => ("sort_key", step == Step::Back),
        UserOrder::LatestChange => ("revision", step == Step::Back),
    };
    let (direction, beyond) = if ascending {
        ("ASC", ">")
    } else {
        ("DESC", "<")
    };
    let place = match step {
        Step::First => String::new(),
        Step::On | Step::Back => format!(" AND (u.{column}, u.id) {beyond} (:key, :user)"),
    };
    format!(
        "SELECT u.id FROM {} WHERE {}{}{place} \
         ORDER BY u.{column} {direction}, u.id {direction} LIMIT :limit",
        source(search),
        condition(filter),
        matching(search),
    )
}

struct Place {
    sort_key: String,
    revision: i64,
    user: [u8; 16],
}

fn place(connection: &Connection, user: UserId) -> Result<Option<Place>, StoreError> {
    one(
        connection,
        "SELECT sort_key, revision FROM user WHERE id = ?1 AND sort_key IS NOT NULL",
        params![user.as_bytes()],
        |row| {
            Ok(Place {
                sort_key: row.get(0)?,
                revision: row.get(1)?,
                user: *user.as_bytes(),
            })
        },
    )
}

/// How many people each filter finds.
pub(crate) fn counts(
    connection: &Connection,
    search: Option<&str>,
    now: Timestamp,
) -> Result<UserCounts, StoreError> {
    if finds_nothing(search) {
        return Ok(UserCounts::default());
    }
    let search = search.and_then(match_expression);
    let recent = recent(now);
    let count = |filter: UserFilter| -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM {} WHERE {}{}",
            source(search.as_ref()),
            condition(filter),
            matching(search.as_ref())
        );
        let mut values: Vec<(&str, &dyn ToSql)> = Vec::new();
        if let Some(search) = &search {
            values.push((":search", search));
        }
        let count = one(connection, &sql, values.as_slice(), |row| {
            Ok(row.get::<_, i64>(0)?)
        })?;
        Ok(count
            .and_then(|count| u64::try_from(count).ok())
            .unwrap_or(0))
    };
    let active = count(UserFilter::Active)?;
    let deactivated = count(UserFilter::Deactivated)?;
    Ok(UserCounts {
        current: active + lingering(connection, search.as_ref(), recent)?,
        active,
        deactivated,
        not_confirmed: count(UserFilter::NotConfirmed)?,
        all: active + deactivated,
    })
}

/// How many deactivated people are still on the default list.
fn lingering(
    connection: &Connection,
    search: Option<&String>,
    recent: i64,
) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT count(*) FROM {} WHERE u.status = 'deactivated' AND (u.deactivated_at >= :recent \
         OR {}){}",
        source(search),
        not_confirmed!(),
        matching(search)
    );
    let mut values: Vec<(&str, &dyn ToSql)> = vec![(":recent", &recent)];
    if let Some(search) = &search {
        values.push((":search", *search));
    }
    let count = one(connection, &sql, values.as_slice(), |row| {
        Ok(row.get::<_, i64>(0)?)
    })?;
    Ok(count
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or(0))
}

/// How many people some door has not confirmed, removed ones too: on every page, so it looks at
/// them alone.
pub(crate) fn not_confirmed_count(connection: &Connection) -> Result<u64, StoreError> {
    let count = one(
        connection,
        concat!(
            "SELECT count(*) FROM user u WHERE u.id IN (SELECT user FROM confirmation \
             WHERE confirmed_at IS NULL AND what = 'refuse') AND ",
            not_confirmed!()
        ),
        [],
        |row| Ok(row.get::<_, i64>(0)?),
    )?;
    Ok(count
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or(0))
}

const LAST_SEEN_SQL: &str = "SELECT door, at FROM door_event WHERE user = ?1 AND outcome IN ('granted', 'way-out') \
     ORDER BY at DESC LIMIT 1";
const PENDING_SQL: &str = "SELECT revision, decided_at, what FROM confirmation WHERE user = ?1 \
     ORDER BY revision DESC LIMIT 1";
const NOT_CONFIRMED_SQL: &str = concat!(
    "SELECT u.id FROM user u WHERE u.id IN \
         (SELECT user FROM confirmation WHERE confirmed_at IS NULL AND what = 'refuse') AND ",
    not_confirmed!(),
    " ORDER BY u.revision DESC LIMIT ?1"
);
/// By the index of ends, as [`super::Rows::access_ended`].
const ACCESS_ENDING_SQL: &str = "SELECT id FROM user WHERE access_ends IS NOT NULL AND access_ends > ?1 \
     AND access_ends <= ?2 AND +status = 'active' ORDER BY access_ends LIMIT ?3";

/// When and where somebody last opened a door or left by one.
pub(crate) fn last_seen(
    connection: &Connection,
    user: UserId,
) -> Result<Option<LastSeen>, StoreError> {
    one(connection, LAST_SEEN_SQL, params![user.as_bytes()], |row| {
        Ok(LastSeen {
            door: id!(row, 0, DoorId),
            at: Timestamp::from_microseconds(row.get(1)?),
        })
    })
}

/// How many doors have not confirmed this person's last refusal.
fn doors_pending(connection: &Connection, user: UserId) -> Result<u64, StoreError> {
    let count = one(
        connection,
        "SELECT count(*) FROM confirmation WHERE user = ?1 AND confirmed_at IS NULL \
         AND what = 'refuse' AND revision = \
         (SELECT max(revision) FROM confirmation WHERE user = ?1)",
        params![user.as_bytes()],
        |row| Ok(row.get::<_, i64>(0)?),
    )?;
    Ok(count
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or(0))
}

/// The latest change about a person that doors must confirm.
pub(crate) fn pending(
    connection: &Connection,
    user: UserId,
) -> Result<Option<Pending>, StoreError> {
    one(connection, PENDING_SQL, params![user.as_bytes()], |row| {
        let what: String = row.get(2)?;
        Ok(Pending {
            revision: revision(row.get(0)?),
            decided_at: Timestamp::from_microseconds(row.get(1)?),
            confirms: Confirms::from_name(&what)
                .ok_or(StoreError::Damaged("a confirmation of no known kind"))?,
        })
    })
}

/// People whose last refusal some door has not confirmed, removed ones too (an owner may remove
/// before every door has confirmed), the latest decision first.
pub(crate) fn not_confirmed(
    connection: &Connection,
    limit: usize,
) -> Result<Vec<UserId>, StoreError> {
    all(
        connection,
        NOT_CONFIRMED_SQL,
        params![i64::try_from(limit.min(USERS_LIMIT)).unwrap_or(0)],
        |row| Ok(id!(row, 0, UserId)),
    )
}

/// Active people whose access ends between two moments, the earliest first.
pub(crate) fn access_ending(
    connection: &Connection,
    from: Timestamp,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<UserId>, StoreError> {
    all(
        connection,
        ACCESS_ENDING_SQL,
        params![
            from.microseconds(),
            until.microseconds(),
            i64::try_from(limit.min(USERS_LIMIT)).unwrap_or(0)
        ],
        |row| Ok(id!(row, 0, UserId)),
    )
}

/// Whether a change about a person leaves the words by which they are found as they are, so that
/// nothing has to be read to know it.
pub(super) const fn keeps_words(change: &Change) -> bool {
    matches!(
        change,
        Change::UserDeactivated { .. }
            | Change::UserReactivated { .. }
            | Change::AccessPeriodChanged { .. }
            | Change::UserGroupsChanged { .. }
            | Change::UserPoliciesChanged { .. }
            | Change::CredentialLost { .. }
            | Change::CredentialFound { .. }
            | Change::PinRefused { .. }
            | Change::UserExported(_)
    )
}

/// Writes the words by which somebody is found, if they are others than before; nobody finds a
/// removed person.
pub(super) fn index(rows: &Rows<'_>, user: UserId) -> Result<(), StoreError> {
    let connection = rows.connection;
    let words = match rows.user(user)? {
        Some(UserRecord::Present(person)) => Some(words(rows, &person)?),
        Some(UserRecord::Removed(_)) | None => None,
    };
    let known = one(
        connection,
        "SELECT words FROM user_search WHERE rowid = \
         (SELECT number FROM user_search_row WHERE user = ?1)",
        params![user.as_bytes()],
        |row| Ok(row.get::<_, String>(0)?),
    )?;
    if words == known {
        return Ok(());
    }
    connection
        .prepare_cached(
            "DELETE FROM user_search WHERE rowid = \
             (SELECT number FROM user_search_row WHERE user = ?1)",
        )?
        .execute(params![user.as_bytes()])?;
    let Some(words) = words else {
        return Ok(());
    };
    connection
        .prepare_cached("INSERT OR IGNORE INTO user_search_row (user) VALUES (?1)")?
        .execute(params![user.as_bytes()])?;
    connection
        .prepare_cached(
            "INSERT INTO user_search (rowid, words) \
             VALUES ((SELECT number FROM user_search_row WHERE user = :user), :words)",
        )?
        .execute(named_params! { ":user": user.as_bytes(), ":words": words })?;
    Ok(())
}

/// What somebody is found by, as it is kept.
fn words(rows: &Rows<'_>, person: &User) -> Result<String, StoreError> {
    let profile = &person.profile;
    let mut words = vec![
        profile.first_name.as_str().to_owned(),
        profile.last_name.as_str().to_owned(),
    ];
    let optional = [
        profile.preferred_name.as_ref().map(|name| name.as_str()),
        profile.email.as_ref().map(|email| email.as_str()),
        profile.phone.as_ref().map(|phone| phone.as_str()),
        profile
            .employee_number
            .as_ref()
            .map(|number| number.as_str()),
    ];
    words.extend(optional.into_iter().flatten().map(str::to_owned));
    for credential in rows.credentials_of(person.id)? {
        match &credential.means {
            Means::Pin { .. } => {}
            Means::NfcCard { display_number, .. } => {
                words.push(display_number.last_four().to_owned());
                words.push(display_number.as_str().to_owned());
            }
            Means::LicencePlate { plate, .. } => words.push(plate.as_str().to_owned()),
        }
    }
    Ok(fold(&words.join(" ")))
}

/// Writes the words of everybody: a database of before there was search.
pub(super) fn index_all(rows: &Rows<'_>) -> Result<(), StoreError> {
    let everybody = all(
        rows.connection,
        "SELECT id FROM user WHERE first_name IS NOT NULL",
        [],
        |row| Ok(id!(row, 0, UserId)),
    )?;
    everybody.into_iter().try_for_each(|user| index(rows, user))
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    /// A list never sorts everybody: it walks an index in the order asked for, or goes from what
    /// was found by search, or from those who are few.
    #[test]
    fn every_list_walks_an_index() {
        let connection = schema();
        let search = String::new();
        for filter in [
            UserFilter::Current,
            UserFilter::Active,
            UserFilter::Deactivated,
            UserFilter::NotConfirmed,
            UserFilter::All,
        ] {
            for order in [
                UserOrder::Name,
                UserOrder::NameDescending,
                UserOrder::LatestChange,
            ] {
                for step in [Step::First, Step::On, Step::Back] {
                    let plan = |search| plan(&connection, &statement(filter, search, order, step));
                    let found = plan(Some(&search));
                    assert!(found.contains("VIRTUAL TABLE INDEX"), "{found}");
                    assert!(!found.contains("SCAN u\n"), "{found}");
                    let listed = plan(None);
                    assert!(
                        listed.contains("USING INDEX") || listed.contains("COVERING INDEX"),
                        "{listed}"
                    );
                    if filter != UserFilter::NotConfirmed && order == UserOrder::Name {
                        assert!(!listed.contains("USE TEMP B-TREE"), "{filter:?} {listed}");
                    }
                }
            }
        }
    }

    /// The short lists beside it go from few rows: none looks at everybody.
    #[test]
    fn what_today_shows_is_found_by_index() {
        let connection = schema();
        for sql in [LAST_SEEN_SQL, PENDING_SQL, ACCESS_ENDING_SQL] {
            let plan = plan(&connection, sql);
            assert!(plan.starts_with("SEARCH"), "{sql}\n{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
        let waiting = plan(&connection, NOT_CONFIRMED_SQL);
        assert!(!waiting.contains("SCAN u"), "{waiting}");
    }

    #[test]
    fn searches_become_words_that_cannot_break_the_query() {
        assert_eq!(
            match_expression("Zoë  kle").as_deref(),
            Some("\"zoe\"* \"kle\"*")
        );
        assert_eq!(
            match_expression("a\" OR *").as_deref(),
            Some("\"a\"* \"or\"*")
        );
        assert_eq!(match_expression(" \" ) "), None);
        assert!(finds_nothing(Some("!?")));
        assert!(!finds_nothing(Some("  ")));
        assert!(!finds_nothing(None));
    }
}
