//! Ends of access that come: which doors may not follow them.

use offgate_core::calendar::write_time;
use offgate_core::ending::{SOON, cut_off};
use offgate_core::parameters::Timestamp;
use offgate_core::place::ZoneName;
use offgate_core::records::Records as _;
use offgate_core::user::{Standing, User};
use offgate_store::{Reader, StoreError};

/// A sentence for each door that is cut off today, if somebody's access ends soon.
pub(crate) fn sentences(
    reader: &Reader,
    person: &User,
    zone: &ZoneName,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let soon = |ends: &Timestamp| *ends <= now.plus(SOON);
    let Some(ends) = person.access.ends.filter(soon) else {
        return Ok(Vec::new());
    };
    if person.standing != Standing::Active {
        return Ok(Vec::new());
    }
    let mut sentences = Vec::new();
    for facts in reader.doors_before_end(person.id)? {
        if let Some(cut_off) = cut_off(&facts, ends)
            && let Some(door) = reader.door(facts.door)?
        {
            sentences.push(cut_off.sentence(door.name.as_str(), |at| write_time(zone, at, now)));
        }
    }
    Ok(sentences)
}
