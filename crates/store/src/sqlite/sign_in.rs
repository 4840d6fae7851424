//! Rows of sessions and one-time links.

use offgate_core::id::OperatorId;
use offgate_core::parameters::Timestamp;
use rusqlite::{Connection, Params, Row, params};

use super::rows::{id, one, optional_id};
use crate::error::StoreError;
use crate::sign_in::{LinkPurpose, OneTimeLink, SecretHash, Session, SignInChange};

fn run(
    connection: &Connection,
    sql: &'static str,
    parameters: impl Params,
) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute(parameters)?;
    Ok(())
}

/// Applies a change, and forgets what is over.
pub(super) fn apply(
    connection: &Connection,
    change: &SignInChange,
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = params![now.microseconds()];
    run(
        connection,
        "DELETE FROM session WHERE expires_at <= ?1",
        now,
    )?;
    run(
        connection,
        "DELETE FROM one_time_link WHERE expires_at <= ?1",
        now,
    )?;
    match change {
        SignInChange::Started(session) => run(
            connection,
            "INSERT INTO session (token, operator, started_at, authenticated_at, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                session.token.0,
                session.operator.as_bytes(),
                session.started_at.microseconds(),
                session.authenticated_at.microseconds(),
                session.expires_at.microseconds()
            ],
        ),
        SignInChange::Extended(token, until) => run(
            connection,
            "UPDATE session SET expires_at = ?2 WHERE token = ?1",
            params![token.0, until.microseconds()],
        ),
        SignInChange::Authenticated(token, at) => run(
            connection,
            "UPDATE session SET authenticated_at = ?2 WHERE token = ?1",
            params![token.0, at.microseconds()],
        ),
        SignInChange::Ended(token) => run(
            connection,
            "DELETE FROM session WHERE token = ?1",
            params![token.0],
        ),
        SignInChange::LinkCreated(link) => create_link(connection, link),
    }
}

fn create_link(connection: &Connection, link: &OneTimeLink) -> Result<(), StoreError> {
    let (purpose, operator) = match link.purpose {
        LinkPurpose::SetUp => ("set-up", None),
        LinkPurpose::Reset(operator) => ("reset", Some(operator)),
        LinkPurpose::SignIn(operator) => ("sign-in", Some(operator)),
    };
    run(
        connection,
        "INSERT INTO one_time_link (secret, purpose, operator, expires_at) VALUES (?1, ?2, ?3, ?4)",
        params![
            link.secret.0,
            purpose,
            operator.map(|operator| *operator.as_bytes()),
            link.expires_at.microseconds()
        ],
    )
}

/// Ends every session of an operator, and takes back links made for them.
pub(super) fn end_all(connection: &Connection, operator: OperatorId) -> Result<(), StoreError> {
    run(
        connection,
        "DELETE FROM session WHERE operator = ?1",
        params![operator.as_bytes()],
    )?;
    run(
        connection,
        "DELETE FROM one_time_link WHERE operator IS NOT NULL AND operator = ?1",
        params![operator.as_bytes()],
    )
}

/// The session with this token, unless it is over.
pub(crate) fn session(
    connection: &Connection,
    token: SecretHash,
    now: Timestamp,
) -> Result<Option<Session>, StoreError> {
    one(
        connection,
        "SELECT operator, started_at, authenticated_at, expires_at FROM session \
         WHERE token = ?1 AND expires_at > ?2",
        params![token.0, now.microseconds()],
        |row| {
            Ok(Session {
                token,
                operator: id!(row, 0, OperatorId),
                started_at: Timestamp::from_microseconds(row.get(1)?),
                authenticated_at: Timestamp::from_microseconds(row.get(2)?),
                expires_at: Timestamp::from_microseconds(row.get(3)?),
            })
        },
    )
}

fn purpose(row: &Row<'_>) -> Result<LinkPurpose, StoreError> {
    let name: String = row.get(0)?;
    match (name.as_str(), optional_id!(row, 1, OperatorId)) {
        ("set-up", None) => Ok(LinkPurpose::SetUp),
        ("reset", Some(operator)) => Ok(LinkPurpose::Reset(operator)),
        ("sign-in", Some(operator)) => Ok(LinkPurpose::SignIn(operator)),
        _ => Err(StoreError::Damaged("a link of no known purpose")),
    }
}

/// What the link with this secret is for, unless it was used or is over.
pub(crate) fn link(
    connection: &Connection,
    secret: SecretHash,
    now: Timestamp,
) -> Result<Option<LinkPurpose>, StoreError> {
    one(
        connection,
        "SELECT purpose, operator FROM one_time_link WHERE secret = ?1 AND expires_at > ?2",
        params![secret.0, now.microseconds()],
        purpose,
    )
}

/// Uses a link up, and says what it was for.
pub(super) fn use_link(
    connection: &Connection,
    secret: SecretHash,
    now: Timestamp,
) -> Result<Option<LinkPurpose>, StoreError> {
    one(
        connection,
        "DELETE FROM one_time_link WHERE secret = ?1 AND expires_at > ?2 \
         RETURNING purpose, operator",
        params![secret.0, now.microseconds()],
        purpose,
    )
}
