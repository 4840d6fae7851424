//! A log in memory that signs for itself as a store does.

use std::collections::BTreeMap;

use offgate_core::checkpoint::{Checkpoint, SignedCheckpoint};
use offgate_core::id::StoreId;
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::tree::{Peaks, TreeHash, prove_consistency};
use offgate_link::identity::Identity;
use offgate_link::server_end::History;

/// The entries of a log, as leaves of its tree, and the key that signs for it.
#[derive(Clone)]
pub(crate) struct Log<'k> {
    pub(crate) store: StoreId,
    pub(crate) epoch: Epoch,
    pub(crate) key: &'k Identity,
    leaves: Vec<TreeHash>,
    peaks: Peaks,
    /// Every complete subtree, by its level and number.
    nodes: BTreeMap<(u32, u64), TreeHash>,
}

impl<'k> Log<'k> {
    /// A log without entries.
    pub(crate) const fn new(store: StoreId, epoch: Epoch, key: &'k Identity) -> Self {
        Self {
            store,
            epoch,
            key,
            leaves: Vec::new(),
            peaks: Peaks::EMPTY,
            nodes: BTreeMap::new(),
        }
    }

    /// How many entries there are.
    pub(crate) fn revision(&self) -> Revision {
        Revision::new(self.peaks.size())
    }

    /// Appends an entry.
    pub(crate) fn push(&mut self, what: u64) {
        self.append(TreeHash::leaf(&what.to_be_bytes()));
    }

    /// Makes these leaves of those that there are.
    pub(crate) fn rewrite(&mut self, rewrite: impl FnOnce(&mut Vec<TreeHash>)) {
        let mut leaves = std::mem::take(&mut self.leaves);
        rewrite(&mut leaves);
        *self = Self::new(self.store, self.epoch, self.key);
        leaves.into_iter().for_each(|leaf| self.append(leaf));
    }

    fn append(&mut self, leaf: TreeHash) {
        let last = self.peaks.size();
        for (level, hash) in (0..).zip(self.peaks.push(leaf)) {
            self.nodes.insert((level, last >> level), hash);
        }
        self.leaves.push(leaf);
    }

    /// The newest checkpoint, and that it continues one of this size, as the server shows it.
    pub(crate) fn history(&self, since: Option<u64>) -> History {
        let size = self.peaks.size();
        let checkpoint = Checkpoint {
            store: self.store,
            epoch: self.epoch,
            size,
            root: self.peaks.root(),
            at: Timestamp::from_seconds(0),
        };
        let statement = checkpoint.statement();
        let signature = self.key.sign(&statement).expect("a signature");
        let proof = prove_consistency(since.unwrap_or(0).min(size), size, |wanted| {
            Ok::<_, std::convert::Infallible>(self.nodes[&(wanted.level, wanted.number)])
        });
        let signed = SignedCheckpoint {
            statement,
            signature,
            chain: self.key.chain.clone(),
        };
        History {
            checkpoint,
            signed,
            proof: proof.unwrap_or_else(|never| match never {}),
        }
    }
}
