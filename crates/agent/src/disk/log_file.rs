//! The bytes of a log: its header, and the frames that follow.

use super::bytes::{Bytes, cut};
use super::frame::{self, Chain, Next};
use super::snapshot::{Checksum, Contents};

/// Where the first frame begins.
pub(super) const FIRST_FRAME: usize = 128;
const MAGIC: &[u8; 8] = b"OFFGLOG1";
const CHECKED: usize = 69;

/// What a log says of itself.
pub(super) struct Header {
    /// How many bytes the file has. A file that lost its end must not look like one that ends.
    pub(super) length: u32,
    /// The checksum of the snapshot it follows.
    pub(super) snapshot: Checksum,
    /// The chain of the generation before, if that one's snapshot and log together hold exactly
    /// what this one's snapshot holds.
    pub(super) continues: Option<Chain>,
}

/// The bytes before the first frame, and the chain they begin.
pub(super) fn encode_header(generation: u64, header: &Header) -> (Vec<u8>, Chain) {
    let mut bytes = Vec::with_capacity(FIRST_FRAME);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&generation.to_be_bytes());
    bytes.extend_from_slice(&header.length.to_be_bytes());
    bytes.extend_from_slice(&header.snapshot);
    bytes.push(u8::from(header.continues.is_some()));
    bytes.extend_from_slice(&header.continues.unwrap_or_default());
    let chain = cut(&blake3::hash(&bytes));
    bytes.extend_from_slice(&chain);
    bytes.resize(FIRST_FRAME, 0);
    (bytes, chain)
}

fn decode_header(log: &[u8], generation: u64) -> Option<(Header, Chain)> {
    let chain: Chain = cut(&blake3::hash(log.get(..CHECKED)?));
    let mut from = Bytes(log.get(..FIRST_FRAME)?);
    if from.array::<8>()? != *MAGIC || from.u64()? != generation {
        return None;
    }
    let length = from.u32()?;
    let snapshot = from.array()?;
    let says = from.u8()?;
    let continues = from.array()?;
    let continues = (says == 1).then_some(continues);
    let whole = u32::try_from(log.len()).is_ok_and(|bytes| bytes == length);
    let header = Header {
        length,
        snapshot,
        continues,
    };
    (from.array()? == chain && whole).then_some((header, chain))
}

/// Whether a log file holds anything behind its header.
pub(super) fn has_frames(log: &[u8]) -> bool {
    log.get(FIRST_FRAME..)
        .is_some_and(|frames| frames.iter().any(|byte| *byte != 0))
}

/// How a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Behind a whole frame: the next one may be written there.
    Clean {
        /// At which byte.
        at: usize,
        /// The chain there.
        chain: Chain,
    },
    /// In a write that a power cut tore.
    Torn,
}

/// A log that was opened.
pub(super) struct OpenedLog {
    pub(super) header: Header,
    frames: Vec<(super::snapshot::Position, Vec<frame::RowChange>)>,
    pub(super) tail: Tail,
}

impl OpenedLog {
    /// Reads a whole log. `None`: damaged.
    pub(super) fn read(log: &[u8], generation: u64) -> Option<Self> {
        let (header, mut chain) = decode_header(log, generation)?;
        if log[CHECKED + 16..FIRST_FRAME].iter().any(|byte| *byte != 0) {
            return None;
        }
        // The header is not zero, so there is such a byte.
        let last = log.iter().rposition(|byte| *byte != 0)?;
        let mut frames = Vec::new();
        let mut at = FIRST_FRAME;
        let tail = loop {
            match frame::next(log, at, last, generation, &chain) {
                Next::End => break Tail::Clean { at, chain },
                Next::Torn => break Tail::Torn,
                Next::Damaged => return None,
                Next::Nearly { position, changes } => {
                    frames.push((position, changes));
                    break Tail::Torn;
                }
                Next::Frame {
                    length,
                    position,
                    changes,
                    chain: after,
                } => {
                    frames.push((position, changes));
                    at += length;
                    chain = after;
                }
            }
        };
        Some(Self {
            header,
            frames,
            tail,
        })
    }

    /// Brings the contents of a snapshot to where the log ends.
    pub(super) fn replay(self, contents: &mut Contents) {
        for (position, changes) in self.frames {
            frame::apply(changes, &mut contents.rows);
            contents.position = position;
        }
    }
}
