//! The answers to what the rules ask.

use std::collections::BTreeSet;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, AgentKey, JoinSecretHash, JoinToken};
use offgate_core::alert::AlertKind;
use offgate_core::confirmation::{self, Alone, Contact, DoorFacts, DoorStanding};
use offgate_core::credential::{CardToken, Credential, Plate};
use offgate_core::fail_mode::EmergencyList;
use offgate_core::fault::Fault;
use offgate_core::id::{
    AgentId, CredentialId, DoorGroupId, DoorId, EmergencyListId, GroupId, HolidayGroupId,
    JoinTokenId, OperatorId, PolicyId, ScheduleId, SiteId, UserId,
};
use offgate_core::keeping::Keeping;
use offgate_core::longer_limit::LongerLimit;
use offgate_core::mail::{CheckpointMail, MailServer};
use offgate_core::operator::Operator;
use offgate_core::parameters::{Clock, Epoch, Revision, Timestamp};
use offgate_core::pin::PinDigest;
use offgate_core::place::{Door, DoorGroup, Site};
use offgate_core::policy::{Group, HolidayGroup, Policy, Schedule};
use offgate_core::records::{CardUse, PinUse, Records};
use offgate_core::server_address::ServerAddresses;
use offgate_core::text::{Email, fold};
use offgate_core::user::{Standing, UserRecord};
use offgate_core::webhook::Webhook;
use rusqlite::{Connection, params};

use super::contacts::Counting;
use super::people::{credential_columns, operator_columns};
use super::positions::{position_join, positions};
use super::rows::{actor_columns, all, id, instant, number, one, optional_id, revision};
use super::{
    alerts, erasure, exposed_pins, furniture, given_up, longer_limits, mail, people, tables,
    webhook,
};
use super::{readmissions, restores};
use crate::error::StoreError;
use crate::vault::Vault;

/// The records, through one connection.
pub(crate) struct Rows<'c> {
    pub(crate) connection: &'c Connection,
    /// Knows what stands for the PINs and cards that were given up.
    pub(crate) vault: &'c Vault,
    /// Counts the limits of doors that are not heard.
    pub(crate) clock: &'c dyn Clock,
}

/// That a door refuses by its time limit.
pub(crate) struct EndedLimit {
    pub(crate) user: UserId,
    /// The change that it has not confirmed.
    pub(crate) revision: Revision,
    pub(crate) door: DoorId,
    pub(crate) at: Timestamp,
}

/// By the index of what waits for an agent.
const WAITING_SQL: &str = "SELECT c.revision, c.user FROM contact k CROSS JOIN confirmation c \
     ON c.agent = k.agent AND c.confirmed_at IS NULL \
     WHERE k.connected = 0 AND c.ended_at IS NULL AND c.what = 'refuse' \
     ORDER BY c.revision LIMIT 1000";
/// By the index of ends: the plus keeps SQLite from going through everybody who is active.
const ACCESS_ENDED_SQL: &str = "SELECT id FROM user WHERE access_ends IS NOT NULL AND access_ends <= ?1 \
     AND +status = 'active' LIMIT 100";
const DOORS_OF_SQL: &str = "SELECT id, revision, site, name, agent, lease_seconds, fail_mode, \
     emergency_list FROM door \
     WHERE agent = ?1 ORDER BY id";
const DOOR_FACTS_SQL: &str = concat!(
    "SELECT c.door, c.confirmed_at, k.connected, k.heard_at, d.agent, c.agent, c.ended_at, \
     c.renewed_at, c.renewed_boot, c.renewed_since_boot, c.position, p.position, p.since, \
     k.disk_fails_since, g.agent \
     FROM confirmation c \
     LEFT JOIN contact k ON k.agent = c.agent LEFT JOIN door d ON d.id = c.door \
     LEFT JOIN disagreement g ON g.agent = c.agent AND g.mended_at IS NULL ",
    position_join!(),
    "WHERE c.user = ?1 AND c.revision = ?2"
);

impl Rows<'_> {
    fn count(&self, sql: &'static str, id: &[u8; 16]) -> Result<u64, StoreError> {
        let count = one(self.connection, sql, params![id], |row| {
            Ok(row.get::<_, i64>(0)?)
        })?;
        Ok(count
            .and_then(|count| u64::try_from(count).ok())
            .unwrap_or(0))
    }

    /// Active people whose end of access has come, at most a hundred.
    pub(crate) fn access_ended(&self, now: Timestamp) -> Result<Vec<UserId>, StoreError> {
        all(
            self.connection,
            ACCESS_ENDED_SQL,
            params![now.microseconds()],
            |row| Ok(id!(row, 0, UserId)),
        )
    }

    /// The agent with this key.
    pub(crate) fn agent_with_key(&self, key: &AgentKey) -> Result<Option<Agent>, StoreError> {
        one(
            self.connection,
            "SELECT id, revision, name, key, hash_key, enrolled_at, revoked_at FROM agent \
             WHERE key = ?1",
            params![key.0],
            |row| furniture::agent(self.connection, row),
        )
    }

    /// The doors an agent decides for.
    pub(crate) fn doors_of(&self, agent: AgentId) -> Result<Vec<Door>, StoreError> {
        all(
            self.connection,
            DOORS_OF_SQL,
            params![agent.as_bytes()],
            |row| furniture::door(self.connection, row),
        )
    }

    /// The latest invitations, the newest first, used and withdrawn ones too, at most a thousand.
    pub(crate) fn join_tokens(&self) -> Result<Vec<JoinToken>, StoreError> {
        all(
            self.connection,
            "SELECT id, secret, name, expires_at, state, used_by FROM join_token \
             ORDER BY expires_at DESC, id LIMIT 1000",
            [],
            |row| furniture::join_token(self.connection, row),
        )
    }

    /// Doors that are not heard whose time limit has been counted out for a refusal that they have
    /// not confirmed, and of which that is not noted yet. The oldest thousand are looked at.
    pub(crate) fn ended_limits(&self) -> Result<Vec<EndedLimit>, StoreError> {
        let waiting: BTreeSet<(Revision, UserId)> = all(self.connection, WAITING_SQL, [], |row| {
            Ok((revision(row.get(0)?), id!(row, 1, UserId)))
        })?
        .into_iter()
        .collect();
        let now = self.clock.now();
        let mut ended = Vec::new();
        for (revision, user) in waiting {
            for facts in self.door_facts(user, revision)? {
                // Decided by nothing but the limit: whether it is overdue is not asked here.
                if facts.ended_at.is_none()
                    && let DoorStanding::EndedByLimit { at } =
                        confirmation::standing(&facts, now, now)
                {
                    ended.push(EndedLimit {
                        user,
                        revision,
                        door: facts.door,
                        at,
                    });
                }
            }
        }
        Ok(ended)
    }

    /// What is known of each door that must confirm this person's change at `revision`.
    pub(crate) fn door_facts(
        &self,
        user: UserId,
        revision: Revision,
    ) -> Result<Vec<DoorFacts>, StoreError> {
        let counting = Counting::by(self.connection, self.clock)?;
        all(
            self.connection,
            DOOR_FACTS_SQL,
            params![user.as_bytes(), number(revision)],
            |row| {
                let door = id!(row, 0, DoorId);
                let connected: Option<i64> = row.get(2)?;
                let decided_by_somebody = optional_id!(row, 4, AgentId).is_some();
                let versions = tables::door_versions(self.connection, id!(row, 5, AgentId), door)?;
                let settings = confirmation::settings_without(versions, revision);
                Ok(DoorFacts {
                    door,
                    confirmed_at: instant(row.get(1)?),
                    contact: match connected {
                        Some(1) if decided_by_somebody => Contact::Connected,
                        Some(_) => Contact::Silent {
                            since: instant(row.get(3)?),
                        },
                        None => Contact::Silent { since: None },
                    },
                    fault: if instant(row.get(13)?).is_some() {
                        Some(Fault::DiskFails)
                    } else {
                        optional_id!(row, 14, AgentId).map(|_| Fault::OtherTable)
                    },
                    alone: Alone::by(&settings, Some(user), counting.renewal(row, 7)?),
                    ended_at: instant(row.get(6)?),
                    positions: positions(row, 10)?,
                })
            },
        )
    }
}

macro_rules! furniture {
    ($($one:ident $all:ident $type:ident $id:ident $columns:literal;)+) => {$(
        fn $one(&self, id: $id) -> Result<Option<$type>, StoreError> {
            one(
                self.connection,
                concat!("SELECT ", $columns, " WHERE id = ?1"),
                params![id.as_bytes()],
                |row| furniture::$one(self.connection, row),
            )
        }
        fn $all(&self) -> Result<Vec<$type>, StoreError> {
            all(
                self.connection,
                concat!("SELECT ", $columns, " ORDER BY id"),
                [],
                |row| furniture::$one(self.connection, row),
            )
        }
    )+};
}

impl Records for Rows<'_> {
    type Error = StoreError;

    fn user(&self, id: UserId) -> Result<Option<UserRecord>, StoreError> {
        people::user(self.connection, id)
    }

    fn credential(&self, id: CredentialId) -> Result<Option<Credential>, StoreError> {
        one(
            self.connection,
            concat!(credential_columns!(), "WHERE id = ?1"),
            params![id.as_bytes()],
            people::credential,
        )
    }

    fn credentials_of(&self, user: UserId) -> Result<Vec<Credential>, StoreError> {
        all(
            self.connection,
            concat!(credential_columns!(), "WHERE user = ?1 ORDER BY id"),
            params![user.as_bytes()],
            people::credential,
        )
    }

    fn pin_use(&self, pin: &PinDigest, now: Timestamp) -> Result<PinUse, StoreError> {
        let taken = one(
            self.connection,
            "SELECT 1 FROM credential WHERE pin_digest = ?1 \
             UNION ALL SELECT 1 FROM retired_pin WHERE pin = ?2 AND until > ?3",
            params![
                pin.as_bytes(),
                given_up::pin(self.vault, pin)?,
                now.microseconds()
            ],
            |_| Ok(()),
        )?;
        Ok(taken.map_or(PinUse::Free, |()| PinUse::Taken))
    }

    fn card_use(&self, token: &CardToken) -> Result<CardUse, StoreError> {
        let burned = one(
            self.connection,
            "SELECT 1 FROM burned_card WHERE card = ?1",
            params![given_up::card(self.vault, token)?],
            |_| Ok(()),
        )?;
        if burned.is_some() {
            return Ok(CardUse::Burned);
        }
        let holder = one(
            self.connection,
            "SELECT user FROM credential WHERE card_token = ?1",
            params![token.as_str()],
            |row| Ok(id!(row, 0, UserId)),
        )?;
        Ok(holder.map_or(CardUse::Free, CardUse::Held))
    }

    fn plate_holders(&self, plate: &Plate) -> Result<Vec<Credential>, StoreError> {
        all(
            self.connection,
            concat!(credential_columns!(), "WHERE plate = ?1 ORDER BY id"),
            params![plate.as_str()],
            people::credential,
        )
    }

    fn pin_refusals(&self, actor: Actor, since: Timestamp) -> Result<u64, StoreError> {
        let (name, id) = actor_columns(actor);
        let count = one(
            self.connection,
            "SELECT count(*) FROM log WHERE kind = 'credential.pin-refused' AND actor = ?1 \
             AND actor_id IS ?2 AND at >= ?3",
            params![name, id, since.microseconds()],
            |row| Ok(row.get::<_, i64>(0)?),
        )?;
        Ok(count
            .and_then(|count| u64::try_from(count).ok())
            .unwrap_or(0))
    }

    fn doors_not_confirmed(&self, user: UserId, now: Timestamp) -> Result<Vec<DoorId>, StoreError> {
        let Some(UserRecord::Present(person)) = self.user(user)? else {
            return Ok(Vec::new());
        };
        let Standing::Deactivated(deactivation) = person.standing else {
            return Ok(Vec::new());
        };
        let facts = self.door_facts(user, deactivation.revision)?;
        let open = facts.into_iter().filter(|facts| {
            !confirmation::is_settled(confirmation::standing(facts, deactivation.at, now))
        });
        Ok(open.map(|facts| facts.door).collect())
    }

    furniture! {
        group groups Group GroupId "id, revision, name, parent FROM user_group";
        site sites Site SiteId "id, revision, name, zone, default_policy FROM site";
        door doors Door DoorId "id, revision, site, name, agent, lease_seconds, fail_mode, emergency_list FROM door";
        door_group door_groups DoorGroup DoorGroupId "id, revision, name FROM door_group";
        policy policies Policy PolicyId "id, revision, name, schedule FROM policy";
        schedule schedules Schedule ScheduleId "id, revision, name, holiday_group FROM schedule";
        holiday_group holiday_groups HolidayGroup HolidayGroupId "id, revision, name FROM holiday_group";
        emergency_list emergency_lists EmergencyList EmergencyListId "id, revision, name, limit_seconds FROM emergency_list";
        agent agents Agent AgentId "id, revision, name, key, hash_key, enrolled_at, revoked_at FROM agent";
    }

    fn longer_limit(&self, door: DoorId) -> Result<Option<LongerLimit>, StoreError> {
        longer_limits::of(self.connection, door)
    }

    fn pins_known_to(&self, agent: AgentId) -> Result<u64, StoreError> {
        exposed_pins::count_known(self.connection, agent)
    }

    fn members(&self, group: GroupId) -> Result<u64, StoreError> {
        self.count(
            "SELECT count(*) FROM membership WHERE user_group = ?1",
            group.as_bytes(),
        )
    }

    fn policy_holders(&self, policy: PolicyId) -> Result<u64, StoreError> {
        self.count(
            "SELECT count(*) FROM user_policy WHERE policy = ?1",
            policy.as_bytes(),
        )
    }

    fn join_token(&self, id: JoinTokenId) -> Result<Option<JoinToken>, StoreError> {
        one(
            self.connection,
            "SELECT id, secret, name, expires_at, state, used_by FROM join_token WHERE id = ?1",
            params![id.as_bytes()],
            |row| furniture::join_token(self.connection, row),
        )
    }

    fn join_token_with(&self, secret: &JoinSecretHash) -> Result<Option<JoinToken>, StoreError> {
        one(
            self.connection,
            "SELECT id, secret, name, expires_at, state, used_by FROM join_token WHERE secret = ?1",
            params![secret.0],
            |row| furniture::join_token(self.connection, row),
        )
    }

    fn operator(&self, id: OperatorId) -> Result<Option<Operator>, StoreError> {
        one(
            self.connection,
            concat!(operator_columns!(), "WHERE id = ?1"),
            params![id.as_bytes()],
            people::operator,
        )
    }

    fn operators(&self) -> Result<Vec<Operator>, StoreError> {
        all(
            self.connection,
            concat!(operator_columns!(), "ORDER BY id"),
            [],
            people::operator,
        )
    }

    fn operator_by_email(&self, email: &Email) -> Result<Option<Operator>, StoreError> {
        one(
            self.connection,
            concat!(operator_columns!(), "WHERE email_folded = ?1"),
            params![fold(email.as_str())],
            people::operator,
        )
    }

    fn keeping(&self) -> Result<Keeping, StoreError> {
        erasure::keeping(self.connection)
    }

    fn known_of(&self, epoch: Epoch) -> Result<Option<Revision>, StoreError> {
        restores::known_of(self.connection, epoch)
    }

    fn readmitted(&self, subject: &[u8; 16]) -> Result<Option<Revision>, StoreError> {
        readmissions::since_restore(self.connection, subject)
    }

    fn server_addresses(&self) -> Result<ServerAddresses, StoreError> {
        let lines = one(self.connection, "SELECT addresses FROM store", [], |row| {
            Ok(row.get::<_, String>(0)?)
        })?;
        ServerAddresses::from_lines(&lines.unwrap_or_default())
            .map_err(|_| StoreError::Damaged("an address that could not have been entered"))
    }

    fn mail_server(&self) -> Result<Option<MailServer>, StoreError> {
        mail::server(self.connection)
    }

    fn checkpoint_mail(&self) -> Result<Option<CheckpointMail>, StoreError> {
        mail::checkpoint_mail(self.connection)
    }

    fn webhook(&self) -> Result<Option<Webhook>, StoreError> {
        webhook::webhook(self.connection)
    }

    fn alerts_chosen(
        &self,
        operator: OperatorId,
    ) -> Result<Option<BTreeSet<AlertKind>>, StoreError> {
        alerts::chosen(self.connection, operator)
    }

    fn calendars_from(&self) -> Result<i16, StoreError> {
        one(
            self.connection,
            "SELECT calendars_from FROM store",
            [],
            |row| Ok(row.get(0)?),
        )?
        .ok_or(StoreError::Damaged("a store without its own row"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    #[test]
    fn what_is_asked_again_and_again_is_found_by_index() {
        let connection = schema();
        for (sql, index) in [
            (ACCESS_ENDED_SQL, "user_by_end"),
            (DOORS_OF_SQL, "door_by_agent"),
            (DOOR_FACTS_SQL, "PRIMARY KEY (user=? AND revision=?)"),
        ] {
            let plan = plan(&connection, sql);
            assert!(
                plan.starts_with("SEARCH") && plan.contains(index),
                "{sql}\n{plan}"
            );
        }
    }
}
