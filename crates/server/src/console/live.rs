//! Parts of a page that stay true while it is open, over server-sent events.
//!
//! A page names its live parts by id and an address. What is sent is always a whole part as the
//! page itself would draw it, so nothing is lost when events are.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use tokio_stream::wrappers::ReceiverStream;

use super::Console;
use super::failure::Failure;
use super::frame::NotConfirmed;
use super::signed_in::SignedIn;

/// How often a part is drawn anew although nothing was heard: time itself changes what is true.
const DRAW_EVERY: Duration = Duration::from_secs(1);
/// How long to wait after drawing, so that a storm of changes is drawn once.
const REST: Duration = Duration::from_millis(200);
/// How often something is sent when nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A part of a page.
pub(crate) struct Fragment {
    id: &'static str,
    html: String,
}

impl Fragment {
    /// The part with this id, as its template draws it.
    pub(crate) fn of(id: &'static str, template: &impl askama::Template) -> Result<Self, Failure> {
        Ok(Self {
            id,
            html: template.render()?,
        })
    }

    fn event(&self) -> Event {
        let data = serde_json::json!({ "id": self.id, "html": self.html });
        Event::default().event("part").data(data.to_string())
    }
}

/// The parts of a page, and what stands beside its navigation.
fn drawn(
    console: &Console,
    draw: &impl Fn() -> Result<Vec<Fragment>, Failure>,
) -> Result<Vec<Fragment>, Failure> {
    let mut fragments = draw()?;
    let not_confirmed = NotConfirmed::now(console)?;
    fragments.push(Fragment::of(NotConfirmed::ID, &not_confirmed)?);
    Ok(fragments)
}

/// Draws parts again and again, and sends those that are not as they were, until the browser
/// goes, the session ends, or the server stops.
pub(crate) fn stream(
    console: Console,
    signed_in: SignedIn,
    draw: impl Fn() -> Result<Vec<Fragment>, Failure> + Send + 'static,
) -> Response {
    let Ok(place) = Arc::clone(&console.streams).try_acquire_owned() else {
        // The page is as it was drawn; it reloads by hand.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let (events, receiver) = tokio::sync::mpsc::channel::<Result<Event, Infallible>>(4);
    let tasks = console.tasks.clone();
    tasks.spawn(async move {
        let _place = place;
        let mut heard = console.store.heard();
        let mut sent: HashMap<&'static str, String> = HashMap::new();
        loop {
            // A page that cannot be drawn now is drawn the next time; what is shown stays, and the
            // browser notices when the stream has ended for good.
            if let Ok(fragments) = drawn(&console, &draw) {
                for fragment in fragments {
                    if sent.get(fragment.id) == Some(&fragment.html) {
                        continue;
                    }
                    let event = fragment.event();
                    sent.insert(fragment.id, fragment.html);
                    if events.send(Ok(event)).await.is_err() {
                        return;
                    }
                }
            }
            let rested = async {
                tokio::time::sleep(REST).await;
                let _ = tokio::time::timeout(DRAW_EVERY, heard.changed()).await;
            };
            tokio::select! {
                () = console.stopping.cancelled() => return,
                () = events.closed() => return,
                () = rested => {}
            }
            if !signed_in.still(&console).unwrap_or(true) {
                return;
            }
        }
    });
    let stream =
        Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    let mut response = stream.into_response();
    // A proxy that collects the stream before passing it on would make it useless.
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}
