//! The lifecycle of a person: created, edited, deactivated, reactivated, removed.

use std::collections::BTreeSet;

use super::{CREDENTIALS_PER_USER, Case, Judgement, at_most, unchanged};
use crate::change::{Change, Edit};
use crate::command::{Expected, InitialPolicies, Unconfirmed};
use crate::credential::NewCredential;
use crate::id::{GroupId, PolicyId, UserId};
use crate::keeping::ErasureWait;
use crate::operator::{OperatorState, Role};
use crate::parameters::{Revision, Timestamp};
use crate::records::Records;
use crate::refusal::{Refusal, Thing};
use crate::text::Note;
use crate::user::{
    AccessPeriod, Deactivation, DeactivationReason, Profile, Standing, User, UserRecord,
};

/// How many groups, and how many policies, one person may have directly.
const MEMBERSHIPS: usize = 100;

impl<R: Records + ?Sized> Case<'_, R> {
    /// The person with this id, if they still have a profile.
    pub(super) fn present(&self, user: UserId) -> Judgement<User, R> {
        match self.find(Thing::User, |records| records.user(user))? {
            UserRecord::Present(user) => Ok(user),
            UserRecord::Removed(_) => Err(Refusal::Removed.into()),
        }
    }

    pub(super) fn create_user(
        &self,
        id: UserId,
        profile: &Profile,
        access: AccessPeriod,
        groups: &BTreeSet<GroupId>,
        policies: &InitialPolicies,
        credentials: &[NewCredential],
    ) -> Judgement<Vec<Change>, R> {
        self.free(Thing::User, |records| records.user(id))?;
        self.period(AccessPeriod::default(), access)?;
        let policies = match policies {
            InitialPolicies::Chosen(chosen) => chosen.clone(),
            InitialPolicies::SiteDefaults => self
                .read(|records| records.sites())?
                .into_iter()
                .filter_map(|site| site.default_policy)
                .collect(),
        };
        self.memberships(groups, &policies)?;
        at_most(credentials.len(), CREDENTIALS_PER_USER, "credentials")?;
        let mut changes = vec![Change::UserCreated(User {
            id,
            revision: Revision::ZERO,
            created_at: self.now,
            profile: profile.clone(),
            access,
            groups: groups.clone(),
            policies,
            standing: Standing::Active,
        })];
        let mut held = Vec::new();
        for credential in credentials {
            let credential = self.new_credential(id, credential, &held)?;
            held.push(credential.clone());
            changes.push(Change::CredentialAdded(credential));
        }
        Ok(changes)
    }

    pub(super) fn edit_user(
        &self,
        id: UserId,
        expected: Expected,
        profile: &Profile,
        access: AccessPeriod,
        groups: &BTreeSet<GroupId>,
        policies: &BTreeSet<PolicyId>,
    ) -> Judgement<Vec<Change>, R> {
        let user = self.present(id)?;
        self.not_above(id)?;
        unchanged(expected, user.revision)?;
        self.period(user.access, access)?;
        self.memberships(groups, policies)?;
        let mut changes = Vec::new();
        if *profile != user.profile {
            changes.push(Change::ProfileChanged {
                user: id,
                before: user.profile,
                after: profile.clone(),
            });
        }
        if access != user.access {
            changes.push(Change::AccessPeriodChanged {
                user: id,
                before: user.access,
                after: access,
            });
        }
        if *groups != user.groups {
            changes.push(Change::UserGroupsChanged {
                user: id,
                before: user.groups,
                after: groups.clone(),
            });
        }
        if *policies != user.policies {
            changes.push(Change::UserPoliciesChanged {
                user: id,
                before: user.policies,
                after: policies.clone(),
            });
        }
        Ok(changes)
    }

    pub(super) fn deactivate(
        &self,
        id: UserId,
        reason: DeactivationReason,
        note: Option<Note>,
        employment_ended_at: Option<Timestamp>,
    ) -> Judgement<Vec<Change>, R> {
        let user = self.present(id)?;
        if matches!(user.standing, Standing::Deactivated(_)) {
            return Ok(Vec::new());
        }
        let employment_ended_at = employment_ended_at.unwrap_or(self.now);
        if employment_ended_at > self.now {
            return Err(Refusal::EmploymentEndsLater.into());
        }
        let mut changes = vec![Change::UserDeactivated {
            user: id,
            deactivation: Deactivation {
                at: self.now,
                by: self.actor,
                reason,
                note,
                employment_ended_at,
                revision: Revision::ZERO,
            },
        }];
        // The doors always obey. The last owner's sign-in stays, or nobody could undo anything.
        if let Some(operator) = self.operator_of(id)?
            && !self.is_last_owner(&operator)?
        {
            changes.push(Change::SessionsEnded(operator.id));
        }
        Ok(changes)
    }

    /// What the schedule asks when an end of access came. By now it may have been moved.
    pub(super) fn end_access(&self, id: UserId) -> Judgement<Vec<Change>, R> {
        match self.read(|records| records.user(id))? {
            Some(UserRecord::Present(User {
                standing: Standing::Active,
                access: AccessPeriod {
                    ends: Some(ends), ..
                },
                ..
            })) if ends <= self.now => {
                self.deactivate(id, DeactivationReason::AccessEnded, None, Some(ends))
            }
            _ => Ok(Vec::new()),
        }
    }

    pub(super) fn reactivate(&self, id: UserId) -> Judgement<Vec<Change>, R> {
        let user = self.present(id)?;
        self.not_oneself(id)?;
        self.not_above(id)?;
        match user.standing {
            Standing::Active => Err(Refusal::AlreadyActive.into()),
            Standing::Deactivated(ended) => Ok(vec![Change::UserReactivated {
                user: id,
                ended,
                expired_end: user.access.ends.filter(|ends| *ends <= self.now),
            }]),
        }
    }

    pub(super) fn export(&self, id: UserId) -> Judgement<Vec<Change>, R> {
        self.present(id)?;
        self.not_above(id)?;
        Ok(vec![Change::UserExported(id)])
    }

    pub(super) fn remove(
        &self,
        id: UserId,
        unconfirmed: &Unconfirmed,
    ) -> Judgement<Vec<Change>, R> {
        let user = self.present(id)?;
        self.not_oneself(id)?;
        self.not_above(id)?;
        if user.standing == Standing::Active {
            return Err(Refusal::DeactivateFirst.into());
        }
        let waiting = self.read(|records| records.doors_not_confirmed(id, self.now))?;
        let unconfirmed = match unconfirmed {
            _ if waiting.is_empty() => None,
            Unconfirmed::Wait => return Err(Refusal::DoorsNotConfirmed(waiting).into()),
            Unconfirmed::Override(reason) => {
                self.at_least(Role::Owner)?;
                Some(reason.clone())
            }
        };
        let mut changes = Vec::new();
        if let Some(operator) = self.operator_of(id)? {
            if self.is_last_owner(&operator)? {
                return Err(Refusal::LastOwner.into());
            }
            let ended = crate::operator::Operator {
                state: OperatorState::Ended { at: self.now },
                ..operator.clone()
            };
            changes.push(Change::Operator(Edit::Changed(
                Box::new(operator),
                Box::new(ended),
            )));
        }
        for list in self.read(|records| records.emergency_lists())? {
            if list.people.contains(&id) {
                let mut without = list.clone();
                without.people.remove(&id);
                changes.push(Change::EmergencyList(Edit::Changed(
                    Box::new(list),
                    Box::new(without),
                )));
            }
        }
        changes.extend(self.no_checkpoints_to(id)?);
        let wait = self.read(|records| records.keeping())?.erasure_wait;
        let due = self.now.plus(wait.duration());
        changes.push(self.removal(id, due, unconfirmed)?);
        if wait == ErasureWait::AT_ONCE {
            changes.extend(self.erasure(id)?);
        }
        Ok(changes)
    }

    /// Refuses an access period that ends before it starts, or a new end that is over already.
    fn period(&self, before: AccessPeriod, after: AccessPeriod) -> Judgement<(), R> {
        match (after.starts, after.ends) {
            (Some(starts), Some(ends)) if ends <= starts => Err(Refusal::EndBeforeStart.into()),
            (_, Some(ends)) if ends <= self.now && before.ends != after.ends => {
                Err(Refusal::EndInThePast.into())
            }
            _ => Ok(()),
        }
    }

    fn memberships(
        &self,
        groups: &BTreeSet<GroupId>,
        policies: &BTreeSet<PolicyId>,
    ) -> Judgement<(), R> {
        at_most(groups.len(), MEMBERSHIPS, "groups")?;
        at_most(policies.len(), MEMBERSHIPS, "policies")?;
        for group in groups {
            self.find(Thing::Group, |records| records.group(*group))?;
        }
        for policy in policies {
            self.find(Thing::Policy, |records| records.policy(*policy))?;
        }
        Ok(())
    }
}
