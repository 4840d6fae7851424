//! Rulings reach every agent that knows the person, with the store's seal, and outlive their entry.

use std::collections::BTreeSet;

use offgate_core::actor::Actor;
use offgate_core::agent::{Agent, AgentKey, AgentState, JoinSecretHash, JoinToken, JoinTokenState};
use offgate_core::backup::Restored;
use offgate_core::command::{Command, Expected, Unconfirmed};
use offgate_core::credential::CredentialState;
use offgate_core::id::{CommandId, GroupId, JoinTokenId, PolicyId};
use offgate_core::parameters::{Clock as _, Epoch, Revision};
use offgate_core::records::Records as _;
use offgate_core::ruling::{Ruled, Ruling, Seal};
use offgate_core::table::entry::{Entry, RulingEntry, TableHash};
use offgate_core::text::{Note, PersonName};
use offgate_core::user::{AccessPeriod, Profile, Standing, UserRecord};
use offgate_store::Outcome;

use crate::organisation::*;

/// What an agent's table has of rulings.
fn rulings(opened: &Opened, number: u8) -> Vec<RulingEntry> {
    let reader = opened.store.read();
    let table = reader.table_since(agent(number), None).expect("an answer");
    let puts = table.expect("a table").puts;
    puts.iter()
        .filter_map(|(_, bytes)| match Entry::decode(bytes) {
            Ok(Entry::Ruling(ruling)) => Some(ruling),
            _ => None,
        })
        .collect()
}

/// The one ruling of an agent about this, sealed by the store in its epoch.
fn ruled(opened: &Opened, subject: [u8; 16]) -> Option<Ruled> {
    let found = rulings(opened, 1)
        .into_iter()
        .find(|entry| *entry.subject == subject)?;
    let ruling = found.ruling().expect("a ruling");
    let identity = opened.store.identity();
    assert_eq!(ruling.epoch, identity.epoch);
    let seal = Seal::of(&ruling.statement(identity.store), &[7; 32]);
    assert_eq!(found.seal(), seal);
    Some(ruling.ruled)
}

#[test]
fn every_refusal_and_its_end_is_ruled_for_whoever_knows_the_person() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 400);
    let groups = BTreeSet::from([group(1)]);
    opened.done(create(1, groups, BTreeSet::new(), "Known"));
    assert_eq!(rulings(&opened, 1), [], "nobody was refused yet");
    let person = *user(1).as_bytes();
    let card = *credential(1).as_bytes();
    for (command, subject, expected) in [
        (deactivate(1), person, Ruled::Deactivated),
        (
            Command::ReactivateUser { user: user(1) },
            person,
            Ruled::Admitted,
        ),
        (
            Command::ReportLost {
                credential: credential(1),
            },
            card,
            Ruled::Lost,
        ),
        (
            Command::ReportFound {
                credential: credential(1),
            },
            card,
            Ruled::Usable,
        ),
        (
            Command::RemoveCredential {
                credential: credential(1),
            },
            card,
            Ruled::Withdrawn,
        ),
        (deactivate(1), person, Ruled::Deactivated),
        (
            Command::RemoveUser {
                user: user(1),
                unconfirmed: Unconfirmed::Override(Note::parse("gone").expect("a note")),
            },
            person,
            Ruled::Removed,
        ),
    ] {
        let revision = opened.done(command);
        assert_eq!(ruled(&opened, subject), Some(expected));
        let head = opened.store.read().table_head(agent(1)).expect("an answer");
        assert_eq!(
            head.expect("a table").revision.number(),
            rulings(&opened, 1)
                .iter()
                .map(|entry| entry.revision)
                .max()
                .expect("one"),
            "the ruling comes with the change {revision:?}"
        );
    }
    assert_eq!(ruled(&opened, card), Some(Ruled::Withdrawn), "it stays");
    assert_eq!(rulings(&opened, 2), [], "another agent never knew them");
    opened.done(Command::RevokeAgent(agent(1)));
    assert_eq!(rulings(&opened, 1), [], "it is told nothing any more");
}

#[test]
fn what_a_door_goes_on_showing_undoes_no_later_admission() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 33);
    opened.done(create(
        1,
        BTreeSet::from([group(1)]),
        BTreeSet::new(),
        "Ada",
    ));
    let lost = Epoch {
        counter: 0,
        nonce: [5; 16],
    };
    opened.done(Command::NoteRestore(Restored {
        made_at: opened.clock.now(),
        epoch: lost,
        last: Revision::new(1),
    }));
    let shown = |subject: [u8; 16], ruled| Ruling {
        subject,
        ruled,
        epoch: lost,
        revision: Revision::new(90),
    };
    let take_over = || {
        let rulings = vec![
            shown(*user(1).as_bytes(), Ruled::Deactivated),
            shown(*credential(1).as_bytes(), Ruled::Lost),
        ];
        let id = CommandId::random(&*opened.randomness);
        let actor = Actor::TestifyingAgent(agent(1));
        let outcome = opened
            .store
            .execute_blocking(id, actor, Command::TakeOver(rulings))
            .expect("an answer");
        assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    };
    let reader = opened.store.read();
    let states = || {
        let Some(UserRecord::Present(person)) = reader.user(user(1)).expect("an answer") else {
            panic!("they are there");
        };
        let card = reader.credential(credential(1)).expect("an answer");
        (
            person.standing == Standing::Active,
            card.expect("it is there").state == CredentialState::Usable,
        )
    };
    take_over();
    assert_eq!(states(), (false, false));
    opened.done(Command::ReactivateUser { user: user(1) });
    take_over();
    assert_eq!(states(), (true, false));
    opened.done(Command::ReportFound {
        credential: credential(1),
    });
    take_over();
    assert_eq!(states(), (true, true));
}

/// Puts somebody into groups and gives them policies.
fn member(number: u8, groups: BTreeSet<GroupId>, policies: BTreeSet<PolicyId>) -> Command {
    Command::EditUser {
        user: user(number),
        expected: Expected::Whatever,
        profile: Profile {
            first_name: PersonName::parse("Ada").expect("a name"),
            last_name: PersonName::parse("Last").expect("a name"),
            preferred_name: None,
            email: None,
            phone: None,
            employee_number: None,
        },
        access: AccessPeriod::default(),
        groups,
        policies,
    }
}

/// The admissions that agent 1 has in its table, with the epoch that each was ruled in.
fn admissions(opened: &Opened) -> BTreeSet<([u8; 16], u64)> {
    let store = opened.store.identity().store;
    let rulings = rulings(opened, 1).into_iter().filter_map(|entry| {
        let ruling = entry.ruling().expect("a ruling");
        assert_eq!(
            entry.seal(),
            Seal::of(&ruling.statement(store), &[7; 32]),
            "sealed in the words of its own epoch"
        );
        let admits = !ruling.ruled.refuses();
        admits.then_some((ruling.subject, ruling.epoch.counter))
    });
    rulings.collect()
}

#[test]
fn an_agent_that_comes_to_know_somebody_hears_that_they_were_admitted_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 34);
    let now = opened.store.identity().epoch.counter;
    let back_and_forth = |number: u8| {
        let card = credential(number);
        opened.done(create(number, BTreeSet::new(), BTreeSet::new(), "Ada"));
        opened.done(deactivate(number));
        opened.done(Command::ReactivateUser { user: user(number) });
        opened.done(Command::ReportLost { credential: card });
        opened.done(Command::ReportFound { credential: card });
    };
    let (person, card) = (
        |number| *user(number).as_bytes(),
        |number| *credential(number).as_bytes(),
    );

    for number in 1..=3 {
        back_and_forth(number);
    }
    assert_eq!(rulings(&opened, 1), [], "it knows nobody");
    opened.done(member(1, BTreeSet::from([group(1)]), BTreeSet::new()));
    let of_first = BTreeSet::from([(person(1), now), (card(1), now)]);
    assert_eq!(admissions(&opened), of_first);

    // What was refused since is no admission any more.
    opened.done(deactivate(2));
    opened.done(Command::ReportLost {
        credential: credential(2),
    });
    opened.done(member(2, BTreeSet::from([group(1)]), BTreeSet::new()));
    assert_eq!(admissions(&opened), of_first);

    // Over a restore the word stays that of the epoch in which it was said.
    opened.done(Command::NoteRestore(Restored {
        made_at: opened.clock.now(),
        epoch: Epoch {
            counter: 0,
            nonce: [5; 16],
        },
        last: opened.store.read().head().expect("a head"),
    }));
    opened.done(member(3, BTreeSet::from([group(1)]), BTreeSet::new()));
    let of_third = BTreeSet::from([(person(3), 0), (card(3), 0)]);
    assert_eq!(admissions(&opened), &of_first | &of_third);
}

#[test]
fn a_restore_rules_every_refusal_again_that_stands() {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = furnished(directory.path(), 35);
    let here = BTreeSet::from([group(1)]);
    for number in 1..=5 {
        opened.done(create(number, here.clone(), BTreeSet::new(), "Ada"));
        opened.done(deactivate(number));
    }
    opened.done(Command::ReactivateUser { user: user(2) });
    opened.done(Command::ReactivateUser { user: user(3) });
    opened.done(Command::ReportLost {
        credential: credential(3),
    });
    opened.done(Command::RemoveCredential {
        credential: credential(4),
    });
    opened.done(Command::RemoveUser {
        user: user(5),
        unconfirmed: Unconfirmed::Override(Note::parse("gone").expect("a note")),
    });
    // Another agent comes to know one of them, who is refused already.
    opened.done(member(1, here, BTreeSet::from([policy(2)])));
    assert_eq!(rulings(&opened, 2), []);
    // Another machine takes a door over whose agent was told of somebody whom no policy brings there
    // any more: it has never heard of them, and has to confirm.
    let there = BTreeSet::from([policy(2)]);
    opened.done(create(6, BTreeSet::new(), there, "Ada"));
    opened.done(deactivate(6));
    opened.done(member(6, BTreeSet::new(), BTreeSet::new()));
    opened.done(Command::CreateJoinToken(JoinToken {
        id: JoinTokenId::from_bytes([83; 16]),
        secret: JoinSecretHash([3; 32]),
        name: title("Agent 3"),
        doors: BTreeSet::from([door(2)]),
        expires_at: opened.clock.now().plus(JoinToken::LIFE),
        state: JoinTokenState::Open,
    }));
    let enrolled = opened.store.execute_blocking(
        CommandId::random(&*opened.randomness),
        Actor::JoiningAgent(agent(3)),
        Command::EnrolAgent {
            secret: JoinSecretHash([3; 32]),
            agent: Agent {
                id: agent(3),
                revision: Revision::ZERO,
                name: title("ignored"),
                key: AgentKey([3; 32]),
                hash_key: hash_key(3),
                enrolled_at: opened.clock.now(),
                state: AgentState::Enrolled,
            },
        },
    );
    assert!(matches!(enrolled, Ok(Outcome::Done { .. })), "{enrolled:?}");
    assert_eq!(rulings(&opened, 3), []);

    let restored = opened.done(Command::NoteRestore(Restored {
        made_at: opened.clock.now(),
        epoch: Epoch {
            counter: 0,
            nonce: [5; 16],
        },
        last: opened.store.read().head().expect("a head"),
    }));
    let store = opened.store.identity().store;
    let again = |number: u8| -> BTreeSet<([u8; 16], u8)> {
        rulings(&opened, number)
            .into_iter()
            .filter(|entry| entry.revision == restored.number())
            .map(|entry| {
                let ruling = entry.ruling().expect("a ruling");
                assert_eq!(ruling.epoch, opened.store.identity().epoch);
                assert_eq!(entry.seal(), Seal::of(&ruling.statement(store), &[7; 32]));
                (ruling.subject, ruling.ruled as u8)
            })
            .collect()
    };
    assert_eq!(
        again(1),
        BTreeSet::from([
            (*user(1).as_bytes(), Ruled::Deactivated as u8),
            (*credential(3).as_bytes(), Ruled::Lost as u8),
            (*user(4).as_bytes(), Ruled::Deactivated as u8),
            (*credential(4).as_bytes(), Ruled::Withdrawn as u8),
            (*user(5).as_bytes(), Ruled::Removed as u8),
        ])
    );
    let of_second = BTreeSet::from([
        (*user(1).as_bytes(), Ruled::Deactivated as u8),
        (*user(6).as_bytes(), Ruled::Deactivated as u8),
    ]);
    assert_eq!(again(3), of_second);
    // The table's hash is that of what it has now.
    for number in [1, 3] {
        let reader = opened.store.read();
        let table = reader
            .table_since(agent(number), None)
            .expect("an answer")
            .expect("a table");
        let mut hash = TableHash::EMPTY;
        for (_, bytes) in &table.puts {
            hash = hash.with(&hash_key(number), bytes);
        }
        let head = reader.table_head(agent(number)).expect("an answer");
        let head = head.expect("a table");
        assert_eq!((head.revision, head.hash), (restored, hash));
    }
}
