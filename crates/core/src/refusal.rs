//! Why a command was not carried out. Every refusal changed nothing (save for the note in the log
//! that a PIN was refused).

use crate::id::{DoorId, UserId};
use crate::operator::Role;
use crate::parameters::Revision;

/// The kind of thing a refusal is about, in the words of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A user.
    User,
    /// A credential.
    Credential,
    /// A group of users.
    Group,
    /// A site.
    Site,
    /// A door.
    Door,
    /// A group of doors.
    DoorGroup,
    /// A policy.
    Policy,
    /// A schedule.
    Schedule,
    /// A holiday group.
    HolidayGroup,
    /// An emergency list.
    EmergencyList,
    /// An agent.
    Agent,
    /// A join token.
    JoinToken,
    /// An operator.
    Operator,
}

impl Thing {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Credential => "credential",
            Self::Group => "group",
            Self::Site => "site",
            Self::Door => "door",
            Self::DoorGroup => "door group",
            Self::Policy => "policy",
            Self::Schedule => "schedule",
            Self::HolidayGroup => "holiday group",
            Self::EmergencyList => "emergency list",
            Self::Agent => "agent",
            Self::JoinToken => "join token",
            Self::Operator => "operator",
        }
    }
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The actor's role does not reach.
    #[error("this needs the role {needed}", needed = .needed.name())]
    NotAllowed {
        /// The weakest role that may.
        needed: Role,
    },
    /// The actor's sign-in has ended, or the person they are is deactivated.
    #[error("this sign-in has ended")]
    SignInEnded,
    /// The other person's role is above the actor's own.
    #[error("nobody acts on a role above their own")]
    AboveYourRole,
    /// Remove, reactivate and promote are never done to oneself.
    #[error("nobody does this to themselves; ask another {}", Role::Administrator.name())]
    Yourself,
    /// Ending this sign-in would leave nobody who may do everything.
    #[error("this is the last owner who can sign in; make another owner first")]
    LastOwner,
    /// No such thing.
    #[error("there is no such {}", .0.word())]
    NotFound(Thing),
    /// Something has this id already, and it was another command that made it.
    #[error("this {} exists already", .0.word())]
    Exists(Thing),
    /// The person was removed.
    #[error("this person was removed")]
    Removed,
    /// Erasing is for removed people.
    #[error("remove this person first")]
    RemoveFirst,
    /// An owner holds the erasure.
    #[error("an owner holds this erasure; it has to be released first")]
    ErasureHeld,
    /// There is nothing left to hold.
    #[error("this person is erased already")]
    AlreadyErased,
    /// There is no hold to end.
    #[error("this erasure is not held")]
    ErasureNotHeld,
    /// Remove is for deactivated people.
    #[error("deactivate this person first")]
    DeactivateFirst,
    /// Reactivating somebody active.
    #[error("this person is active")]
    AlreadyActive,
    /// A deactivated person's access is not edited; it would not be what was there.
    #[error("reactivate this person first")]
    ReactivateFirst,
    /// Doors have not confirmed the deactivation yet.
    #[error("{} still to confirm", counted(.0.len(), "door"))]
    DoorsNotConfirmed(Vec<DoorId>),
    /// The thing changed since the form was drawn.
    #[error("this was changed meanwhile; look at what changed and try again")]
    Stale {
        /// What it is at now.
        now: Revision,
    },
    /// The end of the access period is not after its start.
    #[error("access must end after it starts")]
    EndBeforeStart,
    /// The end of the access period is over already.
    #[error("this end is in the past; deactivate the person instead")]
    EndInThePast,
    /// The employment cannot have ended after today.
    #[error("the employment cannot have ended in the future; set an end of access instead")]
    EmploymentEndsLater,
    /// The PIN is common, in use, or was in use lately; which of these is not said.
    #[error("choose another PIN")]
    ChooseAnotherPin,
    /// Too many PINs were refused lately; guessing would find other people's.
    #[error("too many PINs were tried; wait ten minutes or use a generated one")]
    TooManyPinTries,
    /// Only PINs are renewed.
    #[error("this credential is not a PIN")]
    NotAPin,
    /// Somebody holds this card.
    #[error("this card is in use")]
    CardInUse {
        /// Who; a page says it to those who may know.
        holder: UserId,
    },
    /// This card was reported lost by somebody who was removed; whoever finds it must not get in.
    #[error("this card was reported lost and cannot be used again")]
    CardBurned,
    /// Somebody holds this plate as theirs alone, or this would be theirs alone and is held.
    #[error("this licence plate is in use; mark it as shared for both if that is meant")]
    PlateInUse {
        /// Who.
        holder: UserId,
    },
    /// The person has this credential already.
    #[error("this person has this credential already")]
    HasItAlready,
    /// One more would pass a limit.
    #[error("at most {limit} {what}")]
    TooMany {
        /// The limit.
        limit: usize,
        /// Of what, in the plural.
        what: &'static str,
    },
    /// The name is taken, not minding case and accents.
    #[error("another {} has this name", .0.word())]
    NameTaken(Thing),
    /// Still used by something.
    #[error("still used by {}", counted(*.count, .by.word()))]
    InUse {
        /// By what.
        by: Thing,
        /// By how many.
        count: usize,
    },
    /// A group cannot be inside itself, nor nested too deeply.
    #[error("groups cannot contain themselves or be nested more than 8 deep")]
    GroupCycle,
    /// A holiday's last day is before its first, or more than a year after it.
    #[error("a holiday ends on or after its first day, within a year")]
    HolidayBackwards,
    /// One person alone may be the one who cannot come.
    #[error("an emergency list has at least two people")]
    EmergencyListTooShort,
    /// A list that ends with the lease, or before it, would change nothing.
    #[error("an emergency list holds for longer than its doors work on their own")]
    EmergencyLimitTooShort,
    /// A longer limit that is none.
    #[error("this is not longer than the door works on its own already")]
    LimitNotLonger,
    /// A longer limit ends, and soon enough.
    #[error("the longer limit must end in the future, within 31 days")]
    LongerLimitEnd,
    /// The invitation is used, withdrawn or expired; which of these is not said.
    #[error("this join token does not work any more; make a new one under System")]
    TokenSpent,
    /// What is said to a mail server elsewhere would be read on the way.
    #[error("without TLS only to a mail server on this machine")]
    MailInTheClear,
    /// A password that was given for one server is not sent to another.
    #[error("give the password for this server and user name")]
    MailPasswordNeeded,
    /// There is no server to send mail by.
    #[error("set up a mail server first")]
    MailNotSetUp,
    /// There is no address to send anything to.
    #[error("set up a webhook first")]
    WebhookNotSetUp,
    /// Alerts of somebody else are theirs to choose.
    #[error("everybody chooses their own alerts")]
    NotYours,
    /// A door needs a reader.
    #[error("a door has at least one reader on the way in")]
    NoReader,
}

impl Refusal {
    /// Who holds what somebody else was to get. Whoever may see profiles may be told.
    #[must_use]
    pub const fn holder(&self) -> Option<UserId> {
        match self {
            Self::CardInUse { holder } | Self::PlateInUse { holder } => Some(*holder),
            _ => None,
        }
    }
}

fn counted(number: usize, word: &str) -> String {
    if number == 1 {
        format!("1 {word}")
    } else {
        format!("{number} {word}s")
    }
}
