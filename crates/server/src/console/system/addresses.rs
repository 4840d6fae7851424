//! Where agents find the server.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use offgate_core::command::Command;
use offgate_core::id::CommandId;
use offgate_core::records::Records as _;
use offgate_core::server_address::ServerAddresses;

use crate::console::Console;
use crate::console::execute::{Executed, command_id, execute};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::{Frame, Section};
use crate::console::page::page;
use crate::console::problems::Problems;
use crate::console::signed_in::SignedIn;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/system/addresses", get(ask).post(change))
}

/// The addresses that agents are told.
pub(super) fn announced(console: &Console) -> Result<Vec<String>, Failure> {
    let addresses = console.store.read().server_addresses()?;
    let all = addresses.iter().map(|address| address.as_str().to_owned());
    Ok(all.collect())
}

#[derive(Template)]
#[template(path = "system/addresses.html")]
struct AddressesPage {
    frame: Frame,
    form: Form,
    problems: Problems,
}

async fn ask(State(console): State<Console>, signed_in: SignedIn) -> Result<Response, Failure> {
    let mut form = Form::default();
    let command = CommandId::random(&*console.randomness).to_string();
    form.set("command", command);
    let addresses = console.store.read().server_addresses()?;
    form.set("addresses", addresses.to_lines());
    page(&AddressesPage {
        frame: signed_in.frame(&console, Section::System)?,
        form,
        problems: Problems::default(),
    })
}

async fn change(
    State(console): State<Console>,
    signed_in: SignedIn,
    form: Form,
) -> Result<Response, Failure> {
    let mut problems = Problems::default();
    match ServerAddresses::from_lines(form.text("addresses")) {
        Err(error) => problems.add("addresses", &error.to_string()),
        Ok(addresses) => {
            let command = Command::AnnounceAddresses(addresses);
            let id = command_id(&console, &form);
            match execute(&console, &signed_in, id, command).await? {
                Executed::Done => {
                    return Ok(Redirect::to("/system?done=addresses").into_response());
                }
                Executed::Refused(refusal) => {
                    problems.refused(&console.store.read(), &refusal)?;
                }
                Executed::SignInAgain => {
                    let to = "/sign-in/again?next=/system/addresses";
                    return Ok(Redirect::to(to).into_response());
                }
            }
        }
    }
    let drawn = AddressesPage {
        frame: signed_in.frame(&console, Section::System)?,
        form,
        problems,
    };
    let html = Html(drawn.render()?);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}
