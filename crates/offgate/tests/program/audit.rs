//! The log as an auditor looks at it: walked through, altered, and taken along in files.

use std::path::Path;

use offgate_store::DATABASE_FILE;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Installation, Said, offgate, run};

/// A store in which something has happened.
fn lived_in() -> Installation {
    let house = Installation::new();
    house.json(&["site", "create", "Harbour Works", "--zone", "Europe/Berlin"]);
    for name in ["Amara", "Bao", "Chidi"] {
        let names = ["--first-name", name, "--last-name", "Okafor"];
        house.json(&[&["user", "create"], &names[..]].concat());
    }
    house.json(&["user", "deactivate", "Amara Okafor", "--reason", "left"]);
    house
}

fn verify(house: &Installation, more: &[&str]) -> (i32, Value) {
    let said = house.run(&[&["--format", "json", "audit", "verify"], more].concat());
    (said.code, said.json())
}

fn check(file: &Path, more: &[&str]) -> Said {
    let mut command = offgate();
    command
        .args(["--format", "json", "audit", "check"])
        .arg(file)
        .args(more);
    run(&mut command, "")
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

#[test]
fn an_intact_log_adds_up_also_while_the_server_runs() {
    let house = lived_in();
    let (code, found) = verify(&house, &[]);
    assert_eq!(
        (code, &found["adds_up"]),
        (0, &Value::Bool(true)),
        "{found}"
    );
    assert_eq!(found["entries"], found["signed_up_to"]);
    assert_eq!(found["details_readable"], found["entries"]);
    assert_eq!(found["found"], Value::Null);
    let mut server = house.serve();
    server.read_until("Root fingerprint");
    house.json(&["group", "create", "Staff"]);
    let (code, later) = verify(&house, &[]);
    assert_eq!(code, 0, "{later}");
    assert!(number(&later["entries"]) > number(&found["entries"]));
    assert_eq!(server.end(Signal::INT).0, Some(0));

    let root = found["root"].as_str().expect("a fingerprint");
    assert_eq!(verify(&house, &["--root", root]).0, 0);
    let (code, found) = verify(&house, &["--root", &"ab".repeat(32)]);
    assert_eq!(code, 6, "{found}");
    let said = house.run(&["audit", "verify", "--root", "nonsense"]);
    assert_eq!(said.code, 2, "{said:?}");
    let nowhere = offgate()
        .args(["audit", "verify", "--data", "/nowhere"])
        .output();
    assert_eq!(nowhere.expect("its end").status.code(), Some(4));
}

#[test]
fn whatever_is_altered_is_named() {
    let house = lived_in();
    let database = Connection::open(house.data().join(DATABASE_FILE)).expect("the database");
    database
        .execute_batch(
            "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF;
             CREATE TEMP TABLE kept_log AS SELECT * FROM log;
             CREATE TEMP TABLE kept_payload AS SELECT * FROM log_payload;
             CREATE TEMP TABLE kept_checkpoint AS SELECT * FROM checkpoint;",
        )
        .expect("copies");
    let altered = |sql: &str, entry: i64| {
        assert!(database.execute(sql, []).expect(sql) > 0, "{sql}");
        let (code, found) = verify(&house, &[]);
        assert_eq!(code, 6, "{sql}: {found}");
        assert_eq!(found["adds_up"], false, "{sql}: {found}");
        assert_eq!(number(&found["first_bad_entry"]), entry, "{sql}: {found}");
        let words = found["found"].as_str().expect("words");
        assert!(words.contains(&format!("entry {entry}")), "{sql}: {words}");
        database
            .execute_batch(
                "BEGIN; DELETE FROM log_payload; DELETE FROM log; DELETE FROM checkpoint;
                 INSERT INTO log SELECT * FROM kept_log;
                 INSERT INTO log_payload SELECT * FROM kept_payload;
                 INSERT INTO checkpoint SELECT * FROM kept_checkpoint; COMMIT",
            )
            .expect("as it was");
    };
    let last = number(&verify(&house, &[]).1["entries"]);
    for column in [
        "at = at + 1",
        "actor = 'schedule', actor_id = NULL",
        "actor_id = zeroblob(16)",
        "kind = 'user.reactivated'",
        "subject = 'operator'",
        "subject_id = zeroblob(16)",
        "details_hash = zeroblob(32)",
        "subtrees = zeroblob(length(subtrees))",
    ] {
        altered(&format!("UPDATE log SET {column} WHERE revision = 3"), 3);
    }
    altered("UPDATE log SET revision = 1000 WHERE revision = 3", 3);
    altered("DELETE FROM log WHERE revision = 3", 3);
    altered(&format!("DELETE FROM log WHERE revision = {last}"), last);
    for column in [
        "commitment = zeroblob(32)",
        "content = zeroblob(length(content))",
        "position = 7",
        "content = zeroblob(50), about = NULL, about_id = NULL",
        // Erased, and nobody was.
        "content = NULL, about = NULL, about_id = NULL, erased_at = 1",
    ] {
        altered(
            &format!("UPDATE log_payload SET {column} WHERE revision = 3"),
            3,
        );
    }
    altered("DELETE FROM log_payload WHERE revision = 3", 3);
    altered("UPDATE checkpoint SET signed = zeroblob(10)", last);
    altered("UPDATE checkpoint SET at = at + 1", last);
    altered("DELETE FROM checkpoint", 1);
    // In the midst of what was signed or its signature.
    altered(
        "UPDATE checkpoint SET signed = CAST(substr(signed, 1, 130) || x'ffffffff' || substr(signed, 135) AS BLOB)",
        last,
    );
    assert_eq!(verify(&house, &[]).0, 0);
}

#[test]
fn who_was_erased_is_on_the_list_of_the_vault() {
    let house = lived_in();
    let remove = ["--yes", "user", "remove", "Amara Okafor"];
    let said = house.run(&remove);
    assert_eq!(said.code, 0, "{said:?}");
    let (code, found) = verify(&house, &[]);
    assert_eq!(code, 0, "{found}");
    assert!(number(&found["details_erased"]) >= 2, "{found}");
    assert_eq!(found["erased_people"], 1);
    assert_eq!(found["erased_for_nobody"], serde_json::json!([]));
}

#[test]
fn proofs_are_checked_without_the_store() {
    let house = lived_in();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let (older, entry, later) = (file("older"), file("entry"), file("later"));
    let given = house.json(&["audit", "checkpoint", "--output", &older]);
    let root = given["root"].as_str().expect("a fingerprint");
    let said = house.json(&["audit", "prove", "2", "--output", &entry]);
    assert_eq!(
        (&said["entry"], &said["kind"]),
        (&2.into(), &"user.created".into())
    );
    house.json(&["group", "create", "Staff"]);
    let said = house.json(&["audit", "prove", "--since", &older, "--output", &later]);
    assert_eq!(said["continues_entries"], given["entries"]);
    let says = |said: &Said, word: &str| {
        said.json()["signer"]
            .as_str()
            .is_some_and(|it| it.starts_with(word))
    };
    for name in [&older, &entry, &later] {
        let said = check(Path::new(name), &[]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(says(&said, "unknown"), "{said:?}");
        let said = check(Path::new(name), &["--root", root]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(says(&said, "known"), "{said:?}");
        let said = check(Path::new(name), &["--root", &"ab".repeat(32)]);
        assert_eq!(said.code, 6, "{said:?}");
        // Every byte is changed where proofs are read; here, some.
        let whole = std::fs::read(name).expect("a file");
        let altered = folder.path().join("altered");
        for at in (0..whole.len()).step_by(whole.len() / 8) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&altered, bytes).expect("a file");
            assert_eq!(check(&altered, &[]).code, 6, "byte {at}");
        }
    }
    // The later log is shown to continue from the checkpoint that was kept, and from no other.
    assert_eq!(check(Path::new(&later), &["--since", &older]).code, 0);
    assert_eq!(check(Path::new(&entry), &["--since", &later]).code, 6);
    let piped = house.run(&["audit", "prove", "1000"]);
    assert_eq!(piped.code, 2, "{piped:?}");
    assert_eq!(check(Path::new("/nowhere"), &[]).code, 4);

    // A log that was rewritten gives no proof.
    let database = Connection::open(house.data().join(DATABASE_FILE)).expect("the database");
    let rewritten = "UPDATE log SET subtrees = zeroblob(length(subtrees))";
    database.execute(rewritten, []).expect("altered");
    let said = house.run(&["audit", "prove", "--since", &older, "--output", &later]);
    assert_eq!(said.code, 6, "{said:?}");
    assert_eq!(
        house.run(&["audit", "prove", "2", "--output", &entry]).code,
        6
    );
}
