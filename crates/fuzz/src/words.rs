//! What is signed, by agents and by the store, and what may be kept of it.

use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::door_event::DoorEvent;
use offgate_core::log_proof::{LogProof, Shows};
use offgate_core::tree::Leaf;
use offgate_link::acknowledgement::{Acknowledgement, SigningKey};
use offgate_link::join_token::JoinTokenText;
use offgate_link::{log_proof, question};

use crate::seeds;

/// The first byte says as what the others are read.
pub(crate) fn read(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    match kind % 8 {
        0 => {
            let (key, signature) = signed(bytes);
            if let Ok(word) = Acknowledgement::verify(&key.public(), bytes, &signature) {
                assert_eq!(word.statement(), bytes);
            }
        }
        1 => {
            let (key, signature) = signed(bytes);
            if let Ok(answer) = question::verified(&key.public(), bytes, &signature) {
                assert_eq!(question::statement(&answer), bytes);
            }
        }
        2 => {
            if let Ok(checkpoint) = Checkpoint::read(bytes) {
                assert_eq!(checkpoint.statement(), bytes);
            }
        }
        3 => {
            if let Ok(signed) = SignedCheckpoint::decode(bytes) {
                assert_eq!(signed.encode(), bytes);
            }
        }
        4 => {
            if let Ok(proof) = LogProof::decode(bytes) {
                assert_eq!(proof.encode(), bytes);
                // Nobody has signed it but by chance.
                let _ = log_proof::check(&proof, None);
            }
        }
        5 => {
            if let Some(event) = DoorEvent::decode(bytes) {
                assert_eq!(DoorEvent::decode(&event.encode()), Some(event));
            }
        }
        6 => {
            if let Some(leaf) = Leaf::decode(bytes) {
                let mut again = Vec::new();
                leaf.encode(&mut again);
                assert_eq!(again, bytes);
            }
        }
        _ => {
            if let Ok(text) = std::str::from_utf8(bytes)
                && let Ok(token) = JoinTokenText::parse(text)
            {
                let again = JoinTokenText::parse(&token.text()).map(|read| read.text());
                assert_eq!(again.ok(), Some(token.text()));
            }
        }
    }
}

/// A key, and what it would sign: so that what is read is what an agent may say, not only what one
/// does say.
fn signed(bytes: &[u8]) -> (SigningKey, [u8; 64]) {
    let key = SigningKey::from_seed(&[1; 32]).expect("a key");
    let signature = key.sign(bytes);
    (key, signature)
}

/// One of each.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let event = seeds::of(&["events"]).swap_remove(0);
    let signed = seeds::one(&["history", "signed"]);
    let proof = LogProof {
        root: [0x27; 32],
        checkpoint: SignedCheckpoint::decode(&signed).expect("a checkpoint"),
        shows: Shows::Checkpoint,
    };
    let mut leaf = Vec::new();
    Leaf {
        revision: 4,
        at: 1_795_496_400_000_000,
        actor: "operator",
        actor_id: Some(&[7; 16]),
        kind: "user.deactivated",
        subject: "user",
        subject_id: Some(&[8; 16]),
        details: &[9; 32],
    }
    .encode(&mut leaf);
    let all = [
        seeds::one(&["acknowledgement", "statement"]),
        seeds::one(&["answer", "statement"]),
        seeds::one(&["history", "statement"]),
        signed,
        proof.encode(),
        event,
        leaf,
        seeds::text(&["join_token", "text"]).into_bytes(),
    ];
    (0..)
        .zip(all)
        .map(|(kind, bytes)| [&[kind], bytes.as_slice()].concat())
        .collect()
}
