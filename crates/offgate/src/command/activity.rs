//! `offgate activity`: what happened, newest first: changes, and what doors told.

use clap::{Args, ValueEnum};
use offgate_core::actor::Actor;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::{AgentId, UserId};
use offgate_core::log::{Subject, is_instant};
use offgate_core::parameters::Timestamp;
use offgate_core::place::{Direction, Door, ZoneName};
use offgate_core::records::Records as _;
use offgate_core::user::UserRecord;
use offgate_store::Reader;
use offgate_store::activity::{
    About, Activity, ActivityKinds, ActivityQuery, StoredDetail, What, Withheld,
};
use serde_json::{Value, json};

use super::furniture::pick;
use super::person::pick_person;
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{Format, List, Record, reference};
use crate::terminal::talk;

/// `offgate activity`
#[derive(Clone, Debug, Args)]
pub(crate) struct ActivityArguments {
    /// Only about this person
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only about this door
    #[arg(long, value_name = "NAME|ID", conflicts_with = "user")]
    door: Option<String>,
    /// Of which kind
    #[arg(long, value_enum, default_value_t = Kind::All)]
    kind: Kind,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Where the last page ended; it said so
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

/// Of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Everything
    All,
    /// What somebody changed
    Changes,
    /// What happened at doors
    Doors,
    /// Who was refused at a door
    Refused,
}

impl From<Kind> for ActivityKinds {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::All => Self::All,
            Kind::Changes => Self::Changes,
            Kind::Doors => Self::Doors,
            Kind::Refused => Self::RefusedAtDoors,
        }
    }
}

pub(crate) fn run(books: &Books, arguments: &ActivityArguments) -> Result<(), Failure> {
    let reader = books.reader();
    let about = match (&arguments.user, &arguments.door) {
        (Some(user), _) => About::User(pick_person(&reader, user)?.id),
        (None, Some(door)) => About::Door(pick::<Door>(&reader, door)?.id),
        (None, None) => About::Everything,
    };
    let before = arguments.after.as_deref().map(str::parse).transpose();
    let page = reader.activity(&ActivityQuery {
        about,
        kinds: arguments.kind.into(),
        before: before.map_err(|_| Failure::usage("--after", "no such place in this list"))?,
        limit: usize::from(arguments.limit),
    })?;
    let zone = zone(&reader)?;
    let rows = page.items.iter().map(|item| line(&reader, item, &zone));
    List {
        columns: &["at", "what", "subject", "by", "particulars"],
        rows: rows.collect::<Result<_, _>>()?,
        next: page.older.map(|cursor| cursor.to_string()),
    }
    .show(books.format);
    if books.format == Format::Text && arguments.kind != Kind::Changes {
        talk(&reader.keeping()?.door_events.sentence());
    }
    Ok(())
}

fn line(reader: &Reader, item: &Activity, zone: &ZoneName) -> Result<Record, Failure> {
    let record = Record::default().with("at", shown(zone, item.at));
    Ok(match &item.what {
        What::Change {
            revision,
            actor,
            kind,
            subject,
            details,
            withheld,
        } => record
            .with("what", kind.as_str())
            .with("subject", named_subject(reader, *subject)?)
            .with("by", named_actor(reader, *actor)?)
            .with(
                "particulars",
                details
                    .iter()
                    .map(|one| detail(one, zone))
                    .chain(withheld.map(|why| match why {
                        Withheld::Erased { at } => format!("erased on {}", shown(zone, at)),
                        Withheld::Unreadable => {
                            "cannot be read: its key is not in the vault".to_owned()
                        }
                    }))
                    .collect::<Vec<_>>(),
            )
            .with("revision", revision.number()),
        What::Door { agent, event } => {
            let (what, particulars) = happened(event);
            let user = match holder(event) {
                Some(user) => Some(named_user(reader, user)?),
                None => None,
            };
            let door = reader.door(event.door)?;
            let door = door.map(|door| reference(door.id, door.name.as_str()));
            record
                .with("what", what)
                .with("subject", user)
                .with("by", door)
                .with("particulars", particulars)
                .with("agent", named_agent(reader, *agent)?)
                .with("sequence", event.sequence)
        }
        What::EventsLost { agent, count } => record
            .with("what", "door.events-lost")
            .with("subject", Value::Null)
            .with("by", named_agent(reader, *agent)?)
            .with("particulars", vec![format!("{count} events were dropped")]),
    })
}

/// One line of the particulars: `first name: Amara -> Amina`.
fn detail(detail: &StoredDetail, zone: &ZoneName) -> String {
    let field = detail.field.as_str();
    let told = |value: &Option<String>| value.as_deref().map(|value| told(field, value, zone));
    match (told(&detail.before), told(&detail.after)) {
        (None, Some(after)) => format!("{field}: {after}"),
        (Some(before), None) => format!("{field}: {before} -> nothing"),
        (Some(before), Some(after)) => format!("{field}: {before} -> {after}"),
        (None, None) => field.to_owned(),
    }
}

/// A value as it is read; the log keeps instants as numbers.
fn told(field: &str, value: &str, zone: &ZoneName) -> String {
    match value.parse() {
        Ok(microseconds) if is_instant(field) => {
            shown(zone, Timestamp::from_microseconds(microseconds))
        }
        _ => value.to_owned(),
    }
}

fn happened(event: &DoorEvent) -> (&'static str, Vec<String>) {
    let way = match event.direction {
        Direction::In => "in",
        Direction::Out => "out",
    };
    let mut particulars = vec![event.presented.name().to_owned(), way.to_owned()];
    let what = match event.happening {
        Happening::Granted { .. } => "door.granted",
        Happening::WayOut { .. } => "door.way-out",
        Happening::Refused { reason, .. } => {
            particulars.insert(0, reason.name().to_owned());
            "door.refused"
        }
        Happening::KeypadSlowed => "door.keypad-slowed",
    };
    (what, particulars)
}

fn holder(event: &DoorEvent) -> Option<UserId> {
    let holder = match event.happening {
        Happening::Granted { holder, .. } => Some(holder),
        Happening::WayOut { holder } | Happening::Refused { holder, .. } => holder,
        Happening::KeypadSlowed => None,
    };
    holder.map(|holder| holder.user)
}

fn named_user(reader: &Reader, id: UserId) -> Result<Value, Failure> {
    Ok(match reader.user(id)? {
        Some(UserRecord::Present(user)) => reference(id, &user.profile.full_name()),
        Some(UserRecord::Removed(_)) => reference(id, "somebody who was removed"),
        None => reference(id, &id.to_string()),
    })
}

fn named_agent(reader: &Reader, id: AgentId) -> Result<Value, Failure> {
    let agent = reader.agent(id)?;
    Ok(reference(
        id,
        agent.as_ref().map_or("", |agent| agent.name.as_str()),
    ))
}

fn named_actor(reader: &Reader, actor: Actor) -> Result<Value, Failure> {
    Ok(match actor {
        Actor::Operator(id) => {
            let operator = reader.operator(id)?;
            reference(
                id,
                operator
                    .as_ref()
                    .map_or("", |operator| operator.name.as_str()),
            )
        }
        Actor::ServerCommandLine => json!("server command line"),
        Actor::Schedule => json!("schedule"),
        Actor::JoiningAgent(id) | Actor::TestifyingAgent(id) => named_agent(reader, id)?,
    })
}

/// What a change is about, by its name if it still has one.
fn named_subject(reader: &Reader, subject: Subject) -> Result<Value, Failure> {
    macro_rules! named {
        ($id:expr, $ask:ident) => {{
            let name = reader.$ask($id)?.map(|it| it.name.as_str().to_owned());
            reference($id, &name.unwrap_or_else(|| $id.to_string()))
        }};
    }
    Ok(match subject {
        Subject::User(id) => named_user(reader, id)?,
        Subject::Group(id) => named!(id, group),
        Subject::Site(id) => named!(id, site),
        Subject::Door(id) => named!(id, door),
        Subject::DoorGroup(id) => named!(id, door_group),
        Subject::Policy(id) => named!(id, policy),
        Subject::Schedule(id) => named!(id, schedule),
        Subject::HolidayGroup(id) => named!(id, holiday_group),
        Subject::EmergencyList(id) => named!(id, emergency_list),
        Subject::Agent(id) => named!(id, agent),
        Subject::JoinToken(id) => named!(id, join_token),
        Subject::Operator(id) => named!(id, operator),
        Subject::Store => json!("the store"),
        Subject::Mail => json!("outgoing mail"),
        Subject::Webhook => json!("the webhook"),
    })
}
