//! Who is sent which alerts.

use std::collections::BTreeSet;

use super::AlertKind;
use crate::decide::may_sign_in;
use crate::id::OperatorId;
use crate::operator::Role;
use crate::records::Records;
use crate::text::Email;

/// Whether an operator is sent alerts of a kind: as they chose, and before they chose anything, what
/// an owner ought to hear of.
#[must_use]
pub fn wants(role: Role, chosen: Option<&BTreeSet<AlertKind>>, kind: AlertKind) -> bool {
    match chosen {
        Some(chosen) => chosen.contains(&kind),
        None => {
            role == Role::Owner
                && matches!(
                    kind,
                    AlertKind::StoppedCredentialTried | AlertKind::HistoryDoesNotContinue
                )
        }
    }
}

/// Everybody who is sent alerts of a kind, and where to. Whoever may not sign in is told nothing.
///
/// # Errors
/// The records could not be read.
pub fn recipients<R: Records + ?Sized>(
    records: &R,
    kind: AlertKind,
) -> Result<Vec<(OperatorId, Email)>, R::Error> {
    let mut recipients = Vec::new();
    for operator in records.operators()? {
        let chosen = records.alerts_chosen(operator.id)?;
        if wants(operator.role, chosen.as_ref(), kind) && may_sign_in(records, &operator)? {
            recipients.push((operator.id, operator.email));
        }
    }
    Ok(recipients)
}

/// Whether anybody is sent alerts of a kind now, by whatever way.
///
/// # Errors
/// The records could not be read.
pub fn reaches_anybody<R: Records + ?Sized>(
    records: &R,
    kind: AlertKind,
) -> Result<bool, R::Error> {
    if records
        .webhook()?
        .is_some_and(|webhook| webhook.takes(kind))
    {
        return Ok(true);
    }
    Ok(records.mail_server()?.is_some() && !recipients(records, kind)?.is_empty())
}
