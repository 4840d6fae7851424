//! The rulings that a door keeps beside its table: those of the table it has, those of tables it had
//! that this one does not know of, and those that overtook the table that is on its way.

use std::collections::BTreeMap;

use super::entry::RulingEntry;
use crate::ruling::Ruling;

/// What is ruled about whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Rulings {
    /// By the table itself.
    told: BTreeMap<[u8; 16], RulingEntry>,
    /// By an earlier one, or ahead of the next one; refusals only.
    held: BTreeMap<[u8; 16], RulingEntry>,
}

impl Rulings {
    pub(super) fn learn(&mut self, entry: RulingEntry) {
        self.told.insert(*entry.subject, entry);
    }

    pub(super) fn forget(&mut self, subject: &[u8; 16]) {
        self.told.remove(subject);
    }

    /// Keeps a refusal that this table does not have. Of two, the later one.
    pub(super) fn hold(&mut self, entry: RulingEntry) {
        let refuses = |entry: &RulingEntry| entry.ruling().is_some_and(|it| it.ruled.refuses());
        let is_newer = |before: &RulingEntry| match (entry.ruling(), before.ruling()) {
            (Some(after), Some(before)) => after.is_later_than(&before),
            _ => false,
        };
        if refuses(&entry) && self.held.get(&*entry.subject).is_none_or(is_newer) {
            self.held.insert(*entry.subject, entry);
        }
    }

    /// The refusals beside the table that stand: it does not have them, and nothing later about their
    /// subject.
    pub(super) fn standing(&self) -> impl Iterator<Item = &RulingEntry> {
        self.held
            .values()
            .filter(|held| !self.told_as(held, Ruling::stands_for))
    }

    /// Every refusal that stands, the table's own among them.
    pub(super) fn refusals(&self) -> impl Iterator<Item = &RulingEntry> {
        let told = self.told.values().filter(|told| {
            let refuses = told.ruling().is_some_and(|it| it.ruled.refuses());
            let outdone = self.held.get(&*told.subject);
            refuses && outdone.is_none_or(|held| self.told_as(held, Ruling::stands_for))
        });
        told.chain(self.standing())
    }

    /// Whether a refusal beside the table stops this person or credential: until something later is
    /// ruled. The same word in the table lifts nothing.
    pub(super) fn stops(&self, subject: &[u8; 16]) -> bool {
        // Nothing is held but after a restore, and while a large table is on its way.
        !self.held.is_empty()
            && self
                .held
                .get(subject)
                .is_some_and(|held| !self.told_as(held, Ruling::is_later_than))
    }

    /// Whether the table has a ruling about the same subject that is this to the one held.
    fn told_as(&self, held: &RulingEntry, is: impl Fn(&Ruling, &Ruling) -> bool) -> bool {
        let told = self.told.get(&*held.subject).and_then(RulingEntry::ruling);
        match (told, held.ruling()) {
            (Some(told), Some(held)) => is(&told, &held),
            _ => false,
        }
    }
}
