//! Looks at payloads one after the other and trusts nothing that is stored of them: is the content
//! what the commitment says, and was somebody erased where it is gone?

use std::collections::{HashMap, HashSet};

use offgate_core::log::Person;
use offgate_core::parameters::Revision;
use rusqlite::Row;

use super::payload::{about, commitment, purpose};
use crate::error::StoreError;
use crate::vault::{OpeningKey, Vault};

/// How many people's keys are held at once. Each is less than a kilobyte.
const KEYS: usize = 16_384;

/// What was found of a payload.
pub(super) enum Checked {
    /// Its content is what its commitment says.
    Fits,
    /// It was erased, as somebody it may be about was.
    Erased,
    /// It was erased, and nobody was whom it may be about.
    ErasedForNobody,
    /// It is sealed, and its key is not to be had.
    Unreadable,
    /// It is not what was written.
    Altered,
}

/// Looks at payloads.
pub(super) struct Checker<'v> {
    vault: &'v Vault,
    /// The keys of people that were needed lately; none for those who have none.
    keys: HashMap<Person, Option<OpeningKey>>,
    /// Who was erased, by the vault's list and by what is still owed to it.
    erased: HashSet<Person>,
    /// When somebody was, in microseconds since 1970.
    erased_at: HashSet<i64>,
    buffer: Vec<u8>,
}

impl<'v> Checker<'v> {
    /// With these as the erased.
    pub(super) fn new(vault: &'v Vault, erased: Vec<crate::vault::Erased>) -> Self {
        Self {
            vault,
            keys: HashMap::new(),
            erased_at: erased.iter().map(|one| one.at.microseconds()).collect(),
            erased: erased.into_iter().map(|one| one.person).collect(),
            buffer: Vec::new(),
        }
    }

    /// Looks at one payload, whose row is
    /// `revision, position, commitment, about, about_id, content, erased_at`, of an entry about
    /// `subject`. Answers with its commitment too.
    pub(super) fn check(
        &mut self,
        row: &Row<'_>,
        revision: Revision,
        expected: usize,
        subject: Option<Person>,
    ) -> Result<(Checked, [u8; 32]), StoreError> {
        let committed: [u8; 32] = row.get(2)?;
        let content = row.get_ref(5)?.as_blob_or_null().unwrap_or_default();
        let erased_at: Option<i64> = row.get(6)?;
        let in_place = row.get::<_, i64>(1)? == i64::try_from(expected).unwrap_or(-1);
        let fits = |opened: &[u8]| match commitment(opened) == committed {
            true => Checked::Fits,
            false => Checked::Altered,
        };
        let checked = match (about(row, 3), content, erased_at) {
            _ if !in_place => Checked::Altered,
            (Ok(None), None, Some(at)) => self.erased(subject, at),
            (Ok(None), Some(plain), None) => fits(plain),
            (Ok(Some(about)), Some(sealed), None) => {
                // Few people are many entries, so the least that holds memory down will do.
                if self.keys.len() >= KEYS && !self.keys.contains_key(&about) {
                    self.keys.clear();
                }
                let key = match self.keys.entry(about) {
                    std::collections::hash_map::Entry::Occupied(found) => found.into_mut(),
                    std::collections::hash_map::Entry::Vacant(place) => {
                        let key = self.vault.key_of(about)?;
                        place.insert(key.and_then(|key| key.opener().ok()))
                    }
                };
                match key {
                    None => Checked::Unreadable,
                    Some(key) => {
                        let purpose = purpose(revision, expected, about);
                        match key.open(&purpose, sealed, &mut self.buffer) {
                            Ok(opened) => fits(opened),
                            Err(_) => Checked::Altered,
                        }
                    }
                }
            }
            _ => Checked::Altered,
        };
        Ok((checked, committed))
    }

    /// Whose it was went with it. A person's entries are about them alone; an operator's also about
    /// the people that the operator was said to be, of whom only the moment is left to compare.
    fn erased(&self, subject: Option<Person>, at: i64) -> Checked {
        let listed = match subject {
            Some(person) if self.erased.contains(&person) => true,
            Some(Person::Operator(_)) => self.erased_at.contains(&at),
            Some(Person::User(_)) | None => false,
        };
        if listed {
            Checked::Erased
        } else {
            Checked::ErasedForNobody
        }
    }
}
