//! Agents: invited, joined, replaced, revoked, stolen.

use super::{Case, Judgement};
use crate::actor::Actor;
use crate::agent::{Agent, AgentState, JoinSecretHash, JoinToken, JoinTokenState};
use crate::change::{Change, Edit};
use crate::id::{AgentId, DoorId, JoinTokenId};
use crate::parameters::Revision;
use crate::place::Door;
use crate::records::Records;
use crate::refusal::{Refusal, Thing};
use crate::text::fold;

impl<R: Records + ?Sized> Case<'_, R> {
    pub(super) fn create_join_token(&self, token: &JoinToken) -> Judgement<Vec<Change>, R> {
        self.free(Thing::JoinToken, |records| records.join_token(token.id))?;
        self.free(Thing::JoinToken, |records| {
            records.join_token_with(&token.secret)
        })?;
        super::at_most(token.doors.len(), 64, "doors")?;
        if token.doors.is_empty() {
            return Err(Refusal::NotFound(Thing::Door).into());
        }
        let mut replaced = Vec::new();
        for door in &token.doors {
            replaced.extend(self.find(Thing::Door, |records| records.door(*door))?.agent);
        }
        // An agent's name may be used again by the one that replaces it.
        let taken = self
            .read(|records| records.agents())?
            .into_iter()
            .any(|agent| {
                agent.state == AgentState::Enrolled
                    && fold(agent.name.as_str()) == fold(token.name.as_str())
                    && !replaced.contains(&agent.id)
            });
        if taken {
            return Err(Refusal::NameTaken(Thing::Agent).into());
        }
        let latest = self.now.plus(JoinToken::LIFE);
        Ok(vec![Change::JoinTokenCreated(JoinToken {
            expires_at: token.expires_at.min(latest),
            state: JoinTokenState::Open,
            ..token.clone()
        })])
    }

    pub(super) fn withdraw_join_token(&self, id: JoinTokenId) -> Judgement<Vec<Change>, R> {
        match self
            .find(Thing::JoinToken, |records| records.join_token(id))?
            .state
        {
            JoinTokenState::Open => Ok(vec![Change::JoinTokenWithdrawn(id)]),
            JoinTokenState::Withdrawn => Ok(Vec::new()),
            JoinTokenState::Used { .. } => Err(Refusal::TokenSpent.into()),
        }
    }

    pub(super) fn enrol(
        &self,
        secret: &JoinSecretHash,
        agent: &Agent,
    ) -> Judgement<Vec<Change>, R> {
        let spent = || Refusal::TokenSpent.into();
        let token = self
            .read(|records| records.join_token_with(secret))?
            .ok_or_else(spent)?;
        match token.state {
            JoinTokenState::Open if self.now < token.expires_at => {}
            JoinTokenState::Used { by } => {
                let joined = self.find(Thing::Agent, |records| records.agent(by))?;
                let again = joined.key == agent.key && joined.state == AgentState::Enrolled;
                return if again { Ok(Vec::new()) } else { Err(spent()) };
            }
            JoinTokenState::Open | JoinTokenState::Withdrawn => return Err(spent()),
        }
        if self.actor != Actor::JoiningAgent(agent.id) {
            return Err(spent());
        }
        self.free(Thing::Agent, |records| records.agent(agent.id))?;
        let agents = self.read(|records| records.agents())?;
        if agents.iter().any(|known| known.key == agent.key) {
            return Err(Refusal::Exists(Thing::Agent).into());
        }
        let mut changes = vec![Change::AgentEnrolled {
            agent: Agent {
                revision: Revision::ZERO,
                name: token.name,
                enrolled_at: self.now,
                state: AgentState::Enrolled,
                ..agent.clone()
            },
            token: token.id,
        }];
        let doors = self.read(|records| records.doors())?;
        let mut left = Vec::new();
        for door in doors.iter().filter(|door| token.doors.contains(&door.id)) {
            left.extend(door.agent);
            changes.push(decided_by(door, Some(agent.id)));
        }
        // Whoever has no door left has been replaced; its key must not speak again.
        left.sort();
        left.dedup();
        for replaced in agents.into_iter().filter(|known| left.contains(&known.id)) {
            let keeps =
                |door: &Door| door.agent == Some(replaced.id) && !token.doors.contains(&door.id);
            if replaced.state == AgentState::Enrolled && !doors.iter().any(keeps) {
                changes.push(Change::AgentRevoked {
                    agent: replaced,
                    at: self.now,
                });
            }
        }
        Ok(changes)
    }

    pub(super) fn revoke(&self, id: AgentId) -> Judgement<Vec<Change>, R> {
        let agent = self.find(Thing::Agent, |records| records.agent(id))?;
        if agent.state != AgentState::Enrolled {
            return Ok(Vec::new());
        }
        let mut changes = vec![Change::AgentRevoked {
            agent,
            at: self.now,
        }];
        for door in self.doors_of(id)? {
            changes.push(decided_by(&door, None));
        }
        Ok(changes)
    }

    /// What it knew is asked and noted before its key is refused: from then on its table is empty.
    pub(super) fn report_stolen(
        &self,
        id: AgentId,
        token: Option<&JoinToken>,
    ) -> Judgement<Vec<Change>, R> {
        self.find(Thing::Agent, |records| records.agent(id))?;
        let mut changes = match token {
            Some(token) => self.create_join_token(token)?,
            None => Vec::new(),
        };
        changes.push(Change::AgentStolen {
            agent: id,
            pins: self.read(|records| records.pins_known_to(id))?,
            at: self.now,
        });
        changes.extend(self.revoke(id)?);
        Ok(changes)
    }

    fn doors_of(&self, agent: AgentId) -> Judgement<Vec<Door>, R> {
        let mut doors = self.read(|records| records.doors())?;
        doors.retain(|door| door.agent == Some(agent));
        doors.sort_by_key(|door: &Door| -> DoorId { door.id });
        Ok(doors)
    }
}

fn decided_by(door: &Door, agent: Option<AgentId>) -> Change {
    let after = Door {
        agent,
        ..door.clone()
    };
    Change::Door(Edit::Changed(Box::new(door.clone()), Box::new(after)))
}
