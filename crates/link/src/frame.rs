//! Frames: a message's length as four bytes, most significant first, then its bytes.

/// The most bytes a frame's body may have.
pub const LIMIT_BYTES: usize = 1024 * 1024;

/// A body is longer than a frame may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes; at most {LIMIT_BYTES} are allowed")]
pub struct TooLong(pub usize);

/// Puts a body into a frame.
///
/// # Errors
/// It is too long.
pub fn encode(body: &[u8]) -> Result<Vec<u8>, TooLong> {
    match u32::try_from(body.len()) {
        Ok(length) if body.len() <= LIMIT_BYTES => {
            let mut frame = Vec::with_capacity(4 + body.len());
            frame.extend_from_slice(&length.to_be_bytes());
            frame.extend_from_slice(body);
            Ok(frame)
        }
        _ => Err(TooLong(body.len())),
    }
}

/// Takes frames out of a stream of bytes that arrives in pieces.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Takes bytes that have arrived. Never holds more than one frame and what came with it.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole body, if it has arrived.
    ///
    /// # Errors
    /// The next frame announces more than is allowed; the stream is of no use any more.
    pub fn next_body(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let Some(header) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*header) as usize;
        if length > LIMIT_BYTES {
            return Err(TooLong(length));
        }
        let Some(body) = self.buffer.get(4..4 + length).map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        self.buffer.drain(..4 + length);
        Ok(Some(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_of_any_pieces() {
        let bodies: [&[u8]; 3] = [b"", b"one", &[7; 5000]];
        let stream: Vec<u8> = bodies
            .iter()
            .flat_map(|body| encode(body).expect("short enough"))
            .collect();
        for piece in [1, 3, 4, 5, 1000, stream.len()] {
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for bytes in stream.chunks(piece) {
                decoder.extend(bytes);
                while let Some(body) = decoder.next_body().expect("short enough") {
                    found.push(body);
                }
            }
            assert_eq!(found, bodies);
        }
    }

    #[test]
    fn an_announcement_that_is_too_long_is_refused_at_once() {
        let mut decoder = Decoder::default();
        decoder.extend(&(LIMIT_BYTES as u32 + 1).to_be_bytes());
        assert_eq!(decoder.next_body(), Err(TooLong(LIMIT_BYTES + 1)));
        assert!(encode(&vec![0; LIMIT_BYTES + 1]).is_err());
        assert!(encode(&vec![0; LIMIT_BYTES]).is_ok());
    }
}
