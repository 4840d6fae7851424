//! Rows of groups, sites, doors, policies, schedules, holiday groups, agents and join tokens.

use offgate_core::agent::{
    Agent, AgentKey, AgentState, HashKey, JoinSecretHash, JoinToken, JoinTokenState,
};
use offgate_core::fail_mode::{EmergencyLimit, EmergencyList, FailMode};
use offgate_core::id::{
    AgentId, DoorGroupId, DoorId, EmergencyListId, GroupId, HolidayGroupId, JoinTokenId, PolicyId,
    ReaderId, ScheduleId, SiteId, UserId,
};
use offgate_core::parameters::Timestamp;
use offgate_core::place::{Direction, Door, DoorGroup, LeaseLength, Reader, Site, ZoneName};
use offgate_core::policy::{
    Day, Group, Holiday, HolidayGroup, HolidayHours, Policy, PolicyHours, Recurrence, Schedule,
    Weekday, Window,
};
use offgate_core::text::Title;
use rusqlite::{Connection, Row, params};

use super::rows::{all, id, ids, instant, optional_id, revision, text};
use crate::error::StoreError;

fn title(row: &Row<'_>, column: usize) -> Result<Title, StoreError> {
    text(&row.get::<_, String>(column)?, Title::parse)
}

pub(super) fn group(connection: &Connection, row: &Row<'_>) -> Result<Group, StoreError> {
    let group = id!(row, 0, GroupId);
    Ok(Group {
        id: group,
        revision: revision(row.get(1)?),
        name: title(row, 2)?,
        parent: optional_id!(row, 3, GroupId),
        policies: ids(
            connection,
            "SELECT policy FROM user_group_policy WHERE user_group = ?1",
            params![group.as_bytes()],
            PolicyId::from_bytes,
        )?,
    })
}

pub(super) fn site(_: &Connection, row: &Row<'_>) -> Result<Site, StoreError> {
    Ok(Site {
        id: id!(row, 0, SiteId),
        revision: revision(row.get(1)?),
        name: title(row, 2)?,
        zone: text(&row.get::<_, String>(3)?, ZoneName::parse)?,
        default_policy: optional_id!(row, 4, PolicyId),
    })
}

pub(super) fn door(connection: &Connection, row: &Row<'_>) -> Result<Door, StoreError> {
    let door = id!(row, 0, DoorId);
    let readers = all(
        connection,
        "SELECT id, direction FROM reader WHERE door = ?1 ORDER BY position",
        params![door.as_bytes()],
        |row| {
            Ok(Reader {
                id: id!(row, 0, ReaderId),
                direction: match row.get::<_, String>(1)?.as_str() {
                    "in" => Direction::In,
                    _ => Direction::Out,
                },
            })
        },
    )?;
    Ok(Door {
        id: door,
        revision: revision(row.get(1)?),
        site: id!(row, 2, SiteId),
        name: title(row, 3)?,
        agent: optional_id!(row, 4, AgentId),
        lease: LeaseLength::from_seconds(row.get(5)?)
            .ok_or(StoreError::Damaged("a door with an impossible lease"))?,
        fail_mode: match (
            row.get::<_, String>(6)?.as_str(),
            optional_id!(row, 7, EmergencyListId),
        ) {
            ("emergency-list", Some(list)) => FailMode::EmergencyList(list),
            ("keep-last-table", None) => FailMode::KeepLastTable,
            ("refuse-all", None) => FailMode::RefuseAll,
            _ => return Err(StoreError::Damaged("a door with an unknown fail mode")),
        },
        readers,
    })
}

pub(super) fn emergency_list(
    connection: &Connection,
    row: &Row<'_>,
) -> Result<EmergencyList, StoreError> {
    let list = id!(row, 0, EmergencyListId);
    Ok(EmergencyList {
        id: list,
        revision: revision(row.get(1)?),
        name: title(row, 2)?,
        people: ids(
            connection,
            "SELECT user FROM emergency_list_person WHERE emergency_list = ?1",
            params![list.as_bytes()],
            UserId::from_bytes,
        )?,
        limit: EmergencyLimit::from_seconds(row.get(3)?)
            .ok_or(StoreError::Damaged("a list with an impossible limit"))?,
    })
}

pub(super) fn door_group(connection: &Connection, row: &Row<'_>) -> Result<DoorGroup, StoreError> {
    let group = id!(row, 0, DoorGroupId);
    Ok(DoorGroup {
        id: group,
        revision: revision(row.get(1)?),
        name: title(row, 2)?,
        doors: ids(
            connection,
            "SELECT door FROM door_group_door WHERE door_group = ?1",
            params![group.as_bytes()],
            DoorId::from_bytes,
        )?,
    })
}

pub(super) fn policy(connection: &Connection, row: &Row<'_>) -> Result<Policy, StoreError> {
    let policy = id!(row, 0, PolicyId);
    Ok(Policy {
        id: policy,
        revision: revision(row.get(1)?),
        name: title(row, 2)?,
        doors: ids(
            connection,
            "SELECT door FROM policy_door WHERE policy = ?1",
            params![policy.as_bytes()],
            DoorId::from_bytes,
        )?,
        door_groups: ids(
            connection,
            "SELECT door_group FROM policy_door_group WHERE policy = ?1",
            params![policy.as_bytes()],
            DoorGroupId::from_bytes,
        )?,
        hours: optional_id!(row, 3, ScheduleId).map_or(PolicyHours::Always, PolicyHours::Scheduled),
    })
}

/// The number under which windows of holidays are kept, beside those of the days 0 to 6.
pub(super) const HOLIDAY: usize = 7;

pub(super) fn schedule(connection: &Connection, row: &Row<'_>) -> Result<Schedule, StoreError> {
    let schedule = id!(row, 0, ScheduleId);
    let windows = all(
        connection,
        "SELECT day, from_minute, to_minute FROM schedule_window WHERE schedule = ?1 \
         ORDER BY position",
        params![schedule.as_bytes()],
        |row| {
            let window = Window::new(row.get(1)?, row.get(2)?)
                .ok_or(StoreError::Damaged("an impossible window"))?;
            Ok((row.get::<_, u8>(0)?, window))
        },
    )?;
    let mut weekly = Vec::new();
    let mut holiday = Vec::new();
    for (day, window) in windows {
        match Weekday::ALL.get(usize::from(day)) {
            Some(weekday) => weekly.push((*weekday, window)),
            None => holiday.push(window),
        }
    }
    Ok(Schedule {
        id: schedule,
        revision: revision(row.get(1)?),
        name: title(row, 2)?,
        weekly,
        holidays: optional_id!(row, 3, HolidayGroupId).map(|group| HolidayHours {
            group,
            windows: holiday,
        }),
    })
}

pub(super) fn holiday_group(
    connection: &Connection,
    row: &Row<'_>,
) -> Result<HolidayGroup, StoreError> {
    let group = id!(row, 0, HolidayGroupId);
    Ok(HolidayGroup {
        id: group,
        revision: revision(row.get(1)?),
        name: title(row, 2)?,
        holidays: all(
            connection,
            "SELECT name, first_day, last_day, recurrence FROM holiday WHERE holiday_group = ?1 \
             ORDER BY position",
            params![group.as_bytes()],
            |row| {
                Ok(Holiday {
                    name: title(row, 0)?,
                    first: Day(row.get(1)?),
                    last: Day(row.get(2)?),
                    recurrence: match row.get::<_, String>(3)?.as_str() {
                        "once" => Recurrence::Once,
                        _ => Recurrence::EveryYear,
                    },
                })
            },
        )?,
    })
}

pub(super) fn agent(_: &Connection, row: &Row<'_>) -> Result<Agent, StoreError> {
    Ok(Agent {
        id: id!(row, 0, AgentId),
        revision: revision(row.get(1)?),
        name: title(row, 2)?,
        key: AgentKey(row.get(3)?),
        hash_key: HashKey::from_bytes(row.get(4)?),
        enrolled_at: Timestamp::from_microseconds(row.get(5)?),
        state: match instant(row.get(6)?) {
            None => AgentState::Enrolled,
            Some(at) => AgentState::Revoked { at },
        },
    })
}

pub(super) fn join_token(connection: &Connection, row: &Row<'_>) -> Result<JoinToken, StoreError> {
    let token = id!(row, 0, JoinTokenId);
    let state: String = row.get(4)?;
    Ok(JoinToken {
        id: token,
        secret: JoinSecretHash(row.get(1)?),
        name: title(row, 2)?,
        doors: ids(
            connection,
            "SELECT door FROM join_token_door WHERE join_token = ?1",
            params![token.as_bytes()],
            DoorId::from_bytes,
        )?,
        expires_at: Timestamp::from_microseconds(row.get(3)?),
        state: match (state.as_str(), optional_id!(row, 5, AgentId)) {
            ("open", None) => JoinTokenState::Open,
            ("withdrawn", None) => JoinTokenState::Withdrawn,
            ("used", Some(by)) => JoinTokenState::Used { by },
            _ => return Err(StoreError::Damaged("a join token of no known state")),
        },
    })
}
