//! The program's own log: to standard error, for whoever runs the machine. No secrets and no
//! personal data go there.

use tracing_subscriber::EnvFilter;

use crate::exit::Failure;

/// Starts it with a filter as in `info` or `warn,offgate_server=debug`.
pub(crate) fn start(filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::usage(format!("log {filter:?}"), error))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // It would write to standard error that it could not write to standard error, and panic: on
        // a full disk, or when whoever read it has gone, the doors would close with it.
        .log_internal_errors(false)
        .try_init()
        .map_err(|error| Failure::unavailable("the log", error))
}
