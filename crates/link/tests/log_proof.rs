//! What is kept outside of a store: it is believed as it was written, and not with any byte changed.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::id::StoreId;
use offgate_core::log_proof::{LogProof, Shows, ShowsNothing};
use offgate_core::parameters::{Epoch, Timestamp};
use offgate_core::tree::{
    Leaf, Peaks, Subtree, TreeHash, prove_consistency, prove_inclusion, root,
};
use offgate_link::chain::IssuingNumber;
use offgate_link::identity::{Authority, Identity};
use offgate_link::join_token::RootFingerprint;
use offgate_link::log_proof::{NotBelieved, check};

fn leaf(revision: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    Leaf {
        revision,
        at: 1_790_000_000_000_000,
        actor: "operator",
        actor_id: Some(&[7; 16]),
        kind: "user.deactivated",
        subject: "user",
        subject_id: Some(&[8; 16]),
        details: &[9; 32],
    }
    .encode(&mut bytes);
    bytes
}

/// The hash of a complete subtree of the log of such leaves.
fn subtree(wanted: Subtree) -> Result<TreeHash, std::convert::Infallible> {
    let mut peaks = Peaks::EMPTY;
    let from = wanted.number << wanted.level;
    for number in from..from + (1 << wanted.level) {
        peaks.push(TreeHash::leaf(&leaf(number + 1)));
    }
    Ok(peaks.root())
}

fn authority(seed: u8) -> Authority {
    let seeds = [1, 2, 3, 4].map(|number| [seed + number; 32]);
    Authority::create(seeds, IssuingNumber(u64::from(seed))).expect("keys")
}

fn checkpoint(size: u64, epoch: u64) -> Checkpoint {
    Checkpoint {
        store: StoreId::from_bytes([3; 16]),
        epoch: Epoch {
            counter: epoch,
            nonce: [4; 16],
        },
        size,
        root: root(size, subtree).expect("a root"),
        at: Timestamp::from_seconds(1_790_000_000),
    }
}

fn sign(log: &Identity, checkpoint: &Checkpoint) -> SignedCheckpoint {
    let statement = checkpoint.statement();
    SignedCheckpoint {
        signature: log.sign(&statement).expect("a signature"),
        statement,
        chain: log.chain.clone(),
    }
}

/// One of each kind.
fn proofs(keys: &Authority) -> [LogProof; 3] {
    let shown = [
        Shows::Checkpoint,
        Shows::Entry {
            leaf: leaf(4),
            hashes: prove_inclusion(3, 13, subtree).expect("a proof"),
        },
        Shows::Continuation {
            older: sign(&keys.log, &checkpoint(6, 1)),
            hashes: prove_consistency(6, 13, subtree).expect("a proof"),
        },
    ];
    shown.map(|shows| LogProof {
        root: keys.fingerprint().0,
        checkpoint: sign(&keys.log, &checkpoint(13, 1)),
        shows,
    })
}

#[test]
fn a_proof_is_believed_and_says_what_it_shows() {
    let keys = authority(10);
    let [checkpoint, entry, continuation] = proofs(&keys);
    for proof in [&checkpoint, &entry, &continuation] {
        let read = LogProof::decode(&proof.encode()).expect("a proof");
        assert_eq!(&read, proof);
        for known in [None, Some(keys.fingerprint())] {
            assert_eq!(check(&read, known).expect("believed").log.size, 13);
        }
        let stranger = authority(20).fingerprint();
        assert_eq!(check(&read, Some(stranger)), Err(NotBelieved::AnotherRoot));
    }
    let shown = |proof| check(proof, None).expect("believed");
    assert_eq!(shown(&checkpoint).entry, None);
    assert_eq!(shown(&entry).entry.map(|leaf| leaf.revision), Some(4));
    assert_eq!(shown(&continuation).older.map(|older| older.size), Some(6));
}

#[test]
fn any_changed_byte_is_refused_with_and_without_the_root() {
    let keys = authority(10);
    for proof in proofs(&keys) {
        let whole = proof.encode();
        for at in 0..whole.len() {
            let mut altered = whole.clone();
            altered[at] ^= 1 << (at % 8);
            if let Ok(proof) = LogProof::decode(&altered) {
                assert!(check(&proof, None).is_err(), "byte {at}");
                assert!(
                    check(&proof, Some(keys.fingerprint())).is_err(),
                    "byte {at}"
                );
            }
        }
        assert!(LogProof::decode(&whole[..whole.len() - 1]).is_err());
        assert!(LogProof::decode(&[whole, vec![0]].concat()).is_err());
    }
}

#[test]
fn what_is_signed_by_the_right_key_must_still_add_up() {
    let keys = authority(10);
    let [checkpoint_only, entry, continuation] = proofs(&keys);
    let of = |shows: &Shows, checkpoint: &Checkpoint| LogProof {
        root: keys.fingerprint().0,
        checkpoint: sign(&keys.log, checkpoint),
        shows: shows.clone(),
    };
    let mut rewritten = checkpoint(13, 1);
    rewritten.root = TreeHash([5; 32]);
    let mut elsewhere = checkpoint(13, 1);
    elsewhere.store = StoreId::from_bytes([6; 16]);
    let mut copied = checkpoint(13, 1);
    copied.epoch.nonce = [6; 16];
    for (proof, why) in [
        (of(&entry.shows, &rewritten), ShowsNothing::Entry),
        (
            of(&continuation.shows, &rewritten),
            ShowsNothing::Continuation,
        ),
        (
            of(&continuation.shows, &checkpoint(5, 1)),
            ShowsNothing::Continuation,
        ),
        (
            of(&continuation.shows, &elsewhere),
            ShowsNothing::AnotherLog,
        ),
        (of(&continuation.shows, &copied), ShowsNothing::AnotherLog),
        (
            of(&continuation.shows, &checkpoint(13, 0)),
            ShowsNothing::AnotherLog,
        ),
    ] {
        assert_eq!(check(&proof, None), Err(why.into()));
    }
    // After a restore the epoch is higher, and the log may still go on.
    assert!(check(&of(&continuation.shows, &checkpoint(13, 2)), None).is_ok());
    // The link's key is not the log's, and one certificate more is one that nobody looks at.
    let mut by_link = checkpoint_only.clone();
    by_link.checkpoint = sign(&keys.link, &checkpoint(13, 1));
    assert!(matches!(
        check(&by_link, None),
        Err(NotBelieved::NotVouchedFor(_))
    ));
    let mut longer = checkpoint_only;
    longer.checkpoint.chain.insert(1, vec![1, 2, 3]);
    assert!(check(&longer, None).is_err());
}

#[test]
fn a_later_checkpoint_below_a_replaced_key_is_not_believed() {
    let keys = authority(10);
    let newer = keys
        .root
        .issuing_key(&[50; 32], IssuingNumber(99))
        .and_then(|issuing| issuing.log_key(&[51; 32]))
        .expect("keys");
    let [.., continuation] = proofs(&keys);
    let Shows::Continuation { older, hashes } = continuation.shows else {
        unreachable!("the third is one");
    };
    let with = |older: SignedCheckpoint, key: &Identity| LogProof {
        root: keys.fingerprint().0,
        checkpoint: sign(key, &checkpoint(13, 1)),
        shows: Shows::Continuation {
            older,
            hashes: hashes.clone(),
        },
    };
    assert!(check(&with(older, &newer), None).is_ok());
    let older = sign(&newer, &checkpoint(6, 1));
    assert_eq!(
        check(&with(older, &keys.log), None),
        Err(NotBelieved::Replaced)
    );
}

#[test]
fn a_fingerprint_is_read_as_it_is_shown_and_without_groups() {
    let root = authority(10).fingerprint();
    let shown = root.to_string();
    for text in [
        &shown,
        &shown.replace('-', ""),
        &shown.replace('-', ":"),
        &shown.to_uppercase(),
    ] {
        assert_eq!(text.parse::<RootFingerprint>(), Ok(root));
    }
    for text in ["", "ab", &shown[1..], &format!("{shown}00")] {
        assert!(text.parse::<RootFingerprint>().is_err(), "{text}");
    }
}
