//! What a walk through the whole log finds.

use offgate_core::checkpoint::SignedCheckpoint;
use offgate_core::parameters::Revision;
use offgate_core::tree::TreeHash;

/// The first thing that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The entry is not there.
    Missing(Revision),
    /// The entry, or the hash of its leaf, is not what was written.
    Entry(Revision),
    /// The hash of a larger subtree that the entry completes is not what was written.
    Subtree(Revision),
    /// The entry's details are not those it commits to.
    Details(Revision),
    /// The checkpoint of the log up to this entry is none, or is of another log: if its signature
    /// is good, something up to this entry and after the checkpoint before was rewritten.
    Checkpoint(Revision),
    /// No checkpoint covers this entry and what follows.
    NotSigned(Revision),
}

/// What a walk through the whole log, which trusts no hash that is stored, has found. Whose
/// signatures the checkpoints have is for whoever knows the store's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// How many entries are as they were written, from the first.
    pub entries: u64,
    /// How many payloads of theirs are what they commit to.
    pub readable: u64,
    /// How many were erased: of those only the commitment is checked.
    pub erased: u64,
    /// The first entries, at most [`Self::NAMED`], with an erased payload although nobody whom it
    /// may be about was erased, by the vault's list.
    pub erased_for_nobody: Vec<Revision>,
    /// How many people are on the vault's list of erasures.
    pub erasures: u64,
    /// How many are sealed under a key that is not to be had: neither is more of those.
    pub unreadable: u64,
    /// The root of the tree of the log; up to what is wrong, if anything is.
    pub root: TreeHash,
    /// Every checkpoint that is kept and fits, the oldest first. Their signatures are not checked.
    pub checkpoints: Vec<SignedCheckpoint>,
    /// What is wrong first, if anything is.
    pub finding: Option<Finding>,
}

impl Audit {
    /// How many entries with a payload that was erased for nobody are named.
    pub const NAMED: usize = 100;
}
