//! The console: pages rendered here, for people who run a site.
//!
//! Owns: who is signed in, what pages say, and how a form becomes a command. Refuses to know:
//! rules (it asks the store to carry commands out and shows what it answers) and which database
//! there is. Everything works as links and forms; scripts only shorten the way.

mod activity;
mod assets;
mod door_state;
mod doors;
mod ending;
mod execute;
mod failure;
mod form;
mod frame;
mod headers;
mod history;
mod live;
mod one_time_link;
mod page;
mod paging;
mod password;
mod people;
mod problems;
mod restored;
mod sign_in;
mod signed_in;
mod start;
mod system;
mod tables;
mod throttle;
mod timeline;
mod times;
mod today;
mod tried;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use tower_http::csrf::CsrfLayer;

use crate::Shared;

pub use assets::base as assets;
pub use one_time_link::{LinkSecret, one_time_link};
pub use password::password_hash;
pub(crate) use throttle::Throttle;
pub(crate) use times::zone;

/// What every page can use.
pub(crate) type Console = Arc<Shared>;

/// The most bytes of a form.
const FORM_LIMIT: usize = 64 * 1024;

/// How browsers reach this console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Over TLS, ended here.
    Tls,
    /// Without: on this machine, or behind a proxy that ends TLS.
    Plain,
}

/// Every page, for browsers that come this way.
pub(crate) fn router(console: Console, transport: Transport, demo: Option<Router>) -> Router {
    let pages = Router::new()
        .merge(today::router())
        .merge(people::router())
        .merge(doors::router())
        .merge(activity::router())
        .merge(system::router())
        .merge(sign_in::router())
        .merge(start::router())
        .merge(assets::router())
        .fallback(failure::not_found)
        .with_state(Arc::clone(&console));
    let pages = match demo {
        Some(demo) => pages.merge(demo),
        None => pages,
    };
    pages
        .layer(DefaultBodyLimit::max(FORM_LIMIT))
        .layer(CsrfLayer::new())
        .layer(middleware::from_fn(move |request, next| {
            headers::add(transport, request, next)
        }))
        .layer(axum::Extension(transport))
}
