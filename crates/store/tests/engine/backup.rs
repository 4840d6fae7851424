//! Backups: taken while others write, put back elsewhere, and worth nothing when a byte is wrong.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use offgate_core::backup::Restored;
use offgate_core::command::{Command, Expected, Unconfirmed};
use offgate_core::confirmation::{Alone, DoorFacts};
use offgate_core::parameters::{Clock as _, Revision};
use offgate_core::policy::Group;
use offgate_core::records::Records as _;
use offgate_core::text::Note;
use offgate_core::user::{Erasure, UserRecord};
use offgate_store::backup::{
    BackupError, BackupKey, Contents, Reading, Restoring, Shelf, Source, is_half_restored,
};
use offgate_store::{DATABASE_FILE, Heard, Store, StoreError, VAULT_FOLDER};

use crate::history::adds_up;
use crate::organisation::*;

const DAY: i64 = 24 * 3600 * 1_000_000;

fn backup_key() -> BackupKey {
    BackupKey {
        key: [9; 32],
        locked: b"locked".to_vec(),
    }
}

fn source<'a>(opened: &'a Opened, data: &'a Path, key: &'a BackupKey) -> Source<'a> {
    Source {
        data,
        key,
        now: opened.clock.now(),
        randomness: &*opened.randomness,
    }
}

/// A store with somebody, and the folder of keys that a server would have made.
fn with_keys(directory: &Path, seed: u64) -> Opened {
    let opened = furnished(directory, seed);
    std::fs::create_dir(directory.join("keys")).expect("a folder");
    std::fs::write(directory.join("keys/keyring"), b"the keys").expect("a file");
    std::fs::write(directory.join("keys/keyring.new"), b"half").expect("a file");
    std::fs::write(directory.join("keys/lock"), b"").expect("a file");
    for (number, name) in [(1, "Stays"), (2, "Leaves")] {
        let groups = BTreeSet::from([group(1)]);
        opened.done(create(number, groups, BTreeSet::new(), name));
    }
    opened
}

fn erase(opened: &Opened, number: u8) {
    opened.done(deactivate(number));
    opened.done(Command::RemoveUser {
        user: user(number),
        unconfirmed: Unconfirmed::Override(Note::parse("gone").expect("a note")),
    });
}

fn rename_group(opened: &Opened, round: u32) {
    opened.done(Command::EditGroup(
        Group {
            id: group(2),
            revision: Revision::ZERO,
            name: title(&format!("Round {round}")),
            parent: None,
            policies: BTreeSet::new(),
        },
        Expected::Whatever,
    ));
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let name = entry.expect("a file").file_name();
            name.to_string_lossy().into_owned()
        })
        .collect();
    names.sort();
    names
}

/// Puts back what is on a shelf, as far as this crate does.
fn restore(shelf: &Shelf, from: &Path, to: &Path, at: &Opened) -> Opened {
    let key = backup_key().key;
    let restoring = Restoring::begin(to).expect("begun");
    let header = restoring
        .unpack(Reading::open(from).expect("a backup"), &key)
        .expect("put back");
    let Contents::Store { epoch, revision } = header.contents else {
        panic!("a backup of a store");
    };
    let vault = Reading::open(&shelf.vault()).expect("a backup");
    let Contents::Vault { key: number } = vault.header().contents else {
        panic!("a backup of a vault");
    };
    restoring.unpack(vault, &key).expect("put back");
    let vault_key = Reading::open(&shelf.vault_key(number)).expect("a backup");
    restoring.unpack(vault_key, &key).expect("put back");
    restoring
        .new_epoch(at.clock.now(), &*at.randomness)
        .expect("an epoch");
    let refused = Store::open(
        to,
        at.clock.clone(),
        at.randomness.clone(),
        Arc::new(LogKey::new()),
    );
    assert!(matches!(refused, Err(StoreError::HalfRestored)));
    let store = Store::open_restoring(
        to,
        at.clock.clone(),
        at.randomness.clone(),
        Arc::new(LogKey::new()),
    )
    .expect("a store");
    let opened = Opened {
        store,
        clock: Arc::clone(&at.clock),
        randomness: Arc::clone(&at.randomness),
    };
    opened.done(Command::NoteRestore(Restored {
        made_at: header.made_at,
        epoch,
        last: revision,
    }));
    restoring.finish().expect("finished");
    opened
}

#[test]
fn what_was_backed_up_while_others_wrote_comes_back_without_who_was_erased() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, folder) = (
        directory.path().join("data"),
        directory.path().join("shelf"),
    );
    let opened = with_keys(&data, 300);
    let revision = opened.done(deactivate(1));
    let runtime = tokio_runtime();
    let store = opened.store.clone();
    let said = async {
        store.record_contact(agent(1), Heard::AsksRenewal).await?;
        store
            .record_acknowledgement(agent(1), receipt(revision))
            .await
    };
    runtime.block_on(said).expect("recorded");
    let (shelf, key) = (Shelf::new(&folder), backup_key());
    let done = AtomicBool::new(false);
    let taken = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            while !done.load(Ordering::SeqCst) {
                rename_group(&opened, round);
                round += 1;
            }
        });
        let taken = source(&opened, &data, &key).take(&shelf);
        done.store(true, Ordering::SeqCst);
        taken.expect("a backup")
    });
    let epoch = opened.store.identity().epoch;
    opened.clock.0.fetch_add(DAY / 2, Ordering::SeqCst);
    erase(&opened, 2);
    source(&opened, &data, &key)
        .take_vault(&shelf)
        .expect("a backup of the vault");
    assert_eq!(
        names(&data.join("keys")),
        ["keyring", "keyring.new", "lock"]
    );
    for name in names(&data) {
        assert!(!name.contains("copy"), "{name} was left");
    }

    let to = directory.path().join("elsewhere");
    let restored = restore(&shelf, &taken.path, &to, &opened);
    assert!(!is_half_restored(&to));
    assert_eq!(names(&to.join("keys")), ["keyring"]);
    let identity = restored.store.identity();
    assert_eq!(identity.store, opened.store.identity().store);
    assert!(identity.epoch.counter > epoch.counter);
    assert_ne!(identity.epoch.nonce, epoch.nonce);
    let reader = restored.store.read();
    let Some(UserRecord::Removed(removed)) = reader.user(user(2)).expect("an answer") else {
        panic!("who was erased came back");
    };
    assert!(matches!(removed.erasure, Erasure::Done { .. }));
    // What a door said before the restore was said of another history.
    let contact = reader.contact(agent(1)).expect("an answer").expect("heard");
    assert_eq!(contact.counted_from, None);
    let facts = reader.door_facts(user(1), revision).expect("an answer");
    assert!(!facts.is_empty());
    assert!(facts.iter().all(|facts| facts.confirmed_at.is_none()));
    assert_eq!(reader.acknowledged(agent(1)).expect("an answer"), None);
    let head = reader
        .table_head(agent(1))
        .expect("an answer")
        .expect("one");
    assert!(head.revision > revision, "every table is confirmed anew");
    // By which settings it works, the server that was lost knew: no limit is named before it has
    // acknowledged something since and was renewed after that.
    let alone = |facts: &[DoorFacts]| {
        let known = |facts: &DoorFacts| facts.alone != Alone::UntilLimit(None);
        facts.iter().any(known)
    };
    assert!(!alone(&facts));
    let renewed = |user, refusal| {
        let asked = restored.store.record_contact(agent(1), Heard::AsksRenewal);
        runtime.block_on(asked).expect("recorded");
        let facts = restored.store.read().door_facts(user, refusal);
        alone(&facts.expect("an answer"))
    };
    assert!(!renewed(user(1), revision));
    let store = &restored.store;
    runtime
        .block_on(store.record_acknowledgement(agent(1), receipt(head.revision)))
        .expect("recorded");
    restored.done(Command::ReactivateUser { user: user(1) });
    let refused = restored.done(deactivate(1));
    assert!(renewed(user(1), refused));
    adds_up(&rusqlite::Connection::open(to.join(DATABASE_FILE)).expect("the database"));
}

#[test]
fn every_wrong_byte_of_a_backup_is_noticed() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, folder) = (
        directory.path().join("data"),
        directory.path().join("shelf"),
    );
    let opened = with_keys(&data, 310);
    let (shelf, key) = (Shelf::new(&folder), backup_key());
    let taken = source(&opened, &data, &key).take(&shelf).expect("taken");
    let found = Reading::open(&taken.path)
        .and_then(|backup| backup.verify(&key.key))
        .expect("a whole backup");
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [DATABASE_FILE, "keys/keyring"]);
    let verify = |bytes: &[u8], key: &[u8; 32]| {
        let path = folder.join("altered");
        std::fs::write(&path, bytes).expect("written");
        Reading::open(&path).and_then(|backup| backup.verify(key))
    };
    let small = std::fs::read(shelf.vault_key(1)).expect("a backup");
    verify(&small, &key.key).expect("a whole backup");
    let wrong_key = verify(&small, &[8; 32]);
    assert!(matches!(wrong_key, Err(BackupError::Unreadable(_))));
    for at in 0..small.len() {
        let mut altered = small.clone();
        altered[at] ^= 1;
        assert!(verify(&altered, &key.key).is_err(), "byte {at}");
        assert!(verify(&small[..at], &key.key).is_err(), "cut at {at}");
    }
    let longer = [small.as_slice(), &[0]].concat();
    assert!(verify(&longer, &key.key).is_err());
    // Of several chunks: whole chunks can be taken out or swapped.
    let large = std::fs::read(&taken.path).expect("a backup");
    let chunk = 64 * 1024 + 16;
    let begin = large.len() % chunk;
    assert!(large.len() > 3 * chunk, "several chunks");
    let cut = &large[..large.len() - chunk];
    assert!(verify(cut, &key.key).is_err());
    let mut swapped = large.clone();
    let (first, second) = (begin + 16, begin + 16 + chunk);
    for at in 0..chunk {
        swapped.swap(first + at, second + at);
    }
    assert!(verify(&swapped, &key.key).is_err());
}

#[test]
fn nothing_of_a_person_is_plain_in_a_backup() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, folder) = (
        directory.path().join("data"),
        directory.path().join("shelf"),
    );
    let opened = with_keys(&data, 320);
    let key = backup_key();
    source(&opened, &data, &key)
        .take(&Shelf::new(&folder))
        .expect("taken");
    let holds = |folder: &Path, what: &[u8]| {
        names(folder).iter().any(|name| {
            std::fs::read(folder.join(name))
                .unwrap_or_default()
                .windows(what.len())
                .any(|bytes| bytes == what)
        })
    };
    for planted in [b"Leaves".as_slice(), b"the keys", &[9; 32]] {
        assert!(!holds(&folder, planted));
    }
    assert!(holds(&data, b"Leaves"), "the search finds it where it is");
}

#[test]
fn a_restore_begins_in_a_directory_of_its_own_and_again_where_one_was_cut_short() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, folder) = (
        directory.path().join("data"),
        directory.path().join("shelf"),
    );
    let opened = with_keys(&data, 330);
    let (shelf, key) = (Shelf::new(&folder), backup_key());
    let taken = source(&opened, &data, &key).take(&shelf).expect("taken");
    let begun = Restoring::begin(&data).map(|_| ());
    assert!(matches!(begun, Err(BackupError::NotEmpty(_))), "{begun:?}");
    assert!(!is_half_restored(&data));

    let to = directory.path().join("elsewhere");
    let cut_short = Restoring::begin(&to).expect("begun");
    cut_short
        .unpack(Reading::open(&taken.path).expect("a backup"), &key.key)
        .expect("put back");
    drop(cut_short);
    assert!(is_half_restored(&to));
    let restored = restore(&shelf, &taken.path, &to, &opened);
    let again = restored.store.identity().epoch;
    assert!(again.counter > opened.store.identity().epoch.counter);
    // Each of two restores of one backup right after each other is above the one before.
    opened.clock.0.fetch_add(1_000, Ordering::SeqCst);
    let to = directory.path().join("once more");
    let restored = restore(&shelf, &taken.path, &to, &opened);
    assert!(restored.store.identity().epoch.counter > again.counter);
}

#[test]
fn only_the_newest_vault_and_its_key_are_kept_and_nights_for_thirty_days() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, folder) = (
        directory.path().join("data"),
        directory.path().join("shelf"),
    );
    let opened = with_keys(&data, 340);
    let (shelf, key) = (Shelf::new(&folder), backup_key());
    let first = source(&opened, &data, &key).take(&shelf).expect("taken");
    let old_vault = std::fs::read(shelf.vault()).expect("a backup");
    let state = opened.store.vault_state().expect("a vault");
    opened.clock.0.fetch_add(29 * DAY, Ordering::SeqCst);
    opened
        .store
        .replace_wrapping_key(opened.clock.now(), &|_| {})
        .expect("another key");
    assert_ne!(opened.store.vault_state().expect("a vault"), state);
    let second = source(&opened, &data, &key).take(&shelf).expect("taken");
    let listed: Vec<PathBuf> = shelf
        .list()
        .expect("a list")
        .into_iter()
        .map(|backup| backup.path)
        .collect();
    assert_eq!(listed, [second.path.clone(), first.path.clone()]);
    assert!(!shelf.vault_key(1).exists());
    assert!(shelf.vault_key(2).exists());
    opened.clock.0.fetch_add(2 * DAY, Ordering::SeqCst);
    let third = source(&opened, &data, &key).take(&shelf).expect("taken");
    assert!(!first.path.exists() && second.path.exists());
    assert_eq!(shelf.newest().expect("one"), Some(third.made_at));

    // The vault as it was, with the key that there is: nothing that was sealed can be read.
    let to = directory.path().join("old-vault");
    let restoring = Restoring::begin(&to).expect("begun");
    std::fs::write(folder.join("old"), old_vault).expect("written");
    for path in [folder.join("old"), shelf.vault_key(2)] {
        restoring
            .unpack(Reading::open(&path).expect("a backup"), &key.key)
            .expect("put back");
    }
    assert_eq!(
        names(&to.join(VAULT_FOLDER)),
        ["vault.db", "wrapping-2.key"]
    );
}
