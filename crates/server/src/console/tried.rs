//! Stopped credentials that were tried, in words, where somebody looks first.

use offgate_core::alert::{Stopped, Tries};
use offgate_core::calendar::write_time;
use offgate_core::id::UserId;
use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_core::records::Records as _;
use offgate_core::user::UserRecord;
use offgate_store::{Reader, StoreError};

/// Somebody who was taken out was at a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TriedAt {
    pub(crate) user: UserId,
    pub(crate) name: String,
    /// What follows the name.
    pub(crate) words: String,
}

impl TriedAt {
    pub(crate) fn of(
        reader: &Reader,
        tries: &Tries,
        zone: &ZoneName,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let tried = &tries.first;
        let name = match reader.user(tried.user)? {
            Some(UserRecord::Present(person)) => person.profile.full_name(),
            Some(UserRecord::Removed(_)) | None => "A removed person".to_owned(),
        };
        let door = reader.door(tried.door)?.map_or_else(
            || "a door that is gone".to_owned(),
            |door| door.name.as_str().to_owned(),
        );
        let why = match tried.why {
            Stopped::Deactivated => "deactivated",
            Stopped::Ended => "access has ended",
            Stopped::Lost => "reported lost",
        };
        Ok(Self {
            user: tried.user,
            name,
            words: format!(
                "({}) was refused at {door} at {}: {why}.",
                tried.presented.word(),
                write_time(zone, tries.last_at, now)
            ),
        })
    }
}
