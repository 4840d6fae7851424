//! A form as it was sent: names and texts, nothing believed yet.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};

use super::failure::Failure;

/// How long a form may take to arrive.
const WITHIN: Duration = Duration::from_secs(20);
/// The most fields that are read.
const FIELDS: usize = 1_000;

/// What was typed and chosen. Kept as it came, so that a form that is refused shows it again.
#[derive(Clone, Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
}

impl Form {
    /// What was typed in a field; nothing, if it was not sent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map_or("", |(_, text)| text.as_str())
    }

    /// The same, unless it is empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        Some(self.text(name).trim()).filter(|text| !text.is_empty())
    }

    /// Everything chosen under a name.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.fields
            .iter()
            .filter(move |(field, _)| field == name)
            .map(|(_, text)| text.as_str())
    }

    /// Sets a field, as a page that is drawn for the first time does.
    pub(crate) fn set(&mut self, name: &str, text: impl Into<String>) {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.to_owned(), text.into()));
    }

    /// Adds one more choice under a name.
    pub(crate) fn add(&mut self, name: &str, text: impl Into<String>) {
        self.fields.push((name.to_owned(), text.into()));
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let body = tokio::time::timeout(WITHIN, Bytes::from_request(request, state))
            .await
            .map_err(|_| Failure::BadForm("It took too long to arrive."))?
            .map_err(|_| Failure::BadForm("It was too large, or ended early."))?;
        let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(&body)
            .map_err(|_| Failure::BadForm("It was not sent as a form."))?;
        if fields.len() > FIELDS {
            return Err(Failure::BadForm("It had too many fields."));
        }
        Ok(Self { fields })
    }
}
