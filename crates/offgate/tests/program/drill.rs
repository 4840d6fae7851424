//! The server died at 08:00: another machine, another address, and no visit to any door.

use std::net::TcpListener;
use std::path::Path;

use rustix::process::Signal;

use crate::agents::House;
use crate::backup::on;
use crate::support::{Running, Said, offgate, wait_until};

const LEAVER: &str = "04AAAAAAAA";
const ERASED: &str = "04BBBBBBBB";
const STAYS: &str = "04A22B19F0";

fn with_card(house: &House, first: &str, card: &str) {
    house.installation.json(&[
        "user",
        "create",
        "--first-name",
        first,
        "--last-name",
        "Drill",
        "--policy",
        "Always",
        "--nfc",
        card,
    ]);
}

fn answer(house: &House, card: &str) -> String {
    let said: Said = house.present("entrance", &["--nfc", card]);
    said.out.trim().to_owned()
}

/// Copies the backups to another place.
fn mirrored(house: &House) -> tempfile::TempDir {
    let mirror = tempfile::tempdir().expect("a folder");
    for (path, bytes) in files(&house.installation.data().join("backups")) {
        let name = path.file_name().expect("a name");
        std::fs::write(mirror.path().join(name), bytes).expect("a copy");
    }
    mirror
}

/// Copies the backups to another place, and burns all that the server had.
fn burn(house: &mut House) -> tempfile::TempDir {
    let mirror = mirrored(house);
    house.server.end(Signal::KILL);
    for entry in std::fs::read_dir(house.installation.data()).expect("the folder") {
        let path = entry.expect("a file").path();
        if path.file_name().is_some_and(|name| name == "entrance") {
            continue;
        }
        if path.is_dir() {
            std::fs::remove_dir_all(path).expect("burned");
        } else {
            std::fs::remove_file(path).expect("burned");
        }
    }
    mirror
}

fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| {
            let path = entry.expect("a file").path();
            let bytes = std::fs::read(&path).expect("a file");
            (path, bytes)
        })
        .collect()
}

#[test]
fn doors_follow_a_restored_server_to_another_address_and_whoever_was_erased_stays_erased() {
    let mut house = House::new();
    let passphrase = house.installation.passphrase();
    let token = house.token();
    let mut agent = Running::start(house.agent("entrance").args(["--join", &token]));
    house.wait_for("entrance", "granted");
    with_card(&house, "Leaver", LEAVER);
    with_card(&house, "Erased", ERASED);

    // On a quiet day the machine that would take over is announced.
    let standby = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = standby.local_addr().expect("an address").to_string();
    let said = house
        .installation
        .json(&["server-address", "announce", &address]);
    assert_eq!(said["items"][0]["address"], address.as_str());
    let kept = house.installation.data().join("entrance/servers");
    wait_until("the agent keeps the address", || {
        std::fs::read(&kept).is_ok_and(|bytes| bytes.starts_with(address.as_bytes()))
    });

    // At night, and what happens before eight.
    house.installation.json(&["backup", "now"]);
    let shelf = house.installation.data().join("backups");
    let vault = shelf.join("vault.backup");
    let at_night = std::fs::read(&vault).expect("a backup");
    house
        .installation
        .json(&["user", "deactivate", "Leaver Drill"]);
    house
        .installation
        .json(&["user", "deactivate", "Erased Drill"]);
    wait_until("both are refused", || {
        answer(&house, LEAVER) == "refused: deactivated"
            && answer(&house, ERASED) == "refused: deactivated"
    });
    wait_until("the door confirms", || {
        let removed = house
            .installation
            .run(&["--yes", "user", "remove", "Erased Drill"]);
        removed.code == 0
    });
    wait_until("the vault's backup is without them", || {
        std::fs::read(&vault).is_ok_and(|now| now != at_night)
    });

    // The mirror, and eight o'clock.
    let mirror = burn(&mut house);
    // Doors go on.
    assert_eq!(answer(&house, STAYS), "granted");
    assert_eq!(answer(&house, LEAVER), "refused: deactivated");

    // Another machine. What happened since the night is done again before it serves.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let data = elsewhere.path().join("offgate");
    let from = mirror.path().to_str().expect("text");
    let restored = on(&data, &["restore", from, "--format", "json"], &passphrase);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(restored.json()["agents_to_be_heard"][0], "Entrance");
    let standing = on(
        &data,
        &["user", "show", "Leaver Drill", "--format", "json"],
        "",
    );
    assert_eq!(standing.json()["status"], "active", "{standing:?}");
    let again = on(&data, &["user", "deactivate", "Leaver Drill"], "");
    assert_eq!(again.code, 0, "{again:?}");
    let gone = on(&data, &["user", "show", "Erased Drill"], "");
    assert_eq!(gone.code, 3, "{gone:?}");
    drop(standby);
    let mut server = Running::start(
        offgate()
            .arg("--data")
            .arg(&data)
            .args(["serve", "--listen", &address, "--log", "warn"]),
    );
    server.read_until("Root fingerprint");
    wait_until("the door confirms to the server that took over", || {
        let shown = on(
            &data,
            &["user", "show", "Leaver Drill", "--format", "json"],
            "",
        );
        shown.json()["confirmation"]
            .as_str()
            .is_some_and(|it| it.starts_with("Confirmed by 1 of 1 door, "))
    });
    assert_eq!(answer(&house, LEAVER), "refused: deactivated");
    assert_eq!(answer(&house, ERASED), "refused: unknown");
    assert_eq!(answer(&house, STAYS), "granted");
    // It goes on as any server: what changes reaches the door.
    let said = on(&data, &["user", "deactivate", "Yuki Mori"], "");
    assert_eq!(said.code, 0, "{said:?}");
    house.wait_for("entrance", "refused: deactivated");
    let audit = on(&data, &["audit", "verify"], "");
    assert_eq!(audit.code, 0, "{audit:?}");
    let planted = [ERASED.as_bytes(), b"Erased"];
    for folder in [data.clone(), data.join("vault"), data.join("backups")] {
        for entry in std::fs::read_dir(&folder).expect("the folder") {
            let path = entry.expect("a file").path();
            let bytes = std::fs::read(&path).unwrap_or_default();
            for what in planted {
                let holds = bytes.windows(what.len()).any(|bytes| bytes == what);
                assert!(!holds, "{} holds what was erased", path.display());
            }
        }
    }
    assert_eq!(server.end(Signal::TERM).0, Some(0));
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
}

#[test]
fn a_restored_server_brings_nobody_back_whom_a_door_refuses() {
    let mut house = House::new();
    let passphrase = house.installation.passphrase();
    let token = house.token();
    let mut agent = Running::start(house.agent("entrance").args(["--join", &token]));
    house.wait_for("entrance", "granted");
    with_card(&house, "Leaver", LEAVER);
    with_card(&house, "Removed", ERASED);
    house
        .installation
        .json(&["keeping", "edit", "--erasure-wait", "30"]);
    let second = "04CCCCCCCC";
    house
        .installation
        .json(&["credential", "add", "Yuki Mori", "--nfc", second]);
    let address = house.address.clone();
    wait_until("all are known at the door", || {
        [LEAVER, ERASED, second]
            .iter()
            .all(|card| answer(&house, card) == "granted")
    });
    house.installation.json(&["backup", "now"]);

    // Forgotten: a deactivation, a removal, a lost card.
    let books = &house.installation;
    books.json(&["user", "deactivate", "Leaver Drill"]);
    books.json(&["user", "deactivate", "Removed Drill"]);
    let held = books.json(&["credential", "list", "Yuki Mori"]);
    let lost = held["items"]
        .as_array()
        .expect("credentials")
        .iter()
        .find(|one| {
            one["name"]
                .as_str()
                .is_some_and(|name| name.ends_with("CCCC"))
        })
        .and_then(|one| one["id"].as_str())
        .expect("the second card")
        .to_owned();
    books.json(&["credential", "lost", &lost]);
    wait_until("the door refuses them", || {
        answer(&house, LEAVER) == "refused: deactivated"
            && answer(&house, second) == "refused: reported lost"
    });
    wait_until("the door confirms, so that one can be removed", || {
        books
            .run(&["--yes", "user", "remove", "Removed Drill"])
            .code
            == 0
    });
    wait_until("the door forgets them", || {
        answer(&house, ERASED) == "refused: unknown"
    });
    let mirror = burn(&mut house);

    // The operator does nothing but what the document says, and forgets the last step.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let data = elsewhere.path().join("offgate");
    let from = mirror.path().to_str().expect("text");
    let restored = on(&data, &["restore", from], &passphrase);
    assert_eq!(restored.code, 0, "{restored:?}");
    let status = |who: &str| {
        let shown = on(&data, &["user", "show", who, "--format", "json"], "");
        shown.json()["status"]
            .as_str()
            .expect("a status")
            .to_owned()
    };
    assert_eq!(
        status("Leaver Drill"),
        "active",
        "the backup knows no better"
    );
    let mut server = Running::start(
        offgate()
            .arg("--data")
            .arg(&data)
            .args(["serve", "--listen", &address, "--log", "warn"]),
    );
    server.read_until("Root fingerprint");
    // From before the agent is back to after it has the restored table: never once.
    wait_until("the store is shown what it forgot", || {
        for card in [LEAVER, ERASED, second] {
            assert_ne!(answer(&house, card), "granted", "{card}");
        }
        status("Leaver Drill") == "deactivated"
    });
    assert_eq!(
        status("Removed Drill"),
        "deactivated",
        "until an owner decides"
    );
    wait_until("the door confirms to the server that took over", || {
        let shown = on(
            &data,
            &["user", "show", "Leaver Drill", "--format", "json"],
            "",
        );
        shown.json()["confirmation"]
            .as_str()
            .is_some_and(|it| it.starts_with("Confirmed by 1 of 1 door, "))
    });
    for (card, expected) in [
        (LEAVER, "refused: deactivated"),
        (ERASED, "refused: deactivated"),
        (second, "refused: reported lost"),
        (STAYS, "granted"),
    ] {
        assert_eq!(answer(&house, card), expected, "{card}");
    }
    // It is said, and by whom.
    let log = on(&data, &["activity", "--limit", "200"], "");
    assert!(log.out.contains("as of change"), "{log:?}");
    let doctor = on(&data, &["doctor"], "");
    assert!(doctor.out.contains("restored from a backup"), "{doctor:?}");
    // Whoever is let in again, is: nothing is held for ever.
    let again = on(&data, &["user", "reactivate", "Leaver Drill"], "");
    assert_eq!(again.code, 0, "{again:?}");
    wait_until("they may pass again", || {
        answer(&house, LEAVER) == "granted"
    });
    let found = on(&data, &["credential", "found", &lost], "");
    assert_eq!(found.code, 0, "{found:?}");
    wait_until("the card is good again", || {
        answer(&house, second) == "granted"
    });
    assert_eq!(server.end(Signal::TERM).0, Some(0));
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
}

/// The newest backup of a mirror, put back on a new machine and served where the last one was.
fn put_back(
    mirror: &tempfile::TempDir,
    data: &Path,
    passphrase: &str,
    address: &str,
) -> (Running, String) {
    let from = mirror.path().to_str().expect("text");
    let restored = on(data, &["restore", from], passphrase);
    assert_eq!(restored.code, 0, "{restored:?}");
    let shown = on(
        data,
        &["user", "show", "Leaver Drill", "--format", "json"],
        "",
    );
    let status = shown.json()["status"].as_str().expect("one").to_owned();
    let mut server = Running::start(
        offgate()
            .arg("--data")
            .arg(data)
            .args(["serve", "--listen", address, "--log", "warn"]),
    );
    server.read_until("Root fingerprint");
    (server, status)
}

#[test]
fn what_a_door_confirmed_to_one_restored_server_it_shows_to_the_next() {
    let mut house = House::new();
    let passphrase = house.installation.passphrase();
    let token = house.token();
    let mut agent = Running::start(house.agent("entrance").args(["--join", &token]));
    with_card(&house, "Leaver", LEAVER);
    let books = &house.installation;
    wait_until("they may pass", || answer(&house, LEAVER) == "granted");
    books.json(&["user", "deactivate", "Leaver Drill"]);
    wait_until("they may not", || {
        answer(&house, LEAVER) == "refused: deactivated"
    });
    books.json(&["backup", "now"]);
    let while_refused = mirrored(&house);
    books.json(&["user", "reactivate", "Leaver Drill"]);
    wait_until("they may again", || answer(&house, LEAVER) == "granted");
    books.json(&["backup", "now"]);
    let address = house.address.clone();
    let while_active = burn(&mut house);

    // The older of both is put back, and the page says that the door refuses.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let data = elsewhere.path().join("first");
    let (mut server, status) = put_back(&while_refused, &data, &passphrase, &address);
    assert_eq!(status, "deactivated");
    let confirmed = |data: &Path| {
        let shown = on(
            data,
            &["user", "show", "Leaver Drill", "--format", "json"],
            "",
        );
        shown.json()["confirmation"]
            .as_str()
            .is_some_and(|it| it.starts_with("Confirmed by 1 of 1 door, "))
    };
    wait_until("the door confirms", || confirmed(&data));
    assert_eq!(answer(&house, LEAVER), "refused: deactivated");
    server.end(Signal::KILL);

    // Then the other one, in whose history they were let in again.
    let data = elsewhere.path().join("second");
    let (mut server, status) = put_back(&while_active, &data, &passphrase, &address);
    assert_eq!(status, "active", "the backup knows no better");
    wait_until("the door shows it what it confirmed", || {
        assert_eq!(answer(&house, LEAVER), "refused: deactivated");
        confirmed(&data)
    });
    let again = on(&data, &["user", "reactivate", "Leaver Drill"], "");
    assert_eq!(again.code, 0, "{again:?}");
    wait_until("they may pass again", || {
        answer(&house, LEAVER) == "granted"
    });
    assert_eq!(server.end(Signal::TERM).0, Some(0));
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
}
