//! All that is on record about one person, as one JSON document for them.
//!
//! Owns: which fields there are and what they are called; `docs/export.md` describes them. The
//! document is made piece by piece: however long somebody's history is, a page of it is in memory.
//! Refuses to know: who may ask for it. That is judged, and noted, before.

use offgate_core::actor::Actor;
use offgate_core::calendar::write_rfc3339;
use offgate_core::credential::{Credential, CredentialState, Means, PlateSharing};
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::UserId;
use offgate_core::log::may_read;
use offgate_core::operator::{Operator, OperatorState, Role};
use offgate_core::parameters::Timestamp;
use offgate_core::place::{Direction, ZoneName};
use offgate_core::records::Records as _;
use offgate_core::table::compile::effective_policies;
use offgate_core::user::{Standing, User, UserRecord};
use offgate_store::activity::{
    ACTIVITY_LIMIT, About, Activity, ActivityCursor, ActivityKinds, ActivityQuery, StoredDetail,
    What,
};
use offgate_store::{Reader, StoreError};
use serde_json::{Map, Value, json};

/// The version of the document. It rises when a field goes or means something else.
pub const VERSION: u32 = 1;

/// The document about somebody, in pieces of JSON text. All of them together are one object.
pub struct PersonExport {
    reader: Reader,
    user: UserId,
    made_at: Timestamp,
    /// For whom it is made: what was written freely about somebody is for owners.
    role: Role,
    utc: ZoneName,
    next: Next,
}

/// What the next piece is.
#[derive(Clone, Copy)]
enum Next {
    Person,
    /// Entries of the log before this place.
    Log(Option<ActivityCursor>),
    /// Door events before this place.
    Doors(Option<ActivityCursor>),
    Nothing,
}

impl PersonExport {
    /// The document about `user` as read from now on, for somebody with this role.
    #[must_use]
    pub fn new(reader: Reader, user: UserId, role: Role, made_at: Timestamp) -> Self {
        let utc = ZoneName::parse("UTC").unwrap_or_else(|_| unreachable!("UTC is a zone"));
        Self {
            reader,
            user,
            made_at,
            role,
            utc,
            next: Next::Person,
        }
    }

    fn at(&self, at: Timestamp) -> Value {
        json!(write_rfc3339(&self.utc, at))
    }

    fn at_some(&self, at: Option<Timestamp>) -> Value {
        at.map_or(Value::Null, |at| self.at(at))
    }

    /// Everything but the two long lists, as an object that is left open before them. Nothing when
    /// the person was erased meanwhile.
    fn head(&self) -> Result<Option<String>, StoreError> {
        let Some(UserRecord::Present(person)) = self.reader.user(self.user)? else {
            return Ok(None);
        };
        let operator = self
            .reader
            .operators()?
            .into_iter()
            .find(|operator| operator.user == Some(self.user));
        let mut groups = Vec::new();
        for id in &person.groups {
            let group = self.reader.group(*id)?;
            groups.push(json!({ "id": id.to_string(), "name": group.map(|it| it.name.as_str().to_owned()) }));
        }
        let mut policies = Vec::new();
        for id in effective_policies(&self.reader, &person)? {
            let policy = self.reader.policy(id)?;
            policies.push(json!({
                "id": id.to_string(),
                "name": policy.map(|it| it.name.as_str().to_owned()),
                "given": if person.policies.contains(&id) { "directly" } else { "by a group" },
            }));
        }
        let credentials: Vec<Value> = self
            .reader
            .credentials_of(self.user)?
            .iter()
            .map(|credential| self.credential(credential))
            .collect();
        let head = json!({
            "format": "offgate-person",
            "version": VERSION,
            "made_at": self.at(self.made_at),
            "door_events_kept_days": self.reader.keeping()?.door_events.days(),
            "person": self.person(&person),
            "groups": groups,
            "policies": policies,
            "credentials": credentials,
            "operator": operator.map(|operator| self.operator(&operator)),
        });
        let mut text = head.to_string();
        // The lists follow inside the same object.
        text.pop();
        text.push_str(",\"log\":[");
        Ok(Some(text))
    }

    fn person(&self, person: &User) -> Value {
        let profile = &person.profile;
        let deactivation = match &person.standing {
            Standing::Active => Value::Null,
            Standing::Deactivated(it) => {
                let mut told = Map::new();
                told.insert("at".to_owned(), self.at(it.at));
                told.insert("by".to_owned(), actor(it.by));
                told.insert("reason".to_owned(), json!(it.reason.name()));
                if may_read(self.role, "note") {
                    let note = it.note.as_ref().map(|note| note.as_str());
                    told.insert("note".to_owned(), json!(note));
                } else {
                    told.insert("note_withheld".to_owned(), json!(it.note.is_some()));
                }
                told.insert(
                    "employment_ended_at".to_owned(),
                    self.at(it.employment_ended_at),
                );
                Value::Object(told)
            }
        };
        json!({
            "id": person.id.to_string(),
            "first_name": profile.first_name.as_str(),
            "last_name": profile.last_name.as_str(),
            "preferred_name": profile.preferred_name.as_ref().map(|it| it.as_str()),
            "email": profile.email.as_ref().map(|it| it.as_str()),
            "phone": profile.phone.as_ref().map(|it| it.as_str()),
            "employee_number": profile.employee_number.as_ref().map(|it| it.as_str()),
            "created_at": self.at(person.created_at),
            "access_starts": self.at_some(person.access.starts),
            "access_ends": self.at_some(person.access.ends),
            "status": match person.standing {
                Standing::Active => "active",
                Standing::Deactivated(_) => "deactivated",
            },
            "deactivation": deactivation,
        })
    }

    /// What opens a door is not shown: not a PIN, of which nothing but a digest is kept, and not
    /// what a card says to a reader.
    fn credential(&self, credential: &Credential) -> Value {
        let lost = match credential.state {
            CredentialState::Usable => None,
            CredentialState::Lost { since } => Some(since),
        };
        let mut told = json!({
            "id": credential.id.to_string(),
            "kind": credential.means.kind().name(),
            "label": credential.label.as_ref().map(|label| label.as_str()),
            "added_at": self.at(credential.added_at),
            "lost_since": self.at_some(lost),
        });
        match &credential.means {
            Means::Pin { .. } => {}
            Means::NfcCard { display_number, .. } => {
                told["last_four"] = json!(display_number.last_four());
            }
            Means::LicencePlate { plate, sharing } => {
                told["plate"] = json!(plate.as_str());
                told["shared"] = json!(*sharing == PlateSharing::Shared);
            }
        }
        told
    }

    fn operator(&self, operator: &Operator) -> Value {
        let ended = match operator.state {
            OperatorState::Open => None,
            OperatorState::Ended { at } => Some(at),
        };
        json!({
            "id": operator.id.to_string(),
            "name": operator.name.as_str(),
            "email": operator.email.as_str(),
            "role": operator.role.name(),
            "ended_at": self.at_some(ended),
        })
    }

    fn detail(&self, detail: &StoredDetail) -> Value {
        let field = detail.field.as_str();
        if !may_read(self.role, field) {
            return json!({ "field": field, "withheld": true });
        }
        let told = |value: &Option<String>| match value {
            None => Value::Null,
            // The log keeps instants as numbers.
            Some(value) if is_instant(field) => value
                .parse()
                .map_or(json!(value), |at| self.at(Timestamp::from_microseconds(at))),
            Some(value) => json!(value),
        };
        json!({ "field": field, "before": told(&detail.before), "after": told(&detail.after) })
    }

    fn entry(&self, item: &Activity) -> Result<Option<Value>, StoreError> {
        Ok(match &item.what {
            What::Change {
                revision,
                actor: by,
                kind,
                details,
                ..
            } => Some(json!({
                "at": self.at(item.at),
                "revision": revision.number(),
                "what": kind,
                "by": actor(*by),
                "details": details.iter().map(|it| self.detail(it)).collect::<Vec<_>>(),
            })),
            What::Door { event, .. } => Some(self.door_event(event)?),
            What::EventsLost { .. } => None,
        })
    }

    fn door_event(&self, event: &DoorEvent) -> Result<Value, StoreError> {
        let door = self.reader.door(event.door)?;
        let (outcome, reason) = match event.happening {
            Happening::Granted { .. } => ("granted", None),
            Happening::WayOut { .. } => ("way out", None),
            Happening::Refused { reason, .. } => ("refused", Some(reason.name())),
            Happening::KeypadSlowed => ("keypad slowed", None),
        };
        Ok(json!({
            "at": self.at(event.at),
            "door": {
                "id": event.door.to_string(),
                "name": door.map(|door| door.name.as_str().to_owned()),
            },
            "way": match event.direction {
                Direction::In => "in",
                Direction::Out => "out",
            },
            "presented": event.presented.name(),
            "outcome": outcome,
            "reason": reason,
        }))
    }

    /// A page of one of the lists, and where the next begins.
    fn page(
        &self,
        kinds: ActivityKinds,
        before: Option<ActivityCursor>,
    ) -> Result<(String, Option<ActivityCursor>), StoreError> {
        let page = self.reader.activity(&ActivityQuery {
            about: About::User(self.user),
            kinds,
            before,
            limit: ACTIVITY_LIMIT,
        })?;
        let mut text = String::new();
        for item in &page.items {
            if let Some(entry) = self.entry(item)? {
                if before.is_some() || !text.is_empty() {
                    text.push(',');
                }
                text.push('\n');
                text.push_str(&entry.to_string());
            }
        }
        Ok((text, page.older))
    }

    fn piece(&mut self) -> Result<Option<String>, StoreError> {
        let (text, next) = match self.next {
            Next::Nothing => return Ok(None),
            Next::Person => match self.head()? {
                Some(head) => (head, Next::Log(None)),
                None => return Ok(None),
            },
            Next::Log(before) => match self.page(ActivityKinds::Changes, before)? {
                (text, Some(older)) => (text, Next::Log(Some(older))),
                (text, None) => (text + "\n],\"door_events\":[", Next::Doors(None)),
            },
            Next::Doors(before) => match self.page(ActivityKinds::Doors, before)? {
                (text, Some(older)) => (text, Next::Doors(Some(older))),
                (text, None) => (text + "\n]}\n", Next::Nothing),
            },
        };
        self.next = next;
        Ok(Some(text))
    }
}

impl Iterator for PersonExport {
    type Item = Result<String, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.piece().transpose();
        if !matches!(piece, Some(Ok(_))) {
            self.next = Next::Nothing;
        }
        piece
    }
}

/// Operators by their id: whoever reads the document is not owed their names.
fn actor(actor: Actor) -> Value {
    match actor {
        Actor::Operator(id) => json!({ "kind": "operator", "id": id.to_string() }),
        Actor::ServerCommandLine => json!({ "kind": "server command line" }),
        Actor::Schedule => json!({ "kind": "schedule" }),
        Actor::JoiningAgent(id) | Actor::TestifyingAgent(id) => {
            json!({ "kind": "agent", "id": id.to_string() })
        }
    }
}

/// The fields of an entry's details that hold a moment.
fn is_instant(field: &str) -> bool {
    matches!(
        field,
        "access starts" | "access ends" | "employment ended at" | "deactivated since"
    )
}
