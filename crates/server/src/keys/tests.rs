//! The folder of keys: what is in it, what never is, and what a power cut leaves.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use offgate_link::log_key::LogKey;

use super::*;

/// Bytes that count.
pub(super) struct Counting(AtomicU8);

impl From<u8> for Counting {
    fn from(first: u8) -> Self {
        Self(AtomicU8::new(first))
    }
}

impl Randomness for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct At(i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0)
    }
}

struct Workshop {
    clock: At,
    randomness: Counting,
    shown: Mutex<Vec<Passphrase>>,
}

impl Workshop {
    fn at(now: i64) -> Self {
        Self {
            clock: At(now),
            randomness: Counting::from(1),
            shown: Mutex::default(),
        }
    }

    fn making(&self) -> Making<'_> {
        Making {
            clock: &self.clock,
            randomness: &self.randomness,
        }
    }

    fn show(&self, new: NewPassphrase<'_>) {
        let mut shown = self.shown.lock().expect("no panic");
        shown.push(new.passphrase.clone());
    }

    fn shown(&self) -> Vec<Passphrase> {
        self.shown.lock().expect("no panic").clone()
    }

    fn open(&self, data: &Path) -> Result<Keys, KeysError> {
        Keys::open(data, self.making(), &|new| self.show(new))
    }

    /// As [`Self::open`], with the power going after so many steps.
    fn open_until(&self, data: &Path, steps: u32) -> Result<Keys, KeysError> {
        let folder = Folder::open(data)?;
        folder.steps.store(steps, Ordering::Relaxed);
        Keys::open_folder(folder, self.making(), &|new| self.show(new))
    }
}

/// What any of these keys do, they do for this root, and the passphrase opens what it should.
fn works(keys: &Keys, passphrase: &Passphrase) {
    let held = keys.held();
    let signature = held.log().sign(b"checkpoint").expect("a signature");
    let key = LogKey::of(&held.log().chain, keys.fingerprint()).expect("the log's key");
    assert_eq!(key.verify(b"checkpoint", &signature), Ok(()));
    let chain = keys
        .vouch(AgentId::from_bytes([1; 16]), &AgentKey([2; 32]))
        .expect("a chain");
    assert_eq!(chain.last(), Some(&keys.root()));
    assert_eq!(
        unwrap_backup_key(passphrase, &keys.wrapped_backup_key()),
        Ok(keys.backup_key())
    );
    keys.with_link(|link| {
        offgate_link::identity::server_config(link, &keys.root()).expect("a configuration")
    });
}

/// Every file in the folder, and which of these can be found in it.
fn found(data: &Path, secrets: &[[u8; 32]]) -> Vec<bool> {
    let files: Vec<Vec<u8>> = std::fs::read_dir(data.join("keys"))
        .expect("a folder")
        .map(|file| std::fs::read(file.expect("a file").path()).expect("a file"))
        .collect();
    let has = |secret: &[u8; 32]| {
        let holds = |file: &Vec<u8>| file.windows(32).any(|part| part == secret);
        files.iter().any(holds)
    };
    secrets.iter().map(has).collect()
}

fn seed(from: u8) -> [u8; 32] {
    std::array::from_fn(|at| from + u8::try_from(at).expect("small"))
}

fn write_older(data: &Path, certificates: bool) -> RootFingerprint {
    let folder = Folder::open(data).expect("a folder");
    let seeds = [[101; 32], [102; 32], [103; 32]];
    folder.write("link-seeds", &seeds.concat()).expect("a disk");
    let [root, issuing, link] = seeds;
    let older = Authority::create([root, issuing, link, [0; 32]], IssuingNumber(77)).expect("keys");
    if certificates {
        let mut bytes = Vec::new();
        for certificate in &older.link.chain {
            let length = u32::try_from(certificate.len()).expect("short");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(certificate);
        }
        folder.write("link-certificates", &bytes).expect("a disk");
    }
    older.fingerprint()
}

#[test]
fn the_root_is_never_on_disk_in_the_clear_and_the_rest_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = tempfile::tempdir().expect("a folder");
    let workshop = Workshop::at(1_800_000_000);
    let keys = workshop.open(place.path()).expect("keys");
    let [passphrase] = workshop.shown().try_into().expect("one");
    works(&keys, &passphrase);
    // The first bytes drawn are the root's seed, the next the issuing key's.
    let secrets = [seed(1), seed(33)];
    assert_eq!(found(place.path(), &secrets), [false, true]);
    let text = passphrase.text().as_bytes().to_vec();
    for file in std::fs::read_dir(place.path().join("keys")).expect("a folder") {
        let path = file.expect("a file").path();
        let bytes = std::fs::read(&path).expect("a file");
        assert!(!bytes.windows(text.len()).any(|part| part == text));
        let mode = std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    // Opened again it is the same, and nothing is shown.
    let again = workshop.open(place.path()).expect("keys");
    assert_eq!(again.fingerprint(), keys.fingerprint());
    assert_eq!(again.list(), keys.list());
    assert_eq!(workshop.shown().len(), 1);
    // A damaged file is never taken for none.
    let path = place.path().join("keys").join(KEYRING);
    let whole = std::fs::read(&path).expect("there");
    for damaged in [&whole[..0], &whole[..whole.len() - 1], &whole[1..]] {
        std::fs::write(&path, damaged).expect("a disk");
        let opened = workshop.open(place.path());
        assert!(matches!(opened, Err(KeysError::Damaged(_))));
    }
    assert_eq!(workshop.shown().len(), 1);
}

#[test]
fn the_older_layout_is_taken_over_and_its_clear_root_goes() {
    for certificates in [true, false] {
        let place = tempfile::tempdir().expect("a folder");
        let workshop = Workshop::at(1_800_000_000);
        let root = write_older(place.path(), certificates);
        let secrets = [[101; 32], [102; 32], [103; 32]];
        assert_eq!(found(place.path(), &secrets), [true; 3]);
        let keys = workshop.open(place.path()).expect("keys");
        if certificates {
            assert_eq!(keys.fingerprint(), root);
        }
        assert_eq!(found(place.path(), &secrets), [false, true, true]);
        let [passphrase] = workshop.shown().try_into().expect("one");
        works(&keys, &passphrase);
        keys.rotate_issuing(&passphrase, workshop.making())
            .expect("the root still signs");
        works(&keys, &passphrase);
    }
}

#[test]
fn wherever_the_power_goes_the_folder_works_and_the_last_passphrase_opens_it() {
    for older in [false, true] {
        let mut steps = 0;
        loop {
            let place = tempfile::tempdir().expect("a folder");
            let workshop = Workshop::at(1_800_000_000);
            let root = older.then(|| write_older(place.path(), true));
            let whole = workshop.open_until(place.path(), steps).is_ok();
            let keys = workshop.open(place.path()).expect("keys after a power cut");
            if let Some(root) = root {
                assert_eq!(keys.fingerprint(), root, "{steps}");
                assert_eq!(found(place.path(), &[[101; 32]]), [false], "{steps}");
            }
            works(
                &keys,
                workshop.shown().last().expect("shown before it is needed"),
            );
            if whole {
                break;
            }
            steps += 1;
        }
        assert!(steps >= if older { 6 } else { 4 }, "{steps}");
    }
    // The same for what is replaced later.
    for what in 0..4 {
        for steps in 0..5 {
            let place = tempfile::tempdir().expect("a folder");
            let workshop = Workshop::at(1_800_000_000);
            let mut keys = workshop.open(place.path()).expect("keys");
            let [first] = workshop.shown().try_into().expect("one");
            let root = keys.fingerprint();
            keys.folder.steps = steps.into();
            let making = workshop.making();
            let show = |new: NewPassphrase<'_>| workshop.show(new);
            let done = match what {
                0 => keys.rotate_link(making),
                1 => keys.rotate_log(making),
                2 => keys.rotate_issuing(&first, making),
                _ => keys.change_passphrase(&first, making, &show),
            };
            assert_eq!(done.is_ok(), steps >= 4, "{what} {steps}");
            let keys = workshop.open(place.path()).expect("keys after a power cut");
            assert_eq!(keys.fingerprint(), root);
            // Until the last step the passphrase before is the one.
            let opens = |passphrase: &Passphrase| {
                unwrap_backup_key(passphrase, &keys.wrapped_backup_key()).is_ok()
            };
            let shown = workshop.shown();
            let passphrase = shown
                .iter()
                .find(|one| opens(one))
                .expect("one of those shown");
            works(&keys, passphrase);
            keys.rotate_issuing(passphrase, workshop.making())
                .expect("the same one opens the root");
        }
    }
}

#[test]
fn each_replacement_replaces_what_it_should_and_leaves_the_rest() {
    let place = tempfile::tempdir().expect("a folder");
    let workshop = Workshop::at(1_800_000_000);
    let keys = workshop.open(place.path()).expect("keys");
    let [first] = workshop.shown().try_into().expect("one");
    let changed = |before: &[KeyShown]| {
        let after = keys.list();
        before
            .iter()
            .zip(&after)
            .filter(|(before, after)| before.fingerprint != after.fingerprint)
            .map(|(before, _)| before.name)
            .collect::<Vec<_>>()
    };
    let before = keys.list();
    keys.rotate_link(workshop.making()).expect("replaced");
    assert_eq!(changed(&before), ["link"]);
    let before = keys.list();
    keys.rotate_log(workshop.making()).expect("replaced");
    assert_eq!(changed(&before), ["log"]);
    // What needs the passphrase needs this one.
    let other = Passphrase::random(&Counting::from(77));
    let before = keys.list();
    assert!(matches!(
        keys.rotate_issuing(&other, workshop.making()),
        Err(KeysError::Passphrase(NotUnwrapped::Passphrase))
    ));
    let show = |new: NewPassphrase<'_>| workshop.show(new);
    assert!(matches!(
        keys.change_passphrase(&other, workshop.making(), &show),
        Err(KeysError::Passphrase(NotUnwrapped::Passphrase))
    ));
    assert_eq!(workshop.shown().len(), 1, "nothing is shown for it");
    assert_eq!(keys.list(), before);
    let (wrapped, backup) = (keys.wrapped_backup_key(), keys.backup_key());
    let number = |keys: &Keys| {
        LogKey::of(&keys.held().log().chain, keys.fingerprint())
            .expect("the log's key")
            .issued_under()
    };
    let first_number = number(&keys);
    // Within the same second, and with a clock that was set back, the number still rises.
    keys.rotate_issuing(&first, workshop.making())
        .expect("replaced");
    assert_eq!(changed(&before), ["issuing", "link", "log"]);
    assert!(keys.backup_key() != backup && number(&keys) > first_number);
    let second_number = number(&keys);
    let earlier = Workshop::at(1_000_000_000);
    keys.rotate_issuing(&first, earlier.making())
        .expect("replaced");
    assert!(number(&keys) > second_number);
    // Backups of before are still opened by the passphrase of then.
    assert_eq!(unwrap_backup_key(&first, &wrapped), Ok(backup));
    keys.change_passphrase(&first, workshop.making(), &show)
        .expect("changed");
    let second = workshop.shown().pop().expect("shown");
    assert_ne!(first, second);
    works(&keys, &second);
    assert!(keys.rotate_issuing(&first, workshop.making()).is_err());
    assert_eq!(unwrap_backup_key(&first, &wrapped), Ok(backup));
    // Another program that has the same keys open sees all of it on looking again.
    let other = workshop.open(place.path()).expect("keys");
    assert_eq!(other.look_again().expect("read"), Looked::TheSame);
    keys.rotate_log(workshop.making()).expect("replaced");
    assert_eq!(other.look_again().expect("read"), Looked::TheSame);
    keys.rotate_link(workshop.making()).expect("replaced");
    assert_eq!(other.look_again().expect("read"), Looked::AnotherLink);
    assert_eq!(other.list(), keys.list());
}
