//! Who this agent is: the file with its key, and what it got for a join token.
//!
//! The key is on disk before the token is shown to anybody, so that an answer which is lost can be
//! asked for again: the server takes a spent token once more from the same key.

use std::io;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use offgate_core::agent::HashKey;
use offgate_core::id::{AgentId, DoorId, StoreId};
use offgate_core::parameters::Randomness;
use offgate_core::text::Title;
use offgate_link::acknowledgement::SigningKey;
use offgate_link::chain::IssuingNumber;
use offgate_link::join_token::{JoinTokenText, RootFingerprint};

use crate::disk::{Disk, Folder};

const NAME: &str = "identity";
const DOORS: &str = "doors";
const ISSUING: &str = "issuing";
/// The form of the file.
const VERSION: u8 = 1;

#[derive(Encode, Decode)]
#[cbor(array)]
struct Bytes {
    /// Of this file's form.
    #[n(0)]
    version: u8,
    /// PKCS#8.
    #[n(1)]
    key: ByteVec,
    #[n(2)]
    root: ByteArray<32>,
    #[n(3)]
    joined: Option<JoinedBytes>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct JoinedBytes {
    #[n(0)]
    agent: ByteArray<16>,
    #[n(1)]
    store: ByteArray<16>,
    #[n(2)]
    hash_key: ByteArray<32>,
    #[n(3)]
    chain: Vec<ByteVec>,
}

/// Who an agent is.
pub(crate) struct Known {
    pub(crate) key: SigningKey,
    /// Whom it trusts.
    pub(crate) root: RootFingerprint,
    /// None: it has a key and has not joined yet.
    pub(crate) joined: Option<Joined>,
}

/// What an agent got for its join token.
#[derive(Clone)]
pub(crate) struct Joined {
    pub(crate) agent: AgentId,
    pub(crate) store: StoreId,
    pub(crate) hash_key: HashKey,
    pub(crate) chain: Vec<Vec<u8>>,
}

/// Why the file is of no use.
#[derive(Debug)]
pub(crate) enum NotKnown {
    /// There is none, and no token to make one for.
    NeverJoined,
    /// It is there and cannot be made sense of.
    Damaged,
    /// It is whole, and a newer program's.
    Newer,
    Io(io::Error),
}

impl From<io::Error> for NotKnown {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads who this agent is; makes a key, durably, if there is none and a token to join with.
///
/// An agent that has joined keeps to that, whatever token it is given. One that has not trusts the
/// root of the token it is given, with the key it has.
pub(crate) fn read_or_begin(
    folder: &mut Folder,
    token: Option<&JoinTokenText>,
    randomness: &dyn Randomness,
) -> Result<Known, NotKnown> {
    let known = match folder.read_if_there(NAME)? {
        Some(bytes) => Some(read(&bytes)?),
        None => None,
    };
    match (known, token) {
        (Some(known), token) if known.joined.is_some() || token.is_none() => Ok(known),
        (known, Some(token)) => {
            let key = match known {
                Some(known) => known.key,
                None => {
                    let mut seed = [0; 32];
                    randomness.fill(&mut seed);
                    SigningKey::from_seed(&seed).map_err(|_| NotKnown::Damaged)?
                }
            };
            let known = Known {
                key,
                root: token.root(),
                joined: None,
            };
            write(folder, &known)?;
            Ok(known)
        }
        (_, None) => Err(NotKnown::NeverJoined),
    }
}

/// Writes who this agent is, so that a power cut leaves either this or what was there before.
pub(crate) fn write(folder: &mut Folder, known: &Known) -> io::Result<()> {
    let bytes = Bytes {
        version: VERSION,
        key: known.key.pkcs8().to_vec().into(),
        root: known.root.0.into(),
        joined: known.joined.as_ref().map(|joined| JoinedBytes {
            agent: (*joined.agent.as_bytes()).into(),
            store: (*joined.store.as_bytes()).into(),
            hash_key: (*joined.hash_key.as_bytes()).into(),
            chain: joined.chain.iter().cloned().map(Into::into).collect(),
        }),
    };
    let bytes =
        minicbor::to_vec(bytes).unwrap_or_else(|_| unreachable!("writing to memory cannot fail"));
    let checksum = blake3::hash(&bytes);
    folder.write_whole(NAME, &[&bytes, checksum.as_bytes().as_slice()].concat())
}

fn read(bytes: &[u8]) -> Result<Known, NotKnown> {
    let (bytes, checksum) = bytes.split_last_chunk::<32>().ok_or(NotKnown::Damaged)?;
    if blake3::hash(bytes).as_bytes() != checksum {
        return Err(NotKnown::Damaged);
    }
    // Whatever else changes, a file begins with the version of its form.
    let mut beginning = minicbor::Decoder::new(bytes);
    let version = beginning.array().and_then(|_| beginning.u8());
    if version.is_ok_and(|version| version > VERSION) {
        return Err(NotKnown::Newer);
    }
    let bytes: Bytes = minicbor::decode(bytes).map_err(|_| NotKnown::Damaged)?;
    if bytes.version != VERSION {
        return Err(NotKnown::Damaged);
    }
    Ok(Known {
        key: SigningKey::from_pkcs8(bytes.key.to_vec()).map_err(|_| NotKnown::Damaged)?,
        root: RootFingerprint(*bytes.root),
        joined: bytes.joined.map(|joined| Joined {
            agent: AgentId::from_bytes(*joined.agent),
            store: StoreId::from_bytes(*joined.store),
            hash_key: HashKey::from_bytes(*joined.hash_key),
            chain: joined.chain.into_iter().map(Into::into).collect(),
        }),
    })
}

/// Whether the agent of this folder has joined, so that it needs no token any more. A folder that
/// cannot be read says no here; running on it says why.
#[must_use]
pub fn has_joined(data: &std::path::Path) -> bool {
    std::fs::read(data.join(NAME))
        .ok()
        .and_then(|bytes| read(&bytes).ok())
        .is_some_and(|known| known.joined.is_some())
}

/// The highest number of an issuing key that this agent has seen.
pub(crate) fn read_issuing(folder: &mut Folder) -> Result<IssuingNumber, NotKnown> {
    match folder.read_if_there(ISSUING)? {
        None => Ok(IssuingNumber(0)),
        Some(bytes) => {
            let (number, checksum) = bytes.split_last_chunk::<32>().ok_or(NotKnown::Damaged)?;
            let number: [u8; 8] = number.try_into().map_err(|_| NotKnown::Damaged)?;
            if blake3::hash(&number).as_bytes() != checksum {
                return Err(NotKnown::Damaged);
            }
            Ok(IssuingNumber(u64::from_be_bytes(number)))
        }
    }
}

/// Keeps it.
pub(crate) fn write_issuing(folder: &mut Folder, number: IssuingNumber) -> io::Result<()> {
    let number = number.0.to_be_bytes();
    let checksum = blake3::hash(&number);
    folder.write_whole(ISSUING, &[number.as_slice(), checksum.as_bytes()].concat())
}

/// What this agent's doors are called, as the server last said; without it, doors go by their ids.
pub(crate) fn read_doors(folder: &mut Folder) -> Vec<(DoorId, Title)> {
    let bytes = folder.read(DOORS).unwrap_or_default();
    let named: Vec<(ByteArray<16>, String)> = minicbor::decode(&bytes).unwrap_or_default();
    named
        .into_iter()
        .filter_map(|(door, name)| Some((DoorId::from_bytes(*door), Title::parse(&name).ok()?)))
        .collect()
}

/// Keeps what the doors are called.
pub(crate) fn write_doors(folder: &mut Folder, doors: &[(DoorId, Title)]) -> io::Result<()> {
    let named: Vec<(ByteArray<16>, &str)> = doors
        .iter()
        .map(|(door, name)| ((*door.as_bytes()).into(), name.as_str()))
        .collect();
    let bytes =
        minicbor::to_vec(named).unwrap_or_else(|_| unreachable!("writing to memory cannot fail"));
    folder.write_whole(DOORS, &bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Sevens;

    impl Randomness for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn the_number_of_the_issuing_key_is_kept_and_never_taken_for_none() {
        let place = tempfile::tempdir().expect("a folder");
        let mut folder = Folder::open(place.path()).expect("a folder");
        let none = read_issuing(&mut folder).map_err(|_| ());
        assert_eq!(none, Ok(IssuingNumber(0)));
        write_issuing(&mut folder, IssuingNumber(1_800_000_000)).expect("a working disk");
        let kept = read_issuing(&mut folder).map_err(|_| ());
        assert_eq!(kept, Ok(IssuingNumber(1_800_000_000)));
        let whole = std::fs::read(place.path().join(ISSUING)).expect("there");
        for damaged in [&whole[..0], &whole[1..], &[whole.as_slice(), &[0]].concat()] {
            std::fs::write(place.path().join(ISSUING), damaged).expect("a working disk");
            assert!(read_issuing(&mut folder).is_err());
        }
    }

    #[test]
    fn the_key_is_kept_before_and_after_joining_and_a_newer_form_is_left_alone() {
        let place = tempfile::tempdir().expect("a folder");
        let mut folder = Folder::open(place.path()).expect("a folder");
        let begun = read_or_begin(&mut folder, None, &Sevens);
        assert!(matches!(begun, Err(NotKnown::NeverJoined)));
        let token = JoinTokenText::random(RootFingerprint([1; 32]), &Sevens);
        let mut known = read_or_begin(&mut folder, Some(&token), &Sevens).expect("a key");
        let again = read_or_begin(&mut folder, None, &Sevens).expect("the key");
        assert_eq!(again.key.public(), known.key.public());
        assert!(again.joined.is_none());
        known.joined = Some(Joined {
            agent: AgentId::from_bytes([2; 16]),
            store: StoreId::from_bytes([3; 16]),
            hash_key: HashKey::from_bytes([4; 32]),
            chain: vec![vec![1, 2, 3]],
        });
        write(&mut folder, &known).expect("a working disk");
        let other = JoinTokenText::random(RootFingerprint([9; 32]), &Sevens);
        let again = read_or_begin(&mut folder, Some(&other), &Sevens).expect("the key");
        assert_eq!(
            again.root,
            RootFingerprint([1; 32]),
            "it has joined already"
        );
        assert_eq!(again.joined.expect("joined").chain, [[1, 2, 3]]);
        let path = place.path().join(NAME);
        let mode = std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let whole = std::fs::read(&path).expect("there");
        for at in 0..whole.len() {
            let mut other = whole.clone();
            other[at] ^= 1;
            std::fs::write(&path, other).expect("a working disk");
            let read = read_or_begin(&mut folder, Some(&token), &Sevens);
            assert!(matches!(read, Err(NotKnown::Damaged)), "byte {at}");
        }
        // Whole, and of a form that this program does not know.
        let mut newer = whole[..whole.len() - 32].to_vec();
        assert_eq!(newer[1], VERSION);
        newer[1] += 1;
        let checksum = *blake3::hash(&newer).as_bytes();
        newer.extend_from_slice(&checksum);
        std::fs::write(&path, &newer).expect("a working disk");
        let read = read_or_begin(&mut folder, Some(&token), &Sevens);
        assert!(matches!(read, Err(NotKnown::Newer)));
        assert_eq!(std::fs::read(&path).expect("there"), newer, "untouched");
    }
}
