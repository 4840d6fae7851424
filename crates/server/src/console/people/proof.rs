//! The proof that doors refuse somebody: the page to print, and the file. The page shows what the
//! file shows, read back and checked, and nothing else.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use offgate_core::calendar::write_full;
use offgate_core::id::UserId;
use offgate_core::parameters::Timestamp;
use offgate_link::proof::{NOT_SHOWN, Shown, check, door_sentence, period, shows};
use offgate_store::StoreError;

use crate::console::failure::Failure;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::signed_in::SignedIn;
use crate::console::{Console, times};
use crate::refusal_proof::{NoProof, ProofQuery, refusal_proof};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/users/{user}/proof", get(to_print))
        .route("/users/{user}/proof/file", get(file))
}

/// One door, as the page tells of it.
struct DoorRow {
    name: String,
    label: &'static str,
    tone: &'static str,
    words: String,
}

#[derive(Template)]
#[template(path = "people/proof.html")]
struct ProofPage {
    frame: Frame,
    id: String,
    person: Option<String>,
    is_final: bool,
    period: String,
    actor: Option<String>,
    reason: Option<String>,
    override_reason: Option<String>,
    made_at: String,
    shows: Vec<String>,
    doors: Vec<DoorRow>,
    root: String,
    store: String,
    epoch: u64,
    revision: u64,
    entries: u64,
    log_signed_at: String,
    clock: String,
}

/// The bytes of the proof as of now, and what they show.
async fn made(
    console: &Console,
    signed_in: &SignedIn,
    user: &str,
) -> Result<(Vec<u8>, Shown), Failure> {
    let user: UserId = user.parse().map_err(|_| Failure::NotFound)?;
    let query = ProofQuery {
        user,
        credential: None,
        role: signed_in.operator.role,
    };
    let console = console.clone();
    // It signs, and may read much.
    let work = tokio::task::spawn_blocking(move || {
        let made = refusal_proof(
            &console.store.read(),
            console.store.identity(),
            &console.keys,
            query,
            &*console.randomness,
            console.clock.now(),
        );
        let bytes = match made {
            Ok(proof) => proof.encode(),
            Err(NoProof::NothingRefused) => return Err(Failure::NotFound),
            Err(NoProof::Store(error)) => return Err(Failure::Store(error)),
            Err(error @ NoProof::Signing(_)) => {
                tracing::error!(%error, "a proof could not be signed");
                return Err(Failure::Store(StoreError::Damaged("the keys")));
            }
        };
        match check(&bytes, Some(console.keys.fingerprint())) {
            Ok(shown) => Ok((bytes, shown)),
            Err(broken) => {
                tracing::error!(%broken, "what is on record makes no proof that holds");
                Err(Failure::Store(StoreError::Damaged(
                    "what a proof is made of",
                )))
            }
        }
    });
    work.await
        .unwrap_or(Err(Failure::Store(StoreError::OutcomeUnknown)))
}

async fn to_print(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
) -> Result<Response, Failure> {
    let (_, shown) = made(&console, &signed_in, &user).await?;
    let zone = times::zone(&console.store.read())?;
    let time = |at: Timestamp| write_full(&zone, at);
    let annex = shown.annex.as_ref();
    let doors = shown.doors.iter().map(|door| {
        let name = annex.and_then(|annex| annex.door(door.door));
        let (label, tone) = if door.admits() {
            ("Would open", "danger")
        } else if door.is_settled() {
            ("Refuses", "confirmed")
        } else {
            ("Not confirmed", "danger")
        };
        DoorRow {
            name: name.map_or_else(|| "A door that was deleted".to_owned(), str::to_owned),
            label,
            tone,
            words: door_sentence(door, time),
        }
    });
    let mut doors: Vec<DoorRow> = doors.collect();
    doors.sort_by(|one, other| one.name.cmp(&other.name));
    page(&ProofPage {
        frame: signed_in.frame(&console, Section::Users)?,
        id: shown.subject.user.to_string(),
        person: annex.and_then(|annex| annex.person.clone()),
        is_final: shown.is_final(),
        period: period(&shown, time),
        actor: annex.and_then(|annex| annex.actor.clone()),
        reason: annex.and_then(|annex| annex.reason.clone()),
        override_reason: annex.and_then(|annex| annex.override_reason.clone()),
        made_at: time(shown.made_at),
        shows: shows(&shown, time),
        doors,
        root: shown.root.to_string(),
        store: shown.store.to_string(),
        epoch: shown.epoch.counter,
        revision: shown.decided.revision.number(),
        entries: shown.log.size,
        log_signed_at: time(shown.log.at),
        clock: shown.clock.clone(),
    })
}

async fn file(
    State(console): State<Console>,
    signed_in: SignedIn,
    Path(user): Path<String>,
) -> Result<Response, Failure> {
    let (bytes, shown) = made(&console, &signed_in, &user).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            // The name of a file says who it is about no more than an address does.
            format!(
                "attachment; filename=\"proof-{}.offgate-proof\"",
                shown.subject.user
            ),
        ),
    ];
    Ok((headers, bytes).into_response())
}
