//! Whether every agent's table is the one that it should be.

use offgate_core::agent::AgentState;
use offgate_core::id::{AgentId, UserId};
use offgate_core::parameters::Timestamp;
use offgate_core::records::Records as _;
use offgate_core::table::entry::{EntryKey, EntryKind, TableHash};
use offgate_core::user::UserRecord;
use offgate_store::Reader;

use super::{Findings, Health};
use crate::exit::Failure;
use crate::moment::zone;

const WHAT: &str = "doors' tables";
/// How many entries are looked at in one transaction.
const SLICE: usize = 1_000;

/// What agents said of their tables, and what they are told beside the records.
pub(super) fn look(
    findings: &mut Findings,
    reader: &Reader,
    now: Timestamp,
) -> Result<(), Failure> {
    let zone = zone(reader)?;
    for (agent, noticed) in reader.disagreements(now)? {
        let whose = reader
            .agent(agent)?
            .map_or_else(|| agent.to_string(), |agent| agent.name.as_str().to_owned());
        let health = match noticed.mended_at {
            None => Health::Wrong,
            Some(_) => Health::Note,
        };
        findings.add(WHAT, health, noticed.sentence(&whose, &zone));
    }
    let (mut entries, mut agents, mut all_right) = (0, 0, true);
    for agent in reader.agents()? {
        if agent.state != AgentState::Enrolled {
            continue;
        }
        agents += 1;
        let (checked, wrong) = entries_of(reader, agent.id)?;
        entries += checked;
        if let Some(first) = wrong.first() {
            all_right = false;
            let words = format!(
                "{} of {} are not what the records say, the first is {}: a change to one of its \
                 doors, such as another name, writes them anew; report this",
                counted(wrong.len()),
                agent.name.as_str(),
                described(reader, first)?
            );
            findings.add(WHAT, Health::Wrong, words);
        }
        if let Some(whole) = reader.table_since(agent.id, None)? {
            let sum = whole.puts.iter().fold(TableHash::EMPTY, |sum, (_, bytes)| {
                sum.with(&agent.hash_key, bytes)
            });
            if sum != whole.head.hash {
                all_right = false;
                let words = format!(
                    "the hash of the table of {} is not that of its entries: its agent confirms \
                     nothing; report this",
                    agent.name.as_str()
                );
                findings.add(WHAT, Health::Wrong, words);
            }
        }
    }
    if all_right {
        let words = format!(
            "{} of {agents} agents are what the records say",
            counted(entries)
        );
        findings.add(WHAT, Health::Well, words);
    }
    Ok(())
}

fn counted(entries: usize) -> String {
    match entries {
        1 => "1 entry".to_owned(),
        more => format!("{more} entries"),
    }
}

/// How many entries there are, and which of them are wrong.
fn entries_of(reader: &Reader, agent: AgentId) -> Result<(usize, Vec<EntryKey>), Failure> {
    let (mut entries, mut wrong, mut after) = (0, Vec::new(), None);
    loop {
        let checked = reader.check_entries(agent, after, SLICE)?;
        entries += checked.entries;
        wrong.extend(checked.wrong);
        after = checked.next;
        if after.is_none() {
            return Ok((entries, wrong));
        }
    }
}

fn described(reader: &Reader, key: &EntryKey) -> Result<String, Failure> {
    if key.kind != EntryKind::User {
        return Ok("not about a person".to_owned());
    }
    Ok(match reader.user(UserId::from_bytes(key.id))? {
        Some(UserRecord::Present(person)) => format!("about {}", person.profile.full_name()),
        Some(UserRecord::Removed(_)) => "about somebody who was removed".to_owned(),
        None => "about nobody who is on record".to_owned(),
    })
}
