//! What is left of removed people, until it is erased.

use offgate_core::actor::Actor;
use offgate_core::id::{OperatorId, UserId};
use offgate_core::keeping::{ErasureWait, EventRetention, Keeping};
use offgate_core::log::Person;
use offgate_core::parameters::Timestamp;
use offgate_core::user::{Erasure, Profile};
use rusqlite::{Connection, Params, params};

use super::people::{self, MISSING};
use super::rows::{actor, actor_columns, all, id, instant, one};
use super::{mail, payload, sign_in};
use crate::error::StoreError;
use crate::users::AwaitingErasure;
use crate::vault::{Erased, Keys, Vault};

fn run(
    connection: &Connection,
    sql: &'static str,
    parameters: impl Params,
) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute(parameters)?;
    Ok(())
}

fn purpose(user: UserId) -> Vec<u8> {
    [b"offgate removed profile 1 ".as_slice(), user.as_bytes()].concat()
}

/// Seals name and contacts of somebody who is about to be removed. They are still there.
pub(super) fn keep_profile(
    connection: &Connection,
    keys: &mut Keys<'_>,
    user: UserId,
    due: Timestamp,
) -> Result<(), StoreError> {
    let Some(profile) = people::profile(connection, user)? else {
        return Err(MISSING);
    };
    let Profile {
        first_name,
        last_name,
        preferred_name,
        email,
        phone,
        employee_number,
    } = &profile;
    let text = [
        first_name.as_str(),
        last_name.as_str(),
        preferred_name.as_ref().map_or("", |it| it.as_str()),
        email.as_ref().map_or("", |it| it.as_str()),
        phone.as_ref().map_or("", |it| it.as_str()),
        employee_number.as_ref().map_or("", |it| it.as_str()),
    ]
    .join("\u{1f}");
    let key = keys.of(Person::User(user))?;
    let sealed = key
        .seal(&purpose(user), text.as_bytes(), keys.randomness())
        .map_err(|error| StoreError::Vault(error.into()))?;
    run(
        connection,
        "INSERT OR REPLACE INTO awaiting_erasure (user, due_at, profile) VALUES (?1, ?2, ?3)",
        params![user.as_bytes(), due.microseconds(), sealed],
    )
}

/// Opens what [`keep_profile`] sealed. None when the key is not to be had.
fn open_profile(vault: &Vault, user: UserId, sealed: &[u8]) -> Option<Profile> {
    use offgate_core::text::{Email, EmployeeNumber, PersonName, Phone};
    let key = vault.key_of(Person::User(user)).ok().flatten()?;
    let text = String::from_utf8(key.open(&purpose(user), sealed).ok()?).ok()?;
    let mut parts = text.split('\u{1f}');
    let mut part = || parts.next().filter(|part| !part.is_empty());
    Some(Profile {
        first_name: part().and_then(|it| PersonName::parse(it).ok())?,
        last_name: part().and_then(|it| PersonName::parse(it).ok())?,
        preferred_name: part().and_then(|it| PersonName::parse(it).ok()),
        email: part().and_then(|it| Email::parse(it).ok()),
        phone: part().and_then(|it| Phone::parse(it).ok()),
        employee_number: part().and_then(|it| EmployeeNumber::parse(it).ok()),
    })
}

/// Erases what is left of a removed person.
pub(super) fn user(connection: &Connection, user: UserId, at: Timestamp) -> Result<(), StoreError> {
    payload::erase(connection, Person::User(user), at)?;
    run(
        connection,
        "DELETE FROM awaiting_erasure WHERE user = ?1",
        params![user.as_bytes()],
    )?;
    run(
        connection,
        "UPDATE user SET erased_at = ?2 WHERE id = ?1",
        params![user.as_bytes(), at.microseconds()],
    )
}

/// Erases somebody who signed in.
pub(super) fn operator(
    connection: &Connection,
    operator: OperatorId,
    at: Timestamp,
) -> Result<(), StoreError> {
    payload::erase(connection, Person::Operator(operator), at)?;
    sign_in::end_all(connection, operator)?;
    let address: Option<String> = one(
        connection,
        "SELECT email_folded FROM operator WHERE id = ?1",
        params![operator.as_bytes()],
        |row| Ok(row.get(0)?),
    )?;
    if let Some(address) = address {
        mail::forget_recipient(connection, &address)?;
    }
    run(
        connection,
        "DELETE FROM operator WHERE id = ?1",
        params![operator.as_bytes()],
    )
}

/// Keeps what is left of somebody.
pub(super) fn hold(
    connection: &Connection,
    user: UserId,
    by: Actor,
    since: Timestamp,
) -> Result<(), StoreError> {
    let (by, by_id) = actor_columns(by);
    run(
        connection,
        "UPDATE awaiting_erasure SET held_at = ?2, held_by = ?3, held_by_id = ?4 WHERE user = ?1",
        params![user.as_bytes(), since.microseconds(), by, by_id],
    )
}

/// No longer keeps it.
pub(super) fn release(connection: &Connection, user: UserId) -> Result<(), StoreError> {
    run(
        connection,
        "UPDATE awaiting_erasure SET held_at = NULL, held_by = NULL, held_by_id = NULL \
         WHERE user = ?1",
        params![user.as_bytes()],
    )
}

/// Says how long things are kept.
pub(super) fn set_keeping(connection: &Connection, keeping: Keeping) -> Result<(), StoreError> {
    run(
        connection,
        "UPDATE store SET erasure_wait_days = ?1, door_event_days = ?2",
        params![keeping.erasure_wait.days(), keeping.door_events.days()],
    )
}

/// How long things are kept.
pub(super) fn keeping(connection: &Connection) -> Result<Keeping, StoreError> {
    let found = one(
        connection,
        "SELECT erasure_wait_days, door_event_days FROM store",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (wait, events) = found.ok_or(StoreError::Damaged("a store without its own row"))?;
    match (
        ErasureWait::from_days(wait),
        EventRetention::from_days(events),
    ) {
        (Some(erasure_wait), Some(door_events)) => Ok(Keeping {
            erasure_wait,
            door_events,
        }),
        _ => Err(StoreError::Damaged("days that could not have been entered")),
    }
}

/// The state of the erasure of a removed person.
pub(super) fn state(
    connection: &Connection,
    user: UserId,
    erased_at: Option<Timestamp>,
) -> Result<Erasure, StoreError> {
    if let Some(at) = erased_at {
        return Ok(Erasure::Done { at });
    }
    one(
        connection,
        "SELECT due_at, held_at, held_by, held_by_id FROM awaiting_erasure WHERE user = ?1",
        params![user.as_bytes()],
        |row| {
            let due = Timestamp::from_microseconds(row.get(0)?);
            Ok(
                match (instant(row.get(1)?), row.get::<_, Option<String>>(2)?) {
                    (Some(since), Some(by)) => Erasure::Held {
                        by: actor(&by, row.get(3)?)?,
                        since,
                        due,
                    },
                    _ => Erasure::Due { at: due },
                },
            )
        },
    )?
    .ok_or(MISSING)
}

/// Removed people whose day has come and whom nobody holds, at most a hundred.
pub(crate) fn due(connection: &Connection, now: Timestamp) -> Result<Vec<UserId>, StoreError> {
    all(
        connection,
        "SELECT user FROM awaiting_erasure WHERE due_at <= ?1 AND held_at IS NULL \
         ORDER BY due_at, user LIMIT 100",
        params![now.microseconds()],
        |row| Ok(id!(row, 0, UserId)),
    )
}

/// Removed people who are not erased, the earliest due first.
pub(crate) fn awaiting(
    connection: &Connection,
    vault: &Vault,
    limit: usize,
) -> Result<Vec<AwaitingErasure>, StoreError> {
    all(
        connection,
        "SELECT user, profile FROM awaiting_erasure ORDER BY due_at, user LIMIT ?1",
        params![i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| {
            let user = id!(row, 0, UserId);
            Ok(AwaitingErasure {
                user,
                erasure: state(connection, user, None)?,
                profile: open_profile(vault, user, &row.get::<_, Vec<u8>>(1)?),
            })
        },
    )
}

/// What is left of one of them.
pub(crate) fn kept_profile(
    connection: &Connection,
    vault: &Vault,
    user: UserId,
) -> Result<Option<Profile>, StoreError> {
    let found = one(
        connection,
        "SELECT profile FROM awaiting_erasure WHERE user = ?1",
        params![user.as_bytes()],
        |row| Ok(open_profile(vault, user, &row.get::<_, Vec<u8>>(0)?)),
    )?;
    Ok(found.flatten())
}

/// Those of the vault's list whom these records do not know as erased.
pub(super) fn not_erased(
    connection: &Connection,
    erased: Vec<Erased>,
) -> Result<Vec<Person>, StoreError> {
    let mut found = Vec::new();
    for Erased { person, .. } in erased {
        let (sql, id) = match person {
            Person::User(user) => (
                "SELECT 1 FROM user WHERE id = ?1 AND erased_at IS NULL",
                *user.as_bytes(),
            ),
            Person::Operator(operator) => {
                ("SELECT 1 FROM operator WHERE id = ?1", *operator.as_bytes())
            }
        };
        if one(connection, sql, params![id], |_| Ok(()))?.is_some() {
            found.push(person);
        }
    }
    Ok(found)
}
