//! Who may ask for what: the role each command needs, and the guards that protect roles.

use super::{Case, Judgement, may_sign_in};
use crate::actor::Actor;
use crate::command::Command;
use crate::id::UserId;
use crate::operator::{Operator, OperatorState, Role};
use crate::records::Records;
use crate::refusal::{Refusal, Thing};

/// What a command asks of its actor.
enum Needs {
    /// At least this role.
    Role(Role),
    /// To be the server's own schedule.
    Schedule,
    /// To be an agent with a token.
    JoiningAgent,
    /// To be an agent with the store's seals.
    TestifyingAgent,
    /// Judged with the command itself.
    OwnRule,
}

fn needs(command: &Command) -> Needs {
    match command {
        Command::DeactivateUser { .. } | Command::ReportLost { .. } => Needs::Role(Role::Guard),
        Command::EndAccess { .. }
        | Command::EraseDue { .. }
        | Command::RepeatErasure(_)
        | Command::WebhookGone(_)
        | Command::LongerLimitOver(_)
        | Command::ExtendCalendars { .. } => Needs::Schedule,
        Command::EnrolAgent { .. } => Needs::JoiningAgent,
        Command::TakeOver(_) => Needs::TestifyingAgent,
        Command::SetPassword(..) | Command::TestMail(_) | Command::ChooseAlerts(..) => {
            Needs::OwnRule
        }
        Command::CreateOperator(_)
        | Command::ChangeRole(..)
        | Command::LinkOperator(..)
        | Command::NoteKeyReplaced(_)
        | Command::NoteRestore(_)
        | Command::AnnounceAddresses(_)
        | Command::EndOperator(_)
        | Command::HoldErasure { .. }
        | Command::ReleaseErasure { .. }
        | Command::ChangeKeeping(_)
        | Command::SetUpMail(..)
        | Command::StopMail
        | Command::ChangeCheckpointMail(_)
        | Command::SetUpWebhook(_)
        | Command::StopWebhook
        | Command::ReplaceWebhookSecret
        | Command::TestWebhook => Needs::Role(Role::Owner),
        Command::CreateUser { .. }
        | Command::EditUser { .. }
        | Command::ReactivateUser { .. }
        | Command::RemoveUser { .. }
        | Command::ExportUser { .. }
        | Command::EraseUser { .. }
        | Command::AddCredential { .. }
        | Command::RemoveCredential { .. }
        | Command::RenewPin { .. }
        | Command::ReportFound { .. }
        | Command::CreateGroup(_)
        | Command::EditGroup(..)
        | Command::DeleteGroup(_)
        | Command::CreateSite(_)
        | Command::EditSite(..)
        | Command::CreateDoor(_)
        | Command::EditDoor(..)
        | Command::DeleteDoor(_)
        | Command::LengthenLimit(_)
        | Command::EndLongerLimit(_)
        | Command::CreateDoorGroup(_)
        | Command::EditDoorGroup(..)
        | Command::DeleteDoorGroup(_)
        | Command::CreatePolicy(_)
        | Command::EditPolicy(..)
        | Command::DeletePolicy(_)
        | Command::CreateSchedule(_)
        | Command::EditSchedule(..)
        | Command::DeleteSchedule(_)
        | Command::CreateHolidayGroup(_)
        | Command::EditHolidayGroup(..)
        | Command::DeleteHolidayGroup(_)
        | Command::CreateEmergencyList(_)
        | Command::EditEmergencyList(..)
        | Command::DeleteEmergencyList(_)
        | Command::CreateJoinToken(_)
        | Command::WithdrawJoinToken(_)
        | Command::RevokeAgent(_)
        | Command::ReportAgentStolen { .. } => Needs::Role(Role::Administrator),
    }
}

impl<R: Records + ?Sized> Case<'_, R> {
    /// Refuses the command when its actor may not ask for it, whatever it is about.
    pub(super) fn authorise(&self, command: &Command) -> Judgement<(), R> {
        match (needs(command), self.actor) {
            (Needs::OwnRule, _)
            | (Needs::Schedule, Actor::Schedule | Actor::ServerCommandLine)
            | (Needs::JoiningAgent, Actor::JoiningAgent(_))
            | (Needs::TestifyingAgent, Actor::TestifyingAgent(_)) => Ok(()),
            (Needs::Role(needed), _) => self.at_least(needed),
            (Needs::Schedule | Needs::JoiningAgent | Needs::TestifyingAgent, _) => {
                Err(Refusal::NotAllowed {
                    needed: Role::Owner,
                }
                .into())
            }
        }
    }

    /// Refuses an actor below this role.
    pub(super) fn at_least(&self, needed: Role) -> Judgement<(), R> {
        match self.role()? {
            Some(role) if role >= needed => Ok(()),
            _ => Err(Refusal::NotAllowed { needed }.into()),
        }
    }

    /// The actor's role; none for those who are nobody's operator.
    pub(super) fn role(&self) -> Judgement<Option<Role>, R> {
        Ok(match self.actor {
            Actor::ServerCommandLine => Some(Role::Owner),
            Actor::Schedule | Actor::JoiningAgent(_) | Actor::TestifyingAgent(_) => None,
            Actor::Operator(_) => self.acting_operator()?.map(|operator| operator.role),
        })
    }

    /// The operator who asks. Refused when their sign-in has ended since they signed in.
    pub(super) fn acting_operator(&self) -> Judgement<Option<Operator>, R> {
        let Actor::Operator(id) = self.actor else {
            return Ok(None);
        };
        let operator = self.find(Thing::Operator, |records| records.operator(id))?;
        if self.read(|records| may_sign_in(records, &operator))? {
            Ok(Some(operator))
        } else {
            Err(Refusal::SignInEnded.into())
        }
    }

    /// The open operator that this person is.
    pub(super) fn operator_of(&self, user: UserId) -> Judgement<Option<Operator>, R> {
        let operators = self.read(|records| records.operators())?;
        Ok(operators
            .into_iter()
            .find(|operator| operator.user == Some(user) && operator.state == OperatorState::Open))
    }

    /// Refuses acting on a person whose role is above the actor's. Stopping their doors is
    /// judged without this.
    pub(super) fn not_above(&self, user: UserId) -> Judgement<(), R> {
        match self.operator_of(user)? {
            Some(target) if self.role()? < Some(target.role) => Err(Refusal::AboveYourRole.into()),
            _ => Ok(()),
        }
    }

    /// Refuses acting on oneself.
    pub(super) fn not_oneself(&self, user: UserId) -> Judgement<(), R> {
        match self.acting_operator()? {
            Some(Operator {
                user: Some(own), ..
            }) if own == user => Err(Refusal::Yourself.into()),
            _ => Ok(()),
        }
    }
}
