//! Backups and restores with the real program: made by themselves and by hand, put back on a
//! machine that has nothing but the folder and the passphrase.

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::support::{Installation, Said, offgate, run, wait_until};

fn create(installation: &Installation, first: &str, last: &str) {
    let said = installation.json(&["user", "create", "--first-name", first, "--last-name", last]);
    assert!(said["id"].is_string(), "{said}");
}

/// Runs a command on another data directory.
pub(crate) fn on(data: &Path, arguments: &[&str], input: &str) -> Said {
    run(offgate().arg("--data").arg(data).args(arguments), input)
}

fn backups(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "backup"))
        .collect()
}

#[test]
fn a_backup_is_there_without_being_asked_for() {
    let installation = Installation::new();
    let folder = installation.data().join("backups");
    let mut server = installation.serve();
    server.read_until("Root fingerprint");
    wait_until("the first backup", || backups(&folder).len() == 3);
    assert_eq!(server.end(Signal::INT).0, Some(0));
    let verified = installation.json(&["backup", "verify"]);
    let of: Vec<_> = verified["items"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["of"].as_str().expect("a word").to_owned())
        .collect();
    assert_eq!(of, ["store and keys", "vault", "the vault's key"]);
    let doctor = installation.run(&["doctor"]);
    assert!(
        doctor.out.contains("The last backup was made on"),
        "{doctor:?}"
    );
    assert!(doctor.out.contains("on the disk of the data"), "{doctor:?}");
}

#[test]
fn a_store_comes_back_by_its_passphrase_and_whoever_was_erased_does_not() {
    let installation = Installation::new();
    create(&installation, "Keeps", "Coming");
    create(&installation, "Erased", "Meanwhile");
    let made = installation.json(&["backup", "now"]);
    let file = PathBuf::from(made["file"].as_str().expect("a path"));
    installation.json(&["user", "deactivate", "Erased Meanwhile"]);
    installation.json(&["--yes", "user", "remove", "Erased Meanwhile"]);
    // A server notices that somebody was erased, and replaces the vault's backup.
    let vault = file.with_file_name("vault.backup");
    let before = std::fs::read(&vault).expect("a backup");
    let mut server = installation.serve();
    wait_until("another backup of the vault", || {
        std::fs::read(&vault).is_ok_and(|now| now != before)
    });
    assert_eq!(server.end(Signal::INT).0, Some(0));

    let passphrase = installation.passphrase();
    let as_restored = installation.run_with(
        &["backup", "verify", "--as-restored"],
        &format!("{passphrase}\n"),
    );
    assert_eq!(as_restored.code, 0, "{as_restored:?}");

    let elsewhere = tempfile::tempdir().expect("a folder");
    let data = elsewhere.path().join("restored");
    let path = file.to_str().expect("text");
    let wrong = on(&data, &["restore", path], "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA\n");
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(!data.exists(), "nothing was begun");
    let occupied = on(&installation.data(), &["restore", path], &passphrase);
    assert_eq!(occupied.code, 2, "{occupied:?}");
    assert!(occupied.err.contains("is not empty"), "{occupied:?}");
    let alone = elsewhere.path().join("alone.backup");
    std::fs::copy(&file, &alone).expect("a copy");
    let lost = on(
        &data,
        &["restore", alone.to_str().expect("text")],
        &passphrase,
    );
    assert_eq!(lost.code, 2, "{lost:?}");
    assert!(lost.err.contains("--without-vault"), "{lost:?}");

    let restored = on(&data, &["restore", path, "--format", "json"], &passphrase);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(restored.json()["erased_people"], 1);
    let shown = on(&data, &["user", "show", "Keeps Coming"], "");
    assert_eq!(shown.code, 0, "{shown:?}");
    let gone = on(&data, &["user", "show", "Erased Meanwhile"], "");
    assert_eq!(gone.code, 3, "{gone:?}");
    let audit = on(&data, &["audit", "verify"], "");
    assert_eq!(audit.code, 0, "{audit:?}");
    let log = on(&data, &["activity"], "");
    assert!(log.out.contains("store.restored"), "{log:?}");
    // The names of those who stay can still be read, by the vault that came with it.
    assert!(log.out.contains("Keeps Coming"), "{log:?}");
    let keys = |data: &Path| {
        let said = on(data, &["keys", "show", "--format", "json"], "").json();
        let rows = said["items"].as_array().expect("keys").clone();
        rows.into_iter()
            .map(|row| row["fingerprint"].to_string())
            .collect::<Vec<_>>()
    };
    let (old, new) = (keys(&installation.data()), keys(&data));
    assert_eq!(old[0], new[0], "agents know it by the same root");
    for number in [1, 2, 3] {
        assert_ne!(
            old[number], new[number],
            "the lost server's keys are worth nothing"
        );
    }
}

#[test]
fn a_restore_that_was_cut_short_is_served_to_nobody() {
    let installation = Installation::new();
    let made = installation.json(&["backup", "now"]);
    let path = made["file"].as_str().expect("a path");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let data = elsewhere.path().join("restored");
    let passphrase = installation.passphrase();
    let restored = on(&data, &["restore", path], &passphrase);
    assert_eq!(restored.code, 0, "{restored:?}");
    // As it is between its first step and its last.
    std::fs::write(data.join("restoring"), b"").expect("the marker");
    for arguments in [
        &["user", "list"] as &[&str],
        &["serve", "--listen", "127.0.0.1:0"],
        &["keys", "show"],
    ] {
        let said = on(&data, arguments, "");
        assert_eq!(said.code, 4, "{said:?}");
        assert!(
            said.err.contains("was not finished; run it again"),
            "{said:?}"
        );
    }
    let again = on(&data, &["restore", path], &passphrase);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(on(&data, &["user", "list"], "").code, 0);

    let mut damaged = std::fs::read(path).expect("a backup");
    let at = damaged.len() - 100;
    damaged[at] ^= 1;
    std::fs::write(path, damaged).expect("written");
    let data = elsewhere.path().join("another");
    let said = on(&data, &["restore", path], &passphrase);
    assert_eq!(said.code, 6, "{said:?}");
    assert_eq!(on(&data, &["user", "list"], "").code, 4, "nothing to serve");
}
