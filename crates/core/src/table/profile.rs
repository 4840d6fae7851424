//! The set of policies that people have in common.

/// How many fit into the place that a longer list's address and length would need a line for.
const FEW: usize = 7;

/// The numbers of some policies. A few are kept in place, so that most decisions follow no
/// address to them.
#[derive(Clone, Debug)]
pub(super) enum Profile {
    Few { count: u8, numbers: [u32; FEW] },
    Many(Box<[u32]>),
}

impl Profile {
    pub(super) fn new(policies: &[u32]) -> Self {
        let mut numbers = [0; FEW];
        match numbers.get_mut(..policies.len()) {
            Some(place) => {
                place.copy_from_slice(policies);
                let count = policies.len() as u8;
                Self::Few { count, numbers }
            }
            None => Self::Many(policies.into()),
        }
    }

    pub(super) fn policies(&self) -> &[u32] {
        match self {
            Self::Few { count, numbers } => &numbers[..usize::from(*count).min(FEW)],
            Self::Many(numbers) => numbers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_are_the_same_to_who_asks() {
        let numbers: Vec<u32> = (1..=20).collect();
        for count in 0..=numbers.len() {
            assert_eq!(
                Profile::new(&numbers[..count]).policies(),
                &numbers[..count]
            );
        }
    }
}
