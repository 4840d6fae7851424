//! Mail: by which server it leaves, and to whom checkpoints go.

use super::{Case, Judgement};
use crate::change::Change;
use crate::id::UserId;
use crate::mail::{CheckpointMail, MailServer, NewPassword, Protection};
use crate::operator::Role;
use crate::records::Records;
use crate::refusal::Refusal;
use crate::text::{Email, fold};
use crate::user::UserRecord;

impl<R: Records + ?Sized> Case<'_, R> {
    pub(super) fn set_up_mail(
        &self,
        after: &MailServer,
        password: NewPassword,
    ) -> Judgement<Vec<Change>, R> {
        if after.protection == Protection::None && !after.host.is_this_machine() {
            return Err(Refusal::MailInTheClear.into());
        }
        let before = self.read(|records| records.mail_server())?;
        let known = before
            .as_ref()
            .is_some_and(|before| after.takes_the_password_of(before));
        if after.user.is_some() && password == NewPassword::Kept && !known {
            return Err(Refusal::MailPasswordNeeded.into());
        }
        Ok(
            if before.as_ref() == Some(after) && password == NewPassword::Kept {
                Vec::new()
            } else {
                vec![Change::MailServerChanged {
                    before: before.map(Box::new),
                    after: Some(Box::new(after.clone())),
                    password,
                }]
            },
        )
    }

    pub(super) fn stop_mail(&self) -> Judgement<Vec<Change>, R> {
        let mut changes = self.checkpoints_to(None)?;
        if let Some(before) = self.read(|records| records.mail_server())? {
            changes.push(Change::MailServerChanged {
                before: Some(Box::new(before)),
                after: None,
                password: NewPassword::Kept,
            });
        }
        Ok(changes)
    }

    pub(super) fn change_checkpoint_mail(
        &self,
        after: Option<&CheckpointMail>,
    ) -> Judgement<Vec<Change>, R> {
        if after.is_some() {
            self.mail_is_set_up()?;
        }
        self.checkpoints_to(after)
    }

    /// An owner may have a test sent to anybody, everybody else to themselves.
    pub(super) fn test_mail(&self, to: &Email) -> Judgement<Vec<Change>, R> {
        match self.acting_operator()? {
            Some(operator) if operator.email == *to => {}
            _ => self.at_least(Role::Owner)?,
        }
        self.mail_is_set_up()?;
        Ok(vec![Change::MailTested])
    }

    /// Whoever is removed is not written to any more, and their address does not stay.
    pub(super) fn no_checkpoints_to(&self, gone: UserId) -> Judgement<Vec<Change>, R> {
        let address = match self.read(|records| records.user(gone))? {
            Some(UserRecord::Present(user)) => user.profile.email,
            _ => None,
        };
        let same = |one: &Email, other: &Email| fold(one.as_str()) == fold(other.as_str());
        match (self.read(|records| records.checkpoint_mail())?, address) {
            (Some(mail), Some(address)) if same(&mail.to, &address) => self.checkpoints_to(None),
            _ => Ok(Vec::new()),
        }
    }

    fn checkpoints_to(&self, after: Option<&CheckpointMail>) -> Judgement<Vec<Change>, R> {
        let before = self.read(|records| records.checkpoint_mail())?;
        Ok(if before.as_ref() == after {
            Vec::new()
        } else {
            vec![Change::CheckpointMailChanged {
                before,
                after: after.cloned(),
            }]
        })
    }

    fn mail_is_set_up(&self) -> Judgement<(), R> {
        match self.read(|records| records.mail_server())? {
            Some(_) => Ok(()),
            None => Err(Refusal::MailNotSetUp.into()),
        }
    }
}
