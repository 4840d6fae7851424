//! The keys of a real server: shown, replaced while an agent runs, and never said.

use rustix::process::Signal;
use serde_json::Value;

use crate::agents::House;
use crate::support::{Installation, Running, wait_until};

/// A row of `offgate keys show`.
fn key<'a>(shown: &'a Value, name: &str) -> &'a Value {
    let rows = shown["items"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["key"] == name);
    row.expect("such a key")
}

/// What an agent keeps of the issuing key that its server showed last.
fn seen(house: &House) -> Vec<u8> {
    let path = house.installation.data().join("entrance").join("issuing");
    std::fs::read(path).unwrap_or_default()
}

/// The door learns of a change, and says so.
fn confirms(house: &House) {
    let books = &house.installation;
    books.json(&["user", "deactivate", "Yuki Mori"]);
    wait_until("the door confirms", || {
        let shown = books.json(&["user", "show", "Yuki Mori"]);
        shown["confirmation"]
            .as_str()
            .is_some_and(|it| it.starts_with("Confirmed by 1 of 1 door, "))
    });
    books.json(&["user", "reactivate", "Yuki Mori"]);
    house.wait_for("entrance", "granted");
}

#[test]
fn an_agent_follows_when_link_and_issuing_key_are_replaced() {
    let house = House::new();
    let books = &house.installation;
    let token = house.token();
    let mut agent = Running::start(house.agent("entrance").args(["--join", &token]));
    house.wait_for("entrance", "granted");
    let first = books.json(&["keys", "show"]);
    let first_seen = seen(&house);
    assert!(!first_seen.is_empty());

    books.json(&["keys", "rotate", "link"]);
    let second = books.json(&["keys", "show"]);
    for (name, replaced) in [
        ("root", false),
        ("issuing", false),
        ("log", false),
        ("link", true),
    ] {
        let same = key(&first, name)["fingerprint"] == key(&second, name)["fingerprint"];
        assert_eq!(same, !replaced, "{name}");
    }
    confirms(&house);
    assert_eq!(seen(&house), first_seen, "the issuing key is the same");

    let passphrase = books.passphrase();
    let wrong = books.run_with(
        &["keys", "rotate", "issuing"],
        "00000-00000-00000-00000-00000\n",
    );
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert_eq!(
        books.json(&["keys", "show"]),
        second,
        "nothing was replaced"
    );
    // As somebody types it from paper.
    let typed = passphrase.to_lowercase().replace('-', " ");
    let replaced = books.run_with(&["keys", "rotate", "issuing"], &format!("{typed}\n"));
    assert_eq!(replaced.code, 0, "{replaced:?}");
    let third = books.json(&["keys", "show"]);
    for (name, replaced) in [
        ("root", false),
        ("issuing", true),
        ("log", true),
        ("link", true),
    ] {
        let same = key(&second, name)["fingerprint"] == key(&third, name)["fingerprint"];
        assert_eq!(same, !replaced, "{name}");
    }
    wait_until("the agent has seen the new issuing key", || {
        seen(&house) > first_seen
    });
    confirms(&house);

    // The log tells of each, once.
    let activity = books.json(&["activity", "--limit", "50"]);
    let told = activity["items"].as_array().expect("rows");
    let kind = |row: &&Value| row.to_string().contains("store.key-replaced");
    assert_eq!(told.iter().filter(kind).count(), 5, "{activity}");
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
}

#[test]
fn the_passphrase_is_said_once_and_kept_nowhere() {
    let books = Installation::new();
    let first = books.passphrase();
    assert_eq!(first.len(), 29);
    let changed = books.run_with(&["keys", "passphrase"], &format!("{first}\n"));
    assert_eq!(changed.code, 0, "{changed:?}");
    let second = changed.out.lines().nth(2).expect("a passphrase").trim();
    assert_eq!(second.len(), 29);
    assert_ne!(second, first);
    let old = books.run_with(&["keys", "rotate", "issuing"], &format!("{first}\n"));
    assert_eq!(old.code, 2, "{old:?}");
    let page = books.run(&["keys", "page"]);
    assert_eq!(page.code, 0, "{page:?}");
    let said = [
        page,
        old,
        books.run(&["keys", "show"]),
        books.run(&["--format", "json", "keys", "show"]),
        books.run(&["--format", "json", "keys", "rotate", "log"]),
        books.run(&["activity"]),
        books.run(&["doctor"]),
    ];
    let mut server = books.serve();
    let mut again = server.read_until("Root fingerprint").join("\n");
    again.push_str(&server.end_and_read(Signal::INT));
    let keyring = std::fs::read(books.data().join("keys/keyring")).expect("a file");
    let seeds: Vec<String> = keyring
        .windows(32)
        .map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    for text in said
        .iter()
        .flat_map(|one| [&one.out, &one.err])
        .chain([&again])
    {
        for secret in [&*first, second] {
            assert!(!text.contains(secret), "{text}");
        }
        // No run of bytes of the file is ever shown: neither a seed nor what is locked. (The
        // fingerprints are of certificates and not in it.)
        for seed in &seeds {
            assert!(!text.contains(seed.as_str()), "{text}");
        }
    }
    for entry in std::fs::read_dir(books.data()).expect("a folder") {
        let path = entry.expect("a file").path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        for secret in [&*first, second] {
            let found = bytes.windows(29).any(|part| part == secret.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}
