//! Finding the person that is meant: by id, full name, e-mail address or employee number.

use clap::Args;
use offgate_core::id::UserId;
use offgate_core::parameters::Timestamp;
use offgate_core::records::Records as _;
use offgate_core::refusal::{Refusal, Thing};
use offgate_core::text::fold;
use offgate_core::user::{Standing, User, UserRecord};
use offgate_store::Reader;
use offgate_store::users::{USERS_LIMIT, UserFilter, UserOrder, UserQuery};

use crate::exit::Failure;

/// From how many namesakes on no more are looked for.
const CANDIDATES: usize = 50;
/// How many who are called nearly so are named.
const NEARLY: usize = 5;

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
    let mut query = UserQuery {
        filter: UserFilter::All,
        search: Some(wanted.to_owned()),
        order: UserOrder::Name,
        from: None,
        limit: USERS_LIMIT,
    };
    let (mut meant, mut nearly): (Vec<User>, Vec<User>) = (Vec::new(), Vec::new());
    loop {
        // The filter does not look at the time.
        let page = reader.users(&query, Timestamp::from_seconds(0))?;
        for user in page.rows.into_iter().map(|row| row.user) {
            if is_meant(&user, wanted) {
                meant.push(user);
            } else if nearly.len() < NEARLY {
                nearly.push(user);
            }
        }
        query.from = page.next;
        if query.from.is_none() || meant.len() > CANDIDATES {
            break;
        }
    }
    match (meant.pop(), meant.is_empty()) {
        (Some(user), true) => Ok(user),
        // Whoever asks for nobody is not shown everybody.
        (None, _) if nearly.is_empty() || wanted.trim().is_empty() => Err(not_found()),
        (None, _) => Err(Failure::NearlySo {
            thing: Thing::User,
            wanted: wanted.to_owned(),
            candidates: nearly.iter().map(candidate).collect(),
        }),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use offgate_core::actor::Actor;
    use offgate_core::command::{Command, InitialPolicies};
    use offgate_core::id::CommandId;
    use offgate_core::parameters::{Clock, Randomness};
    use offgate_core::text::PersonName;
    use offgate_core::user::{AccessPeriod, Profile};

    use super::*;
    use crate::books::open_store;
    use crate::store_keys;
    use crate::system::{SystemClock, SystemRandomness};

    #[test]
    fn somebody_is_found_behind_any_number_who_are_called_nearly_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let randomness: Arc<dyn Randomness> = Arc::new(SystemRandomness);
        let keys = store_keys::open_demo(folder.path(), &*clock, &*randomness).expect("keys");
        let store = open_store(folder.path(), &clock, &randomness, &keys).expect("a store");
        let nearly = (0..USERS_LIMIT).map(|number| format!("Aa B{number}"));
        for last in nearly.chain(["B".to_owned()]) {
            let name = |text: &str| PersonName::parse(text).expect("a name");
            let command = Command::CreateUser {
                user: UserId::random(&*randomness),
                profile: Profile {
                    first_name: name("Al"),
                    last_name: name(&last),
                    preferred_name: None,
                    email: None,
                    phone: None,
                    employee_number: None,
                },
                access: AccessPeriod::default(),
                groups: BTreeSet::new(),
                policies: InitialPolicies::Chosen(BTreeSet::new()),
                credentials: Vec::new(),
            };
            let id = CommandId::random(&*randomness);
            store
                .execute_blocking(id, Actor::ServerCommandLine, command)
                .expect("an answer");
        }
        let found = pick_person(&store.read(), "al b").expect("somebody");
        assert_eq!(found.profile.full_name(), "Al B");
        let Err(Failure::NearlySo { candidates, .. }) = pick_person(&store.read(), "Aa") else {
            panic!("some are called nearly so");
        };
        assert_eq!(candidates.len(), NEARLY);
        assert!(candidates[0].contains("Al Aa B0"), "{candidates:?}");
        for nobody in ["", " ", "Zz"] {
            let found = pick_person(&store.read(), nobody);
            assert!(matches!(found, Err(Failure::NotFound { .. })), "{nobody:?}");
        }
    }
}
