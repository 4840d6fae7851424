//! Agents that say that this server's history is not the one they knew.

use offgate_core::calendar::write_time;
use offgate_core::id::AgentId;
use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_core::records::Records as _;
use offgate_store::{Reader, StoreError};

/// A sentence for each of them, the first first.
pub(crate) fn alarms(
    reader: &Reader,
    zone: &ZoneName,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let mut alarms = Vec::new();
    for (agent, since) in reader.doubts()? {
        let whose = whose(reader, agent)?;
        alarms.push(format!(
            "{whose}’s agent says that this server’s history is not the one it knew. Since {}.",
            write_time(zone, since, now)
        ));
    }
    Ok(alarms)
}

/// What people call an agent: by its doors, or by its name where it has none.
pub(crate) fn whose(reader: &Reader, agent: AgentId) -> Result<String, StoreError> {
    let mut doors: Vec<String> = reader
        .doors_of(agent)?
        .into_iter()
        .map(|door| door.name.as_str().to_owned())
        .collect();
    doors.sort();
    Ok(match (doors.is_empty(), reader.agent(agent)?) {
        (true, Some(agent)) => agent.name.as_str().to_owned(),
        _ => doors.join(", "),
    })
}
