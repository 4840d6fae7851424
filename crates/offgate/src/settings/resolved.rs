//! Settings as they apply: each a value that was understood, and where it came from.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};

use super::address::{PORT, server_address, socket_address, web_address};
use super::layers::{Layers, Setting, Source};
use super::raw::{Environment, RawAgent, RawConfig, RawServer};
use crate::exit::Failure;
use crate::record::{List, Record};

/// The folder of backups in the data directory, unless another is chosen.
const BACKUPS: &str = "backups";

/// Where a join token is to be had.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Join {
    /// Here it is.
    Token(String),
    /// In a file, or `-` for standard input.
    ReadFrom(String),
}

/// A token must not get into a log.
impl std::fmt::Debug for Join {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Token(_) => formatter.write_str("Token(…)"),
            Self::ReadFrom(source) => write!(formatter, "ReadFrom({source})"),
        }
    }
}

/// What reads the cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReaderKind {
    /// A private socket in the agent's own folder.
    Simulated,
}

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// The data directory.
    pub(crate) data: Setting<PathBuf>,
    /// The filter of the log.
    pub(crate) log: Setting<String>,
    /// Where browsers and agents connect.
    pub(crate) listen: Setting<SocketAddr>,
    /// Plain HTTP.
    pub(crate) http: Setting<Option<SocketAddr>>,
    /// The address in links.
    pub(crate) address: Setting<Option<String>>,
    /// The certificate for browsers.
    pub(crate) certificate: Setting<Option<PathBuf>>,
    /// Its key.
    pub(crate) certificate_key: Setting<Option<PathBuf>>,
    /// The folder of backups.
    pub(crate) backups: Setting<PathBuf>,
    /// Where an agent finds the server.
    pub(crate) servers: Setting<Vec<String>>,
    /// With what an agent joins.
    pub(crate) join: Setting<Option<Join>>,
    /// What reads the cards.
    pub(crate) reader: Setting<ReaderKind>,
}

/// Which of the two programs reads the settings; their data lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// The server, and every command that works on its data.
    Server,
    /// An agent, and `present`.
    Agent,
}

/// What the command line says of settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// `--data`
    pub(crate) data: Option<PathBuf>,
    /// `--config`
    pub(crate) config: Option<PathBuf>,
    /// `--log`
    pub(crate) log: Option<String>,
    /// Those of `serve`.
    pub(crate) server: RawServer,
    /// Those of `agent`.
    pub(crate) agent: RawAgent,
}

impl Config {
    /// Flags over environment over file over defaults.
    pub(crate) fn load(
        program: Program,
        flags: Flags,
        environment: Environment<'_>,
    ) -> Result<Self, Failure> {
        let data = data_directory(program, flags.data, environment);
        let named = flags
            .config
            .or_else(|| path_variable(environment, "OFFGATE_CONFIG"));
        let file = match named {
            // A file that somebody named must be there.
            Some(path) => Some(path),
            None => {
                let path = data.value.join("offgate.toml");
                // One that cannot be looked for is not one that is not there.
                let there = path
                    .try_exists()
                    .map_err(|error| Failure::unavailable(path.display(), error))?;
                there.then_some(path)
            }
        };
        let layers = Layers {
            flags: RawConfig {
                log: flags.log,
                server: flags.server,
                agent: flags.agent,
            },
            environment: RawConfig::from_environment(environment)?,
            file: file
                .map(|path| RawConfig::from_file(&path).map(|raw| (path, raw)))
                .transpose()?,
        };
        Self::resolve(data, &layers)
    }

    fn resolve(data: Setting<PathBuf>, layers: &Layers) -> Result<Self, Failure> {
        let text = |text: String| Ok(text);
        let path = |text: String| Ok(Some(PathBuf::from(text)));
        let backups = data.value.join(BACKUPS);
        let config = Self {
            data,
            log: layers.resolve(
                "log",
                "OFFGATE_LOG",
                |raw| raw.log.clone(),
                "info".to_owned(),
                text,
            )?,
            listen: layers.resolve(
                "listen",
                "OFFGATE_LISTEN",
                |raw| raw.server.listen.clone(),
                SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT)),
                socket_address,
            )?,
            http: layers.resolve(
                "http",
                "OFFGATE_HTTP",
                |raw| raw.server.http.clone(),
                None,
                |text| socket_address(text).map(Some),
            )?,
            address: layers.resolve(
                "address",
                "OFFGATE_ADDRESS",
                |raw| raw.server.address.clone(),
                None,
                |text| web_address(&text).map(Some),
            )?,
            certificate: layers.resolve(
                "certificate",
                "OFFGATE_CERTIFICATE",
                |raw| raw.server.certificate.clone(),
                None,
                path,
            )?,
            certificate_key: layers.resolve(
                "certificate-key",
                "OFFGATE_CERTIFICATE_KEY",
                |raw| raw.server.certificate_key.clone(),
                None,
                path,
            )?,
            backups: layers.resolve(
                "backups",
                "OFFGATE_BACKUPS",
                |raw| raw.server.backups.clone(),
                backups,
                |text| Ok(PathBuf::from(text)),
            )?,
            servers: layers.resolve(
                "server",
                "OFFGATE_SERVER",
                |raw| Some(raw.agent.servers.clone()).filter(|all| !all.is_empty()),
                Vec::new(),
                |all: Vec<String>| all.iter().map(|one| server_address(one)).collect(),
            )?,
            join: layers.resolve(
                "join",
                "OFFGATE_JOIN or OFFGATE_JOIN_FILE",
                |raw| join(&raw.agent),
                None,
                |join| Ok(Some(join)),
            )?,
            reader: layers.resolve(
                "reader",
                "OFFGATE_READER",
                |raw| raw.agent.reader.clone(),
                ReaderKind::Simulated,
                |text| match text.as_str() {
                    "simulated" => Ok(ReaderKind::Simulated),
                    _ => Err("the only kind there is yet is `simulated`".to_owned()),
                },
            )?,
        };
        config.certificate_and_key()?;
        Ok(config)
    }

    /// The certificate for browsers with its key: both, or neither.
    pub(crate) fn certificate_and_key(&self) -> Result<Option<(&Path, &Path)>, Failure> {
        match (&self.certificate.value, &self.certificate_key.value) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (Some(_), None) => Err(Failure::usage(
                "certificate",
                "needs its key: set certificate-key too",
            )),
            (None, Some(_)) => Err(Failure::usage(
                "certificate-key",
                "needs its certificate: set certificate too",
            )),
        }
    }

    /// Every setting, what applies and whence; secrets masked.
    pub(crate) fn report(&self) -> List {
        let row = |name: &str, value: Option<String>, source: &Source| {
            Record::default()
                .with("setting", name)
                .with("value", value)
                .with("from", source.to_string())
        };
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let join = self.join.value.as_ref().map(|join| match join {
            Join::Token(_) => "(hidden)".to_owned(),
            Join::ReadFrom(source) => format!("read from {source}"),
        });
        let servers = Some(self.servers.value.join(", ")).filter(|text| !text.is_empty());
        let http = self.http.value.map(|address| address.to_string());
        let certificate = path(&self.certificate.value);
        let certificate_key = path(&self.certificate_key.value);
        let reader = match self.reader.value {
            ReaderKind::Simulated => "simulated",
        };
        List {
            columns: &["setting", "value", "from"],
            rows: vec![
                row(
                    "data",
                    Some(self.data.value.display().to_string()),
                    &self.data.source,
                ),
                row("log", Some(self.log.value.clone()), &self.log.source),
                row(
                    "server.listen",
                    Some(self.listen.value.to_string()),
                    &self.listen.source,
                ),
                row("server.http", http, &self.http.source),
                row(
                    "server.address",
                    self.address.value.clone(),
                    &self.address.source,
                ),
                row("server.certificate", certificate, &self.certificate.source),
                row(
                    "server.certificate-key",
                    certificate_key,
                    &self.certificate_key.source,
                ),
                row(
                    "server.backups",
                    Some(self.backups.value.display().to_string()),
                    &self.backups.source,
                ),
                row("agent.server", servers, &self.servers.source),
                row("agent.join", join, &self.join.source),
                row("agent.reader", Some(reader.to_owned()), &self.reader.source),
            ],
            next: None,
        }
    }
}

fn path_variable(environment: Environment<'_>, name: &str) -> Option<PathBuf> {
    environment(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Where the data lie: as said, or else where the state of programs lies on this system.
fn data_directory(
    program: Program,
    flag: Option<PathBuf>,
    environment: Environment<'_>,
) -> Setting<PathBuf> {
    if let Some(value) = flag {
        return Setting {
            value,
            source: Source::Flag,
        };
    }
    if let Some(value) = path_variable(environment, "OFFGATE_DATA") {
        return Setting {
            value,
            source: Source::Environment("OFFGATE_DATA"),
        };
    }
    let state = path_variable(environment, "XDG_STATE_HOME")
        .or_else(|| path_variable(environment, "HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"));
    let name = match program {
        Program::Server => "offgate",
        Program::Agent => "offgate-agent",
    };
    Setting {
        value: state.join(name),
        source: Source::Default,
    }
}

fn join(raw: &RawAgent) -> Option<Join> {
    match (&raw.join, &raw.join_file) {
        (Some(dash), _) if dash == "-" => Some(Join::ReadFrom(dash.clone())),
        (Some(token), _) => Some(Join::Token(token.clone())),
        (None, Some(file)) => Some(Join::ReadFrom(file.clone())),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn load(flags: Flags, variables: &[(&str, &str)]) -> Result<Config, Failure> {
        let variables: Vec<(String, OsString)> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
            .collect();
        Config::load(Program::Server, flags, &|wanted| {
            variables
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.clone())
        })
    }

    fn with_listen(listen: &str) -> Flags {
        Flags {
            server: RawServer {
                listen: Some(listen.to_owned()),
                ..RawServer::default()
            },
            ..Flags::default()
        }
    }

    #[test]
    fn flag_over_environment_over_file_over_default() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("offgate.toml");
        let data = folder.path().to_str().expect("text");
        let listen = |config: &Config| (config.listen.value.port(), config.listen.source.clone());

        let nothing = load(Flags::default(), &[("OFFGATE_DATA", data)]).expect("settings");
        assert_eq!(listen(&nothing), (12445, Source::Default));
        assert_eq!(nothing.data.source, Source::Environment("OFFGATE_DATA"));

        std::fs::write(&file, "[server]\nlisten = '0.0.0.0:1'\n").expect("a file");
        let from_file = load(Flags::default(), &[("OFFGATE_DATA", data)]).expect("settings");
        assert_eq!(listen(&from_file), (1, Source::File(file.clone())));

        let variables = [("OFFGATE_DATA", data), ("OFFGATE_LISTEN", "0.0.0.0:2")];
        let from_environment = load(Flags::default(), &variables).expect("settings");
        assert_eq!(
            listen(&from_environment),
            (2, Source::Environment("OFFGATE_LISTEN"))
        );

        let from_flag = load(with_listen("0.0.0.0:3"), &variables).expect("settings");
        assert_eq!(listen(&from_flag), (3, Source::Flag));
    }

    #[test]
    fn a_value_that_makes_no_sense_is_named_with_its_source() {
        let failure =
            load(Flags::default(), &[("OFFGATE_LISTEN", "here")]).expect_err("no address");
        assert_eq!(failure.code(), 2);
        assert!(
            failure.to_string().contains("environment OFFGATE_LISTEN"),
            "{failure}"
        );
    }

    #[test]
    fn a_named_file_must_be_there() {
        let failure = load(
            Flags::default(),
            &[("OFFGATE_CONFIG", "/nowhere/offgate.toml")],
        );
        assert_eq!(failure.expect_err("no file").code(), 2);
    }

    #[test]
    fn a_certificate_needs_its_key() {
        assert!(load(Flags::default(), &[("OFFGATE_CERTIFICATE", "chain.pem")]).is_err());
    }

    #[test]
    fn data_lie_where_the_state_of_programs_lies() {
        for (variables, expected) in [
            (
                &[("XDG_STATE_HOME", "/state"), ("HOME", "/home/me")][..],
                "/state/offgate",
            ),
            (&[("HOME", "/home/me")], "/home/me/.local/state/offgate"),
            (&[], "/var/lib/offgate"),
        ] {
            let config = load(Flags::default(), variables).expect("settings");
            assert_eq!(config.data.value, Path::new(expected));
        }
    }

    #[test]
    fn a_join_token_is_not_shown() {
        let config = load(
            Flags::default(),
            &[("OFFGATE_JOIN", "offgate-join-1.secret")],
        )
        .expect("settings");
        assert!(!format!("{:?} {config:?}", config.report()).contains("secret"));
    }
}
