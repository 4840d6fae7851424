//! Adding people, and changing what is known of them.

use std::collections::BTreeSet;

use clap::Args;
use offgate_core::command::{Command, Expected, InitialPolicies};
use offgate_core::id::UserId;
use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_core::policy::{Group, Policy};
use offgate_core::text::{Email, EmployeeNumber, PersonName, Phone, TextError};
use offgate_core::user::{AccessPeriod, Profile};

use super::super::furniture::{change_set, pick_all};
use super::super::means::MeansArguments;
use super::super::person::{Who, pick_person};
use super::view;
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{Alone, chosen_zone, moment};

/// What may be left empty. An empty text takes away what was there.
#[derive(Clone, Debug, Default, Args)]
struct Contacts {
    /// What they like to be called, if that differs; "" for nothing
    #[arg(long, value_name = "NAME")]
    preferred_name: Option<String>,
    /// E-mail address; "" for none
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Telephone number; "" for none
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
    /// What their employer's lists call them; "" for nothing
    #[arg(long, value_name = "NUMBER")]
    employee_number: Option<String>,
}

/// From when until when.
#[derive(Clone, Debug, Default, Args)]
struct Period {
    /// Access starts, as in 2026-11-30 or "2026-11-30 08:00"; "" for no limit
    #[arg(long, value_name = "WHEN")]
    access_starts: Option<String>,
    /// Access ends; a date alone means the end of that day; "" for no limit
    #[arg(long, value_name = "WHEN")]
    access_ends: Option<String>,
    /// The zone that is meant [default: that of the only site, or UTC]
    #[arg(long)]
    zone: Option<String>,
}

/// `offgate user create`
#[derive(Clone, Debug, Args)]
pub(crate) struct Create {
    /// First name
    #[arg(long, value_name = "NAME")]
    first_name: String,
    /// Last name
    #[arg(long, value_name = "NAME")]
    last_name: String,
    #[command(flatten)]
    contacts: Contacts,
    #[command(flatten)]
    period: Period,
    /// A group they join; give it again for more
    #[arg(long)]
    group: Vec<String>,
    /// A policy of their own instead of the site's default; give it again for more
    #[arg(long)]
    policy: Vec<String>,
    /// No policy of their own, not even the site's default
    #[arg(long, conflicts_with = "policy")]
    no_policy: bool,
    #[command(flatten)]
    means: MeansArguments,
}

/// `offgate user edit`
#[derive(Clone, Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    who: Who,
    /// First name
    #[arg(long, value_name = "NAME")]
    first_name: Option<String>,
    /// Last name
    #[arg(long, value_name = "NAME")]
    last_name: Option<String>,
    #[command(flatten)]
    contacts: Contacts,
    #[command(flatten)]
    period: Period,
    /// One more group
    #[arg(long, value_name = "GROUP")]
    add_group: Vec<String>,
    /// A group less
    #[arg(long, value_name = "GROUP")]
    remove_group: Vec<String>,
    /// One more policy of their own
    #[arg(long, value_name = "POLICY")]
    add_policy: Vec<String>,
    /// A policy of their own less
    #[arg(long, value_name = "POLICY")]
    remove_policy: Vec<String>,
}

pub(super) fn create(books: &Books, new: &Create) -> Result<(), Failure> {
    let reader = books.reader();
    let mut profile = Profile {
        first_name: name("--first-name", &new.first_name)?,
        last_name: name("--last-name", &new.last_name)?,
        preferred_name: None,
        email: None,
        phone: None,
        employee_number: None,
    };
    set_contacts(&mut profile, &new.contacts)?;
    let mut access = AccessPeriod::default();
    let zone = chosen_zone(&reader, new.period.zone.as_deref())?;
    set_period(&mut access, &new.period, &zone)?;
    let policies = if new.no_policy {
        InitialPolicies::Chosen(BTreeSet::new())
    } else if new.policy.is_empty() {
        InitialPolicies::SiteDefaults
    } else {
        InitialPolicies::Chosen(pick_all::<Policy>(&reader, &new.policy)?)
    };
    let groups = pick_all::<Group>(&reader, &new.group)?;
    let means = new.means.read(books)?;
    let user = UserId::random(books.randomness());
    let credentials = means.credentials;
    books.carry_out(Command::CreateUser {
        user,
        profile,
        access,
        groups,
        policies,
        credentials,
    })?;
    view::show_new(books, user, means.generated_pin.as_ref())
}

pub(super) fn change(books: &Books, edit: &Edit) -> Result<(), Failure> {
    let reader = books.reader();
    let mut person = pick_person(&reader, &edit.who.wanted)?;
    if let Some(text) = &edit.first_name {
        person.profile.first_name = name("--first-name", text)?;
    }
    if let Some(text) = &edit.last_name {
        person.profile.last_name = name("--last-name", text)?;
    }
    set_contacts(&mut person.profile, &edit.contacts)?;
    let zone = chosen_zone(&reader, edit.period.zone.as_deref())?;
    set_period(&mut person.access, &edit.period, &zone)?;
    let groups = pick_all::<Group>(&reader, &edit.add_group)?;
    change_set(
        &mut person.groups,
        groups,
        &pick_all::<Group>(&reader, &edit.remove_group)?,
    );
    let policies = pick_all::<Policy>(&reader, &edit.add_policy)?;
    let gone = pick_all::<Policy>(&reader, &edit.remove_policy)?;
    change_set(&mut person.policies, policies, &gone);
    let user = person.id;
    books.carry_out(Command::EditUser {
        user,
        expected: Expected::Unchanged(person.revision),
        profile: person.profile,
        access: person.access,
        groups: person.groups,
        policies: person.policies,
    })?;
    view::show(books, user)
}

fn name(what: &str, text: &str) -> Result<PersonName, Failure> {
    PersonName::parse(text).map_err(|error| Failure::usage(what, error))
}

fn set_contacts(profile: &mut Profile, contacts: &Contacts) -> Result<(), Failure> {
    set(
        "--preferred-name",
        &mut profile.preferred_name,
        &contacts.preferred_name,
        PersonName::parse,
    )?;
    set("--email", &mut profile.email, &contacts.email, Email::parse)?;
    set("--phone", &mut profile.phone, &contacts.phone, Phone::parse)?;
    set(
        "--employee-number",
        &mut profile.employee_number,
        &contacts.employee_number,
        EmployeeNumber::parse,
    )
}

fn set_period(access: &mut AccessPeriod, period: &Period, zone: &ZoneName) -> Result<(), Failure> {
    let limit = |what: &str, limit: &mut Option<Timestamp>, text: &Option<String>, alone| {
        match text.as_deref() {
            None => {}
            Some("") => *limit = None,
            Some(text) => *limit = Some(moment(what, text, zone, alone)?),
        }
        Ok(())
    };
    limit(
        "--access-starts",
        &mut access.starts,
        &period.access_starts,
        Alone::StartOfDay,
    )?;
    limit(
        "--access-ends",
        &mut access.ends,
        &period.access_ends,
        Alone::EndOfDay,
    )
}

/// Sets an optional field: nothing said leaves it, an empty text empties it.
fn set<T>(
    what: &str,
    field: &mut Option<T>,
    text: &Option<String>,
    parse: impl FnOnce(&str) -> Result<T, TextError>,
) -> Result<(), Failure> {
    match text.as_deref() {
        None => {}
        Some("") => *field = None,
        Some(text) => *field = Some(parse(text).map_err(|error| Failure::usage(what, error))?),
    }
    Ok(())
}
