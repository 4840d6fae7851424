//! When the program is asked to end: by Ctrl-C, by whoever manages the machine, or because
//! whoever started it is gone.

use std::io::Read as _;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;

/// Listens for SIGINT and SIGTERM from now on. The token is cancelled at the first; a second ends
/// the process at once, for whoever has no patience left.
pub(crate) fn on_signal() -> Result<CancellationToken, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::unavailable("signals", error));
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first {
                asked.cancel();
            } else {
                std::process::exit(130);
            }
        }
    });
    Ok(stop)
}

/// Cancels `stop` also when the terminal is closed, for what makes no sense without one.
pub(crate) fn on_hangup(stop: CancellationToken) -> Result<(), Failure> {
    let mut hangup =
        signal(SignalKind::hangup()).map_err(|error| Failure::unavailable("signals", error))?;
    tokio::spawn(async move {
        hangup.recv().await;
        stop.cancel();
    });
    Ok(())
}

/// Cancels `stop` when standard input ends. A thread of its own, as nothing can interrupt a read
/// of standard input; it ends with the process.
pub(crate) fn with_input(stop: CancellationToken) -> Result<(), Failure> {
    std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            let mut ignored = [0; 256];
            let mut input = std::io::stdin().lock();
            while input.read(&mut ignored).is_ok_and(|read| read > 0) {}
            stop.cancel();
        })
        .map(|_| ())
        .map_err(|error| Failure::unavailable("standard input", error))
}

/// A message each time a line is entered at the terminal; none any more once standard input ends.
pub(crate) fn lines() -> Result<tokio::sync::mpsc::Receiver<()>, Failure> {
    let (entered, lines) = tokio::sync::mpsc::channel(1);
    std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            for line in std::io::stdin().lines() {
                // One that waits already is enough.
                let full = entered.try_send(());
                let gone = matches!(
                    full,
                    Err(tokio::sync::mpsc::error::TrySendError::Closed(()))
                );
                if line.is_err() || gone {
                    return;
                }
            }
        })
        .map(|_| lines)
        .map_err(|error| Failure::unavailable("standard input", error))
}
