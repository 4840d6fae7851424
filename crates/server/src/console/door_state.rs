//! What may be said of a door: whether its agent answers, and whether it has the latest table.
//!
//! Owns: the words. Says nothing of persons; that is `offgate_core::confirmation`.

use offgate_core::agent::{Agent, DiskState};
use offgate_core::calendar::write_time;
use offgate_core::confirmation::{Alone, Contact, with_margin};
use offgate_core::fault::Fault;
use offgate_core::id::{AgentId, UserId};
use offgate_core::parameters::Timestamp;
use offgate_core::place::{Door, LeaseLength, ZoneName};
use offgate_core::records::Records as _;
use offgate_core::table::entry::WhenCutOff;
use offgate_store::{Reader, StoreError};

use super::words::counted;

/// How a door stands with the server. Exactly one is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DoorState {
    /// No agent decides for it.
    NoAgent,
    /// Its agent has never been heard.
    NeverHeard,
    /// Connected, and it has acknowledged everything that concerns it.
    UpToDate,
    /// Connected, and it has not acknowledged the latest yet.
    Behind,
    /// Connected, and its agent's disk fails: it can acknowledge nothing.
    DiskFails,
    /// Not connected; decides on its own until then.
    OnItsOwn {
        /// Last heard.
        since: Timestamp,
        /// It refuses everybody from then on, at the latest, but those on its emergency list.
        until: Timestamp,
    },
    /// Not connected, and it goes on with the table it has for as long as that lasts.
    KeepsLastTable {
        /// Last heard.
        since: Timestamp,
    },
    /// Not connected, and its time of working on its own is over.
    Refusing {
        /// Last heard.
        since: Timestamp,
        /// Since when, at the latest; none if it never was allowed to work on its own.
        over_at: Option<Timestamp>,
    },
}

impl DoorState {
    /// The word on its tag.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::NoAgent => "No agent",
            Self::NeverHeard => "Never heard",
            Self::UpToDate => "Online",
            Self::Behind => "Catching up",
            Self::DiskFails => "Failed",
            Self::OnItsOwn { .. } | Self::KeepsLastTable { .. } => "Cut off",
            Self::Refusing { .. } => "Cut off, refusing",
        }
    }

    /// The end of its tag's class.
    pub(crate) const fn tone(self) -> &'static str {
        match self {
            Self::UpToDate => "confirmed",
            Self::Behind => "waiting",
            Self::NoAgent => "neutral",
            Self::NeverHeard
            | Self::DiskFails
            | Self::OnItsOwn { .. }
            | Self::KeepsLastTable { .. }
            | Self::Refusing { .. } => "danger",
        }
    }

    /// Whether its agent is connected.
    pub(crate) const fn is_online(self) -> bool {
        matches!(self, Self::UpToDate | Self::Behind | Self::DiskFails)
    }

    /// Whether somebody should look.
    pub(crate) const fn needs_a_look(self) -> bool {
        matches!(
            self,
            Self::NeverHeard
                | Self::DiskFails
                | Self::OnItsOwn { .. }
                | Self::KeepsLastTable { .. }
                | Self::Refusing { .. }
        )
    }

    /// What that means at the door; `but` is what [`but`] says of it.
    pub(crate) fn sentence(self, but: &str, zone: &ZoneName, now: Timestamp) -> String {
        let time = |at| write_time(zone, at, now);
        match self {
            Self::NoAgent => "Nothing here opens through Offgate until an agent joins.".to_owned(),
            Self::NeverHeard => "Its agent has not been heard yet.".to_owned(),
            Self::UpToDate => "Has the latest table.".to_owned(),
            Self::Behind => "Has not confirmed the latest change yet.".to_owned(),
            Self::DiskFails => format!(
                "Connected, but it can confirm nothing: {}",
                Fault::DiskFails.with_what_to_do()
            ),
            Self::OnItsOwn { since, until } => format!(
                "Has not answered since {}. Decides on its own until {}, then refuses everybody{}; \
                 the way out stays free.",
                time(since),
                time(until),
                but
            ),
            Self::KeepsLastTable { since } => format!(
                "Has not answered since {}. Keeps its last table: it goes on admitting whom it \
                 admitted, until it is heard again.",
                time(since)
            ),
            Self::Refusing {
                since,
                over_at: Some(over_at),
            } => format!(
                "Has not answered since {}. Refuses everybody{} since {} at the latest; the way \
                 out stays free.",
                time(since),
                but,
                time(over_at)
            ),
            Self::Refusing {
                since,
                over_at: None,
            } => format!(
                "Has not answered since {}. Refuses everybody{} until it is heard; the way out \
                 stays free.",
                time(since),
                but
            ),
        }
    }
}

/// Whom "everybody" leaves out, by any of the settings the door may be working by.
pub(crate) fn but(reader: &Reader, door: &Door) -> Result<&'static str, StoreError> {
    let versions = match door.agent {
        Some(agent) => reader.door_settings(agent, door.id)?,
        None => Vec::new(),
    };
    let has_list = versions
        .iter()
        .any(|it| matches!(it.when_cut_off, Some(WhenCutOff::EmergencyList { .. })));
    Ok(if has_list {
        " but those on its emergency list, while that holds"
    } else {
        ""
    })
}

/// How a door stands now.
pub(crate) fn of(reader: &Reader, door: &Door, now: Timestamp) -> Result<DoorState, StoreError> {
    let Some(agent) = door.agent else {
        return Ok(DoorState::NoAgent);
    };
    let Some(heard) = reader.contact(agent)? else {
        return Ok(DoorState::NeverHeard);
    };
    Ok(match heard.contact {
        Contact::Connected if heard.disk == DiskState::Fails => DoorState::DiskFails,
        Contact::Connected => {
            if has_latest_table(reader, agent)? {
                DoorState::UpToDate
            } else {
                DoorState::Behind
            }
        }
        Contact::Silent { since: None } | Contact::NoAgent => DoorState::NeverHeard,
        Contact::Silent { since: Some(since) } => match alone(reader, door, None)? {
            Alone::UntilLimit(Some(until)) if until > now => DoorState::OnItsOwn { since, until },
            Alone::UntilLimit(over_at) | Alone::OnEmergencyList(over_at) => {
                DoorState::Refusing { since, over_at }
            }
            Alone::KeepsLastTable => DoorState::KeepsLastTable { since },
        },
    })
}

/// Whether an agent has acknowledged everything that concerns its doors.
pub(crate) fn has_latest_table(reader: &Reader, agent: AgentId) -> Result<bool, StoreError> {
    let table = reader.table_head(agent)?.map(|head| head.revision);
    Ok(table <= reader.acknowledged(agent)?)
}

/// How long a door may go on admitting somebody without being heard; nobody in particular: none.
pub(crate) fn alone(
    reader: &Reader,
    door: &Door,
    user: Option<UserId>,
) -> Result<Alone, StoreError> {
    let Some(agent) = door.agent else {
        return Ok(Alone::UntilLimit(None));
    };
    let counted_from = reader.contact(agent)?.and_then(|heard| heard.counted_from);
    let versions = reader.door_settings(agent, door.id)?;
    Ok(Alone::by(&versions, user, counted_from))
}

/// The name of the agent that decides for a door.
pub(crate) fn agent_of(reader: &Reader, door: &Door) -> Result<Option<Agent>, StoreError> {
    door.agent.map_or(Ok(None), |agent| reader.agent(agent))
}

/// How long a door works on its own: "72 hours".
pub(crate) fn works_alone_for(lease: LeaseLength) -> String {
    told(lease.seconds())
}

/// For how long somebody who is taken out could still get in at a door that works on its own for so
/// long, at most: "72 hours 44 minutes". Rounded up.
pub(crate) fn leaver_gets_in_for(lease: LeaseLength) -> String {
    let whole = with_margin(lease.duration());
    let seconds = whole.as_secs() + u64::from(whole.subsec_nanos() > 0);
    let (large, small, unit) = match seconds {
        ..3600 => (seconds / 60, seconds % 60, ("minute", "second")),
        _ => {
            let minutes = seconds.div_ceil(60);
            (minutes / 60, minutes % 60, ("hour", "minute"))
        }
    };
    let counted = |number: u64, word| counted(usize::try_from(number).unwrap_or(usize::MAX), word);
    match (large, small) {
        (0, small) => counted(small, unit.1),
        (large, 0) => counted(large, unit.0),
        (large, small) => format!("{} {}", counted(large, unit.0), counted(small, unit.1)),
    }
}

/// A length of time in the largest unit that fits; hours up to three days, as people say it.
pub(crate) fn told(seconds: u32) -> String {
    let (number, unit) = match seconds {
        _ if seconds.is_multiple_of(86_400) && seconds > 72 * 3600 => (seconds / 86_400, "day"),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_the_largest_unit_that_fits() {
        let told = |seconds| {
            works_alone_for(LeaseLength::from_seconds(seconds).expect("a length in range"))
        };
        assert_eq!(told(60), "1 minute");
        assert_eq!(told(90), "90 seconds");
        assert_eq!(told(72 * 3600), "72 hours");
        assert_eq!(told(3600), "1 hour");
        assert_eq!(told(7 * 24 * 3600), "7 days");
    }

    #[test]
    fn a_leaver_gets_in_for_as_long_as_the_slowest_clock_allows() {
        for (seconds, expected) in [
            (10, "12 seconds"),
            (60, "1 minute 2 seconds"),
            (900, "15 minutes 10 seconds"),
            (3600, "1 hour 1 minute"),
            (72 * 3600, "72 hours 44 minutes"),
        ] {
            let lease = LeaseLength::from_seconds(seconds).expect("a length in range");
            assert_eq!(leaver_gets_in_for(lease), expected);
        }
    }

    #[test]
    fn only_a_door_that_said_so_is_called_up_to_date() {
        let at = Timestamp::from_seconds(0);
        for state in [
            DoorState::NoAgent,
            DoorState::NeverHeard,
            DoorState::Behind,
            DoorState::OnItsOwn {
                since: at,
                until: at,
            },
            DoorState::Refusing {
                since: at,
                over_at: None,
            },
        ] {
            assert_ne!(state.tone(), "confirmed");
            assert_ne!(state.label(), DoorState::UpToDate.label());
        }
    }
}
