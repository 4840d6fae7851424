//! Disks that keep nothing any more, at a door and at the server, with the log on them too.

use std::fs::File;
use std::process::Command;

use rustix::process::Signal;

use crate::agents::{House, begin};
use crate::support::{Console, Running, wait_until};

/// Starts a program that goes on when a file would become larger than it may, and logs to a file.
fn start(command: &Command, log: File) -> Running {
    let mut shell = Command::new("bash");
    shell
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args())
        .stderr(log);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    Running::start(&mut shell)
}

/// How far into its files a program may write from now on.
fn may_write(program: &Running, bytes: &str) {
    let done = Command::new("prlimit")
        .args(["--pid", &program.child.id().to_string()])
        .arg(format!("--fsize={bytes}:unlimited"))
        .status()
        .expect("util-linux");
    assert!(done.success());
}

#[test]
fn a_door_whose_disk_keeps_nothing_says_so_and_confirms_once_it_does() {
    let house = House::new();
    let books = &house.installation;
    let log = File::create(books.data().join("entrance.log")).expect("a file");
    let token = house.token();
    let mut agent = start(house.agent("entrance").args(["--join", &token]), log);
    house.wait_for("entrance", "granted");
    let state = || books.json(&["user", "show", "Yuki Mori"])["doors"][0]["state"].clone();

    may_write(&agent, "1");
    books.json(&["user", "deactivate", "Yuki Mori"]);
    house.wait_for("entrance", "refused: deactivated");
    wait_until("the reason is told", || state() == "failed: its disk fails");
    assert_eq!(
        books.json(&["user", "show", "Yuki Mori"])["confirmation"],
        "Confirmed by 0 of 1 door. Front door cannot confirm: its disk fails."
    );
    let unwell = books.run(&["doctor"]);
    assert_eq!(unwell.code, 1, "{unwell:?}");
    let told = "has not confirmed everything yet: its disk fails. Make room";
    assert!(unwell.out.contains(told), "{unwell:?}");

    may_write(&agent, "unlimited");
    wait_until("the door confirms by itself", || state() == "confirmed");
    agent.end(Signal::KILL);
    let mut agent = Running::start(&mut house.agent("entrance"));
    house.wait_for("entrance", "refused: deactivated");
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
}

#[test]
fn a_server_whose_disk_is_full_claims_nothing_and_does_it_once_there_is_room() {
    let mut house = House::new();
    assert_eq!(house.server.end(Signal::TERM).0, Some(0));
    let log = File::create(house.installation.data().join("server.log")).expect("a file");
    let server = start(&house.installation.server(), log);
    (house.server, house.address, house.console) = begin(server);
    let token = house.token();
    let mut agent = Running::start(house.agent("entrance").args(["--join", &token]));
    house.wait_for("entrance", "granted");
    let mut console = Console::at(house.console.clone());
    console.sign_in(&house.installation);
    let shown = house.installation.json(&["user", "show", "Yuki Mori"]);
    let user = shown["id"].as_str().expect("an id");
    let form = "reason=left&command=3f0b9f0e-6b1c-4d0e-9a59-0d4a4f2f7a11";
    let deactivate = || {
        let path = format!("/users/{user}/deactivate");
        console.submit(&path, form).expect("an answer")
    };

    may_write(&house.server, "1");
    let answer = deactivate();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(
        answer.contains("It is not known whether this was done"),
        "{answer}"
    );
    house.wait_for("entrance", "granted");

    may_write(&house.server, "unlimited");
    wait_until("it is done", || deactivate().starts_with("HTTP/1.1 303"));
    house.wait_for("entrance", "refused: deactivated");
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
    assert_eq!(house.server.end(Signal::TERM).0, Some(0));
}
