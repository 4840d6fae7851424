//! Rows of people, their credentials, and operators.

use offgate_core::credential::{
    CardToken, Credential, CredentialState, DisplayNumber, Means, Plate, PlateSharing,
};
use offgate_core::id::{CredentialId, GroupId, OperatorId, PolicyId, UserId};
use offgate_core::operator::{Operator, OperatorState, PasswordHash, Role};
use offgate_core::parameters::Timestamp;
use offgate_core::pin::{PinDigest, PinLength};
use offgate_core::text::{Email, EmployeeNumber, Label, Note, PersonName, Phone, Title};
use offgate_core::user::{
    AccessPeriod, Deactivation, DeactivationReason, Profile, Standing, Tombstone, User, UserRecord,
};
use rusqlite::{Connection, Row, params};

use super::rows::{actor, id, ids, instant, one, optional_id, optional_text, revision, text};
use crate::error::StoreError;

pub(super) const MISSING: StoreError =
    StoreError::Damaged("a person without a column they must have");

pub(super) fn user(connection: &Connection, id: UserId) -> Result<Option<UserRecord>, StoreError> {
    one(
        connection,
        "SELECT revision, status, removed_at, removed_by, removed_by_id, created_at, first_name, \
         last_name, preferred_name, email, phone, employee_number, access_starts, access_ends, \
         deactivated_at, deactivated_by, deactivated_by_id, deactivation_reason, \
         deactivation_note, employment_ended_at, deactivation_revision, erased_at FROM user \
         WHERE id = ?1",
        params![id.as_bytes()],
        |row| record(connection, id, row),
    )
}

/// Name and contacts of somebody who is present.
pub(super) fn profile(connection: &Connection, id: UserId) -> Result<Option<Profile>, StoreError> {
    Ok(match user(connection, id)? {
        Some(UserRecord::Present(person)) => Some(person.profile),
        Some(UserRecord::Removed(_)) | None => None,
    })
}

fn record(connection: &Connection, id: UserId, row: &Row<'_>) -> Result<UserRecord, StoreError> {
    let status: String = row.get(1)?;
    if status == "removed" {
        let by: String = row.get::<_, Option<String>>(3)?.ok_or(MISSING)?;
        return Ok(UserRecord::Removed(Tombstone {
            id,
            removed_at: instant(row.get(2)?).ok_or(MISSING)?,
            removed_by: actor(&by, row.get(4)?)?,
            revision: revision(row.get(0)?),
            erasure: super::erasure::state(connection, id, instant(row.get(21)?))?,
        }));
    }
    let standing = match status.as_str() {
        "active" => Standing::Active,
        "deactivated" => {
            let by: String = row.get::<_, Option<String>>(15)?.ok_or(MISSING)?;
            let reason: String = row.get::<_, Option<String>>(17)?.ok_or(MISSING)?;
            Standing::Deactivated(Deactivation {
                at: instant(row.get(14)?).ok_or(MISSING)?,
                by: actor(&by, row.get(16)?)?,
                reason: DeactivationReason::from_name(&reason).ok_or(MISSING)?,
                note: optional_text(row.get(18)?, Note::parse)?,
                employment_ended_at: instant(row.get(19)?).ok_or(MISSING)?,
                revision: revision(row.get::<_, Option<i64>>(20)?.ok_or(MISSING)?),
            })
        }
        _ => return Err(StoreError::Damaged("a person of no known status")),
    };
    let groups = ids(
        connection,
        "SELECT user_group FROM membership WHERE user = ?1",
        params![id.as_bytes()],
        GroupId::from_bytes,
    )?;
    let policies = ids(
        connection,
        "SELECT policy FROM user_policy WHERE user = ?1",
        params![id.as_bytes()],
        PolicyId::from_bytes,
    )?;
    Ok(UserRecord::Present(User {
        id,
        revision: revision(row.get(0)?),
        created_at: instant(row.get(5)?).ok_or(MISSING)?,
        profile: Profile {
            first_name: optional_text(row.get(6)?, PersonName::parse)?.ok_or(MISSING)?,
            last_name: optional_text(row.get(7)?, PersonName::parse)?.ok_or(MISSING)?,
            preferred_name: optional_text(row.get(8)?, PersonName::parse)?,
            email: optional_text(row.get(9)?, Email::parse)?,
            phone: optional_text(row.get(10)?, Phone::parse)?,
            employee_number: optional_text(row.get(11)?, EmployeeNumber::parse)?,
        },
        access: AccessPeriod {
            starts: instant(row.get(12)?),
            ends: instant(row.get(13)?),
        },
        groups,
        policies,
        standing,
    }))
}

/// The columns of a credential, in the order in which [`credential`] reads them.
macro_rules! credential_columns {
    () => {
        "SELECT id, user, label, lost_since, added_at, pin_digest, pin_length, card_token, \
         display_number, plate, plate_shared FROM credential "
    };
}
pub(super) use credential_columns;

pub(super) fn credential(row: &Row<'_>) -> Result<Credential, StoreError> {
    let digest: Option<[u8; 32]> = row.get(5)?;
    let token: Option<String> = row.get(7)?;
    let plate: Option<String> = row.get(9)?;
    let means = match (digest, token, plate) {
        (Some(digest), None, None) => Means::Pin {
            digest: PinDigest::from_bytes(digest),
            length: PinLength::new(row.get(6)?)
                .ok_or(StoreError::Damaged("a PIN of an impossible length"))?,
        },
        (None, Some(token), None) => Means::NfcCard {
            token: text(&token, CardToken::parse)?,
            display_number: text(&row.get::<_, String>(8)?, DisplayNumber::parse)?,
        },
        (None, None, Some(plate)) => Means::LicencePlate {
            plate: text(&plate, Plate::parse)?,
            sharing: match row.get::<_, i64>(10)? {
                0 => PlateSharing::Unique,
                _ => PlateSharing::Shared,
            },
        },
        _ => return Err(StoreError::Damaged("a credential of no known kind")),
    };
    Ok(Credential {
        id: id!(row, 0, CredentialId),
        user: id!(row, 1, UserId),
        means,
        label: optional_text(row.get(2)?, Label::parse)?,
        state: match instant(row.get(3)?) {
            None => CredentialState::Usable,
            Some(since) => CredentialState::Lost { since },
        },
        added_at: Timestamp::from_microseconds(row.get(4)?),
    })
}

/// The columns of an operator, in the order in which [`operator`] reads them.
macro_rules! operator_columns {
    () => {
        "SELECT id, revision, name, email, role, user, password, ended_at FROM operator "
    };
}
pub(super) use operator_columns;

pub(super) fn operator(row: &Row<'_>) -> Result<Operator, StoreError> {
    let role: String = row.get(4)?;
    Ok(Operator {
        id: id!(row, 0, OperatorId),
        revision: revision(row.get(1)?),
        name: text(&row.get::<_, String>(2)?, Title::parse)?,
        email: text(&row.get::<_, String>(3)?, Email::parse)?,
        role: Role::from_name(&role).ok_or(StoreError::Damaged("an operator of no known role"))?,
        user: optional_id!(row, 5, UserId),
        password: row.get::<_, Option<String>>(6)?.map(PasswordHash::from_phc),
        state: match instant(row.get(7)?) {
            None => OperatorState::Open,
            Some(at) => OperatorState::Ended { at },
        },
    })
}
