//! Every decoder against bytes that nobody wrote.
//!
//! Owns: for each kind of bytes that comes from outside (messages, table entries, signed words,
//! files), what must hold whatever they are, and a few that are right to begin with. Refuses to
//! know how bytes are thought up: `cargo xtask fuzz` has libFuzzer do it by coverage, and the test
//! of this crate does it every day in small.

#![expect(
    clippy::expect_used,
    reason = "what cannot be set up, or read back, is a finding"
)]

mod files;
mod messages;
mod proofs;
mod seeds;
mod tables;
mod words;

/// One kind of bytes.
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Reads the bytes, and panics if what must hold does not.
    pub read: fn(&[u8]),
    /// Some that are right.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const ALL: [Target; 5] = [
    Target {
        name: "messages",
        read: messages::read,
        seeds: messages::seeds,
    },
    Target {
        name: "tables",
        read: tables::read,
        seeds: tables::seeds,
    },
    Target {
        name: "words",
        read: words::read,
        seeds: words::seeds,
    },
    Target {
        name: "files",
        read: files::read,
        seeds: files::seeds,
    },
    Target {
        name: "proofs",
        read: proofs::read,
        seeds: proofs::seeds,
    },
];
