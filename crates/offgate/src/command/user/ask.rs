//! Asking the doors whether they refuse somebody, and what they say.

use std::time::{Duration, Instant};

use clap::Args;
use offgate_core::confirmation::Contact;
use offgate_core::credential::CredentialKind;
use offgate_core::place::ZoneName;
use offgate_core::question::Verdict;
use offgate_core::records::Records as _;
use offgate_store::questions::{KeptAnswer, RefusedCredential, newest};
use offgate_store::{Reader, StoreError};

use super::super::person::{Who, pick_person};
use crate::books::Books;
use crate::exit::Failure;
use crate::moment::{shown, zone};
use crate::record::{List, Record, reference};

/// How often it is looked whether the answers have come.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// `offgate user ask`
#[derive(Clone, Debug, Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    who: Who,
    /// How long to wait for the answers
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u16).range(0..=600))]
    wait: u16,
}

pub(super) fn run(books: &Books, what: &Ask) -> Result<(), Failure> {
    let reader = books.reader();
    let person = pick_person(&reader, &what.who.wanted)?;
    let refused = reader.refused(person.id)?;
    if refused.is_empty() {
        return Err(Failure::usage(
            "USER",
            "there is nothing to refuse: they are active, and nothing of theirs is reported lost",
        ));
    }
    let since = books.now();
    books.store().ask_doors_blocking(person.id)?;
    let until = Instant::now() + Duration::from_secs(what.wait.into());
    while reader.open_question_count(person.id, books.now())? > 0 && Instant::now() < until {
        std::thread::park_timeout(LOOK_EVERY);
    }
    let zone = zone(&reader)?;
    let mut rows = Vec::new();
    let (mut admits, mut silent) = (false, 0);
    for refused in refused {
        let answers = reader.answers(person.id, refused.revision)?;
        let newest = newest(&answers);
        let kind = reader
            .credential(refused.credential)?
            .map(|credential| credential.means.kind());
        for facts in reader.door_facts(person.id, refused.revision)? {
            let said = newest.iter().find(|answer| {
                (answer.door, answer.refused) == (facts.door, refused)
                    && answer.received_at >= since
            });
            match said.map(|answer| answer.verdict) {
                None => silent += 1,
                Some(Verdict::Admits) => admits = true,
                Some(Verdict::Refuses(_) | Verdict::AdmitsAnother) => {}
            }
            let door = reader.door(facts.door)?;
            let door = door.map(|door| reference(door.id, door.name.as_str()));
            let about = (refused, kind, facts.contact);
            rows.push(row(about, said.copied(), &zone).with("door", door));
        }
    }
    List {
        columns: &["door", "credential", "says", "reason", "at"],
        rows,
        next: None,
    }
    .show(books.format);
    if admits {
        return Err(Failure::Unwell);
    }
    if silent > 0 {
        return Err(Failure::Unavailable(format!(
            "{silent} of the questions were not answered; a door that is heard within a quarter of \
             an hour answers then"
        )));
    }
    Ok(())
}

fn row(
    (refused, kind, contact): (RefusedCredential, Option<CredentialKind>, Contact),
    said: Option<&KeptAnswer>,
    zone: &ZoneName,
) -> Record {
    let reason = said.and_then(|answer| match answer.verdict {
        Verdict::Refuses(reason) => Some(reason.name()),
        Verdict::Admits | Verdict::AdmitsAnother => None,
    });
    let says = match (said, contact) {
        (Some(answer), _) => answer.verdict.name(),
        (None, Contact::Connected) => "has not answered",
        (None, Contact::Silent { .. } | Contact::NoAgent) => "has not answered: cut off",
    };
    Record::default()
        .with("credential", kind.map(CredentialKind::name))
        .with("credential_id", refused.credential.to_string())
        .with("says", says)
        .with("reason", reason)
        .with("at", said.map(|answer| shown(zone, answer.received_at)))
}

/// A sentence for each door that says that it would open for somebody who is refused.
pub(crate) fn alarms(reader: &Reader, zone: &ZoneName) -> Result<Vec<String>, StoreError> {
    let mut alarms = Vec::new();
    for answer in reader.admitting_answers()? {
        let door = reader.door(answer.door)?;
        let door = door.map_or_else(
            || answer.door.to_string(),
            |door| door.name.as_str().to_owned(),
        );
        alarms.push(format!(
            "{door} said at {} that it would admit user {} ({}), who must be refused: keep \
             somebody there, and look at its agent",
            shown(zone, answer.received_at),
            answer.user,
            answer.kind.name(),
        ));
    }
    Ok(alarms)
}
