//! The demo: it does what it prints, and leaves nothing behind.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::support::{Running, Said, get, http, offgate, post, processes_with, run, wait_until};

/// A demo in a directory of its own, and what it said.
struct Demo {
    running: Running,
    said: Vec<String>,
}

impl Demo {
    fn start(data: &Path) -> Self {
        let mut running = Running::start(
            offgate()
                .arg("demo")
                .arg("--data")
                .arg(data)
                .args(["--port", "0"]),
        );
        let said = running.read_until("A real installation starts with");
        Self { running, said }
    }

    /// The lines to try.
    fn tries(&self) -> Vec<&str> {
        let lines = self.said.iter().map(|line| line.trim());
        lines.filter(|line| line.contains(" present ")).collect()
    }

    /// The first address in what it said: host with port, and path.
    fn address(&self) -> (String, String) {
        let line = self
            .said
            .iter()
            .find(|line| line.contains("/start/"))
            .expect("a link");
        let url = line
            .split(' ')
            .find(|word| word.starts_with("http://"))
            .expect("an address");
        let rest = url.trim_start_matches("http://");
        let (host, path) = rest.split_once('/').expect("a path");
        (host.to_owned(), format!("/{path}"))
    }
}

/// Types a line into a shell.
fn typed(line: &str) -> Said {
    run(Command::new("sh").arg("-c").arg(line), "")
}

#[test]
fn it_does_what_it_prints_and_nothing_is_left_when_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("demo");
    let mut demo = Demo::start(&data);
    assert_eq!(processes_with(&data).len(), 4, "the demo and three agents");

    // Some people have passed the doors already.
    let server = data.join("server");
    wait_until("the timeline tells of them", || {
        let mut asked = offgate();
        asked
            .arg("--data")
            .arg(&server)
            .args(["activity", "--kind", "doors"]);
        let told = run(&mut asked, "").out;
        told.contains("door.granted")
            && told.contains("door.refused")
            && told.contains("door.way-out")
    });

    // Each line to try does what is written behind it.
    let tries: Vec<String> = demo.tries().into_iter().map(str::to_owned).collect();
    assert_eq!(tries.len(), 3, "{:?}", demo.said);
    for line in &tries {
        let outcome = typed(line);
        let expected = if line.ends_with("granted") {
            ("granted", 0)
        } else {
            ("refused", 1)
        };
        assert!(outcome.out.starts_with(expected.0), "{line}: {outcome:?}");
        assert_eq!(outcome.code, expected.1, "{line}");
    }

    // The link opens a page with a button, and is not used up by looking.
    let (host, path) = demo.address();
    for _ in 0..2 {
        let page = get(&host, &path);
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(page.contains("Sign in"), "{page}");
    }
    demo.running
        .child
        .stdin
        .as_mut()
        .expect("a keyboard")
        .write_all(b"\n")
        .expect("Enter");
    let again = demo.running.read_until("/start/").pop().expect("a line");
    assert!(!again.contains(&path), "another link");

    // The button signs in, once.
    let signed_in = post(&host, &path, "");
    assert!(signed_in.starts_with("HTTP/1.1 303"), "{signed_in}");
    let cookie = signed_in
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .and_then(|line| line.split(';').next())
        .expect("a cookie");
    let today = http(
        &host,
        &format!("GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"),
    );
    assert!(
        today.starts_with("HTTP/1.1 200") && today.contains("Today"),
        "{today}"
    );
    let second = post(&host, &path, "");
    assert!(!second.contains("set-cookie"), "used up: {second}");

    // The page of the doors presents at the doors' own readers.
    let doors = get(&host, "/demo/doors");
    for words in [
        "60 seconds",
        "Front door",
        "Server room",
        "Present",
        "Cut this door off",
        "Kill and restart it",
    ] {
        assert!(doors.contains(words), "{words}: {doors}");
    }
    let presented = post(
        &host,
        "/demo/doors/0/present",
        "direction=in&kind=pin&value=863916",
    );
    assert!(presented.starts_with("HTTP/1.1 303"), "{presented}");
    let doors = get(&host, "/demo/doors");
    assert!(doors.contains("Green light"), "{doors}");

    // Somebody is deactivated while one door is cut off: that door says so when it is back.
    let books = |arguments: &[&str]| {
        run(
            offgate()
                .arg("--data")
                .arg(&server)
                .args(["--format", "json"])
                .args(arguments),
            "",
        )
    };
    wait_until("every contact is heard", || {
        let doors = books(&["door", "list"]).json();
        let doors = doors["items"].as_array().expect("doors").clone();
        doors.iter().all(|door| door["stands"] == "closed")
    });
    post(&host, "/demo/doors/3/wire", "wire=cut");
    assert!(get(&host, "/demo/doors").contains("It works on its own for another"));
    assert_eq!(books(&["user", "deactivate", "Amara Okafor"]).code, 0);
    let confirmation = || {
        books(&["user", "show", "Amara Okafor"]).json()["confirmation"]
            .as_str()
            .map(str::to_owned)
    };
    wait_until("three doors confirm, and the fourth is named", || {
        let said = confirmation().unwrap_or_default();
        said.starts_with("Confirmed by 3 of 4 doors. Server room has not answered since")
            && said.contains("may still open for them until")
    });
    let open = || {
        books(&["user", "show", "Amara Okafor"]).json()["standing_open"]
            .as_str()
            .map(str::to_owned)
            .unwrap_or_default()
    };
    assert_eq!(
        open(),
        "Whether 1 of the 4 doors stood open then is not known; the others did not."
    );
    let propped = post(&host, "/demo/doors/0/contact", "position=open");
    assert!(propped.starts_with("HTTP/1.1 303"), "{propped}");
    wait_until("the door that was propped open is told", || {
        open().starts_with("Front door stands open: ")
    });
    assert!(get(&host, "/demo/doors").contains("It stands open."));
    post(&host, "/demo/doors/0/contact", "position=closed");
    wait_until("it is closed again", || open().starts_with("Whether 1 of"));
    assert!(typed(&tries[0]).out.starts_with("refused: deactivated"));
    assert!(
        typed(&tries[1]).out.starts_with("granted"),
        "it was told that it may still open"
    );
    post(&host, "/demo/doors/3/wire", "wire=whole");
    wait_until("the fourth confirms", || {
        confirmation()
            .unwrap_or_default()
            .starts_with("Confirmed by 4 of 4 doors, the last at")
    });
    assert!(typed(&tries[1]).out.starts_with("refused: deactivated"));

    // A kill brings nobody back.
    let killed = post(&host, "/demo/doors/0/kill", "");
    assert!(killed.starts_with("HTTP/1.1 303"), "{killed}");
    wait_until("the killed agent decides again", || {
        typed(&tries[0]).out.starts_with("refused")
    });
    assert!(typed(&tries[0]).out.starts_with("refused: deactivated"));

    // An open page is told how the doors are, and does not keep the demo from ending.
    let mut stream = TcpStream::connect(&host).expect("a connection");
    write!(
        stream,
        "GET /demo/doors/live HTTP/1.1\r\nHost: {host}\r\n\r\n"
    )
    .expect("a request");
    let mut told = BufReader::new(stream).lines();
    let part = told.find_map(|line| line.ok()?.strip_prefix("data: ").map(str::to_owned));
    assert!(
        part.is_some_and(|part| part.contains("state-0")),
        "a part of the page"
    );

    let (code, took) = demo.running.end(Signal::INT);
    assert_eq!(code, Some(0));
    assert!(took.as_secs() < 10, "{took:?}");
    assert_eq!(processes_with(&data), Vec::<String>::new());

    // It can be gone on with, but never becomes a real installation.
    for part in [data.clone(), server.clone()] {
        let served = run(
            offgate()
                .args(["serve", "--listen", "127.0.0.1:0", "--data"])
                .arg(part),
            "",
        );
        assert_eq!(served.code, 2, "{served:?}");
        assert!(served.err.contains("holds a demo"), "{served:?}");
    }
    // Not even when only its database is taken, without anything beside it.
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).expect("a folder");
    for file in ["offgate.db", "offgate.db-wal"] {
        let (from, to) = (server.join(file), taken.join(file));
        assert!(std::fs::copy(from, to).is_ok() || file != "offgate.db");
    }
    let served = run(
        offgate()
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&taken),
        "",
    );
    assert_eq!(served.code, 2, "{served:?}");
    assert!(served.err.contains("holds a demo"), "{served:?}");
    let mut again = Demo::start(&data);
    assert!(confirmation().is_some(), "she is still deactivated");
    assert_eq!(again.running.end(Signal::TERM).0, Some(0));
    assert_eq!(processes_with(&data), Vec::<String>::new());
}

#[test]
fn its_agents_end_even_when_it_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("demo");
    let mut demo = Demo::start(&data);
    assert_eq!(processes_with(&data).len(), 4);
    assert_eq!(demo.running.end(Signal::KILL).0, None);
    wait_until("no agent is left", || processes_with(&data).is_empty());
}

#[test]
fn a_directory_with_something_else_in_it_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("offgate.db"), "people").expect("a file");
    let said = run(offgate().arg("demo").arg("--data").arg(folder.path()), "");
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("is not a demo's"), "{said:?}");
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("entries").count(),
        1
    );
}

#[test]
fn without_a_directory_everything_is_gone_afterwards() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut demo = Running::start(
        offgate()
            .arg("demo")
            .args(["--port", "0"])
            .env("TMPDIR", folder.path()),
    );
    demo.read_until("A real installation starts with");
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("entries").count(),
        1
    );
    assert_eq!(demo.end(Signal::HUP).0, Some(0));
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("entries").count(),
        0
    );
    assert_eq!(processes_with(folder.path()), Vec::<String>::new());
}

#[test]
fn ended_while_it_begins_it_leaves_nothing_either() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut demo = Running::start(
        offgate()
            .arg("demo")
            .args(["--port", "0"])
            .env("TMPDIR", folder.path()),
    );
    let entries = || {
        let entries = std::fs::read_dir(folder.path()).expect("entries");
        entries.map(|entry| entry.expect("an entry").path())
    };
    wait_until("it has begun", || {
        entries().any(|path| path.join("server/offgate.db").exists())
    });
    assert_eq!(demo.end(Signal::INT).0, Some(0));
    assert_eq!(entries().count(), 0);
    assert_eq!(processes_with(folder.path()), Vec::<String>::new());
}
