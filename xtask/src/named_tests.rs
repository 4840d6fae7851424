//! Whether the tests that the documents name are there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// The documents that rest on tests.
const DOCUMENTS: [&str; 2] = ["docs/guarantee.md", "docs/failures.md"];

/// Looks whether every test and every path that the documents name exists.
///
/// # Errors
/// One does not, or the sources cannot be read.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let mut tests = BTreeSet::new();
    for folder in ["crates", "xtask"] {
        collect(&root.join(folder), &mut tests)?;
    }
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root.join(document)).context(document)?;
        let missing = missing(&text, &tests, |path| root.join(path).exists());
        if !missing.is_empty() {
            bail!("{document} names what is not there: {}", missing.join(", "));
        }
    }
    Ok(())
}

/// What a text names in code and is neither a test nor a path.
fn missing(text: &str, tests: &BTreeSet<String>, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let is_test = |name: &str| {
        let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
        name.matches('_').count() >= 3 && name.bytes().all(plain)
    };
    let spans = text.split('`').skip(1).step_by(2);
    spans
        .filter(|span| {
            is_test(span) && !tests.contains(*span) || span.starts_with("crates/") && !exists(span)
        })
        .map(str::to_owned)
        .collect()
}

/// The names of the functions below a test attribute, in every source file of a folder.
fn collect(folder: &Path, tests: &mut BTreeSet<String>) -> anyhow::Result<()> {
    let entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    for path in entries {
        if path.is_dir() {
            collect(&path, tests)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path)?;
            tests.extend(tests_of(&source));
        }
    }
    Ok(())
}

fn tests_of(source: &str) -> Vec<String> {
    let mut is_test = false;
    let mut found = Vec::new();
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, rest)) = line.split_once("fn ")
            && std::mem::take(&mut is_test)
        {
            let name = rest.split('(').next().unwrap_or_default();
            found.push(name.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_and_not_there_is_found() {
        let source = "#[test]\nfn doors_refuse_what_they_should() {}\n\
                      #[tokio::test(flavor = \"multi_thread\")]\n#[ignore]\n\
                      async fn it_goes_on_and_on() {}\nfn no_test_at_all() {}\n";
        let tests: BTreeSet<_> = tests_of(source).into_iter().collect();
        let text = "Tried by `doors_refuse_what_they_should`, `it_goes_on_and_on`, \
                    `no_test_at_all`, `user_id`, `crates/core` and `crates/gone`.";
        assert_eq!(
            missing(text, &tests, |path| path == "crates/core"),
            ["no_test_at_all", "crates/gone"]
        );
    }
}
