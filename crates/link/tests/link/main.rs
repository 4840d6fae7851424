//! The link: its encoding under garbage, its handshake, what the server's end believes, and both ends
//! against each other on a network that loses, delays and cuts.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

mod certificates;
#[path = "../log/mod.rs"]
#[expect(dead_code, reason = "another test rewrites it")]
mod log;
mod messages;
mod network;
mod server_end;

use offgate_core::credential::CredentialKind;
use offgate_core::id::{CredentialId, DoorId, QuestionId, StoreId};
use offgate_core::parameters::{Epoch, Timestamp};
use offgate_core::place::Direction;
use offgate_core::question::{Answer, Question, Said};
use offgate_core::table::admission::{ClockTrust, Reason, Sought};
use offgate_core::table::entry::CredentialHash;
use offgate_link::acknowledgement::SigningKey;
use offgate_link::agent_end::Held;
use offgate_link::chain::IssuingNumber;
use offgate_link::identity::Authority;
use offgate_link::message::ToServer;
use offgate_link::question::digest_of;

use log::Log;

const STORE: StoreId = StoreId::from_bytes([1; 16]);
const EPOCH: Epoch = Epoch {
    counter: 1,
    nonce: [2; 16],
};

fn door(number: u8) -> DoorId {
    DoorId::from_bytes([number; 16])
}

fn store_keys(seed: u8) -> Authority {
    let seeds = [[seed; 32], [seed + 1; 32], [seed + 2; 32], [seed + 3; 32]];
    Authority::create(seeds, IssuingNumber(1)).expect("keys")
}

/// A log with one entry.
fn young_log(authority: &Authority) -> Log<'_> {
    let mut log = Log::new(STORE, EPOCH, &authority.log);
    log.push(0);
    log
}

fn question(number: u8) -> Question {
    Question {
        id: QuestionId::from_bytes([number; 16]),
        credential: CredentialId::from_bytes([1; 16]),
        sought: Sought {
            kind: CredentialKind::NfcCard,
            hash: CredentialHash([2; 16]),
        },
        door: door(11),
        direction: Direction::In,
    }
}

/// What an agent with this table and key says to it.
fn answered(key: &SigningKey, question: &Question, held: Held) -> ToServer {
    let statement = offgate_link::question::statement(&Answer {
        store: held.store,
        epoch: held.epoch,
        revision: held.revision,
        hash: held.hash,
        question: digest_of(question),
        credential: question.credential,
        door: question.door,
        direction: question.direction,
        said: Said::Refused {
            reason: Reason::Deactivated,
        },
        at: Timestamp::from_seconds(1_800_000_000),
        clock: ClockTrust::Trusted,
    });
    ToServer::Answer {
        signature: key.sign(&statement).into(),
        statement: statement.into(),
    }
}
