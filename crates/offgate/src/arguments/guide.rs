//! Every command that the documents show must be one that the program understands.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{CommandFactory as _, Parser as _};

use super::Arguments;

/// Splits a line into words as a shell does, as far as the documents use it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// The lines of a document's shell examples that call the program.
fn commands(document: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in document.lines() {
        if let Some(language) = line.trim().strip_prefix("```") {
            inside = !inside && matches!(language, "sh" | "shell" | "bash" | "console");
        } else if inside {
            let line = line.trim().trim_start_matches("$ ");
            let line = line.strip_prefix("cargo run --release -- ").map_or_else(
                || line.to_owned(),
                |arguments| format!("offgate {arguments}"),
            );
            if line.starts_with("offgate ") {
                found.push(line);
            }
        }
    }
    found
}

#[test]
fn every_command_in_the_documents_is_understood() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut documents: Vec<_> = std::fs::read_dir(top.join("docs"))
        .expect("docs")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    documents.push(top.join("README.md"));
    let mut seen = 0;
    for path in documents.iter().filter(|path| path.exists()) {
        let text = std::fs::read_to_string(path).expect("a document");
        for command in commands(&text) {
            seen += 1;
            // What follows a comment sign or a pipe is for the shell.
            let call = command.split(" # ").next().unwrap_or_default();
            let call = call
                .split(" | ")
                .next()
                .unwrap_or_default()
                .trim_end_matches(" &");
            if let Err(error) = Arguments::try_parse_from(words(call)) {
                let asked = matches!(
                    error.kind(),
                    clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
                );
                assert!(asked, "{}: {command}\n{error}", path.display());
            }
        }
    }
    assert!(seen > 20, "the documents show {seen} commands");
}

#[test]
fn every_command_is_in_the_documents_and_only_those() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/command-line.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let (_, table) = text.split_once("## All commands").expect("the table");
    let listed: BTreeSet<String> = table
        .lines()
        .filter_map(|line| {
            line.strip_prefix("| `")?
                .split_once('`')
                .map(|(name, _)| name.to_owned())
        })
        .collect();
    let mut there_are = BTreeSet::new();
    let mut program = Arguments::command();
    program.build();
    collect(&program, "offgate", &mut there_are);
    assert_eq!(listed, there_are);
}

/// The commands that do something, by what is typed.
fn collect(command: &clap::Command, typed: &str, found: &mut BTreeSet<String>) {
    let mut below = command
        .get_subcommands()
        .filter(|one| !one.is_hide_set())
        .peekable();
    if below.peek().is_none() {
        found.insert(typed.to_owned());
    }
    for one in below {
        collect(one, &format!("{typed} {}", one.get_name()), found);
    }
}

#[test]
fn every_exit_code_is_in_the_documents() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/command-line.md");
    let text = std::fs::read_to_string(path).expect("the document");
    for code in 0..=5 {
        assert!(text.contains(&format!("| {code} | ")), "{code}");
        assert!(
            crate::exit::CODES.contains(&format!("  {code}  ")),
            "{code}"
        );
    }
}
