//! `offgate alert`: which alerts operators are sent by mail.

use std::collections::BTreeSet;

use clap::{Args, Subcommand, ValueEnum};
use offgate_core::alert::{AlertKind, wants};
use offgate_core::command::Command;
use offgate_core::operator::{Operator, OperatorState};
use offgate_core::records::Records as _;

use super::operator::{Which, pick_operator};
use crate::books::Books;
use crate::exit::Failure;
use crate::record::{List, Record, reference};

/// What to do about alerts.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// List who is sent which alerts
    List,
    /// Set which alerts an operator is sent, in place of those they are sent now
    Choose(Choose),
}

/// `offgate alert choose`
#[derive(Clone, Debug, Args)]
pub(crate) struct Choose {
    #[command(flatten)]
    which: Which,
    /// A kind of alert they are sent; may be given several times
    #[arg(
        long,
        value_enum,
        value_name = "KIND",
        required_unless_present = "none"
    )]
    kind: Vec<Kind>,
    /// They are sent none
    #[arg(long, conflicts_with = "kind")]
    none: bool,
}

/// A kind of alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Somebody who was taken out, or a lost card, was at a door
    StoppedCredentialTried,
    /// Doors say that the history is not the one they knew
    HistoryDoesNotContinue,
    /// Doors do not answer
    AgentGone,
    /// A door passed its time limit and had not confirmed a refusal
    LimitPassedUnconfirmed,
    /// The last door has confirmed a deactivation
    LastDoorConfirmed,
}

impl From<Kind> for AlertKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::StoppedCredentialTried => Self::StoppedCredentialTried,
            Kind::HistoryDoesNotContinue => Self::HistoryDoesNotContinue,
            Kind::AgentGone => Self::AgentGone,
            Kind::LimitPassedUnconfirmed => Self::LimitPassedUnconfirmed,
            Kind::LastDoorConfirmed => Self::LastDoorConfirmed,
        }
    }
}

pub(crate) fn run(books: &Books, command: &AlertCommand) -> Result<(), Failure> {
    match command {
        AlertCommand::List => {}
        AlertCommand::Choose(choose) => {
            let operator = pick_operator(&books.reader(), &choose.which.wanted)?.id;
            let kinds: BTreeSet<AlertKind> =
                choose.kind.iter().copied().map(AlertKind::from).collect();
            books.carry_out(Command::ChooseAlerts(operator, kinds))?;
        }
    }
    list(books)
}

fn list(books: &Books) -> Result<(), Failure> {
    let reader = books.reader();
    let row = |operator: Operator| {
        let chosen = reader.alerts_chosen(operator.id)?;
        let sent: Vec<&str> = AlertKind::ALL
            .into_iter()
            .filter(|kind| wants(operator.role, chosen.as_ref(), *kind))
            .map(AlertKind::name)
            .collect();
        Ok(Record::default()
            .with("operator", reference(operator.id, operator.name.as_str()))
            .with("email", operator.email.as_str())
            .with("alerts", sent.join(", "))
            .with("chosen", chosen.is_some()))
    };
    let open = reader.operators()?.into_iter();
    let rows = open
        .filter(|operator| operator.state == OperatorState::Open)
        .map(row)
        .collect::<Result<_, Failure>>()?;
    List {
        columns: &["operator", "email", "alerts", "chosen"],
        rows,
        next: None,
    }
    .show(books.format);
    Ok(())
}
