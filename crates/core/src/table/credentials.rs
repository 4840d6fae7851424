//! Who holds what is presented, found by its hash.
//!
//! The hashes are uniformly distributed, so their first bits say almost where they are in a sorted
//! run: an index of those bits leads to a few rows, and a byte of each, its tag, to the right one.
//! Index and tags are small enough to stay in the processor's caches, so that a known card costs one
//! access beyond them and an unknown one hardly any. What has changed since the run was made lies
//! above it, until it has grown enough to be merged into a new one.

use super::admission::Holder;
use super::entry::CredentialHash;
use super::spread::ById;
use super::{KnownPeriod, KnownStanding, KnownState};

/// All that most decisions need of a credential and its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// The number of the holder's set of policies.
    pub(super) profile: u32,
    /// The holder's standing.
    pub(super) standing: KnownStanding,
    /// Whether the holder's access has a beginning or an end.
    pub(super) period: KnownPeriod,
    /// The credential's state.
    pub(super) state: KnownState,
}

/// Terms in four bytes; or that nobody holds it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark(u32);

impl Mark {
    const GONE: Self = Self(u32::MAX);
    const LOST: u32 = 1 << 31;
    const DEACTIVATED: u32 = 1 << 30;
    const BOUNDED: u32 = 1 << 29;
    /// More profiles than fit into memory.
    const PROFILE: u32 = Self::BOUNDED - 1;

    const fn new(terms: Terms) -> Self {
        let state = match terms.state {
            KnownState::Usable => 0,
            KnownState::Lost => Self::LOST,
        };
        let standing = match terms.standing {
            KnownStanding::Active => 0,
            KnownStanding::Deactivated => Self::DEACTIVATED,
        };
        let period = match terms.period {
            KnownPeriod::Always => 0,
            KnownPeriod::Bounded => Self::BOUNDED,
        };
        Self(terms.profile & Self::PROFILE | state | standing | period)
    }

    /// The terms, unless it is gone.
    fn terms(self) -> Option<Terms> {
        let has = |bit| self.0 & bit != 0;
        (self != Self::GONE).then(|| Terms {
            profile: self.0 & Self::PROFILE,
            standing: if has(Self::DEACTIVATED) {
                KnownStanding::Deactivated
            } else {
                KnownStanding::Active
            },
            period: if has(Self::BOUNDED) {
                KnownPeriod::Bounded
            } else {
                KnownPeriod::Always
            },
            state: if has(Self::LOST) {
                KnownState::Lost
            } else {
                KnownState::Usable
            },
        })
    }
}

/// All credentials of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials {
    base: Run,
    /// Rows of the base that nobody holds any more.
    gone: usize,
    above: ById<CredentialHash, Vec<(Holder, Mark)>>,
}

impl Credentials {
    /// The fewest changes that are worth a new run.
    const FEW: usize = 64;

    /// Everybody who holds what has this hash, and on which terms, in no order. Several people may
    /// share a plate.
    pub(super) fn held(&self, hash: CredentialHash) -> impl Iterator<Item = (Holder, Terms)> {
        let below = self.base.find(hash);
        let below = below.map(|at| (self.base.holders[at], self.base.rows[at].mark));
        let above = self.above.get(&hash).into_iter().flatten().copied();
        below
            .chain(above)
            .filter_map(|(holder, mark)| Some((holder, mark.terms()?)))
    }

    /// Adds what a person holds.
    pub(super) fn insert(&mut self, hash: CredentialHash, holder: Holder, terms: Terms) {
        // Somebody whose entry changes mostly keeps what they hold, so its row is there.
        match self.row(hash, holder) {
            Some(at) => {
                let before = std::mem::replace(&mut self.base.rows[at].mark, Mark::new(terms));
                self.gone -= usize::from(before == Mark::GONE);
            }
            None => {
                let above = self.above.entry(hash).or_default();
                above.retain(|(before, _)| *before != holder);
                above.push((holder, Mark::new(terms)));
                self.merge_if_grown();
            }
        }
    }

    /// Takes away what a person holds.
    pub(super) fn remove(&mut self, hash: CredentialHash, holder: Holder) {
        if let Some(above) = self.above.get_mut(&hash) {
            above.retain(|(before, _)| *before != holder);
            if above.is_empty() {
                self.above.remove(&hash);
            }
        }
        if let Some(at) = self.row(hash, holder) {
            let before = std::mem::replace(&mut self.base.rows[at].mark, Mark::GONE);
            self.gone += usize::from(before != Mark::GONE);
            self.merge_if_grown();
        }
    }

    /// The bytes that finding somebody takes: hashes, numbers, and the index; without the ids.
    pub(super) const fn look_up_bytes(&self) -> usize {
        let Run {
            rows, tags, starts, ..
        } = &self.base;
        rows.capacity() * size_of::<Row>() + tags.capacity() + starts.capacity() * size_of::<u32>()
    }

    /// The row of what a person holds, or held.
    fn row(&self, hash: CredentialHash, holder: Holder) -> Option<usize> {
        self.base
            .find(hash)
            .find(|at| self.base.holders[*at] == holder)
    }

    fn merge_if_grown(&mut self) {
        if self.above.len() + self.gone <= Self::FEW.max(self.base.rows.len() / 16) {
            return;
        }
        let below = std::mem::take(&mut self.base);
        let mut above: Vec<_> = std::mem::take(&mut self.above).into_iter().collect();
        above.sort_unstable_by_key(|(hash, _)| *hash);
        let more: usize = above.iter().map(|(_, held)| held.len()).sum();
        let mut above = above.into_iter().peekable();
        let mut merged = Run::with_capacity(below.rows.len() - self.gone + more);
        for (row, holder) in below.rows.into_iter().zip(below.holders) {
            while let Some((hash, held)) = above.next_if(|(hash, _)| *hash < row.hash) {
                merged.extend(hash, held);
            }
            if row.mark != Mark::GONE {
                merged.push(row, holder);
            }
        }
        above.for_each(|(hash, held)| merged.extend(hash, held));
        merged.index();
        self.base = merged;
        self.gone = 0;
    }
}

#[derive(Clone, Copy, Debug)]
struct Row {
    hash: CredentialHash,
    mark: Mark,
}

/// Rows sorted by their hashes.
#[derive(Clone, Debug, Default)]
struct Run {
    rows: Vec<Row>,
    /// A byte of each row's hash.
    tags: Vec<u8>,
    /// Whose each row is, which only the answer needs.
    holders: Vec<Holder>,
    /// Where the rows begin whose hashes begin with this number, and at the end their number.
    starts: Vec<u32>,
    /// How many of a hash's first 32 bits are not part of that number.
    shift: u32,
}

impl Run {
    fn with_capacity(capacity: usize) -> Self {
        Self {
            rows: Vec::with_capacity(capacity),
            tags: Vec::with_capacity(capacity),
            holders: Vec::with_capacity(capacity),
            ..Self::default()
        }
    }

    fn push(&mut self, row: Row, holder: Holder) {
        self.rows.push(row);
        self.tags.push(row.hash.tag());
        self.holders.push(holder);
    }

    fn extend(&mut self, hash: CredentialHash, held: Vec<(Holder, Mark)>) {
        for (holder, mark) in held {
            self.push(Row { hash, mark }, holder);
        }
    }

    /// Makes the index, with two to four rows for each number.
    fn index(&mut self) {
        let bits = (self.rows.len() / 2).checked_ilog2().unwrap_or(0).min(31);
        self.shift = 32 - bits;
        let mut starts = vec![0_u32; (1 << bits) + 1];
        for row in &self.rows {
            starts[self.number(row.hash) + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        self.starts = starts;
    }

    fn number(&self, hash: CredentialHash) -> usize {
        let [a, b, c, d, ..] = hash.0;
        (u64::from(u32::from_be_bytes([a, b, c, d])) >> self.shift) as usize
    }

    /// Which rows have this hash.
    fn find(&self, hash: CredentialHash) -> impl Iterator<Item = usize> {
        let number = self.number(hash);
        let near = match (self.starts.get(number), self.starts.get(number + 1)) {
            (Some(from), Some(to)) => *from as usize..*to as usize,
            _ => 0..0,
        };
        let from = near.start;
        let tags = self.tags[near].iter().enumerate();
        let tagged = tags.filter(move |(_, tag)| **tag == hash.tag());
        let places = tagged.map(move |(place, _)| from + place);
        places.filter(move |at| self.rows[*at].hash == hash)
    }
}

impl CredentialHash {
    /// A byte that the index does not look at.
    const fn tag(self) -> u8 {
        self.0[4]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{CredentialId, UserId};

    /// Hashes spread as real ones are, and some that crowd together.
    fn hash(number: u32) -> CredentialHash {
        let spread = number.wrapping_mul(0x9E37_79B1).to_be_bytes();
        let mut bytes = [0; 16];
        if !number.is_multiple_of(5) {
            bytes[..4].copy_from_slice(&spread);
        }
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        CredentialHash(bytes)
    }

    /// The credential and the person with these numbers.
    fn holder(credential: u32, user: u32) -> Holder {
        Holder {
            credential: CredentialId::from_bytes([credential as u8; 16]),
            user: UserId::from_bytes([user as u8; 16]),
        }
    }

    fn terms(profile: u32, state: KnownState) -> Terms {
        Terms {
            profile,
            standing: KnownStanding::Active,
            period: KnownPeriod::Always,
            state,
        }
    }

    #[test]
    fn everybody_is_found_while_runs_are_merged() {
        let mut credentials = Credentials::default();
        let first = |number| (holder(number, number), terms(number, KnownState::Usable));
        let second = |number| (holder(number, number + 1), terms(7, KnownState::Lost));
        for number in 0..5_000 {
            let (holder, terms) = first(number);
            credentials.insert(hash(number), holder, terms);
            if number.is_multiple_of(3) {
                let (holder, terms) = second(number);
                credentials.insert(hash(number), holder, terms);
            }
        }
        for number in (0..5_000).step_by(2) {
            credentials.remove(hash(number), first(number).0);
        }
        for number in 0..5_000 {
            let mut held: Vec<_> = credentials.held(hash(number)).collect();
            held.sort_unstable_by_key(|(_, terms)| terms.state == KnownState::Lost);
            let first = (number % 2 == 1).then(|| first(number));
            let second = (number % 3 == 0).then(|| second(number));
            let expected: Vec<_> = first.into_iter().chain(second).collect();
            assert_eq!(held, expected, "{number}");
        }
        assert_eq!(credentials.held(hash(5_000)).count(), 0);
        assert!(credentials.gone + credentials.above.len() <= credentials.base.rows.len() / 16);
    }

    #[test]
    fn what_comes_back_takes_its_old_row() {
        let mut credentials = Credentials::default();
        for number in 0..1_000 {
            let terms = terms(number, KnownState::Usable);
            credentials.insert(hash(number), holder(number, number), terms);
        }
        let (rows, above) = (credentials.base.rows.len(), credentials.above.len());
        for number in 0..rows as u32 / 2 {
            credentials.remove(hash(number), holder(number, number));
            let terms = terms(7, KnownState::Lost);
            credentials.insert(hash(number), holder(number, number), terms);
        }
        assert_eq!((credentials.gone, credentials.above.len()), (0, above));
        let held: Vec<_> = credentials.held(hash(3)).collect();
        assert_eq!(held, [(holder(3, 3), terms(7, KnownState::Lost))]);
    }

    #[test]
    fn terms_survive_being_a_mark() {
        for state in [KnownState::Usable, KnownState::Lost] {
            for standing in [KnownStanding::Active, KnownStanding::Deactivated] {
                for period in [KnownPeriod::Always, KnownPeriod::Bounded] {
                    let terms = Terms {
                        profile: 12_345,
                        standing,
                        period,
                        state,
                    };
                    assert_eq!(Mark::new(terms).terms(), Some(terms));
                }
            }
        }
        assert_eq!(Mark::GONE.terms(), None);
    }
}
