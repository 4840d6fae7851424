//! Links that let somebody in once, as the command line prints them. They are shown to whoever
//! asked and to nobody else: not logged, and kept as a digest only.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use offgate_core::parameters::{Clock, Randomness};
use offgate_store::Store;
use offgate_store::sign_in::LinkPurpose;

use crate::books::Books;
use crate::exit::Failure;
use crate::settings::Config;

/// How long a link may be used.
pub(crate) const VALID: Duration = Duration::from_secs(600);

/// Makes a link for somebody who asked for it at the command line.
pub(crate) fn create(
    books: &Books,
    config: &Config,
    purpose: LinkPurpose,
) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Failure::unavailable("threads", error))?;
    let address = address(config, config.listen.value, config.http.value);
    runtime.block_on(text(
        books.store(),
        books.clock(),
        books.randomness(),
        purpose,
        &address,
    ))
}

/// Makes a link to the console at `address`.
pub(crate) async fn text(
    store: &Store,
    clock: &dyn Clock,
    randomness: &dyn Randomness,
    purpose: LinkPurpose,
    address: &str,
) -> Result<String, Failure> {
    let secret = offgate_server::one_time_link(store, clock, randomness, purpose, VALID).await?;
    Ok(format!("{address}/start/{secret}"))
}

/// Where people find the console: as the settings say, or else where it listens on this machine.
pub(crate) fn address(config: &Config, listen: SocketAddr, http: Option<SocketAddr>) -> String {
    if let Some(address) = &config.address.value {
        return address.clone();
    }
    let reachable = |address: SocketAddr| match address.ip() {
        // "Everywhere" is no place to go to; this machine is one of them.
        IpAddr::V4(ip) if ip.is_unspecified() => {
            SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
        }
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
        }
        _ => address,
    };
    match http {
        Some(http) => format!("http://{}", reachable(http)),
        None => format!("https://{}", reachable(listen)),
    }
}
