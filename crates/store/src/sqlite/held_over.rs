//! What one transaction leaves to the next one, so that it need not be read and checked again.
//!
//! It is true for as long as nobody else wrote. Whether somebody did (another process, another
//! handle, somebody who alters the log by hand) is asked inside each transaction, where nobody else
//! can write. A transaction that is not committed leaves nothing.

use std::sync::Arc;

use offgate_core::table::compile::Places;
use offgate_core::tree::Peaks;
use rusqlite::Connection;

use super::questions::AtMost;
use super::rows::one;
use crate::error::StoreError;

/// What is known of the database without looking.
#[derive(Default)]
pub(super) struct HeldOver {
    /// Which state of the database it is about.
    version: Option<i64>,
    /// The log as a tree, as it was signed for.
    pub(super) signed: Option<Peaks>,
    /// The doors and the policies with the doors that they name.
    pub(super) places: Option<Arc<Places>>,
    /// How many questions wait for their answers.
    pub(super) questions: AtMost,
    /// When commands of long ago were last forgotten, in microseconds. That is so whoever wrote since.
    pub(super) forgot_commands: Option<i64>,
}

impl HeldOver {
    /// What of it is still true in a transaction that may write: all or nothing.
    pub(super) fn still_true(self, transaction: &Connection) -> Result<Self, StoreError> {
        // Differs after a commit of every connection but this one.
        let version = one(
            transaction,
            "PRAGMA data_version",
            [],
            |row| Ok(row.get(0)?),
        )?;
        if version.is_some() && version == self.version {
            return Ok(self);
        }
        Ok(Self {
            version,
            forgot_commands: self.forgot_commands,
            ..Self::default()
        })
    }
}
