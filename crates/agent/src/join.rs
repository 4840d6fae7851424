//! How an agent joins: its key is on disk already; it shows the token's secret and gets what it
//! needs to speak for its doors.

use std::time::Duration;

use offgate_core::agent::HashKey;
use offgate_core::id::{AgentId, StoreId};
use offgate_link::acknowledgement::{SigningKey, enrolment_statement};
use offgate_link::frame;
use offgate_link::join_token::JoinTokenText;
use offgate_link::message::{RefusalCode, ToAgent, ToServer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::identity_file::Joined;
use crate::session::{Over, send};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why an agent has not joined.
#[derive(Debug)]
pub(crate) enum NotJoined {
    /// The server refused, for good.
    Refused(String),
    /// Try again.
    Later(String),
}

impl From<Over> for NotJoined {
    fn from(over: Over) -> Self {
        Self::Later(over.to_string())
    }
}

impl From<std::io::Error> for NotJoined {
    fn from(error: std::io::Error) -> Self {
        Self::Later(error.to_string())
    }
}

/// Shows the token on a connection without a certificate.
pub(crate) async fn join(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    token: &JoinTokenText,
    key: &SigningKey,
) -> Result<Joined, NotJoined> {
    let possession = key.sign(&enrolment_statement(token.secret(), &key.public()));
    let enrol = ToServer::Enrol {
        secret: (*token.secret()).into(),
        key: key.public().0.into(),
        possession: possession.into(),
    };
    send(&mut stream, &enrol).await?;
    let answered = tokio::time::timeout(PATIENCE, answer(&mut stream));
    match answered.await.map_err(std::io::Error::from)?? {
        ToAgent::Enrolled {
            agent,
            store,
            hash_key,
            chain,
        } => Ok(Joined {
            agent: AgentId::from_bytes(*agent),
            store: StoreId::from_bytes(*store),
            hash_key: HashKey::from_bytes(*hash_key),
            chain: chain.into_iter().map(Into::into).collect(),
        }),
        ToAgent::Refused {
            code: RefusalCode::Later,
            words,
        } => Err(NotJoined::Later(words)),
        ToAgent::Refused { words, .. } => Err(NotJoined::Refused(words)),
        _ => Err(NotJoined::Later(
            "the server answered something else".to_owned(),
        )),
    }
}

async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> Result<ToAgent, NotJoined> {
    let mut decoder = frame::Decoder::default();
    let mut arrived = [0; 4096];
    loop {
        match decoder.next_body() {
            Ok(Some(body)) => {
                let answer = ToAgent::decode(&body);
                return answer.map_err(|error| NotJoined::Later(error.to_string()));
            }
            Ok(None) => {}
            Err(error) => return Err(NotJoined::Later(error.to_string())),
        }
        match stream.read(&mut arrived).await? {
            0 => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            read => decoder.extend(&arrived[..read]),
        }
    }
}
