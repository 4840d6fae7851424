//! A program for tests that listens where a webhook is: with TLS or without, and answers as it is told
//! to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::listener::{certificates, locked};

/// How it answers from the next request on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// With this status, and nothing more.
    Status(u16),
    /// With a redirect to its own other path.
    Elsewhere,
    /// With 200 and a body that does not end.
    Endless,
    /// With a head that does not end.
    EndlessHead,
    /// Not at all.
    Never,
}

/// What it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) first_line: String,
    pub(crate) head: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut found = self.head.iter().filter(|(it, _)| it == name);
        let (_, value) = found.next().expect(name);
        assert!(found.next().is_none(), "{name} twice");
        value
    }
}

#[derive(Clone)]
struct Shared {
    config: Option<Arc<ServerConfig>>,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

pub(crate) struct Listener {
    shared: Shared,
    pub(crate) port: u16,
    /// Who vouches for it, in PEM.
    pub(crate) authority: String,
}

impl Listener {
    pub(crate) fn start(tls: bool) -> Self {
        let (authority, config) = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Shared {
            config: tls.then(|| Arc::new(config)),
            answer: Arc::new(Mutex::new(Answer::Status(200))),
            asked: Arc::default(),
            connections: Arc::default(),
        };
        let listening = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = listening.clone();
                // Whoever hangs up in the middle has heard enough.
                std::thread::spawn(move || shared.meet(stream).ok());
            }
        });
        Self {
            shared,
            port,
            authority,
        }
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *locked(&self.shared.answer) = answer;
    }

    pub(crate) fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        locked(&self.shared.asked)
    }

    pub(crate) fn connections(&self) -> usize {
        locked(&self.shared.connections).len()
    }
}

fn read(stream: &mut impl Read) -> std::io::Result<Asked> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    let text = String::from_utf8(bytes).map_err(std::io::Error::other)?;
    let mut lines = text.lines();
    let first_line = lines.next().unwrap_or_default().to_owned();
    let head: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = head
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Asked {
        first_line,
        head,
        body: String::from_utf8(body).map_err(std::io::Error::other)?,
    })
}

impl Shared {
    fn meet(&self, stream: TcpStream) -> std::io::Result<()> {
        locked(&self.connections).push(stream.try_clone()?);
        match &self.config {
            None => self.talk(stream),
            Some(config) => {
                let connection =
                    ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
                self.talk(StreamOwned::new(connection, stream))
            }
        }
    }

    fn talk<S: Read + Write>(&self, mut stream: S) -> std::io::Result<()> {
        let asked = read(&mut stream)?;
        locked(&self.asked).push(asked);
        let answer = *locked(&self.answer);
        match answer {
            Answer::Status(status) => stream.write_all(
                format!("HTTP/1.1 {status} so\r\nContent-Length: 0\r\n\r\n").as_bytes(),
            )?,
            Answer::Elsewhere => stream.write_all(
                b"HTTP/1.1 307 there\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
            )?,
            Answer::Endless => {
                stream.write_all(b"HTTP/1.1 200 yes\r\n\r\n")?;
                loop {
                    stream.write_all(&[b'x'; 4096])?;
                }
            }
            Answer::EndlessHead => {
                stream.write_all(b"HTTP/1.1 200 yes\r\n")?;
                loop {
                    stream.write_all(b"x: y\r\n")?;
                }
            }
            Answer::Never => loop {
                std::thread::park();
            },
        }
        stream.flush()
    }
}
