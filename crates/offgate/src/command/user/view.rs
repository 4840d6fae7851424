//! What is shown of people: lists, one person whole, and which doors they can open.

use clap::{Args, ValueEnum};
use offgate_core::confirmation::{DoorStanding, sentence, standing as door_standing};
use offgate_core::door_position::{self, Position, Positions};
use offgate_core::ending::{SOON, cut_off};
use offgate_core::id::UserId;
use offgate_core::parameters::Timestamp;
use offgate_core::pin::Pin;
use offgate_core::place::ZoneName;
use offgate_core::policy::{Group, Policy};
use offgate_core::records::Records as _;
use offgate_core::refusal::{Refusal, Thing};
use offgate_core::table::admission::Decision;
use offgate_core::table::compile::what_can_they_open;
use offgate_core::user::{Deactivation, Erasure, Standing, User, UserRecord};
use offgate_store::Reader;
use offgate_store::users::{UserFilter, UserOrder, UserQuery, UserRow};
use serde_json::{Value, json};

use super::super::credential;
use super::super::furniture::references;
use super::super::person::{Who, pick_person, standing};
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{List as Rows, Record, reference};

/// Shows somebody.
pub(super) fn show(books: &Books, user: UserId) -> Result<(), Failure> {
    whole(books, user)?.show(books.format);
    Ok(())
}

/// Shows somebody who was just added, with the PIN that was made for them.
pub(super) fn show_new(books: &Books, user: UserId, pin: Option<&Pin>) -> Result<(), Failure> {
    let record = whole(books, user)?;
    match pin {
        Some(pin) => record.with("pin", pin.digits()).show(books.format),
        None => record.show(books.format),
    }
    Ok(())
}

/// How many removed people are listed.
const REMOVED: usize = 1_000;

/// Lists who was removed and is not erased.
pub(super) fn removed(books: &Books) -> Result<(), Failure> {
    let reader = books.reader();
    let zone = zone(&reader)?;
    let rows = reader.awaiting_erasure(REMOVED)?.into_iter();
    Rows {
        columns: &["name", "erasure", "due", "id"],
        rows: rows
            .map(|row| {
                told(
                    &zone,
                    row.user,
                    row.erasure,
                    row.profile.map(|profile| profile.full_name()),
                )
            })
            .collect(),
        next: None,
    }
    .show(books.format);
    Ok(())
}

/// Shows what becomes of what is left of somebody.
pub(super) fn show_removed(books: &Books, user: UserId) -> Result<(), Failure> {
    let reader = books.reader();
    let Some(UserRecord::Removed(tombstone)) = reader.user(user)? else {
        return Err(Refusal::NotFound(Thing::User).into());
    };
    let name = reader
        .kept_profile(user)?
        .map(|profile| profile.full_name());
    told(&zone(&reader)?, user, tombstone.erasure, name).show(books.format);
    Ok(())
}

fn told(zone: &ZoneName, user: UserId, erasure: Erasure, name: Option<String>) -> Record {
    let (word, due, erased) = match erasure {
        Erasure::Due { at } => ("due", Some(at), None),
        Erasure::Held { due, .. } => ("held", Some(due), None),
        Erasure::Done { at } => ("done", None, Some(at)),
    };
    let at = |at: Option<Timestamp>| at.map(|at| shown(zone, at));
    Record::default()
        .with("removed", user.to_string())
        .with("id", user.to_string())
        .with("name", name)
        .with("erasure", word)
        .with("due", at(due))
        .with("erased_at", at(erased))
}

fn whole(books: &Books, user: UserId) -> Result<Record, Failure> {
    let reader = books.reader();
    let user = match reader.user(user)? {
        Some(UserRecord::Present(user)) => user,
        Some(UserRecord::Removed(_)) => return Err(Refusal::Removed.into()),
        None => return Err(Refusal::NotFound(Thing::User).into()),
    };
    let zone = zone(&reader)?;
    let at = |at: Option<Timestamp>| at.map(|at| shown(&zone, at));
    let text = |text: Option<&str>| text.map(str::to_owned);
    let profile = &user.profile;
    let record = Record::default()
        .with("id", user.id.to_string())
        .with("name", profile.full_name())
        .with("first_name", profile.first_name.as_str())
        .with("last_name", profile.last_name.as_str())
        .with(
            "preferred_name",
            text(profile.preferred_name.as_ref().map(|name| name.as_str())),
        )
        .with("status", standing(&user))
        .with(
            "email",
            text(profile.email.as_ref().map(|email| email.as_str())),
        )
        .with(
            "phone",
            text(profile.phone.as_ref().map(|phone| phone.as_str())),
        )
        .with(
            "employee_number",
            text(
                profile
                    .employee_number
                    .as_ref()
                    .map(|number| number.as_str()),
            ),
        )
        .with("access_starts", at(user.access.starts))
        .with("access_ends", at(user.access.ends))
        .with("groups", references::<Group>(&reader, &user.groups)?)
        .with("policies", references::<Policy>(&reader, &user.policies)?)
        .with_rows(
            "credentials",
            credential::COLUMNS,
            credential::records_of(&reader, user.id, &zone)?,
        )
        .with("created_at", shown(&zone, user.created_at));
    match &user.standing {
        Standing::Active => {
            Ok(record.with("end_at_doors", before_end(books, &reader, &user, &zone)?))
        }
        Standing::Deactivated(deactivation) => {
            deactivated(record, books, &reader, &user, deactivation, &zone)
        }
    }
}

/// Of doors that are cut off before their access ends.
fn before_end(
    books: &Books,
    reader: &Reader,
    user: &User,
    zone: &ZoneName,
) -> Result<Vec<String>, Failure> {
    let soon = |ends: &Timestamp| *ends <= books.now().plus(SOON);
    let Some(ends) = user.access.ends.filter(soon) else {
        return Ok(Vec::new());
    };
    let mut sentences = Vec::new();
    for facts in reader.doors_before_end(user.id)? {
        if let Some(cut_off) = cut_off(&facts, ends)
            && let Some(door) = reader.door(facts.door)?
        {
            sentences.push(cut_off.sentence(door.name.as_str(), |at| shown(zone, at)));
        }
    }
    Ok(sentences)
}

/// What was decided, and what each door has said to it.
fn deactivated(
    record: Record,
    books: &Books,
    reader: &Reader,
    user: &User,
    deactivation: &Deactivation,
    zone: &ZoneName,
) -> Result<Record, Failure> {
    let now = books.now();
    let mut doors = Vec::new();
    for facts in reader.door_facts(user.id, deactivation.revision)? {
        let name = match reader.door(facts.door)? {
            Some(door) => door.name.as_str().to_owned(),
            None => facts.door.to_string(),
        };
        let standing = door_standing(&facts, deactivation.at, now);
        doors.push((name, facts, standing));
    }
    let named: Vec<(&str, DoorStanding)> = doors
        .iter()
        .map(|(name, _, standing)| (name.as_str(), *standing))
        .collect();
    let sentence = sentence(&named, |at| shown(zone, at));
    let positions: Vec<(&str, Positions)> = doors
        .iter()
        .map(|(name, facts, _)| (name.as_str(), facts.positions))
        .collect();
    let open = door_position::sentence(&positions);
    let doors = doors
        .iter()
        .map(|(name, facts, standing)| {
            let named = reference(facts.door, name);
            door(named, *standing, facts.positions, zone)
        })
        .collect();
    Ok(record
        .with("deactivated_at", shown(zone, deactivation.at))
        .with("reason", deactivation.reason.name())
        .with(
            "employment_ended_at",
            shown(zone, deactivation.employment_ended_at),
        )
        .with_rows(
            "doors",
            &["door", "state", "when", "stood", "stands"],
            doors,
        )
        .with("confirmation", sentence)
        .with("standing_open", open))
}

fn door(door: Value, standing: DoorStanding, positions: Positions, zone: &ZoneName) -> Record {
    let failed;
    let (state, at) = match standing {
        DoorStanding::Waiting => ("waiting", None),
        DoorStanding::Overdue => ("overdue", None),
        DoorStanding::Failed { fault } => {
            failed = format!("failed: its {}", fault.what());
            (failed.as_str(), None)
        }
        DoorStanding::Confirmed { at } => ("confirmed", Some(at)),
        DoorStanding::MayStillOpen { until, .. } => ("may still open", until),
        DoorStanding::EndedByLimit { at } => ("ended by its time limit", Some(at)),
        DoorStanding::OnEmergencyList { until, .. } => {
            ("not confirmed: on this door's emergency list", until)
        }
        DoorStanding::KeepsLastTable { .. } => ("not confirmed: keeps its last table", None),
    };
    let now = positions.now;
    Record::default()
        .with("door", door)
        .with("state", state)
        .with("when", at.map(|at| shown(zone, at)))
        .with("stood", positions.then.map(Position::name))
        .with("stands", now.map(|stands| stands.position.name()))
        .with("stands_since", now.map(|stands| shown(zone, stands.since)))
}

/// Which people.
#[derive(Clone, Debug, Args)]
pub(crate) struct List {
    /// Words that all begin some word of name, e-mail, employee number, phone, card or plate
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Which people
    #[arg(long, value_enum, default_value_t = Status::Current)]
    status: Status,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Where the last page ended; it said so
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

/// Which people, by where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Status {
    /// Active, not confirmed by every door, or deactivated in the last seven days
    Current,
    /// Active
    Active,
    /// Deactivated
    Deactivated,
    /// Deactivated, and some door has not confirmed it
    NotConfirmed,
    /// Everybody with a profile
    All,
}

impl From<Status> for UserFilter {
    fn from(status: Status) -> Self {
        match status {
            Status::Current => Self::Current,
            Status::Active => Self::Active,
            Status::Deactivated => Self::Deactivated,
            Status::NotConfirmed => Self::NotConfirmed,
            Status::All => Self::All,
        }
    }
}

pub(super) fn list(books: &Books, list: &List) -> Result<(), Failure> {
    let from = list.after.as_deref().map(str::parse).transpose();
    let query = UserQuery {
        filter: list.status.into(),
        search: list.search.clone(),
        order: UserOrder::Name,
        from: from.map_err(|_| Failure::usage("--after", "no such place in this list"))?,
        limit: usize::from(list.limit),
    };
    let reader = books.reader();
    let zone = zone(&reader)?;
    let page = reader.users(&query, books.now())?;
    let rows = page.rows.iter().map(|row| on_a_list(&reader, row, &zone));
    Rows {
        columns: &[
            "name",
            "status",
            "employee_number",
            "credentials",
            "doors_not_confirmed",
            "last_seen",
            "id",
        ],
        rows: rows.collect::<Result<_, _>>()?,
        next: page.next.map(|cursor| cursor.to_string()),
    }
    .show(books.format);
    Ok(())
}

fn on_a_list(reader: &Reader, row: &UserRow, zone: &ZoneName) -> Result<Record, Failure> {
    let held = row.credentials.iter().map(|held| held.means.short_name());
    let profile = &row.user.profile;
    let number = profile.employee_number.as_ref();
    let last_seen = match &row.last_seen {
        None => None,
        Some(seen) => {
            let door = reader.door(seen.door)?;
            let door = door.map(|door| reference(door.id, door.name.as_str()));
            Some(json!({ "at": shown(zone, seen.at), "door": door }))
        }
    };
    Ok(Record::default()
        .with("id", row.user.id.to_string())
        .with("name", profile.full_name())
        .with("status", standing(&row.user))
        .with("employee_number", number.map(|number| number.as_str()))
        .with("credentials", held.collect::<Vec<_>>())
        .with("doors_not_confirmed", row.doors_pending)
        .with("last_seen", last_seen))
}

/// Shows which doors somebody can open now: the door's own decision is asked.
pub(super) fn open(books: &Books, who: &Who) -> Result<(), Failure> {
    let reader = books.reader();
    let person = pick_person(&reader, &who.wanted)?;
    let mut rows = Vec::new();
    for opening in what_can_they_open(&reader, person.id, books.now())? {
        let (opens, policy, reason) = match opening.decision {
            Decision::Granted { policy, .. } => (true, reader.policy(policy)?, None),
            Decision::WayOut(_) => (true, None, None),
            Decision::Refused { reason, .. } => (false, None, Some(reason.name())),
        };
        rows.push(
            Record::default()
                .with("door", opening.door.name.as_str())
                .with("id", opening.door.id.to_string())
                .with("opens", opens)
                .with(
                    "policy",
                    policy.map(|policy| reference(policy.id, policy.name.as_str())),
                )
                .with("reason", reason),
        );
    }
    Rows {
        columns: &["door", "opens", "policy", "reason"],
        rows,
        next: None,
    }
    .show(books.format);
    Ok(())
}
