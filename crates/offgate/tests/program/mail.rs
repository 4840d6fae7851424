//! Mail as somebody at the terminal sets it up, and what an auditor does with what arrives.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Installation, Running, offgate, run, wait_until};

const PASSWORD: &str = "planted horse battery";

/// A mail server on this machine that takes everything, and what it was told.
pub(crate) fn post_office() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let hearing = Arc::clone(&heard);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut all = String::new();
            let mut in_letter = false;
            // Whoever hangs up in the middle has said all there was.
            let _ = stream.write_all(b"220 here\r\n");
            let lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
            for line in lines.map_while(Result::ok) {
                all.push_str(&line);
                all.push('\n');
                let answer = match line.get(..4) {
                    _ if in_letter && line != "." => continue,
                    _ if in_letter => "250 queued",
                    Some("EHLO") => "250-here\r\n250 AUTH PLAIN",
                    Some("DATA") => "354 go on",
                    Some("AUTH") => "235 welcome",
                    Some("QUIT") => "221 bye",
                    _ => "250 ok",
                };
                in_letter = line == "DATA";
                let _ = stream.write_all(format!("{answer}\r\n").as_bytes());
                if line == "QUIT" {
                    break;
                }
            }
            hearing.lock().expect("a list").push(all);
        }
    });
    (port.to_string(), heard)
}

pub(crate) fn set_up(house: &Installation, port: &str) {
    let said = house.run_with(
        &[
            "mail",
            "set",
            "--server",
            "127.0.0.1",
            "--port",
            port,
            "--tls",
            "none",
            "--user",
            "doors",
            "--password",
            "-",
            "--from",
            "doors@example.com",
            "--name",
            "doors.example.com",
        ],
        &format!("{PASSWORD}\n"),
    );
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.out.contains(PASSWORD) && !said.err.contains(PASSWORD));
}

/// The file that came with a letter.
fn attached(letter: &str) -> Vec<u8> {
    let (_, file) = letter.split_once("attachment; filename=").expect("a file");
    let (_, file) = file.split_once("\n\n").expect("its content");
    let (file, _) = file.split_once("\n--").expect("its end");
    let text: String = file.split_whitespace().collect();
    BASE64.decode(text.as_bytes()).expect("base64")
}

fn holds(file: &Path, text: &str) -> bool {
    let bytes = std::fs::read(file).expect("its bytes");
    bytes.windows(text.len()).any(|it| it == text.as_bytes())
}

#[test]
fn a_checkpoint_that_is_mailed_is_checked_by_whoever_gets_it() {
    let house = Installation::new();
    let (port, heard) = post_office();
    set_up(&house, &port);
    let said = house.json(&["mail", "test", "--to", "me@example.com"]);
    assert_eq!(said["accepted_by"], "127.0.0.1");
    assert_eq!(said["said"], "250 queued");

    let log = house.data().join("../log");
    let mut server = Running::start(
        offgate()
            .arg("serve")
            .arg("--data")
            .arg(house.data())
            .args(["--listen", "127.0.0.1:0", "--log", "trace"])
            .stderr(File::create(&log).expect("a file")),
    );
    server.read_until("Root fingerprint");
    let to = ["--to", "auditor@example.com", "--every", "week"];
    house.json(&[&["mail", "checkpoint"], &to[..]].concat());
    wait_until("it arrives", || heard.lock().expect("a list").len() == 2);
    let shown = || house.json(&["mail", "show"]);
    wait_until("it is noted", || shown()["last_sent_at"] != Value::Null);
    assert_eq!(server.end(Signal::INT).0, Some(0));

    let letter = heard.lock().expect("a list")[1].clone();
    let (folder, root) = (
        log.with_file_name("auditor"),
        house.json(&["audit", "verify"]),
    );
    std::fs::create_dir(&folder).expect("a folder");
    let file = folder.join("checkpoint.offgate");
    std::fs::write(&file, attached(&letter)).expect("a file");
    let root = root["root"].as_str().expect("a fingerprint");
    let check = |file: &Path, more: &[&str]| {
        let mut command = offgate();
        run(
            command
                .args(["audit", "check"])
                .arg(file)
                .args(["--root", root])
                .args(more),
            "",
        )
    };
    assert_eq!(check(&file, &[]).code, 0);

    // What the letter says to do later is what works later.
    house.json(&["group", "create", "Staff"]);
    let (kept, later) = (file.to_str().expect("text"), folder.join("later.offgate"));
    let output = later.to_str().expect("text");
    house.json(&["audit", "prove", "--since", kept, "--output", output]);
    assert_eq!(check(&later, &["--since", kept]).code, 0);
    for told in [
        "audit check",
        "audit prove --since",
        "check later.offgate --since",
    ] {
        assert!(letter.contains(told), "{told} in {letter}");
    }

    let secret = BASE64.encode(format!("\0doors\0{PASSWORD}").as_bytes());
    assert!(letter.contains(&secret), "it was signed in");
    assert!(holds(&house.data().join("keys/mail-password"), PASSWORD));
    for place in [house.data().join("offgate.db"), log] {
        for secret in [PASSWORD, &secret] {
            assert!(!holds(&place, secret), "{}", place.display());
        }
    }
    house.json(&["mail", "stop"]);
    assert!(!house.data().join("keys/mail-password").exists());
    assert_eq!(shown()["server"], Value::Null);
}

#[test]
fn what_cannot_be_is_refused_and_said() {
    let house = Installation::new();
    let refused = |arguments: &[&str]| {
        let said = house.run(arguments);
        (said.code, said.err)
    };
    let (code, words) = refused(&["mail", "test", "--to", "me@example.com"]);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("set up a mail server first"), "{words}");
    let (port, _heard) = post_office();
    set_up(&house, &port);
    let (code, words) = refused(&["mail", "set", "--server", "mail.example.com"]);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("without TLS only to"), "{words}");
    let (code, words) = refused(&["mail", "set", "--server", "localhost"]);
    assert_eq!(code, 1, "{words}");
    assert!(
        words.contains("give the password for this server"),
        "{words}"
    );
    let (code, words) = refused(&["mail", "set", "--password", PASSWORD]);
    assert_eq!(code, 2, "{words}");
    assert!(!words.contains(PASSWORD), "{words}");
    assert_eq!(refused(&["mail", "set"]).0, 2);

    // Nobody listens at this port any more.
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = gone.local_addr().expect("an address").port().to_string();
    drop(gone);
    house.json(&["mail", "set", "--port", &port, "--user", ""]);
    assert!(!house.data().join("keys/mail-password").exists());
    let (code, words) = refused(&["mail", "test", "--to", "me@example.com"]);
    assert_eq!(code, 4, "{words}");
    assert!(words.contains("could not be reached"), "{words}");
    let doctor = house.run(&["doctor"]);
    assert!(
        doctor.out.contains("is set up; nothing was sent"),
        "{doctor:?}"
    );
}
