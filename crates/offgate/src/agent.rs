//! `offgate agent`: runs beside its doors until it is told to stop.

use std::sync::Arc;

use offgate_agent::clock::KernelBootClock;
use offgate_agent::strike::SimulatedStrike;
use offgate_agent::{AgentError, EVENTS_KEPT, Parameters, Settings};
use offgate_link::join_token::JoinTokenText;

use crate::exit::Failure;
use crate::settings::{Config, Join, ReaderKind};
use crate::system::{SystemClock, SystemRandomness};
use crate::terminal::secret;
use crate::{logging, stop};

/// Whether the agent outlives whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// It runs until it is told to stop.
    ItsOwn,
    /// It also ends when its standard input does.
    OfItsStarter,
}

pub(crate) fn run(config: &Config, lifetime: Lifetime) -> Result<(), Failure> {
    logging::start(&config.log.value)?;
    let settings = Settings {
        data: config.data.value.clone(),
        servers: config.servers.value.clone(),
        token: token(config)?,
        reader: match config.reader.value {
            ReaderKind::Simulated => offgate_agent::ReaderKind::Simulated,
        },
        events_kept: EVENTS_KEPT,
    };
    let parameters = Parameters {
        clock: Arc::new(SystemClock),
        boot_clock: Arc::new(KernelBootClock),
        randomness: Arc::new(SystemRandomness),
        strike: Arc::new(SimulatedStrike::default()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable("threads", error))?;
    runtime.block_on(async {
        let stop = stop::on_signal()?;
        if lifetime == Lifetime::OfItsStarter {
            stop::with_input(stop.clone())?;
        }
        offgate_agent::run(settings, parameters, stop)
            .await
            .map_err(Failure::from)
    })
}

/// The join token, if one was given. An agent that has joined needs none, so a token that is no
/// longer to be had must not keep it from starting.
fn token(config: &Config) -> Result<Option<JoinTokenText>, Failure> {
    let text = match &config.join.value {
        None => return Ok(None),
        Some(_) if offgate_agent::has_joined(&config.data.value) => return Ok(None),
        Some(Join::Token(text)) => text.clone(),
        Some(Join::ReadFrom(source)) => secret("the join token", source)?,
    };
    JoinTokenText::parse(&text)
        .map(Some)
        .map_err(|error| Failure::usage("join token", error))
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::NoServer => Self::usage("--server", "needed: where the server is"),
            AgentError::NeverJoined => Self::usage("--join or --join-file", error),
            AgentError::JoinRefused(_) => Self::usage("join token", error),
            AgentError::Folder(ref why) => Self::unavailable(&error, why),
            AgentError::InUse
            | AgentError::IdentityDamaged
            | AgentError::IdentityNewer
            | AgentError::CannotGoOn => Self::Unavailable(error.to_string()),
        }
    }
}
