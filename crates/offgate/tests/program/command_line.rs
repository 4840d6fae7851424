//! The command line as somebody types it: what it answers, what it refuses, and how it ends.

use serde_json::Value;

use crate::support::{Installation, Said, offgate, run};

#[test]
fn an_organisation_is_made_and_somebody_is_taken_out_again() {
    let house = Installation::new();
    house.json(&["site", "create", "Harbour Works", "--zone", "Europe/Berlin"]);
    house.json(&[
        "door",
        "create",
        "Front door",
        "--reader",
        "in",
        "--reader",
        "out",
    ]);
    house.json(&[
        "door-group",
        "create",
        "Common doors",
        "--door",
        "front DOOR",
    ]);
    house.json(&[
        "holiday",
        "create",
        "Holidays",
        "--every-year",
        "2026-12-25=Christmas",
    ]);
    let schedule = house.json(&[
        "schedule",
        "create",
        "Office hours",
        "--window",
        "Mon-Fri 07:00-19:00",
        "--holidays",
        "Holidays",
    ]);
    assert_eq!(schedule["holidays"]["name"], "Holidays");
    house.json(&[
        "policy",
        "create",
        "Everything",
        "--door-group",
        "Common doors",
    ]);
    house.json(&[
        "site",
        "edit",
        "Harbour Works",
        "--default-policy",
        "Everything",
    ]);
    house.json(&["group", "create", "Staff"]);
    house.json(&["group", "create", "Engineering", "--in", "Staff"]);

    let made = house.json(&[
        "user",
        "create",
        "--first-name",
        "Amara",
        "--last-name",
        "Okafor",
        "--email",
        "amara@example.org",
        "--group",
        "Engineering",
        "--pin",
        "generate",
        "--nfc",
        "04A22B19F0",
    ]);
    assert_eq!(
        made["policies"][0]["name"], "Everything",
        "the site's default"
    );
    let pin = made["pin"].as_str().expect("the PIN is shown once");
    assert!(
        pin.len() >= 6 && pin.chars().all(|digit| digit.is_ascii_digit()),
        "{pin}"
    );
    let id = made["id"].as_str().expect("an id").to_owned();

    for name in ["Amara Okafor", "amara okafor", "AMARA@example.org", &id] {
        assert_eq!(house.json(&["user", "show", name])["id"], id, "{name}");
    }
    let opens = house.json(&["user", "open", "Amara Okafor"]);
    assert_eq!(opens["items"][0]["opens"], true, "{opens}");

    let gone = house.json(&["user", "deactivate", "Amara Okafor", "--reason", "left"]);
    assert_eq!(
        (&gone["status"], &gone["reason"]),
        (&"deactivated".into(), &"left".into())
    );
    let opens = house.json(&["user", "open", &id]);
    assert_eq!(opens["items"][0]["reason"], "deactivated");
    let again = house.json(&["user", "deactivate", &id]);
    assert_eq!(
        again["deactivated_at"], gone["deactivated_at"],
        "once is enough"
    );

    let told = house.json(&["activity", "--user", &id, "--limit", "1"]);
    assert_eq!(told["items"][0]["what"], "user.deactivated");
    let particulars = told["items"][0]["particulars"].to_string();
    assert!(
        particulars.contains("employment ended at: 20"),
        "{particulars}"
    );

    let back = house.json(&["user", "reactivate", &id]);
    for field in ["credentials", "groups", "policies"] {
        assert_eq!(back[field], made[field], "{field}");
    }

    house.json(&["user", "deactivate", &id]);
    house.json(&["--yes", "user", "remove", &id]);
    assert_eq!(house.run(&["user", "show", "Amara Okafor"]).code, 3);
    let listed = house.json(&["user", "list", "--status", "all"]);
    assert_eq!(listed["items"], Value::Array(Vec::new()));
    let told = house.json(&["activity", "--kind", "changes"]).to_string();
    assert!(
        told.contains("user.removed") && !told.contains("Okafor"),
        "{told}"
    );
}

#[test]
fn how_it_ends_says_what_went_wrong() {
    let house = Installation::new();
    house.json(&["site", "create", "Harbour Works", "--zone", "Europe/Berlin"]);
    house.json(&["door", "create", "Front door"]);
    let user = |last: &'static str| {
        vec![
            "user",
            "create",
            "--first-name",
            "Yuki",
            "--last-name",
            last,
            "--no-policy",
        ]
    };
    house.json(&user("Tanaka"));
    house.json(&user("Mori"));

    let long = "x".repeat(10_000);
    let cases: [(&[&str], i32, &str); 17] = [
        // As long as what is typed is, what is said of it stays short.
        (&["user", "show", &long], 3, "and so on"),
        (
            &["schedule", "create", "Hours", "--window", &long],
            2,
            "and so on",
        ),
        (&["door", "create", &long], 2, "at most 100 characters"),
        // A rule says no.
        (
            &["user", "remove", "Yuki Mori", "--yes"],
            1,
            "deactivate this person first",
        ),
        (
            &["user", "reactivate", "Yuki Mori"],
            1,
            "this person is active",
        ),
        (
            &["door", "create", "FRONT DOOR"],
            1,
            "another door has this name",
        ),
        (
            &[
                "user",
                "create",
                "--first-name",
                "A",
                "--last-name",
                "B",
                "--access-starts",
                "2030-01-02",
                "--access-ends",
                "2030-01-01",
            ],
            1,
            "access must end after it starts",
        ),
        // Not understood.
        (&["user", "create", "--first-name", "A"], 2, "--last-name"),
        (
            &["user", "edit", "Yuki Mori", "--access-ends", "soon"],
            2,
            "--access-ends",
        ),
        (
            &["user", "edit", "Yuki Mori", "--first-name", "a\u{202e}b"],
            2,
            "U+202E",
        ),
        (
            &["door", "create", "Side door", "--works-alone", "1y"],
            2,
            "--works-alone",
        ),
        (&["user", "list", "--after", "nowhere"], 2, "--after"),
        (&["door", "delete", "Front door"], 2, "--yes"),
        (&["nonsense"], 2, "unrecognized subcommand"),
        // Not there, or there twice.
        (&["user", "show", "Nobody"], 3, "there is no user"),
        (&["door", "show", "Back door"], 3, "there is no door"),
        (
            &["agent-key", "revoke", "Entrance", "--yes"],
            3,
            "there is no agent",
        ),
    ];
    for (arguments, code, words) in cases {
        let said = house.run(arguments);
        assert_eq!(said.code, code, "{arguments:?}: {said:?}");
        assert!(said.err.contains(words), "{arguments:?}: {said:?}");
        assert!(said.out.is_empty(), "an error is no answer: {said:?}");
        assert!(said.err.len() < 1_000, "{said:?}");
    }

    // A card in use: by whom is said here.
    let card = ["--nfc", "04A22B19F0"];
    house.json(&[&["credential", "add", "Yuki Mori"], &card[..]].concat());
    let held = house.run(&[&user("Sato")[..], &card].concat());
    assert_eq!(held.code, 1, "{held:?}");
    assert!(held.err.contains("in use (held by Yuki Mori)"), "{held:?}");
    assert_eq!(house.run(&["user", "show", "Yuki Sato"]).code, 3);

    house.json(&user("Tanaka"));
    let twice = house.run(&["user", "deactivate", "Yuki Tanaka"]);
    assert_eq!(twice.code, 3);
    assert_eq!(twice.err.lines().count(), 3, "both are offered: {twice:?}");

    let nowhere = run(offgate().args(["--data", "/nowhere", "user", "list"]), "");
    assert_eq!(nowhere.code, 4, "{nowhere:?}");
    assert!(nowhere.err.contains("there is no Offgate data"));
    // Where nobody can look is not where there is nothing.
    let file = house.data().join("a-file");
    std::fs::write(&file, "").expect("a file");
    for command in [&["user", "list"][..], &["doctor"], &["serve"]] {
        let said = run(offgate().arg("--data").arg(&file).args(command), "");
        assert_eq!(said.code, 4, "{command:?}: {said:?}");
        assert!(
            !said.err.contains("there is no") && !said.out.contains("there is none"),
            "{said:?}"
        );
    }
}

#[test]
fn secrets_come_from_standard_input_and_are_not_repeated() {
    let house = Installation::new();
    house.json(&["site", "create", "Harbour Works", "--zone", "Europe/Berlin"]);
    house.json(&[
        "user",
        "create",
        "--first-name",
        "Yuki",
        "--last-name",
        "Mori",
        "--no-policy",
    ]);
    let as_argument = house.run(&["credential", "add", "Yuki Mori", "--pin", "73915620"]);
    assert_eq!(as_argument.code, 2);
    assert!(!as_argument.err.contains("73915620"), "{as_argument:?}");
    let common = house.run_with(&["credential", "add", "Yuki Mori", "--pin", "-"], "1234\n");
    assert_eq!(common.code, 1, "{common:?}");
    assert!(common.err.contains("choose another PIN"), "{common:?}");
    let added = house.run_with(
        &["credential", "add", "Yuki Mori", "--pin", "-"],
        "73915620\n",
    );
    assert_eq!(added.code, 0, "{added:?}");
    assert!(!added.out.contains("73915620"), "{added:?}");
}

#[test]
fn lists_come_in_pages() {
    let house = Installation::new();
    house.json(&["site", "create", "Harbour Works", "--zone", "Europe/Berlin"]);
    for name in ["Åtrium", "Back", "cellar"] {
        house.json(&["door", "create", name]);
    }
    let first = house.json(&["door", "list", "--limit", "2"]);
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items").iter();
        items
            .map(|item| item["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&first), ["Åtrium", "Back"]);
    let next = first["next"].as_str().expect("a next page");
    let second = house.json(&["door", "list", "--limit", "2", "--after", next]);
    assert_eq!(names(&second), ["cellar"]);
    assert_eq!(second["next"], Value::Null);
}

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("offgate.toml");
    let check = |command: &mut std::process::Command| {
        command
            .arg("--data")
            .arg(folder.path())
            .args(["--format", "json", "config", "check"]);
        run(command, "")
    };
    let row = |said: &Said, setting: &str| -> (String, String) {
        let answer = said.json();
        let rows = answer["items"].as_array().expect("rows");
        let row = rows
            .iter()
            .find(|row| row["setting"] == setting)
            .expect("the setting");
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        (text("value"), text("from"))
    };
    let said = check(&mut offgate());
    assert_eq!(
        row(&said, "server.listen"),
        ("0.0.0.0:12445".to_owned(), "default".to_owned())
    );

    std::fs::write(
        &file,
        "[server]\nlisten = '127.0.0.1:1'\n[agent]\njoin = 'hush'\n",
    )
    .expect("a file");
    let said = check(&mut offgate());
    let from = file.to_str().expect("text").to_owned();
    assert_eq!(
        row(&said, "server.listen"),
        ("127.0.0.1:1".to_owned(), from)
    );
    assert!(
        !said.out.contains("hush"),
        "a join token is a secret: {said:?}"
    );

    let said = check(offgate().env("OFFGATE_LISTEN", "127.0.0.1:2"));
    let expected = (
        "127.0.0.1:2".to_owned(),
        "environment OFFGATE_LISTEN".to_owned(),
    );
    assert_eq!(row(&said, "server.listen"), expected);

    std::fs::write(&file, "[server]\nlistn = '127.0.0.1:1'\n").expect("a file");
    let said = check(&mut offgate());
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("listn") && said.err.contains("line 2"),
        "{said:?}"
    );
}
