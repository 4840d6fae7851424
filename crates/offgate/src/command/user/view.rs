//! What is shown of people: lists, one person whole, and which doors they can open.

use offgate_core::confirmation::{DoorStanding, sentence, standing as door_standing};
use offgate_core::id::UserId;
use offgate_core::parameters::Timestamp;
use offgate_core::pin::Pin;
use offgate_core::place::ZoneName;
use offgate_core::policy::{Group, Policy};
use offgate_core::records::Records as _;
use offgate_core::refusal::{Refusal, Thing};
use offgate_core::user::{Deactivation, Standing, User, UserRecord};
use offgate_store::Reader;
use serde_json::{Value, json};

use super::super::credential::records_of;
use super::super::furniture::references;
use super::super::person::standing;
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::Record;

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
        .with("credentials", credentials(&reader, &user, &zone)?)
        .with("created_at", shown(&zone, user.created_at));
    match &user.standing {
        Standing::Active => Ok(record),
        Standing::Deactivated(deactivation) => {
            deactivated(record, books, &reader, &user, deactivation, &zone)
        }
    }
}

fn credentials(reader: &Reader, user: &User, zone: &ZoneName) -> Result<Vec<Value>, Failure> {
    Ok(records_of(reader, user.id, zone)?
        .iter()
        .map(Record::json)
        .collect())
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
        doors.push((
            name,
            facts.door,
            door_standing(&facts, deactivation.at, now),
        ));
    }
    let named: Vec<(&str, DoorStanding)> = doors
        .iter()
        .map(|(name, _, standing)| (name.as_str(), *standing))
        .collect();
    let sentence = sentence(&named, |at| shown(zone, at));
    let doors: Vec<Value> = doors
        .iter()
        .map(|(name, id, standing)| door(name, &id.to_string(), *standing, zone))
        .collect();
    Ok(record
        .with("deactivated_at", shown(zone, deactivation.at))
        .with("reason", deactivation.reason.name())
        .with(
            "employment_ended_at",
            shown(zone, deactivation.employment_ended_at),
        )
        .with("doors", doors)
        .with("confirmation", sentence))
}

fn door(name: &str, id: &str, standing: DoorStanding, zone: &ZoneName) -> Value {
    let (state, at) = match standing {
        DoorStanding::Waiting => ("waiting", None),
        DoorStanding::Overdue => ("overdue", None),
        DoorStanding::Confirmed { at } => ("confirmed", Some(at)),
        DoorStanding::MayStillOpen { until, .. } => ("may still open", until),
        DoorStanding::EndedByLimit { at } => ("ended by its time limit", Some(at)),
    };
    json!({ "door": name, "state": state, "at": at.map(|at| shown(zone, at)), "id": id })
}
