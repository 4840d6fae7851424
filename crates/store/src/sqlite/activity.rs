//! The timeline: three tables merged by time.

use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::{
    AgentId, DoorGroupId, DoorId, EmergencyListId, GroupId, HolidayGroupId, JoinTokenId,
    OperatorId, PolicyId, ScheduleId, SiteId, UserId,
};
use offgate_core::log::Subject;
use offgate_core::parameters::Timestamp;
use rusqlite::{Connection, Row, ToSql, params};

use super::payload;
use super::read::Rows;
use super::rows::{actor, all, id, one, revision};
use crate::activity::{
    ACTIVITY_LIMIT, About, Activity, ActivityCursor, ActivityKinds, ActivityPage, ActivityQuery,
    Source, What,
};
use crate::engine::KeptEvents;
use crate::error::StoreError;

/// The name in rows of what an event tells.
const fn outcome(event: &DoorEvent) -> &'static str {
    match event.happening {
        Happening::Granted { .. } => "granted",
        Happening::WayOut { .. } => "way-out",
        Happening::Refused { .. } => "refused",
        Happening::KeypadSlowed => "keypad-slowed",
    }
}

const fn user(event: &DoorEvent) -> Option<UserId> {
    match event.happening {
        Happening::Granted { holder, .. }
        | Happening::WayOut {
            holder: Some(holder),
        }
        | Happening::Refused {
            holder: Some(holder),
            ..
        } => Some(holder.user),
        Happening::WayOut { holder: None }
        | Happening::Refused { holder: None, .. }
        | Happening::KeypadSlowed => None,
    }
}

/// Keeps events, each once, and how many were lost before them. Says up to which number this
/// agent's events are kept now, and which of these were not.
pub(super) fn keep(
    connection: &Connection,
    agent: AgentId,
    lost: u64,
    events: &[DoorEvent],
    now: Timestamp,
) -> Result<KeptEvents, StoreError> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    if let Some(first) = events.first() {
        let known = one(
            connection,
            "SELECT coalesce(sum(lost), 0) FROM events_lost WHERE agent = ?1",
            params![agent.as_bytes()],
            |row| Ok(row.get::<_, i64>(0)?),
        )?
        .unwrap_or(0);
        if number(lost) > known {
            connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO events_lost (agent, before_sequence, at, lost) \
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    agent.as_bytes(),
                    number(first.sequence),
                    now.microseconds(),
                    number(lost) - known
                ])?;
        }
    }
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO door_event (agent, sequence, at, door, user, outcome, encoded) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut new = Vec::new();
    for event in events {
        let inserted = insert.execute(params![
            agent.as_bytes(),
            number(event.sequence),
            event.at.microseconds(),
            event.door.as_bytes(),
            user(event).map(|user| *user.as_bytes()),
            outcome(event),
            event.encode()
        ])?;
        if inserted > 0 {
            new.push(*event);
        }
    }
    let last = one(
        connection,
        "SELECT max(sequence) FROM door_event WHERE agent = ?1",
        params![agent.as_bytes()],
        |row| Ok(row.get::<_, Option<i64>>(0)?),
    )?;
    Ok(KeptEvents {
        up_to: last.flatten().and_then(|last| u64::try_from(last).ok()),
        new,
    })
}

const FORGET_EVENTS: &str = "DELETE FROM door_event WHERE (agent, sequence) IN \
     (SELECT agent, sequence FROM door_event WHERE at < ?1 ORDER BY at, agent, sequence LIMIT ?2)";
/// Deletes events of before a moment, the oldest first. Notes of lost ones are about nobody, and
/// later ones are counted from them: they stay.
pub(super) fn forget(
    connection: &Connection,
    before: Timestamp,
    at_most: usize,
) -> Result<usize, StoreError> {
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    Ok(connection
        .prepare_cached(FORGET_EVENTS)?
        .execute(params![before.microseconds(), limit])?)
}

/// Everything of one source that lies before this place, as a bound of that source's own order.
fn bound(source: Source, before: ActivityCursor) -> ActivityCursor {
    match source.cmp(&before.source) {
        std::cmp::Ordering::Equal => before,
        // Comes after the place within its instant: only earlier instants.
        std::cmp::Ordering::Greater => ActivityCursor {
            agent: [0; 16],
            number: 0,
            ..before
        },
        std::cmp::Ordering::Less => ActivityCursor {
            at: before.at.saturating_add(1),
            agent: [0; 16],
            number: 0,
            ..before
        },
    }
}

const fn changes_sql(about: About) -> &'static str {
    macro_rules! changes {
        ($condition:literal) => {
            concat!(
                "SELECT l.revision, l.at, l.actor, l.actor_id, l.kind, l.subject, l.subject_id \
                 FROM log l WHERE ",
                $condition,
                "(l.at, l.revision) < (:at, :number) \
                 ORDER BY l.at DESC, l.revision DESC LIMIT :limit"
            )
        };
    }
    match about {
        About::Everything => changes!(""),
        About::User(_) => changes!("l.subject = 'user' AND l.subject_id = :about AND "),
        About::Door(_) => changes!("l.subject = 'door' AND l.subject_id = :about AND "),
    }
}

fn doors_sql(about: About, kinds: ActivityKinds) -> &'static str {
    macro_rules! doors {
        ($condition:literal) => {
            concat!(
                "SELECT agent, sequence, at, encoded FROM door_event WHERE ",
                $condition,
                "(at, agent, sequence) < (:at, :agent, :number) \
                 ORDER BY at DESC, agent DESC, sequence DESC LIMIT :limit"
            )
        };
    }
    match (about, kinds) {
        (About::Everything, ActivityKinds::RefusedAtDoors) => {
            doors!("outcome IN ('refused', 'keypad-slowed') AND ")
        }
        (About::User(_), ActivityKinds::RefusedAtDoors) => {
            doors!(
                "user = :about AND user IS NOT NULL AND outcome IN ('refused', 'keypad-slowed') AND "
            )
        }
        (About::Door(_), ActivityKinds::RefusedAtDoors) => {
            doors!("door = :about AND outcome IN ('refused', 'keypad-slowed') AND ")
        }
        (About::Everything, _) => doors!(""),
        (About::User(_), _) => doors!("user = :about AND user IS NOT NULL AND "),
        (About::Door(_), _) => doors!("door = :about AND "),
    }
}

const LOST_SQL: &str = "SELECT agent, before_sequence, at, lost FROM events_lost \
     WHERE (at, agent, before_sequence) < (:at, :agent, :number) \
     ORDER BY at DESC, agent DESC, before_sequence DESC LIMIT :limit";

/// The newest possible place.
const NEWEST: ActivityCursor = ActivityCursor {
    at: i64::MAX,
    source: Source::Change,
    agent: [0xFF; 16],
    number: i64::MAX,
};

/// A page of the timeline.
pub(crate) fn page(rows: &Rows<'_>, query: &ActivityQuery) -> Result<ActivityPage, StoreError> {
    let transaction = rows.connection.unchecked_transaction()?;
    let limit = query.limit.clamp(1, ACTIVITY_LIMIT);
    let one_more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let before = query.before.unwrap_or(NEWEST);
    let about = match query.about {
        About::Everything => None,
        About::User(user) => Some(*user.as_bytes()),
        About::Door(door) => Some(*door.as_bytes()),
    };
    let ask = |source: Source, sql: &str, read: fn(&Row<'_>) -> Result<Activity, StoreError>| {
        let bound = bound(source, before);
        let mut values: Vec<(&str, &dyn ToSql)> = vec![
            (":at", &bound.at),
            (":number", &bound.number),
            (":limit", &one_more),
        ];
        if source != Source::Change {
            values.push((":agent", &bound.agent));
        }
        if let Some(about) = &about {
            values.push((":about", about));
        }
        all(&transaction, sql, values.as_slice(), read)
    };
    let (changes, doors) = match query.kinds {
        ActivityKinds::All => (true, true),
        ActivityKinds::Changes => (true, false),
        ActivityKinds::Doors | ActivityKinds::RefusedAtDoors => (false, true),
    };
    let mut items = Vec::new();
    if changes {
        items.extend(ask(Source::Change, changes_sql(query.about), change)?);
    }
    if doors {
        items.extend(ask(
            Source::Door,
            doors_sql(query.about, query.kinds),
            door,
        )?);
    }
    if doors && query.about == About::Everything {
        items.extend(ask(Source::Lost, LOST_SQL, lost)?);
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.cursor));
    let more = items.len() > limit;
    items.truncate(limit);
    for item in &mut items {
        if let What::Change {
            revision,
            details,
            withheld,
            ..
        } = &mut item.what
        {
            (*details, *withheld) = payload::read(&transaction, rows.vault, *revision)?;
        }
    }
    Ok(ActivityPage {
        older: items.last().filter(|_| more).map(|item| item.cursor),
        items,
    })
}

fn change(row: &Row<'_>) -> Result<Activity, StoreError> {
    let number: i64 = row.get(0)?;
    let at: i64 = row.get(1)?;
    let by: String = row.get(2)?;
    let about: String = row.get(5)?;
    Ok(Activity {
        at: Timestamp::from_microseconds(at),
        cursor: ActivityCursor {
            at,
            source: Source::Change,
            agent: [0; 16],
            number,
        },
        what: What::Change {
            revision: revision(number),
            actor: actor(&by, row.get(3)?)?,
            kind: row.get(4)?,
            subject: subject(&about, row.get(6)?)?,
            // Only for those that are shown: opening them costs something.
            details: Vec::new(),
            withheld: None,
        },
    })
}

fn door(row: &Row<'_>) -> Result<Activity, StoreError> {
    let agent = id!(row, 0, AgentId);
    let at: i64 = row.get(2)?;
    let event = DoorEvent::decode(&row.get::<_, Vec<u8>>(3)?)
        .ok_or(StoreError::Damaged("a door event that cannot be read"))?;
    Ok(Activity {
        at: Timestamp::from_microseconds(at),
        cursor: ActivityCursor {
            at,
            source: Source::Door,
            agent: *agent.as_bytes(),
            number: row.get(1)?,
        },
        what: What::Door { agent, event },
    })
}

fn lost(row: &Row<'_>) -> Result<Activity, StoreError> {
    let agent = id!(row, 0, AgentId);
    let at: i64 = row.get(2)?;
    Ok(Activity {
        at: Timestamp::from_microseconds(at),
        cursor: ActivityCursor {
            at,
            source: Source::Lost,
            agent: *agent.as_bytes(),
            number: row.get(1)?,
        },
        what: What::EventsLost {
            agent,
            count: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
        },
    })
}

fn subject(name: &str, id: Option<[u8; 16]>) -> Result<Subject, StoreError> {
    Ok(match (name, id) {
        ("user", Some(id)) => Subject::User(UserId::from_bytes(id)),
        ("group", Some(id)) => Subject::Group(GroupId::from_bytes(id)),
        ("site", Some(id)) => Subject::Site(SiteId::from_bytes(id)),
        ("door", Some(id)) => Subject::Door(DoorId::from_bytes(id)),
        ("door-group", Some(id)) => Subject::DoorGroup(DoorGroupId::from_bytes(id)),
        ("policy", Some(id)) => Subject::Policy(PolicyId::from_bytes(id)),
        ("schedule", Some(id)) => Subject::Schedule(ScheduleId::from_bytes(id)),
        ("holiday-group", Some(id)) => Subject::HolidayGroup(HolidayGroupId::from_bytes(id)),
        ("emergency-list", Some(id)) => Subject::EmergencyList(EmergencyListId::from_bytes(id)),
        ("agent", Some(id)) => Subject::Agent(AgentId::from_bytes(id)),
        ("join-token", Some(id)) => Subject::JoinToken(JoinTokenId::from_bytes(id)),
        ("operator", Some(id)) => Subject::Operator(OperatorId::from_bytes(id)),
        ("store", None) => Subject::Store,
        ("mail", None) => Subject::Mail,
        ("webhook", None) => Subject::Webhook,
        _ => return Err(StoreError::Damaged("a log entry about nothing known")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    /// The timeline is read backwards along an index, whatever it is about.
    #[test]
    fn every_timeline_walks_an_index() {
        let connection = schema();
        let user = About::User(UserId::from_bytes([1; 16]));
        let door = About::Door(DoorId::from_bytes([1; 16]));
        let mut statements = vec![LOST_SQL];
        for about in [About::Everything, user, door] {
            statements.push(changes_sql(about));
            statements.push(doors_sql(about, ActivityKinds::Doors));
            statements.push(doors_sql(about, ActivityKinds::RefusedAtDoors));
        }
        let plan_of_forgetting = plan(&connection, FORGET_EVENTS);
        assert!(
            plan_of_forgetting.contains("door_event_by_time (at<?)")
                && !plan_of_forgetting.contains("TEMP B-TREE"),
            "{plan_of_forgetting}"
        );
        for sql in statements {
            let plan = plan(&connection, sql);
            assert!(plan.starts_with("SEARCH"), "{sql}\n{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }

    #[test]
    fn a_page_goes_on_where_the_last_one_ended_also_within_one_instant() {
        let place = |source, number| ActivityCursor {
            at: 5,
            source,
            agent: [1; 16],
            number,
        };
        assert_eq!(
            bound(Source::Door, place(Source::Door, 3)),
            place(Source::Door, 3)
        );
        assert_eq!(bound(Source::Change, place(Source::Door, 3)).at, 5);
        assert_eq!(bound(Source::Change, place(Source::Door, 3)).number, 0);
        assert_eq!(bound(Source::Lost, place(Source::Door, 3)).at, 6);
        let text = place(Source::Door, 3).to_string();
        assert_eq!(text.parse(), Ok(place(Source::Door, 3)));
    }
}
