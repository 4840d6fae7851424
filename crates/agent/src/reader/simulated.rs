//! A simulated reader: a private socket in the agent's own folder, and those who ask over it.
//!
//! Whoever may open the socket may stand at any door of this agent, so only the agent's own user
//! (and root) may. Nothing that comes over the link can reach it.

use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use offgate_core::credential::CredentialKind;
use offgate_core::door_position::Position;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::line::{self, LONGEST_ANSWER, LONGEST_QUESTION, Question};
use super::socket_path::{NAME, SocketPath};
use super::{Answer, At, Offered};
use crate::status::Status;

/// How many may ask at once.
const CONNECTIONS: usize = 32;
/// How long a question may take to arrive, and an answer to leave.
const PATIENCE: Duration = Duration::from_secs(5);

/// What answers at the reader.
pub(crate) trait Doors: Send + Sync + 'static {
    /// Somebody offers something. `Err` says what is wrong with the question.
    fn present(
        &self,
        at: At,
        offered: Offered,
    ) -> impl Future<Output = Result<Answer, String>> + Send;

    /// The contact of a door says how it stands. `Err` says what is wrong with that.
    fn contact(&self, door: &str, position: Position) -> Result<(), String>;
    /// The names of the doors.
    fn names(&self) -> Vec<String>;

    /// How the agent is.
    fn status(&self) -> impl Future<Output = Status> + Send;
}

/// Why nothing could be presented.
#[derive(Debug, thiserror::Error)]
pub enum PresentError {
    /// No agent runs on this folder, or it has no simulated reader.
    #[error("no agent with a simulated reader runs on this folder")]
    NoAgent(#[source] io::Error),
    /// The agent did not answer in time.
    #[error("the agent does not answer")]
    NoAnswer(#[source] io::Error),
    /// The agent could make nothing of the question: no such door, or not what a reader reads.
    #[error("{0}")]
    NotUnderstood(String),
}

/// Presents what was typed, held up or seen at a door, to the agent that runs on the folder `data`.
///
/// # Errors
/// There was no answer. A refusal is an answer.
pub fn present(
    data: &Path,
    at: At,
    kind: CredentialKind,
    value: &str,
) -> Result<Answer, PresentError> {
    typeable(value)?;
    typeable(&at.door)?;
    Offered::parse(kind, value).map_err(|error| PresentError::NotUnderstood(error.to_string()))?;
    ask(
        data,
        &Question::Present {
            at,
            kind,
            value: value.to_owned(),
        },
        line::read_answer,
    )
}

/// Has the contact of a door say how it stands, to the agent that runs on the folder `data`.
///
/// # Errors
/// It was not taken.
pub fn contact(data: &Path, door: &str, position: Position) -> Result<(), PresentError> {
    typeable(door)?;
    let door = door.to_owned();
    ask(
        data,
        &Question::Contact { door, position },
        line::read_noted,
    )
}

/// Refuses what would be another line, or another part of this one.
fn typeable(text: &str) -> Result<(), PresentError> {
    if text.contains(|character: char| character.is_control()) {
        return Err(PresentError::NotUnderstood(
            "that has characters nobody can type".to_owned(),
        ));
    }
    Ok(())
}

/// The names of the doors of the agent that runs on the folder `data`.
///
/// # Errors
/// There was no answer.
pub fn doors(data: &Path) -> Result<Vec<String>, PresentError> {
    ask(data, &Question::Doors, line::read_doors)
}

/// How the agent that runs on the folder `data` is.
///
/// # Errors
/// There was no answer.
pub fn status(data: &Path) -> Result<Status, PresentError> {
    ask(data, &Question::Status, line::read_status)
}

fn ask<T>(
    data: &Path,
    question: &Question,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, PresentError> {
    let question = question.write();
    if question.len() >= LONGEST_QUESTION {
        return Err(PresentError::NotUnderstood("that is too long".to_owned()));
    }
    let connect = || BlockingStream::connect(SocketPath::of(data)?.path());
    let mut stream = connect().map_err(PresentError::NoAgent)?;
    let answer = (|| {
        stream.set_read_timeout(Some(PATIENCE * 2))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{question}\n").as_bytes())?;
        let mut answer = String::new();
        (&stream)
            .take(LONGEST_ANSWER as u64)
            .read_to_string(&mut answer)?;
        Ok(answer)
    })()
    .map_err(PresentError::NoAnswer)?;
    let cut_short = || PresentError::NoAnswer(io::ErrorKind::UnexpectedEof.into());
    let answer = answer.strip_suffix('\n').ok_or_else(cut_short)?;
    if let Some(error) = answer.strip_prefix("error: ") {
        return Err(PresentError::NotUnderstood(error.to_owned()));
    }
    read(answer).ok_or_else(|| PresentError::NoAnswer(io::ErrorKind::InvalidData.into()))
}

/// Makes the socket. A file of its name is what an agent that was killed left behind.
pub(crate) fn bind(data: &Path) -> io::Result<UnixListener> {
    let path = SocketPath::of(data)?;
    match std::fs::remove_file(path.path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path.path())?;
    // The folder lets nobody else in, so nobody got here before this.
    std::fs::set_permissions(data.join(NAME), std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until told to stop.
pub(crate) async fn serve(listener: UnixListener, doors: Arc<impl Doors>, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of handles, most likely: wait for some to be closed.
                tracing::warn!(%error, "the simulated reader cannot accept");
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(Duration::from_secs(1)) => continue,
                }
            }
        };
        // One too many is closed at once: it gets no answer, and may ask again.
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        let (doors, stop) = (Arc::clone(&doors), stop.clone());
        tasks.spawn(async move {
            let _place = place;
            tokio::select! {
                () = stop.cancelled() => {}
                _ = answer_one(stream, &*doors) => {}
            }
        });
    }
    tasks.close();
    tasks.wait().await;
}

async fn answer_one(mut stream: UnixStream, doors: &impl Doors) -> io::Result<()> {
    let asking = stream.peer_cred()?.uid();
    if asking != rustix::process::geteuid().as_raw() && asking != 0 {
        return Ok(());
    }
    let question = tokio::time::timeout(PATIENCE, read_line(&mut stream)).await??;
    let mut answer = match question.as_deref().and_then(Question::read) {
        None => "error: that is no question".to_owned(),
        Some(Question::Contact { door, position }) => match doors.contact(&door, position) {
            Ok(()) => line::NOTED.to_owned(),
            Err(error) => format!("error: {error}"),
        },
        Some(Question::Doors) => line::write_doors(&doors.names()),
        Some(Question::Status) => line::write_status(&doors.status().await),
        Some(Question::Present { at, kind, value }) => match Offered::parse(kind, &value) {
            Err(error) => format!("error: {error}"),
            Ok(offered) => match doors.present(at, offered).await {
                Ok(answer) => answer.to_string(),
                Err(error) => format!("error: {error}"),
            },
        },
    };
    answer.push('\n');
    tokio::time::timeout(PATIENCE, stream.write_all(answer.as_bytes())).await??;
    Ok(())
}

/// One line; none if it is too long, has no end, or is no text.
async fn read_line(stream: &mut UnixStream) -> io::Result<Option<String>> {
    let mut line = Vec::with_capacity(128);
    let mut part = [0; 256];
    while line.len() < LONGEST_QUESTION {
        let read = stream.read(&mut part).await?;
        line.extend_from_slice(&part[..read]);
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            line.truncate(end);
            return Ok(String::from_utf8(line).ok());
        }
        if read == 0 {
            break;
        }
    }
    Ok(None)
}

#[cfg(test)]
#[path = "simulated_tests.rs"]
mod tests;
