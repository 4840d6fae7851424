//! The passphrase that a store's owner keeps on paper, and what is locked with it.
//!
//! It is drawn, never chosen: 25 of 32 letters and digits, 125 bits, so that nothing is gained by
//! guessing. What it locks says in the clear how the passphrase was stretched (Argon2id) and what
//! it is for, and both are part of what is authenticated (ChaCha20-Poly1305).

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use offgate_core::parameters::Randomness;

/// How many characters, and how they are grouped.
const LENGTH: usize = 25;
const GROUP: usize = 5;
/// Crockford's base 32: nothing that could be mistaken for something else.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The passphrase of a store. A secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

/// The text is no passphrase of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a passphrase is five groups of five letters and digits")]
pub struct NotAPassphrase;

/// It does not open with this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUnwrapped {
    /// The passphrase is another one, or the bytes were changed.
    #[error("this is not the passphrase")]
    Passphrase,
    /// The bytes are nothing that a passphrase locks, or of a newer version.
    #[error("this is nothing that the passphrase opens")]
    Malformed,
}

impl Passphrase {
    /// Draws one.
    #[must_use]
    pub fn random(randomness: &dyn Randomness) -> Self {
        let mut bytes = [0; LENGTH];
        randomness.fill(&mut bytes);
        let letters = bytes.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
        let groups: Vec<String> = letters
            .chunks(GROUP)
            .map(|it| it.iter().collect())
            .collect();
        Self(groups.join("-"))
    }

    /// Reads what somebody typed from paper: small letters, spaces, and O for 0 or I and L for 1
    /// are understood.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, NotAPassphrase> {
        if text.len() > 200 {
            return Err(NotAPassphrase);
        }
        let mut letters = Vec::new();
        for letter in text.chars().filter(|it| !it.is_whitespace() && *it != '-') {
            let letter = match letter.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            if !letter.is_ascii() || !LETTERS.contains(&(letter as u8)) {
                return Err(NotAPassphrase);
            }
            letters.push(letter);
        }
        if letters.len() != LENGTH {
            return Err(NotAPassphrase);
        }
        let groups: Vec<String> = letters
            .chunks(GROUP)
            .map(|it| it.iter().collect())
            .collect();
        Ok(Self(groups.join("-")))
    }

    /// The text, to show it the once that it is shown.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Passphrase(…)")
    }
}

/// What is locked: one is never taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locked {
    Root,
    Backup,
}

impl Locked {
    const fn kind(self) -> &'static str {
        match self {
            Self::Root => "offgate root key",
            Self::Backup => "offgate backup key",
        }
    }
}

/// The version of what is written here.
const VERSION: u8 = 1;
/// How a passphrase is stretched today. It has 125 bits of its own; this only has to be no less
/// than is good for a PIN.
const STRETCH: Stretch = Stretch {
    memory: 19 * 1024,
    passes: 2,
    lanes: 1,
};
/// What is stretched at most for whoever hands in bytes from elsewhere: 1 GiB, 16 times.
const MOST: Stretch = Stretch {
    memory: 1024 * 1024,
    passes: 16,
    lanes: 16,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Stretch {
    /// Of KiB.
    #[n(0)]
    memory: u32,
    #[n(1)]
    passes: u32,
    #[n(2)]
    lanes: u32,
}

/// What is said in the clear, and authenticated.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Head {
    #[n(0)]
    kind: String,
    #[n(1)]
    version: u8,
    #[n(2)]
    stretch: Stretch,
    #[n(3)]
    salt: ByteArray<16>,
    #[n(4)]
    nonce: ByteArray<12>,
}

/// `[head, sealed]`.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Wrapped {
    #[n(0)]
    head: Head,
    #[n(1)]
    sealed: ByteVec,
}

/// Locks a secret of 32 bytes with the passphrase.
pub(super) fn wrap(
    passphrase: &Passphrase,
    what: Locked,
    secret: &[u8; 32],
    randomness: &dyn Randomness,
) -> Vec<u8> {
    let (mut salt, mut nonce) = ([0; 16], [0; 12]);
    randomness.fill(&mut salt);
    randomness.fill(&mut nonce);
    let head = Head {
        kind: what.kind().to_owned(),
        version: VERSION,
        stretch: STRETCH,
        salt: salt.into(),
        nonce: nonce.into(),
    };
    let key = stretched(passphrase, &head)
        .unwrap_or_else(|| unreachable!("the parameters are constants within range"));
    let mut sealed = secret.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(bytes(&head)),
        &mut sealed,
    )
    .unwrap_or_else(|_| unreachable!("32 bytes are not too many"));
    bytes(&Wrapped {
        head,
        sealed: sealed.into(),
    })
}

/// Opens what [`wrap`] locked.
pub(super) fn unwrap(
    passphrase: &Passphrase,
    what: Locked,
    wrapped: &[u8],
) -> Result<[u8; 32], NotUnwrapped> {
    let Wrapped { head, sealed } =
        minicbor::decode(wrapped).map_err(|_| NotUnwrapped::Malformed)?;
    if head.kind != what.kind() || head.version != VERSION {
        return Err(NotUnwrapped::Malformed);
    }
    let key = stretched(passphrase, &head).ok_or(NotUnwrapped::Malformed)?;
    let mut sealed = sealed.to_vec();
    let secret = key
        .open_in_place(
            Nonce::assume_unique_for_key(*head.nonce),
            Aad::from(bytes(&head)),
            &mut sealed,
        )
        .map_err(|_| NotUnwrapped::Passphrase)?;
    <[u8; 32]>::try_from(&*secret).map_err(|_| NotUnwrapped::Malformed)
}

/// The key that a passphrase becomes; none if what is asked is out of bounds.
fn stretched(passphrase: &Passphrase, head: &Head) -> Option<LessSafeKey> {
    let Stretch {
        memory,
        passes,
        lanes,
    } = head.stretch;
    if memory > MOST.memory || passes > MOST.passes || lanes > MOST.lanes {
        return None;
    }
    let parameters = argon2::Params::new(memory, passes, lanes, Some(32)).ok()?;
    let mut key = [0; 32];
    argon2::Argon2::new(
        argon2::Algorithm::Argon2id,
        argon2::Version::V0x13,
        parameters,
    )
    .hash_password_into(passphrase.0.as_bytes(), &*head.salt, &mut key)
    .ok()?;
    let key = UnboundKey::new(&CHACHA20_POLY1305, &key).ok()?;
    Some(LessSafeKey::new(key))
}

fn bytes(value: &impl Encode<()>) -> Vec<u8> {
    minicbor::to_vec(value).unwrap_or_else(|_| unreachable!("writing to memory cannot fail"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::Counting;
    use super::*;

    #[test]
    fn what_was_typed_from_paper_is_understood() {
        let drawn = Passphrase::random(&Counting::from(200));
        assert_eq!(drawn.text().len(), 29);
        let typed = drawn
            .text()
            .to_lowercase()
            .replace('-', " ")
            .replace('0', "o");
        assert_eq!(Passphrase::parse(&typed), Ok(drawn.clone()));
        let typed = drawn.text().replace('1', "l");
        assert_eq!(Passphrase::parse(&typed), Ok(drawn.clone()));
        for wrong in ["", "K7QRM", &drawn.text()[..28], "ÄÖÜ", &"A".repeat(10_000)] {
            assert_eq!(Passphrase::parse(wrong), Err(NotAPassphrase));
        }
        assert_eq!(format!("{drawn:?}"), "Passphrase(…)");
    }

    #[test]
    fn only_its_passphrase_opens_it_and_only_as_what_it_is() {
        let randomness = Counting::from(1);
        let (own, other) = (
            Passphrase::random(&randomness),
            Passphrase::random(&randomness),
        );
        let wrapped = wrap(&own, Locked::Root, &[9; 32], &randomness);
        assert!(!wrapped.windows(8).any(|part| part == [9; 8]));
        assert_eq!(unwrap(&own, Locked::Root, &wrapped), Ok([9; 32]));
        assert_eq!(
            unwrap(&other, Locked::Root, &wrapped),
            Err(NotUnwrapped::Passphrase)
        );
        assert_eq!(
            unwrap(&own, Locked::Backup, &wrapped),
            Err(NotUnwrapped::Malformed)
        );
        // Saying that it is something else does not make it so; nor does any other change.
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert!(unwrap(&own, Locked::Root, &changed).is_err(), "byte {at}");
        }
        assert!(unwrap(&own, Locked::Root, &[]).is_err());
    }
}
