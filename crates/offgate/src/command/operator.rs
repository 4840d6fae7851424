//! `offgate operator`: who signs in to the console, and with which role.

use clap::{Args, Subcommand, ValueEnum};
use offgate_core::command::Command;
use offgate_core::id::OperatorId;
use offgate_core::operator::{Operator, OperatorState, Role};
use offgate_core::parameters::Revision;
use offgate_core::records::Records as _;
use offgate_core::refusal::Thing;
use offgate_core::text::Email;
use offgate_core::user::UserRecord;
use offgate_store::Reader;
use offgate_store::sign_in::LinkPurpose;

use super::furniture::{Page, Shown, list, pick, show_result, title};
use super::person::pick_person;
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::one_time_link;
use crate::record::{Record, reference};
use crate::settings::Config;

/// What to do with operators.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// List operators, ended ones too
    List(Page),
    /// Show one
    Show(Which),
    /// Add one, and print a link with which they choose their password
    Create(Create),
    /// Change what one may do
    Role(ChangeRole),
    /// Say which person one is; they then sign in only while that person is active
    Link(Link),
    /// Print a link with which one chooses a new password
    Reset(Which),
    /// End a sign-in for good
    End(Which),
}

/// Which operator.
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// Name, e-mail address or id
    #[arg(value_name = "OPERATOR")]
    pub(super) wanted: String,
}

/// What an operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoleName {
    /// Looks
    Viewer,
    /// Looks, deactivates, reports cards lost
    Guard,
    /// Manages people, doors and policies
    Administrator,
    /// Everything
    Owner,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Guard => Self::Guard,
            RoleName::Administrator => Self::Administrator,
            RoleName::Owner => Self::Owner,
        }
    }
}

/// A new operator.
#[derive(Clone, Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    pub(super) who: Called,
    /// What they may do
    #[arg(long, value_enum)]
    role: RoleName,
    /// The person they are, if that person also opens doors
    #[arg(long)]
    user: Option<String>,
}

/// What a new operator is called, and signs in with.
#[derive(Clone, Debug, Args)]
pub(crate) struct Called {
    /// What pages call them
    #[arg(long)]
    name: String,
    /// What they sign in with
    #[arg(long, value_name = "ADDRESS")]
    email: String,
}

/// Another role.
#[derive(Clone, Debug, Args)]
pub(crate) struct ChangeRole {
    #[command(flatten)]
    which: Which,
    /// What they may do
    #[arg(value_enum)]
    role: RoleName,
}

/// Which person an operator is.
#[derive(Clone, Debug, Args)]
pub(crate) struct Link {
    #[command(flatten)]
    which: Which,
    /// The person they are
    #[arg(long, required_unless_present = "nobody")]
    user: Option<String>,
    /// They are nobody who opens doors
    #[arg(long, conflicts_with = "user")]
    nobody: bool,
}

impl Shown for Operator {
    const COLUMNS: &'static [&'static str] = &["name", "email", "role", "state", "user", "id"];

    fn record(&self, reader: &Reader) -> Result<Record, Failure> {
        let (state, ended_at) = match (self.state, &self.password) {
            (OperatorState::Open, Some(_)) => ("open", None),
            (OperatorState::Open, None) => ("has no password yet", None),
            (OperatorState::Ended { at }, _) => ("ended", Some(shown(&zone(reader)?, at))),
        };
        let user = match self.user {
            None => None,
            Some(id) => match reader.user(id)? {
                Some(UserRecord::Present(user)) => Some(reference(id, &user.profile.full_name())),
                Some(UserRecord::Removed(_)) | None => Some(reference(id, &id.to_string())),
            },
        };
        Ok(Record::default()
            .with("id", self.id.to_string())
            .with("name", self.name.as_str())
            .with("email", self.email.as_str())
            .with("role", self.role.name())
            .with("state", state)
            .with("ended_at", ended_at)
            .with("user", user))
    }
}

pub(crate) fn run(
    books: &Books,
    config: &Config,
    command: &OperatorCommand,
) -> Result<(), Failure> {
    match command {
        OperatorCommand::List(page) => list::<Operator>(books, page, |_| true),
        OperatorCommand::Show(which) => {
            show_result::<Operator>(books, pick_operator(&books.reader(), &which.wanted)?.id)
        }
        OperatorCommand::Create(new) => {
            let user = new
                .user
                .as_deref()
                .map(|user| pick_person(&books.reader(), user));
            let user = user.transpose()?.map(|user| user.id);
            let operator = Operator {
                user,
                ..operator(books, &new.who, new.role.into())?
            };
            create(books, config, operator)
        }
        OperatorCommand::Role(ChangeRole { which, role }) => {
            let id = pick_operator(&books.reader(), &which.wanted)?.id;
            books.carry_out(Command::ChangeRole(id, (*role).into()))?;
            show_result::<Operator>(books, id)
        }
        OperatorCommand::Link(Link { which, user, .. }) => {
            let reader = books.reader();
            let id = pick_operator(&reader, &which.wanted)?.id;
            let user = user
                .as_deref()
                .map(|user| pick_person(&reader, user))
                .transpose()?;
            books.carry_out(Command::LinkOperator(id, user.map(|user| user.id)))?;
            show_result::<Operator>(books, id)
        }
        OperatorCommand::Reset(which) => reset(
            books,
            config,
            &pick_operator(&books.reader(), &which.wanted)?,
        ),
        OperatorCommand::End(which) => {
            let operator = pick_operator(&books.reader(), &which.wanted)?;
            books.confirmation.of(&format!(
                "End the sign-in of {:?} for good? The doors they open as a person stay as they are.",
                operator.name.as_str(),
            ))?;
            books.carry_out(Command::EndOperator(operator.id))?;
            show_result::<Operator>(books, operator.id)
        }
    }
}

/// Finds the operator that is meant, also by e-mail address.
pub(super) fn pick_operator(reader: &Reader, wanted: &str) -> Result<Operator, Failure> {
    let by_email = match Email::parse(wanted) {
        Ok(email) => reader.operator_by_email(&email)?,
        Err(_) => None,
    };
    by_email.map_or_else(|| pick(reader, wanted), Ok)
}

/// An operator who does not exist yet and has no password.
pub(super) fn operator(books: &Books, who: &Called, role: Role) -> Result<Operator, Failure> {
    Ok(Operator {
        id: OperatorId::random(books.randomness()),
        revision: Revision::ZERO,
        name: title("--name", &who.name)?,
        email: Email::parse(&who.email).map_err(|error| Failure::usage("--email", error))?,
        role,
        user: None,
        password: None,
        state: OperatorState::Open,
    })
}

/// Adds an operator, and shows them with the link that lets them in.
pub(super) fn create(books: &Books, config: &Config, operator: Operator) -> Result<(), Failure> {
    let id = operator.id;
    books.carry_out(Command::CreateOperator(operator))?;
    with_link(books, config, id)
}

/// Shows an operator with a link to a new password. The old one works until the link is used.
pub(super) fn reset(books: &Books, config: &Config, operator: &Operator) -> Result<(), Failure> {
    match operator.state {
        OperatorState::Open => with_link(books, config, operator.id),
        OperatorState::Ended { .. } => Err(Failure::Refused(
            offgate_core::refusal::Refusal::SignInEnded,
        )),
    }
}

fn with_link(books: &Books, config: &Config, id: OperatorId) -> Result<(), Failure> {
    let link = one_time_link::create(books, config, LinkPurpose::Reset(id))?;
    let reader = books.reader();
    let not_found = || Failure::NotFound {
        thing: Thing::Operator,
        wanted: id.to_string(),
    };
    let operator = reader.operator(id)?.ok_or_else(not_found)?;
    operator
        .record(&reader)?
        .with("link", link)
        .show(books.format);
    Ok(())
}
