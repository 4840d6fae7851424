//! Rules that can be broken, one at a time, to see that the oracle notices.
//!
//! The product has no such switch. Each fault is what the simulation does wrong around the
//! product's own pieces: it carries an output out too early, hands on what it should not, or reads
//! what is stale.

/// One rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliberateFault {
    /// An agent acknowledges what is in memory, before the disk has it.
    AcknowledgedBeforeSync,
    /// A restore goes on in the epoch of the store that was lost, and nobody compares histories.
    NoEpoch,
    /// A whole table that lacks a refusal lifts it. What agents show is not taken over either: it
    /// would put this right before anybody saw it.
    SnapshotLifts,
    /// A restore leaves the refusals that stand as they were ruled in the epoch that is over.
    RefusalsNotRuledAgain,
    /// What agents show is not taken over.
    TestimonyIgnored,
    /// Any admission lifts a refusal, whichever was ruled later; testimony as there.
    OlderAdmissionLifts,
    /// A refusal that overtook a table is dropped when the table has arrived.
    OvertakingDropped,
    /// What arrives late from an earlier connection is applied.
    OlderFrames,
    /// The lease is counted from when the answer arrived.
    LeaseFromReceipt,
    /// Limits are counted out without a margin for clocks that run slow.
    NoDriftMargin,
    /// Limits are counted out by the time of day alone, which somebody may set.
    LimitByTimeOfDay,
    /// The lease begins afresh whenever the agent starts.
    LeaseAfreshAtBoot,
    /// After a boot the agent goes on by a clock that was saved when it went down.
    SavedClockTrusted,
    /// A renewal is sent before the refusals that were committed before it was asked for.
    RenewalAhead,
    /// A renewal is answered from what was read before it was asked for.
    StaleNodeRenews,
    /// A page gives a limit for somebody on an emergency list as for anybody.
    EmergencyListBounded,
    /// After a failed sync the agent goes back to the table that is on disk.
    FailedSyncFallsBack,
    /// A refusal of a credential is kept by what is presented, not by which credential it was.
    TombstoneByCard,
    /// A copy of the store is believed because its history is longer.
    ForkByRevision,
    /// Refusals that an agent shows are taken over without looking at the seal.
    UnsignedTestimony,
    /// A card that was given to somebody else is taken for its former holder's.
    ReissuedCardIsFormerHolders,
}

impl DeliberateFault {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::AcknowledgedBeforeSync,
        Self::NoEpoch,
        Self::SnapshotLifts,
        Self::RefusalsNotRuledAgain,
        Self::TestimonyIgnored,
        Self::OlderAdmissionLifts,
        Self::OvertakingDropped,
        Self::OlderFrames,
        Self::LeaseFromReceipt,
        Self::NoDriftMargin,
        Self::LimitByTimeOfDay,
        Self::LeaseAfreshAtBoot,
        Self::SavedClockTrusted,
        Self::RenewalAhead,
        Self::StaleNodeRenews,
        Self::EmergencyListBounded,
        Self::FailedSyncFallsBack,
        Self::TombstoneByCard,
        Self::ForkByRevision,
        Self::UnsignedTestimony,
        Self::ReissuedCardIsFormerHolders,
    ];

    pub(crate) const fn ignores_testimony(self) -> bool {
        matches!(
            self,
            Self::TestimonyIgnored | Self::SnapshotLifts | Self::OlderAdmissionLifts
        )
    }

    /// The promises of which one must be seen to break. What else breaks is not looked at.
    #[must_use]
    pub const fn breaks(self) -> &'static [&'static str] {
        match self {
            Self::AcknowledgedBeforeSync
            | Self::SnapshotLifts
            | Self::OlderAdmissionLifts
            | Self::OvertakingDropped
            | Self::OlderFrames => &["G1"],
            Self::LeaseFromReceipt
            | Self::NoDriftMargin
            | Self::LimitByTimeOfDay
            | Self::LeaseAfreshAtBoot
            | Self::SavedClockTrusted
            | Self::RenewalAhead
            | Self::StaleNodeRenews
            | Self::EmergencyListBounded
            | Self::FailedSyncFallsBack => &["G3"],
            Self::NoEpoch | Self::RefusalsNotRuledAgain => &["G1", "G4"],
            Self::ForkByRevision => &["G1", "G3"],
            Self::TestimonyIgnored | Self::UnsignedTestimony => &["G4"],
            Self::ReissuedCardIsFormerHolders => &["G7"],
            Self::TombstoneByCard => &["the end"],
        }
    }
}
