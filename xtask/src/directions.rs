//! The direction of the dependencies between the crates, as ARCHITECTURE.md has it.

use std::collections::BTreeSet;

use anyhow::bail;

use crate::dependencies::{Metadata, Package, metadata};

/// What each crate may know of the others.
const MAY_KNOW: [(&str, &[&str]); 10] = [
    ("offgate-core", &[]),
    ("offgate-store", &["offgate-core"]),
    ("offgate-link", &["offgate-core"]),
    ("offgate-agent", &["offgate-core", "offgate-link"]),
    (
        "offgate-server",
        &["offgate-core", "offgate-store", "offgate-link"],
    ),
    (
        "offgate",
        &[
            "offgate-core",
            "offgate-store",
            "offgate-link",
            "offgate-agent",
            "offgate-server",
        ],
    ),
    (
        "offgate-bench",
        &[
            "offgate-core",
            "offgate-store",
            "offgate-link",
            "offgate-agent",
            "offgate-server",
            "offgate-simulation",
        ],
    ),
    (
        "offgate-simulation",
        &[
            "offgate-core",
            "offgate-store",
            "offgate-link",
            "offgate-agent",
        ],
    ),
    (
        "offgate-fuzz",
        &["offgate-core", "offgate-link", "offgate-agent"],
    ),
    ("xtask", &[]),
];

/// What would mean that a crate does what it refuses to know.
const MUST_NOT_KNOW: [(&str, &[&str]); 5] = [
    (
        "offgate-core",
        &[
            "tokio",
            "rusqlite",
            "axum",
            "hyper",
            "rustls",
            "aws-lc-rs",
            "serde",
        ],
    ),
    ("offgate-store", &["axum", "hyper", "rustls", "askama"]),
    ("offgate-link", &["tokio", "rusqlite", "axum", "hyper"]),
    ("offgate-agent", &["rusqlite", "axum", "hyper", "askama"]),
    ("offgate-server", &["rusqlite"]),
];

/// Refuses a dependency against the direction, and names every one.
pub(crate) fn check() -> anyhow::Result<()> {
    let wrong = against_the_direction(&metadata()?, &MAY_KNOW, &MUST_NOT_KNOW);
    if wrong.is_empty() {
        Ok(())
    } else {
        bail!("{}", wrong.join("\n  "))
    }
}

fn against_the_direction(
    metadata: &Metadata,
    may_know: &[(&str, &[&str])],
    must_not_know: &[(&str, &[&str])],
) -> Vec<String> {
    let ours = metadata
        .packages
        .iter()
        .filter(|package| metadata.workspace_members.contains(&package.id));
    let names: BTreeSet<&str> = ours.clone().map(|package| package.name.as_str()).collect();
    let mut wrong = Vec::new();
    for package in ours {
        let name = package.name.as_str();
        let known = known_to(package);
        match row(may_know, name) {
            None => wrong.push(format!("{name} has no row in xtask/src/directions.rs")),
            Some(may_know) => {
                let others = known
                    .intersection(&names)
                    .filter(|other| !may_know.contains(other));
                wrong.extend(others.map(|other| format!("{name} must not know {other}")));
            }
        }
        let forbidden = row(must_not_know, name).unwrap_or_default().iter();
        let found = forbidden.filter(|other| known.contains(**other));
        wrong.extend(found.map(|other| format!("{name} must not know {other}")));
    }
    wrong
}

fn row<'a>(table: &[(&str, &'a [&'a str])], name: &str) -> Option<&'a [&'a str]> {
    table
        .iter()
        .find(|(crate_name, _)| *crate_name == name)
        .map(|(_, row)| *row)
}

/// Names of what is linked into a crate or builds it; what only its tests use may be wider.
fn known_to(package: &Package) -> BTreeSet<&str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
        .map(|dependency| dependency.name.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_point_one_way() {
        check().expect("the direction of the dependencies");
    }

    #[test]
    fn a_dependency_against_the_direction_is_named() {
        let metadata = metadata().expect("metadata");
        let mut table = MAY_KNOW;
        table[1].1 = &[];
        let wrong = against_the_direction(&metadata, &table, &[("xtask", &["serde"])]);
        assert_eq!(
            wrong,
            [
                "offgate-store must not know offgate-core",
                "xtask must not know serde"
            ]
        );
        assert_eq!(against_the_direction(&metadata, &table[..9], &[]).len(), 2);
    }
}
