//! Licences and sources of the dependencies, checked against `licences.toml` without the network.

mod expression;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::step::{cargo, output_of, say, workspace};
use expression::Expression;

/// The only place that packages come from, beside this repository.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// The crate whose dependencies ship.
const PROGRAM: &str = "offgate";

/// What `cargo metadata` says, as far as it matters here.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    version: String,
    license: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev`, `build`, or nothing for what is linked.
    pub(crate) kind: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

/// The file `licences.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Licences {
    allow: BTreeMap<String, String>,
    #[serde(default)]
    exception: Vec<Exception>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    licence: String,
    #[serde(rename = "for")]
    purpose: Purpose,
    reason: String,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Purpose {
    Tests,
    Program,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<LockedPackage>,
}

#[derive(Deserialize)]
struct LockedPackage {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

/// Checks everything and names all that is wrong, not only the first.
pub(crate) fn check() -> anyhow::Result<()> {
    let licences: Licences = read_toml(&workspace().join("licences.toml"))?;
    let lock: Lock = read_toml(&workspace().join("Cargo.lock"))?;
    let metadata = metadata()?;
    let mut wrong = sources(&lock);
    wrong.extend(licence_list(&licences));
    wrong.extend(licences_of(&metadata, &licences));
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n  "));
    }
    say(&format!(
        "{} packages, all from crates.io or from here",
        lock.package.len()
    ));
    Ok(())
}

/// The dependency graph, from what is on this machine already. Packages for other platforms only
/// need not have been downloaded; then those of this platform are looked at.
pub(crate) fn metadata() -> anyhow::Result<Metadata> {
    let mut everywhere = cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--offline",
        "--quiet",
    ]);
    let output = everywhere
        .output()
        .context("cargo metadata could not be started")?;
    let text = if output.status.success() {
        String::from_utf8(output.stdout).context("cargo metadata")?
    } else {
        let host = output_of(std::process::Command::new("rustc").args(["--print", "host-tuple"]))?;
        say(&format!(
            "Packages for other platforms are not here; looking at {}.",
            host.trim()
        ));
        output_of(&mut cargo(&[
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
            "--quiet",
            "--filter-platform",
            host.trim(),
        ]))?
    };
    serde_json::from_str(&text).context("cargo metadata answered something unexpected")
}

fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

/// Packages from elsewhere, without a checksum, or with a second SQLite.
fn sources(lock: &Lock) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in &lock.package {
        let LockedPackage {
            name,
            version,
            source,
            checksum,
        } = package;
        match (source.as_deref(), checksum) {
            (None, _) | (Some(CRATES_IO), Some(_)) => {}
            (Some(CRATES_IO), None) => wrong.push(format!("{name} {version} has no checksum")),
            (Some(other), _) => wrong.push(format!("{name} {version} comes from {other}")),
        }
    }
    let engines = lock
        .package
        .iter()
        .filter(|package| package.name == "libsqlite3-sys")
        .count();
    if engines != 1 {
        wrong.push(format!(
            "there must be exactly one libsqlite3-sys; there are {engines}"
        ));
    }
    wrong
}

/// Entries of `licences.toml` without a reason.
fn licence_list(licences: &Licences) -> Vec<String> {
    let allowed = licences
        .allow
        .iter()
        .map(|(licence, reason)| (licence.as_str(), reason));
    let excepted = licences
        .exception
        .iter()
        .map(|entry| (entry.name.as_str(), &entry.reason));
    allowed
        .chain(excepted)
        .filter(|(_, reason)| reason.trim().is_empty())
        .map(|(entry, _)| format!("licences.toml gives no reason for {entry}"))
        .collect()
}

fn licences_of(metadata: &Metadata, licences: &Licences) -> Vec<String> {
    let shipped = shipped(metadata);
    let mut wrong = Vec::new();
    let mut unused: BTreeSet<&str> = licences
        .exception
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    for package in &metadata.packages {
        if metadata.workspace_members.contains(&package.id) {
            continue;
        }
        let Package {
            id,
            name,
            version,
            license,
            ..
        } = package;
        let Some(text) = license else {
            wrong.push(format!("{name} {version} does not say its licence"));
            continue;
        };
        let Some(expression) = Expression::parse(text) else {
            wrong.push(format!(
                "{name} {version}: cannot read the licence {text:?}"
            ));
            continue;
        };
        if expression.is_met_by(&|licence| licences.allow.contains_key(licence)) {
            continue;
        }
        match licences.exception.iter().find(|entry| entry.name == *name) {
            Some(entry) if entry.licence != *text => wrong.push(format!(
                "{name} {version} is under {text}; licences.toml has it under {}",
                entry.licence
            )),
            Some(entry) if entry.purpose == Purpose::Tests && shipped.contains(id.as_str()) => {
                wrong.push(format!(
                    "{name} {version} is allowed in tests only, and ships"
                ));
            }
            Some(entry) => {
                unused.remove(entry.name.as_str());
            }
            None => wrong.push(format!(
                "{name} {version} is under {text}, which is not allowed"
            )),
        }
    }
    wrong.extend(
        unused
            .into_iter()
            .map(|name| format!("licences.toml: {name} needs no exception")),
    );
    wrong
}

/// The ids of all packages that are linked into the program or build it.
fn shipped(metadata: &Metadata) -> BTreeSet<&str> {
    let nodes: BTreeMap<&str, &Node> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    let program = metadata
        .packages
        .iter()
        .filter(|package| metadata.workspace_members.contains(&package.id))
        .find(|package| package.name == PROGRAM);
    let mut seen = BTreeSet::new();
    let mut ahead: Vec<&str> = program.iter().map(|package| package.id.as_str()).collect();
    while let Some(id) = ahead.pop() {
        if !seen.insert(id) {
            continue;
        }
        let edges = nodes.get(id).into_iter().flat_map(|node| &node.deps);
        let linked = edges.filter(|edge| {
            edge.dep_kinds
                .iter()
                .any(|kind| kind.kind.as_deref() != Some("dev"))
        });
        ahead.extend(linked.map(|edge| edge.pkg.as_str()));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(name: &str, source: Option<&str>) -> LockedPackage {
        LockedPackage {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            source: source.map(str::to_owned),
            checksum: Some("00".to_owned()),
        }
    }

    #[test]
    fn only_crates_io_and_this_repository_are_sources() {
        let fine = Lock {
            package: vec![
                locked("libsqlite3-sys", Some(CRATES_IO)),
                locked("here", None),
            ],
        };
        assert_eq!(sources(&fine), Vec::<String>::new());
        let git = Lock {
            package: vec![locked(
                "libsqlite3-sys",
                Some("git+https://example.org/fork"),
            )],
        };
        assert_eq!(sources(&git).len(), 1);
    }

    #[test]
    fn a_second_sqlite_is_refused() {
        let two = Lock {
            package: vec![
                locked("libsqlite3-sys", Some(CRATES_IO)),
                locked("libsqlite3-sys", Some(CRATES_IO)),
            ],
        };
        assert_eq!(sources(&two).len(), 1);
        assert_eq!(
            sources(&Lock {
                package: Vec::new()
            })
            .len(),
            1
        );
    }

    #[test]
    fn what_is_there_now_passes() {
        check().expect("licences and sources");
    }

    #[test]
    fn a_test_only_exception_does_not_cover_what_ships() {
        let metadata = metadata().expect("metadata");
        let mut licences: Licences =
            read_toml(&workspace().join("licences.toml")).expect("licences.toml");
        licences.allow.remove("BlueOak-1.0.0");
        licences.exception.push(Exception {
            name: "minicbor".to_owned(),
            licence: "BlueOak-1.0.0".to_owned(),
            purpose: Purpose::Tests,
            reason: "a test".to_owned(),
        });
        let wrong = licences_of(&metadata, &licences);
        assert!(
            wrong
                .iter()
                .any(|line| line.contains("allowed in tests only")),
            "{wrong:?}"
        );
        assert!(
            wrong.iter().any(|line| line.contains("minicbor-derive")),
            "{wrong:?}"
        );
    }
}
