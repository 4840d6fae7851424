//! What README and guide say exists: every page, every command, every picture.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::{Browser, Demo, Scripts};

const PAGES: [(&str, &str); 2] = [
    ("README.md", include_str!("../../../../README.md")),
    ("docs/guide.md", include_str!("../../../../docs/guide.md")),
];

/// What stands between backticks, in lines and in blocks.
fn code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            found.push(line.trim().to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// The words of a command before its flags and values.
fn command(code: &str) -> Option<Vec<String>> {
    let rest = code
        .strip_prefix("offgate ")
        .or_else(|| code.strip_prefix("cargo run --release -- "))?;
    let words = rest.split_whitespace();
    let plain = |word: &&str| {
        word.chars().all(|it| it.is_ascii_lowercase() || it == '-') && !word.starts_with('-')
    };
    Some(words.take_while(plain).map(str::to_owned).collect())
}

#[test]
fn every_command_exists() {
    let mut commands = BTreeSet::new();
    for (page, text) in PAGES {
        for words in code(text).iter().filter_map(|code| command(code)) {
            commands.insert((page, words));
        }
    }
    assert!(commands.len() > 8, "{commands:?}");
    for (page, words) in commands {
        let output = Command::new(env!("CARGO_BIN_EXE_offgate"))
            .args(&words)
            .arg("--help")
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{page}: offgate {words:?}");
    }
}

/// What a heading is pointed to by.
fn anchor(line: &str) -> String {
    let words = line.trim_start_matches('#').trim().to_lowercase();
    let kept = words
        .chars()
        .filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-'));
    kept.collect::<String>().replace(' ', "-")
}

#[test]
fn every_picture_and_every_page_beside_it_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut links = 0;
    for (page, text) in PAGES {
        let folder = root.join(page);
        let folder = folder.parent().expect("a folder");
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            if link.starts_with("http") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = folder.join(file);
            assert!(target.exists(), "{page} points to {link}");
            if !heading.is_empty() {
                let text = std::fs::read_to_string(&target).expect("a page");
                let found = text.lines().any(|line| anchor(line) == heading);
                assert!(found, "{page} points to {link}");
            }
            links += 1;
        }
    }
    assert!(links > 10);
}

#[tokio::test]
async fn every_page_exists() {
    let demo = Demo::start();
    let browser = Browser::start(&demo.console, Scripts::On).await;
    browser.sign_in(&demo).await;
    browser.go("/users?q=okafor").await;
    browser.follow("Amara Okafor").await;
    browser.heading("Amara Okafor").await;
    let person = browser.path().await.replace("/users/", "");
    let mut pages = BTreeSet::new();
    for (_, text) in PAGES {
        let addresses = code(text).into_iter().filter(|code| code.starts_with('/'));
        pages.extend(addresses);
    }
    assert!(pages.len() > 8, "{pages:?}");
    for page in pages {
        browser.go(&page.replace("{person}", &person)).await;
        let title = browser.ask("return document.title;").await;
        let title = title.as_str().unwrap_or_default();
        assert!(
            title.contains("Offgate") && !title.starts_with("There is no such page"),
            "{page}: {title}"
        );
    }
}
