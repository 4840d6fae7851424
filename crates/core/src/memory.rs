//! Records kept in memory: the plainest engine there can be.
//!
//! Tests judge commands against it, and every real engine is held to giving the same answers.
//! It knows no transaction and no limit, and keeps no log.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use crate::actor::Actor;
use crate::agent::{Agent, AgentState, JoinSecretHash, JoinToken, JoinTokenState};
use crate::alert::AlertKind;
use crate::change::{Change, Edit};
use crate::command::Command;
use crate::credential::{CardToken, Credential, CredentialState, Means, Plate};
use crate::decide::{Decision, decide};
use crate::fail_mode::EmergencyList;
use crate::id::{
    AgentId, CredentialId, DoorGroupId, DoorId, EmergencyListId, GroupId, HolidayGroupId,
    JoinTokenId, OperatorId, PolicyId, ScheduleId, SiteId, UserId,
};
use crate::keeping::Keeping;
use crate::longer_limit::LongerLimit;
use crate::mail::{CheckpointMail, MailServer};
use crate::operator::Operator;
use crate::parameters::{Epoch, Revision, Timestamp};
use crate::pin::PinDigest;
use crate::place::{Door, DoorGroup, Site};
use crate::policy::{Group, HolidayGroup, Policy, Schedule};
use crate::records::{CardUse, PinUse, Records};
use crate::ruling::ruled_by;
use crate::server_address::ServerAddresses;
use crate::text::{Email, fold};
use crate::user::{Deactivation, Erasure, Standing, User, UserRecord};
use crate::webhook::Webhook;

/// Records in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The position of the last change.
    pub revision: Revision,
    /// People, removed ones too.
    pub users: BTreeMap<UserId, UserRecord>,
    /// Credentials of people who are present.
    pub credentials: BTreeMap<CredentialId, Credential>,
    /// PINs that are out of use, and until when.
    pub retired: BTreeMap<PinDigest, Timestamp>,
    /// Lost cards of people who have gone.
    pub burned: BTreeSet<CardToken>,
    /// Who was refused a PIN, and when.
    pub pin_refusals: Vec<(Actor, Timestamp)>,
    /// Doors that have not confirmed a deactivation. Filled and cleared by whoever plays the doors.
    pub unconfirmed: BTreeMap<UserId, BTreeSet<DoorId>>,
    /// PINs that agents know. Filled by whoever plays the doors.
    pub known_pins: BTreeMap<AgentId, BTreeSet<CredentialId>>,
    /// PINs to renew, and the first stolen agent that knew each.
    pub exposed_pins: BTreeMap<CredentialId, AgentId>,
    /// Groups of users.
    pub groups: BTreeMap<GroupId, Group>,
    /// Sites.
    pub sites: BTreeMap<SiteId, Site>,
    /// Doors.
    pub doors: BTreeMap<DoorId, Door>,
    /// Longer limits that are in force.
    pub longer_limits: BTreeMap<DoorId, LongerLimit>,
    /// Groups of doors.
    pub door_groups: BTreeMap<DoorGroupId, DoorGroup>,
    /// Policies.
    pub policies: BTreeMap<PolicyId, Policy>,
    /// Schedules.
    pub schedules: BTreeMap<ScheduleId, Schedule>,
    /// Holiday groups.
    pub holiday_groups: BTreeMap<HolidayGroupId, HolidayGroup>,
    /// Emergency lists.
    pub emergency_lists: BTreeMap<EmergencyListId, EmergencyList>,
    /// Agents.
    pub agents: BTreeMap<AgentId, Agent>,
    /// Join tokens.
    pub join_tokens: BTreeMap<JoinTokenId, JoinToken>,
    /// Operators.
    pub operators: BTreeMap<OperatorId, Operator>,
    /// How long things are kept.
    pub keeping: Keeping,
    /// Where agents find the server.
    pub addresses: ServerAddresses,
    /// By which server mail leaves.
    pub mail_server: Option<MailServer>,
    /// Who is sent checkpoints of the log.
    pub checkpoint_mail: Option<CheckpointMail>,
    /// The address at which another program listens for alerts.
    pub webhook: Option<Webhook>,
    /// Which alerts operators chose to be sent.
    pub alerts_chosen: BTreeMap<OperatorId, BTreeSet<AlertKind>>,
    /// The last change that is known of every epoch there was.
    pub known: Vec<(Epoch, Revision)>,
    /// About whom and what the last word is an admission, and by which change.
    pub readmitted: BTreeMap<[u8; 16], Revision>,
    /// The first year that calendars at the doors cover.
    pub calendars_from: i16,
}

impl Memory {
    /// Judges a command and applies what was decided.
    pub fn execute(&mut self, actor: Actor, command: &Command, now: Timestamp) -> Decision {
        let decision = match decide(self, actor, command, now) {
            Ok(decision) => decision,
            Err(never) => match never {},
        };
        let (Decision::Accepted(changes) | Decision::Refused(_, changes)) = &decision;
        for change in changes {
            self.apply(actor, change, now);
        }
        decision
    }

    /// Applies one change at the next position of the log.
    pub fn apply(&mut self, actor: Actor, change: &Change, now: Timestamp) {
        self.revision = self.revision.next();
        let revision = self.revision;
        match ruled_by(change) {
            Some((_, subject, ruled)) if ruled.refuses() => {
                self.readmitted.remove(&subject);
            }
            Some((_, subject, _)) => {
                self.readmitted.insert(subject, revision);
            }
            None => {}
        }
        match change.clone() {
            Change::UserCreated(user) => {
                self.users
                    .insert(user.id, UserRecord::Present(User { revision, ..user }));
            }
            Change::ProfileChanged { user, after, .. } => {
                self.change_user(user, |user| user.profile = after);
            }
            Change::AccessPeriodChanged { user, after, .. } => {
                self.change_user(user, |user| user.access = after);
            }
            Change::UserGroupsChanged { user, after, .. } => {
                self.change_user(user, |user| user.groups = after);
            }
            Change::UserPoliciesChanged { user, after, .. } => {
                self.change_user(user, |user| user.policies = after);
            }
            Change::UserDeactivated { user, deactivation } => self.change_user(user, |user| {
                user.standing = Standing::Deactivated(Deactivation {
                    revision,
                    ..deactivation
                });
            }),
            Change::UserReactivated {
                user, expired_end, ..
            } => {
                self.unconfirmed.remove(&user);
                self.change_user(user, |user| {
                    user.standing = Standing::Active;
                    if expired_end.is_some() {
                        user.access.ends = None;
                    }
                });
            }
            Change::UserRemoved {
                tombstone,
                retired,
                burned,
                ..
            } => {
                let user = tombstone.id;
                for credential in self.credentials.values().filter(|it| it.user == user) {
                    self.readmitted.remove(credential.id.as_bytes());
                }
                self.credentials
                    .retain(|_, credential| credential.user != user);
                let credentials = &self.credentials;
                self.exposed_pins
                    .retain(|id, _| credentials.contains_key(id));
                self.unconfirmed.remove(&user);
                self.retired
                    .extend(retired.iter().map(|pin| (pin.digest, pin.until)));
                self.burned.extend(burned);
                self.users.insert(
                    user,
                    UserRecord::Removed(crate::user::Tombstone {
                        revision,
                        ..tombstone
                    }),
                );
            }
            Change::UserErased { user, at } => {
                self.change_erasure(user, |_| Erasure::Done { at });
            }
            Change::OperatorErased(operator) => {
                self.operators.remove(&operator);
                self.alerts_chosen.remove(&operator);
            }
            Change::ErasureHeld {
                user, by, since, ..
            } => self.change_erasure(user, |erasure| match erasure {
                Erasure::Due { at: due } => Erasure::Held { by, since, due },
                Erasure::Held { .. } | Erasure::Done { .. } => erasure,
            }),
            Change::ErasureReleased { user } => {
                self.change_erasure(user, |erasure| match erasure {
                    Erasure::Held { due: at, .. } => Erasure::Due { at },
                    Erasure::Due { .. } | Erasure::Done { .. } => erasure,
                });
            }
            Change::KeepingChanged { after, .. } => self.keeping = after,
            Change::AddressesAnnounced { after, .. } => self.addresses = after,
            Change::CredentialAdded(credential) => {
                self.change_user(credential.user, |_| {});
                self.credentials.insert(credential.id, credential);
            }
            Change::CredentialRemoved {
                credential,
                retired,
                burned,
            } => {
                self.change_user(credential.user, |_| {});
                self.credentials.remove(&credential.id);
                self.exposed_pins.remove(&credential.id);
                self.retired
                    .extend(retired.map(|pin| (pin.digest, pin.until)));
                self.burned.extend(burned);
            }
            Change::CredentialLost {
                credential,
                user,
                since,
            } => {
                self.change_user(user, |_| {});
                if let Some(credential) = self.credentials.get_mut(&credential) {
                    credential.state = CredentialState::Lost { since };
                }
            }
            Change::CredentialFound { credential, user } => {
                self.change_user(user, |_| {});
                if let Some(credential) = self.credentials.get_mut(&credential) {
                    credential.state = CredentialState::Usable;
                }
            }
            Change::PinRefused { .. } => self.pin_refusals.push((actor, now)),
            Change::UserExported(_) | Change::SessionsEnded(_) => {}
            Change::Group(edit) => {
                put(
                    &mut self.groups,
                    edit,
                    |it| it.id,
                    |it| Group { revision, ..it },
                );
            }
            Change::Site(edit) => {
                put(
                    &mut self.sites,
                    edit,
                    |it| it.id,
                    |it| Site { revision, ..it },
                );
            }
            Change::LimitLengthened { after, .. } => {
                self.longer_limits.insert(after.door, after);
            }
            Change::LongerLimitEnded(limit) => {
                self.longer_limits.remove(&limit.door);
            }
            Change::Door(edit) => {
                if let Edit::Deleted(door) = &edit {
                    self.longer_limits.remove(&door.id);
                }
                put(
                    &mut self.doors,
                    edit,
                    |it| it.id,
                    |it| Door { revision, ..it },
                );
            }
            Change::DoorGroup(edit) => {
                put(
                    &mut self.door_groups,
                    edit,
                    |it| it.id,
                    |it| DoorGroup { revision, ..it },
                );
            }
            Change::Policy(edit) => {
                put(
                    &mut self.policies,
                    edit,
                    |it| it.id,
                    |it| Policy { revision, ..it },
                );
            }
            Change::Schedule(edit) => {
                put(
                    &mut self.schedules,
                    edit,
                    |it| it.id,
                    |it| Schedule { revision, ..it },
                );
            }
            Change::HolidayGroup(edit) => {
                put(
                    &mut self.holiday_groups,
                    edit,
                    |it| it.id,
                    |it| HolidayGroup { revision, ..it },
                );
            }
            Change::EmergencyList(edit) => {
                put(
                    &mut self.emergency_lists,
                    edit,
                    |it| it.id,
                    |it| EmergencyList { revision, ..it },
                );
            }
            Change::JoinTokenCreated(token) => {
                self.join_tokens.insert(token.id, token);
            }
            Change::JoinTokenWithdrawn(token) => self.set_token(token, JoinTokenState::Withdrawn),
            Change::AgentEnrolled { agent, token } => {
                self.set_token(token, JoinTokenState::Used { by: agent.id });
                self.agents.insert(agent.id, Agent { revision, ..agent });
            }
            Change::AgentRevoked { agent, at } => {
                let state = AgentState::Revoked { at };
                self.agents.insert(
                    agent.id,
                    Agent {
                        revision,
                        state,
                        ..agent
                    },
                );
            }
            Change::AgentStolen { agent, .. } => {
                for pin in self.pins_of(agent) {
                    self.exposed_pins.entry(pin).or_insert(agent);
                }
            }
            Change::Operator(edit) => {
                put(
                    &mut self.operators,
                    edit,
                    |it| it.id,
                    |it| Operator { revision, ..it },
                );
            }
            Change::PasswordSet(operator, hash) => {
                if let Some(operator) = self.operators.get_mut(&operator) {
                    operator.password = Some(hash);
                    operator.revision = revision;
                }
            }
            // Kept outside the records.
            Change::ServerKeyReplaced(_)
            | Change::MailTested
            | Change::WebhookTested
            | Change::WebhookSecretReplaced => {}
            Change::MailServerChanged { after, .. } => {
                self.mail_server = after.map(|after| *after);
            }
            Change::CheckpointMailChanged { after, .. } => self.checkpoint_mail = after,
            Change::WebhookChanged { after, .. } => self.webhook = after.map(|after| *after),
            Change::AlertsChosen {
                operator, after, ..
            } => {
                self.alerts_chosen.insert(operator, after);
            }
            Change::Restored(restored) => self.known.push((restored.epoch, restored.last)),
            Change::CalendarsExtended { from_year } => self.calendars_from = from_year,
        }
    }

    fn change_user(&mut self, user: UserId, edit: impl FnOnce(&mut User)) {
        if let Some(UserRecord::Present(user)) = self.users.get_mut(&user) {
            edit(user);
            user.revision = self.revision;
        }
    }

    fn change_erasure(&mut self, user: UserId, edit: impl FnOnce(Erasure) -> Erasure) {
        if let Some(UserRecord::Removed(tombstone)) = self.users.get_mut(&user) {
            tombstone.erasure = edit(tombstone.erasure);
        }
    }

    fn set_token(&mut self, token: JoinTokenId, state: JoinTokenState) {
        if let Some(token) = self.join_tokens.get_mut(&token) {
            token.state = state;
        }
    }

    fn pins_of(&self, agent: AgentId) -> BTreeSet<CredentialId> {
        let known = self.known_pins.get(&agent).into_iter().flatten().copied();
        known
            .filter(|pin| self.credentials.contains_key(pin))
            .collect()
    }

    fn count_users(&self, has: impl Fn(&User) -> bool) -> u64 {
        let count = self.users.values().filter(|user| match user {
            UserRecord::Present(user) => has(user),
            UserRecord::Removed(_) => false,
        });
        count.count() as u64
    }
}

fn put<K: Ord, T>(
    all: &mut BTreeMap<K, T>,
    edit: Edit<T>,
    key: impl Fn(&T) -> K,
    stamp: impl Fn(T) -> T,
) {
    match edit {
        Edit::Created(thing) => {
            all.insert(key(&thing), stamp(thing));
        }
        Edit::Changed(_, thing) => {
            all.insert(key(&thing), stamp(*thing));
        }
        Edit::Deleted(thing) => {
            all.remove(&key(&thing));
        }
    }
}

fn list<K, T: Clone>(all: &BTreeMap<K, T>) -> Result<Vec<T>, Infallible> {
    Ok(all.values().cloned().collect())
}

impl Records for Memory {
    type Error = Infallible;

    fn user(&self, id: UserId) -> Result<Option<UserRecord>, Infallible> {
        Ok(self.users.get(&id).cloned())
    }
    fn credential(&self, id: CredentialId) -> Result<Option<Credential>, Infallible> {
        Ok(self.credentials.get(&id).cloned())
    }
    fn credentials_of(&self, user: UserId) -> Result<Vec<Credential>, Infallible> {
        Ok(self
            .credentials
            .values()
            .filter(|credential| credential.user == user)
            .cloned()
            .collect())
    }
    fn pin_use(&self, pin: &PinDigest, now: Timestamp) -> Result<PinUse, Infallible> {
        let retired = self.retired.get(pin).is_some_and(|until| now < *until);
        let held = self.credentials.values().any(
            |credential| matches!(&credential.means, Means::Pin { digest, .. } if digest == pin),
        );
        Ok(if retired || held {
            PinUse::Taken
        } else {
            PinUse::Free
        })
    }
    fn card_use(&self, token: &CardToken) -> Result<CardUse, Infallible> {
        if self.burned.contains(token) {
            return Ok(CardUse::Burned);
        }
        let holder = self.credentials.values().find(
            |credential| matches!(&credential.means, Means::NfcCard { token: held, .. } if held == token),
        );
        Ok(holder.map_or(CardUse::Free, |credential| CardUse::Held(credential.user)))
    }
    fn plate_holders(&self, plate: &Plate) -> Result<Vec<Credential>, Infallible> {
        let holds = |credential: &&Credential| matches!(&credential.means, Means::LicencePlate { plate: held, .. } if held == plate);
        Ok(self.credentials.values().filter(holds).cloned().collect())
    }
    fn pin_refusals(&self, actor: Actor, since: Timestamp) -> Result<u64, Infallible> {
        let of_actor = |(by, at): &&(Actor, Timestamp)| *by == actor && *at >= since;
        Ok(self.pin_refusals.iter().filter(of_actor).count() as u64)
    }
    fn doors_not_confirmed(&self, user: UserId, _: Timestamp) -> Result<Vec<DoorId>, Infallible> {
        Ok(self
            .unconfirmed
            .get(&user)
            .into_iter()
            .flatten()
            .copied()
            .collect())
    }
    fn group(&self, id: GroupId) -> Result<Option<Group>, Infallible> {
        Ok(self.groups.get(&id).cloned())
    }
    fn groups(&self) -> Result<Vec<Group>, Infallible> {
        list(&self.groups)
    }
    fn members(&self, group: GroupId) -> Result<u64, Infallible> {
        Ok(self.count_users(|user| user.groups.contains(&group)))
    }
    fn site(&self, id: SiteId) -> Result<Option<Site>, Infallible> {
        Ok(self.sites.get(&id).cloned())
    }
    fn sites(&self) -> Result<Vec<Site>, Infallible> {
        list(&self.sites)
    }
    fn door(&self, id: DoorId) -> Result<Option<Door>, Infallible> {
        Ok(self.doors.get(&id).cloned())
    }
    fn doors(&self) -> Result<Vec<Door>, Infallible> {
        list(&self.doors)
    }
    fn longer_limit(&self, door: DoorId) -> Result<Option<LongerLimit>, Infallible> {
        Ok(self.longer_limits.get(&door).cloned())
    }
    fn door_group(&self, id: DoorGroupId) -> Result<Option<DoorGroup>, Infallible> {
        Ok(self.door_groups.get(&id).cloned())
    }
    fn door_groups(&self) -> Result<Vec<DoorGroup>, Infallible> {
        list(&self.door_groups)
    }
    fn policy(&self, id: PolicyId) -> Result<Option<Policy>, Infallible> {
        Ok(self.policies.get(&id).cloned())
    }
    fn policies(&self) -> Result<Vec<Policy>, Infallible> {
        list(&self.policies)
    }
    fn policy_holders(&self, policy: PolicyId) -> Result<u64, Infallible> {
        Ok(self.count_users(|user| user.policies.contains(&policy)))
    }
    fn schedule(&self, id: ScheduleId) -> Result<Option<Schedule>, Infallible> {
        Ok(self.schedules.get(&id).cloned())
    }
    fn schedules(&self) -> Result<Vec<Schedule>, Infallible> {
        list(&self.schedules)
    }
    fn holiday_group(&self, id: HolidayGroupId) -> Result<Option<HolidayGroup>, Infallible> {
        Ok(self.holiday_groups.get(&id).cloned())
    }
    fn holiday_groups(&self) -> Result<Vec<HolidayGroup>, Infallible> {
        list(&self.holiday_groups)
    }
    fn emergency_list(&self, id: EmergencyListId) -> Result<Option<EmergencyList>, Infallible> {
        Ok(self.emergency_lists.get(&id).cloned())
    }
    fn emergency_lists(&self) -> Result<Vec<EmergencyList>, Infallible> {
        list(&self.emergency_lists)
    }
    fn agent(&self, id: AgentId) -> Result<Option<Agent>, Infallible> {
        Ok(self.agents.get(&id).cloned())
    }
    fn pins_known_to(&self, agent: AgentId) -> Result<u64, Infallible> {
        Ok(self.pins_of(agent).len() as u64)
    }
    fn agents(&self) -> Result<Vec<Agent>, Infallible> {
        list(&self.agents)
    }
    fn join_token(&self, id: JoinTokenId) -> Result<Option<JoinToken>, Infallible> {
        Ok(self.join_tokens.get(&id).cloned())
    }
    fn join_token_with(&self, secret: &JoinSecretHash) -> Result<Option<JoinToken>, Infallible> {
        Ok(self
            .join_tokens
            .values()
            .find(|token| token.secret == *secret)
            .cloned())
    }
    fn operator(&self, id: OperatorId) -> Result<Option<Operator>, Infallible> {
        Ok(self.operators.get(&id).cloned())
    }
    fn operators(&self) -> Result<Vec<Operator>, Infallible> {
        list(&self.operators)
    }
    fn operator_by_email(&self, email: &Email) -> Result<Option<Operator>, Infallible> {
        let address = fold(email.as_str());
        Ok(self
            .operators
            .values()
            .find(|it| fold(it.email.as_str()) == address)
            .cloned())
    }
    fn keeping(&self) -> Result<Keeping, Infallible> {
        Ok(self.keeping)
    }
    fn known_of(&self, epoch: Epoch) -> Result<Option<Revision>, Infallible> {
        let mut known = self.known.iter();
        Ok(known.find(|(of, _)| *of == epoch).map(|(_, last)| *last))
    }
    fn readmitted(&self, subject: &[u8; 16]) -> Result<Option<Revision>, Infallible> {
        let backup = self.known.last().map_or(Revision::ZERO, |(_, last)| *last);
        let since = |revision: &Revision| *revision > backup;
        Ok(self.readmitted.get(subject).copied().filter(since))
    }
    fn server_addresses(&self) -> Result<ServerAddresses, Infallible> {
        Ok(self.addresses.clone())
    }
    fn mail_server(&self) -> Result<Option<MailServer>, Infallible> {
        Ok(self.mail_server.clone())
    }
    fn checkpoint_mail(&self) -> Result<Option<CheckpointMail>, Infallible> {
        Ok(self.checkpoint_mail.clone())
    }
    fn webhook(&self) -> Result<Option<Webhook>, Infallible> {
        Ok(self.webhook.clone())
    }
    fn alerts_chosen(
        &self,
        operator: OperatorId,
    ) -> Result<Option<BTreeSet<AlertKind>>, Infallible> {
        Ok(self.alerts_chosen.get(&operator).cloned())
    }
    fn calendars_from(&self) -> Result<i16, Infallible> {
        Ok(self.calendars_from)
    }
}
