//! The real program in directories of its own, as a person at a terminal uses it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longer than anything here takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The answer as a program reads it.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The program, without the settings of whoever runs the tests.
pub(crate) fn offgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offgate"));
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("OFFGATE_"))
        {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end, with this on standard input.
pub(crate) fn run(command: &mut Command, input: &str) -> Said {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut stdin = child.stdin.take().expect("standard input");
    // A program that does not want it may have ended already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("its end");
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A program that runs until it is told to stop, and is killed when a test fails.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let lines = BufReader::new(child.stdout.take().expect("standard output"));
        Self { child, lines }
    }

    /// What it says, up to and with the line that contains `last`.
    pub(crate) fn read_until(&mut self, last: &str) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).expect("a line");
            assert!(read > 0, "it ended before it said {last:?}: {said:?}");
            let line = line.trim_end().to_owned();
            let found = line.contains(last);
            said.push(line);
            if found {
                return said;
            }
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process"), signal).expect("a signal");
    }

    /// Sends it a signal, and says what it said until it ended.
    pub(crate) fn end_and_read(&mut self, signal: Signal) -> String {
        self.end(signal);
        let mut said = String::new();
        self.lines.read_to_string(&mut said).expect("text");
        said
    }

    /// Sends it a signal, and says its exit code and how long it took to end.
    pub(crate) fn end(&mut self, signal: Signal) -> (Option<i32>, Duration) {
        let since = Instant::now();
        self.signal(signal);
        let status = self.child.wait().expect("its end");
        (status.code(), since.elapsed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again until it is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < SOON, "not so in time: {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// An installation with a data directory, whose server does not run.
pub(crate) struct Installation {
    folder: tempfile::TempDir,
    /// What the server said at its first start.
    first_said: Vec<String>,
}

impl Installation {
    /// Made as everybody makes it: by starting the server once.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut installation = Self {
            folder,
            first_said: Vec::new(),
        };
        let mut server = installation.serve();
        installation.first_said = server.read_until("Root fingerprint");
        let (code, _) = server.end(Signal::INT);
        assert_eq!(code, Some(0));
        installation
    }

    /// The passphrase, as it was shown at the first start.
    pub(crate) fn passphrase(&self) -> String {
        let after = |line: &&String| !line.starts_with("The passphrase of this store");
        let mut lines = self.first_said.iter().skip_while(after);
        lines.nth(2).expect("a passphrase").trim().to_owned()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("server")
    }

    /// Starts the server on ports that are free.
    pub(crate) fn serve(&self) -> Running {
        Running::start(&mut self.server())
    }

    /// What starts its server.
    pub(crate) fn server(&self) -> Command {
        let mut command = offgate();
        command.arg("serve").arg("--data").arg(self.data()).args([
            "--listen",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--log",
            "warn",
        ]);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.run_with(arguments, "")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Said {
        run(
            offgate().arg("--data").arg(self.data()).args(arguments),
            input,
        )
    }

    /// Runs a command that must work, and reads its answer as a program does.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let said = run(
            offgate()
                .arg("--data")
                .arg(self.data())
                .args(["--format", "json"])
                .args(arguments),
            "",
        );
        assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
        said.json()
    }
}

/// The processes that were started with this path on their command line.
pub(crate) fn processes_with(path: &Path) -> Vec<String> {
    let path = path.to_str().expect("text");
    let processes = std::fs::read_dir("/proc").expect("processes");
    processes
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(path))
        .collect()
}

/// Sends a request as it is, and reads the answer to its end.
pub(crate) fn http(host: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(host).expect("a connection");
    stream.set_read_timeout(Some(SOON)).expect("a limit");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Looks at a page.
pub(crate) fn get(host: &str, path: &str) -> String {
    http(
        host,
        &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
    )
}

/// Sends a form, as a page of the same host does.
pub(crate) fn post(host: &str, path: &str, body: &str) -> String {
    http(
        host,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

/// An address that nobody listens at.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").to_string()
}

/// The console, as somebody who has signed in uses it.
pub(crate) struct Console {
    pub(crate) address: String,
    cookie: String,
}

impl Console {
    /// The console of a server that will serve there.
    pub(crate) fn at(address: String) -> Self {
        Self {
            address,
            cookie: String::new(),
        }
    }

    /// Becomes an owner, while the server runs.
    pub(crate) fn sign_in(&mut self, installation: &Installation) {
        let made = installation.json(&["owner", "add", "--name", "O", "--email", "o@example.org"]);
        let link = made["link"].as_str().expect("a link");
        let path = &link[link.find("/start/").expect("a path")..];
        let signed_in = post(&self.address, path, "password=a+long+boat+ride");
        let mut lines = signed_in.lines();
        let cookie = lines.find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.and_then(|line| line.split(';').next());
        cookie
            .unwrap_or_else(|| panic!("{signed_in}"))
            .clone_into(&mut self.cookie);
    }

    /// What the console answers to a form; nothing when it is killed meanwhile.
    pub(crate) fn submit(&self, path: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(SOON)).ok()?;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {cookie}\r\n\
             Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\n\r\n{body}",
            host = self.address,
            cookie = self.cookie,
            length = body.len(),
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

/// Numbers that look random, and are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(crate) fn wait(&mut self, at_most: u64) {
        let until = Instant::now() + Duration::from_millis(self.below(at_most));
        while let Some(rest) = until.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(rest);
        }
    }
}
