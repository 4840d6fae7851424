//! A connection without a certificate: all it may do is enrol.

use std::sync::Arc;
use std::time::Duration;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, AgentKey, AgentState, HashKey, JoinTokenState};
use offgate_core::command::Command;
use offgate_core::id::{AgentId, CommandId};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::records::Records as _;
use offgate_core::text::Title;
use offgate_link::acknowledgement::verify_enrolment;
use offgate_link::frame;
use offgate_link::join_token::secret_hash;
use offgate_link::message::{RefusalCode, ToAgent, ToServer};
use offgate_store::Outcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Shared;
use crate::listener::{Stream, refuse};

/// How long the one message may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hears one message and answers it.
pub(crate) async fn enrol(stream: &mut Stream, shared: &Arc<Shared>) {
    let heard = tokio::time::timeout(PATIENCE, hear(stream)).await;
    let Ok(Some(ToServer::Enrol {
        secret,
        key,
        possession,
    })) = heard
    else {
        return refuse(
            stream,
            RefusalCode::Protocol,
            "only enrolment without a certificate",
        )
        .await;
    };
    let key = AgentKey(*key);
    if verify_enrolment(&secret, &key, &possession).is_err() {
        return refuse(stream, RefusalCode::Protocol, "not the holder of this key").await;
    }
    match carry_out(shared, &secret, key).await {
        Ok(answer) => {
            if let Ok(frame) = frame::encode(&answer.encode()) {
                // A lost answer is asked for again, with the same key.
                let _ = stream.write_all(&frame).await;
                let _ = stream.shutdown().await;
            }
        }
        Err((code, words)) => refuse(stream, code, words).await,
    }
}

async fn hear(stream: &mut Stream) -> Option<ToServer> {
    let mut decoder = frame::Decoder::default();
    let mut bytes = [0; 1024];
    // One small message; more than this is none.
    for _ in 0..8 {
        if let Some(body) = decoder.next_body().ok()? {
            return ToServer::decode(&body).ok();
        }
        let read = stream.read(&mut bytes).await.ok()?;
        decoder.extend(bytes.get(..read).filter(|read| !read.is_empty())?);
    }
    None
}

type Refused = (RefusalCode, &'static str);

async fn carry_out(
    shared: &Arc<Shared>,
    secret: &[u8; 16],
    key: AgentKey,
) -> Result<ToAgent, Refused> {
    let later = |error| {
        tracing::error!(%error, "could not enrol an agent");
        (RefusalCode::Later, "the store is not available")
    };
    let spent = (RefusalCode::TokenSpent, "this join token does not work");
    let secret = secret_hash(secret);
    let id = AgentId::random(&*shared.randomness);
    let agent = Agent {
        id,
        revision: Revision::ZERO,
        // The token names it; the rule ignores this one.
        name: Title::parse("joining").map_err(|_| spent)?,
        key,
        hash_key: HashKey::random(&*shared.randomness),
        enrolled_at: Timestamp::from_seconds(0),
        state: AgentState::Enrolled,
    };
    let command = Command::EnrolAgent { secret, agent };
    let command_id = CommandId::random(&*shared.randomness);
    match shared
        .store
        .execute(command_id, Actor::JoiningAgent(id), command)
        .await
        .map_err(later)?
    {
        Outcome::Done { .. } => {}
        Outcome::Refused(_) => return Err(spent),
    }
    // When the same key asked again, it is the agent it became the first time.
    let reader = shared.store.read();
    let token = reader
        .join_token_with(&secret)
        .map_err(later)?
        .ok_or(spent)?;
    let JoinTokenState::Used { by } = token.state else {
        return Err(spent);
    };
    let agent = reader.agent(by).map_err(later)?.ok_or(spent)?;
    let chain = shared.keys.vouch(agent.id, &agent.key).map_err(|error| {
        tracing::error!(%error, "could not make a certificate");
        (RefusalCode::Later, "no certificate could be made")
    })?;
    Ok(ToAgent::Enrolled {
        agent: (*agent.id.as_bytes()).into(),
        store: (*shared.store.identity().store.as_bytes()).into(),
        hash_key: (*agent.hash_key.as_bytes()).into(),
        chain: chain.into_iter().map(Into::into).collect(),
    })
}
