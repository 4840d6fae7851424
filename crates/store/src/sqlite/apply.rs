//! Changes become rows.

use std::collections::BTreeSet;

use offgate_core::agent::{Agent, AgentState, JoinToken};
use offgate_core::backup::Restored;
use offgate_core::change::{Change, Edit, RetiredPin};
use offgate_core::credential::{CardToken, Credential, CredentialState, Means, PlateSharing};
use offgate_core::fail_mode::EmergencyList;
use offgate_core::id::{GroupId, JoinTokenId, PolicyId, UserId};
use offgate_core::operator::{Operator, OperatorState};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::place::{Direction, Door, DoorGroup, Site};
use offgate_core::policy::{
    Group, HolidayGroup, Policy, PolicyHours, Recurrence, Schedule, Weekday,
};
use offgate_core::text::fold;
use offgate_core::user::{AccessPeriod, Deactivation, Profile, Tombstone, User};
use rusqlite::{Connection, Params, params};

use super::furniture::HOLIDAY;
use super::rows::{actor_columns, number};
use super::{
    alerts, erasure, exposed_pins, given_up, longer_limits, mail, readmissions, sign_in, webhook,
};
use crate::error::StoreError;
use crate::vault::Vault;

/// Applies one change at its position in the log.
pub(super) fn change(
    connection: &Connection,
    vault: &Vault,
    revision: Revision,
    change: &Change,
    now: Timestamp,
) -> Result<(), StoreError> {
    let revision = number(revision);
    readmissions::note(connection, change, revision)?;
    Apply {
        connection,
        vault,
        revision,
        now,
    }
    .change(change)
}

struct Apply<'c> {
    connection: &'c Connection,
    vault: &'c Vault,
    revision: i64,
    now: Timestamp,
}

impl Apply<'_> {
    fn run(&self, sql: &'static str, parameters: impl Params) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute(parameters)?;
        Ok(())
    }

    fn change(&self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::UserCreated(user) => self.user_created(user),
            Change::ProfileChanged { user, after, .. } => self.profile(*user, after),
            Change::AccessPeriodChanged { user, after, .. } => self.access(*user, *after),
            Change::UserGroupsChanged { user, after, .. } => {
                self.groups(*user, after)?;
                self.touch(*user)
            }
            Change::UserPoliciesChanged { user, after, .. } => {
                self.policies(*user, after)?;
                self.touch(*user)
            }
            Change::UserDeactivated { user, deactivation } => self.deactivated(*user, deactivation),
            Change::UserReactivated {
                user, expired_end, ..
            } => self.reactivated(*user, expired_end.is_some()),
            Change::UserRemoved {
                tombstone,
                retired,
                burned,
                ..
            } => self.removed(tombstone, retired, burned),
            Change::UserErased { user, at } => erasure::user(self.connection, *user, *at),
            Change::OperatorErased(operator) => {
                erasure::operator(self.connection, *operator, self.now)
            }
            Change::ErasureHeld {
                user, by, since, ..
            } => erasure::hold(self.connection, *user, *by, *since),
            Change::ErasureReleased { user } => erasure::release(self.connection, *user),
            Change::KeepingChanged { after, .. } => erasure::set_keeping(self.connection, *after),
            Change::CredentialAdded(credential) => {
                self.credential(credential)?;
                self.touch(credential.user)
            }
            Change::CredentialRemoved {
                credential,
                retired,
                burned,
            } => {
                self.run(
                    "DELETE FROM credential WHERE id = ?1",
                    params![credential.id.as_bytes()],
                )?;
                given_up::retire(self.connection, self.vault, retired.as_slice(), self.now)?;
                given_up::burn(self.connection, self.vault, burned.as_slice())?;
                self.touch(credential.user)
            }
            Change::CredentialLost {
                credential,
                user,
                since,
            } => {
                self.run(
                    "UPDATE credential SET lost_since = ?2 WHERE id = ?1",
                    params![credential.as_bytes(), since.microseconds()],
                )?;
                self.touch(*user)
            }
            Change::CredentialFound { credential, user } => {
                self.run(
                    "UPDATE credential SET lost_since = NULL WHERE id = ?1",
                    params![credential.as_bytes()],
                )?;
                self.touch(*user)
            }
            // Kept in the log, where it is counted.
            Change::PinRefused { .. } => Ok(()),
            Change::UserExported(_) => Ok(()),
            Change::SessionsEnded(operator) => sign_in::end_all(self.connection, *operator),
            Change::Group(edit) => self.group(edit),
            Change::Site(edit) => self.site(edit),
            Change::Door(edit) => self.door(edit),
            Change::LimitLengthened { after, .. } => longer_limits::set(self.connection, after),
            Change::LongerLimitEnded(limit) => longer_limits::end(self.connection, limit.door),
            Change::DoorGroup(edit) => self.door_group(edit),
            Change::Policy(edit) => self.policy(edit),
            Change::Schedule(edit) => self.schedule(edit),
            Change::HolidayGroup(edit) => self.holiday_group(edit),
            Change::EmergencyList(edit) => self.emergency_list(edit),
            Change::JoinTokenCreated(token) => self.join_token(token),
            Change::JoinTokenWithdrawn(token) => self.run(
                "UPDATE join_token SET state = 'withdrawn' WHERE id = ?1",
                params![token.as_bytes()],
            ),
            Change::AgentEnrolled { agent, token } => self.enrolled(agent, *token),
            Change::AgentRevoked { agent, at } => self.run(
                "UPDATE agent SET revoked_at = ?2, revision = ?3 WHERE id = ?1",
                params![agent.id.as_bytes(), at.microseconds(), self.revision],
            ),
            Change::AgentStolen { agent, at, .. } => {
                exposed_pins::expose(self.connection, *agent, *at)
            }
            Change::Operator(edit) => self.operator(edit),
            Change::PasswordSet(operator, hash) => {
                self.run(
                    "UPDATE operator SET password = ?2, revision = ?3 WHERE id = ?1",
                    params![operator.as_bytes(), hash.as_phc(), self.revision],
                )?;
                // Whoever knew the old one is out.
                sign_in::end_all(self.connection, *operator)
            }
            // The log's entry is all there is to it.
            Change::AddressesAnnounced { after, .. } => {
                self.run("UPDATE store SET addresses = ?1", params![after.to_lines()])
            }
            Change::ServerKeyReplaced(_)
            | Change::MailTested
            | Change::WebhookTested
            | Change::WebhookSecretReplaced => Ok(()),
            Change::MailServerChanged { after, .. } => {
                mail::set_server(self.connection, after.as_deref(), self.now)
            }
            Change::CheckpointMailChanged { after, .. } => {
                mail::set_checkpoint_mail(self.connection, after.as_ref(), self.now)
            }
            Change::WebhookChanged { after, .. } => {
                webhook::set(self.connection, after.as_deref(), self.now)
            }
            Change::AlertsChosen {
                operator, after, ..
            } => alerts::choose(self.connection, *operator, after),
            Change::Restored(restored) => self.restored(restored),
            Change::CalendarsExtended { from_year } => {
                self.run("UPDATE store SET calendars_from = ?1", params![from_year])
            }
        }
    }

    /// What an agent said before is about another history, which may have gone on beyond the
    /// backup: every table is due to be confirmed at this revision, and with it every refusal that
    /// stands, by whichever agent decides there now: one that was put there since may have been told
    /// of an admission that is forgotten. Which settings a door works by, and since when, the server that was lost knew: no
    /// limit can be named before the door has acknowledged something in this history.
    fn restored(&self, restored: &Restored) -> Result<(), StoreError> {
        let counter = i64::try_from(restored.epoch.counter).unwrap_or(i64::MAX);
        self.run(
            "INSERT INTO restore (revision, at, made_at, epoch_counter, epoch_nonce, last) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                self.revision,
                self.now.microseconds(),
                restored.made_at.microseconds(),
                counter,
                restored.epoch.nonce,
                number(restored.last)
            ],
        )?;
        self.run(
            "UPDATE confirmation SET confirmed_at = NULL, receipt = NULL, ended_at = NULL, \
             connected = 0, renewed_at = NULL, renewed_boot = NULL, renewed_since_boot = NULL, \
             agent = (SELECT agent FROM door WHERE id = confirmation.door) \
             WHERE what = 'refuse' \
             AND door IN (SELECT id FROM door WHERE agent IS NOT NULL) \
             AND revision = (SELECT max(latest.revision) FROM confirmation latest \
                             WHERE latest.user = confirmation.user)",
            params![],
        )?;
        self.run(
            "UPDATE agent_table SET revision = ?1",
            params![self.revision],
        )?;
        self.run(
            "INSERT INTO contact (agent, connected, heard_at, renewed_at) \
             SELECT id, 0, ?1, NULL FROM agent WHERE revoked_at IS NULL \
             ON CONFLICT (agent) DO UPDATE SET connected = 0, renewed_at = NULL, \
             renewed_boot = NULL, renewed_since_boot = NULL",
            params![self.now.microseconds()],
        )?;
        // Whichever server was started then, it was another one.
        self.run("DELETE FROM serving", params![])
    }

    fn touch(&self, user: UserId) -> Result<(), StoreError> {
        self.run(
            "UPDATE user SET revision = ?2 WHERE id = ?1",
            params![user.as_bytes(), self.revision],
        )
    }

    fn user_created(&self, user: &User) -> Result<(), StoreError> {
        let User {
            id,
            revision: _,
            created_at,
            profile,
            access,
            groups,
            policies,
            standing: _,
        } = user;
        self.run(
            "INSERT INTO user (id, revision, status, created_at, first_name, last_name) \
             VALUES (?1, ?2, 'active', ?3, ?4, ?5)",
            params![
                id.as_bytes(),
                self.revision,
                created_at.microseconds(),
                profile.first_name.as_str(),
                profile.last_name.as_str()
            ],
        )?;
        self.profile(*id, profile)?;
        self.access(*id, *access)?;
        self.groups(*id, groups)?;
        self.policies(*id, policies)
    }

    fn profile(&self, user: UserId, profile: &Profile) -> Result<(), StoreError> {
        let Profile {
            first_name,
            last_name,
            preferred_name,
            email,
            phone,
            employee_number,
        } = profile;
        self.run(
            "UPDATE user SET first_name = ?2, last_name = ?3, preferred_name = ?4, email = ?5, \
             phone = ?6, employee_number = ?7, sort_key = ?8, revision = ?9 WHERE id = ?1",
            params![
                user.as_bytes(),
                first_name.as_str(),
                last_name.as_str(),
                preferred_name.as_ref().map(|name| name.as_str()),
                email.as_ref().map(|email| email.as_str()),
                phone.as_ref().map(|phone| phone.as_str()),
                employee_number.as_ref().map(|number| number.as_str()),
                profile.sort_key(),
                self.revision
            ],
        )
    }

    fn access(&self, user: UserId, access: AccessPeriod) -> Result<(), StoreError> {
        self.run(
            "UPDATE user SET access_starts = ?2, access_ends = ?3, revision = ?4 WHERE id = ?1",
            params![
                user.as_bytes(),
                access.starts.map(Timestamp::microseconds),
                access.ends.map(Timestamp::microseconds),
                self.revision
            ],
        )
    }

    fn groups(&self, user: UserId, groups: &BTreeSet<GroupId>) -> Result<(), StoreError> {
        self.run(
            "DELETE FROM membership WHERE user = ?1",
            params![user.as_bytes()],
        )?;
        groups.iter().try_for_each(|group| {
            self.run(
                "INSERT INTO membership (user, user_group) VALUES (?1, ?2)",
                params![user.as_bytes(), group.as_bytes()],
            )
        })
    }

    fn policies(&self, user: UserId, policies: &BTreeSet<PolicyId>) -> Result<(), StoreError> {
        self.run(
            "DELETE FROM user_policy WHERE user = ?1",
            params![user.as_bytes()],
        )?;
        policies.iter().try_for_each(|policy| {
            self.run(
                "INSERT INTO user_policy (user, policy) VALUES (?1, ?2)",
                params![user.as_bytes(), policy.as_bytes()],
            )
        })
    }

    fn deactivated(&self, user: UserId, deactivation: &Deactivation) -> Result<(), StoreError> {
        let Deactivation {
            at,
            by,
            reason,
            note,
            employment_ended_at,
            revision: _,
        } = deactivation;
        let (by, by_id) = actor_columns(*by);
        self.run(
            "UPDATE user SET status = 'deactivated', deactivated_at = ?2, deactivated_by = ?3, \
             deactivated_by_id = ?4, deactivation_reason = ?5, deactivation_note = ?6, \
             employment_ended_at = ?7, deactivation_revision = ?8, revision = ?8 WHERE id = ?1",
            params![
                user.as_bytes(),
                at.microseconds(),
                by,
                by_id,
                reason.name(),
                note.as_ref().map(|note| note.as_str()),
                employment_ended_at.microseconds(),
                self.revision
            ],
        )
    }

    fn reactivated(&self, user: UserId, end_is_over: bool) -> Result<(), StoreError> {
        self.run(
            "UPDATE user SET status = 'active', deactivated_at = NULL, deactivated_by = NULL, \
             deactivated_by_id = NULL, deactivation_reason = NULL, deactivation_note = NULL, \
             employment_ended_at = NULL, deactivation_revision = NULL, \
             access_ends = CASE WHEN ?2 THEN NULL ELSE access_ends END, revision = ?3 \
             WHERE id = ?1",
            params![user.as_bytes(), end_is_over, self.revision],
        )
    }

    fn removed(
        &self,
        tombstone: &Tombstone,
        retired: &[RetiredPin],
        burned: &[CardToken],
    ) -> Result<(), StoreError> {
        let Tombstone {
            id,
            removed_at,
            removed_by,
            revision: _,
            erasure: _,
        } = tombstone;
        given_up::retire(self.connection, self.vault, retired, self.now)?;
        given_up::burn(self.connection, self.vault, burned)?;
        mail::forget_person(self.connection, *id)?;
        self.run(
            "DELETE FROM credential WHERE user = ?1",
            params![id.as_bytes()],
        )?;
        self.run(
            "DELETE FROM membership WHERE user = ?1",
            params![id.as_bytes()],
        )?;
        self.run(
            "DELETE FROM user_policy WHERE user = ?1",
            params![id.as_bytes()],
        )?;
        let (by, by_id) = actor_columns(*removed_by);
        self.run(
            "UPDATE user SET status = 'removed', removed_at = ?2, removed_by = ?3, \
             removed_by_id = ?4, revision = ?5, created_at = NULL, first_name = NULL, \
             last_name = NULL, preferred_name = NULL, email = NULL, phone = NULL, \
             employee_number = NULL, sort_key = NULL, access_starts = NULL, access_ends = NULL, \
             deactivated_at = NULL, deactivated_by = NULL, deactivated_by_id = NULL, \
             deactivation_reason = NULL, deactivation_note = NULL, employment_ended_at = NULL, \
             deactivation_revision = NULL WHERE id = ?1",
            params![
                id.as_bytes(),
                removed_at.microseconds(),
                by,
                by_id,
                self.revision
            ],
        )
    }

    fn credential(&self, credential: &Credential) -> Result<(), StoreError> {
        let Credential {
            id,
            user,
            means,
            label,
            state,
            added_at,
        } = credential;
        let lost = match state {
            CredentialState::Usable => None,
            CredentialState::Lost { since } => Some(since.microseconds()),
        };
        self.run(
            "INSERT INTO credential (id, user, kind, label, lost_since, added_at, pin_digest, \
             pin_length, card_token, display_number, plate, plate_shared) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                id.as_bytes(),
                user.as_bytes(),
                means.kind().name(),
                label.as_ref().map(|label| label.as_str()),
                lost,
                added_at.microseconds(),
                match means {
                    Means::Pin { digest, .. } => Some(digest.as_bytes()),
                    _ => None,
                },
                match means {
                    Means::Pin { length, .. } => Some(length.digits()),
                    _ => None,
                },
                match means {
                    Means::NfcCard { token, .. } => Some(token.as_str()),
                    _ => None,
                },
                match means {
                    Means::NfcCard { display_number, .. } => Some(display_number.as_str()),
                    _ => None,
                },
                match means {
                    Means::LicencePlate { plate, .. } => Some(plate.as_str()),
                    _ => None,
                },
                match means {
                    Means::LicencePlate { sharing, .. } => {
                        Some(*sharing == PlateSharing::Shared)
                    }
                    _ => None,
                },
            ],
        )
    }

    fn group(&self, edit: &Edit<Group>) -> Result<(), StoreError> {
        let group = match edit {
            Edit::Created(group) => group,
            Edit::Changed(_, group) => group.as_ref(),
            Edit::Deleted(group) => {
                return self.run(
                    "DELETE FROM user_group WHERE id = ?1",
                    params![group.id.as_bytes()],
                );
            }
        };
        let Group {
            id,
            revision: _,
            name,
            parent,
            policies,
        } = group;
        self.run(
            "INSERT INTO user_group (id, revision, name, parent) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (id) DO UPDATE SET revision = ?2, name = ?3, parent = ?4",
            params![
                id.as_bytes(),
                self.revision,
                name.as_str(),
                parent.map(|id| *id.as_bytes())
            ],
        )?;
        self.run(
            "DELETE FROM user_group_policy WHERE user_group = ?1",
            params![id.as_bytes()],
        )?;
        policies.iter().try_for_each(|policy| {
            self.run(
                "INSERT INTO user_group_policy (user_group, policy) VALUES (?1, ?2)",
                params![id.as_bytes(), policy.as_bytes()],
            )
        })
    }

    fn site(&self, edit: &Edit<Site>) -> Result<(), StoreError> {
        let site = match edit {
            Edit::Created(site) => site,
            Edit::Changed(_, site) => site.as_ref(),
            Edit::Deleted(site) => {
                return self.run(
                    "DELETE FROM site WHERE id = ?1",
                    params![site.id.as_bytes()],
                );
            }
        };
        let Site {
            id,
            revision: _,
            name,
            zone,
            default_policy,
        } = site;
        self.run(
            "INSERT INTO site (id, revision, name, zone, default_policy) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET revision = ?2, name = ?3, \
             zone = ?4, default_policy = ?5",
            params![
                id.as_bytes(),
                self.revision,
                name.as_str(),
                zone.as_str(),
                default_policy.map(|id| *id.as_bytes())
            ],
        )
    }

    fn door(&self, edit: &Edit<Door>) -> Result<(), StoreError> {
        let door = match edit {
            Edit::Created(door) => door,
            Edit::Changed(_, door) => door.as_ref(),
            Edit::Deleted(door) => {
                return self.run(
                    "DELETE FROM door WHERE id = ?1",
                    params![door.id.as_bytes()],
                );
            }
        };
        let Door {
            id,
            revision: _,
            site,
            name,
            agent,
            lease,
            fail_mode,
            readers,
        } = door;
        self.run(
            "INSERT INTO door (id, revision, site, name, agent, lease_seconds, fail_mode, \
             emergency_list) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE \
             SET revision = ?2, site = ?3, name = ?4, agent = ?5, lease_seconds = ?6, \
             fail_mode = ?7, emergency_list = ?8",
            params![
                id.as_bytes(),
                self.revision,
                site.as_bytes(),
                name.as_str(),
                agent.map(|id| *id.as_bytes()),
                lease.seconds(),
                fail_mode.name(),
                fail_mode.list().map(|list| *list.as_bytes())
            ],
        )?;
        self.run("DELETE FROM reader WHERE door = ?1", params![id.as_bytes()])?;
        readers
            .iter()
            .enumerate()
            .try_for_each(|(position, reader)| {
                let direction = match reader.direction {
                    Direction::In => "in",
                    Direction::Out => "out",
                };
                self.run(
                    "INSERT INTO reader (id, door, position, direction) VALUES (?1, ?2, ?3, ?4)",
                    params![
                        reader.id.as_bytes(),
                        id.as_bytes(),
                        position as i64,
                        direction
                    ],
                )
            })
    }

    fn door_group(&self, edit: &Edit<DoorGroup>) -> Result<(), StoreError> {
        let group = match edit {
            Edit::Created(group) => group,
            Edit::Changed(_, group) => group.as_ref(),
            Edit::Deleted(group) => {
                return self.run(
                    "DELETE FROM door_group WHERE id = ?1",
                    params![group.id.as_bytes()],
                );
            }
        };
        let DoorGroup {
            id,
            revision: _,
            name,
            doors,
        } = group;
        self.run(
            "INSERT INTO door_group (id, revision, name) VALUES (?1, ?2, ?3) \
             ON CONFLICT (id) DO UPDATE SET revision = ?2, name = ?3",
            params![id.as_bytes(), self.revision, name.as_str()],
        )?;
        self.run(
            "DELETE FROM door_group_door WHERE door_group = ?1",
            params![id.as_bytes()],
        )?;
        doors.iter().try_for_each(|door| {
            self.run(
                "INSERT INTO door_group_door (door_group, door) VALUES (?1, ?2)",
                params![id.as_bytes(), door.as_bytes()],
            )
        })
    }

    fn policy(&self, edit: &Edit<Policy>) -> Result<(), StoreError> {
        let policy = match edit {
            Edit::Created(policy) => policy,
            Edit::Changed(_, policy) => policy.as_ref(),
            Edit::Deleted(policy) => {
                return self.run(
                    "DELETE FROM policy WHERE id = ?1",
                    params![policy.id.as_bytes()],
                );
            }
        };
        let Policy {
            id,
            revision: _,
            name,
            doors,
            door_groups,
            hours,
        } = policy;
        let schedule = match hours {
            PolicyHours::Always => None,
            PolicyHours::Scheduled(schedule) => Some(*schedule.as_bytes()),
        };
        self.run(
            "INSERT INTO policy (id, revision, name, schedule) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (id) DO UPDATE SET revision = ?2, name = ?3, schedule = ?4",
            params![id.as_bytes(), self.revision, name.as_str(), schedule],
        )?;
        self.run(
            "DELETE FROM policy_door WHERE policy = ?1",
            params![id.as_bytes()],
        )?;
        self.run(
            "DELETE FROM policy_door_group WHERE policy = ?1",
            params![id.as_bytes()],
        )?;
        doors.iter().try_for_each(|door| {
            self.run(
                "INSERT INTO policy_door (policy, door) VALUES (?1, ?2)",
                params![id.as_bytes(), door.as_bytes()],
            )
        })?;
        door_groups.iter().try_for_each(|group| {
            self.run(
                "INSERT INTO policy_door_group (policy, door_group) VALUES (?1, ?2)",
                params![id.as_bytes(), group.as_bytes()],
            )
        })
    }

    fn schedule(&self, edit: &Edit<Schedule>) -> Result<(), StoreError> {
        let schedule = match edit {
            Edit::Created(schedule) => schedule,
            Edit::Changed(_, schedule) => schedule.as_ref(),
            Edit::Deleted(schedule) => {
                return self.run(
                    "DELETE FROM schedule WHERE id = ?1",
                    params![schedule.id.as_bytes()],
                );
            }
        };
        let Schedule {
            id,
            revision: _,
            name,
            weekly,
            holidays,
        } = schedule;
        self.run(
            "INSERT INTO schedule (id, revision, name, holiday_group) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (id) DO UPDATE SET revision = ?2, name = ?3, holiday_group = ?4",
            params![
                id.as_bytes(),
                self.revision,
                name.as_str(),
                holidays.as_ref().map(|hours| *hours.group.as_bytes())
            ],
        )?;
        self.run(
            "DELETE FROM schedule_window WHERE schedule = ?1",
            params![id.as_bytes()],
        )?;
        let day = |weekday: &Weekday| {
            Weekday::ALL
                .iter()
                .position(|other| other == weekday)
                .unwrap_or(HOLIDAY)
        };
        let weekly = weekly
            .iter()
            .map(|(weekday, window)| (day(weekday), window));
        let holiday = holidays.iter().flat_map(|hours| &hours.windows);
        let windows = weekly.chain(holiday.map(|window| (HOLIDAY, window)));
        windows
            .enumerate()
            .try_for_each(|(position, (day, window))| {
                self.run(
                    "INSERT INTO schedule_window (schedule, position, day, from_minute, to_minute) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![
                        id.as_bytes(),
                        position as i64,
                        day as i64,
                        window.from(),
                        window.to()
                    ],
                )
            })
    }

    fn emergency_list(&self, edit: &Edit<EmergencyList>) -> Result<(), StoreError> {
        let list = match edit {
            Edit::Created(list) => list,
            Edit::Changed(_, list) => list.as_ref(),
            Edit::Deleted(list) => {
                return self.run(
                    "DELETE FROM emergency_list WHERE id = ?1",
                    params![list.id.as_bytes()],
                );
            }
        };
        let EmergencyList {
            id,
            revision: _,
            name,
            people,
            limit,
        } = list;
        self.run(
            "INSERT INTO emergency_list (id, revision, name, limit_seconds) \
             VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (id) DO UPDATE SET revision = ?2, name = ?3, limit_seconds = ?4",
            params![id.as_bytes(), self.revision, name.as_str(), limit.seconds()],
        )?;
        self.run(
            "DELETE FROM emergency_list_person WHERE emergency_list = ?1",
            params![id.as_bytes()],
        )?;
        people.iter().try_for_each(|user| {
            self.run(
                "INSERT INTO emergency_list_person (emergency_list, user) VALUES (?1, ?2)",
                params![id.as_bytes(), user.as_bytes()],
            )
        })
    }

    fn holiday_group(&self, edit: &Edit<HolidayGroup>) -> Result<(), StoreError> {
        let group = match edit {
            Edit::Created(group) => group,
            Edit::Changed(_, group) => group.as_ref(),
            Edit::Deleted(group) => {
                return self.run(
                    "DELETE FROM holiday_group WHERE id = ?1",
                    params![group.id.as_bytes()],
                );
            }
        };
        let HolidayGroup {
            id,
            revision: _,
            name,
            holidays,
        } = group;
        self.run(
            "INSERT INTO holiday_group (id, revision, name) VALUES (?1, ?2, ?3) \
             ON CONFLICT (id) DO UPDATE SET revision = ?2, name = ?3",
            params![id.as_bytes(), self.revision, name.as_str()],
        )?;
        self.run(
            "DELETE FROM holiday WHERE holiday_group = ?1",
            params![id.as_bytes()],
        )?;
        holidays
            .iter()
            .enumerate()
            .try_for_each(|(position, holiday)| {
                let recurrence = match holiday.recurrence {
                    Recurrence::Once => "once",
                    Recurrence::EveryYear => "every-year",
                };
                self.run(
                    "INSERT INTO holiday (holiday_group, position, name, first_day, last_day, \
                 recurrence) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        id.as_bytes(),
                        position as i64,
                        holiday.name.as_str(),
                        holiday.first.0,
                        holiday.last.0,
                        recurrence
                    ],
                )
            })
    }

    fn join_token(&self, token: &JoinToken) -> Result<(), StoreError> {
        let JoinToken {
            id,
            secret,
            name,
            doors,
            expires_at,
            state: _,
        } = token;
        self.run(
            "INSERT INTO join_token (id, secret, name, expires_at, state) \
             VALUES (?1, ?2, ?3, ?4, 'open')",
            params![
                id.as_bytes(),
                secret.0,
                name.as_str(),
                expires_at.microseconds()
            ],
        )?;
        doors.iter().try_for_each(|door| {
            self.run(
                "INSERT INTO join_token_door (join_token, door) VALUES (?1, ?2)",
                params![id.as_bytes(), door.as_bytes()],
            )
        })
    }

    fn enrolled(&self, agent: &Agent, token: JoinTokenId) -> Result<(), StoreError> {
        let Agent {
            id,
            revision: _,
            name,
            key,
            hash_key,
            enrolled_at,
            state,
        } = agent;
        let revoked = match state {
            AgentState::Enrolled => None,
            AgentState::Revoked { at } => Some(at.microseconds()),
        };
        self.run(
            "INSERT INTO agent (id, revision, name, key, hash_key, enrolled_at, revoked_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                id.as_bytes(),
                self.revision,
                name.as_str(),
                key.0,
                hash_key.as_bytes(),
                enrolled_at.microseconds(),
                revoked
            ],
        )?;
        self.run(
            "UPDATE join_token SET state = 'used', used_by = ?2 WHERE id = ?1",
            params![token.as_bytes(), id.as_bytes()],
        )
    }

    fn operator(&self, edit: &Edit<Operator>) -> Result<(), StoreError> {
        let operator = match edit {
            Edit::Created(operator) => operator,
            Edit::Changed(_, operator) => operator.as_ref(),
            Edit::Deleted(operator) => {
                return self.run(
                    "DELETE FROM operator WHERE id = ?1",
                    params![operator.id.as_bytes()],
                );
            }
        };
        let Operator {
            id,
            revision: _,
            name,
            email,
            role,
            user,
            password,
            state,
        } = operator;
        let ended = match state {
            OperatorState::Open => None,
            OperatorState::Ended { at } => Some(at.microseconds()),
        };
        self.run(
            "INSERT INTO operator (id, revision, name, email, email_folded, role, user, password, \
             ended_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO UPDATE SET \
             revision = ?2, name = ?3, email = ?4, email_folded = ?5, role = ?6, user = ?7, \
             password = ?8, ended_at = ?9",
            params![
                id.as_bytes(),
                self.revision,
                name.as_str(),
                email.as_str(),
                fold(email.as_str()),
                role.name(),
                user.map(|id| *id.as_bytes()),
                password.as_ref().map(|hash| hash.as_phc()),
                ended
            ],
        )
    }
}
