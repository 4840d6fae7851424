//! A page from its template.

use askama::Template;
use axum::response::{Html, IntoResponse as _, Response};

use super::failure::Failure;

/// Renders a page.
pub(crate) fn page(template: &impl Template) -> Result<Response, Failure> {
    Ok(Html(template.render()?).into_response())
}
