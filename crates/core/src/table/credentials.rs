//! Who holds what is presented, found by its hash.
//!
//! The hashes are uniformly distributed, so their first bits say almost where they are in a sorted
//! run: an index of those bits leads to one or two rows. What has changed since the run was made
//! lies above it, until it has grown enough to be merged into a new one.

use std::collections::BTreeMap;
use std::ops::Range;

use super::KnownState;
use super::entry::CredentialHash;
use crate::id::CredentialId;

/// Who holds a credential (by their number), and its state; or that nobody does any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark(u32);

impl Mark {
    const GONE: Self = Self(u32::MAX);
    const LOST: u32 = 1 << 31;

    const fn new(user: u32, state: KnownState) -> Self {
        match state {
            KnownState::Usable => Self(user),
            KnownState::Lost => Self(user | Self::LOST),
        }
    }

    const fn user(self) -> u32 {
        self.0 & !Self::LOST
    }

    const fn state(self) -> KnownState {
        if self.0 & Self::LOST == 0 {
            KnownState::Usable
        } else {
            KnownState::Lost
        }
    }

    fn is_held_by(self, user: u32) -> bool {
        self != Self::GONE && self.user() == user
    }
}

/// One of those who hold something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// As which credential.
    pub(super) credential: CredentialId,
    /// The number of the person.
    pub(super) user: u32,
    /// Its state.
    pub(super) state: KnownState,
}

impl Held {
    const fn new(credential: CredentialId, mark: Mark) -> Self {
        Self {
            credential,
            user: mark.user(),
            state: mark.state(),
        }
    }
}

/// All credentials of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials {
    base: Run,
    /// Rows of the base that nobody holds any more.
    gone: usize,
    above: BTreeMap<(CredentialHash, CredentialId, u32), Mark>,
}

impl Credentials {
    /// The fewest changes that are worth a new run.
    const FEW: usize = 64;

    /// Everybody who holds what has this hash, in no order. Several people may share a plate.
    pub(super) fn held(&self, hash: CredentialHash) -> impl Iterator<Item = Held> {
        let below = self.base.find(hash).filter_map(move |at| {
            let mark = self.base.rows[at].mark;
            (mark != Mark::GONE).then(|| Held::new(self.base.ids[at], mark))
        });
        let first = (hash, CredentialId::from_bytes([0; 16]), 0);
        let last = (hash, CredentialId::from_bytes([0xff; 16]), u32::MAX);
        let above = (!self.above.is_empty()).then(|| self.above.range(first..=last));
        let above = above.into_iter().flatten();
        below.chain(above.map(|((_, credential, _), mark)| Held::new(*credential, *mark)))
    }

    /// Adds what a person holds.
    pub(super) fn insert(
        &mut self,
        hash: CredentialHash,
        credential: CredentialId,
        user: u32,
        state: KnownState,
    ) {
        let mark = Mark::new(user, state);
        // Somebody whose entry changes mostly keeps what they hold, so its row is there.
        let free = self.base.find(hash).find(|at| {
            let before = self.base.rows[*at].mark;
            self.base.ids[*at] == credential && (before == Mark::GONE || before.is_held_by(user))
        });
        match free {
            Some(at) => {
                let before = std::mem::replace(&mut self.base.rows[at].mark, mark);
                self.gone -= usize::from(before == Mark::GONE);
            }
            None => {
                self.above.insert((hash, credential, user), mark);
                self.merge_if_grown();
            }
        }
    }

    /// Takes away what a person holds.
    pub(super) fn remove(&mut self, hash: CredentialHash, credential: CredentialId, user: u32) {
        if self.above.remove(&(hash, credential, user)).is_some() {
            return;
        }
        let found = self.base.find(hash).find(|at| {
            self.base.ids[*at] == credential && self.base.rows[*at].mark.is_held_by(user)
        });
        if let Some(at) = found {
            self.base.rows[at].mark = Mark::GONE;
            self.gone += 1;
            self.merge_if_grown();
        }
    }

    /// The bytes that finding somebody takes: hashes, numbers, and the index; without the ids.
    pub(super) const fn look_up_bytes(&self) -> usize {
        self.base.rows.capacity() * size_of::<Row>() + self.base.starts.capacity() * 4
    }

    fn merge_if_grown(&mut self) {
        if self.above.len() + self.gone <= Self::FEW.max(self.base.rows.len() / 16) {
            return;
        }
        let below = std::mem::take(&mut self.base);
        let mut above = std::mem::take(&mut self.above).into_iter().peekable();
        let mut merged = Run::with_capacity(below.rows.len() - self.gone + above.len());
        for (row, id) in below.rows.into_iter().zip(below.ids) {
            while let Some(((hash, credential, _), mark)) =
                above.next_if(|((hash, ..), _)| *hash < row.hash)
            {
                merged.push(Row { hash, mark }, credential);
            }
            if row.mark != Mark::GONE {
                merged.push(row, id);
            }
        }
        for ((hash, credential, _), mark) in above {
            merged.push(Row { hash, mark }, credential);
        }
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
    /// Which credential each row is, which only the answer needs.
    ids: Vec<CredentialId>,
    /// Where the rows begin whose hashes begin with this number, and at the end their number.
    starts: Vec<u32>,
    /// How many of a hash's first 32 bits are not part of that number.
    shift: u32,
}

impl Run {
    fn with_capacity(capacity: usize) -> Self {
        Self {
            rows: Vec::with_capacity(capacity),
            ids: Vec::with_capacity(capacity),
            ..Self::default()
        }
    }

    fn push(&mut self, row: Row, id: CredentialId) {
        self.rows.push(row);
        self.ids.push(id);
    }

    /// Makes the index, with one to two rows for each number.
    fn index(&mut self) {
        let bits = self.rows.len().checked_ilog2().unwrap_or(0).min(31);
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

    /// Where the rows with this hash are.
    fn find(&self, hash: CredentialHash) -> Range<usize> {
        let number = self.number(hash);
        let (Some(from), Some(to)) = (self.starts.get(number), self.starts.get(number + 1)) else {
            return 0..0;
        };
        let (from, to) = (*from as usize, *to as usize);
        let near = &self.rows[from..to];
        let Some(first) = near.iter().position(|row| row.hash == hash) else {
            return 0..0;
        };
        let same = near[first..].iter().take_while(|row| row.hash == hash);
        from + first..from + first + same.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn id(number: u32) -> CredentialId {
        CredentialId::from_bytes([number as u8; 16])
    }

    #[test]
    fn everybody_is_found_while_runs_are_merged() {
        let mut credentials = Credentials::default();
        for number in 0..5_000 {
            credentials.insert(hash(number), id(number), number, KnownState::Usable);
            if number.is_multiple_of(3) {
                credentials.insert(hash(number), id(number), number + 1, KnownState::Lost);
            }
        }
        for number in (0..5_000).step_by(2) {
            credentials.remove(hash(number), id(number), number);
        }
        for number in 0..5_000 {
            let mut held: Vec<_> = credentials.held(hash(number)).collect();
            held.sort_unstable_by_key(|held| held.user);
            let first = (number % 2 == 1).then_some((number, KnownState::Usable));
            let second = (number % 3 == 0).then_some((number + 1, KnownState::Lost));
            let expected: Vec<_> = first
                .into_iter()
                .chain(second)
                .map(|(user, state)| Held {
                    credential: id(number),
                    user,
                    state,
                })
                .collect();
            assert_eq!(held, expected, "{number}");
        }
        assert_eq!(credentials.held(hash(5_000)).count(), 0);
        assert!(credentials.gone + credentials.above.len() <= credentials.base.rows.len() / 16);
    }

    #[test]
    fn what_comes_back_takes_its_old_row() {
        let mut credentials = Credentials::default();
        for number in 0..1_000 {
            credentials.insert(hash(number), id(number), number, KnownState::Usable);
        }
        let (rows, above) = (credentials.base.rows.len(), credentials.above.len());
        for number in 0..rows as u32 / 2 {
            credentials.remove(hash(number), id(number), number);
            credentials.insert(hash(number), id(number), 7, KnownState::Lost);
        }
        assert_eq!((credentials.gone, credentials.above.len()), (0, above));
        let held: Vec<_> = credentials.held(hash(3)).collect();
        assert_eq!(
            held,
            [Held {
                credential: id(3),
                user: 7,
                state: KnownState::Lost
            }]
        );
    }
}
