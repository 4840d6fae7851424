//! A path through the model, in words.

use stateright::Path;

use super::agent::BootClock;
use super::model::{Pace, Protocol, Step};
use super::properties::Claim;
use super::scopes::Act;
use super::server::Said;
use super::state::{Entries, Message, Position, State, Subject, Version};

/// Tells how a claim came to be broken, step by step, and how everything stands at the end.
pub(crate) fn tell(model: &Protocol, claim: Claim, path: &Path<State, Step>) -> String {
    let mut lines = vec![format!("  broken: {}", claim.name())];
    let steps = path.clone().into_actions();
    for (number, step) in steps.iter().enumerate() {
        lines.push(format!("  {:>3}. {}", number + 1, words(step)));
    }
    let last = path.last_state();
    for (number, server) in last.servers.iter().enumerate() {
        lines.push(format!(
            "  at {}: server {number} is at {}",
            last.now,
            place(server.position())
        ));
    }
    for (number, agent) in last.agents.iter().enumerate() {
        lines.push(format!(
            "  agent {number} holds {} in memory and {} on disk; its clock shows {}",
            place(agent.memory.position),
            place(agent.durable.position),
            agent.clock
        ));
        for subject in Subject::ALL {
            let said: Vec<String> = last
                .servers
                .iter()
                .map(
                    |server| match model.said(server, number, subject, last.now) {
                        Said::Nothing => "nothing is refused".to_owned(),
                        Said::Confirmed => "confirmed".to_owned(),
                        Said::MayStillOpen(Some(until)) => format!("may still open until {until}"),
                        Said::MayStillOpen(None) => "may still open".to_owned(),
                        Said::EndedByLimit => "ended by its time limit".to_owned(),
                    },
                )
                .collect();
            let does = if model.admits(agent, subject) {
                "opens"
            } else {
                "refuses"
            };
            lines.push(format!(
                "    {}: said \"{}\", and the door {does}",
                name(subject),
                said.join("\" and \"")
            ));
        }
    }
    lines.join("\n")
}

const fn name(subject: Subject) -> &'static str {
    match subject {
        Subject::Ada => "Ada",
        Subject::Bob => "Bob",
        Subject::AdasCard => "Ada's card",
        Subject::BobsCard => "the same card, issued to Bob",
    }
}

fn place(position: Position) -> String {
    format!(
        "epoch {}{} revision {} (history {})",
        position.epoch.counter,
        match position.epoch.nonce {
            0 => String::new(),
            nonce => format!("/{nonce}"),
        },
        position.revision,
        position.branch
    )
}

fn version(version: Version) -> String {
    format!("epoch {} revision {}", version.counter, version.revision)
}

fn refusals(entries: Entries) -> u32 {
    entries.count_ones()
}

fn words(step: &Step) -> String {
    match step {
        Step::Act { server, act } => format!("at server {server}: {}", act_words(*act)),
        Step::SendAndCrash { act } => format!(
            "at server 0: {}; sent, then the server crashes before the commit",
            act_words(*act)
        ),
        Step::Backup => "a backup of server 0 is taken".to_owned(),
        Step::Restore => "server 0 is restored from the backup".to_owned(),
        Step::Copy => "a second copy of server 0 is started: server 1".to_owned(),
        Step::Greet { agent, server } => {
            format!("agent {agent} greets server {server}, which answers")
        }
        Step::Lie { agent } => {
            format!("agent {agent} greets server 0 and shows a refusal of Bob that no store signed")
        }
        Step::ToAgent { agent, message } => {
            format!("agent {agent} receives {}", message_words(message))
        }
        Step::ToServer { server, message } => {
            format!("server {server} receives {}", message_words(message))
        }
        Step::Sync { agent } => format!("agent {agent} syncs and acknowledges"),
        Step::SyncFails { agent } => format!("a sync fails at agent {agent}"),
        Step::Restart { agent } => format!("the process of agent {agent} is started anew"),
        Step::PowerCut { agent } => format!("the power of agent {agent} is cut"),
        Step::Boot { agent, clock } => match clock {
            BootClock::Vouched => format!("agent {agent} boots; a battery kept its clock going"),
            BootClock::NotVouched => format!("agent {agent} boots; no clock kept going"),
        },
        Step::Renew { agent } => {
            format!("agent {agent} asks for a renewal, and the server answers")
        }
        Step::NodeReads => "the second node reads the database".to_owned(),
        Step::Tick(Pace::Even) => "a unit of time passes".to_owned(),
        Step::Tick(Pace::Slow) => {
            "a unit of time passes, unnoticed by the agent's clock".to_owned()
        }
    }
}

fn act_words(act: Act) -> String {
    match act {
        Act::Refuse(subject) => format!("{} is refused", name(subject)),
        Act::Readmit(subject) => format!("{} is admitted again", name(subject)),
        Act::Remove(subject) => format!("{} is removed", name(subject)),
        Act::Reissue => "Ada's card is issued to Bob".to_owned(),
        Act::PutOnList(subject) => format!("{} is put on the emergency list", name(subject)),
        Act::TakeOffList(subject) => format!("{} is taken off the emergency list", name(subject)),
        Act::Import => "something else changes".to_owned(),
    }
}

fn message_words(message: &Message) -> String {
    match message {
        Message::Delta {
            previous, becomes, ..
        } => format!("the delta from {} to {}", place(*previous), place(*becomes)),
        Message::Snapshot { becomes, .. } => format!("the snapshot of {}", place(*becomes)),
        Message::Refusal {
            subject,
            version: at,
            ..
        } => format!(
            "the refusal of {} at {}, ahead of the table",
            name(*subject),
            version(*at)
        ),
        Message::Renewed { asked, behind, .. } => format!(
            "the answer to the renewal asked for at {asked}, behind {}",
            version(*behind)
        ),
        Message::Acknowledgement {
            agent,
            position,
            above,
        } => format!(
            "agent {agent}'s acknowledgement of {} with {} refusals above it",
            place(*position),
            above.iter().map(|entries| refusals(*entries)).sum::<u32>()
        ),
    }
}
