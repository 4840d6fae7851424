//! The judgement: a command and the records go in; changes or a refusal come out.
//!
//! This is the only place where it is decided whether anything may change. Surfaces parse and
//! show, the store loads and applies; neither knows a rule.

mod agent;
mod alert;
mod authority;
mod credential;
mod erasure;
mod furniture;
mod longer_limit;
mod mail;
mod operator;
mod take_over;
mod user;
mod webhook;

use crate::actor::Actor;
use crate::change::Change;
use crate::command::{Command, Expected};
use crate::parameters::{Revision, Timestamp};
use crate::records::Records;
use crate::refusal::{Refusal, Thing};

pub use operator::may_sign_in;

/// How long a PIN stays out of use after its holder gave it up: a leaver still knows it.
pub const PIN_RETIREMENT: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);
/// How many refused PINs one actor may collect within [`PIN_TRIES_WINDOW`].
pub const PIN_TRIES: u64 = 5;
/// See [`PIN_TRIES`].
pub const PIN_TRIES_WINDOW: std::time::Duration = std::time::Duration::from_secs(600);
/// How many credentials one person may have.
pub const CREDENTIALS_PER_USER: usize = 20;

/// What becomes of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Carried out by these changes, in this order. None at all means that everything is as it
    /// was asked to be already.
    Accepted(Vec<Change>),
    /// Not carried out, for this reason. The changes, if any, are notes that it was asked.
    Refused(Refusal, Vec<Change>),
}

/// Judges `command` by `actor` at `now` against the records.
///
/// # Errors
/// The records could not be read: nothing was decided, and nothing may be concluded.
pub fn decide<R: Records + ?Sized>(
    records: &R,
    actor: Actor,
    command: &Command,
    now: Timestamp,
) -> Result<Decision, R::Error> {
    let case = Case {
        records,
        actor,
        now,
    };
    match case.judge(command) {
        Ok(changes) => Ok(Decision::Accepted(changes)),
        Err(Stop::Refused(refusal)) => Ok(Decision::Refused(refusal, Vec::new())),
        Err(Stop::RefusedAndNoted(refusal, note)) => Ok(Decision::Refused(refusal, vec![*note])),
        Err(Stop::Unreadable(error)) => Err(error),
    }
}

/// Why a judgement ended without changes.
enum Stop<E> {
    Refused(Refusal),
    RefusedAndNoted(Refusal, Box<Change>),
    Unreadable(E),
}

impl<E> From<Refusal> for Stop<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

type Judgement<T, R> = Result<T, Stop<<R as Records>::Error>>;

/// One command being judged: who asks, when, and what is on record.
struct Case<'a, R: Records + ?Sized> {
    records: &'a R,
    actor: Actor,
    now: Timestamp,
}

impl<R: Records + ?Sized> Case<'_, R> {
    fn judge(&self, command: &Command) -> Judgement<Vec<Change>, R> {
        self.authorise(command)?;
        match command {
            Command::CreateUser {
                user,
                profile,
                access,
                groups,
                policies,
                credentials,
            } => self.create_user(*user, profile, *access, groups, policies, credentials),
            Command::EditUser {
                user,
                expected,
                profile,
                access,
                groups,
                policies,
            } => self.edit_user(*user, *expected, profile, *access, groups, policies),
            Command::DeactivateUser {
                user,
                reason,
                note,
                employment_ended_at,
            } => self.deactivate(*user, *reason, note.clone(), *employment_ended_at),
            Command::EndAccess { user } => self.end_access(*user),
            Command::ReactivateUser { user } => self.reactivate(*user),
            Command::RemoveUser { user, unconfirmed } => self.remove(*user, unconfirmed),
            Command::EraseUser { user } => self.erase_now(*user),
            Command::EraseDue { user } => self.erase_due(*user),
            Command::HoldErasure { user, reason } => self.hold_erasure(*user, reason),
            Command::ReleaseErasure { user } => self.release_erasure(*user),
            Command::RepeatErasure(person) => self.repeat_erasure(*person),
            Command::ChangeKeeping(keeping) => self.change_keeping(*keeping),
            Command::ExportUser { user } => self.export(*user),
            Command::AddCredential { user, credential } => self.add_credential(*user, credential),
            Command::RemoveCredential { credential } => self.remove_credential(*credential),
            Command::RenewPin {
                credential,
                new,
                pin,
            } => self.renew_pin(*credential, *new, pin),
            Command::ReportLost { credential } => self.report_lost(*credential),
            Command::ReportFound { credential } => self.report_found(*credential),
            Command::CreateGroup(group) => self.create_group(group),
            Command::EditGroup(group, expected) => self.edit_group(group, *expected),
            Command::DeleteGroup(group) => self.delete_group(*group),
            Command::CreateSite(site) => self.create_site(site),
            Command::EditSite(site, expected) => self.edit_site(site, *expected),
            Command::CreateDoor(door) => self.create_door(door),
            Command::EditDoor(door, expected) => self.edit_door(door, *expected),
            Command::DeleteDoor(door) => self.delete_door(*door),
            Command::CreateDoorGroup(group) => self.create_door_group(group),
            Command::EditDoorGroup(group, expected) => self.edit_door_group(group, *expected),
            Command::DeleteDoorGroup(group) => self.delete_door_group(*group),
            Command::CreatePolicy(policy) => self.create_policy(policy),
            Command::EditPolicy(policy, expected) => self.edit_policy(policy, *expected),
            Command::DeletePolicy(policy) => self.delete_policy(*policy),
            Command::CreateSchedule(schedule) => self.create_schedule(schedule),
            Command::EditSchedule(schedule, expected) => self.edit_schedule(schedule, *expected),
            Command::DeleteSchedule(schedule) => self.delete_schedule(*schedule),
            Command::CreateHolidayGroup(group) => self.create_holiday_group(group),
            Command::EditHolidayGroup(group, expected) => self.edit_holiday_group(group, *expected),
            Command::DeleteHolidayGroup(group) => self.delete_holiday_group(*group),
            Command::CreateEmergencyList(list) => self.create_emergency_list(list),
            Command::EditEmergencyList(list, expected) => self.edit_emergency_list(list, *expected),
            Command::DeleteEmergencyList(list) => self.delete_emergency_list(*list),
            Command::CreateJoinToken(token) => self.create_join_token(token),
            Command::WithdrawJoinToken(token) => self.withdraw_join_token(*token),
            Command::EnrolAgent { secret, agent } => self.enrol(secret, agent),
            Command::RevokeAgent(agent) => self.revoke(*agent),
            Command::ReportAgentStolen { agent, token } => {
                self.report_stolen(*agent, token.as_ref())
            }
            Command::CreateOperator(operator) => self.create_operator(operator),
            Command::ChangeRole(operator, role) => self.change_role(*operator, *role),
            Command::LinkOperator(operator, user) => self.link_operator(*operator, *user),
            Command::SetPassword(operator, hash) => self.set_password(*operator, hash),
            Command::EndOperator(operator) => self.end_operator(*operator),
            Command::NoteKeyReplaced(replaced) => Ok(vec![Change::ServerKeyReplaced(*replaced)]),
            Command::AnnounceAddresses(after) => {
                let before = self.read(|records| records.server_addresses())?;
                let after = after.clone();
                Ok(if before == after {
                    Vec::new()
                } else {
                    vec![Change::AddressesAnnounced { before, after }]
                })
            }
            Command::TakeOver(rulings) => self.take_over(rulings),
            Command::NoteRestore(restored) => Ok(vec![Change::Restored(*restored)]),
            Command::SetUpMail(server, password) => self.set_up_mail(server, *password),
            Command::StopMail => self.stop_mail(),
            Command::ChangeCheckpointMail(after) => self.change_checkpoint_mail(after.as_ref()),
            Command::TestMail(to) => self.test_mail(to),
            Command::SetUpWebhook(webhook) => self.set_up_webhook(webhook),
            Command::StopWebhook => self.stop_webhook(),
            Command::ReplaceWebhookSecret => self.with_webhook(Change::WebhookSecretReplaced),
            Command::TestWebhook => self.with_webhook(Change::WebhookTested),
            Command::WebhookGone(address) => self.webhook_gone(address),
            Command::LengthenLimit(limit) => self.lengthen_limit(limit),
            Command::EndLongerLimit(door) => self.end_longer_limit(*door),
            Command::LongerLimitOver(door) => self.longer_limit_over(*door),
            Command::ChooseAlerts(operator, kinds) => self.choose_alerts(*operator, kinds),
            Command::ExtendCalendars { from_year } => {
                let covered = self.read(|records| records.calendars_from())?;
                Ok(if *from_year > covered {
                    vec![Change::CalendarsExtended {
                        from_year: *from_year,
                    }]
                } else {
                    Vec::new()
                })
            }
        }
    }

    /// Asks the records; a failure to answer ends the judgement without one.
    fn read<T>(&self, ask: impl FnOnce(&R) -> Result<T, R::Error>) -> Judgement<T, R> {
        ask(self.records).map_err(Stop::Unreadable)
    }

    /// Asks the records for something that must be there.
    fn find<T>(
        &self,
        thing: Thing,
        ask: impl FnOnce(&R) -> Result<Option<T>, R::Error>,
    ) -> Judgement<T, R> {
        self.read(ask)?
            .ok_or(Stop::Refused(Refusal::NotFound(thing)))
    }

    /// Asks the records for something that must not be there yet.
    fn free<T>(
        &self,
        thing: Thing,
        ask: impl FnOnce(&R) -> Result<Option<T>, R::Error>,
    ) -> Judgement<(), R> {
        match self.read(ask)? {
            None => Ok(()),
            Some(_) => Err(Refusal::Exists(thing).into()),
        }
    }
}

/// Refuses an edit of something that changed since the form was drawn.
fn unchanged(expected: Expected, now: Revision) -> Result<(), Refusal> {
    match expected {
        Expected::Unchanged(drawn) if drawn != now => Err(Refusal::Stale { now }),
        Expected::Unchanged(_) | Expected::Whatever => Ok(()),
    }
}

/// Refuses more than `limit` of something.
fn at_most(number: usize, limit: usize, what: &'static str) -> Result<(), Refusal> {
    if number > limit {
        Err(Refusal::TooMany { limit, what })
    } else {
        Ok(())
    }
}
