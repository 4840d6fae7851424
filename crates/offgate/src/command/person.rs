//! Finding the person that is meant: by id.

use clap::Args;
use offgate_core::id::UserId;
use offgate_core::records::Records as _;
use offgate_core::refusal::{Refusal, Thing};
use offgate_core::user::{Standing, User, UserRecord};
use offgate_store::Reader;

use crate::exit::Failure;

/// Who.
#[derive(Clone, Debug, Args)]
pub(crate) struct Who {
    /// Their id
    #[arg(value_name = "USER")]
    pub(crate) wanted: String,
}

/// Finds the person that is meant. Somebody deactivated is found; somebody removed is said to be.
pub(crate) fn pick_person(reader: &Reader, wanted: &str) -> Result<User, Failure> {
    let not_found = || Failure::NotFound {
        thing: Thing::User,
        wanted: wanted.to_owned(),
    };
    if let Ok(id) = wanted.parse::<UserId>() {
        return match reader.user(id)? {
            Some(UserRecord::Present(user)) => Ok(user),
            Some(UserRecord::Removed(_)) => Err(Refusal::Removed.into()),
            None => Err(not_found()),
        };
    }
    Err(not_found())
}

/// The word for where somebody stands.
pub(crate) const fn standing(user: &User) -> &'static str {
    match user.standing {
        Standing::Active => "active",
        Standing::Deactivated(_) => "deactivated",
    }
}
