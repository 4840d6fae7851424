//! Tells agents when they are to find the server elsewhere.

use std::sync::Arc;

use offgate_core::records::Records as _;

use crate::Shared;

/// Sends every agent away when the addresses are others, so that it comes back and is told, until
/// the server stops.
pub(crate) async fn follow(shared: Arc<Shared>) {
    let mut changed = shared.store.changed();
    let mut told = None;
    loop {
        match shared.store.read().server_addresses() {
            Ok(now) => {
                if told.replace(now.clone()).is_some_and(|told| told != now) {
                    tracing::info!("the server has other addresses; agents are asked to come back");
                    shared.agents.end_all();
                }
            }
            // Looked at again with the next change.
            Err(error) => tracing::error!(%error, "the server's addresses cannot be read"),
        }
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            woken = changed.changed() => if woken.is_err() { return },
        }
    }
}
