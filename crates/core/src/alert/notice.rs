//! An alert as another program is told: JSON, with the ids of people and never their names.

use serde_json::{Value, json};

use super::{Alert, AlertKind, Told};
use crate::calendar::write_utc;
use crate::confirmation::Alone;
use crate::id::{AgentId, DoorId};
use crate::parameters::Timestamp;
use crate::records::Records;

/// The name of a kind of alert in what another program is told.
fn type_of(kind: AlertKind) -> String {
    format!("alert.{}", kind.name().replace('-', "_"))
}

fn whole(kind: &str, at: Timestamp, data: &Value) -> String {
    json!({ "type": kind, "timestamp": write_utc(at), "data": data }).to_string()
}

/// What says nothing.
#[must_use]
pub fn test_notice(now: Timestamp) -> String {
    whole("alert.test", now, &json!({}))
}

/// An alert as JSON: `type`, `timestamp` (when it happened, RFC 3339 in UTC) and `data`.
///
/// # Errors
/// The records could not be read.
pub fn notice<R: Records + ?Sized>(
    records: &R,
    alert: &Alert,
    now: Timestamp,
) -> Result<String, R::Error> {
    let door = |id: DoorId| -> Result<Value, R::Error> {
        let name = records.door(id)?.map(|door| door.name.as_str().to_owned());
        Ok(json!({ "id": id.to_string(), "name": name }))
    };
    let agent = |id: AgentId| -> Result<Value, R::Error> {
        let name = records
            .agent(id)?
            .map(|agent| agent.name.as_str().to_owned());
        Ok(json!({ "id": id.to_string(), "name": name }))
    };
    let (at, data) = match alert {
        Alert::Tried(told) => {
            let tried = told.tried();
            let (times, first, last) = match told {
                Told::First(tried) => (1, tried.at, tried.at),
                Told::More(tries) => (tries.untold(), tries.first.at, tries.last_at),
            };
            let data = json!({
                "user": { "id": tried.user.to_string() },
                "credential": { "id": tried.credential.to_string(), "kind": tried.presented.name() },
                "door": door(tried.door)?,
                "why": tried.why.name(),
                "times": times,
                "is_first": matches!(told, Told::First(_)),
                "first_at": write_utc(first),
                "last_at": write_utc(last),
            });
            (last, data)
        }
        Alert::LimitPassed {
            door: id,
            silent_since,
            ended_at,
            people,
            may_still_open,
        } => (
            *ended_at,
            json!({
                "door": door(*id)?,
                "silent_since": silent_since.map(write_utc),
                "ended_at": write_utc(*ended_at),
                "people_not_confirmed": people,
                "people_it_may_still_open_for": may_still_open,
            }),
        ),
        Alert::AgentGone {
            agent: id,
            silent_since,
            doors,
        } => {
            let mut its = Vec::new();
            for (id, alone) in doors {
                let mut one = door(*id)?;
                one["decides_alone_until"] = match alone {
                    Alone::UntilLimit(until) | Alone::OnEmergencyList(until) => {
                        json!(until.map(write_utc))
                    }
                    Alone::KeepsLastTable => Value::Null,
                };
                one["keeps_last_table"] = json!(*alone == Alone::KeepsLastTable);
                its.push(one);
            }
            let data = json!({
                "agent": agent(*id)?,
                "silent_since": write_utc(*silent_since),
                "doors": its,
            });
            (now, data)
        }
        Alert::HistoryDoesNotContinue { agent: id, at } => (*at, json!({ "agent": agent(*id)? })),
        Alert::LastDoorConfirmed {
            user,
            decided_at,
            confirmed_at,
            doors,
        } => (
            *confirmed_at,
            json!({
                "user": { "id": user.to_string() },
                "decided_at": write_utc(*decided_at),
                "confirmed_at": write_utc(*confirmed_at),
                "doors": doors,
            }),
        ),
    };
    Ok(whole(&type_of(alert.kind()), at, &data))
}
