//! What doors say themselves when they are asked about somebody who is refused; and the asking.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::post;
use offgate_core::calendar::write_time;
use offgate_core::credential::CredentialKind;
use offgate_core::id::{DoorId, UserId};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::place::ZoneName;
use offgate_core::question::{Verdict, may_ask};
use offgate_core::records::Records as _;
use offgate_core::user::UserRecord;
use offgate_store::questions::{KeptAnswer, newest};
use offgate_store::{Reader, StoreError};

use super::person;
use crate::console::Console;
use crate::console::failure::Failure;
use crate::console::signed_in::SignedIn;
use crate::console::words::listed;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/users/{user}/ask", post(ask))
}

/// What one door said, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AskedLine {
    pub(crate) words: String,
    /// The end of its class: whether it refuses.
    pub(crate) tone: &'static str,
}

/// What doors said last about a refusal.
pub(super) struct Said(Vec<KeptAnswer>);

impl Said {
    pub(super) fn of(reader: &Reader, user: UserId, refusal: Revision) -> Result<Self, StoreError> {
        let answers = reader.answers(user, refusal)?;
        Ok(Self(newest(&answers).into_iter().cloned().collect()))
    }

    /// The sentences about one door: what it would open for stands first.
    pub(super) fn at(&self, door: DoorId, zone: &ZoneName, now: Timestamp) -> Vec<AskedLine> {
        let mut told: Vec<(Verdict, Timestamp, Vec<String>)> = Vec::new();
        for answer in self.0.iter().filter(|answer| answer.door == door) {
            let kind = word(answer.kind).to_owned();
            match told
                .iter_mut()
                .find(|(verdict, ..)| *verdict == answer.verdict)
            {
                Some((_, at, kinds)) => {
                    *at = (*at).min(answer.received_at);
                    if !kinds.contains(&kind) {
                        kinds.push(kind);
                    }
                }
                None => told.push((answer.verdict, answer.received_at, vec![kind])),
            }
        }
        told.sort_by_key(|(verdict, ..)| matches!(verdict, Verdict::Refuses(_)));
        let line = |(verdict, at, kinds): (Verdict, Timestamp, Vec<String>)| {
            let (at, what) = (write_time(zone, at, now), listed(&kinds));
            match verdict {
                Verdict::Refuses(reason) => AskedLine {
                    words: format!(
                        "Asked about their {what} at {at}, it says that it refuses: {}.",
                        reason.name()
                    ),
                    tone: "refuses",
                },
                Verdict::Admits => AskedLine {
                    words: format!(
                        "Asked about their {what} at {at}, it says that it WOULD OPEN for them."
                    ),
                    tone: "admits",
                },
                Verdict::AdmitsAnother => AskedLine {
                    words: format!(
                        "Asked about their {what} at {at}, it says that it would open: somebody \
                         else has the same."
                    ),
                    tone: "another",
                },
            }
        };
        told.into_iter().map(line).collect()
    }
}

const fn word(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Pin => "PIN",
        CredentialKind::NfcCard => "card",
        CredentialKind::LicencePlate => "plate",
    }
}

/// A door that says that it would open for somebody who is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) user: UserId,
    pub(crate) words: String,
}

/// All of these, the last first.
pub(crate) fn alarms(
    reader: &Reader,
    zone: &ZoneName,
    now: Timestamp,
) -> Result<Vec<Alarm>, StoreError> {
    let mut alarms = Vec::new();
    for answer in reader.admitting_answers()? {
        let door = reader.door(answer.door)?;
        let door = door.as_ref().map_or("A door", |door| door.name.as_str());
        let whom = match reader.user(answer.user)? {
            Some(UserRecord::Present(person)) => person.profile.full_name(),
            Some(UserRecord::Removed(_)) | None => "somebody who was removed".to_owned(),
        };
        alarms.push(Alarm {
            user: answer.user,
            words: format!(
                "{door} says that it would open for the {} of {whom}, who must be refused. It said \
                 so at {}.",
                word(answer.kind),
                write_time(zone, answer.received_at, now)
            ),
        });
    }
    Ok(alarms)
}

/// Runs to its end, also when the browser goes away meanwhile.
async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
) -> Result<Response, Failure> {
    let person = person(&console.store.read(), &user)?;
    if !may_ask(signed_in.operator.role) {
        return Err(Failure::NotAllowed(
            "Guards, administrators and owners may ask the doors.".to_owned(),
        ));
    }
    let (store, user) = (console.store.clone(), person.id);
    let asked = console
        .tasks
        .spawn(async move { store.ask_doors(user).await });
    asked.await.unwrap_or(Err(StoreError::OutcomeUnknown))?;
    Ok(Redirect::to(&format!("/users/{user}")).into_response())
}
