//! What Offgate remembers: people, doors, the log, and what every door has said.
//!
//! Owns: transactions, group commit, the log with its revisions, the projection of door tables,
//! queries. The database engine is behind a trait; SQLite is the one there is.
//!
//! Refuses to know: HTTP, the link, and rules. Whether something may be done is `offgate_core`'s
//! to decide; the store loads what that needs and applies what it says, in one transaction.

pub mod activity;
mod alerts;
mod audit;
pub mod backup;
mod carry_out;
mod checkpoint;
pub mod engine;
mod error;
pub mod evidence;
pub mod exposed_pins;
pub mod outbox;
mod projection;
pub mod questions;
mod reader;
pub mod sign_in;
mod sqlite;
mod store;
pub mod users;
mod vault;
mod writer;

pub use audit::{Audit, Finding};
pub use carry_out::{CarriedOut, Outcome, carry_out};
pub use checkpoint::{LogSignature, SignerFailed, StoreSigner, sign as sign_log};
pub use engine::{
    Confirms, Heard, Purpose, Receipt, RestoreRecord, StoreIdentity, TableHead, Verdict, Witnessed,
};
pub use error::StoreError;
pub use reader::{AgentContact, CheckedEntries, Reader, TableChanges};
pub use sqlite::DATABASE_FILE;
pub use store::Store;
pub use vault::{Erased, RotationStep, VAULT_FOLDER, VaultError, VaultState, WRAPPING_KEY_AGE};
pub use writer::Pulse;
