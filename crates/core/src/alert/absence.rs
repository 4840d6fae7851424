//! Agents that do not answer, and doors whose time on their own has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Alert;
use crate::confirmation::{Alone, Contact, DoorFacts, DoorStanding, standing};
use crate::id::{AgentId, DoorId};
use crate::parameters::Timestamp;

/// How long an agent may be silent, at most, before somebody is told.
const AT_MOST: Duration = Duration::from_secs(600);

/// How long an agent may be silent before somebody is told: ten minutes, or half of the shortest time
/// that one of its doors works on its own, so that it can be mended before.
#[must_use]
pub fn gone_after(shortest_lease: Duration) -> Duration {
    AT_MOST.min(shortest_lease / 2)
}

/// An agent that may be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentAbsence {
    /// Which.
    pub agent: AgentId,
    /// Whether it answers.
    pub contact: Contact,
    /// The shortest time that one of its doors works on its own.
    pub shortest_lease: Duration,
    /// Its doors, and how long each goes on by what it has.
    pub doors: Vec<(DoorId, Alone)>,
}

impl AgentAbsence {
    /// The alert that is due, if one is. Nobody could be heard before this server was started, which
    /// says nothing of an agent.
    #[must_use]
    pub fn alert(self, server_since: Timestamp, now: Timestamp) -> Option<Alert> {
        let Contact::Silent { since: Some(since) } = self.contact else {
            return None;
        };
        let due = since
            .max(server_since)
            .plus(gone_after(self.shortest_lease));
        (due <= now && !self.doors.is_empty()).then_some(Alert::AgentGone {
            agent: self.agent,
            silent_since: since,
            doors: self.doors,
        })
    }
}

/// Gathers, person by person, which doors have not confirmed a refusal and have passed their limit.
#[derive(Clone, Debug, Default)]
pub struct LimitsPassed(BTreeMap<DoorId, Counted>);

#[derive(Clone, Debug, Default)]
struct Counted {
    silent_since: Option<Timestamp>,
    /// When the limit ended, for those whom it ends.
    ended_at: Option<Timestamp>,
    people: u64,
    may_still_open: u64,
}

impl LimitsPassed {
    /// Takes what is known of one door about one refusal.
    pub fn count(&mut self, facts: &DoorFacts, decided_at: Timestamp, now: Timestamp) {
        let counted = self.0.entry(facts.door).or_default();
        if let Contact::Silent { since } = facts.contact {
            counted.silent_since = since;
        }
        match standing(facts, decided_at, now) {
            DoorStanding::EndedByLimit { at } => {
                counted.people += 1;
                counted.ended_at = counted.ended_at.max(Some(at));
            }
            DoorStanding::OnEmergencyList { .. } | DoorStanding::KeepsLastTable { .. } => {
                counted.may_still_open += 1;
            }
            DoorStanding::Waiting
            | DoorStanding::Overdue
            | DoorStanding::Failed { .. }
            | DoorStanding::Confirmed { .. }
            | DoorStanding::MayStillOpen { .. } => {}
        }
    }

    /// An alert for each door whose limit has passed.
    #[must_use]
    pub fn alerts(self) -> Vec<Alert> {
        self.0
            .into_iter()
            .filter_map(|(door, counted)| {
                Some(Alert::LimitPassed {
                    door,
                    silent_since: counted.silent_since,
                    ended_at: counted.ended_at?,
                    people: counted.people,
                    may_still_open: counted.may_still_open,
                })
            })
            .collect()
    }
}
