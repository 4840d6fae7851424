//! Running one step: it is announced, its output is shown as it comes, and its failure ends all.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// Says something to whoever started the chore.
#[expect(
    clippy::print_stderr,
    reason = "a chore talks to the terminal; this is its only mouth"
)]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// Says which step begins.
pub(crate) fn announce(what: &str) {
    say(&format!("\n== {what}"));
}

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Cargo itself, in the folder of the workspace.
///
/// `cargo run` tells this program about the package `xtask` through the environment, and build
/// scripts that look at those variables would run again after every direct use of
/// cargo. So they are not passed on.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(workspace())
        .stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let about_this_package = text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST_")
            || text.starts_with("CARGO_BIN_")
            || matches!(
                text,
                "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR"
            );
        if about_this_package {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command to its end.
pub(crate) fn run(what: &str, command: &mut Command) -> anyhow::Result<()> {
    announce(what);
    let status = command
        .status()
        .with_context(|| format!("{what}: could not be started"))?;
    if !status.success() {
        bail!("{what}: {status}");
    }
    Ok(())
}

/// Runs a command to its end and returns what it wrote to its standard output.
pub(crate) fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("could not be started")?;
    if !output.status.success() {
        bail!("{:?}: {}", command.get_program(), output.status);
    }
    String::from_utf8(output.stdout).context("answered with something that is not text")
}
