//! What there is to look at after a restore: agents that were not heard since, and people whom a
//! door brought to mind.

use std::time::Duration;

use offgate_core::calendar::write_minute;
use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_core::records::Records as _;
use offgate_core::user::UserRecord;
use offgate_store::{Reader, StoreError};

/// How long after a restore people whom a door showed are told of. Some stay deactivated for good.
const LATELY: Duration = Duration::from_secs(30 * 24 * 3600);
/// The most agents and people that are named.
const NAMED: usize = 20;

/// What is said until every agent was heard, and for a month, while people are deactivated because a
/// door showed it.
pub(crate) struct AfterRestore {
    pub(crate) sentence: String,
    /// Agents that have confirmed nothing since.
    pub(crate) unheard: Vec<String>,
    /// People a door showed to be refused: id and name.
    pub(crate) shown: Vec<(String, String)>,
}

/// What there is to look at, if there is something.
pub(crate) fn after_restore(
    reader: &Reader,
    zone: &ZoneName,
    now: Timestamp,
) -> Result<Option<AfterRestore>, StoreError> {
    let Some(restore) = reader.last_restore()? else {
        return Ok(None);
    };
    let mut unheard = Vec::new();
    for agent in reader.not_heard_since(restore.revision, NAMED)? {
        if let Some(agent) = reader.agent(agent)? {
            unheard.push(agent.name.as_str().to_owned());
        }
    }
    let mut shown = Vec::new();
    let lately = now.since(restore.at) < LATELY;
    let people = if lately {
        reader.shown_by_doors(NAMED)?
    } else {
        Vec::new()
    };
    for user in people {
        if let Some(UserRecord::Present(person)) = reader.user(user)? {
            shown.push((user.to_string(), person.profile.full_name()));
        }
    }
    if unheard.is_empty() && shown.is_empty() {
        return Ok(None);
    }
    Ok(Some(AfterRestore {
        sentence: format!(
            "This server was restored on {} from a backup of {}. What was changed in between is \
             not known here, except where a door shows it.",
            write_minute(zone, restore.at),
            write_minute(zone, restore.made_at),
        ),
        unheard,
        shown,
    }))
}
