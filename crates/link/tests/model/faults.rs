//! Each rule that can be taken away, and which claim must break without it.

use super::properties::Claim;
use super::scopes::Scope;

/// One rule taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    AcknowledgedBeforeSync,
    NoEpoch,
    SnapshotLifts,
    OlderReadmissionLifts,
    OlderFramesNoVersions,
    OlderFrames,
    NoTombstones,
    GapApplied,
    SentBeforeCommit,
    RemovalForgetsTombstone,
    OvertakingRefusalDropped,
    FailedSyncRetried,
    FailedSyncFallsBack,
    CardTombstone,
    ReissueRevivesFormerHolder,
    ForkByRevision,
    TestimonyIgnored,
    UnsignedTestimony,
    LeaseFromReceipt,
    NoDriftMargin,
    LeaseAfreshAtBoot,
    SavedClockTrusted,
    LeaseOverOlderTable,
    RenewalAhead,
    StaleNodeRenews,
    EmergencyListBounded,
    EmergencyListOfServer,
}

/// What taking the rule away does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Each of these claims breaks.
    Breaks(&'static [Claim]),
    /// These claims hold all the same: another rule is a second belt.
    Holds(&'static [Claim]),
}

use Claim::{Bound, Forward, InOrder, OneHistory, SaidNow, SaidStays, Signed};
use Expected::{Breaks, Holds};

impl Fault {
    /// Every line of the table: the rule that is broken, where it is looked for, what is expected.
    pub(crate) const TABLE: [(Self, Scope, Expected); 29] = [
        (
            Self::AcknowledgedBeforeSync,
            Scope::Refusals,
            Breaks(&[SaidNow, SaidStays, InOrder]),
        ),
        (
            Self::OlderFramesNoVersions,
            Scope::Refusals,
            Breaks(&[SaidNow, SaidStays]),
        ),
        (Self::OlderFrames, Scope::Refusals, Breaks(&[Forward])),
        (
            Self::OlderFrames,
            Scope::Refusals,
            Holds(&[SaidNow, SaidStays]),
        ),
        (
            Self::NoTombstones,
            Scope::Refusals,
            Holds(&[SaidNow, SaidStays]),
        ),
        (Self::GapApplied, Scope::Refusals, Breaks(&[SaidNow])),
        (
            Self::SentBeforeCommit,
            Scope::Refusals,
            Breaks(&[OneHistory]),
        ),
        (Self::NoTombstones, Scope::Restore, Breaks(&[SaidStays])),
        (Self::NoEpoch, Scope::Restore, Breaks(&[SaidNow, SaidStays])),
        (
            Self::SnapshotLifts,
            Scope::Overtaking,
            Breaks(&[SaidNow, SaidStays]),
        ),
        (
            Self::OlderReadmissionLifts,
            Scope::Overtaking,
            Breaks(&[SaidNow, SaidStays]),
        ),
        (
            Self::RemovalForgetsTombstone,
            Scope::Restore,
            Breaks(&[SaidStays]),
        ),
        (
            Self::OvertakingRefusalDropped,
            Scope::Overtaking,
            Breaks(&[SaidNow, SaidStays]),
        ),
        (
            Self::FailedSyncRetried,
            Scope::Overtaking,
            Breaks(&[SaidNow, InOrder]),
        ),
        (Self::CardTombstone, Scope::Reissue, Breaks(&[SaidStays])),
        (
            Self::ReissueRevivesFormerHolder,
            Scope::Reissue,
            Breaks(&[SaidStays]),
        ),
        (Self::ForkByRevision, Scope::Fork, Breaks(&[SaidStays])),
        (Self::TestimonyIgnored, Scope::Fork, Breaks(&[SaidStays])),
        (Self::UnsignedTestimony, Scope::Fork, Breaks(&[Signed])),
        (Self::LeaseFromReceipt, Scope::Limit, Breaks(&[Bound])),
        (Self::NoDriftMargin, Scope::Limit, Breaks(&[Bound])),
        (Self::LeaseAfreshAtBoot, Scope::Limit, Breaks(&[Bound])),
        (Self::SavedClockTrusted, Scope::Limit, Breaks(&[Bound])),
        (Self::LeaseOverOlderTable, Scope::Limit, Breaks(&[Bound])),
        (Self::FailedSyncFallsBack, Scope::Limit, Breaks(&[Bound])),
        (Self::RenewalAhead, Scope::Limit, Breaks(&[Bound])),
        (Self::StaleNodeRenews, Scope::Limit, Breaks(&[Bound])),
        (
            Self::EmergencyListBounded,
            Scope::EmergencyList,
            Breaks(&[Bound]),
        ),
        (
            Self::EmergencyListOfServer,
            Scope::EmergencyList,
            Breaks(&[Bound]),
        ),
    ];

    /// What goes wrong, in words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::AcknowledgedBeforeSync => "acknowledged before the sync",
            Self::NoEpoch => "no epoch, the revision only",
            Self::SnapshotLifts => "a snapshot that lacks the refusal lifts the tombstone",
            Self::OlderReadmissionLifts => "a tombstone falls to an older re-admission",
            Self::OlderFramesNoVersions => "older frames accepted, tombstones without versions",
            Self::OlderFrames => "older frames accepted, versioned tombstones",
            Self::NoTombstones => "no tombstones",
            Self::GapApplied => "a delta applied over a gap",
            Self::SentBeforeCommit => "a change sent before its commit",
            Self::RemovalForgetsTombstone => "a removal takes the tombstone along",
            Self::OvertakingRefusalDropped => "an overtaking refusal dropped when a snapshot lands",
            Self::FailedSyncRetried => "a failed sync retried as if nothing had happened",
            Self::FailedSyncFallsBack => "a failed sync falls back to the older table",
            Self::CardTombstone => "a tombstone keyed by card instead of credential",
            Self::ReissueRevivesFormerHolder => "a re-issued card opens for its former holder",
            Self::ForkByRevision => "a fork accepted because its revision is higher",
            Self::TestimonyIgnored => "refusals that a door shows are not taken over",
            Self::UnsignedTestimony => "unsigned testimony accepted",
            Self::LeaseFromReceipt => "the lease counted from the receipt of the answer",
            Self::NoDriftMargin => "no drift margin",
            Self::LeaseAfreshAtBoot => "the lease starts afresh at boot",
            Self::SavedClockTrusted => "a saved clock trusted after a boot",
            Self::LeaseOverOlderTable => "a lease stands after a restart with an older table",
            Self::RenewalAhead => "a renewal answered ahead of a committed refusal",
            Self::StaleNodeRenews => "the limit restarted by a renewal on a stale node",
            Self::EmergencyListBounded => "the emergency list counted as bounded",
            Self::EmergencyListOfServer => "the emergency list judged by the server's own copy",
        }
    }
}
