//! What is typed about a person, on the page that creates and the page that edits.

use std::collections::BTreeSet;

use offgate_core::calendar::Edge;
use offgate_core::credential::{
    CardToken, DisplayNumber, NewCredential, NewMeans, Plate, PlateSharing,
};
use offgate_core::id::{CredentialId, GroupId, PolicyId};
use offgate_core::pin::{Pin, PinCandidate};
use offgate_core::place::ZoneName;
use offgate_core::records::Records as _;
use offgate_core::text::{Email, EmployeeNumber, Label, PersonName, Phone, TextError};
use offgate_core::user::{AccessPeriod, Profile, User};
use offgate_store::{Reader, StoreError};

use crate::console::form::Form;
use crate::console::problems::Problems;
use crate::console::{Console, times};

/// What was typed about a person, read.
pub(super) struct Typed {
    pub(super) profile: Profile,
    pub(super) access: AccessPeriod,
    pub(super) groups: BTreeSet<GroupId>,
    pub(super) policies: BTreeSet<PolicyId>,
}

fn optional<T>(
    form: &Form,
    field: &'static str,
    parse: fn(&str) -> Result<T, TextError>,
    problems: &mut Problems,
) -> Option<T> {
    form.filled(field)
        .and_then(|text| problems.take(field, parse(text)))
}

/// Reads a form, or notes everything that is wrong with it.
pub(super) fn read(form: &Form, zone: &ZoneName, problems: &mut Problems) -> Option<Typed> {
    let first_name = problems.take("first_name", PersonName::parse(form.text("first_name")));
    let last_name = problems.take("last_name", PersonName::parse(form.text("last_name")));
    let preferred_name = optional(form, "preferred_name", PersonName::parse, problems);
    let email = optional(form, "email", Email::parse, problems);
    let phone = optional(form, "phone", Phone::parse, problems);
    let employee_number = optional(form, "employee_number", EmployeeNumber::parse, problems);
    let mut instant = |field, edge| {
        form.filled(field)
            .and_then(|text| problems.take(field, times::read(zone, text, edge)))
    };
    let access = AccessPeriod {
        starts: instant("access_starts", Edge::Start),
        ends: instant("access_ends", Edge::End),
    };
    let groups: Result<BTreeSet<GroupId>, _> = form.all("group").map(str::parse).collect();
    let policies: Result<BTreeSet<PolicyId>, _> = form.all("policy").map(str::parse).collect();
    let groups = problems.take("", groups);
    let policies = problems.take("", policies);
    if !problems.is_empty() {
        return None;
    }
    Some(Typed {
        profile: Profile {
            first_name: first_name?,
            last_name: last_name?,
            preferred_name,
            email,
            phone,
            employee_number,
        },
        access,
        groups: groups?,
        policies: policies?,
    })
}

/// The form as it is before anything was typed about somebody known.
pub(super) fn of(person: &User, zone: &ZoneName) -> Form {
    let profile = &person.profile;
    let mut form = Form::default();
    form.set("first_name", profile.first_name.as_str());
    form.set("last_name", profile.last_name.as_str());
    let optional = [
        (
            "preferred_name",
            profile.preferred_name.as_ref().map(|it| it.as_str()),
        ),
        ("email", profile.email.as_ref().map(|it| it.as_str())),
        ("phone", profile.phone.as_ref().map(|it| it.as_str())),
        (
            "employee_number",
            profile.employee_number.as_ref().map(|it| it.as_str()),
        ),
    ];
    for (field, text) in optional {
        form.set(field, text.unwrap_or_default());
    }
    let instants = [
        ("access_starts", person.access.starts),
        ("access_ends", person.access.ends),
    ];
    for (field, at) in instants {
        form.set(
            field,
            at.map_or_else(String::new, |at| times::input(zone, at)),
        );
    }
    for group in &person.groups {
        form.add("group", group.to_string());
    }
    for policy in &person.policies {
        form.add("policy", policy.to_string());
    }
    form.set("revision", person.revision.number().to_string());
    form
}

/// Something to tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) ticked: bool,
}

fn choices<Id: std::fmt::Display>(
    form: &Form,
    field: &str,
    all: impl IntoIterator<Item = (Id, String)>,
) -> Vec<Choice> {
    let mut choices: Vec<Choice> = all
        .into_iter()
        .map(|(id, name)| {
            let id = id.to_string();
            let ticked = form.all(field).any(|chosen| chosen == id);
            Choice { id, name, ticked }
        })
        .collect();
    choices.sort_by(|one, other| one.name.cmp(&other.name));
    choices
}

/// The groups and policies to tick.
pub(super) fn groups_and_policies(
    reader: &Reader,
    form: &Form,
) -> Result<(Vec<Choice>, Vec<Choice>), StoreError> {
    let groups = reader.groups()?;
    let policies = reader.policies()?;
    let groups = groups
        .into_iter()
        .map(|group| (group.id, group.name.as_str().to_owned()));
    let policies = policies
        .into_iter()
        .map(|policy| (policy.id, policy.name.as_str().to_owned()));
    Ok((
        choices(form, "group", groups),
        choices(form, "policy", policies),
    ))
}

/// How somebody is to authenticate, as the form names it.
pub(super) const METHODS: [(&str, &str); 4] = [
    ("pin", "PIN (recommended)"),
    ("nfc", "NFC card or tag"),
    ("plate", "Licence plate"),
    ("none", "Nothing yet"),
];

/// Reads what somebody is to present; none for nothing.
pub(super) async fn credential(
    console: &Console,
    form: &Form,
    problems: &mut Problems,
) -> Option<NewCredential> {
    let means = match form.text("method") {
        "pin" => {
            let pin = problems.take("pin", Pin::parse(form.text("pin")))?;
            NewMeans::Pin(candidate(console, pin).await?)
        }
        "nfc" => {
            let token = problems.take("token", CardToken::parse(form.text("token")))?;
            let display_number = match form.filled("display_number") {
                Some(text) => problems.take("display_number", DisplayNumber::parse(text))?,
                None => DisplayNumber::of_token(&token),
            };
            NewMeans::NfcCard {
                token,
                display_number,
            }
        }
        "plate" => NewMeans::LicencePlate {
            plate: problems.take("plate", Plate::parse(form.text("plate")))?,
            sharing: match form.text("sharing") {
                "shared" => PlateSharing::Shared,
                _ => PlateSharing::Unique,
            },
        },
        "none" => return None,
        _ => {
            problems.add("method", "choose one of these");
            return None;
        }
    };
    let label = optional(form, "label", Label::parse, problems);
    Some(NewCredential {
        id: CredentialId::random(&*console.randomness),
        label,
        means,
    })
}

/// Digests a PIN away from the threads that serve.
async fn candidate(console: &Console, pin: Pin) -> Option<PinCandidate> {
    let _turn = console.passwords.acquire().await.ok()?;
    let salt = console.store.identity().pin_salt;
    tokio::task::spawn_blocking(move || PinCandidate::new(&pin, &salt))
        .await
        .ok()
}

/// A PIN that nobody has; nothing when there is none left, and then the field is empty.
pub(super) async fn free_pin(console: &Console) -> Result<String, StoreError> {
    let Ok(_turn) = console.passwords.acquire().await else {
        return Ok(String::new());
    };
    let store = console.store.clone();
    let randomness = std::sync::Arc::clone(&console.randomness);
    let now = console.clock.now();
    let drawn = tokio::task::spawn_blocking(move || {
        let reader = store.read();
        let holders = reader.user_counts(None, now)?.all;
        let salt = store.identity().pin_salt;
        offgate_core::pin::free_pin(&reader, &salt, holders, &*randomness, now)
    });
    let pin = drawn.await.unwrap_or(Ok(None))?;
    Ok(pin.map_or_else(String::new, |pin| pin.digits().to_owned()))
}
