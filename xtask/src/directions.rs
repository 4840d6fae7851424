//! The direction of the dependencies between the crates, as ARCHITECTURE.md has it. Only a test.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::dependencies::{Package, metadata};

    /// What each crate may know of the others.
    const MAY_KNOW: [(&str, &[&str]); 7] = [
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
        ("xtask", &[]),
    ];

    /// What would mean that a crate does what it refuses to know.
    const MUST_NOT_KNOW: [(&str, &[&str]); 5] = [
        (
            "offgate-core",
            &[
                "tokio", "rusqlite", "axum", "hyper", "rustls", "ring", "serde",
            ],
        ),
        ("offgate-store", &["axum", "hyper", "rustls", "askama"]),
        ("offgate-link", &["tokio", "rusqlite", "axum", "hyper"]),
        ("offgate-agent", &["rusqlite", "axum", "hyper", "askama"]),
        ("offgate-server", &["rusqlite"]),
    ];

    /// Names of what is linked into a crate or builds it; what only its tests use may be wider.
    fn known_to(package: &Package) -> BTreeSet<&str> {
        package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
            .map(|dependency| dependency.name.as_str())
            .collect()
    }

    #[test]
    fn dependencies_point_one_way() {
        let metadata = metadata().expect("metadata");
        let ours: Vec<&Package> = metadata
            .packages
            .iter()
            .filter(|package| metadata.workspace_members.contains(&package.id))
            .collect();
        let names: BTreeSet<&str> = ours.iter().map(|package| package.name.as_str()).collect();
        let listed: BTreeSet<&str> = MAY_KNOW.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names, listed,
            "every crate of the workspace has its place in MAY_KNOW"
        );
        for package in ours {
            let known = known_to(package);
            let (_, may_know) = MAY_KNOW
                .iter()
                .find(|(name, _)| *name == package.name)
                .expect("listed, as was just asserted");
            for other in known.intersection(&names) {
                assert!(
                    may_know.contains(other),
                    "{} must not know {other}",
                    package.name
                );
            }
            let forbidden = MUST_NOT_KNOW
                .iter()
                .filter(|(name, _)| *name == package.name)
                .flat_map(|(_, forbidden)| forbidden.iter());
            for other in forbidden {
                assert!(
                    !known.contains(other),
                    "{} must not know {other}",
                    package.name
                );
            }
        }
    }
}
