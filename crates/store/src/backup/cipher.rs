//! A stream in chunks, each encrypted and authenticated, that cannot be cut, reordered or changed
//! without being noticed: ChaCha20-Poly1305 (RFC 8439), the nonce being a counter and whether the
//! chunk is the last one (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015).

use std::io::{self, BufRead, Read, Write};

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// How many bytes go into a chunk.
const CHUNK: usize = 64 * 1024;
/// What a chunk is longer by when it is encrypted.
const TAG: usize = 16;

/// Whether a chunk is the last one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Within = 0,
    Last = 1,
}

struct Chunks {
    key: LessSafeKey,
    next: u64,
}

impl Chunks {
    /// The key must be of this stream alone: its nonces count from zero.
    fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key)
            .unwrap_or_else(|_| unreachable!("a key of 32 bytes"));
        Self {
            key: LessSafeKey::new(key),
            next: 0,
        }
    }

    fn nonce(&mut self, place: Place) -> io::Result<Nonce> {
        let mut nonce = [0; NONCE_LEN];
        nonce[3] = place as u8;
        nonce[4..].copy_from_slice(&self.next.to_be_bytes());
        self.next = self
            .next
            .checked_add(1)
            .ok_or_else(|| io::Error::other("a stream without end"))?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

/// Encrypts what is written to it.
pub(super) struct Sealing<W: Write> {
    to: W,
    chunks: Chunks,
    waiting: Vec<u8>,
}

impl<W: Write> Sealing<W> {
    pub(super) fn new(to: W, key: &[u8; 32]) -> Self {
        Self {
            to,
            chunks: Chunks::new(key),
            waiting: Vec::with_capacity(CHUNK + TAG),
        }
    }

    fn seal(&mut self, place: Place) -> io::Result<()> {
        let nonce = self.chunks.nonce(place)?;
        self.chunks
            .key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut self.waiting)
            .map_err(|_| io::Error::other("a chunk could not be encrypted"))?;
        self.to.write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }

    /// Writes the last chunk. Without it the stream is not whole.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.seal(Place::Last)?;
        self.to.flush()?;
        Ok(self.to)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits until there is more: it may be the last one.
        if self.waiting.len() == CHUNK && !bytes.is_empty() {
            self.seal(Place::Within)?;
        }
        let taken = bytes.len().min(CHUNK - self.waiting.len());
        self.waiting.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decrypts what is read from it. Ends only where what was encrypted ended; anything else is an
/// error of the kind [`io::ErrorKind::InvalidData`].
pub(super) struct Opening<R: BufRead> {
    from: R,
    chunks: Chunks,
    chunk: Vec<u8>,
    read: usize,
    ended: bool,
}

impl<R: BufRead> Opening<R> {
    pub(super) fn new(from: R, key: &[u8; 32]) -> Self {
        Self {
            from,
            chunks: Chunks::new(key),
            chunk: Vec::new(),
            read: 0,
            ended: false,
        }
    }

    fn open(&mut self) -> io::Result<()> {
        self.chunk.clear();
        self.read = 0;
        let limit = (CHUNK + TAG) as u64;
        (&mut self.from).take(limit).read_to_end(&mut self.chunk)?;
        let place = if self.from.fill_buf()?.is_empty() {
            Place::Last
        } else {
            Place::Within
        };
        let nonce = self.chunks.nonce(place)?;
        let opened = self
            .chunks
            .key
            .open_in_place(nonce, Aad::empty(), &mut self.chunk)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?
            .len();
        self.chunk.truncate(opened);
        self.ended = place == Place::Last;
        Ok(())
    }
}

impl<R: BufRead> Read for Opening<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.read == self.chunk.len() && !self.ended {
            self.open()?;
        }
        let taken = into.len().min(self.chunk.len() - self.read);
        into[..taken].copy_from_slice(&self.chunk[self.read..self.read + taken]);
        self.read += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn sealed(length: usize) -> Vec<u8> {
        let mut sealing = Sealing::new(Vec::new(), &KEY);
        sealing.write_all(&plain(length)).expect("memory");
        sealing.finish().expect("memory")
    }

    fn plain(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    fn opened(sealed: &[u8], key: &[u8; 32]) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        Opening::new(sealed, key).read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn what_was_sealed_is_opened() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7] {
            assert_eq!(opened(&sealed(length), &KEY).expect("whole"), plain(length));
        }
    }

    #[test]
    fn what_was_cut_changed_or_reordered_is_not() {
        let whole = sealed(2 * CHUNK + 100);
        let step = CHUNK + TAG;
        for cut in [0, 1, TAG, step - 1, step, 2 * step, whole.len() - 1] {
            assert!(opened(&whole[..cut], &KEY).is_err(), "cut at {cut}");
        }
        for at in [0, step - 1, step, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, &KEY).is_err(), "byte {at}");
        }
        let swapped = [&whole[step..2 * step], &whole[..step], &whole[2 * step..]].concat();
        assert!(opened(&swapped, &KEY).is_err());
        let longer = [whole.as_slice(), &whole[2 * step..]].concat();
        assert!(opened(&longer, &KEY).is_err());
        assert!(opened(&whole, &[8; 32]).is_err());
    }
}
