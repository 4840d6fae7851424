//! Looking a setting up: the layers it may be written in, the strongest first, and the memory of
//! where it was found.

use std::path::PathBuf;

use super::raw::RawConfig;
use crate::exit::Failure;

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command line.
    Flag,
    /// This variable.
    Environment(&'static str),
    /// This file.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag => formatter.write_str("command line"),
            Self::Environment(name) => write!(formatter, "environment {name}"),
            Self::File(path) => path.display().fmt(formatter),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    /// What applies.
    pub(crate) value: T,
    /// Whence.
    pub(crate) source: Source,
}

/// The layers that every setting is looked up in, the strongest first.
pub(crate) struct Layers {
    /// The command line.
    pub(crate) flags: RawConfig,
    /// The environment.
    pub(crate) environment: RawConfig,
    /// The file and its path.
    pub(crate) file: Option<(PathBuf, RawConfig)>,
}

impl Layers {
    fn find<T>(
        &self,
        variable: &'static str,
        read: impl Fn(&RawConfig) -> Option<T>,
    ) -> Option<(T, Source)> {
        if let Some(value) = read(&self.flags) {
            return Some((value, Source::Flag));
        }
        if let Some(value) = read(&self.environment) {
            return Some((value, Source::Environment(variable)));
        }
        let (path, file) = self.file.as_ref()?;
        read(file).map(|value| (value, Source::File(path.clone())))
    }

    /// Finds a setting and understands it, or says where it was written that cannot be.
    pub(crate) fn resolve<T, V>(
        &self,
        name: &'static str,
        variable: &'static str,
        read: impl Fn(&RawConfig) -> Option<T>,
        default: V,
        understand: impl FnOnce(T) -> Result<V, String>,
    ) -> Result<Setting<V>, Failure> {
        match self.find(variable, read) {
            None => Ok(Setting {
                value: default,
                source: Source::Default,
            }),
            Some((text, source)) => match understand(text) {
                Ok(value) => Ok(Setting { value, source }),
                Err(why) => Err(Failure::usage(format!("{name} ({source})"), why)),
            },
        }
    }
}
