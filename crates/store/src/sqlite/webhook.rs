//! Where the webhook is, and what it takes.

use offgate_core::alert::AlertKind;
use offgate_core::mail::{Authorities, Hurdle};
use offgate_core::parameters::Timestamp;
use offgate_core::webhook::{Webhook, WebhookAddress, WebhookState};
use rusqlite::{Connection, Params, params};

use super::rows::{all, instant, one, optional_text, text};
use crate::error::StoreError;

fn run(
    connection: &Connection,
    sql: &'static str,
    parameters: impl Params,
) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute(parameters)?;
    Ok(())
}

/// The webhook, if there is one.
pub(crate) fn webhook(connection: &Connection) -> Result<Option<Webhook>, StoreError> {
    let found = one(
        connection,
        "SELECT address, authorities, gone_at FROM webhook",
        [],
        |row| {
            Ok(Webhook {
                address: text(&row.get::<_, String>(0)?, WebhookAddress::parse)?,
                kinds: Default::default(),
                authorities: optional_text(row.get(1)?, Authorities::parse)?,
                state: match instant(row.get(2)?) {
                    None => WebhookState::Open,
                    Some(at) => WebhookState::Gone { at },
                },
            })
        },
    )?;
    let Some(webhook) = found else {
        return Ok(None);
    };
    let kinds = all(connection, "SELECT kind FROM webhook_kind", [], |row| {
        Ok(row.get::<_, String>(0)?)
    })?;
    Ok(Some(Webhook {
        // A kind that only a newer Offgate knows is nothing that this one sends.
        kinds: kinds
            .iter()
            .filter_map(|kind| AlertKind::from_name(kind))
            .collect(),
        ..webhook
    }))
}

/// Sets where alerts are sent. Nothing that waits goes to an address that is not there any more.
pub(super) fn set(
    connection: &Connection,
    webhook: Option<&Webhook>,
    now: Timestamp,
) -> Result<(), StoreError> {
    run(connection, "DELETE FROM webhook", [])?;
    run(connection, "DELETE FROM webhook_kind", [])?;
    let now = now.microseconds();
    if let Some(webhook) = webhook {
        let gone_at = match webhook.state {
            WebhookState::Open => None,
            WebhookState::Gone { at } => Some(at.microseconds()),
        };
        run(
            connection,
            "INSERT INTO webhook (only, address, authorities, gone_at) VALUES (1, ?1, ?2, ?3)",
            params![
                webhook.address.as_str(),
                webhook.authorities.as_ref().map(|it| it.as_str()),
                gone_at
            ],
        )?;
        for kind in &webhook.kinds {
            run(
                connection,
                "INSERT INTO webhook_kind (kind) VALUES (?1)",
                [kind.name()],
            )?;
        }
    }
    match webhook.map(|webhook| webhook.state) {
        // What waited for another address need not wait for this one.
        Some(WebhookState::Open) => run(
            connection,
            "UPDATE outbox SET not_before = ?1 \
             WHERE state = 'waiting' AND channel = 'webhook' AND not_before > ?1",
            params![now],
        ),
        Some(WebhookState::Gone { .. }) | None => {
            let hurdle = match webhook {
                Some(_) => Hurdle::WebhookGone,
                None => Hurdle::WebhookNotSetUp,
            };
            run(
                connection,
                "UPDATE outbox SET state = 'failed', ended_at = ?1, hurdle = ?2, said = '', \
                 body = NULL WHERE state = 'waiting' AND channel = 'webhook'",
                params![now, hurdle.name()],
            )
        }
    }
}
