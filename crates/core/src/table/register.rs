//! Small numbers for ids, so that what refers to something finds it without searching.
//!
//! Entries arrive in any order, so an id has its number from the moment anything mentions it, and
//! keeps it until nothing does and nothing is known of it.

use std::hash::Hash;

use super::spread::ById;

/// Numbered things.
#[derive(Clone, Debug)]
pub(super) struct Register<Id, T> {
    numbers: ById<Id, u32>,
    named: Vec<Named<Id>>,
    /// What is known under each number, apart from its name, which only an answer needs.
    known: Vec<Option<T>>,
    free: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Named<Id> {
    id: Id,
    mentions: u32,
}

impl<Id: Ord + Hash + Clone, T> Register<Id, T> {
    pub(super) fn new() -> Self {
        Self {
            numbers: ById::default(),
            named: Vec::new(),
            known: Vec::new(),
            free: Vec::new(),
        }
    }

    /// The number of an id that something refers to from now on.
    pub(super) fn mention(&mut self, id: Id) -> u32 {
        let number = self.number_for(id);
        if let Some(named) = self.named.get_mut(number as usize) {
            named.mentions += 1;
        }
        number
    }

    /// Takes one mention back.
    pub(super) fn release(&mut self, number: u32) {
        if let Some(named) = self.named.get_mut(number as usize) {
            named.mentions = named.mentions.saturating_sub(1);
        }
        self.tidy(number);
    }

    /// How often a number is mentioned.
    pub(super) fn mentions(&self, number: u32) -> u32 {
        let named = self.named.get(number as usize);
        named.map_or(0, |named| named.mentions)
    }

    /// Makes something known under its id. Says its number.
    pub(super) fn learn(&mut self, id: Id, known: T) -> u32 {
        let number = self.number_for(id);
        if let Some(place) = self.known.get_mut(number as usize) {
            *place = Some(known);
        }
        number
    }

    /// Takes out what is known under an id, and says its number.
    pub(super) fn forget(&mut self, id: &Id) -> Option<(u32, T)> {
        let number = *self.numbers.get(id)?;
        let known = self.known.get_mut(number as usize)?.take();
        self.tidy(number);
        Some((number, known?))
    }

    /// What is known under a number.
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.known.get(number as usize)?.as_ref()
    }

    /// What is known under an id, and its number.
    pub(super) fn find(&self, id: &Id) -> Option<(u32, &T)> {
        let number = *self.numbers.get(id)?;
        Some((number, self.get(number)?))
    }

    /// The id that has a number.
    pub(super) fn id(&self, number: u32) -> Option<&Id> {
        self.named.get(number as usize).map(|named| &named.id)
    }

    /// The ids under which something is known, in order.
    pub(super) fn known(&self) -> impl Iterator<Item = &Id> {
        let known = |(_, number): &(&Id, &u32)| self.get(**number).is_some();
        let mut ids: Vec<_> = self
            .numbers
            .iter()
            .filter(known)
            .map(|(id, _)| id)
            .collect();
        ids.sort_unstable();
        ids.into_iter()
    }

    fn number_for(&mut self, id: Id) -> u32 {
        if let Some(number) = self.numbers.get(&id) {
            return *number;
        }
        let named = Named {
            id: id.clone(),
            mentions: 0,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.named[number as usize] = named;
                number
            }
            None => {
                self.named.push(named);
                self.known.push(None);
                (self.named.len() - 1) as u32
            }
        };
        self.numbers.insert(id, number);
        number
    }

    /// Gives a number back that nothing needs any more.
    fn tidy(&mut self, number: u32) {
        if self.get(number).is_none()
            && let Some(named) = self.named.get(number as usize)
            && named.mentions == 0
            && self.numbers.remove(&named.id).is_some()
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
        assert_eq!(register.forget(&"one"), Some((one, 1)));
        // Still mentioned, so it comes back under its number.
        register.learn("three", 3);
        register.learn("one", 11);
        assert_eq!(register.get(one), Some(&11));
        register.release(one);
        assert_eq!(
            register.known().collect::<Vec<_>>(),
            [&"one", &"three", &"two"]
        );
        assert_eq!(register.forget(&"one"), Some((one, 11)));
        // Now it is free.
        assert_eq!(register.mention("four"), one);
        assert_eq!(
            (register.id(one), register.mentions(one)),
            (Some(&"four"), 1)
        );
    }
}
