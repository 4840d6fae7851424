//! The least that a fan-out can be: blocking sockets without TLS. One thread writes a frame to each
//! and then reads an answer from each; one thread at the other ends reads and answers.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use offgate_core::agent::AgentKey;
use offgate_core::id::StoreId;
use offgate_core::parameters::{Epoch, Revision};
use offgate_core::table::entry::TableHash;
use offgate_link::acknowledgement::{Acknowledgement, SigningKey};

use super::site::{agent_key, door};

/// As long as the frame that tells a door of a deactivation.
const FRAME: usize = 330;

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// As many bytes as an acknowledgement has.
    Plain,
    /// An acknowledgement: signed at one end, verified at the other.
    Signed,
}

/// Connections, and the thread at their other ends.
pub(crate) struct Bare {
    streams: Vec<(TcpStream, AgentKey)>,
    answers: Answers,
    answer: Vec<u8>,
    other_end: Option<JoinHandle<std::io::Result<()>>>,
}

impl Bare {
    /// Connects.
    pub(crate) fn new(count: u16, answers: Answers) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (mut streams, mut others) = (Vec::new(), Vec::new());
        for number in 0..count {
            let other = TcpStream::connect(listener.local_addr()?)?;
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            other.set_nodelay(true)?;
            let key = agent_key(number)?;
            streams.push((stream, key.public()));
            others.push((other, key));
        }
        let answer = signed(&others[0].1, &statement());
        let other_end = std::thread::spawn(move || answer_all(others, answers));
        Ok(Self {
            streams,
            answers,
            answer,
            other_end: Some(other_end),
        })
    }

    /// From before the first frame to the last answer.
    pub(crate) fn once(&mut self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        for (stream, _) in &mut self.streams {
            stream.write_all(&[1; FRAME])?;
        }
        for (stream, key) in &mut self.streams {
            stream.read_exact(&mut self.answer)?;
            if self.answers == Answers::Signed
                && let Some((statement, signature)) = self.answer.split_last_chunk::<64>()
            {
                Acknowledgement::verify(key, statement, signature)?;
            }
        }
        Ok(begun.elapsed())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // Ends the thread at the other end.
        self.streams.clear();
        if let Some(other_end) = self.other_end.take() {
            let _ = other_end.join();
        }
    }
}

/// What an agent of one door states.
fn statement() -> Vec<u8> {
    Acknowledgement {
        store: StoreId::from_bytes([1; 16]),
        epoch: Epoch {
            counter: 1,
            nonce: [2; 16],
        },
        revision: Revision::new(100_000),
        hash: TableHash([3; 32]),
        doors: vec![door(0)],
        above: Vec::new(),
    }
    .statement()
}

fn signed(key: &SigningKey, statement: &[u8]) -> Vec<u8> {
    [statement, &key.sign(statement)].concat()
}

fn answer_all(mut streams: Vec<(TcpStream, SigningKey)>, answers: Answers) -> std::io::Result<()> {
    let statement = statement();
    let plain = vec![2; statement.len() + 64];
    loop {
        for (stream, key) in &mut streams {
            let mut frame = [0; FRAME];
            stream.read_exact(&mut frame)?;
            match answers {
                Answers::Plain => stream.write_all(&plain)?,
                Answers::Signed => stream.write_all(&signed(key, &statement))?,
            }
        }
    }
}
