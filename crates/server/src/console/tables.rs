//! Agents whose table is not the one that it should be, as far as that is known.

use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_store::{Reader, StoreError};

use super::Console;
use super::history::whose;

/// A sentence for each of them.
pub(crate) fn disagreeing(
    console: &Console,
    reader: &Reader,
    zone: &ZoneName,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let mut sentences = Vec::new();
    for (agent, noticed) in reader.disagreements(now)? {
        sentences.push(noticed.sentence(&whose(reader, agent)?, zone));
    }
    for (agent, entries) in console.tables.wrong() {
        let whose = whose(reader, agent)?;
        let entries = match entries {
            1 => "One entry".to_owned(),
            more => format!("{more} entries"),
        };
        sentences.push(format!(
            "{entries} of what {whose}’s agent is told differ from what is on record. Whoever looks \
             after the server finds out more with “offgate doctor”."
        ));
    }
    Ok(sentences)
}
