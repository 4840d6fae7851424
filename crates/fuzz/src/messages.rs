//! The stream between server and agent.

use offgate_link::frame::{self, Decoder};
use offgate_link::message::{ToAgent, ToServer};

use crate::seeds;

/// The first byte says in how large pieces the others arrive.
pub(crate) fn read(bytes: &[u8]) {
    let Some((piece, stream)) = bytes.split_first() else {
        return;
    };
    let at_once = bodies(stream, stream.len());
    assert_eq!(
        bodies(stream, usize::from(*piece)),
        at_once,
        "the same in any pieces"
    );
    for body in at_once.0 {
        // There is one way to write a message: what is understood is what would have been sent.
        if let Ok(message) = ToServer::decode(&body) {
            assert_eq!(message.encode(), body, "{message:?}");
        }
        if let Ok(message) = ToAgent::decode(&body) {
            assert_eq!(message.encode(), body, "{message:?}");
        }
    }
}

/// The bodies that come out of a stream, and whether it could be read to its end.
fn bodies(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
    let mut decoder = Decoder::default();
    let mut bodies = Vec::new();
    for bytes in stream.chunks(piece.max(1)) {
        decoder.extend(bytes);
        loop {
            match decoder.next_body() {
                Ok(Some(body)) => bodies.push(body),
                Ok(None) => break,
                Err(_) => return (bodies, false),
            }
        }
    }
    (bodies, true)
}

/// Each message alone, and all in one stream.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let framed = |body: Vec<u8>| frame::encode(&body).expect("a short message");
    let frames: Vec<Vec<u8>> = ["to_server", "to_agent"]
        .iter()
        .flat_map(|way| seeds::of(&[way]))
        .map(framed)
        .collect();
    let all = frames.concat();
    frames
        .into_iter()
        .chain([all])
        .map(|stream| [&[7], stream.as_slice()].concat())
        .collect()
}
