//! A wire between an agent and the server, in the test's own process: real connections, which it
//! can cut, leave half open, slow down, and hold bytes of.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a wire does with what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    /// It carries it.
    Everything,
    /// It carries it, a few bytes at a time.
    Slowly,
    /// It carries what the agent says, and holds what the server says.
    OnlyToServer,
    /// It carries what the server says, and holds what the agent says.
    OnlyToAgent,
    /// It holds everything, and nobody is told.
    Nothing,
    /// It is cut: there is no connection, and none can be made.
    Cut,
}

/// How many bytes go at once over a slow wire, and how long they take.
const SLOW: (usize, Duration) = (64, Duration::from_millis(10));

#[derive(Clone, Copy)]
enum Towards {
    Server,
    Agent,
}

struct Connection {
    agent: TcpStream,
    server: TcpStream,
    /// The server has lost it, and the agent is not told.
    half_open: AtomicBool,
    over: AtomicBool,
}

struct Switch {
    carries: Carries,
    connections: Vec<Arc<Connection>>,
}

struct Inside {
    switch: Mutex<Switch>,
    turned: Condvar,
}

/// A wire with a switch in it.
pub(crate) struct Wire {
    /// Where the agent finds its end.
    pub(crate) address: String,
    inside: Arc<Inside>,
}

impl Wire {
    /// Lays a wire to this address. Its threads end with the test's process.
    pub(crate) fn lay(server: String) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let inside = Arc::new(Inside {
            switch: Mutex::new(Switch {
                carries: Carries::Everything,
                connections: Vec::new(),
            }),
            turned: Condvar::new(),
        });
        let own = Arc::clone(&inside);
        std::thread::spawn(move || {
            for agent in listener.incoming().flatten() {
                own.take(agent, &server);
            }
        });
        Self { address, inside }
    }

    /// Turns the switch. What was held goes on its way, unless it is cut.
    pub(crate) fn turn(&self, carries: Carries) {
        let mut switch = self.inside.lock();
        switch.carries = carries;
        if carries == Carries::Cut {
            for connection in switch.connections.drain(..) {
                // Whoever has ended it already is not to be told.
                let _ = connection.agent.shutdown(Shutdown::Both);
                let _ = connection.server.shutdown(Shutdown::Both);
            }
        }
        drop(switch);
        self.inside.turned.notify_all();
    }

    /// Cuts it.
    pub(crate) fn cut(&self) {
        self.turn(Carries::Cut);
    }

    /// Makes it whole again.
    pub(crate) fn mend(&self) {
        self.turn(Carries::Everything);
    }

    /// Ends what connections there are at the server's end alone. The agent finds out by itself.
    pub(crate) fn leave_half_open(&self) {
        for connection in &self.inside.lock().connections {
            connection.half_open.store(true, Ordering::SeqCst);
            let _ = connection.server.shutdown(Shutdown::Both);
        }
    }
}

impl Inside {
    fn lock(&self) -> MutexGuard<'_, Switch> {
        self.switch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>, agent: TcpStream, server: &str) {
        let mut switch = self.lock();
        // Dropping it is the cut.
        if switch.carries == Carries::Cut {
            return;
        }
        let Ok(server) = TcpStream::connect(server) else {
            return;
        };
        let connection = Arc::new(Connection {
            agent,
            server,
            half_open: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let ended = |one: &Arc<Connection>| one.over.load(Ordering::SeqCst);
        switch.connections.retain(|one| !ended(one));
        switch.connections.push(Arc::clone(&connection));
        drop(switch);
        for towards in [Towards::Server, Towards::Agent] {
            let (inside, connection) = (Arc::clone(self), Arc::clone(&connection));
            std::thread::spawn(move || inside.carry(&connection, towards));
        }
    }

    /// Carries bytes one way until either end is gone.
    fn carry(&self, connection: &Connection, towards: Towards) {
        let Connection { agent, server, .. } = connection;
        let (mut from, mut to) = match towards {
            Towards::Server => (agent, server),
            Towards::Agent => (server, agent),
        };
        let half_open = || connection.half_open.load(Ordering::SeqCst);
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            let passed = self.pass(&mut to, &bytes[..read], towards);
            // What is said to an end that is gone is lost, and whoever says it is not told.
            if passed.is_err() && !half_open() {
                break;
            }
        }
        if half_open() && matches!(towards, Towards::Agent) {
            return;
        }
        connection.over.store(true, Ordering::SeqCst);
        // They may be gone already.
        let _ = agent.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }

    fn pass(&self, to: &mut &TcpStream, bytes: &[u8], towards: Towards) -> std::io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let at_once = match self.wait(towards) {
                Carries::Slowly => {
                    std::thread::park_timeout(SLOW.1);
                    SLOW.0.min(rest.len())
                }
                _ => rest.len(),
            };
            to.write_all(&rest[..at_once])?;
            rest = &rest[at_once..];
        }
        Ok(())
    }

    /// Waits until bytes may go this way.
    fn wait(&self, towards: Towards) -> Carries {
        let held = |switch: &mut Switch| match (switch.carries, towards) {
            (Carries::Everything | Carries::Slowly | Carries::Cut, _)
            | (Carries::OnlyToServer, Towards::Server)
            | (Carries::OnlyToAgent, Towards::Agent) => false,
            (Carries::Nothing, _)
            | (Carries::OnlyToServer, Towards::Agent)
            | (Carries::OnlyToAgent, Towards::Server) => true,
        };
        let switch = self.turned.wait_while(self.lock(), held);
        switch.unwrap_or_else(PoisonError::into_inner).carries
    }
}
