//! Finding the person that is meant: by id, full name, e-mail address or employee number.

use clap::Args;
use offgate_core::id::UserId;
use offgate_core::parameters::Timestamp;
use offgate_core::records::Records as _;
use offgate_core::refusal::{Refusal, Thing};
use offgate_core::text::fold;
use offgate_core::user::{Standing, User, UserRecord};
use offgate_store::Reader;
use offgate_store::users::{UserFilter, UserOrder, UserQuery};

use crate::exit::Failure;

/// How many namesakes are looked at.
const CANDIDATES: usize = 50;

/// Who.
#[derive(Clone, Debug, Args)]
pub(crate) struct Who {
    /// Full name, e-mail address, employee number or id
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
    let query = UserQuery {
        filter: UserFilter::All,
        search: Some(wanted.to_owned()),
        order: UserOrder::Name,
        from: None,
        limit: CANDIDATES,
    };
    // The filter does not look at the time.
    let page = reader.users(&query, Timestamp::from_seconds(0))?;
    let mut meant: Vec<User> = page
        .rows
        .into_iter()
        .map(|row| row.user)
        .filter(|user| is_meant(user, wanted))
        .collect();
    match (meant.pop(), meant.is_empty()) {
        (Some(user), true) => Ok(user),
        (None, _) => Err(not_found()),
        (Some(last), false) => {
            meant.push(last);
            Err(Failure::Ambiguous {
                thing: Thing::User,
                wanted: wanted.to_owned(),
                candidates: meant.iter().map(candidate).collect(),
            })
        }
    }
}

fn is_meant(user: &User, wanted: &str) -> bool {
    let is = |text: Option<&str>| text.is_some_and(|text| fold(text) == fold(wanted.trim()));
    let profile = &user.profile;
    profile.is_called(wanted)
        || is(profile.email.as_ref().map(|email| email.as_str()))
        || is(profile
            .employee_number
            .as_ref()
            .map(|number| number.as_str()))
}

fn candidate(user: &User) -> String {
    let number = user
        .profile
        .employee_number
        .as_ref()
        .map_or("–", |number| number.as_str());
    format!(
        "  {}  {}  {number}  {}",
        user.id,
        user.profile.full_name(),
        standing(user)
    )
}

/// The word for where somebody stands.
pub(crate) const fn standing(user: &User) -> &'static str {
    match user.standing {
        Standing::Active => "active",
        Standing::Deactivated(_) => "deactivated",
    }
}
