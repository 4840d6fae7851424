//! The store's keys as the command line opens them, and the passphrase as it is shown the once
//! that it is shown.

use std::path::Path;
use std::sync::Arc;

use offgate_core::parameters::{Clock, Randomness};
use offgate_server::{Keys, KeysError, Making, NewPassphrase};
use offgate_store::StoreError;
use offgate_store::backup::is_half_restored;

use crate::exit::Failure;

/// Opens the keys in a data directory. If they are made with that, the passphrase goes to `say`.
pub(crate) fn open(
    data: &Path,
    clock: &dyn Clock,
    randomness: &dyn Randomness,
    say: fn(&str),
) -> Result<Arc<Keys>, Failure> {
    // The keys of a store that is being put back come with it; none are to be made.
    if is_half_restored(data) {
        return Err(StoreError::HalfRestored.into());
    }
    let making = Making { clock, randomness };
    let keys = Keys::open(data, making, &|new| say(&words(new)))?;
    Ok(Arc::new(keys))
}

/// Opens the keys of a demo. Its passphrase is shown to nobody: whoever wants to keep something
/// does not keep it in a demo.
pub(crate) fn open_demo(
    data: &Path,
    clock: &dyn Clock,
    randomness: &dyn Randomness,
) -> Result<Arc<Keys>, Failure> {
    let making = Making { clock, randomness };
    Ok(Arc::new(Keys::open(data, making, &|_| ())?))
}

/// What is said of a new passphrase.
pub(crate) fn words(new: NewPassphrase<'_>) -> String {
    format!(
        "The passphrase of this store, shown this once and kept nowhere:\n\n    {}\n\n\
         Write it down beside the fingerprint of the store's root:\n\n    {}\n\n\
         Keep both away from this machine. With them a backup is restored on another machine, and\n\
         the server's keys are replaced when they may be in other hands. `offgate keys page`\n\
         prints a page for it.\n",
        new.passphrase.text(),
        new.root,
    )
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        use std::error::Error as _;
        if let KeysError::Passphrase(error) = error {
            return Self::usage("passphrase", error);
        }
        match error.source() {
            Some(cause) => Self::unavailable(&error, cause),
            None => Self::Unavailable(error.to_string()),
        }
    }
}
