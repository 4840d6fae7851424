//! Where agents find the server. Each is told all of them, so that one that is told of an address
//! today finds the server there when it has moved.

use crate::text::TextError;

/// A host and a port: `doors.example.org:12445`, `[2001:db8::1]:12445`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerAddress(String);

impl ServerAddress {
    /// The most characters.
    pub const LIMIT: usize = 260;

    /// Reads one.
    ///
    /// # Errors
    /// It has no host or no port, or characters that neither has.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let wrong = TextError::Shape("a host and a port, as in doors.example.org:12445");
        if text.len() > Self::LIMIT {
            return Err(TextError::TooLong {
                limit: Self::LIMIT,
                length: text.len(),
            });
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(wrong);
        };
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let is_host = !host.is_empty()
            && host.chars().all(is_of_a_host)
            && (bracketed || !host.contains([':', '[', ']']));
        match port.parse::<u16>() {
            Ok(1..) if is_host && port.bytes().all(|digit| digit.is_ascii_digit()) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(wrong),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_of_a_host(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '.' | '-' | ':' | '[' | ']')
}

/// The addresses that agents are told, in the order in which they try them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerAddresses(Vec<ServerAddress>);

impl ServerAddresses {
    /// The most of them.
    pub const MOST: usize = 8;

    /// These, each once.
    ///
    /// # Errors
    /// There are too many.
    pub fn new(all: impl IntoIterator<Item = ServerAddress>) -> Result<Self, TextError> {
        let mut once = Vec::new();
        for address in all {
            if !once.contains(&address) {
                once.push(address);
            }
        }
        if once.len() > Self::MOST {
            return Err(TextError::Shape("8 addresses at most"));
        }
        Ok(Self(once))
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = &ServerAddress> {
        self.0.iter()
    }

    /// Reads them from lines, one to a line; empty lines are none.
    ///
    /// # Errors
    /// A line is no address, or there are too many.
    pub fn from_lines(text: &str) -> Result<Self, TextError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let all: Result<Vec<_>, _> = lines.map(ServerAddress::parse).collect();
        Self::new(all?)
    }

    /// One to a line.
    #[must_use]
    pub fn to_lines(&self) -> String {
        let lines: Vec<_> = self.iter().map(ServerAddress::as_str).collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port() {
        for (text, is_one) in [
            ("doors.example.org:12445", true),
            ("10.0.0.7:443", true),
            ("[2001:db8::1]:12445", true),
            ("t\u{fc}ren.example:12445", true),
            ("doors.example.org", false),
            ("doors.example.org:", false),
            ("doors.example.org:0", false),
            ("doors.example.org:70000", false),
            ("doors.example.org:+443", false),
            (":443", false),
            ("2001:db8::1:443", false),
            ("https://doors.example.org:443", false),
            ("doors example:443", false),
            ("", false),
        ] {
            assert_eq!(ServerAddress::parse(text).is_ok(), is_one, "{text}");
        }
        let long = format!("{}:443", "a".repeat(300));
        assert!(ServerAddress::parse(&long).is_err());
    }

    #[test]
    fn eight_at_most_each_once_and_written_as_read() {
        let lines = "b:1\n\n a:1 \nb:1\n";
        let read = ServerAddresses::from_lines(lines).expect("addresses");
        assert_eq!(read.to_lines(), "b:1\na:1");
        assert_eq!(ServerAddresses::from_lines(&read.to_lines()), Ok(read));
        let nine: String = (1..=9).map(|port| format!("a:{port}\n")).collect();
        assert!(ServerAddresses::from_lines(&nine).is_err());
        assert_eq!(
            ServerAddresses::from_lines(""),
            Ok(ServerAddresses::default())
        );
    }
}
