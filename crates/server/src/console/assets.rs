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
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
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

#[cfg(test)]
mod tests {
    /// A colour as red, green and blue.
    type Colour = [f64; 3];

    /// Both colours of a token, light and dark.
    fn token(name: &str) -> [Colour; 2] {
        let css = include_str!("../../assets/console.css");
        let line = format!("--{name}: light-dark(");
        let colours = css.split(&line).nth(1).expect("the token is there");
        let colours = colours.split(')').next().unwrap_or_default();
        let mut both = colours.split(", ").map(|colour| {
            let digits = colour.trim_start_matches('#');
            [0, 2, 4].map(|at| {
                let part = u8::from_str_radix(&digits[at..at + 2], 16).expect("a colour");
                f64::from(part) / 255.0
            })
        });
        [both.next().expect("light"), both.next().expect("dark")]
    }

    /// As WCAG 2.2 defines it.
    fn luminance(colour: Colour) -> f64 {
        let [red, green, blue] = colour.map(|part| {
            if part <= 0.040_45 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(one: Colour, other: Colour) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn what_is_written_can_be_read_in_light_and_dark() {
        let pairs = [
            ("text", "page", 4.5),
            ("text", "surface", 4.5),
            ("text", "neutral-tint", 4.5),
            ("text", "accent-tint", 4.5),
            ("muted", "page", 4.5),
            ("muted", "surface", 4.5),
            ("muted", "neutral-tint", 4.5),
            ("accent", "page", 4.5),
            ("accent", "surface", 4.5),
            ("accent", "accent-tint", 4.5),
            ("on-accent", "accent", 4.5),
            ("danger", "surface", 4.5),
            ("danger", "danger-tint", 4.5),
            ("on-danger", "danger", 4.5),
            ("confirmed", "confirmed-tint", 4.5),
            ("waiting", "waiting-tint", 4.5),
            ("edge", "surface", 3.0),
            ("edge", "page", 3.0),
        ];
        for (front, back, least) in pairs {
            let (front_colours, back_colours) = (token(front), token(back));
            for (scheme, number) in [("light", 0), ("dark", 1)] {
                let ratio = contrast(front_colours[number], back_colours[number]);
                assert!(ratio >= least, "{front} on {back}, {scheme}: {ratio:.2}");
            }
        }
    }
}
