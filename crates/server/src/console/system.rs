//! The system.
use super::Console;
use axum::Router;
pub(crate) fn router() -> Router<Console> {
    Router::new()
}
