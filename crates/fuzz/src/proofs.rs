//! Proofs that doors refuse somebody.

use offgate_core::parameters::Timestamp;
use offgate_link::proof::{ProofFile, check, shows};

/// Reads and checks a proof.
pub(crate) fn read(bytes: &[u8]) {
    if let Ok(file) = ProofFile::decode(bytes) {
        assert_eq!(file.encode(), bytes, "there is one way to write it");
        if let Ok(detached) = file.detached() {
            assert!(detached.encode().len() < bytes.len());
        }
    }
    if let Ok(shown) = check(bytes, None) {
        let time = |at: Timestamp| at.microseconds().to_string();
        assert!(!shows(&shown, time).is_empty(), "it shows something");
    }
}

/// A proof as it was made, of two doors; see the folder's description.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seed = include_bytes!("../seeds/proof").to_vec();
    check(&seed, None).expect("a proof that holds");
    vec![seed]
}
