//! The three forms of address in the settings: where to listen, what people type, where an agent
//! finds its server.

use std::net::SocketAddr;
use std::str::FromStr as _;

use crate::terminal::quoted;

/// The port of console and agents unless another is chosen.
pub(crate) const PORT: u16 = 12445;

/// An address and port to listen at.
pub(crate) fn socket_address(text: String) -> Result<SocketAddr, String> {
    SocketAddr::from_str(&text).map_err(|_| {
        format!(
            "{} is not an address and port, as in 127.0.0.1:12480",
            quoted(&text)
        )
    })
}

/// A web address without a path, as links start with it.
pub(crate) fn web_address(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    let host = trimmed
        .strip_prefix("https://")
        .or_else(|| trimmed.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && host.chars().all(is_of_a_host) => Ok(trimmed.to_owned()),
        _ => Err(format!(
            "{} is not an address as in https://doors.example.org",
            quoted(text)
        )),
    }
}

/// `host:port`, from that or from a web address.
pub(crate) fn server_address(text: &str) -> Result<String, String> {
    let wrong = || {
        format!(
            "{} is not an address as in https://doors.example.org:{PORT}",
            quoted(text)
        )
    };
    let rest = text
        .strip_prefix("https://")
        .unwrap_or(text)
        .trim_end_matches('/');
    if rest.is_empty() || !rest.chars().all(is_of_a_host) {
        return Err(wrong());
    }
    let after_host = rest.rsplit(']').next().unwrap_or(rest);
    match after_host.rsplit_once(':') {
        None => Ok(format!("{rest}:{PORT}")),
        Some((_, port)) => port
            .parse::<u16>()
            .map(|_| rest.to_owned())
            .map_err(|_| wrong()),
    }
}

fn is_of_a_host(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '.' | '-' | ':' | '[' | ']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_get_the_port() {
        for (text, expected) in [
            ("doors.example.org", Ok("doors.example.org:12445")),
            ("https://doors.example.org/", Ok("doors.example.org:12445")),
            ("https://doors.example.org:9", Ok("doors.example.org:9")),
            ("[::1]", Ok("[::1]:12445")),
            ("[::1]:9", Ok("[::1]:9")),
            ("http://doors.example.org", Err(())),
            ("doors:port", Err(())),
            ("", Err(())),
        ] {
            let address = server_address(text);
            assert_eq!(address.as_deref().map_err(|_| ()), expected, "{text}");
        }
    }
}
