//! Which alerts operators are sent: each chooses for themselves.

use std::collections::BTreeSet;

use super::{Case, Judgement};
use crate::actor::Actor;
use crate::alert::AlertKind;
use crate::change::Change;
use crate::id::OperatorId;
use crate::operator::Role;
use crate::records::Records;
use crate::refusal::Refusal;

impl<R: Records + ?Sized> Case<'_, R> {
    pub(super) fn choose_alerts(
        &self,
        id: OperatorId,
        after: &BTreeSet<AlertKind>,
    ) -> Judgement<Vec<Change>, R> {
        match self.actor {
            Actor::Operator(own) if own != id => return Err(Refusal::NotYours.into()),
            Actor::Operator(_) | Actor::ServerCommandLine => self.at_least(Role::Viewer)?,
            Actor::Schedule | Actor::JoiningAgent(_) | Actor::TestifyingAgent(_) => {
                return Err(Refusal::NotAllowed {
                    needed: Role::Viewer,
                }
                .into());
            }
        }
        let operator = self.open_operator(id)?.id;
        let before = self.read(|records| records.alerts_chosen(operator))?;
        Ok(if before.as_ref() == Some(after) {
            Vec::new()
        } else {
            vec![Change::AlertsChosen {
                operator,
                before,
                after: after.clone(),
            }]
        })
    }
}
