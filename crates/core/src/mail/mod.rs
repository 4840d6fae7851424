//! Mail that leaves the house: by which server, and what of it is sent by itself.
//!
//! Owns: the settings, the rule when a checkpoint is due, letters and when one that did not go is
//! tried again. Refuses to know: the password (it is kept with the keys of the server), and how a
//! letter is handed over.

mod checkpoint;
mod letter;
mod server;

pub use checkpoint::{CheckpointMail, Every};
pub use letter::{
    ATTEMPTS, Attachment, GIVEN_UP_AFTER, Hurdle, Letter, LetterKind, NextAttempt, Posting,
    Problem, ServerSaid, after_problem,
};
pub use server::{Authorities, HostName, MailServer, MailUser, NewPassword, Protection};
