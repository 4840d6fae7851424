//! Which PINs the device of a stolen agent may know, and how they leave the list.

use std::collections::BTreeSet;

use offgate_core::command::{Command, Expected};
use offgate_core::credential::{NewCredential, NewMeans};
use offgate_core::id::{CredentialId, PolicyId};
use offgate_core::parameters::Revision;
use offgate_core::pin::{Pin, PinCandidate};
use offgate_core::records::Records as _;
use offgate_core::user::AccessPeriod;
use offgate_store::exposed_pins::{ExposedPinPage, ExposedPinQuery};

use crate::organisation::*;

fn pin(number: u8) -> CredentialId {
    credential(100 + number)
}

fn candidate(opened: &Opened, number: u8) -> PinCandidate {
    let pin = Pin::parse(&format!("73915{number}")).expect("a PIN");
    PinCandidate::new(&pin, &opened.store.identity().pin_salt)
}

/// Somebody with a card and a PIN who may open the doors of these policies.
fn with_pin(opened: &Opened, number: u8, policies: BTreeSet<PolicyId>, name: &str) -> Revision {
    opened.done(create(number, BTreeSet::new(), policies, name));
    add_pin(opened, number, pin(number), number)
}

fn add_pin(opened: &Opened, holder: u8, id: CredentialId, digit: u8) -> Revision {
    opened.done(Command::AddCredential {
        user: user(holder),
        credential: NewCredential {
            id,
            label: None,
            means: NewMeans::Pin(candidate(opened, digit)),
        },
    })
}

/// Takes a person's policies away.
fn withdraw(opened: &Opened, number: u8, name: &str) -> Revision {
    let Command::CreateUser { user, profile, .. } =
        create(number, BTreeSet::new(), BTreeSet::new(), name)
    else {
        panic!("it creates");
    };
    opened.done(Command::EditUser {
        user,
        expected: Expected::Whatever,
        profile,
        access: AccessPeriod::default(),
        groups: BTreeSet::new(),
        policies: BTreeSet::new(),
    })
}

fn page(opened: &Opened, after: Option<CredentialId>, limit: usize) -> ExposedPinPage {
    let query = ExposedPinQuery {
        agent: None,
        after,
        limit,
    };
    opened.store.read().exposed_pins(&query).expect("a page")
}

fn listed(opened: &Opened) -> Vec<CredentialId> {
    let page = page(opened, None, 100);
    page.items.iter().map(|item| item.credential.id).collect()
}

#[test]
fn it_knows_what_is_in_its_table_and_what_it_has_not_heard_is_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 21);
    let runtime = tokio_runtime();
    let here = || BTreeSet::from([policy(1)]);
    let known = |number: u8| {
        let reader = opened.store.read();
        reader.pins_known_to(agent(number)).expect("a number")
    };
    with_pin(&opened, 1, here(), "Cleo");
    with_pin(&opened, 2, here(), "Bela");
    with_pin(&opened, 3, here(), "Anna");
    with_pin(&opened, 4, BTreeSet::from([policy(2)]), "Elsewhere");
    assert_eq!((known(1), known(2)), (3, 1));

    let heard = withdraw(&opened, 1, "Cleo");
    assert_eq!(known(1), 3, "it has not said that it dropped it");
    let said = opened
        .store
        .record_acknowledgement(agent(1), receipt(heard));
    runtime.block_on(said).expect("recorded");
    assert_eq!(known(1), 2);
    withdraw(&opened, 2, "Bela");
    assert_eq!(known(1), 2, "that one it has not heard");

    // Once it is revoked its table is empty, and its device knows what it knew.
    opened.done(Command::RevokeAgent(agent(1)));
    assert_eq!(known(1), 2);
    opened
        .clock
        .0
        .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    add_pin(&opened, 3, pin(9), 9);
    assert_eq!(known(1), 2, "what came later never came to it");

    assert!(listed(&opened).is_empty());
    opened.done(Command::ReportAgentStolen {
        agent: agent(1),
        token: None,
    });
    assert_eq!(listed(&opened), [pin(3), pin(2)], "by name");
    opened.done(Command::ReportAgentStolen {
        agent: agent(1),
        token: None,
    });
    assert_eq!(listed(&opened).len(), 2, "reported twice, listed once");
}

#[test]
fn a_pin_leaves_the_list_when_it_is_renewed_or_goes_with_its_holder() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 22);
    for (number, name) in [(1, "Cleo"), (2, "Bela"), (3, "Anna"), (4, "Dora")] {
        with_pin(&opened, number, BTreeSet::from([policy(1)]), name);
    }
    opened.done(Command::ReportAgentStolen {
        agent: agent(1),
        token: None,
    });
    let first = page(&opened, None, 3);
    assert_eq!(first.items.len(), 3);
    assert_eq!(first.items[0].exposure.agent.id, agent(1));
    assert_eq!(first.items[0].holder.id, user(3));
    let rest = page(&opened, first.next, 3);
    assert_eq!(
        (rest.items[0].credential.id, rest.items.len(), rest.next),
        (pin(4), 1, None)
    );
    let elsewhere = ExposedPinQuery {
        agent: Some(agent(2)),
        after: None,
        limit: 3,
    };
    let reader = opened.store.read();
    let elsewhere = reader.exposed_pins(&elsewhere).expect("a page");
    assert!(elsewhere.items.is_empty());

    opened.done(Command::RenewPin {
        credential: pin(2),
        new: pin(8),
        pin: candidate(&opened, 8),
    });
    opened.done(Command::RemoveCredential { credential: pin(1) });
    assert_eq!(listed(&opened), [pin(3), pin(4)]);
    assert!(reader.exposure(pin(3)).expect("an answer").is_some());
    assert!(reader.exposure(pin(8)).expect("an answer").is_none());
    assert_eq!(
        page(&opened, Some(pin(2)), 9).items.len(),
        2,
        "a place that is gone is the beginning"
    );
    opened.done(deactivate(3));
    opened.done(Command::RemoveUser {
        user: user(3),
        unconfirmed: offgate_core::command::Unconfirmed::Override(
            offgate_core::text::Note::parse("gone").expect("a note"),
        ),
    });
    assert_eq!(listed(&opened), [pin(4)]);
    assert_eq!(reader.exposed_pin_count().expect("a number"), 1);
}
