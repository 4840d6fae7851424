//! Lists of people: what may be asked, and what is answered.

use std::fmt;
use std::str::FromStr;

use offgate_core::credential::Credential;
use offgate_core::id::{DoorId, NotAnId, UserId};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::user::{Erasure, Profile, User};

use crate::engine::Confirms;

/// The most people on one page.
pub const USERS_LIMIT: usize = 200;
/// The most characters of a search that are looked at.
pub const SEARCH_LIMIT: usize = 200;
/// How long somebody deactivated stays on the default list: a week.
pub(crate) const RECENT: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);

/// Which people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserFilter {
    /// The default list: active people, and whoever some door has not confirmed, or was
    /// deactivated in the last seven days.
    Current,
    /// Active people.
    Active,
    /// Deactivated people.
    Deactivated,
    /// People whose last refusal some door has not confirmed.
    NotConfirmed,
    /// Everybody with a profile.
    All,
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserOrder {
    /// By last name, then first name.
    Name,
    /// The same, from the end.
    NameDescending,
    /// Whoever was changed last comes first.
    LatestChange,
}

/// Where in a list a page begins or ends. Names a person by id only: it appears in addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserCursor {
    /// The page that follows this person.
    After(UserId),
    /// The page that ends just before this person.
    Before(UserId),
}

impl fmt::Display for UserCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(user) => write!(formatter, "after-{user}"),
            Self::Before(user) => write!(formatter, "before-{user}"),
        }
    }
}

impl FromStr for UserCursor {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        match text.split_once('-') {
            Some(("after", user)) => Ok(Self::After(user.parse()?)),
            Some(("before", user)) => Ok(Self::Before(user.parse()?)),
            _ => Err(NotAnId),
        }
    }
}

/// A question for a page of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserQuery {
    /// Which.
    pub filter: UserFilter,
    /// Words that must all begin some word of their names, e-mail, employee number, phone, card
    /// number's last four, or plate; case and accents do not count.
    pub search: Option<String>,
    /// In which order.
    pub order: UserOrder,
    /// Which page; none for the first.
    pub from: Option<UserCursor>,
    /// How many at most, of [`USERS_LIMIT`].
    pub limit: usize,
}

/// When and where somebody last opened a door or left by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSeen {
    /// Where.
    pub door: DoorId,
    /// When, by the door's clock.
    pub at: Timestamp,
}

/// One person on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// Who.
    pub user: User,
    /// What they hold, in the order of ids.
    pub credentials: Vec<Credential>,
    /// When they were last seen.
    pub last_seen: Option<LastSeen>,
    /// How many doors have not confirmed their last refusal.
    pub doors_pending: u64,
}

/// A page of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPage {
    /// The people.
    pub rows: Vec<UserRow>,
    /// The page before, if there is one.
    pub previous: Option<UserCursor>,
    /// The page after, if there is one.
    pub next: Option<UserCursor>,
}

/// How many people each filter finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct UserCounts {
    /// The default list.
    pub current: u64,
    /// Active.
    pub active: u64,
    /// Deactivated.
    pub deactivated: u64,
    /// Not confirmed by every door.
    pub not_confirmed: u64,
    /// Everybody.
    pub all: u64,
}

/// The latest change about a person that doors must confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its position in the log.
    pub revision: Revision,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Whether doors must come to refuse or to admit.
    pub confirms: Confirms,
}

/// Somebody who was removed and is not erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwaitingErasure {
    /// Who.
    pub user: UserId,
    /// When they will be erased, or who keeps them from it.
    pub erasure: Erasure,
    /// Name and contacts; none when their key is not to be had.
    pub profile: Option<Profile>,
}
