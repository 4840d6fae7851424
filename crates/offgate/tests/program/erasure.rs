//! Somebody who is removed is in no byte of any file: not what they were called or held, and not
//! what was made from it.

use std::fs::File;
use std::path::Path;

use offgate_core::id::UserId;
use offgate_core::table::entry::Entry;
use rustix::process::Signal;

use crate::backup::on;
use crate::support::{Installation, Running, get, http, offgate, post, run, wait_until};

/// Values that are planted. None is in another, nor anywhere by chance.
const NAMES: [&str; 9] = [
    "Zaphodina",
    "Quillfeather",
    "Plumejoy",
    "planted.mail@example.org",
    "+49 30 99887766",
    "EMP-774411",
    "plantedlabel",
    "DN-556677",
    "plantedreason",
];
const CARD: &str = "04B7C0FFEE19A2";
const LOST_CARD: &str = "04B7DEADBEEF19";
const PLATE: &str = "HHZQ4711";
const SIGN_IN: &str = "planted.sign-in@example.org";
const OPERATOR: &str = "Plantedoperator";
const PIN: &str = "739154";

/// What is searched for.
struct Needle {
    what: String,
    bytes: Vec<u8>,
}

fn needle(what: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Needle {
    Needle {
        what: what.into(),
        bytes: bytes.into(),
    }
}

/// Puts a backup back into a folder of its own.
fn restore(house: &Installation, backup: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let said = on(folder.path(), &["restore", backup], &house.passphrase());
    assert_eq!(said.code, 0, "{said:?}");
    folder
}

/// The number of the change that made somebody.
fn created_at(house: &Installation, who: &str) -> String {
    let activity = house.json(&["activity", "--user", who, "--limit", "200"]);
    let items = activity["items"].as_array().expect("changes").clone();
    let created = items.iter().find(|item| item["what"] == "user.created");
    created.expect("a change")["revision"].to_string()
}

/// The files in which it is, however deep.
fn files_with(folder: &Path, needle: &[u8], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            files_with(&path, needle, found);
        } else if path.is_file() {
            // One that is replaced meanwhile is gone.
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(needle.len()).any(|bytes| bytes == needle) {
                found.push(path.display().to_string());
            }
        }
    }
}

fn search(folder: &Path, needle: &Needle) -> Vec<String> {
    let mut found = Vec::new();
    files_with(folder, &needle.bytes, &mut found);
    found
}

/// What was made from them: digests, sealed details and keys, and the hashes at the door.
fn derived(data: &Path, user: UserId) -> Vec<Needle> {
    let database = rusqlite::Connection::open(data.join("offgate.db")).expect("the database");
    let mut needles = Vec::new();
    let mut blobs = |what: &str, sql: &str, database: &rusqlite::Connection| {
        let mut statement = database.prepare(sql).expect("a statement");
        let rows = statement
            .query_map([user.as_bytes()], |row| row.get::<_, Vec<u8>>(0))
            .expect("rows");
        let before = needles.len();
        for row in rows {
            needles.push(needle(what, row.expect("a row")));
        }
        assert!(needles.len() > before, "there is some: {what}");
    };
    blobs(
        "the digest of a PIN",
        "SELECT pin_digest FROM credential WHERE user = ?1 AND pin_digest IS NOT NULL",
        &database,
    );
    blobs(
        "sealed details",
        "SELECT content FROM log_payload WHERE about_id = ?1",
        &database,
    );
    let vault = rusqlite::Connection::open(data.join("vault").join("vault.db")).expect("the vault");
    blobs(
        "a wrapped key",
        "SELECT wrapped FROM person_key WHERE person = ?1",
        &vault,
    );
    let entries: Vec<Vec<u8>> = database
        .prepare(
            "SELECT encoded FROM agent_entry WHERE id = ?1 AND kind = 5 AND encoded IS NOT NULL",
        )
        .expect("a statement")
        .query_map([user.as_bytes()], |row| row.get(0))
        .expect("rows")
        .map(|row| row.expect("a row"))
        .collect();
    assert!(!entries.is_empty(), "a door knows them");
    for encoded in entries {
        let Ok(Entry::User(entry)) = Entry::decode(&encoded) else {
            panic!("an entry of a person");
        };
        assert_eq!(entry.credentials.len(), 4);
        for (hash, ..) in entry.credentials {
            needles.push(needle("the hash of a credential at a door", hash.to_vec()));
        }
    }
    needles
}

fn logged(command: &mut std::process::Command, file: &Path) {
    command
        .args(["--log", "debug"])
        .stderr(File::create(file).expect("a file"));
}

#[test]
fn whoever_is_removed_is_in_no_byte_of_any_file() {
    let house = Installation::new();
    let folder = house.data().parent().expect("a folder").to_owned();
    let mut serve = offgate();
    serve.arg("serve").arg("--data").arg(house.data());
    serve.args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    logged(&mut serve, &folder.join("server.log"));
    let mut server = Running::start(&mut serve);
    let said = server.read_until("Agents connect to").join("\n");
    let after = |words: &str| {
        let line = said.split(words).nth(1).expect("a line");
        line.lines().next().expect("a line").trim().to_owned()
    };
    let (host, address) = (after("The console: http://"), after("Agents connect to "));
    let host = host.split('/').next().expect("a host").to_owned();

    house.json(&["site", "create", "Works", "--zone", "Europe/Berlin"]);
    house.json(&["door", "create", "Front door", "--reader", "in"]);
    house.json(&["policy", "create", "Always", "--door", "Front door"]);
    let made = house.json(&["join-token", "create", "Entrance", "--door", "Front door"]);
    let mut agent = offgate();
    agent.args(["agent", "--server", &address, "--data"]);
    agent.arg(folder.join("entrance"));
    agent.args(["--join", made["token"].as_str().expect("a token")]);
    logged(&mut agent, &folder.join("agent.log"));
    let mut agent = Running::start(&mut agent);

    // Created under another name, so that the log has both.
    let made = house.run_with(
        &[
            "--format",
            "json",
            "user",
            "create",
            "--first-name",
            "Zaphodina",
            "--last-name",
            "Before",
            "--preferred-name",
            "Plumejoy",
            "--email",
            "planted.mail@example.org",
            "--phone",
            "+49 30 99887766",
            "--employee-number",
            "EMP-774411",
            "--policy",
            "Always",
            "--pin",
            "-",
        ],
        &format!("{PIN}\n"),
    );
    assert_eq!(made.code, 0, "{made:?}");
    let user: UserId = made.json()["id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an id");
    let who = user.to_string();
    house.json(&["user", "edit", &who, "--last-name", "Quillfeather"]);
    house.json(&[
        "credential",
        "add",
        &who,
        "--nfc",
        CARD,
        "--number",
        "DN-556677",
        "--label",
        "plantedlabel",
    ]);
    house.json(&["credential", "add", &who, "--plate", "HH-ZQ 4711"]);
    house.json(&["credential", "add", &who, "--nfc", LOST_CARD]);
    let held = house.json(&["credential", "list", &who]);
    let lost = held["items"]
        .as_array()
        .expect("credentials")
        .iter()
        .find(|one| {
            one["name"]
                .as_str()
                .is_some_and(|name| name.ends_with("EF19"))
        })
        .and_then(|one| one["id"].as_str())
        .expect("the lost card")
        .to_owned();
    house.json(&["credential", "lost", &lost]);
    house.json(&["credential", "found", &lost]);
    house.json(&["credential", "lost", &lost]);
    let operator = house.json(&[
        "operator",
        "create",
        "--name",
        OPERATOR,
        "--email",
        SIGN_IN,
        "--role",
        "administrator",
        "--user",
        &who,
    ]);
    let link = operator["link"].as_str().expect("a link");
    let path = &link[link.find("/start/").expect("a path")..];
    assert!(post(&host, path, "password=a+long+boat+ride").starts_with("HTTP/1.1 303"));
    let signed_in = post(
        &host,
        "/sign-in",
        "email=planted.sign-in%40example.org&password=a+long+boat+ride",
    );
    let cookie = signed_in
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .and_then(|cookie| cookie.split(';').next())
        .expect("a cookie");
    for page in [
        "/",
        "/users",
        "/users?search=zaphodina",
        "/activity",
        "/system",
        &format!("/users/{who}"),
        &format!("/users/{who}/settings"),
        &format!("/users/{who}/deactivate"),
    ] {
        let request = format!(
            "GET {page} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        );
        assert!(http(&host, &request).starts_with("HTTP/1.1 200"), "{page}");
    }
    let present = |what: &[&str]| {
        let mut command = offgate();
        command
            .arg("present")
            .arg("--data")
            .arg(folder.join("entrance"));
        run(command.args(["--door", "Front door"]).args(what), "")
            .out
            .trim()
            .to_owned()
    };
    wait_until("the door lets them in", || {
        present(&["--nfc", CARD]) == "granted"
    });
    assert_eq!(present(&["--pin", PIN]), "granted");
    wait_until("the door knows", || {
        present(&["--nfc", LOST_CARD]) == "refused: reported lost"
    });
    house.json(&["user", "deactivate", &who, "--reason", "away"]);
    house.json(&["user", "reactivate", &who]);
    house.json(&["user", "deactivate", &who, "--note", "plantedreason"]);
    wait_until("the door refuses", || {
        present(&["--nfc", CARD]) == "refused: deactivated"
    });
    wait_until("the door confirms", || {
        house.json(&["user", "show", &who])["confirmation"]
            .as_str()
            .is_some_and(|it| it.starts_with("Confirmed by 1 of 1 door, "))
    });
    wait_until("what doors told is here", || {
        house.json(&["activity"])["items"]
            .as_array()
            .is_some_and(|items| items.iter().any(|item| item["by"]["name"] == "Front door"))
    });

    // What an auditor took along, and a backup of last night.
    let path = |name: &str| folder.join(name).to_str().expect("text").to_owned();
    let (checkpoint, entry) = (path("taken.checkpoint"), path("taken.entry"));
    house.json(&["audit", "checkpoint", "--output", &checkpoint]);
    let revision = created_at(&house, &who);
    house.json(&["audit", "prove", &revision, "--output", &entry]);
    let made = house.json(&["backup", "now"]);
    let backup = made["file"].as_str().expect("a path").to_owned();

    // The control: the same search finds all of it now, also in what is made of the backup; and a
    // PIN is nowhere as it is typed.
    let mut needles: Vec<Needle> = NAMES
        .into_iter()
        .chain([CARD, LOST_CARD, PLATE, SIGN_IN, OPERATOR])
        .map(|text| needle(text, text))
        .collect();
    needles.push(needle("folded for search", "zaphodina"));
    needles.extend(derived(&house.data(), user));
    for needle in &needles {
        assert!(
            !search(&folder, needle).is_empty(),
            "found before: {}",
            needle.what
        );
    }

    let restored_before = restore(&house, &backup);
    for needle in &needles {
        assert!(
            !search(restored_before.path(), needle).is_empty(),
            "found in what was restored: {}",
            needle.what
        );
    }
    drop(restored_before);
    assert!(search(&folder, &needle("a PIN", PIN)).is_empty());

    let vault = house.data().join("backups/vault.backup");
    let vault_before = std::fs::read(&vault).expect("a backup");
    house.json(&["--yes", "user", "remove", &who]);
    wait_until("the door has forgotten", || {
        present(&["--nfc", CARD]) == "refused: unknown"
    });
    wait_until("every file has forgotten", || {
        needles
            .iter()
            .all(|needle| search(&folder, needle).is_empty())
    });
    let left: Vec<_> = needles
        .iter()
        .map(|needle| (&needle.what, search(&folder, needle)))
        .filter(|(_, files)| !files.is_empty())
        .collect();
    assert!(left.is_empty(), "{left:?}");
    // A backup from before brings none of it back, once the vault's backup is from after.
    wait_until("the vault is backed up anew", || {
        std::fs::read(&vault).is_ok_and(|now| now != vault_before)
    });
    let restored = restore(&house, &backup);
    for needle in &needles {
        let found = search(restored.path(), needle);
        assert_eq!(found, Vec::<String>::new(), "{}", needle.what);
    }
    let audit = on(restored.path(), &["audit", "verify"], "");
    assert_eq!(audit.code, 0, "{audit:?}");
    // The history adds up: every entry still has its commitments, and theirs say that they went.
    let audit = house.run(&["audit", "verify"]);
    assert_eq!(audit.code, 0, "{audit:?}");
    let root = house.json(&["keys", "show"])["items"][0]["fingerprint"].clone();
    let root = root.as_str().expect("a fingerprint").to_owned();
    for taken in [&checkpoint, &entry] {
        let checked = house.run(&["audit", "check", taken, "--root", &root]);
        assert_eq!(checked.code, 0, "{checked:?}");
    }
    let later = path("later.checkpoint");
    house.json(&["audit", "prove", "--since", &checkpoint, "--output", &later]);
    let continues = [
        "audit",
        "check",
        &later,
        "--root",
        &root,
        "--since",
        &checkpoint,
    ];
    assert_eq!(house.run(&continues).code, 0);
    let activity = house.json(&["activity", "--limit", "200"]);
    assert!(activity.to_string().contains("erased on"), "{activity}");
    let gone = get(&host, &format!("/users/{who}"));
    assert!(!gone.contains("Zaphodina"), "{gone}");
    // The lost card stays burned, though nothing says what it was.
    house.json(&[
        "user",
        "create",
        "--first-name",
        "Next",
        "--last-name",
        "Holder",
    ]);
    let burned = house.run(&["credential", "add", "Next Holder", "--nfc", LOST_CARD]);
    assert_eq!(burned.code, 1, "{burned:?}");
    assert_eq!(agent.end(Signal::TERM).0, Some(0));
    assert_eq!(server.end(Signal::TERM).0, Some(0));
    for needle in &needles {
        assert_eq!(
            search(&folder, needle),
            Vec::<String>::new(),
            "{}",
            needle.what
        );
    }
}
