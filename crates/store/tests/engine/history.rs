//! The log as a tree: what is stored is what the entries say, each batch is signed for, every
//! proof holds, and whatever is altered is found.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::id::CommandId;
use offgate_core::parameters::{Clock as _, Revision};
use offgate_core::ruling::Seal;
use offgate_core::tree::{Leaf, TreeHash, verify_consistency, verify_inclusion};
use offgate_store::{
    Audit, DATABASE_FILE, Finding, LogSignature, Reader, SignerFailed, Store, StoreError,
    StoreSigner, Verdict, Witnessed,
};
use rusqlite::Connection;

use crate::organisation::*;

/// What the test's log key signed.
fn signed(signed: &SignedCheckpoint) -> Checkpoint {
    UnparsedPublicKey::new(&ED25519, LogKey::new().public())
        .verify(&signed.statement, &signed.signature)
        .expect("a good signature");
    Checkpoint::read(&signed.statement).expect("a checkpoint")
}

/// MTH of RFC 6962 over leaves that are hashed already.
fn naive_root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => TreeHash::empty(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            TreeHash::node(naive_root(left), naive_root(right))
        }
    }
}

/// Asserts that the tree of a log is the one that its entries make, and that the newest checkpoint
/// is of all of it.
pub(crate) fn adds_up(database: &Connection) {
    let mut entries = database
        .prepare("SELECT revision, at, actor, actor_id, kind, subject, subject_id, details_hash FROM log ORDER BY revision")
        .expect("a query");
    let leaves: Vec<TreeHash> = entries
        .query_map([], |row| {
            let (actor, kind, subject): (String, String, String) =
                (row.get(2)?, row.get(4)?, row.get(5)?);
            let (actor_id, subject_id): (Option<Vec<u8>>, Option<Vec<u8>>) =
                (row.get(3)?, row.get(6)?);
            let mut leaf = Vec::new();
            Leaf {
                revision: row.get::<_, i64>(0)?.unsigned_abs(),
                at: row.get(1)?,
                actor: &actor,
                actor_id: actor_id.as_deref(),
                kind: &kind,
                subject: &subject,
                subject_id: subject_id.as_deref(),
                details: &row.get::<_, Vec<u8>>(7)?,
            }
            .encode(&mut leaf);
            Ok(TreeHash::leaf(&leaf))
        })
        .expect("entries")
        .map(|leaf| leaf.expect("a leaf"))
        .collect();
    let newest: Vec<u8> = database
        .query_row(
            "SELECT signed FROM checkpoint ORDER BY epoch DESC, size DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .expect("a checkpoint");
    let newest = signed(&SignedCheckpoint::decode(&newest).expect("a checkpoint"));
    assert_eq!(newest.size, leaves.len() as u64);
    assert_eq!(newest.root, naive_root(&leaves));
}

/// The audit, which found nothing.
pub(crate) fn clean(store: &Store) -> Audit {
    let audit = store.read().audit().expect("an audit");
    assert_eq!(audit.finding, None);
    assert_eq!(
        Revision::new(audit.entries),
        store.read().head().expect("a head")
    );
    let newest = store.read().newest_checkpoint().expect("a checkpoint");
    assert_eq!(signed(&newest).root, audit.root);
    assert_eq!(audit.checkpoints.last(), Some(&newest));
    audit
}

#[test]
fn a_store_proves_what_it_signed() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 20);
    let mut signs: Vec<Checkpoint> = Vec::new();
    for number in 1..=4 {
        opened.done(create(
            number,
            BTreeSet::from([group(1)]),
            BTreeSet::new(),
            "Ada",
        ));
        opened.done(deactivate(number));
        signs.push(signed(
            &opened
                .store
                .read()
                .newest_checkpoint()
                .expect("a checkpoint"),
        ));
    }
    let reader = opened.store.read();
    let newest = clean(&opened.store);
    for entry in 1..=newest.entries {
        let (entry, size) = (Revision::new(entry), Revision::new(newest.entries));
        let leaf = reader.leaf(entry).expect("an answer").expect("an entry");
        let proof = reader.inclusion(entry, size).expect("a proof");
        let place = entry.number() - 1;
        verify_inclusion(
            TreeHash::leaf(&leaf),
            place,
            newest.entries,
            newest.root,
            &proof,
        )
        .expect("it is in");
    }
    assert!(
        signs
            .iter()
            .all(|sign| sign.epoch == opened.store.identity().epoch)
    );
    assert_eq!(
        reader
            .leaf(Revision::new(newest.entries + 1))
            .expect("an answer"),
        None
    );
    for old in &signs {
        for new in signs.iter().filter(|new| new.size >= old.size) {
            let (from, to) = (Revision::new(old.size), Revision::new(new.size));
            let proof = reader.consistency(from, to).expect("a proof");
            verify_consistency((old.size, old.root), (new.size, new.root), &proof)
                .expect("it continues");
        }
    }
}

#[test]
fn the_newest_checkpoint_is_kept_and_the_last_of_each_day() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 21);
    let day = 24 * 3600 * 1_000_000;
    for number in 1..=3 {
        opened.clock.0.fetch_add(day, Ordering::SeqCst);
        opened.done(create(number, BTreeSet::new(), BTreeSet::new(), "Ada"));
        opened.done(deactivate(number));
    }
    // The day of the furniture, and three more.
    assert_eq!(clean(&opened.store).checkpoints.len(), 4);
}

#[test]
fn two_handles_write_one_tree() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = furnished(directory.path(), 22);
    let second = open(directory.path(), 23);
    std::thread::scope(|scope| {
        for (opened, numbers) in [(&first, 1..=20), (&second, 21..=40)] {
            scope.spawn(move || {
                for number in numbers {
                    opened.done(create(number, BTreeSet::new(), BTreeSet::new(), "Ada"));
                }
            });
        }
    });
    clean(&first.store);
    clean(&second.store);
}

/// A log key that can be taken away.
struct Takeable(LogKey, Arc<AtomicBool>);
impl StoreSigner for Takeable {
    fn sign(&self, statement: &[u8]) -> Result<LogSignature, SignerFailed> {
        if self.1.load(Ordering::SeqCst) {
            return Err(SignerFailed);
        }
        self.0.sign(statement)
    }

    fn seal(&self, statement: &[u8]) -> Seal {
        self.0.seal(statement)
    }
}

#[test]
fn what_cannot_be_signed_for_does_not_happen() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(furnished(directory.path(), 24));
    let gone = Arc::new(AtomicBool::new(false));
    let randomness = Arc::new(Counter(AtomicU64::new(25 << 32)));
    let store = Store::open(
        directory.path(),
        Arc::new(FakeClock::at(START)),
        randomness.clone(),
        Arc::new(Takeable(LogKey::new(), Arc::clone(&gone))),
    )
    .expect("a store");
    let before = clean(&store);
    let create = || {
        let command = create(1, BTreeSet::new(), BTreeSet::new(), "Ada");
        store.execute_blocking(CommandId::random(&*randomness), SERVER, command)
    };
    gone.store(true, Ordering::SeqCst);
    assert!(matches!(create(), Err(StoreError::NotSigned(_))));
    assert_eq!(clean(&store), before);
    gone.store(false, Ordering::SeqCst);
    assert!(create().is_ok());
    assert!(clean(&store).entries > before.entries);
}

#[test]
fn nothing_is_added_to_a_log_that_is_not_the_one_that_was_signed_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 29);
    let last = clean(&opened.store).entries;
    let database = Connection::open(directory.path().join(DATABASE_FILE)).expect("the database");
    database
        .pragma_update(None, "foreign_keys", false)
        .expect("an update");
    database
        .execute("DELETE FROM log WHERE revision = ?1", [last as i64])
        .expect("deleted");
    let command = create(1, BTreeSet::new(), BTreeSet::new(), "Ada");
    let id = CommandId::random(&*opened.randomness);
    let refused = opened.store.execute_blocking(id, SERVER, command);
    assert!(
        matches!(refused, Err(StoreError::Damaged(_))),
        "{refused:?}"
    );
    // Opened again, by whoever may, it is not signed for either; the audit needs no signer.
    let (clock, randomness) = (opened.clock.clone(), opened.randomness.clone());
    drop(opened);
    drop(open(directory.path(), 30));
    let reader = Reader::of(directory.path(), clock, randomness).expect("a reader");
    let audit = reader.audit().expect("an audit");
    assert_eq!(audit.finding, Some(Finding::Missing(Revision::new(last))));
}

#[test]
fn whatever_is_altered_is_found_and_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 28);
    opened.done(create(1, BTreeSet::new(), BTreeSet::new(), "Ada"));
    let whole = clean(&opened.store);
    let last = whole.entries;
    assert!(whole.readable >= last);
    assert_eq!((whole.erased, whole.unreadable), (0, 0));
    let database = Connection::open(directory.path().join(DATABASE_FILE)).expect("the database");
    database
        .pragma_update(None, "foreign_keys", false)
        .expect("an update");
    database
        .execute_batch(
            "PRAGMA synchronous = OFF; CREATE TEMP TABLE kept_log AS SELECT * FROM log;
             CREATE TEMP TABLE kept_detail AS SELECT * FROM log_payload;
             CREATE TEMP TABLE kept_checkpoint AS SELECT * FROM checkpoint;",
        )
        .expect("copies");
    let altered = |sql: &str, expected: Option<Finding>| {
        assert_eq!(database.execute(sql, []).expect(sql), 1, "{sql}");
        let audit = opened.store.read().audit().expect("an audit");
        assert_eq!(audit.finding, expected, "{sql}");
        database
            .execute_batch(
                "BEGIN; DELETE FROM log_payload; DELETE FROM log; DELETE FROM checkpoint;
                 INSERT INTO log SELECT * FROM kept_log;
                 INSERT INTO log_payload SELECT * FROM kept_detail;
                 INSERT INTO checkpoint SELECT * FROM kept_checkpoint; COMMIT",
            )
            .expect("as it was");
        audit
    };
    for entry in [1, 2, 7, 8, last] {
        let revision = Revision::new(entry);
        for column in [
            "at = at + 1",
            "actor = 'schedule', actor_id = NULL, kind = kind || 'x'",
            "actor_id = CASE WHEN actor_id IS NULL THEN x'00' ELSE NULL END",
            "kind = 'user.deactivated!'",
            "subject = 'x' || subject",
            "subject_id = CASE WHEN subject_id IS NULL THEN zeroblob(16) ELSE NULL END",
            "details_hash = zeroblob(32)",
            "subtrees = zeroblob(length(subtrees))",
            "subtrees = x''",
        ] {
            altered(
                &format!("UPDATE log SET {column} WHERE revision = {entry}"),
                Some(Finding::Entry(revision)),
            );
        }
        altered(
            &format!(
                "UPDATE log SET subtrees = CAST(subtrees || zeroblob(32) AS BLOB) WHERE revision = {entry}"
            ),
            Some(Finding::Subtree(revision)),
        );
        altered(
            &format!("UPDATE log SET revision = 1000000 WHERE revision = {entry}"),
            Some(Finding::Missing(revision)),
        );
        altered(
            &format!("DELETE FROM log WHERE revision = {entry}"),
            Some(Finding::Missing(revision)),
        );
        for (column, found) in [
            ("commitment = zeroblob(32)", revision),
            ("content = CAST(content || x'00' AS BLOB)", revision),
            ("content = zeroblob(length(content))", revision),
            ("position = 7", revision),
            ("revision = -1", Revision::new(1)),
        ] {
            altered(
                &format!(
                    "UPDATE log_payload SET {column} WHERE revision = {entry} AND position = 0"
                ),
                Some(Finding::Details(found)),
            );
        }
        altered(
            &format!("DELETE FROM log_payload WHERE revision = {entry} AND position = 0"),
            Some(Finding::Details(revision)),
        );
    }
    // Details may be erased, if somebody was.
    for entry in [1, last] {
        let audit = altered(
            &format!(
                "UPDATE log_payload SET content = NULL, about = NULL, about_id = NULL, \
                 erased_at = 1 WHERE revision = {entry} AND position = 0"
            ),
            None,
        );
        assert_eq!((audit.erased, audit.erasures), (1, 0));
        assert_eq!(audit.erased_for_nobody, [Revision::new(entry)]);
    }
    altered(
        "UPDATE log SET subtrees = CAST(substr(subtrees, 1, 32) || zeroblob(32) || substr(subtrees, 65) AS BLOB) WHERE revision = 8",
        Some(Finding::Subtree(Revision::new(8))),
    );
    for column in ["at = at + 1", "epoch = epoch + 1", "signed = zeroblob(10)"] {
        altered(
            &format!("UPDATE checkpoint SET {column}"),
            Some(Finding::Checkpoint(Revision::new(last))),
        );
    }
    altered(
        "UPDATE checkpoint SET size = 3",
        Some(Finding::Checkpoint(Revision::new(3))),
    );
    altered(
        "UPDATE checkpoint SET size = size + 1",
        Some(Finding::Missing(Revision::new(last + 1))),
    );
    altered(
        "DELETE FROM checkpoint",
        Some(Finding::NotSigned(Revision::new(1))),
    );
    assert_eq!(clean(&opened.store), whole);
}

#[test]
fn a_doubt_is_kept_from_its_first_word_until_the_agent_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 27);
    let reader = opened.store.read();
    let runtime = tokio_runtime();
    let said = |verdict, size| {
        opened.clock.0.fetch_add(1_000_000, Ordering::SeqCst);
        let seen = Witnessed {
            epoch: opened.store.identity().epoch,
            size,
            root: TreeHash::leaf(b"an entry"),
            verdict,
        };
        runtime
            .block_on(opened.store.record_witness(agent(1), seen))
            .expect("recorded");
        (opened.clock.now(), reader.doubts().expect("an answer"))
    };
    assert_eq!(said(Verdict::Seen, 5).1, []);
    let (since, doubts) = said(Verdict::Doubted, 5);
    assert_eq!(doubts, [(agent(1), since)]);
    assert_eq!(said(Verdict::Doubted, 6).1, [(agent(1), since)]);
    assert_eq!(said(Verdict::Seen, 6).1, []);
}
