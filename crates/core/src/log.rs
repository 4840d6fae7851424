//! How a change reads in the log: its kind, its subject, and its details.
//!
//! The log keeps kind, subject and a salted hash of the details for good; the details (names,
//! before and after) lie beside it and can be erased.

mod words;

use std::collections::BTreeSet;

use crate::alert::AlertKind;
use crate::change::{Change, Edit};
use crate::credential::Credential;
use crate::fail_mode::FailMode;
use crate::id::{
    AgentId, DoorGroupId, DoorId, EmergencyListId, GroupId, HolidayGroupId, JoinTokenId,
    OperatorId, PolicyId, ScheduleId, SiteId, UserId,
};
use crate::keeping::Keeping;
use crate::longer_limit::LongerLimit;
use crate::mail::{CheckpointMail, MailServer, NewPassword};
use crate::operator::{OperatorState, Role};
use crate::parameters::Timestamp;
use crate::policy::{PolicyHours, Schedule, Weekday, Window};
use crate::server_address::{ServerAddress, ServerAddresses};
use crate::user::{AccessPeriod, Profile, User};
use crate::webhook::{Webhook, WebhookState};

pub use words::{is_instant, verb};

/// What a log entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A person; their credentials too.
    User(UserId),
    /// A group.
    Group(GroupId),
    /// A site.
    Site(SiteId),
    /// A door.
    Door(DoorId),
    /// A door group.
    DoorGroup(DoorGroupId),
    /// A policy.
    Policy(PolicyId),
    /// A schedule.
    Schedule(ScheduleId),
    /// A holiday group.
    HolidayGroup(HolidayGroupId),
    /// An emergency list.
    EmergencyList(EmergencyListId),
    /// An agent.
    Agent(AgentId),
    /// An invitation.
    JoinToken(JoinTokenId),
    /// An operator.
    Operator(OperatorId),
    /// The store itself.
    Store,
    /// The mail that leaves it.
    Mail,
    /// The webhook.
    Webhook,
}

/// Somebody about whom details are: they are kept under a key of that person's, and go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Person {
    /// A person who may open doors.
    User(UserId),
    /// Somebody who signs in.
    Operator(OperatorId),
}

/// The details of an entry that are about one person, or about nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// Whose they are.
    pub about: Option<Person>,
    /// They.
    pub details: Vec<Detail>,
}

/// One line of an entry's details. Values may be personal data; they never hold a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Detail {
    /// What it is about: "first name", "policies", "reason".
    pub field: &'static str,
    /// What it was.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

/// A change as the log tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The stable name of what happened: "user.deactivated".
    pub kind: &'static str,
    /// What it happened to.
    pub subject: Subject,
    /// The particulars.
    pub details: Vec<Detail>,
}

impl Entry {
    /// The details by whom they are about, in an order that is always the same; at least one, which
    /// may be empty.
    ///
    /// What an entry tells of a person is that person's. That an operator is some person is that
    /// person's too: it would name them after they were erased.
    #[must_use]
    pub fn payloads(&self) -> Vec<Payload> {
        let subject = match self.subject {
            Subject::User(user) => Some(Person::User(user)),
            Subject::Operator(operator) => Some(Person::Operator(operator)),
            _ => None,
        };
        let mut payloads = Vec::<Payload>::new();
        let mut put = |about: Option<Person>, detail: Detail| match payloads
            .iter_mut()
            .find(|payload| payload.about == about)
        {
            Some(payload) => payload.details.push(detail),
            None => payloads.push(Payload {
                about,
                details: vec![detail],
            }),
        };
        for detail in &self.details {
            let person = |text: &Option<String>| {
                let user = text.as_ref().and_then(|text| text.parse().ok());
                user.map(Person::User)
            };
            if detail.field == LINK {
                let Detail {
                    field,
                    before,
                    after,
                } = detail.clone();
                if let Some(was) = person(&before) {
                    let after = None;
                    put(
                        Some(was),
                        Detail {
                            field,
                            before,
                            after,
                        },
                    );
                }
                if let Some(is) = person(&after) {
                    let before = None;
                    put(
                        Some(is),
                        Detail {
                            field,
                            before,
                            after,
                        },
                    );
                }
            } else if COUNTS.contains(&detail.field) {
                put(None, detail.clone());
            } else {
                put(subject, detail.clone());
            }
        }
        if payloads.is_empty() {
            payloads.push(Payload {
                about: None,
                details: Vec::new(),
            });
        }
        payloads
    }
}

/// Tells a change.
#[must_use]
pub fn entry(change: &Change) -> Entry {
    match change {
        Change::UserCreated(user) => Entry {
            kind: "user.created",
            subject: Subject::User(user.id),
            details: about_new_user(user),
        },
        Change::ProfileChanged {
            user,
            before,
            after,
        } => Entry {
            kind: "user.profile-changed",
            subject: Subject::User(*user),
            details: differences(&profile(before), &profile(after)),
        },
        Change::AccessPeriodChanged {
            user,
            before,
            after,
        } => Entry {
            kind: "user.access-period-changed",
            subject: Subject::User(*user),
            details: differences(&period(*before), &period(*after)),
        },
        Change::UserGroupsChanged {
            user,
            before,
            after,
        } => Entry {
            kind: "user.groups-changed",
            subject: Subject::User(*user),
            details: differences(&[("groups", ids(before))], &[("groups", ids(after))]),
        },
        Change::UserPoliciesChanged {
            user,
            before,
            after,
        } => Entry {
            kind: "user.policies-changed",
            subject: Subject::User(*user),
            details: differences(&[("policies", ids(before))], &[("policies", ids(after))]),
        },
        Change::UserDeactivated { user, deactivation } => Entry {
            kind: "user.deactivated",
            subject: Subject::User(*user),
            details: new([
                ("reason", Some(deactivation.reason.name().to_owned())),
                (
                    FREE_TEXT[0],
                    deactivation
                        .note
                        .as_ref()
                        .map(|note| note.as_str().to_owned()),
                ),
                (
                    "employment ended at",
                    Some(instant(deactivation.employment_ended_at)),
                ),
            ]),
        },
        Change::UserReactivated {
            user,
            ended,
            expired_end,
        } => Entry {
            kind: "user.reactivated",
            subject: Subject::User(*user),
            details: differences(
                &[
                    ("deactivated since", Some(instant(ended.at))),
                    ("access ends", expired_end.map(instant)),
                ],
                &[("deactivated since", None), ("access ends", None)],
            ),
        },
        Change::UserRemoved {
            tombstone,
            retired,
            burned,
            unconfirmed,
        } => Entry {
            kind: "user.removed",
            subject: Subject::User(tombstone.id),
            details: new([
                (COUNTS[0], Some(retired.len().to_string())),
                (COUNTS[1], Some(burned.len().to_string())),
                (
                    FREE_TEXT[1],
                    unconfirmed.as_ref().map(|note| note.as_str().to_owned()),
                ),
            ]),
        },
        Change::UserErased { user, .. } => Entry {
            kind: "user.erased",
            subject: Subject::User(*user),
            details: Vec::new(),
        },
        Change::OperatorErased(operator) => Entry {
            kind: "operator.erased",
            subject: Subject::Operator(*operator),
            details: Vec::new(),
        },
        Change::ErasureHeld { user, reason, .. } => Entry {
            kind: "user.erasure-held",
            subject: Subject::User(*user),
            details: new([(FREE_TEXT[2], Some(reason.as_str().to_owned()))]),
        },
        Change::ErasureReleased { user } => Entry {
            kind: "user.erasure-released",
            subject: Subject::User(*user),
            details: Vec::new(),
        },
        Change::KeepingChanged { before, after } => Entry {
            kind: "store.keeping-changed",
            subject: Subject::Store,
            details: differences(&keeping(*before), &keeping(*after)),
        },
        Change::UserExported(user) => Entry {
            kind: "user.exported",
            subject: Subject::User(*user),
            details: Vec::new(),
        },
        Change::CredentialAdded(credential) => Entry {
            kind: "credential.added",
            subject: Subject::User(credential.user),
            details: new(about_credential(credential)),
        },
        Change::CredentialRemoved { credential, .. } => Entry {
            kind: "credential.removed",
            subject: Subject::User(credential.user),
            details: old(about_credential(credential)),
        },
        Change::CredentialLost {
            credential, user, ..
        } => Entry {
            kind: "credential.lost",
            subject: Subject::User(*user),
            details: new([("credential id", Some(credential.to_string()))]),
        },
        Change::CredentialFound { credential, user } => Entry {
            kind: "credential.found",
            subject: Subject::User(*user),
            details: new([("credential id", Some(credential.to_string()))]),
        },
        Change::PinRefused { user } => Entry {
            kind: "credential.pin-refused",
            subject: Subject::User(*user),
            details: Vec::new(),
        },
        Change::SessionsEnded(operator) => Entry {
            kind: "operator.sessions-ended",
            subject: Subject::Operator(*operator),
            details: Vec::new(),
        },
        Change::Group(edit) => furniture(
            edit,
            ["group.created", "group.changed", "group.deleted"],
            |group| {
                (
                    Subject::Group(group.id),
                    vec![
                        ("name", Some(group.name.as_str().to_owned())),
                        ("inside", group.parent.map(|parent| parent.to_string())),
                        ("policies", ids(&group.policies)),
                    ],
                )
            },
        ),
        Change::Site(edit) => furniture(
            edit,
            ["site.created", "site.changed", "site.deleted"],
            |site| {
                (
                    Subject::Site(site.id),
                    vec![
                        ("name", Some(site.name.as_str().to_owned())),
                        ("time zone", Some(site.zone.as_str().to_owned())),
                        (
                            "default policy",
                            site.default_policy.map(|policy| policy.to_string()),
                        ),
                    ],
                )
            },
        ),
        Change::Door(edit) => furniture(
            edit,
            ["door.created", "door.changed", "door.deleted"],
            |door| {
                (
                    Subject::Door(door.id),
                    vec![
                        ("name", Some(door.name.as_str().to_owned())),
                        ("agent", door.agent.map(|agent| agent.to_string())),
                        ("when cut off for longer", Some(fail_mode(door.fail_mode))),
                        (
                            "works on its own for seconds",
                            Some(door.lease.seconds().to_string()),
                        ),
                        ("readers", Some(door.readers.len().to_string())),
                    ],
                )
            },
        ),
        Change::LimitLengthened { before, after } => Entry {
            kind: "door.limit-lengthened",
            subject: Subject::Door(after.door),
            details: differences(&longer_limit(before.as_ref()), &longer_limit(Some(after))),
        },
        Change::LongerLimitEnded(limit) => Entry {
            kind: "door.longer-limit-ended",
            subject: Subject::Door(limit.door),
            details: old(longer_limit(Some(limit))),
        },
        Change::DoorGroup(edit) => furniture(
            edit,
            [
                "door-group.created",
                "door-group.changed",
                "door-group.deleted",
            ],
            |group| {
                (
                    Subject::DoorGroup(group.id),
                    vec![
                        ("name", Some(group.name.as_str().to_owned())),
                        ("doors", ids(&group.doors)),
                    ],
                )
            },
        ),
        Change::Policy(edit) => furniture(
            edit,
            ["policy.created", "policy.changed", "policy.deleted"],
            |policy| {
                (
                    Subject::Policy(policy.id),
                    vec![
                        ("name", Some(policy.name.as_str().to_owned())),
                        ("doors", ids(&policy.doors)),
                        ("door groups", ids(&policy.door_groups)),
                        (
                            "hours",
                            Some(match policy.hours {
                                PolicyHours::Always => "always".to_owned(),
                                PolicyHours::Scheduled(schedule) => schedule.to_string(),
                            }),
                        ),
                    ],
                )
            },
        ),
        Change::Schedule(edit) => furniture(
            edit,
            ["schedule.created", "schedule.changed", "schedule.deleted"],
            |schedule| {
                (
                    Subject::Schedule(schedule.id),
                    vec![
                        ("name", Some(schedule.name.as_str().to_owned())),
                        ("windows", Some(weekly(schedule))),
                        (
                            "holidays",
                            schedule.holidays.as_ref().map(|hours| {
                                format!("{}: {}", hours.group, windows(&hours.windows))
                            }),
                        ),
                    ],
                )
            },
        ),
        Change::HolidayGroup(edit) => furniture(
            edit,
            [
                "holiday-group.created",
                "holiday-group.changed",
                "holiday-group.deleted",
            ],
            |group| {
                (
                    Subject::HolidayGroup(group.id),
                    vec![
                        ("name", Some(group.name.as_str().to_owned())),
                        (
                            "holidays",
                            Some(
                                group
                                    .holidays
                                    .iter()
                                    .map(|holiday| {
                                        format!(
                                            "{} {}..{}",
                                            holiday.name.as_str(),
                                            holiday.first.0,
                                            holiday.last.0
                                        )
                                    })
                                    .collect::<Vec<_>>()
                                    .join(", "),
                            ),
                        ),
                    ],
                )
            },
        ),
        Change::EmergencyList(edit) => furniture(
            edit,
            [
                "emergency-list.created",
                "emergency-list.changed",
                "emergency-list.deleted",
            ],
            |list| {
                (
                    Subject::EmergencyList(list.id),
                    vec![
                        ("name", Some(list.name.as_str().to_owned())),
                        ("people", ids(&list.people)),
                        ("holds for seconds", Some(list.limit.seconds().to_string())),
                    ],
                )
            },
        ),
        Change::JoinTokenCreated(token) => Entry {
            kind: "join-token.created",
            subject: Subject::JoinToken(token.id),
            details: new([
                ("name", Some(token.name.as_str().to_owned())),
                ("doors", ids(&token.doors)),
            ]),
        },
        Change::JoinTokenWithdrawn(token) => Entry {
            kind: "join-token.withdrawn",
            subject: Subject::JoinToken(*token),
            details: Vec::new(),
        },
        Change::AgentEnrolled { agent, token } => Entry {
            kind: "agent.enrolled",
            subject: Subject::Agent(agent.id),
            details: new([
                ("name", Some(agent.name.as_str().to_owned())),
                ("join token", Some(token.to_string())),
            ]),
        },
        Change::AgentRevoked { agent, .. } => Entry {
            kind: "agent.revoked",
            subject: Subject::Agent(agent.id),
            details: old([("name", Some(agent.name.as_str().to_owned()))]),
        },
        Change::AgentStolen { agent, pins, .. } => Entry {
            kind: "agent.stolen",
            subject: Subject::Agent(*agent),
            details: new([("PINs it knew", Some(pins.to_string()))]),
        },
        Change::Operator(edit) => furniture(
            edit,
            ["operator.created", "operator.changed", "operator.deleted"],
            |operator| {
                (
                    Subject::Operator(operator.id),
                    vec![
                        ("name", Some(operator.name.as_str().to_owned())),
                        ("e-mail", Some(operator.email.as_str().to_owned())),
                        ("role", Some(operator.role.name().to_owned())),
                        (LINK, operator.user.map(|user| user.to_string())),
                        (
                            "sign-in",
                            Some(
                                match operator.state {
                                    OperatorState::Open => "open",
                                    OperatorState::Ended { .. } => "ended",
                                }
                                .to_owned(),
                            ),
                        ),
                    ],
                )
            },
        ),
        Change::PasswordSet(operator, _) => Entry {
            kind: "operator.password-set",
            subject: Subject::Operator(*operator),
            details: Vec::new(),
        },
        Change::ServerKeyReplaced(replaced) => Entry {
            kind: "store.key-replaced",
            subject: Subject::Store,
            details: new([
                ("key", Some(replaced.key.word().to_owned())),
                (
                    "fingerprint",
                    replaced.fingerprint.map(|fingerprint| {
                        fingerprint
                            .iter()
                            .map(|byte| format!("{byte:02x}"))
                            .collect()
                    }),
                ),
            ]),
        },
        Change::AddressesAnnounced { before, after } => Entry {
            kind: "store.addresses-announced",
            subject: Subject::Store,
            details: differences(&addresses(before), &addresses(after)),
        },
        Change::Restored(restored) => Entry {
            kind: "store.restored",
            subject: Subject::Store,
            details: new([
                ("backup made at", Some(instant(restored.made_at))),
                (
                    "last change in it",
                    Some(restored.last.number().to_string()),
                ),
            ]),
        },
        Change::MailServerChanged {
            before,
            after,
            password,
        } => Entry {
            kind: "mail.server-changed",
            subject: Subject::Mail,
            details: mail_server(before.as_deref(), after.as_deref(), *password),
        },
        Change::CheckpointMailChanged { before, after } => Entry {
            kind: "mail.checkpoint-changed",
            subject: Subject::Mail,
            details: checkpoint_mail(before.as_ref(), after.as_ref()),
        },
        Change::MailTested => Entry {
            kind: "mail.tested",
            subject: Subject::Mail,
            details: Vec::new(),
        },
        Change::WebhookChanged { before, after } => Entry {
            kind: "webhook.changed",
            subject: Subject::Webhook,
            details: webhook(before.as_deref(), after.as_deref()),
        },
        Change::WebhookSecretReplaced => Entry {
            kind: "webhook.secret-replaced",
            subject: Subject::Webhook,
            details: Vec::new(),
        },
        Change::WebhookTested => Entry {
            kind: "webhook.tested",
            subject: Subject::Webhook,
            details: Vec::new(),
        },
        Change::AlertsChosen {
            operator,
            before,
            after,
        } => Entry {
            kind: "operator.alerts-chosen",
            subject: Subject::Operator(*operator),
            details: differences(&[alerts(before.as_ref())], &[alerts(Some(after))]),
        },
        Change::CalendarsExtended { from_year } => Entry {
            kind: "store.calendars-extended",
            subject: Subject::Store,
            details: new([("from year", Some(from_year.to_string()))]),
        },
    }
}

/// The field that says which person an operator is.
const LINK: &str = "is the person";
/// Fields that tell of a person nothing but how many of something there were.
const COUNTS: [&str; 2] = ["PINs retired", "lost cards blocked for good"];
/// The field in which somebody wrote why a person was removed before every door had confirmed.
pub const UNCONFIRMED: &str = "done before every door confirmed, because";
/// The fields in which somebody wrote why, freely.
const FREE_TEXT: [&str; 3] = ["note", UNCONFIRMED, "kept, because"];

/// Whether somebody with this role may read this field of an entry's details. What was written
/// freely about a person is for owners.
#[must_use]
pub fn may_read(role: Role, field: &str) -> bool {
    role == Role::Owner || !FREE_TEXT.contains(&field)
}

/// A field and its value, if it has one.
type Field = (&'static str, Option<String>);

/// Only what the two do not have alike.
fn differences(before: &[Field], after: &[Field]) -> Vec<Detail> {
    before
        .iter()
        .zip(after)
        .filter(|(before, after)| before.1 != after.1)
        .map(|(before, after)| Detail {
            field: after.0,
            before: before.1.clone(),
            after: after.1.clone(),
        })
        .collect()
}

fn new(fields: impl IntoIterator<Item = Field>) -> Vec<Detail> {
    fields
        .into_iter()
        .filter(|(_, value)| value.is_some())
        .map(|(field, after)| Detail {
            field,
            before: None,
            after,
        })
        .collect()
}

fn old(fields: impl IntoIterator<Item = Field>) -> Vec<Detail> {
    fields
        .into_iter()
        .filter(|(_, value)| value.is_some())
        .map(|(field, before)| Detail {
            field,
            before,
            after: None,
        })
        .collect()
}

fn furniture<T>(
    edit: &Edit<T>,
    [created, changed, deleted]: [&'static str; 3],
    tell: impl Fn(&T) -> (Subject, Vec<Field>),
) -> Entry {
    match edit {
        Edit::Created(thing) => {
            let (subject, fields) = tell(thing);
            Entry {
                kind: created,
                subject,
                details: new(fields),
            }
        }
        Edit::Changed(before, after) => {
            let (subject, fields) = tell(after);
            Entry {
                kind: changed,
                subject,
                details: differences(&tell(before).1, &fields),
            }
        }
        Edit::Deleted(thing) => {
            let (subject, fields) = tell(thing);
            Entry {
                kind: deleted,
                subject,
                details: old(fields),
            }
        }
    }
}

fn profile(profile: &Profile) -> [Field; 6] {
    [
        ("first name", Some(profile.first_name.as_str().to_owned())),
        ("last name", Some(profile.last_name.as_str().to_owned())),
        (
            "preferred name",
            profile
                .preferred_name
                .as_ref()
                .map(|name| name.as_str().to_owned()),
        ),
        (
            "e-mail",
            profile
                .email
                .as_ref()
                .map(|email| email.as_str().to_owned()),
        ),
        (
            "phone",
            profile
                .phone
                .as_ref()
                .map(|phone| phone.as_str().to_owned()),
        ),
        (
            "employee number",
            profile
                .employee_number
                .as_ref()
                .map(|number| number.as_str().to_owned()),
        ),
    ]
}

fn period(access: AccessPeriod) -> [Field; 2] {
    [
        ("access starts", access.starts.map(instant)),
        ("access ends", access.ends.map(instant)),
    ]
}

fn keeping(keeping: Keeping) -> [Field; 2] {
    let days = |days: u16| Some(days.to_string());
    [
        (
            "days between removal and erasure",
            days(keeping.erasure_wait.days()),
        ),
        (
            "days door events are kept",
            days(keeping.door_events.days()),
        ),
    ]
}

fn names(kinds: &BTreeSet<AlertKind>) -> String {
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn alerts(chosen: Option<&BTreeSet<AlertKind>>) -> Field {
    ("alerts by mail", chosen.map(names))
}

fn longer_limit(limit: Option<&LongerLimit>) -> [Field; 3] {
    [
        (
            "works on its own for seconds",
            limit.map(|it| it.lease.seconds().to_string()),
        ),
        (
            "longer until",
            limit.map(|it| it.until.microseconds().to_string()),
        ),
        ("because", limit.map(|it| it.reason.as_str().to_owned())),
    ]
}

/// Of the address only the machine is told: the rest may hold a secret.
fn webhook(before: Option<&Webhook>, after: Option<&Webhook>) -> Vec<Detail> {
    let fields = |webhook: Option<&Webhook>| -> [Field; 3] {
        [
            (
                "machine",
                webhook.map(|it| it.address.host().as_str().to_owned()),
            ),
            ("alerts", webhook.map(|it| names(&it.kinds))),
            (
                "is gone",
                webhook.and_then(|it| match it.state {
                    WebhookState::Open => None,
                    WebhookState::Gone { .. } => Some("yes".to_owned()),
                }),
            ),
        ]
    };
    let replaced = |field, same: bool| -> Field {
        (
            field,
            (!same && after.is_some()).then(|| "another".to_owned()),
        )
    };
    let address = |webhook: Option<&Webhook>| webhook.map(|it| it.address.clone());
    let authorities = |webhook: Option<&Webhook>| webhook.map(|it| it.authorities.clone());
    let mut details = differences(&fields(before), &fields(after));
    details.extend(new([
        replaced("address", address(before) == address(after)),
        replaced("authorities", authorities(before) == authorities(after)),
    ]));
    details
}

fn addresses(addresses: &ServerAddresses) -> [Field; 1] {
    let all: Vec<_> = addresses.iter().map(ServerAddress::as_str).collect();
    let all = all.join(", ");
    [("addresses", (!all.is_empty()).then_some(all))]
}

/// Addresses and user names are not told, only that they are others: one may be a person's, and
/// what is told of nobody in particular is never erased.
fn mail_server(
    before: Option<&MailServer>,
    after: Option<&MailServer>,
    password: NewPassword,
) -> Vec<Detail> {
    let fields = |server: Option<&MailServer>| -> [Field; 4] {
        [
            ("server", server.map(|it| it.host.as_str().to_owned())),
            ("port", server.map(|it| it.port.to_string())),
            (
                "protection",
                server.map(|it| it.protection.name().to_owned()),
            ),
            ("own name", server.map(|it| it.name.as_str().to_owned())),
        ]
    };
    let replaced = |field, same: bool| -> Field {
        (
            field,
            (!same && after.is_some()).then(|| "another".to_owned()),
        )
    };
    let user = |server: Option<&MailServer>| server.map(|it| it.user.clone());
    let sender = |server: Option<&MailServer>| server.map(|it| it.sender.clone());
    let authorities = |server: Option<&MailServer>| server.map(|it| it.authorities.clone());
    let mut details = differences(&fields(before), &fields(after));
    details.extend(new([
        replaced("user name", user(before) == user(after)),
        replaced("sender", sender(before) == sender(after)),
        replaced("authorities", authorities(before) == authorities(after)),
        replaced("password", password == NewPassword::Kept),
    ]));
    details
}

fn checkpoint_mail(before: Option<&CheckpointMail>, after: Option<&CheckpointMail>) -> Vec<Detail> {
    let every = |mail: Option<&CheckpointMail>| -> [Field; 1] {
        [("every", mail.map(|it| it.every.name().to_owned()))]
    };
    let to = |mail: Option<&CheckpointMail>| mail.map(|it| it.to.clone());
    let replaced = after.is_some() && to(before) != to(after);
    let mut details = differences(&every(before), &every(after));
    details.extend(new([("recipient", replaced.then(|| "another".to_owned()))]));
    details
}

fn about_new_user(user: &User) -> Vec<Detail> {
    new(profile(&user.profile)
        .into_iter()
        .chain(period(user.access))
        .chain([
            ("groups", ids(&user.groups)),
            ("policies", ids(&user.policies)),
        ]))
}

/// What may be said of a credential: never a PIN, never a whole card number.
fn about_credential(credential: &Credential) -> [Field; 3] {
    [
        ("credential", Some(credential.means.short_name())),
        (
            "label",
            credential
                .label
                .as_ref()
                .map(|label| label.as_str().to_owned()),
        ),
        ("credential id", Some(credential.id.to_string())),
    ]
}

fn ids<T: std::fmt::Display>(ids: &BTreeSet<T>) -> Option<String> {
    let ids: Vec<_> = ids.iter().map(T::to_string).collect();
    if ids.is_empty() {
        None
    } else {
        Some(ids.join(", "))
    }
}

fn fail_mode(mode: FailMode) -> String {
    match mode.list() {
        Some(list) => format!("{} {list}", mode.name()),
        None => mode.name().to_owned(),
    }
}

fn windows(windows: &[Window]) -> String {
    windows
        .iter()
        .map(|window| span(*window))
        .collect::<Vec<_>>()
        .join(", ")
}

fn weekly(schedule: &Schedule) -> String {
    let tell = |(day, window): &(Weekday, Window)| format!("{} {}", day.name(), span(*window));
    schedule
        .weekly
        .iter()
        .map(tell)
        .collect::<Vec<_>>()
        .join(", ")
}

fn span(window: Window) -> String {
    let (from, to) = (window.from(), window.to());
    format!(
        "{:02}:{:02}–{:02}:{:02}",
        from / 60,
        from % 60,
        to / 60,
        to % 60
    )
}

/// Details are kept in no zone but UTC's; a page shows them in the site's.
fn instant(at: Timestamp) -> String {
    at.microseconds().to_string()
}
