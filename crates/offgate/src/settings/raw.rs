//! Settings as they are written: by flag, in the environment, in the file. Only text; what it
//! means is for [`super::resolved`].

use std::ffi::OsString;
use std::path::Path;

use serde::Deserialize;

use crate::exit::Failure;

/// The largest settings file that is read.
const FILE_LIMIT: u64 = 256 * 1024;

/// One layer of settings, with nothing filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawConfig {
    /// What is logged.
    pub(crate) log: Option<String>,
    /// For `offgate serve`.
    #[serde(default)]
    pub(crate) server: RawServer,
    /// For `offgate agent`.
    #[serde(default)]
    pub(crate) agent: RawAgent,
}

/// The server's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawServer {
    /// Where browsers (HTTPS) and agents connect [env: OFFGATE_LISTEN] [default: 0.0.0.0:12445]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,
    /// Also serve the console over plain HTTP here, for loopback or behind a proxy
    /// [env: OFFGATE_HTTP]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) http: Option<String>,
    /// The address people type, as it goes into links [env: OFFGATE_ADDRESS]
    #[arg(long, value_name = "URL")]
    pub(crate) address: Option<String>,
    /// Your own certificate chain (PEM) for browsers [env: OFFGATE_CERTIFICATE]
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<String>,
    /// Its private key (PEM) [env: OFFGATE_CERTIFICATE_KEY]
    #[arg(long, alias = "key", value_name = "FILE")]
    pub(crate) certificate_key: Option<String>,
    /// The folder of backups [env: OFFGATE_BACKUPS] [default: backups in the data directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) backups: Option<String>,
}

/// An agent's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawAgent {
    /// Where the server is, host:port or https://host:port; give it again for further addresses of
    /// the same server [env: OFFGATE_SERVER, separated by commas]
    #[arg(long = "server", value_name = "URL")]
    #[serde(default, rename = "server")]
    pub(crate) servers: Vec<String>,
    /// The join token, needed once; `-` reads it from standard input [env: OFFGATE_JOIN]
    #[arg(long, value_name = "TOKEN|-")]
    pub(crate) join: Option<String>,
    /// A file that holds the join token [env: OFFGATE_JOIN_FILE]
    #[arg(long, value_name = "FILE", conflicts_with = "join")]
    pub(crate) join_file: Option<String>,
    /// What reads the cards [env: OFFGATE_READER] [default: simulated]
    #[arg(long, value_name = "KIND")]
    pub(crate) reader: Option<String>,
}

/// Asks the environment for one variable.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl RawConfig {
    /// The layer that the environment gives.
    pub(crate) fn from_environment(environment: Environment<'_>) -> Result<Self, Failure> {
        let read = |name: &str| match environment(name) {
            None => Ok(None),
            Some(value) if value.is_empty() => Ok(None),
            Some(value) => value
                .into_string()
                .map(Some)
                .map_err(|_| Failure::usage(name, "not text in UTF-8")),
        };
        Ok(Self {
            log: read("OFFGATE_LOG")?,
            server: RawServer {
                listen: read("OFFGATE_LISTEN")?,
                http: read("OFFGATE_HTTP")?,
                address: read("OFFGATE_ADDRESS")?,
                certificate: read("OFFGATE_CERTIFICATE")?,
                certificate_key: read("OFFGATE_CERTIFICATE_KEY")?,
                backups: read("OFFGATE_BACKUPS")?,
            },
            agent: RawAgent {
                servers: read("OFFGATE_SERVER")?
                    .map(|list| list.split(',').map(|one| one.trim().to_owned()).collect())
                    .unwrap_or_default(),
                join: read("OFFGATE_JOIN")?,
                join_file: read("OFFGATE_JOIN_FILE")?,
                reader: read("OFFGATE_READER")?,
            },
        })
    }

    /// The layer that a file gives.
    pub(crate) fn from_file(path: &Path) -> Result<Self, Failure> {
        use std::io::Read as _;
        let what = || path.display().to_string();
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(FILE_LIMIT + 1).read_to_string(&mut text))
            .map_err(|error| Failure::usage(what(), error))?;
        if text.len() as u64 > FILE_LIMIT {
            return Err(Failure::usage(what(), "too large to be a settings file"));
        }
        Self::from_toml(&text).map_err(|error| Failure::usage(what(), error))
    }

    fn from_toml(text: &str) -> Result<Self, String> {
        // The error quotes the line, which may hold the join token; only place and words are kept.
        toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map(|before| before.matches('\n').count() + 1);
            match line {
                Some(line) => format!("line {line}: {}", error.message()),
                None => error.message().to_owned(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole() {
        let raw = RawConfig::from_toml(
            "log = 'debug'\n[server]\nlisten = '[::]:443'\ncertificate-key = 'key.pem'\n\
             [agent]\nserver = ['a:1', 'b:2']\n",
        )
        .expect("settings");
        assert_eq!(raw.log.as_deref(), Some("debug"));
        assert_eq!(raw.server.listen.as_deref(), Some("[::]:443"));
        assert_eq!(raw.server.certificate_key.as_deref(), Some("key.pem"));
        assert_eq!(raw.agent.servers, ["a:1", "b:2"]);
    }

    #[test]
    fn an_unknown_key_is_refused_by_its_name_and_line() {
        for text in [
            "\nlistn = 'x'\n",
            "[server]\nlistn = 'x'\n",
            "\n[serve]\nlisten = 'x'\n",
        ] {
            let error = RawConfig::from_toml(text).expect_err("unknown");
            assert!(error.contains("unknown field `"), "{error}");
            assert!(error.starts_with("line 2:"), "{error}");
        }
    }

    #[test]
    fn an_error_does_not_repeat_a_secret() {
        let error =
            RawConfig::from_toml("[agent]\njoin = 'offgate-join-1.secret\n").expect_err("no end");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn an_empty_variable_is_no_setting() {
        let raw = RawConfig::from_environment(&|_| Some(OsString::new())).expect("settings");
        assert_eq!(raw, RawConfig::default());
    }
}
