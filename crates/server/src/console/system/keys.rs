//! The server's own keys: what each is for and since when, for owners; and the page to keep outside.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use offgate_core::calendar::write_minute;
use offgate_core::operator::Role;

use crate::console::failure::Failure;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::signed_in::SignedIn;
use crate::console::words::sentence;
use crate::console::{Console, times};
use crate::keys_page::KeysPage;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/system/keys", get(keys))
        .route("/system/keys/page", get(to_print))
}

/// A key as the page shows it.
struct KeyRow {
    name: String,
    purpose: String,
    since: String,
    fingerprint: Option<String>,
    /// What replaces it, typed on the server.
    command: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "system/keys.html")]
struct KeysOverview {
    frame: Frame,
    rows: Vec<KeyRow>,
}

#[derive(Template)]
#[template(path = "system/keys_page.html")]
struct PageToPrint {
    frame: Frame,
    words: KeysPage,
}

/// "Log key"; the passphrase is none.
fn name(word: &str) -> String {
    let name = sentence(word);
    let name = name.trim_end_matches('.');
    match word {
        "passphrase" => name.to_owned(),
        _ => format!("{name} key"),
    }
}

fn owner(signed_in: &SignedIn) -> Result<(), Failure> {
    if signed_in.operator.role == Role::Owner {
        Ok(())
    } else {
        Err(Failure::NotAllowed(
            "The server’s keys are shown to owners.".to_owned(),
        ))
    }
}

async fn keys(State(console): State<Console>, signed_in: SignedIn) -> Result<Response, Failure> {
    owner(&signed_in)?;
    let zone = times::zone(&console.store.read())?;
    let rows = console.keys.list().into_iter().map(|key| KeyRow {
        name: name(key.name),
        purpose: sentence(key.purpose),
        since: write_minute(&zone, key.made_at),
        fingerprint: key.fingerprint.map(|fingerprint| fingerprint.to_string()),
        command: match key.name {
            "issuing" | "backup" => Some("offgate keys rotate issuing"),
            "link" => Some("offgate keys rotate link"),
            "log" => Some("offgate keys rotate log"),
            "passphrase" => Some("offgate keys passphrase"),
            _ => None,
        },
    });
    page(&KeysOverview {
        frame: signed_in.frame(&console, Section::System)?,
        rows: rows.collect(),
    })
}

async fn to_print(
    State(console): State<Console>,
    signed_in: SignedIn,
) -> Result<Response, Failure> {
    owner(&signed_in)?;
    let zone = times::zone(&console.store.read())?;
    let printed = write_minute(&zone, console.clock.now());
    page(&PageToPrint {
        frame: signed_in.frame(&console, Section::System)?,
        words: KeysPage::of(
            console.store.identity().store,
            console.keys.fingerprint(),
            printed,
        ),
    })
}
