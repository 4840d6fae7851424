//! The details of log entries: sealed under the key of the person they are about, with the salt of
//! their commitment.
//!
//! The log itself keeps one hash of 32 bytes per entry. With one payload it is that payload's
//! commitment, with several a hash over their commitments in order. Commitments stay when a payload
//! is erased, so the others can still be checked; without its salt a commitment tells nothing.

use offgate_core::id::{OperatorId, UserId};
use offgate_core::log::{Detail, Entry, Payload, Person};
use offgate_core::parameters::{Revision, Timestamp};
use rusqlite::{Connection, Row, params};

use super::rows::{all, number};
use crate::activity::{StoredDetail, Withheld};
use crate::error::StoreError;
use crate::vault::{Erased, Keys, Vault};

/// How many bytes of salt a payload has.
const SALT: usize = 16;

/// A payload as it is kept.
pub(super) struct Kept {
    about: Option<Person>,
    commitment: [u8; 32],
    /// Salt and text, sealed if they are about somebody.
    content: Vec<u8>,
}

/// Details as text: a line for each, with the field and both sides, parted by control characters
/// that no checked text can contain.
fn text(details: &[Detail]) -> String {
    let line = |detail: &Detail| {
        format!(
            "{}\u{1f}{}\u{1f}{}",
            detail.field,
            detail.before.as_deref().unwrap_or("\u{0}"),
            detail.after.as_deref().unwrap_or("\u{0}")
        )
    };
    details.iter().map(line).collect::<Vec<_>>().join("\u{1e}")
}

/// Reads what [`text`] wrote.
fn details(text: &str) -> impl Iterator<Item = StoredDetail> + '_ {
    let side = |text: &str| (text != "\u{0}").then(|| text.to_owned());
    text.split('\u{1e}').filter_map(move |line| {
        let mut parts = line.splitn(3, '\u{1f}');
        Some(StoredDetail {
            field: parts.next().filter(|field| !field.is_empty())?.to_owned(),
            before: parts.next().and_then(side),
            after: parts.next().and_then(side),
        })
    })
}

/// What a payload is committed to by: a hash of its salt and its text.
pub(crate) fn commitment(salt_and_text: &[u8]) -> [u8; 32] {
    *blake3::Hasher::new()
        .update(b"offgate log details 1")
        .update(salt_and_text)
        .finalize()
        .as_bytes()
}

/// The one hash that an entry keeps of its payloads' commitments.
pub(crate) fn details_hash(commitments: &[[u8; 32]]) -> [u8; 32] {
    if let [only] = commitments {
        return *only;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"offgate log payloads 1");
    for commitment in commitments {
        hasher.update(commitment);
    }
    *hasher.finalize().as_bytes()
}

/// What a payload is sealed for: one place in one log, and nobody else.
pub(super) fn purpose(revision: Revision, position: usize, about: Person) -> Vec<u8> {
    let (kind, id) = columns(about);
    [
        b"offgate log payload 1 ".as_slice(),
        &revision.number().to_be_bytes(),
        &(position as u64).to_be_bytes(),
        kind.as_bytes(),
        &id,
    ]
    .concat()
}

const fn columns(person: Person) -> (&'static str, [u8; 16]) {
    match person {
        Person::User(id) => ("user", *id.as_bytes()),
        Person::Operator(id) => ("operator", *id.as_bytes()),
    }
}

/// Whom details are about, from two columns.
pub(super) fn person(
    kind: Option<&str>,
    id: Option<[u8; 16]>,
) -> Result<Option<Person>, StoreError> {
    match (kind, id) {
        (None, None) => Ok(None),
        (Some("user"), Some(id)) => Ok(Some(Person::User(UserId::from_bytes(id)))),
        (Some("operator"), Some(id)) => Ok(Some(Person::Operator(OperatorId::from_bytes(id)))),
        _ => Err(StoreError::Damaged("details about nobody known")),
    }
}

/// Whom a payload is about, from two columns of its row, the first of which is given.
pub(super) fn about(row: &Row<'_>, first: usize) -> Result<Option<Person>, StoreError> {
    let kind = row.get_ref(first)?.as_str_or_null();
    let kind = kind.map_err(|_| StoreError::Damaged("details about nobody known"))?;
    person(kind, row.get(first + 1)?)
}

fn seal(
    keys: &mut Keys<'_>,
    revision: Revision,
    position: usize,
    about: Option<Person>,
    salt_and_text: Vec<u8>,
) -> Result<Vec<u8>, StoreError> {
    let Some(about) = about else {
        return Ok(salt_and_text);
    };
    let key = keys.of(about)?;
    key.seal(
        &purpose(revision, position, about),
        &salt_and_text,
        keys.randomness(),
    )
    .map_err(|error| StoreError::Vault(error.into()))
}

/// Seals what an entry says, and the hash the log keeps of it. `salt` is the first payload's; what
/// follows gets its own, made from it.
pub(super) fn make(
    keys: &mut Keys<'_>,
    revision: Revision,
    entry: &Entry,
    salt: [u8; SALT],
) -> Result<([u8; 32], Vec<Kept>), StoreError> {
    let mut kept = Vec::new();
    for (position, Payload { about, details }) in entry.payloads().into_iter().enumerate() {
        let mut salt = salt;
        if position > 0 {
            // No salt may be found from another: the others may stay when one is erased.
            keys.randomness().fill(&mut salt);
        }
        let salt_and_text = [salt.as_slice(), text(&details).as_bytes()].concat();
        kept.push(Kept {
            about,
            commitment: commitment(&salt_and_text),
            content: seal(keys, revision, position, about, salt_and_text)?,
        });
    }
    let commitments: Vec<_> = kept.iter().map(|kept| kept.commitment).collect();
    Ok((details_hash(&commitments), kept))
}

/// Writes an entry's payloads.
pub(super) fn keep(
    connection: &Connection,
    revision: Revision,
    payloads: &[Kept],
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO log_payload (revision, position, commitment, about, about_id, content) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (position, kept) in payloads.iter().enumerate() {
        let about = kept.about.map(columns);
        insert.execute(params![
            number(revision),
            position as i64,
            kept.commitment,
            about.map(|(kind, _)| kind),
            about.map(|(_, id)| id),
            kept.content
        ])?;
    }
    Ok(())
}

/// Erases everything that entries tell of a person, and whose it was. Their key is destroyed when
/// that is committed: until the vault has done it, it is owed.
pub(super) fn erase(
    connection: &Connection,
    about: Person,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (kind, id) = columns(about);
    connection
        .prepare_cached(
            "UPDATE log_payload SET content = NULL, about = NULL, about_id = NULL, erased_at = ?3 \
             WHERE about_id = ?2 AND about = ?1",
        )?
        .execute(params![kind, id, now.microseconds()])?;
    connection
        .prepare_cached("INSERT OR IGNORE INTO key_to_destroy (kind, id, at) VALUES (?1, ?2, ?3)")?
        .execute(params![kind, id, now.microseconds()])?;
    Ok(())
}

/// Whether keys are owed: the vault has not destroyed them yet, or files still tell of them.
pub(super) fn owes_keys(connection: &Connection) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM key_to_destroy)")?
        .query_row([], |row| row.get(0))?)
}

/// Whose keys are owed, and since when.
pub(super) fn owed(connection: &Connection) -> Result<Vec<Erased>, StoreError> {
    all(
        connection,
        "SELECT kind, id, at FROM key_to_destroy",
        [],
        |row| {
            let person = person(Some(&row.get::<_, String>(0)?), Some(row.get(1)?))?;
            Ok(Erased {
                person: person.ok_or(StoreError::Damaged("a key of nobody's"))?,
                at: Timestamp::from_microseconds(row.get(2)?),
            })
        },
    )
}

/// Has the vault destroy the keys that are owed and note who was erased. Says whose they were; they
/// are owed until [`settle`] is told so.
pub(super) fn destroy_keys(
    connection: &Connection,
    vault: &Vault,
) -> Result<Vec<Person>, StoreError> {
    let owed = owed(connection)?;
    vault.erase(&owed)?;
    Ok(owed.into_iter().map(|erased| erased.person).collect())
}

/// Nothing is owed of these people any more: no key, and no byte in any file.
pub(super) fn settle(connection: &Connection, people: &[Person]) -> Result<(), StoreError> {
    for person in people {
        let (kind, id) = columns(*person);
        connection
            .prepare_cached("DELETE FROM key_to_destroy WHERE kind = ?1 AND id = ?2")?
            .execute(params![kind, id])?;
    }
    Ok(())
}

/// What is left of a payload.
pub(crate) enum Content {
    /// Its salt and text.
    Open(Vec<u8>),
    /// Nothing; since when.
    Erased(Timestamp),
    /// It is sealed, and its key is not to be had.
    Sealed,
}

/// An entry's payloads, in order.
pub(crate) fn of(
    connection: &Connection,
    vault: &Vault,
    revision: Revision,
) -> Result<Vec<Content>, StoreError> {
    let read = |row: &Row<'_>| {
        let commitment: [u8; 32] = row.get(1)?;
        let content: Option<Vec<u8>> = row.get(4)?;
        let erased: Option<i64> = row.get(5)?;
        let content = match (about(row, 2)?, content, erased) {
            (_, None, Some(at)) => Content::Erased(Timestamp::from_microseconds(at)),
            (None, Some(plain), None) => Content::Open(plain),
            (Some(about), Some(sealed), None) => {
                let position = usize::try_from(row.get::<_, i64>(0)?)
                    .map_err(|_| StoreError::Damaged("details at no place"))?;
                open(vault, &purpose(revision, position, about), about, &sealed)
            }
            _ => return Err(StoreError::Damaged("details neither there nor erased")),
        };
        match &content {
            Content::Open(opened) if self::commitment(opened) != commitment => Err(
                StoreError::Damaged("details that are not those the log commits to"),
            ),
            _ => Ok(content),
        }
    };
    all(
        connection,
        "SELECT position, commitment, about, about_id, content, erased_at FROM log_payload \
         WHERE revision = ?1 ORDER BY position",
        params![number(revision)],
        read,
    )
}

fn open(vault: &Vault, purpose: &[u8], about: Person, sealed: &[u8]) -> Content {
    let opened = vault
        .key_of(about)
        .map(|key| key.and_then(|key| key.open(purpose, sealed).ok()));
    match opened {
        Ok(Some(opened)) => Content::Open(opened),
        Ok(None) => Content::Sealed,
        Err(error) => {
            tracing::warn!(%error, "details of a log entry could not be opened");
            Content::Sealed
        }
    }
}

/// What can be read of an entry's details, and why the rest cannot.
pub(super) fn read(
    connection: &Connection,
    vault: &Vault,
    revision: Revision,
) -> Result<(Vec<StoredDetail>, Option<Withheld>), StoreError> {
    let (mut lines, mut withheld) = (Vec::new(), None);
    for content in of(connection, vault, revision)? {
        match content {
            Content::Open(salt_and_text) => {
                let text = salt_and_text
                    .get(SALT..)
                    .and_then(|text| str::from_utf8(text).ok());
                lines.extend(details(
                    text.ok_or(StoreError::Damaged("details that are no text"))?,
                ));
            }
            Content::Erased(at) => withheld = Some(Withheld::Erased { at }),
            Content::Sealed => withheld = withheld.or(Some(Withheld::Unreadable)),
        }
    }
    Ok((lines, withheld))
}

/// Seals what an older schema kept in plain text. The commitments stay what they were.
pub(super) fn take_over(connection: &Connection, keys: &mut Keys<'_>) -> Result<(), StoreError> {
    let mut next = connection.prepare(
        "SELECT l.revision, l.at, l.subject, l.subject_id, l.details_hash, d.salt, d.details \
         FROM log l LEFT JOIN log_detail d ON d.revision = l.revision WHERE l.revision > ?1 \
         ORDER BY l.revision LIMIT 1000",
    )?;
    let mut insert = connection.prepare(
        "INSERT INTO log_payload (revision, position, commitment, about, about_id, content, \
         erased_at) VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut after = 0_i64;
    loop {
        let rows = next
            .query_map(params![after], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, Option<[u8; 16]>>(3)?,
                    row.get::<_, [u8; 32]>(4)?,
                    row.get::<_, Option<[u8; 16]>>(5)?,
                    row.get::<_, Option<String>>(6)?,
                ))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let Some(last) = rows.last() else { break };
        after = last.0;
        for (at, time, subject, id, commitment, salt, text) in rows {
            let (Some(salt), Some(text)) = (salt, text) else {
                insert.execute(params![
                    at,
                    commitment,
                    None::<&str>,
                    None::<[u8; 16]>,
                    None::<Vec<u8>>,
                    time
                ])?;
                continue;
            };
            let about = match (subject.as_str(), id) {
                _ if text.is_empty() => None,
                ("user", Some(id)) => Some(Person::User(UserId::from_bytes(id))),
                ("operator", Some(id)) => Some(Person::Operator(OperatorId::from_bytes(id))),
                _ => None,
            };
            let content = seal(
                keys,
                super::rows::revision(at),
                0,
                about,
                [salt.as_slice(), text.as_bytes()].concat(),
            )?;
            let columns = about.map(columns);
            insert.execute(params![
                at,
                commitment,
                columns.map(|(kind, _)| kind),
                columns.map(|(_, id)| id),
                content,
                None::<i64>
            ])?;
        }
    }
    drop((next, insert));
    connection.execute_batch("DROP TABLE log_detail")?;
    Ok(())
}
