//! Operators: who may sign in, and that there is always an owner who can.

use super::{Case, Judgement};
use crate::actor::Actor;
use crate::change::{Change, Edit};
use crate::id::{OperatorId, UserId};
use crate::operator::{Operator, OperatorState, PasswordHash, Role};
use crate::records::Records;
use crate::refusal::{Refusal, Thing};
use crate::user::{Standing, UserRecord};

/// Whether this operator may sign in, or go on being signed in: open, with a password, and the
/// person they are, if any, active. The last owner may in any case: without one, nobody could
/// give anything back.
///
/// # Errors
/// The records could not be read.
pub fn may_sign_in<R: Records + ?Sized>(
    records: &R,
    operator: &Operator,
) -> Result<bool, R::Error> {
    if operator.state != OperatorState::Open || operator.password.is_none() {
        return Ok(false);
    }
    if person_is_active(records, operator)? {
        return Ok(true);
    }
    Ok(operator.role == Role::Owner && !another_owner(records, operator.id)?)
}

fn person_is_active<R: Records + ?Sized>(
    records: &R,
    operator: &Operator,
) -> Result<bool, R::Error> {
    let Some(user) = operator.user else {
        return Ok(true);
    };
    Ok(match records.user(user)? {
        Some(UserRecord::Present(user)) => user.standing == Standing::Active,
        Some(UserRecord::Removed(_)) | None => false,
    })
}

/// Whether an owner beside this operator can sign in.
fn another_owner<R: Records + ?Sized>(records: &R, than: OperatorId) -> Result<bool, R::Error> {
    for other in records.operators()? {
        if other.id != than
            && other.role == Role::Owner
            && other.state == OperatorState::Open
            && other.password.is_some()
            && person_is_active(records, &other)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

impl<R: Records + ?Sized> Case<'_, R> {
    /// Whether nobody but this operator could sign in as an owner.
    pub(super) fn is_last_owner(&self, operator: &Operator) -> Judgement<bool, R> {
        Ok(operator.role == Role::Owner
            && operator.state == OperatorState::Open
            && operator.password.is_some()
            && !self.read(|records| another_owner(records, operator.id))?)
    }

    pub(super) fn open_operator(&self, id: OperatorId) -> Judgement<Operator, R> {
        let operator = self.find(Thing::Operator, |records| records.operator(id))?;
        match operator.state {
            OperatorState::Open => Ok(operator),
            OperatorState::Ended { .. } => Err(Refusal::SignInEnded.into()),
        }
    }

    pub(super) fn create_operator(&self, operator: &Operator) -> Judgement<Vec<Change>, R> {
        self.free(Thing::Operator, |records| records.operator(operator.id))?;
        if self
            .read(|records| records.operator_by_email(&operator.email))?
            .is_some()
        {
            return Err(Refusal::NameTaken(Thing::Operator).into());
        }
        if let Some(user) = operator.user {
            self.linkable(operator.id, user)?;
        }
        let operator = Operator {
            state: OperatorState::Open,
            ..operator.clone()
        };
        Ok(vec![Change::Operator(Edit::Created(operator))])
    }

    pub(super) fn change_role(&self, id: OperatorId, role: Role) -> Judgement<Vec<Change>, R> {
        let operator = self.open_operator(id)?;
        if operator.role == role {
            return Ok(Vec::new());
        }
        if self.actor == Actor::Operator(id) && role > operator.role {
            return Err(Refusal::Yourself.into());
        }
        if role < Role::Owner && self.is_last_owner(&operator)? {
            return Err(Refusal::LastOwner.into());
        }
        Ok(changed(operator, |operator| operator.role = role))
    }

    pub(super) fn link_operator(
        &self,
        id: OperatorId,
        user: Option<UserId>,
    ) -> Judgement<Vec<Change>, R> {
        let operator = self.open_operator(id)?;
        if operator.user == user {
            return Ok(Vec::new());
        }
        if let Some(user) = user {
            self.linkable(id, user)?;
        }
        Ok(changed(operator, |operator| operator.user = user))
    }

    /// Refuses linking to somebody who is not active or is another operator already.
    fn linkable(&self, id: OperatorId, user: UserId) -> Judgement<(), R> {
        if self.present(user)?.standing != Standing::Active {
            return Err(Refusal::ReactivateFirst.into());
        }
        match self.operator_of(user)? {
            Some(other) if other.id != id => Err(Refusal::InUse {
                by: Thing::Operator,
                count: 1,
            }
            .into()),
            _ => Ok(()),
        }
    }

    pub(super) fn set_password(
        &self,
        id: OperatorId,
        hash: &PasswordHash,
    ) -> Judgement<Vec<Change>, R> {
        let operator = self.open_operator(id)?;
        match self.actor {
            // One's own, also the first, which a set-up link leads to.
            Actor::Operator(own) if own == id => {}
            Actor::Operator(_) | Actor::ServerCommandLine => self.at_least(Role::Owner)?,
            Actor::Schedule | Actor::JoiningAgent(_) | Actor::TestifyingAgent(_) => {
                return Err(Refusal::NotAllowed {
                    needed: Role::Owner,
                }
                .into());
            }
        }
        Ok(vec![Change::PasswordSet(operator.id, hash.clone())])
    }

    pub(super) fn end_operator(&self, id: OperatorId) -> Judgement<Vec<Change>, R> {
        let operator = self.find(Thing::Operator, |records| records.operator(id))?;
        if operator.state != OperatorState::Open {
            return Ok(Vec::new());
        }
        if self.is_last_owner(&operator)? {
            return Err(Refusal::LastOwner.into());
        }
        let mut changes = changed(operator, |operator| {
            operator.state = OperatorState::Ended { at: self.now }
        });
        changes.push(Change::SessionsEnded(id));
        Ok(changes)
    }
}

fn changed(before: Operator, edit: impl FnOnce(&mut Operator)) -> Vec<Change> {
    let mut after = before.clone();
    edit(&mut after);
    vec![Change::Operator(Edit::Changed(
        Box::new(before),
        Box::new(after),
    ))]
}
