//! The claims that must hold in every state, and the situations that must come about.

use stateright::Property;

use super::model::Protocol;
use super::server::Said;
use super::state::{FORGED, Message, Position, Server, Standing, State, Subject};

/// A claim of the design, as it can be checked of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// What a console calls confirmed is refused at that door now.
    SaidNow,
    /// What was once called confirmed stays refused until somebody who could see that refusal
    /// admits again: across crashes, restores and copies.
    SaidStays,
    /// From the instant that was named for a refusal, the door refuses. The instant never moves.
    Bound,
    /// What an agent has on disk never goes back.
    Forward,
    /// Acknowledged is at most durable, durable at most in memory.
    InOrder,
    /// The same epoch and revision mean the same history.
    OneHistory,
    /// A store refuses nobody whom no store ever refused.
    Signed,
}

impl Claim {
    /// Its name in the table and in stories.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SaidNow => "confirmed is true now",
            Self::SaidStays => "confirmed stays true",
            Self::Bound => "the named instant holds",
            Self::Forward => "a disk never goes back",
            Self::InOrder => "acknowledged <= durable <= in memory",
            Self::OneHistory => "one history per epoch",
            Self::Signed => "only signed refusals are taken over",
        }
    }

    pub(crate) fn property(self) -> Property<Protocol> {
        let condition = match self {
            Self::SaidNow => said_now,
            Self::SaidStays => said_stays,
            Self::Bound => bound,
            Self::Forward => forward,
            Self::InOrder => in_order,
            Self::OneHistory => one_history,
            Self::Signed => signed,
        };
        Property::always(self.name(), condition)
    }
}

/// Every refusal in force at a server, with the door it is a refusal at.
fn refusals(state: &State) -> impl Iterator<Item = (&Server, usize, Subject)> {
    state.servers.iter().flat_map(|server| {
        (0..server.doors.len()).flat_map(move |door| {
            Subject::ALL
                .into_iter()
                .map(move |subject| (server, door, subject))
        })
    })
}

/// A server that a door has left for a later epoch cannot know what that door does since.
fn said_now(model: &Protocol, state: &State) -> bool {
    refusals(state).all(|(server, door, subject)| {
        let agent = &state.agents[door];
        agent.memory.position.epoch.counter > server.epoch.counter
            || model.said(server, door, subject, state.now) != Said::Confirmed
            || !model.admits(agent, subject)
    })
}

fn said_stays(model: &Protocol, state: &State) -> bool {
    state
        .agents
        .iter()
        .zip(&state.confirmed)
        .all(|(agent, confirmed)| {
            Subject::ALL.into_iter().all(|subject| {
                confirmed[subject as usize] & !state.lifted[subject as usize] == 0
                    || !model.admits(agent, subject)
            })
        })
}

fn bound(model: &Protocol, state: &State) -> bool {
    refusals(state).all(|(server, door, subject)| {
        let named = server.doors[door].named[subject as usize];
        let has_come = server.rows[subject as usize].refuses()
            && named.is_some_and(|named| named <= state.now);
        !has_come || !model.admits(&state.agents[door], subject)
    })
}

fn forward(_: &Protocol, state: &State) -> bool {
    state
        .agents
        .iter()
        .all(|agent| agent.durable.position.version() >= agent.highest)
}

fn in_order(_: &Protocol, state: &State) -> bool {
    let acknowledged = state.network.iter().all(|message| match message {
        Message::Acknowledgement {
            agent,
            position,
            above,
        } => {
            let durable = &state.agents[*agent].durable;
            // Refusals held above may have been lifted since; then the table has passed them.
            position.version() <= durable.position.version()
                && (position.version() < durable.position.version()
                    || Subject::ALL.into_iter().all(|subject| {
                        let held = durable.tombstones[subject as usize].entries;
                        above[subject as usize] & !held == 0
                    }))
        }
        _ => true,
    });
    acknowledged
        && state
            .agents
            .iter()
            .all(|agent| agent.durable.position.version() <= agent.memory.position.version())
}

fn one_history(_: &Protocol, state: &State) -> bool {
    let agrees = |one: Position, other: Position| {
        one.epoch != other.epoch || one.revision != other.revision || one.branch == other.branch
    };
    let held: Vec<Position> = state
        .agents
        .iter()
        .flat_map(|agent| [agent.memory.position, agent.durable.position])
        .chain(state.servers.iter().map(Server::position))
        .collect();
    held.iter()
        .all(|one| held.iter().all(|other| agrees(*one, *other)))
}

fn signed(_: &Protocol, state: &State) -> bool {
    state
        .servers
        .iter()
        .all(|server| server.rows.iter().all(|row| row.entries & FORGED == 0))
}

/// A dangerous or desirable situation which the model must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    AllConfirmed,
    AdmittedAgain,
    ConfirmedThenRestarted,
    ForgottenByTheStore,
    TakenOver,
    ToldByAnotherDoor,
    RemovedAndForgotten,
    RestoredTwice,
    ConfirmedAboveTheTable,
    HeldAboveAfterRestart,
    SyncFailed,
    CardChangedHands,
    TwoCopies,
    EndedByLimit,
    RenewalWaitsForDelta,
    LeaseStandsAfterBoot,
    AdmittedByTheList,
    NotBounded,
}

impl Situation {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AllConfirmed => "all doors have confirmed",
            Self::AdmittedAgain => "confirmed, and admitted again by an administrator",
            Self::ConfirmedThenRestarted => "confirmed, and the agent restarted",
            Self::ForgottenByTheStore => "confirmed, and forgotten by the store",
            Self::TakenOver => "forgotten, taken over, and confirmed again",
            Self::ToldByAnotherDoor => "a door refuses what only another door could tell",
            Self::RemovedAndForgotten => "removed, and admitted by the restored store",
            Self::RestoredTwice => "restored twice",
            Self::ConfirmedAboveTheTable => "confirmed above the table",
            Self::HeldAboveAfterRestart => "a refusal held above the table over a restart",
            Self::SyncFailed => "a sync failed",
            Self::CardChangedHands => "a card opens for its new holder only",
            Self::TwoCopies => "two copies of the store, each with its own history",
            Self::EndedByLimit => "ended by its time limit",
            Self::RenewalWaitsForDelta => "a renewal arrives before the delta it stands behind",
            Self::LeaseStandsAfterBoot => "a lease stands after a boot",
            Self::AdmittedByTheList => "admitted by the emergency list after the lease",
            Self::NotBounded => "refused without an instant that may be named",
        }
    }

    pub(crate) fn property(self) -> Property<Protocol> {
        let condition = match self {
            Self::AllConfirmed => all_confirmed,
            Self::AdmittedAgain => admitted_again,
            Self::ConfirmedThenRestarted => confirmed_then_restarted,
            Self::ForgottenByTheStore => forgotten,
            Self::TakenOver => taken_over,
            Self::ToldByAnotherDoor => told_by_another_door,
            Self::RemovedAndForgotten => removed_and_forgotten,
            Self::RestoredTwice => restored_twice,
            Self::ConfirmedAboveTheTable => confirmed_above,
            Self::HeldAboveAfterRestart => held_above_after_restart,
            Self::SyncFailed => sync_failed,
            Self::CardChangedHands => card_changed_hands,
            Self::TwoCopies => two_copies,
            Self::EndedByLimit => ended_by_limit,
            Self::RenewalWaitsForDelta => renewal_waits,
            Self::LeaseStandsAfterBoot => lease_stands,
            Self::AdmittedByTheList => admitted_by_list,
            Self::NotBounded => not_bounded,
        };
        Property::sometimes(self.name(), condition)
    }
}

fn any_said(model: &Protocol, state: &State, wanted: Said) -> bool {
    refusals(state)
        .any(|(server, door, subject)| model.said(server, door, subject, state.now) == wanted)
}

fn all_confirmed(model: &Protocol, state: &State) -> bool {
    state.servers.iter().any(|server| {
        Subject::ALL.into_iter().any(|subject| {
            (0..server.doors.len())
                .all(|door| model.said(server, door, subject, state.now) == Said::Confirmed)
        })
    })
}

fn admitted_again(model: &Protocol, state: &State) -> bool {
    state
        .agents
        .iter()
        .zip(&state.confirmed)
        .any(|(agent, confirmed)| {
            confirmed[Subject::Ada as usize] != 0 && model.admits(agent, Subject::Ada)
        })
}

fn confirmed_then_restarted(model: &Protocol, state: &State) -> bool {
    state.spent.restarts > 0 && any_said(model, state, Said::Confirmed)
}

/// A refusal that was confirmed is in no server's history.
fn forgotten(_: &Protocol, state: &State) -> bool {
    Subject::ALL.into_iter().any(|subject| {
        state.servers.iter().any(|server| {
            let known = server.rows[subject as usize].entries;
            let standing = server.rows[subject as usize].standing;
            standing == Standing::Admitted
                && state
                    .confirmed
                    .iter()
                    .any(|confirmed| confirmed[subject as usize] & !known != 0)
        })
    })
}

/// Only what is taken over has no latest entry of this history.
fn taken_over(model: &Protocol, state: &State) -> bool {
    refusals(state).any(|(server, door, subject)| {
        let row = &server.rows[subject as usize];
        row.refuses()
            && row.latest == 0
            && model.said(server, door, subject, state.now) == Said::Confirmed
    })
}

/// A door has the taken-over refusal on disk without ever having had the original one confirmed.
fn told_by_another_door(_: &Protocol, state: &State) -> bool {
    let ada = Subject::Ada as usize;
    state.servers[0].rows[ada].latest == 0
        && state.servers[0].rows[ada].refuses()
        && state.confirmed.iter().any(|confirmed| confirmed[ada] == 0)
        && state
            .agents
            .iter()
            .all(|agent| agent.durable.tombstones[ada].entries != 0)
}

fn removed_and_forgotten(_: &Protocol, state: &State) -> bool {
    let removed = state
        .agents
        .iter()
        .any(|agent| agent.memory.rows[Subject::Ada as usize].standing == Standing::Removed);
    removed && state.servers[0].rows[Subject::Ada as usize].standing == Standing::Admitted
}

fn restored_twice(_: &Protocol, state: &State) -> bool {
    state.spent.branches >= 2
}

fn confirmed_above(model: &Protocol, state: &State) -> bool {
    refusals(state).any(|(server, door, subject)| {
        server.doors[door].receipt.is_some_and(|receipt| {
            receipt.position.revision < server.rows[subject as usize].refused.revision
        }) && model.said(server, door, subject, state.now) == Said::Confirmed
    })
}

fn held_above_after_restart(_: &Protocol, state: &State) -> bool {
    state.spent.restarts > 0
        && state.agents.iter().any(|agent| {
            agent.memory == agent.durable
                && agent
                    .memory
                    .tombstones
                    .iter()
                    .any(|tombstone| tombstone.version > agent.memory.position.version())
        })
}

fn sync_failed(_: &Protocol, state: &State) -> bool {
    state.spent.failed_syncs > 0
}

fn card_changed_hands(model: &Protocol, state: &State) -> bool {
    state.agents.iter().any(|agent| {
        model.admits(agent, Subject::BobsCard)
            && model.admits(agent, Subject::Ada)
            && !model.admits(agent, Subject::AdasCard)
    })
}

fn two_copies(_: &Protocol, state: &State) -> bool {
    match state.servers.as_slice() {
        [one, other] => !one.continues(other.position()) && !other.continues(one.position()),
        _ => false,
    }
}

fn ended_by_limit(model: &Protocol, state: &State) -> bool {
    any_said(model, state, Said::EndedByLimit)
}

fn renewal_waits(_: &Protocol, state: &State) -> bool {
    state.network.iter().any(|message| match message {
        Message::Renewed { agent, behind, .. } => {
            *behind > state.agents[*agent].memory.position.version()
        }
        _ => false,
    })
}

fn lease_stands(model: &Protocol, state: &State) -> bool {
    state.spent.power_cuts > 0
        && state
            .agents
            .iter()
            .any(|agent| model.admits(agent, Subject::Ada))
}

fn admitted_by_list(model: &Protocol, state: &State) -> bool {
    state.agents.iter().any(|agent| {
        agent.lease.is_none_or(|lease| lease.until <= agent.clock)
            && model.admits(agent, Subject::Ada)
    })
}

fn not_bounded(model: &Protocol, state: &State) -> bool {
    any_said(model, state, Said::MayStillOpen(None))
}
