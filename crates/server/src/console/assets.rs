//! Style and scripts, compiled in; their address changes with their content, so they may be kept.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::Console;

const FILES: [(&str, &str, &[u8]); 6] = [
    (
        "console.css",
        "text/css; charset=utf-8",
        include_bytes!("../../assets/console.css"),
    ),
    (
        "html.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../assets/html.js"),
    ),
    (
        "live.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../assets/live.js"),
    ),
    (
        "filter.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../assets/filter.js"),
    ),
    (
        "dialog.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../assets/dialog.js"),
    ),
    (
        "icon.svg",
        "image/svg+xml",
        include_bytes!("../../assets/icon.svg"),
    ),
];

static BASE: LazyLock<String> = LazyLock::new(|| {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for (name, _, content) in FILES {
        context.update(name.as_bytes());
        context.update(content);
    }
    let digest = context.finish();
    let hash: String = digest
        .as_ref()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("/assets/{hash}")
});

/// The folder of this build's files.
#[must_use]
pub fn base() -> &'static str {
    &BASE
}

pub(crate) fn router() -> Router<Console> {
    Router::new().route("/assets/{build}/{name}", get(file))
}

async fn file(Path((build, name)): Path<(String, String)>) -> Response {
    let found = FILES.into_iter().find(|(known, ..)| *known == name);
    let Some((_, kind, content)) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // A page of another build asks for its own; this one's must not be kept under that name.
    let kept = if base().ends_with(&build) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept)];
    (headers, content).into_response()
}
