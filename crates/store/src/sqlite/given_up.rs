//! What nobody may have again: PINs for a while, lost cards for good.
//!
//! Neither is kept as it was, nor tells whose it was: each is a hash under a key of the vault, and
//! the time until which a PIN is retired is rounded up, so that it does not tell who was removed at
//! that moment.

use offgate_core::change::RetiredPin;
use offgate_core::credential::CardToken;
use offgate_core::parameters::Timestamp;
use offgate_core::pin::PinDigest;
use rusqlite::{Connection, params};

use crate::error::StoreError;
use crate::vault::Vault;

/// Retirements end together, every thirty days. In microseconds.
const ROUNDED_TO: i64 = 30 * 24 * 3600 * 1_000_000;

/// What stands for a PIN.
pub(super) fn pin(vault: &Vault, digest: &PinDigest) -> Result<[u8; 32], StoreError> {
    Ok(vault.blind("pin", digest.as_bytes())?)
}

/// What stands for a card.
pub(super) fn card(vault: &Vault, token: &CardToken) -> Result<[u8; 32], StoreError> {
    Ok(vault.blind("card", token.as_str().as_bytes())?)
}

fn rounded(until: i64) -> i64 {
    until
        .div_euclid(ROUNDED_TO)
        .saturating_add(1)
        .saturating_mul(ROUNDED_TO)
}

/// Retires PINs, and forgets those that are free again.
pub(super) fn retire(
    connection: &Connection,
    vault: &Vault,
    pins: &[RetiredPin],
    now: Timestamp,
) -> Result<(), StoreError> {
    for retired in pins {
        connection
            .prepare_cached("DELETE FROM retired_pin WHERE until <= ?1")?
            .execute(params![now.microseconds()])?;
        connection
            .prepare_cached("INSERT OR REPLACE INTO retired_pin (pin, until) VALUES (?1, ?2)")?
            .execute(params![
                pin(vault, &retired.digest)?,
                rounded(retired.until.microseconds())
            ])?;
    }
    Ok(())
}

/// Keeps lost cards from ever being given to anybody.
pub(super) fn burn(
    connection: &Connection,
    vault: &Vault,
    cards: &[CardToken],
) -> Result<(), StoreError> {
    for token in cards {
        connection
            .prepare_cached("INSERT OR IGNORE INTO burned_card (card) VALUES (?1)")?
            .execute(params![card(vault, token)?])?;
    }
    Ok(())
}

/// Takes over what an older schema kept as it was.
pub(super) fn take_over(connection: &Connection, vault: &Vault) -> Result<(), StoreError> {
    let pins = connection
        .prepare("SELECT digest, until FROM plain_retired_pin")?
        .query_map([], |row| {
            Ok(RetiredPin {
                digest: PinDigest::from_bytes(row.get(0)?),
                until: Timestamp::from_microseconds(row.get(1)?),
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    retire(connection, vault, &pins, Timestamp::from_microseconds(0))?;
    let cards = connection
        .prepare("SELECT token FROM plain_burned_card")?
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    for token in cards {
        let token = CardToken::parse(&token)
            .map_err(|_| StoreError::Damaged("a card that could not have been entered"))?;
        burn(connection, vault, &[token])?;
    }
    connection.execute_batch("DROP TABLE plain_retired_pin; DROP TABLE plain_burned_card")?;
    Ok(())
}
