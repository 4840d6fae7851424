//! What a page answers when it cannot be shown: which of these, in which words, with which status.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use offgate_store::StoreError;

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is none at this address.
    NotFound,
    /// There was somebody, and they were removed.
    Gone {
        words: String,
        /// The page of their erasure, while they are not erased; for administrators.
        more: Option<String>,
    },
    /// This operator may not; the words say what would be needed.
    NotAllowed(String),
    /// The form could not be read.
    BadForm(&'static str),
    /// Nobody is signed in, or not any more: where to go to.
    SignIn(String),
    /// The store did not answer. Says nothing of what is there.
    Store(StoreError),
    /// The store did not carry out what was asked for, or does not know whether it did.
    NotDone(StoreError),
    /// A template failed.
    Render(askama::Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        Self::Render(error)
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    assets: &'static str,
    heading: &'a str,
    words: &'a str,
    more: Option<&'a str>,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut more = None;
        let (status, heading, words) = match self {
            Self::SignIn(to) => return Redirect::to(&to).into_response(),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "There is no such page",
                "It may have been deleted, or the address was mistyped.".to_owned(),
            ),
            Self::Gone {
                words,
                more: erasure,
            } => {
                more = erasure;
                (StatusCode::GONE, "This person was removed", words)
            }
            Self::NotAllowed(words) => (StatusCode::FORBIDDEN, "You may not do this", words),
            Self::BadForm(words) => (
                StatusCode::BAD_REQUEST,
                "This form could not be read",
                words.to_owned(),
            ),
            Self::NotDone(error) => {
                tell(&error, "the store did not carry out what a page asked for");
                let (heading, words) = not_done(&error);
                (StatusCode::SERVICE_UNAVAILABLE, heading, words.to_owned())
            }
            Self::Store(error) => {
                tell(&error, "the store did not answer a page");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Offgate cannot read or write its records just now",
                    "Nothing is said here about anybody. Doors go on deciding by what they have. \
                     Try again in a moment; if it stays so, run “offgate doctor” on the server."
                        .to_owned(),
                )
            }
            Self::Render(error) => {
                tracing::error!(%error, "a page could not be drawn");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "This page could not be drawn",
                    "This is a mistake in Offgate. Nothing was changed by it.".to_owned(),
                )
            }
        };
        let page = FailurePage {
            assets: super::assets::base(),
            heading,
            words: &words,
            more: more.as_deref(),
        };
        match page.render() {
            Ok(page) => (status, Html(page)).into_response(),
            Err(_) => (status, heading.to_owned()).into_response(),
        }
    }
}

fn tell(error: &StoreError, what: &str) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(%error, ?cause, "{what}");
}

/// What is said to whoever asked for something, and has to know whether it was done.
const fn not_done(error: &StoreError) -> (&'static str, &'static str) {
    match error {
        StoreError::OutcomeUnknown => (
            "It is not known whether this was done",
            "Look whether it was, and if not, go back and send it again: to deactivate somebody \
             twice does no harm. If it stays so, run “offgate doctor” on the server.",
        ),
        _ => (
            "This was not done",
            "Offgate cannot write its records just now, so nothing was changed: doors go on \
             deciding by what they have. Go back and send it again in a moment; if it stays so, run \
             “offgate doctor” on the server.",
        ),
    }
}

/// Any other address.
pub(super) async fn not_found() -> Failure {
    Failure::NotFound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_to_be_undone_that_may_have_been_done() {
        let (heading, words) = not_done(&StoreError::OutcomeUnknown);
        assert_eq!(heading, "It is not known whether this was done");
        assert!(!words.contains("nothing was changed"), "{words}");
        let (heading, words) = not_done(&StoreError::Overloaded);
        assert_eq!(heading, "This was not done");
        assert!(words.contains("nothing was changed"), "{words}");
    }
}
