//! A device that is in other hands: its agent is ended in one act, and the PINs it knew are renewed.

use clap::Args;
use offgate_core::agent::Agent;
use offgate_core::command::Command;
use offgate_core::id::{AgentId, CredentialId};
use offgate_core::pin::{Pin, PinCandidate};
use offgate_core::records::Records as _;
use offgate_store::exposed_pins::{EXPOSED_PINS_LIMIT, ExposedPin, ExposedPinQuery};

use super::{doors_of, pick_agent};
use crate::books::Books;
use crate::command::furniture::{Shown as _, Which};
use crate::command::join_token::invitation;
use crate::command::means::free_pin;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{List, Record, reference};
use crate::terminal::talk;

/// Which PINs are renewed.
#[derive(Clone, Debug, Args)]
pub(crate) struct RenewPins {
    /// Only those that this agent's device knew: its name or its id
    #[arg(value_name = "NAME|ID")]
    agent: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = EXPOSED_PINS_LIMIT as u16,
          value_parser = clap::value_parser!(u16).range(1..=EXPOSED_PINS_LIMIT as i64))]
    limit: u16,
}

pub(super) fn report(books: &Books, which: &Which) -> Result<(), Failure> {
    let reader = books.reader();
    let agent = pick_agent(&reader, &which.wanted)?;
    let doors = doors_of(&reader, &agent)?;
    let known = reader.pins_known_to(agent.id)?;
    books.confirmation.of(&format!(
        "Report {:?} ({}) stolen? Its key is refused from now on, and its doors wait for another \
         device. PINs it knew: {known}, which are to be renewed.",
        agent.name.as_str(),
        agent.id,
    ))?;
    let invited = (!doors.is_empty()).then(|| invitation(books, agent.name.clone(), doors));
    let (token, text) = invited.unzip();
    books.carry_out(Command::ReportAgentStolen {
        agent: agent.id,
        token: token.clone(),
    })?;
    let reader = books.reader();
    let zone = zone(&reader)?;
    let ended: Option<Agent> = reader.agent(agent.id)?;
    let record = match ended {
        Some(ended) => ended.record(&reader)?,
        None => Record::default(),
    };
    record
        .with("pins_known", known)
        .with("pins_to_renew", reader.exposed_pin_count()?)
        .with("token", text.as_ref().map(|text| text.text()))
        .with(
            "token_expires_at",
            token.map(|token| shown(&zone, token.expires_at)),
        )
        .show(books.format);
    let join = match text {
        Some(_) => {
            "Next: start an agent on the device that takes its place, with the token: \
                    `offgate agent --server HOST:PORT --join -`."
        }
        None => "It has no doors any more, so there is nothing to take over.",
    };
    talk(join);
    if known > 0 {
        talk(
            "Then `offgate agent-key renew-pins` makes new PINs for those it knew, and shows them \
             once. Until then whoever has the device can find the old ones out.",
        );
    }
    Ok(())
}

fn renew(books: &Books, exposed: &ExposedPin) -> Result<Pin, Failure> {
    let pin = free_pin(books)?;
    books.carry_out(Command::RenewPin {
        credential: exposed.credential.id,
        new: CredentialId::random(books.randomness()),
        pin: PinCandidate::new(&pin, &books.store().identity().pin_salt),
    })?;
    Ok(pin)
}

pub(super) fn renew_pins(books: &Books, what: &RenewPins) -> Result<(), Failure> {
    let reader = books.reader();
    let agent: Option<AgentId> = match &what.agent {
        Some(wanted) => Some(stolen_agent(books, wanted)?),
        None => None,
    };
    let page = reader.exposed_pins(&ExposedPinQuery {
        agent,
        after: None,
        limit: usize::from(what.limit),
    })?;
    if page.items.is_empty() {
        talk("No PIN is to be renewed.");
    } else {
        books.confirmation.of(&format!(
            "Renew the PINs of {} credentials? Doors refuse the old ones as soon as they have taken \
             this up; the new ones are shown this once, to be handed out.",
            page.items.len(),
        ))?;
    }
    let mut rows = Vec::new();
    let mut failed = Ok(());
    for exposed in &page.items {
        match renew(books, exposed) {
            Ok(pin) => {
                let holder = &exposed.holder;
                let label = exposed.credential.label.as_ref();
                rows.push(
                    Record::default()
                        .with("user", reference(holder.id, &holder.profile.full_name()))
                        .with("pin", pin.digits())
                        .with("label", label.map(|label| label.as_str())),
                );
            }
            Err(failure) => {
                failed = Err(failure);
                break;
            }
        }
    }
    // Those that were renewed before it failed are shown nowhere else.
    let list = List {
        columns: &["user", "pin", "label"],
        rows,
        next: None,
    };
    list.show(books.format);
    failed?;
    let left = books.reader().exposed_pin_count()?;
    if left > 0 {
        talk(&format!("PINs still to renew: {left}"));
    }
    Ok(())
}

/// The agent whose PINs are on the list: of those with one name, the one that was stolen.
fn stolen_agent(books: &Books, wanted: &str) -> Result<AgentId, Failure> {
    let reader = books.reader();
    let mut concerned = Vec::new();
    for agent in reader.agents()? {
        let query = ExposedPinQuery {
            agent: Some(agent.id),
            after: None,
            limit: 1,
        };
        if !reader.exposed_pins(&query)?.items.is_empty() {
            concerned.push(agent);
        }
    }
    match super::choose(concerned, wanted) {
        Ok(agent) => Ok(agent.id),
        // There is such an agent, and nothing to renew because of it.
        Err(Failure::NotFound { .. }) => Ok(pick_agent(&reader, wanted)?.id),
        Err(failure) => Err(failure),
    }
}
