//! What is wrong with a form, field by field.

use offgate_core::records::Records as _;
use offgate_core::refusal::Refusal;
use offgate_core::user::UserRecord;
use offgate_store::{Reader, StoreError};

use super::words::sentence;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The field, as the form names it; empty for the form as a whole.
    pub(crate) field: &'static str,
    pub(crate) words: String,
}

impl Problem {
    /// What the field is called on the page, where several problems stand together.
    pub(crate) fn label(&self) -> &'static str {
        match self.field {
            "first_name" => "First name",
            "last_name" => "Last name",
            "preferred_name" => "Preferred name",
            "employee_number" => "Employee number",
            "email" => "E-mail",
            "phone" => "Phone",
            "access_starts" => "Access starts",
            "access_ends" => "Access ends",
            "employment_ended_at" => "Employment ended at",
            "reason" => "Reason",
            "note" => "Note",
            "method" => "Authentication method",
            "pin" => "PIN",
            "token" => "Card token",
            "display_number" => "Number on the card",
            "plate" => "Licence plate number",
            "addresses" => "Addresses",
            "url" => "Address",
            "label" => "Label",
            "name" => "Name",
            "door" => "Doors",
            "number" => "How long",
            "until" => "Until",
            "fail_mode" => "After that time",
            "emergency_list" => "Emergency list",
            _ => "",
        }
    }
}

/// Everything that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// What is wrong with a field.
    pub(crate) fn of(&self, field: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|problem| problem.field == field)
            .map(|problem| problem.words.as_str())
    }

    pub(crate) fn add(&mut self, field: &'static str, words: &str) {
        self.0.push(Problem {
            field,
            words: sentence(words),
        });
    }

    /// The value, or what is wrong with its field.
    pub(crate) fn take<T>(
        &mut self,
        field: &'static str,
        read: Result<T, impl std::fmt::Display>,
    ) -> Option<T> {
        read.map_err(|error| self.add(field, &error.to_string()))
            .ok()
    }

    /// Puts a refusal beside the field it is about. Whose a card or plate is may be told: whoever
    /// sees this form sees everybody's profile.
    pub(crate) fn refused(&mut self, reader: &Reader, refusal: &Refusal) -> Result<(), StoreError> {
        let holder = match refusal.holder() {
            Some(holder) => match reader.user(holder)? {
                Some(UserRecord::Present(person)) => Some(person.profile.full_name()),
                _ => None,
            },
            None => None,
        };
        let words = match holder {
            Some(holder) => format!("{refusal} (held by {holder})"),
            None => refusal.to_string(),
        };
        self.add(field_of(refusal), &words);
        Ok(())
    }
}

/// The field a refusal is about.
const fn field_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::EndBeforeStart | Refusal::EndInThePast => "access_ends",
        Refusal::EmploymentEndsLater => "employment_ended_at",
        Refusal::ChooseAnotherPin | Refusal::TooManyPinTries => "pin",
        Refusal::CardInUse { .. } | Refusal::CardBurned => "token",
        Refusal::PlateInUse { .. } => "plate",
        Refusal::NameTaken(_) => "name",
        Refusal::LimitNotLonger => "number",
        Refusal::LongerLimitEnd => "until",
        _ => "",
    }
}
