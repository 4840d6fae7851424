//! PINs that a stolen agent knew, until they are renewed: what may be asked, and what is answered.

use offgate_core::agent::Agent;
use offgate_core::credential::Credential;
use offgate_core::id::{AgentId, CredentialId};
use offgate_core::parameters::Timestamp;
use offgate_core::user::User;

/// The most PINs on one page.
pub const EXPOSED_PINS_LIMIT: usize = 100;

/// Which of them, by the names of their holders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExposedPinQuery {
    /// Only those of this agent.
    pub agent: Option<AgentId>,
    /// Those that follow this one. One that was renewed meanwhile has no place any more: the list
    /// begins anew, and what is on it is what is left.
    pub after: Option<CredentialId>,
    /// How many at most; no more than [`EXPOSED_PINS_LIMIT`].
    pub limit: usize,
}

/// That a PIN is to be renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The first stolen agent that knew it.
    pub agent: Agent,
    /// Since when that is known.
    pub since: Timestamp,
}

/// A PIN to renew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposedPin {
    /// It.
    pub credential: Credential,
    /// Whose it is.
    pub holder: User,
    /// Which device knows it, and since when.
    pub exposure: Exposure,
}

/// One page of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposedPinPage {
    /// The PINs.
    pub items: Vec<ExposedPin>,
    /// Where the next page begins; none if this was the last.
    pub next: Option<CredentialId>,
}
