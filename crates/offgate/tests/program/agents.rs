//! Agents of a real server: how they join, what a door answers, and how both start again.

use std::process::Command;

use rustix::process::Signal;

use crate::support::{Installation, Running, Said, offgate, run, wait_until};

/// A server that runs, with a door, a policy, and somebody who may pass.
pub(crate) struct House {
    pub(crate) installation: Installation,
    pub(crate) server: Running,
    pub(crate) address: String,
    /// Where the console is.
    pub(crate) console: String,
}

impl House {
    pub(crate) fn new() -> Self {
        let installation = Installation::new();
        let (server, address, console) = begin(installation.serve());
        installation.json(&["site", "create", "Harbour Works", "--zone", "Europe/Berlin"]);
        installation.json(&[
            "door",
            "create",
            "Front door",
            "--reader",
            "in",
            "--reader",
            "out",
        ]);
        installation.json(&["policy", "create", "Always", "--door", "Front door"]);
        installation.json(&[
            "user",
            "create",
            "--first-name",
            "Yuki",
            "--last-name",
            "Mori",
            "--policy",
            "Always",
            "--nfc",
            "04A22B19F0",
            "--plate",
            "HH AB 123",
        ]);
        Self {
            installation,
            server,
            address,
            console,
        }
    }

    pub(crate) fn token(&self) -> String {
        let made =
            self.installation
                .json(&["join-token", "create", "Entrance", "--door", "Front door"]);
        made["token"].as_str().expect("a token").to_owned()
    }

    pub(crate) fn agent(&self, folder: &str) -> Command {
        let mut command = offgate();
        command
            .args([
                "agent",
                "--log",
                "warn",
                "--server",
                &self.address,
                "--data",
            ])
            .arg(self.installation.data().join(folder));
        command
    }

    pub(crate) fn present(&self, folder: &str, what: &[&str]) -> Said {
        let data = self.installation.data().join(folder);
        let mut command = offgate();
        command
            .arg("present")
            .arg("--data")
            .arg(data)
            .args(["--door", "front door"])
            .args(what);
        run(&mut command, "")
    }

    pub(crate) fn wait_for(&self, folder: &str, answer: &str) {
        wait_until(answer, || {
            self.present(folder, &["--nfc", "04A22B19F0"]).out.trim() == answer
        });
    }
}

/// A server that was started, and where agents find it, and browsers.
pub(crate) fn begin(mut server: Running) -> (Running, String, String) {
    let said = server.read_until("Agents connect to");
    let after = |start: &str| {
        let mut found = said.iter().filter_map(|line| line.strip_prefix(start));
        found.next().expect("a line").to_owned()
    };
    let (address, console) = (after("Agents connect to "), after("The console: http://"));
    (server, address, console)
}

#[test]
fn one_joins_from_standard_input_and_starts_again_without_a_token() {
    use std::io::Write as _;
    let mut house = House::new();
    let token = house.token();
    let mut agent = Running::start(house.agent("entrance").args(["--join", "-"]));
    let mut input = agent.child.stdin.take().expect("standard input");
    writeln!(input, "{token}").expect("a token");
    // It goes on when nobody listens any more: a service has no terminal.
    drop(input);
    house.wait_for("entrance", "granted");

    let plate = house.present("entrance", &["--plate", "hh-ab 123"]);
    assert_eq!((plate.code, plate.out.trim()), (0, "granted"));
    let unknown = house.present("entrance", &["--nfc", "04FFFFFFFF"]);
    assert_eq!((unknown.code, unknown.out.trim()), (1, "refused: unknown"));
    let out = house.present("entrance", &["--nfc", "04FFFFFFFF", "--direction", "out"]);
    assert_eq!(
        (out.code, out.out.trim()),
        (0, "granted"),
        "nobody is kept from leaving"
    );
    let json = house
        .present("entrance", &["--nfc", "04FFFFFFFF", "--format", "json"])
        .json();
    assert_eq!(
        (&json["granted"], &json["reason"]),
        (&false.into(), &"unknown".into())
    );

    let second = run(&mut house.agent("entrance"), "");
    assert_eq!(second.code, 4, "one agent at most on a folder: {second:?}");
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
    let nobody = house.present("entrance", &["--nfc", "04A22B19F0"]);
    assert_eq!(nobody.code, 4, "{nobody:?}");

    // Both start again, the server first, somewhere else.
    assert_eq!(house.server.end(Signal::INT).0, Some(0));
    house
        .installation
        .json(&["user", "deactivate", "Yuki Mori"]);
    (house.server, house.address, house.console) = begin(house.installation.serve());
    let mut agent = Running::start(&mut house.agent("entrance"));
    house.wait_for("entrance", "refused: deactivated");
    wait_until("the door confirms", || {
        let shown = house.installation.json(&["user", "show", "Yuki Mori"]);
        shown["confirmation"]
            .as_str()
            .is_some_and(|it| it.starts_with("Confirmed by 1 of 1 door, "))
    });
    let keys = house.installation.json(&["agent-key", "list"]);
    assert_eq!(keys["items"][0]["doors"][0]["name"], "Front door");

    house
        .installation
        .json(&["--yes", "agent-key", "revoke", "Entrance"]);
    let again = house.installation.json(&["agent-key", "show", "Entrance"]);
    assert_eq!(again["state"], "revoked");
    assert_eq!(agent.end(Signal::INT).0, Some(0));
}

#[test]
fn a_door_says_itself_that_it_refuses() {
    let house = House::new();
    let books = &house.installation;
    let token = house.token();
    let mut agent = Running::start(house.agent("entrance").args(["--join", &token]));
    house.wait_for("entrance", "granted");
    let nothing = books.run(&["user", "ask", "Yuki Mori"]);
    assert_eq!(nothing.code, 2, "{nothing:?}");
    let seen = || {
        let page = books.json(&["activity"]);
        page["items"].as_array().expect("lines").len()
    };
    books.json(&["user", "deactivate", "Yuki Mori"]);
    wait_until("the door confirms", || {
        let shown = books.json(&["user", "show", "Yuki Mori"]);
        let told = shown["confirmation"].as_str().expect("a sentence");
        told.starts_with("Confirmed by 1 of 1 door, ")
    });
    let before = seen();
    let asked = books.json(&["user", "ask", "Yuki Mori", "--wait", "60"]);
    let rows = asked["items"].as_array().expect("rows");
    assert_eq!(rows.len(), 2, "a card and a plate: {asked}");
    for row in rows {
        assert_eq!(row["door"]["name"], "Front door", "{asked}");
        assert_eq!(
            (&row["says"], &row["reason"]),
            (&"refuses".into(), &"deactivated".into()),
            "{asked}"
        );
    }
    assert_eq!(seen(), before, "no line in anybody's history");
    let doctor = books.json(&["doctor"]);
    let found = doctor["items"].as_array().expect("findings");
    for what in ["doors' answers", "doors' tables"] {
        let finding = found.iter().find(|one| one["what"] == what);
        assert_eq!(finding.expect("a finding")["health"], "well", "{doctor}");
    }
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
    let cut_off = books.run(&["user", "ask", "Yuki Mori", "--wait", "0"]);
    assert_eq!(cut_off.code, 4, "{cut_off:?}");
}

#[test]
fn a_door_that_stands_open_is_told_beside_what_it_refuses() {
    let house = House::new();
    let books = &house.installation;
    let token = house.token();
    let mut agent = Running::start(house.agent("entrance").args(["--join", &token]));
    house.wait_for("entrance", "granted");
    let contact = |what: &[&str]| {
        let mut command = offgate();
        command.arg("contact").arg("--data");
        command.arg(books.data().join("entrance")).args(what);
        run(&mut command, "")
    };
    let noted = contact(&["--door", "front door", "open"]);
    assert_eq!((noted.code, noted.out.trim()), (0, "noted"), "{noted:?}");
    let other = contact(&["--door", "Cellar", "open"]);
    assert_eq!(other.code, 2, "{other:?}");
    let ajar = contact(&["--door", "Front door", "ajar"]);
    assert_eq!(ajar.code, 2, "{ajar:?}");
    wait_until("it is known to stand open", || {
        books.json(&["door", "show", "Front door"])["stands"] == "open"
    });

    books.json(&["user", "deactivate", "Yuki Mori"]);
    let shown = || books.json(&["user", "show", "Yuki Mori"]);
    let yuki = shown();
    assert_eq!(
        (&yuki["doors"][0]["stood"], &yuki["doors"][0]["stands"]),
        (&"open".into(), &"open".into()),
        "{yuki}"
    );
    let told = "Front door stands open: whoever comes gets in, whatever it refuses.";
    assert_eq!(yuki["standing_open"], told, "{yuki}");
    // It refuses them all the same, and closed it is closed: that it stood open stays.
    house.wait_for("entrance", "refused: deactivated");
    contact(&["--door", "Front door", "closed"]);
    wait_until("it is closed", || shown()["doors"][0]["stands"] == "closed");
    let yuki = shown();
    assert_eq!(
        yuki["standing_open"], "Front door stood open then.",
        "{yuki}"
    );
    let file = books.data().join("yuki.proof");
    let path = file.to_str().expect("a path");
    books.json(&["proof", "make", "Yuki Mori", "--output", path]);
    let proof = books.run(&["proof", "verify", path]);
    assert!(proof.out.contains("It STOOD OPEN when"), "{proof:?}");

    // Cut off, it is not known.
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
    wait_until("it is cut off", || shown()["doors"][0]["stands"].is_null());
    assert_eq!(shown()["doors"][0]["stood"], "open");
}

#[test]
fn another_device_takes_the_place_of_one_that_is_worn_out_or_stolen() {
    let house = House::new();
    let books = &house.installation;
    let of = |state: &str| {
        let agents = books.json(&["agent-key", "list"]);
        let rows = agents["items"].as_array().expect("rows");
        let mut rows = rows.iter().filter(|row| row["state"] == state);
        let first = rows.next().map(|row| row["id"].to_string());
        (first, rows.count())
    };
    let token = house.token();
    let mut first = Running::start(house.agent("first").args(["--join", &token]));
    house.wait_for("first", "granted");
    let (worn_out, _) = of("enrolled");

    // Worn out: the old one works until the new one is there.
    let made = books.json(&["agent-key", "replace", "Entrance"]);
    assert_eq!(made["name"], "Entrance");
    assert_eq!(made["doors"][0]["name"], "Front door");
    assert_eq!(of("enrolled"), (worn_out.clone(), 0), "nothing yet");
    let token = made["token"].as_str().expect("a token");
    let mut second = Running::start(house.agent("second").args(["--join", token]));
    house.wait_for("second", "granted");
    assert_eq!(of("revoked"), (worn_out, 0));
    let (stolen, others) = of("enrolled");
    assert_eq!(others, 0);

    // Stolen: its key is refused before the new one is there.
    let made = books.json(&["agent-key", "replace", "Entrance"]);
    let id = stolen.as_deref().expect("an agent").trim_matches('"');
    books.json(&["--yes", "agent-key", "revoke", id]);
    assert_eq!(of("enrolled"), (None, 0));
    let late = books.run(&["agent-key", "replace", id]);
    assert_eq!(late.code, 2, "{late:?}");
    assert!(late.err.contains("no doors any more"), "{late:?}");
    let token = made["token"].as_str().expect("a token");
    let mut third = Running::start(house.agent("third").args(["--join", token]));
    house.wait_for("third", "granted");
    let shown = books.json(&["door", "show", "Front door"]);
    assert_eq!(shown["agent"]["name"], "Entrance", "{shown}");
    for agent in [&mut first, &mut second, &mut third] {
        assert_eq!(agent.end(Signal::TERM).0, Some(0));
    }
}

#[test]
fn a_stolen_agent_is_ended_and_the_pins_it_knew_are_renewed() {
    let house = House::new();
    let books = &house.installation;
    let token = house.token();
    let mut old = Running::start(house.agent("first").args(["--join", &token]));
    house.wait_for("first", "granted");
    books.json(&["credential", "add", "Yuki Mori", "--pin", "generate"]);
    let id = |name: &str| {
        let shown = books.json(&["agent-key", "show", name]);
        (shown["id"].to_string(), shown["state"].clone())
    };
    let (stolen, _) = id("Entrance");

    let asked = books.run(&["agent-key", "stolen", "Entrance"]);
    assert_eq!(asked.code, 2, "{asked:?}");
    assert!(asked.err.contains("PINs it knew: 1"), "{asked:?}");
    assert_eq!(id("Entrance").1, "enrolled", "it was only asked");
    let report = ["--yes", "agent-key", "stolen", "Entrance"];
    let said = books.run(&[&["--format", "json"], &report[..]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("renew-pins"), "{said:?}");
    let said = said.json();
    assert_eq!(
        (&said["state"], &said["pins_known"]),
        (&"revoked".into(), &1.into())
    );
    let token = said["token"].as_str().expect("a token");
    let mut new = Running::start(house.agent("second").args(["--join", token]));
    house.wait_for("second", "granted");
    let (replacement, state) = id("Entrance");
    assert_eq!(state, "enrolled", "the name means the one that works");
    assert_ne!(replacement, stolen);
    assert_eq!(id(stolen.trim_matches('"')).1, "revoked");

    let renew = ["--yes", "agent-key", "renew-pins", "Entrance"];
    let table = books.run(&renew);
    assert_eq!(table.code, 0, "{table:?}");
    let line = table.out.lines().last().expect("a line");
    assert!(line.starts_with("Yuki Mori"), "{table:?}");
    let pin = line.split_whitespace().nth(2).expect("a PIN").to_owned();
    assert_eq!(pin.len(), 6, "{line}");
    let again = books.run(&renew);
    assert!(again.err.contains("No PIN is to be renewed."), "{again:?}");
    wait_until("the new PIN opens", || {
        let answer = house.present("second", &["--pin", &pin]);
        answer.code == 0
    });
    let activity = books.run(&["activity"]);
    assert!(activity.out.contains("agent.stolen"), "{activity:?}");
    assert!(activity.out.contains("PINs it knew: 1"), "{activity:?}");
    assert!(!activity.out.contains(&pin), "{activity:?}");
    for agent in [&mut old, &mut new] {
        assert_eq!(agent.end(Signal::TERM).0, Some(0));
    }
}

#[test]
fn a_token_works_once_from_a_file_too_and_others_do_not_work_at_all() {
    let mut house = House::new();
    let token = house.token();
    let file = house.installation.data().join("token");
    std::fs::write(&file, format!("{token}\n")).expect("a file");
    let mut agent = Running::start(house.agent("entrance").arg("--join-file").arg(&file));
    house.wait_for("entrance", "granted");

    let spent = run(house.agent("other").args(["--join", &token]), "");
    assert_eq!(spent.code, 2, "{spent:?}");
    assert!(
        spent.err.contains("does not take this join token"),
        "{spent:?}"
    );
    for (arguments, words) in [
        (&["--join", "hunter2"][..], "not a join token"),
        (&["--join-file", "/nowhere"], "no file to read it from"),
        (&[], "needs a join token"),
    ] {
        let said = run(house.agent("third").args(arguments), "");
        assert_eq!(said.code, 2, "{arguments:?}: {said:?}");
        assert!(said.err.contains(words), "{arguments:?}: {said:?}");
        assert!(!said.err.contains("hunter2"), "{said:?}");
    }
    let withdrawn =
        house
            .installation
            .json(&["join-token", "create", "Spare", "--door", "Front door"]);
    house
        .installation
        .json(&["join-token", "withdraw", "Spare"]);
    let text = withdrawn["token"].as_str().expect("a token");
    assert_eq!(
        run(house.agent("fourth").args(["--join", text]), "").code,
        2
    );

    let restarted = agent.end(Signal::TERM);
    assert_eq!(restarted.0, Some(0));
    // The file may be gone by then.
    std::fs::remove_file(&file).expect("a file");
    let mut agent = Running::start(house.agent("entrance").arg("--join-file").arg(&file));
    house.wait_for("entrance", "granted");
    // An agent that is connected does not keep the server from stopping.
    let (code, took) = house.server.end(Signal::TERM);
    assert_eq!(code, Some(0));
    assert!(took.as_secs() < 5, "{took:?}");
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
}

/// The files of the store's database, with what is in them.
fn database(installation: &Installation) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = std::fs::read_dir(installation.data()).expect("a folder");
    files
        .map(|file| file.expect("a file").path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(offgate_store::DATABASE_FILE))
        })
        .map(|path| (path.clone(), std::fs::read(path).expect("readable")))
        .collect()
}

#[test]
fn a_server_on_an_old_copy_of_its_data_is_found_out_and_brings_nobody_back() {
    let mut house = House::new();
    let token = house.token();
    let mut agent = Running::start(house.agent("entrance").args(["--join", &token]));
    house.wait_for("entrance", "granted");
    assert_eq!(house.server.end(Signal::TERM).0, Some(0));
    let old = database(&house.installation);
    assert!(!old.is_empty());
    house
        .installation
        .json(&["user", "deactivate", "Yuki Mori"]);
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
    (house.server, house.address, house.console) = begin(house.installation.serve());
    let mut agent = Running::start(&mut house.agent("entrance"));
    house.wait_for("entrance", "refused: deactivated");
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
    assert_eq!(house.server.end(Signal::TERM).0, Some(0));
    assert_eq!(house.installation.run(&["doctor"]).code, 0);

    // The day before, under the same epoch: nobody says that this is a restore.
    for (path, _) in database(&house.installation) {
        std::fs::remove_file(path).expect("removed");
    }
    for (path, bytes) in old {
        std::fs::write(path, bytes).expect("written");
    }
    (house.server, house.address, house.console) = begin(house.installation.serve());
    let mut agent = Running::start(&mut house.agent("entrance"));
    let mut found = house.installation.run(&["doctor"]);
    wait_until("the doctor says so", || {
        found = house.installation.run(&["doctor"]);
        found
            .out
            .contains("the log does not continue what it has seen")
    });
    assert_eq!(found.code, 1, "{found:?}");
    assert!(found.out.contains("agent Entrance says since"), "{found:?}");
    house.wait_for("entrance", "refused: deactivated");
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
    assert_eq!(house.server.end(Signal::TERM).0, Some(0));
}

#[test]
fn a_proof_shows_outside_what_the_door_said_also_after_the_person_is_gone() {
    let house = House::new();
    let books = &house.installation;
    let token = house.token();
    let mut agent = Running::start(house.agent("entrance").args(["--join", &token]));
    house.wait_for("entrance", "granted");
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let [early, late, bare, gone] =
        ["early", "late", "bare", "gone"].map(|name| file(&format!("{name}.offgate-proof")));
    let nothing = books.run(&["proof", "make", "Yuki Mori", "-o", &early]);
    assert_eq!(nothing.code, 2, "{nothing:?}");
    let shown = books.json(&["user", "show", "Yuki Mori"]);
    let user = shown["id"].as_str().expect("an id").to_owned();
    books.json(&["user", "deactivate", "Yuki Mori", "--reason", "left"]);
    wait_until("the door confirms", || {
        let shown = books.json(&["user", "show", "Yuki Mori"]);
        let told = shown["confirmation"].as_str().expect("a sentence");
        told.starts_with("Confirmed by 1 of 1 door, ")
    });
    books.json(&["user", "ask", "Yuki Mori", "--wait", "60"]);
    let made = books.json(&["proof", "make", "Yuki Mori", "--output", &early]);
    assert_eq!(made["state"], "final", "{made}");
    let root = made["root"].as_str().expect("a fingerprint").to_owned();
    let verify = |file: &str, more: &[&str]| {
        let mut command = offgate();
        command
            .args(["--format", "json", "proof", "verify", file])
            .args(more);
        run(&mut command, "")
    };
    let with_root = ["--root", root.as_str()];
    let said = verify(&early, &with_root);
    assert_eq!(said.code, 0, "{said:?}");
    let says = said.json();
    for (field, expected) in [
        ("person", "Yuki Mori"),
        ("decided", "user.deactivated"),
        ("reason", "Left the organisation"),
        ("state", "final"),
    ] {
        assert_eq!(says[field], expected, "{says}");
    }
    assert!(
        says["signer"].as_str().expect("words").starts_with("known"),
        "{says}"
    );
    let door = &says["doors"][0];
    assert_eq!(
        (&door["door"]["name"], &door["state"]),
        (&"Front door".into(), &"confirmed".into()),
        "{says}"
    );
    let answers = door["answers"].as_array().expect("answers");
    assert_eq!(answers.len(), 2, "{says}");
    assert!(
        answers
            .iter()
            .all(|answer| answer["says"] == "refuses" && answer["reason"] == "deactivated"),
        "{says}"
    );
    let unknown = verify(&early, &[]).json();
    assert!(
        unknown["signer"]
            .as_str()
            .expect("words")
            .starts_with("unknown"),
        "{unknown}"
    );
    assert_eq!(
        verify(&early, &["--root", &"ab".repeat(32)]).code,
        6,
        "another store's"
    );

    // Without the names it shows the same.
    books.json(&["proof", "detach", &early, "--output", &bare]);
    let bytes = std::fs::read(&bare).expect("a file");
    for name in ["Yuki", "Mori", "Front door", "04A22B19F0", "HHAB123"] {
        let is_in = bytes.windows(name.len()).any(|it| it == name.as_bytes());
        assert!(!is_in, "{name}");
    }
    let said = verify(&bare, &with_root).json();
    assert_eq!(
        (&said["person"], &said["state"]),
        (&serde_json::Value::Null, &"final".into())
    );
    let again = books.run(&["proof", "detach", &bare, "--output", &file("again")]);
    assert_eq!(again.code, 2, "{again:?}");

    // Reactivated and refused again: the earlier one stands as it was made.
    books.json(&["user", "reactivate", "Yuki Mori"]);
    let cards = books.json(&["credential", "list", "Yuki Mori"]);
    let cards = cards["items"].as_array().expect("credentials");
    let card = cards
        .iter()
        .find(|one| one["kind"] == "nfc")
        .expect("a card");
    let card = card["id"].as_str().expect("an id").to_owned();
    books.json(&["credential", "lost", &card]);
    let lost = books.json(&["proof", "make", "--credential", &card, "-o", &late]);
    assert_eq!(
        (&lost["decided"], &lost["credential"]),
        (&"credential.lost".into(), &card.as_str().into()),
        "{lost}"
    );
    assert_eq!(verify(&late, &with_root).code, 0);
    books.json(&["credential", "found", &card]);
    let since = books.json(&["proof", "make", "Yuki Mori", "--output", &late]);
    let period = since["period"].as_str().expect("words");
    assert!(period.contains("when they were admitted again"), "{since}");
    books.json(&["user", "deactivate", "Yuki Mori"]);
    wait_until("the door confirms again", || {
        let shown = books.json(&["user", "show", "Yuki Mori"]);
        let told = shown["confirmation"].as_str().expect("a sentence");
        told.starts_with("Confirmed by 1 of 1 door, ")
    });
    books.json(&["--yes", "user", "remove", "Yuki Mori"]);
    assert_eq!(verify(&early, &with_root).code, 0, "it stays what it was");
    let made = books.json(&["proof", "make", &user, "--output", &gone]);
    assert_eq!(
        (&made["person"], &made["state"]),
        (&serde_json::Value::Null, &"final".into()),
        "{made}"
    );
    let later = made["later"].to_string();
    assert!(later.contains("user.removed"), "{made}");
    let bytes = std::fs::read(&gone).expect("a file");
    assert!(!bytes.windows(4).any(|it| it == b"Yuki"));
    assert_eq!(verify(&gone, &with_root).code, 0);

    // Some bytes; every one is changed where proofs are read.
    let whole = std::fs::read(&early).expect("a file");
    let altered = file("altered");
    for at in (0..whole.len()).step_by(whole.len() / 6) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&altered, bytes).expect("a file");
        let said = verify(&altered, &[]);
        assert_eq!(said.code, 6, "byte {at}: {said:?}");
        assert!(said.err.contains("part \""), "byte {at}: {said:?}");
    }
    assert_eq!(verify("/nowhere", &[]).code, 4);
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
}
