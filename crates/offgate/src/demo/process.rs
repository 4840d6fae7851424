//! The agents of the demo: processes of this same program, which end when the demo does, however
//! it ends.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

/// A door agent's process, and how to start it again.
#[derive(Debug)]
pub(super) struct AgentProcess {
    program: PathBuf,
    data: PathBuf,
    server: SocketAddr,
    child: Child,
}

impl AgentProcess {
    /// Starts one whose data lie in `data`. It joins with the token in `join_file` if it has not
    /// joined yet.
    pub(super) fn start(
        data: PathBuf,
        server: SocketAddr,
        join_file: Option<&Path>,
    ) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        let child = spawn(&program, &data, server, join_file)?;
        Ok(Self {
            program,
            data,
            server,
            child,
        })
    }

    /// Where its data lie.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// Kills it, as a power cut would, and starts it again.
    pub(super) async fn kill_and_restart(&mut self) -> std::io::Result<()> {
        self.child.kill().await?;
        self.child = spawn(&self.program, &self.data, self.server, None)?;
        Ok(())
    }

    /// Asks it to end by closing its standard input, and makes sure that it has.
    pub(super) async fn end(mut self, patience: std::time::Duration) {
        drop(self.child.stdin.take());
        if tokio::time::timeout(patience, self.child.wait())
            .await
            .is_err()
        {
            let _ = self.child.kill().await;
        }
    }
}

fn spawn(
    program: &Path,
    data: &Path,
    server: SocketAddr,
    join_file: Option<&Path>,
) -> std::io::Result<Child> {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(data.join("agent.log"))?;
    let mut command = Command::new(program);
    command
        .arg("agent")
        .arg("--data")
        .arg(data)
        .args(["--server", &server.to_string(), "--reader", "simulated"])
        // Nobody writes there. It ends when this process does, even by kill -9, and so does the agent.
        .arg("--end-with-input")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    if let Some(file) = join_file {
        command.arg("--join-file").arg(file);
    }
    // Settings of the person who runs the demo are not those of its agents.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("OFFGATE_"))
        {
            command.env_remove(name);
        }
    }
    // An interrupt at the terminal is for the demo alone; it ends its agents itself.
    command.process_group(0);
    command.spawn()
}
