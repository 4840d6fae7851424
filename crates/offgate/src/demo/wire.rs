//! The wire between a door's agent and the server, with a switch in it: a small TCP proxy on
//! loopback. Cutting it ends the agent's connection, not its process.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Whether anything gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// It does.
    Whole,
    /// It does not.
    Cut,
}

/// One wire and its switch.
#[derive(Debug)]
pub(super) struct Switch {
    address: SocketAddr,
    wire: watch::Sender<Wire>,
}

impl Switch {
    /// Lays a wire to `server` that ends when `stop` does.
    pub(super) async fn lay(
        server: SocketAddr,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (wire, seen) = watch::channel(Wire::Whole);
        let inner = tasks.clone();
        tasks.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = stop.cancelled() => break,
                    accepted = listener.accept() => accepted,
                };
                // A connection that failed before it was accepted is the other side's to repeat.
                if let Ok((agent, _)) = accepted {
                    inner.spawn(carry(agent, server, seen.clone(), stop.clone()));
                }
            }
        });
        Ok(Self { address, wire })
    }

    /// Where the agent's end is.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it is cut.
    pub(super) fn state(&self) -> Wire {
        *self.wire.borrow()
    }

    /// Cuts or mends it.
    pub(super) fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

/// How long somebody who calls over a cut wire is left without an answer.
const SILENCE: Duration = Duration::from_secs(15);

/// Carries one connection until either side ends it or the wire is cut. Dropping both sockets is
/// the cut. Over a cut wire nobody answers; when it is mended meanwhile, the call goes through, as
/// the agent's next packet would.
async fn carry(
    mut agent: TcpStream,
    server: SocketAddr,
    mut wire: watch::Receiver<Wire>,
    stop: CancellationToken,
) {
    let mended = tokio::select! {
        () = stop.cancelled() => return,
        mended = timeout(SILENCE, wire.wait_for(|wire| *wire == Wire::Whole)) => {
            matches!(mended, Ok(Ok(_)))
        }
    };
    if !mended {
        return;
    }
    let both_ways = async {
        let mut server = TcpStream::connect(server).await?;
        copy_bidirectional(&mut agent, &mut server).await
    };
    tokio::select! {
        () = stop.cancelled() => {}
        _ = wire.wait_for(|wire| *wire == Wire::Cut) => {}
        // How a connection ended is for its two ends to say.
        _ = both_ways => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    async fn echo(listener: TcpListener) {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = socket.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    }

    async fn says(address: SocketAddr) -> Option<TcpStream> {
        let mut socket = TcpStream::connect(address).await.ok()?;
        socket.write_all(b"hello").await.ok()?;
        let mut heard = [0; 5];
        socket.read_exact(&mut heard).await.ok()?;
        (&heard == b"hello").then_some(socket)
    }

    #[tokio::test]
    async fn a_cut_wire_carries_nothing_and_a_mended_one_does_again() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a socket");
        let server = listener.local_addr().expect("an address");
        tokio::spawn(echo(listener));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let switch = Switch::lay(server, &tasks, stop.clone())
            .await
            .expect("a wire");

        let mut open = says(switch.address()).await.expect("an answer");
        switch.set(Wire::Cut);
        let ended = timeout(SOON, open.read(&mut [0; 1]))
            .await
            .expect("the end, in time");
        assert!(matches!(ended, Ok(0) | Err(_)), "the open connection ends");
        let mut call = tokio::spawn(says(switch.address()));
        let heard = timeout(Duration::from_millis(300), &mut call).await;
        assert!(heard.is_err(), "no new one carries anything");

        switch.set(Wire::Whole);
        let heard = timeout(SOON, call).await.expect("an answer, in time");
        assert!(
            heard.expect("no panic").is_some(),
            "a mended wire carries again"
        );

        stop.cancel();
        tasks.close();
        timeout(SOON, tasks.wait()).await.expect("no task is left");
    }
}
