//! On what, when and at which commit was measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// Where builds go: on a disk, not in memory, and nobody misses what is left there.
pub(crate) fn build_folder() -> PathBuf {
    workspace().join("target")
}

/// "2026-11-25 at commit `abc`, on 2 cores of …, 24 GiB, Linux 6.18".
pub(crate) fn describe() -> anyhow::Result<String> {
    let date = output_of(Command::new("date").args(["--utc", "+%Y-%m-%d"]))?;
    let commit = output_of(
        Command::new("git")
            .args(["describe", "--always", "--dirty"])
            .current_dir(workspace()),
    )?;
    let cores = std::thread::available_parallelism()?;
    let cpu = field("/proc/cpuinfo", "model name")?;
    let kibibytes: u64 = field("/proc/meminfo", "MemTotal")?
        .trim_end_matches(" kB")
        .parse()
        .context("/proc/meminfo")?;
    let kernel = output_of(Command::new("uname").args(["--kernel-name", "--kernel-release"]))?;
    Ok(format!(
        "{date} at commit `{commit}`, on {cores} cores of {cpu}, {} GiB, {kernel}",
        kibibytes.div_ceil(1024 * 1024),
    ))
}

/// The first value of a field in one of the kernel's "name: value" files.
fn field(file: &str, name: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| file.to_owned())?;
    let value = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(field, _)| field.trim() == name)
        .map(|(_, value)| value.trim().to_owned());
    value.with_context(|| format!("{file} does not tell the {name}"))
}

fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().context("could not be started")?;
    if !output.status.success() {
        bail!("{:?}: {}", command.get_program(), output.status);
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
