//! What each small model contains: only what its claims need, so that all of it can be looked at.

use super::properties::{Claim, Situation};
use super::state::Subject;

/// One small model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Refusals and re-admissions at two doors that crash.
    Refusals,
    /// A server restored from a backup.
    Restore,
    /// A server restored from the same backup twice.
    RestoredTwice,
    /// A restored server that hears of a refusal from one of two doors.
    Witness,
    /// Refusals that overtake, a snapshot under way, syncs that fail.
    Overtaking,
    /// A card taken from one person and issued to another.
    Reissue,
    /// A copy of the store that does not know it is one, and a liar among the agents.
    Fork,
    /// A door that is cut off.
    Limit,
    /// A door that is cut off, and people it admits all the same.
    EmergencyList,
}

/// How often each thing may happen at most.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) agents: u8,
    pub(crate) depth: usize,
    pub(crate) changes: u8,
    pub(crate) epochs: u8,
    pub(crate) restores: u8,
    pub(crate) copies: u8,
    pub(crate) greetings: u8,
    pub(crate) restarts: u8,
    pub(crate) power_cuts: u8,
    pub(crate) failed_syncs: u8,
    pub(crate) renewals: u8,
    pub(crate) forgeries: u8,
    /// Without time every lease runs.
    pub(crate) ticks: u8,
}

/// Something an administrator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Act {
    /// Deactivate a person, or end a credential.
    Refuse(Subject),
    /// Reactivate a person.
    Readmit(Subject),
    /// Remove a deactivated person.
    Remove(Subject),
    /// Issue Ada's card, once it was taken from her, to Bob as a new credential.
    Reissue,
    PutOnList(Subject),
    TakeOffList(Subject),
    /// Anything else: a revision that concerns neither.
    Import,
}

impl Scope {
    pub(crate) const ALL: [Self; 9] = [
        Self::Refusals,
        Self::Restore,
        Self::RestoredTwice,
        Self::Witness,
        Self::Overtaking,
        Self::Reissue,
        Self::Fork,
        Self::Limit,
        Self::EmergencyList,
    ];

    pub(crate) const fn limits(self) -> Limits {
        let none = Limits {
            agents: 1,
            depth: 0,
            changes: 0,
            epochs: 0,
            restores: 0,
            copies: 0,
            greetings: 0,
            restarts: 0,
            power_cuts: 0,
            failed_syncs: 0,
            renewals: 0,
            forgeries: 0,
            ticks: 0,
        };
        match self {
            Self::Refusals => Limits {
                agents: 2,
                depth: 14,
                changes: 3,
                greetings: 1,
                restarts: 2,
                ..none
            },
            Self::Restore => Limits {
                depth: 16,
                changes: 3,
                epochs: 1,
                restores: 1,
                greetings: 2,
                restarts: 1,
                ..none
            },
            Self::RestoredTwice => Limits {
                depth: 16,
                changes: 2,
                epochs: 3,
                restores: 2,
                greetings: 2,
                ..none
            },
            Self::Witness => Limits {
                agents: 2,
                depth: 12,
                changes: 2,
                epochs: 1,
                restores: 1,
                greetings: 2,
                ..none
            },
            Self::Overtaking => Limits {
                depth: 16,
                changes: 3,
                greetings: 1,
                restarts: 1,
                failed_syncs: 1,
                ..none
            },
            Self::Reissue => Limits {
                depth: 16,
                changes: 4,
                epochs: 1,
                restores: 1,
                greetings: 2,
                restarts: 1,
                ..none
            },
            Self::Fork => Limits {
                depth: 14,
                changes: 3,
                epochs: 2,
                copies: 1,
                greetings: 2,
                forgeries: 1,
                ..none
            },
            Self::Limit => Limits {
                depth: 18,
                changes: 2,
                greetings: 0,
                restarts: 1,
                power_cuts: 1,
                failed_syncs: 1,
                renewals: 2,
                ticks: 4,
                ..none
            },
            Self::EmergencyList => Limits {
                depth: 18,
                changes: 4,
                renewals: 1,
                ticks: 4,
                ..none
            },
        }
    }

    /// What administrators do here.
    pub(crate) const fn acts(self) -> &'static [Act] {
        use Subject::{Ada, AdasCard, Bob};
        match self {
            Self::Refusals => &[Act::Refuse(Ada), Act::Readmit(Ada), Act::Refuse(Bob)],
            Self::Restore => &[
                Act::Refuse(Ada),
                Act::Readmit(Ada),
                Act::Remove(Ada),
                Act::Refuse(Bob),
            ],
            Self::RestoredTwice => &[Act::Refuse(Ada), Act::Refuse(Bob)],
            Self::Witness => &[Act::Refuse(Ada), Act::Readmit(Ada)],
            Self::Overtaking => &[Act::Import, Act::Refuse(Ada), Act::Readmit(Ada)],
            Self::Reissue => &[
                Act::Refuse(AdasCard),
                Act::Reissue,
                Act::Refuse(Subject::BobsCard),
            ],
            Self::Fork => &[Act::Refuse(Ada), Act::Readmit(Ada)],
            Self::Limit => &[Act::Refuse(Ada), Act::Refuse(Bob)],
            Self::EmergencyList => &[
                Act::PutOnList(Ada),
                Act::TakeOffList(Ada),
                Act::Refuse(Ada),
                Act::Refuse(Bob),
            ],
        }
    }

    /// The claims that are judged here.
    pub(crate) const fn claims(self) -> &'static [Claim] {
        use Claim::{Bound, Forward, InOrder, OneHistory, SaidNow, SaidStays, Signed};
        match self {
            Self::Refusals
            | Self::Restore
            | Self::RestoredTwice
            | Self::Witness
            | Self::Overtaking
            | Self::Reissue => &[SaidNow, SaidStays, Forward, InOrder, OneHistory, Signed],
            // A copy that has met no door since it was made cannot know what doors do, and numbers
            // its changes as the other copy does.
            Self::Fork => &[SaidStays, Forward, InOrder, Signed],
            Self::Limit | Self::EmergencyList => &[SaidNow, SaidStays, Bound, Forward, InOrder],
        }
    }

    /// The situations that must come about here, or the claims would say little.
    pub(crate) const fn situations(self) -> &'static [Situation] {
        use Situation as S;
        match self {
            Self::Refusals => &[S::AllConfirmed, S::AdmittedAgain, S::ConfirmedThenRestarted],
            Self::Restore => &[
                S::AllConfirmed,
                S::ForgottenByTheStore,
                S::TakenOver,
                S::RemovedAndForgotten,
            ],
            Self::RestoredTwice => &[S::RestoredTwice, S::ForgottenByTheStore, S::TakenOver],
            Self::Witness => &[
                S::AllConfirmed,
                S::ForgottenByTheStore,
                S::ToldByAnotherDoor,
            ],
            Self::Overtaking => &[
                S::AllConfirmed,
                S::ConfirmedAboveTheTable,
                S::HeldAboveAfterRestart,
                S::SyncFailed,
                S::AdmittedAgain,
            ],
            Self::Reissue => &[S::CardChangedHands, S::ForgottenByTheStore, S::TakenOver],
            Self::Fork => &[
                S::AllConfirmed,
                S::TwoCopies,
                S::ForgottenByTheStore,
                S::TakenOver,
                S::AdmittedAgain,
            ],
            Self::Limit => &[
                S::AllConfirmed,
                S::EndedByLimit,
                S::SyncFailed,
                S::RenewalWaitsForDelta,
                S::LeaseStandsAfterBoot,
            ],
            Self::EmergencyList => &[S::EndedByLimit, S::AdmittedByTheList, S::NotBounded],
        }
    }

    /// Whether refusals overtake here.
    pub(crate) const fn overtaking(self) -> bool {
        matches!(self, Self::Overtaking)
    }

    /// What it is about, for the table.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Refusals => "refusals and crashes",
            Self::Restore => "a restored server",
            Self::RestoredTwice => "a server restored twice",
            Self::Witness => "a witness among two doors",
            Self::Overtaking => "overtaking refusals",
            Self::Reissue => "a card re-issued",
            Self::Fork => "a second copy",
            Self::Limit => "a time limit",
            Self::EmergencyList => "an emergency list",
        }
    }
}
