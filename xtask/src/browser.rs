//! The browser that the console's tests drive: Chromium and its driver.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::step::{run, say};

/// A program the tests start, and the Debian package it comes in.
const NEEDED: [(&str, &str); 2] = [
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
];

/// Installs what is missing on Debian, when that needs no password; elsewhere says what to install.
pub(crate) fn provide() -> anyhow::Result<()> {
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    let Some(mut apt) = apt_get() else {
        bail!(
            "the console's tests need a browser. Install it and run this again:\n  \
             Debian, Ubuntu:  apt-get install {packages}\n  \
             Fedora:          dnf install chromium chromedriver\n  \
             Arch:            pacman -S chromium\n  \
             macOS:           brew install --cask chromium chromedriver"
        );
    };
    say(&format!(
        "The console's tests need a browser; installing {packages}."
    ));
    run("apt-get update", apt().args(["update", "--quiet"]))?;
    let install = ["install", "--quiet", "--yes", "--no-install-recommends"];
    run("apt-get install", apt().args(install).args(&missing))
}

fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

/// How to call `apt-get` here without being asked for a password; none if there is no way.
fn apt_get() -> Option<impl FnMut() -> Command> {
    if !Path::new("/etc/debian_version").exists() || !is_installed("apt-get") {
        return None;
    }
    let with_sudo = if am_root() {
        false
    } else if sudo_asks_nothing() {
        true
    } else {
        return None;
    };
    Some(move || {
        let mut command = if with_sudo {
            let mut sudo = Command::new("sudo");
            sudo.args([
                "--non-interactive",
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
            ]);
            sudo
        } else {
            let mut apt = Command::new("apt-get");
            apt.env("DEBIAN_FRONTEND", "noninteractive");
            apt
        };
        command.stdin(Stdio::null());
        command
    })
}

fn am_root() -> bool {
    let id = Command::new("id").arg("-u").stdin(Stdio::null()).output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn sudo_asks_nothing() -> bool {
    let tried = Command::new("sudo")
        .args(["--non-interactive", "true"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}
