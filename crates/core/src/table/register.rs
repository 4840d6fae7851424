//! Small numbers for ids, so that what refers to something finds it without searching.
//!
//! Entries arrive in any order, so an id has its number from the moment anything mentions it, and
//! keeps it until nothing does and nothing is known of it.

use std::collections::BTreeMap;

/// Numbered things.
#[derive(Clone, Debug)]
pub(super) struct Register<Id, T> {
    numbers: BTreeMap<Id, u32>,
    slots: Vec<Slot<Id, T>>,
    free: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Slot<Id, T> {
    id: Id,
    mentions: u32,
    known: Option<T>,
}

impl<Id: Ord + Clone, T> Register<Id, T> {
    pub(super) const fn new() -> Self {
        Self {
            numbers: BTreeMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// The number of an id that something refers to from now on.
    pub(super) fn mention(&mut self, id: Id) -> u32 {
        let number = self.number_for(id);
        if let Some(slot) = self.slot(number) {
            slot.mentions += 1;
        }
        number
    }

    /// Takes one mention back.
    pub(super) fn release(&mut self, number: u32) {
        if let Some(slot) = self.slot(number) {
            slot.mentions = slot.mentions.saturating_sub(1);
        }
        self.tidy(number);
    }

    /// How often a number is mentioned.
    pub(super) fn mentions(&self, number: u32) -> u32 {
        let slot = self.slots.get(number as usize);
        slot.map_or(0, |slot| slot.mentions)
    }

    /// Makes something known under its id.
    pub(super) fn learn(&mut self, id: Id, known: T) {
        let number = self.number_for(id);
        if let Some(slot) = self.slot(number) {
            slot.known = Some(known);
        }
    }

    /// Takes out what is known under an id.
    pub(super) fn forget(&mut self, id: &Id) -> Option<T> {
        let number = *self.numbers.get(id)?;
        let known = self.slot(number)?.known.take();
        self.tidy(number);
        known
    }

    /// What is known under a number.
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.slots.get(number as usize)?.known.as_ref()
    }

    /// What is known under an id, and its number.
    pub(super) fn find(&self, id: &Id) -> Option<(u32, &T)> {
        let number = *self.numbers.get(id)?;
        Some((number, self.get(number)?))
    }

    /// The id that has a number.
    pub(super) fn id(&self, number: u32) -> Option<&Id> {
        self.slots.get(number as usize).map(|slot| &slot.id)
    }

    /// The ids under which something is known, in order.
    pub(super) fn known(&self) -> impl Iterator<Item = &Id> {
        let known = |(_, number): &(&Id, &u32)| self.get(**number).is_some();
        self.numbers.iter().filter(known).map(|(id, _)| id)
    }

    fn slot(&mut self, number: u32) -> Option<&mut Slot<Id, T>> {
        self.slots.get_mut(number as usize)
    }

    fn number_for(&mut self, id: Id) -> u32 {
        if let Some(number) = self.numbers.get(&id) {
            return *number;
        }
        let slot = Slot {
            id: id.clone(),
            mentions: 0,
            known: None,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = slot;
                number
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        self.numbers.insert(id, number);
        number
    }

    /// Gives a number back that nothing needs any more.
    fn tidy(&mut self, number: u32) {
        if let Some(slot) = self.slots.get(number as usize)
            && slot.mentions == 0
            && slot.known.is_none()
            && self.numbers.remove(&slot.id).is_some()
        {
            self.free.push(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_lasts_as_long_as_it_is_needed() {
        let mut register = Register::new();
        let one = register.mention("one");
        register.learn("two", 2);
        assert_eq!((register.get(one), register.find(&"one")), (None, None));
        register.learn("one", 1);
        assert_eq!(register.find(&"one"), Some((one, &1)));
        assert_eq!(register.forget(&"one"), Some(1));
        // Still mentioned, so it comes back under its number.
        register.learn("three", 3);
        register.learn("one", 11);
        assert_eq!(register.get(one), Some(&11));
        register.release(one);
        assert_eq!(
            register.known().collect::<Vec<_>>(),
            [&"one", &"three", &"two"]
        );
        assert_eq!(register.forget(&"one"), Some(11));
        // Now it is free.
        assert_eq!(register.mention("four"), one);
        assert_eq!(
            (register.id(one), register.mentions(one)),
            (Some(&"four"), 1)
        );
    }
}
