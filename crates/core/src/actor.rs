//! Who does something.

use crate::id::{AgentId, OperatorId};

/// Who asks for a change. Kept in the log for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// Somebody signed in to the console.
    Operator(OperatorId),
    /// Somebody with access to the server's own data directory: the command line.
    ServerCommandLine,
    /// A moment that was set beforehand came.
    Schedule,
    /// An agent joining with a token.
    JoiningAgent(AgentId),
    /// An agent that showed a restored store what it had forgotten.
    TestifyingAgent(AgentId),
}
