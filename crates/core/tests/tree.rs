//! The log's tree against a naive reading of RFC 6962 and against another implementation, and
//! what a proof must not get away with.

use std::collections::HashMap;
use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::id::StoreId;
use offgate_core::parameters::{Epoch, Timestamp};
use offgate_core::tree::{
    Leaf, Peaks, Subtree, TreeHash, prove_consistency, prove_inclusion, root, verify_consistency,
    verify_inclusion,
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// MTH of RFC 6962, section 2.1, word for word.
fn naive_root(leaves: &[Vec<u8>]) -> [u8; 32] {
    let hash = |parts: &[&[u8]]| {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize().into()
    };
    match leaves.len() {
        0 => hash(&[]),
        1 => hash(&[&[0], &leaves[0]]),
        count => {
            let mut half = 1;
            while half * 2 < count {
                half *= 2;
            }
            let (left, right) = leaves.split_at(half);
            hash(&[&[1], &naive_root(left), &naive_root(right)])
        }
    }
}

/// PATH of RFC 6962, section 2.1.1.
fn naive_path(number: usize, leaves: &[Vec<u8>]) -> Vec<TreeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let mut half = 1;
    while half * 2 < leaves.len() {
        half *= 2;
    }
    let (left, right) = leaves.split_at(half);
    if number < half {
        [naive_path(number, left), vec![TreeHash(naive_root(right))]].concat()
    } else {
        [
            naive_path(number - half, right),
            vec![TreeHash(naive_root(left))],
        ]
        .concat()
    }
}

/// SUBPROOF of RFC 6962, section 2.1.2.
fn naive_subproof(old: usize, leaves: &[Vec<u8>], whole: bool) -> Vec<TreeHash> {
    if old == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![TreeHash(naive_root(leaves))]
        };
    }
    let mut half = 1;
    while half * 2 < leaves.len() {
        half *= 2;
    }
    let (left, right) = leaves.split_at(half);
    if old <= half {
        [
            naive_subproof(old, left, whole),
            vec![TreeHash(naive_root(right))],
        ]
        .concat()
    } else {
        [
            naive_subproof(old - half, right, false),
            vec![TreeHash(naive_root(left))],
        ]
        .concat()
    }
}

/// A tree with everything that a store keeps of it.
struct Kept {
    peaks: Peaks,
    subtrees: HashMap<Subtree, TreeHash>,
    roots: Vec<TreeHash>,
}

impl Kept {
    fn of(leaves: &[Vec<u8>]) -> Self {
        let mut kept = Self {
            peaks: Peaks::EMPTY,
            subtrees: HashMap::new(),
            roots: vec![Peaks::EMPTY.root()],
        };
        for leaf in leaves {
            let completed = kept.peaks.push(TreeHash::leaf(leaf));
            for (level, hash) in (0..).zip(completed) {
                let number = (kept.peaks.size() >> level) - 1;
                let subtree = Subtree { level, number };
                assert_eq!(subtree.completed_at(), kept.peaks.size());
                kept.subtrees.insert(subtree, hash);
            }
            kept.roots.push(kept.peaks.root());
        }
        kept
    }

    fn get(&self) -> impl Fn(Subtree) -> Result<TreeHash, Infallible> {
        |subtree| Ok(self.subtrees[&subtree])
    }
}

fn leaves(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| format!("leaf {number}").into_bytes())
        .collect()
}

#[test]
fn roots_and_proofs_are_those_of_the_standard_at_every_size() {
    let leaves = leaves(130);
    let kept = Kept::of(&leaves);
    let mut other = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for size in 0..=leaves.len() {
        let of_size = &leaves[..size];
        let standard = TreeHash(naive_root(of_size));
        assert_eq!(kept.roots[size], standard, "size {size}");
        assert_eq!(
            other.root().as_bytes().as_slice(),
            standard.0,
            "size {size}"
        );
        let Ok(again) = root(size as u64, kept.get());
        assert_eq!(again, standard);
        let Ok(peaks) = Peaks::of(size as u64, kept.get());
        assert_eq!(peaks.root(), standard);
        for (number, data) in of_size.iter().enumerate() {
            let Ok(proof) = prove_inclusion(number as u64, size as u64, kept.get());
            assert_eq!(proof, naive_path(number, of_size), "{number} of {size}");
            let leaf = TreeHash::leaf(data);
            verify_inclusion(leaf, number as u64, size as u64, standard, &proof).expect("it is in");
        }
        for old in 1..=size {
            let Ok(proof) = prove_consistency(old as u64, size as u64, kept.get());
            assert_eq!(proof, naive_subproof(old, of_size, true), "{old} to {size}");
            verify_consistency(
                (old as u64, kept.roots[old]),
                (size as u64, standard),
                &proof,
            )
            .expect("it continues");
        }
        if let Some(leaf) = leaves.get(size) {
            other.push(leaf.clone());
        }
    }
}

#[test]
fn the_other_implementation_proves_the_same() {
    let leaves = leaves(70);
    let kept = Kept::of(&leaves);
    let mut other = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for (position, leaf) in leaves.iter().enumerate() {
        other.push(leaf.clone());
        let size = position + 1;
        for number in 0..size {
            let theirs = other.prove_inclusion(number);
            let Ok(ours) = prove_inclusion(number as u64, size as u64, kept.get());
            let ours: Vec<u8> = ours.iter().flat_map(|hash| hash.0).collect();
            assert_eq!(theirs.as_bytes(), ours, "{number} of {size}");
        }
        for old in 1..size {
            let theirs = other.prove_consistency(size - old);
            let Ok(ours) = prove_consistency(old as u64, size as u64, kept.get());
            let ours: Vec<u8> = ours.iter().flat_map(|hash| hash.0).collect();
            assert_eq!(theirs.as_bytes(), ours, "{old} to {size}");
        }
    }
}

/// Every way to say a little else: one bit of each hash, a hash less, a hash more, two swapped.
fn variants(proof: &[TreeHash]) -> Vec<Vec<TreeHash>> {
    let mut variants = Vec::new();
    for position in 0..proof.len() {
        for bit in 0..256 {
            let mut variant = proof.to_vec();
            variant[position].0[bit / 8] ^= 1 << (bit % 8);
            variants.push(variant);
        }
        let mut shorter = proof.to_vec();
        shorter.remove(position);
        variants.push(shorter);
        if position > 0 {
            let mut swapped = proof.to_vec();
            swapped.swap(position - 1, position);
            variants.push(swapped);
        }
    }
    for more in [
        TreeHash([0; 32]),
        *proof.last().unwrap_or(&TreeHash::empty()),
    ] {
        variants.push([proof, &[more]].concat());
        variants.push([&[more], proof].concat());
    }
    variants
}

fn flipped(hash: TreeHash) -> impl Iterator<Item = TreeHash> {
    (0..256).map(move |bit| {
        let mut other = hash;
        other.0[bit / 8] ^= 1 << (bit % 8);
        other
    })
}

#[test]
fn nothing_but_the_proof_is_accepted() {
    let leaves = leaves(37);
    let kept = Kept::of(&leaves);
    for size in [1, 2, 3, 7, 8, 21, 37] {
        let whole = kept.roots[size as usize];
        for number in [0, size / 2, size - 1] {
            let Ok(proof) = prove_inclusion(number, size, kept.get());
            let leaf = TreeHash::leaf(&leaves[number as usize]);
            let refused = |leaf, number, size, root, proof: &[_]| {
                assert!(verify_inclusion(leaf, number, size, root, proof).is_err());
            };
            variants(&proof)
                .iter()
                .for_each(|other| refused(leaf, number, size, whole, other));
            flipped(leaf).for_each(|other| refused(other, number, size, whole, &proof));
            flipped(whole).for_each(|other| refused(leaf, number, size, other, &proof));
            // The number of another leaf is the number of another proof. A size may be said wrong
            // without another shape of the way up; it is signed with the root.
            (0..size)
                .filter(|other| *other != number)
                .for_each(|other| refused(leaf, other, size, whole, &proof));
            refused(leaf, size, size, whole, &proof);
            refused(leaf, u64::MAX, size, whole, &proof);
        }
        for old in 1..size {
            let Ok(proof) = prove_consistency(old, size, kept.get());
            let before = kept.roots[old as usize];
            let refused = |old, new, proof: &[_]| {
                assert!(verify_consistency(old, new, proof).is_err());
            };
            variants(&proof)
                .iter()
                .for_each(|other| refused((old, before), (size, whole), other));
            flipped(before).for_each(|other| refused((old, other), (size, whole), &proof));
            flipped(whole).for_each(|other| refused((old, before), (size, other), &proof));
            refused((size, whole), (old, before), &proof);
            refused((0, before), (size, whole), &proof);
            refused((size, before), (size, whole), &[]);
        }
    }
    assert!(verify_consistency((0, TreeHash::empty()), (0, TreeHash::empty()), &[]).is_ok());
    assert!(verify_inclusion(TreeHash::empty(), 0, 0, TreeHash::empty(), &[]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Where the leaves do not matter, neither does how many there are: a large tree of equal
    /// subtrees, proved by hashes that are made as they are asked for.
    #[test]
    fn large_trees_prove_and_verify(size in 1_u64..1 << 62, parts in any::<(u64, u64)>()) {
        let mut levels = vec![TreeHash::leaf(b"the same")];
        for level in 0..63 {
            levels.push(TreeHash::node(levels[level], levels[level]));
        }
        let get = |subtree: Subtree| Ok::<_, Infallible>(levels[subtree.level as usize]);
        let Ok(whole) = root(size, get);
        let number = parts.0 % size;
        let Ok(proof) = prove_inclusion(number, size, get);
        prop_assert!(verify_inclusion(levels[0], number, size, whole, &proof).is_ok());
        prop_assert!(verify_inclusion(TreeHash::leaf(b"another"), number, size, whole, &proof).is_err());
        let old = 1 + parts.1 % size;
        let Ok(before) = root(old, get);
        let Ok(proof) = prove_consistency(old, size, get);
        prop_assert!(verify_consistency((old, before), (size, whole), &proof).is_ok());
        if old < size {
            prop_assert!(verify_consistency((old, whole), (size, whole), &proof).is_err());
        }
    }

    #[test]
    fn whatever_arrives_is_judged_without_a_panic(
        sizes in any::<(u64, u64)>(),
        hashes in any::<([u8; 32], [u8; 32], [u8; 32])>(),
        proof in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<_> = proof.into_iter().map(TreeHash).collect();
        let (first, second) = (TreeHash(hashes.0), TreeHash(hashes.1));
        prop_assert!(verify_inclusion(TreeHash(hashes.2), sizes.0, sizes.1, first, &proof).is_err());
        prop_assert!(verify_consistency((sizes.0, first), (sizes.1, second), &proof).is_err());
    }

    #[test]
    fn no_bytes_are_two_checkpoints(bytes in prop::collection::vec(any::<u8>(), 0..200), bit in 0_usize..5000) {
        let _ = SignedCheckpoint::decode(&bytes);
        let _ = Checkpoint::read(&bytes);
        let signed = SignedCheckpoint {
            statement: checkpoint().statement(),
            signature: [3; 64],
            chain: vec![vec![1, 2, 3], vec![4; 300]],
        };
        let mut altered = signed.encode();
        let bit = bit % (altered.len() * 8);
        altered[bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(SignedCheckpoint::decode(&altered), Ok(signed));
    }
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        store: StoreId::from_bytes([1; 16]),
        epoch: Epoch {
            counter: 1,
            nonce: [2; 16],
        },
        size: 500,
        root: TreeHash([3; 32]),
        at: Timestamp::from_seconds(1_790_000_000),
    }
}

#[test]
fn a_checkpoint_is_read_as_it_was_written() {
    let statement = checkpoint().statement();
    assert_eq!(Checkpoint::read(&statement), Ok(checkpoint()));
    for length in 0..statement.len() {
        assert!(Checkpoint::read(&statement[..length]).is_err());
    }
    let signed = SignedCheckpoint {
        statement,
        signature: [3; 64],
        chain: vec![vec![5; 400]; 3],
    };
    assert_eq!(SignedCheckpoint::decode(&signed.encode()), Ok(signed));
}

#[test]
fn a_leaf_has_these_bytes() {
    let mut bytes = Vec::new();
    Leaf {
        revision: 500,
        at: -1,
        actor: "schedule",
        actor_id: None,
        kind: "user.deactivated",
        subject: "user",
        subject_id: Some(&[7; 16]),
        details: &[9; 32],
    }
    .encode(&mut bytes);
    let expected = [
        &[0x89, 1, 0x19, 1, 0xf4, 0x20, 0x68][..],
        b"schedule",
        &[0xf6, 0x70],
        b"user.deactivated",
        &[0x64],
        b"user",
        &[0x50],
        &[7; 16],
        &[0x58, 32],
        &[9; 32],
    ]
    .concat();
    assert_eq!(bytes, expected);
}
