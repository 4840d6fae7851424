//! Follows the store's keys while the server runs: another program may replace one.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::sync::watch;

use crate::keys::{Looked, NoteError};
use crate::{Shared, listener};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// Has the log tell of what was replaced when nobody could say so.
pub(crate) async fn note(shared: &Arc<Shared>) -> Result<(), NoteError> {
    let (keys, store) = (Arc::clone(&shared.keys), shared.store.clone());
    match tokio::task::spawn_blocking(move || keys.note(&store)).await {
        Ok(noted) => noted,
        Err(over) => std::panic::resume_unwind(over.into_panic()),
    }
}

/// Meets agents with the link's key as it is now. Those that are connected are sent away, so that
/// they come back and see it.
pub(crate) async fn follow(link: watch::Sender<Arc<ServerConfig>>, shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        match shared.keys.look_again() {
            Ok(Looked::TheSame) => {}
            Ok(Looked::AnotherLink) => match listener::link_config(&shared.keys) {
                Ok(config) => {
                    link.send_replace(config);
                    shared.agents.end_all();
                    tracing::info!("the link has another key; agents are asked to come back");
                }
                Err(error) => tracing::error!(%error, "the link's new key cannot be used"),
            },
            Err(error) => tracing::error!(%error, "the keys cannot be read again"),
        }
    }
}
