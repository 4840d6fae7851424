//! The server as whoever runs it meets it: its first start, its stop, its certificates, its doctor,
//! and the way back in for owners.

use std::io::{BufRead as _, BufReader, Write as _};

use rustix::process::Signal;

use crate::support::{Installation, get, http, offgate, post, run};

#[test]
fn the_first_start_prints_a_link_and_a_stop_is_quick() {
    let folder = Installation::new();
    let mut server = folder.serve();
    let said = server.read_until("Set up the owner here").join("\n");
    assert!(said.contains("/start/"), "{said}");
    let second = folder.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 4, "one server at most: {second:?}");
    let doctor = folder.json(&["doctor"]);
    let found = |what: &str| {
        let all = doctor["items"].as_array().expect("findings");
        all.iter()
            .find(|one| one["what"] == what)
            .map(|one| one["health"].clone())
    };
    for what in [
        "clock",
        "disk space",
        "disk writes",
        "data directory",
        "server",
        "database",
    ] {
        assert_eq!(found(what), Some("well".into()), "{what}: {doctor}");
    }
    // Somebody who says half a sentence does not keep it from stopping.
    let console = said
        .split("The console: http://")
        .nth(1)
        .expect("the console");
    let console = console.lines().next().expect("its address");
    let mut idle = std::net::TcpStream::connect(console).expect("a connection");
    idle.write_all(b"GET / HTTP/1.1\r\nHost:")
        .expect("half a request");
    let (code, took) = server.end(Signal::TERM);
    assert_eq!(code, Some(0));
    assert!(took.as_secs() < 5, "{took:?}");
}

#[test]
fn doctor_finds_what_is_wrong() {
    use std::os::unix::fs::PermissionsExt as _;
    let house = Installation::new();
    std::fs::set_permissions(house.data(), std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let said = house.run(&["doctor"]);
    // Opening the store may have made the directory private again; what was found still counts.
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.out.contains("others on this machine can read it"),
        "{said:?}"
    );

    let nowhere = tempfile::tempdir().expect("a folder");
    let said = run(
        offgate().arg("--data").arg(nowhere.path()).arg("doctor"),
        "",
    );
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(
        std::fs::read_dir(nowhere.path()).expect("entries").count(),
        0,
        "nothing is made"
    );
}

#[test]
fn owners_get_links_and_the_last_one_stays() {
    let house = Installation::new();
    let made = house.json(&[
        "owner",
        "add",
        "--name",
        "Ingrid",
        "--email",
        "ingrid@example.org",
    ]);
    assert_eq!(made["role"], "owner");
    let link = made["link"].as_str().expect("a link");
    assert!(link.contains("/start/"), "{link}");
    let reset = house.json(&["owner", "reset", "INGRID@example.org"]);
    assert_ne!(reset["link"], made["link"], "each link is another");
    let twice = house.run(&[
        "owner",
        "add",
        "--name",
        "Other",
        "--email",
        "Ingrid@Example.org",
    ]);
    assert_eq!(twice.code, 1, "{twice:?}");
    house.json(&[
        "operator",
        "create",
        "--name",
        "Gil",
        "--email",
        "gil@example.org",
        "--role",
        "guard",
    ]);
    assert_eq!(
        house.run(&["owner", "reset", "Gil"]).code,
        1,
        "a guard is no owner"
    );
    assert_eq!(
        house.json(&["operator", "role", "Gil", "viewer"])["role"],
        "viewer"
    );
    let ended = house.json(&["--yes", "operator", "end", "Gil"]);
    assert_eq!(ended["state"], "ended");
    assert_eq!(
        house.run(&["operator", "reset", "Gil"]).code,
        1,
        "ended for good"
    );
}

#[test]
fn a_certificate_of_ones_own_is_used_and_looked_at() {
    let house = Installation::new();
    // The one that the server made is as good as another.
    let own = house.data().join("keys/console-certificate.pem");
    let copy = house.data().join("own.pem");
    std::fs::copy(own, &copy).expect("a certificate");
    let settings = |path: &std::path::Path| {
        let path = path.display();
        let text = format!("[server]\ncertificate = '{path}'\ncertificate-key = '{path}'\n");
        std::fs::write(house.data().join("offgate.toml"), text).expect("settings");
    };
    settings(&copy);
    let mut server = house.serve();
    server.read_until("Root fingerprint");
    let found = house.run(&["doctor"]);
    assert_eq!(found.code, 0, "{found:?}");
    assert!(found.out.contains("ends in 39"), "{found:?}");
    assert_eq!(server.end(Signal::INT).0, Some(0));

    settings(&house.data().join("nowhere.pem"));
    let found = house.run(&["doctor"]);
    assert_eq!(found.code, 1, "{found:?}");
    let served = house.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(served.code, 4, "{served:?}");
}

#[test]
fn the_link_of_the_first_start_sets_up_the_owner_and_no_other_is_printed() {
    let house = Installation::new();
    let mut server = house.serve();
    let said = server
        .read_until("Set up the owner here")
        .pop()
        .expect("a line");
    let link = said.split("http://").nth(1).expect("a link");
    let (host, path) = link.split_once('/').expect("a path");
    let path = format!("/{path}");
    assert!(get(host, &path).starts_with("HTTP/1.1 200"));
    let form = "name=Ingrid&email=ingrid%40example.org&password=a+long+boat+ride";
    let set_up = post(host, &path, form);
    assert!(set_up.starts_with("HTTP/1.1 303"), "{set_up}");
    let owner = house.json(&["operator", "show", "ingrid@example.org"]);
    assert_eq!(
        (&owner["role"], &owner["state"]),
        (&"owner".into(), &"open".into())
    );
    let again = post(
        host,
        &path,
        "name=Eve&email=eve%40example.org&password=a+long+boat+ride",
    );
    assert!(!again.starts_with("HTTP/1.1 303"), "used up: {again}");
    assert_eq!(
        house.json(&["operator", "list"])["items"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(
        house.run(&["operator", "end", "Ingrid", "--yes"]).code,
        1,
        "the last owner"
    );
    let cookie = set_up
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .and_then(|line| line.split(';').next())
        .expect("a cookie");
    // Nobody presents a credential from here: the page that does is the demo's alone.
    for (request, more) in [
        ("GET /demo/doors", String::new()),
        (
            "POST /demo/doors/0/present",
            format!("Origin: http://{host}\r\nContent-Length: 0\r\n"),
        ),
    ] {
        let asked = format!(
            "{request} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n{more}Connection: close\r\n\r\n"
        );
        let answered = http(host, &asked);
        assert!(
            answered.starts_with("HTTP/1.1 404"),
            "{request}: {answered}"
        );
    }

    // A page that is open and told of everything does not keep the server from stopping.
    let mut stream = std::net::TcpStream::connect(host).expect("a connection");
    write!(
        stream,
        "GET /live HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n"
    )
    .expect("a request");
    let mut told = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(told.any(|line| line == "content-type: text/event-stream"));
    assert!(told.any(|line| line.is_empty()), "the stream is open");
    let (code, took) = server.end(Signal::INT);
    assert_eq!(code, Some(0));
    assert!(took.as_secs() < 5, "{took:?}");

    let mut server = house.serve();
    // What is said last names the fingerprint; nothing about a link follows.
    server.read_until("Root fingerprint");
    let said = server.end_and_read(Signal::INT);
    assert!(!said.contains("/start/"), "{said}");
}

#[test]
fn an_operator_chooses_the_first_password_by_the_link() {
    let house = Installation::new();
    let mut server = house.serve();
    let said = server.read_until("Root fingerprint").join("\n");
    let host = said
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .expect("a host");
    let made = house.json(&[
        "operator",
        "create",
        "--name",
        "Gil",
        "--email",
        "gil@example.org",
        "--role",
        "guard",
    ]);
    assert_eq!(made["state"], "has no password yet");
    let link = made["link"].as_str().expect("a link");
    let path = &link[link.find("/start/").expect("a path")..];
    assert!(get(host, path).contains("Gil"));
    let chosen = post(host, path, "password=a+long+boat+ride");
    assert!(chosen.starts_with("HTTP/1.1 303"), "{chosen}");
    assert_eq!(house.json(&["operator", "show", "Gil"])["state"], "open");
    let form = "email=gil%40example.org&password=a+long+boat+ride";
    let signed_in = post(host, "/sign-in", form);
    assert!(
        signed_in.starts_with("HTTP/1.1 303") && signed_in.contains("set-cookie"),
        "{signed_in}"
    );
    // A link for somebody whose sign-in has ended is over.
    let reset = house.json(&["operator", "reset", "Gil"]);
    let link = reset["link"].as_str().expect("a link");
    house.json(&["--yes", "operator", "end", "Gil"]);
    let path = &link[link.find("/start/").expect("a path")..];
    assert!(get(host, path).starts_with("HTTP/1.1 410"));
}
