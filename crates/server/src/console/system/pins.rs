//! PINs that a stolen device knew: who has to get a new one, and making it.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use offgate_core::calendar::write_minute;
use offgate_core::command::Command;
use offgate_core::id::{CommandId, CredentialId};
use offgate_core::pin::{Pin, PinCandidate};
use offgate_core::records::Records as _;
use offgate_core::user::{User, UserRecord};
use offgate_store::exposed_pins::ExposedPinQuery;
use offgate_store::{Reader, StoreError};
use serde::Deserialize;

use crate::console::execute::{Executed, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::signed_in::SignedIn;
use crate::console::words::{counted, sentence};
use crate::console::{Console, times};

/// How many are shown, and renewed at once: as many as one waits for.
const ROWS: usize = 50;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/system/pins", get(list))
        .route("/system/pins/renew", post(renew))
}

/// What is said while some PIN is to be renewed; none when none is.
pub(crate) fn notice(reader: &Reader) -> Result<Option<String>, StoreError> {
    Ok(match reader.exposed_pin_count()? {
        0 => None,
        1 => Some(
            "1 PIN can be found out by whoever has a stolen agent, and still opens doors."
                .to_owned(),
        ),
        many => Some(format!(
            "{many} PINs can be found out by whoever has a stolen agent, and still open doors."
        )),
    })
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    /// Where the page begins.
    #[serde(default)]
    after: String,
}

/// A PIN to renew.
struct PinRow {
    credential: CredentialId,
    holder: String,
    name: String,
    label: Option<String>,
    agent: String,
    since: String,
}

#[derive(Template)]
#[template(path = "system/pins.html")]
struct PinsPage {
    frame: Frame,
    notice: Option<String>,
    rows: Vec<PinRow>,
    next: Option<CredentialId>,
    is_first: bool,
    button: String,
}

async fn list(
    State(console): State<Console>,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let reader = console.store.read();
    let zone = times::zone(&reader)?;
    let after: Option<CredentialId> = asked.after.parse().ok();
    let found = reader.exposed_pins(&ExposedPinQuery {
        agent: None,
        after,
        limit: ROWS,
    })?;
    let rows: Vec<PinRow> = found
        .items
        .into_iter()
        .map(|pin| PinRow {
            credential: pin.credential.id,
            holder: pin.holder.id.to_string(),
            name: pin.holder.profile.full_name(),
            label: pin.credential.label.map(|label| label.as_str().to_owned()),
            agent: pin.exposure.agent.name.as_str().to_owned(),
            since: write_minute(&zone, pin.exposure.since),
        })
        .collect();
    page(&PinsPage {
        frame: signed_in.frame(&console, Section::System)?,
        notice: notice(&reader)?,
        button: format!("Renew {}", counted(rows.len(), "PIN")),
        rows,
        next: found.next,
        is_first: after.is_none(),
    })
}

/// What came of renewing one.
enum Renewed {
    /// The new PIN, which is shown this once.
    To(Pin),
    /// Why it is as it was.
    Not(String),
}

struct RenewedRow {
    name: String,
    label: Option<String>,
    outcome: Renewed,
}

#[derive(Template)]
#[template(path = "system/pins_renewed.html")]
struct RenewedPage {
    frame: Frame,
    rows: Vec<RenewedRow>,
    left: Option<String>,
}

/// Draws a PIN that nobody has, and digests it, away from the threads that serve.
async fn draw(console: &Console) -> Result<Option<(Pin, PinCandidate)>, StoreError> {
    let Ok(_turn) = console.passwords.acquire().await else {
        return Ok(None);
    };
    let store = console.store.clone();
    let randomness = std::sync::Arc::clone(&console.randomness);
    let now = console.clock.now();
    let drawn = tokio::task::spawn_blocking(move || {
        let reader = store.read();
        let holders = reader.user_counts(None, now)?.all;
        let salt = store.identity().pin_salt;
        let pin = offgate_core::pin::free_pin(&reader, &salt, holders, &*randomness, now)?;
        Ok(pin.map(|pin| {
            let candidate = PinCandidate::new(&pin, &salt);
            (pin, candidate)
        }))
    });
    drawn.await.unwrap_or(Ok(None))
}

async fn renew_one(
    console: &Console,
    signed_in: &SignedIn,
    credential: CredentialId,
) -> Result<Renewed, Failure> {
    let Some((pin, candidate)) = draw(console).await? else {
        return Ok(Renewed::Not("There is no free PIN.".to_owned()));
    };
    let command = Command::RenewPin {
        credential,
        new: CredentialId::random(&*console.randomness),
        pin: candidate,
    };
    let id = CommandId::random(&*console.randomness);
    Ok(match execute(console, signed_in, id, command).await {
        Ok(Executed::Done) => Renewed::To(pin),
        Ok(Executed::Refused(refusal)) => Renewed::Not(sentence(&refusal.to_string())),
        Ok(Executed::SignInAgain) => {
            return Err(Failure::SignIn(
                "/sign-in/again?next=/system/pins".to_owned(),
            ));
        }
        // Those before it have new PINs, which are shown nowhere but on this page.
        Err(_) => Renewed::Not("The store did not answer. Look whether it was renewed.".to_owned()),
    })
}

fn holder(reader: &Reader, id: CredentialId) -> Result<Option<(User, Option<String>)>, StoreError> {
    let Some(credential) = reader.credential(id)? else {
        return Ok(None);
    };
    let label = credential.label.map(|label| label.as_str().to_owned());
    Ok(match reader.user(credential.user)? {
        Some(UserRecord::Present(holder)) => Some((holder, label)),
        Some(UserRecord::Removed(_)) | None => None,
    })
}

async fn renew(
    State(console): State<Console>,
    signed_in: SignedIn,
    form: Form,
) -> Result<Response, Failure> {
    let mut rows = Vec::new();
    // When the browser goes away this ends between two of them: nobody would see the new PINs, and
    // the old ones of the rest stay on the list.
    for id in form.all("credential").take(ROWS) {
        let id: CredentialId = id
            .parse()
            .map_err(|_| Failure::BadForm("This form is not whole; load the page again."))?;
        // Whoever sends a form twice renews once: what was renewed is gone.
        let Some((holder, label)) = holder(&console.store.read(), id)? else {
            continue;
        };
        rows.push(RenewedRow {
            name: holder.profile.full_name(),
            label,
            outcome: renew_one(&console, &signed_in, id).await?,
        });
    }
    page(&RenewedPage {
        frame: signed_in.frame(&console, Section::System)?,
        rows,
        left: notice(&console.store.read())?,
    })
}
