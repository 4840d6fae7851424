//! People: the list, one person's pages, and the three acts: deactivate, reactivate, remove.

mod answers;
mod create;
mod credentials;
mod deactivate;
mod erasure;
mod export;
mod list;
mod profile;
mod proof;
mod reactivate;
mod remove;
mod settings;
mod standing;
mod typed;

use axum::Router;
use offgate_core::credential::Credential;
use offgate_core::id::UserId;
use offgate_core::records::Records as _;
use offgate_core::user::{Erasure, User, UserRecord};
use offgate_store::{Reader, StoreError};

use super::Console;
use super::failure::Failure;

pub(crate) use answers::{Alarm, alarms};
pub(crate) use erasure::sentence;
pub(crate) use standing::DoorsStanding;
pub(crate) use typed::Choice;

pub(crate) fn router() -> Router<Console> {
    Router::new()
        .merge(list::router())
        .merge(create::router())
        .merge(profile::router())
        .merge(settings::router())
        .merge(answers::router())
        .merge(credentials::router())
        .merge(deactivate::router())
        .merge(export::router())
        .merge(proof::router())
        .merge(reactivate::router())
        .merge(remove::router())
        .merge(erasure::router())
}

/// The person an address names.
fn person(reader: &Reader, id: &str) -> Result<User, Failure> {
    let id: UserId = id.parse().map_err(|_| Failure::NotFound)?;
    match reader.user(id)?.ok_or(Failure::NotFound)? {
        UserRecord::Present(person) => Ok(person),
        UserRecord::Removed(tombstone) => {
            let zone = super::times::zone(reader)?;
            Err(Failure::Gone {
                words: format!(
                    "{} What stays is the number {id}, under which the history still adds up.",
                    erasure::sentence(&zone, tombstone.erasure)
                ),
                more: match tombstone.erasure {
                    Erasure::Done { .. } => None,
                    Erasure::Due { .. } | Erasure::Held { .. } => {
                        Some(format!("/users/{id}/erasure"))
                    }
                },
            })
        }
    }
}

/// What somebody holds: PINs first, then cards, then plates, each the oldest first.
fn held(reader: &Reader, user: UserId) -> Result<Vec<Credential>, StoreError> {
    let mut credentials = reader.credentials_of(user)?;
    put_in_order(&mut credentials);
    Ok(credentials)
}

fn put_in_order(credentials: &mut [Credential]) {
    credentials
        .sort_by_key(|credential| (credential.means.kind(), credential.added_at, credential.id));
}
