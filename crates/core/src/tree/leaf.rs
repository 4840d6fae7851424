//! The bytes of a leaf: what a log entry says for good.

use minicbor::{Decoder, Encoder};

/// The version of the fields of a leaf.
const VERSION: u8 = 1;

/// A log entry as a leaf. Names, reasons and the like are never in it, only a commitment to them.
///
/// Its bytes are deterministic CBOR, one array of nine:
/// `[1, revision, at, actor, actor id or null, kind, subject, subject id or null, details]`,
/// with times in microseconds since 1970, ids as byte strings of 16, and `details` as one of 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf<'a> {
    /// Its position in the log, from one: the size of the tree that ends with it.
    pub revision: u64,
    /// When it was written, in microseconds since 1970.
    pub at: i64,
    /// What kind of actor asked for it, in the word of the log's rows.
    pub actor: &'a str,
    /// Which one, where there are several.
    pub actor_id: Option<&'a [u8]>,
    /// What happened: "user.deactivated".
    pub kind: &'a str,
    /// What kind of thing it happened to, in the word of the log's rows.
    pub subject: &'a str,
    /// To which one.
    pub subject_id: Option<&'a [u8]>,
    /// The commitment to its details.
    pub details: &'a [u8],
}

impl<'a> Leaf<'a> {
    /// Reads the bytes of [`Self::encode`]; none if they are something else.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let read = || {
            let mut decoder = Decoder::new(bytes);
            decoder.array()?;
            decoder.u8()?;
            Ok::<_, minicbor::decode::Error>(Self {
                revision: decoder.u64()?,
                at: decoder.i64()?,
                actor: decoder.str()?,
                actor_id: read_id(&mut decoder)?,
                kind: decoder.str()?,
                subject: decoder.str()?,
                subject_id: read_id(&mut decoder)?,
                details: decoder.bytes()?,
            })
        };
        let leaf = read().ok()?;
        let mut again = Vec::new();
        leaf.encode(&mut again);
        (again == bytes).then_some(leaf)
    }

    /// Puts its bytes into a buffer, in place of what was there.
    pub fn encode(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        let mut encoder = Encoder::new(buffer);
        let mut write = || {
            encoder
                .array(9)?
                .u8(VERSION)?
                .u64(self.revision)?
                .i64(self.at)?;
            encoder.str(self.actor)?.encode(id(self.actor_id))?;
            encoder.str(self.kind)?;
            encoder.str(self.subject)?.encode(id(self.subject_id))?;
            encoder.bytes(self.details)?;
            Ok::<_, minicbor::encode::Error<std::convert::Infallible>>(())
        };
        write().unwrap_or_else(|_| unreachable!("writing to memory cannot fail"));
    }
}

fn id(bytes: Option<&[u8]>) -> Option<&minicbor::bytes::ByteSlice> {
    bytes.map(Into::into)
}

fn read_id<'b>(decoder: &mut Decoder<'b>) -> Result<Option<&'b [u8]>, minicbor::decode::Error> {
    let id: Option<&minicbor::bytes::ByteSlice> = decoder.decode()?;
    Ok(id.map(|id| &**id))
}
