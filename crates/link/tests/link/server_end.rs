//! The server's end alone: what it believes, what it answers, and what ends the conversation.

use std::time::Duration;

use offgate_core::agent::AgentKey;
use offgate_core::disagreement::Disagreement;
use offgate_core::id::{CredentialId, StoreId};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::place::Direction;
use offgate_core::question::{Answer, Said};
use offgate_core::server_address::ServerAddresses;
use offgate_core::table::admission::{ClockTrust, Reason};
use offgate_core::table::entry::{CredentialHash, TableHash};
use offgate_link::acknowledgement::{Acknowledgement, NotBelieved, SigningKey};
use offgate_link::agent_end::Held;
use offgate_link::message::{RefusalCode, ToAgent, ToServer};
use offgate_link::question::verified;
use offgate_link::server_end::{self, QUESTIONS, ServerEnd};

use crate::log::Log;
use crate::{EPOCH, STORE, answered, door, question, store_keys, young_log};

/// A server's end to which the agent that has this key has said nothing.
fn unspoken(key: &SigningKey, now: Duration) -> ServerEnd {
    let who = server_end::Agent {
        key: key.public(),
        doors: vec![],
        addresses: ServerAddresses::default(),
    };
    ServerEnd::new(who, STORE, EPOCH, Timestamp::from_seconds(0), now)
}

/// What an agent greets with that has nothing, or a table of revision 7 with this hash.
fn hello(has: Option<TableHash>) -> server_end::Input {
    server_end::Input::Message(ToServer::Hello {
        versions: vec![1],
        software: String::new(),
        store: has.map(|_| (*STORE.as_bytes()).into()),
        epoch: has.map(|_| EPOCH.into()),
        revision: has.map_or(0, |_| 7),
        hash: has.unwrap_or(TableHash::EMPTY).0.into(),
        checkpoint: None,
    })
}

#[test]
fn lies_end_the_conversation() {
    let now = Duration::from_secs(1);
    let authority = store_keys(1);
    let log = young_log(&authority);
    let key = SigningKey::from_seed(&[8; 32]).expect("a key");
    let table = server_end::Table::Whole {
        puts: Vec::new(),
        revision: Revision::new(5),
        hash: TableHash::EMPTY,
    };
    let greeted = || {
        let mut server = unspoken(&key, now);
        server.handle(hello(None), now);
        server.handle(server_end::Input::History(log.history(None)), now);
        let renew = ToServer::Renew { ask: 1 };
        server.handle(server_end::Input::Message(renew), now);
        server.handle(server_end::Input::Read(table.clone()), now);
        server
    };
    let acknowledge = |revision, epoch, signer: &SigningKey| {
        let said = Acknowledgement {
            store: STORE,
            epoch,
            revision: Revision::new(revision),
            hash: TableHash::EMPTY,
            doors: vec![],
            above: Vec::new(),
        };
        let statement = said.statement();
        let signature = signer.sign(&statement).into();
        server_end::Input::Message(ToServer::Acknowledge {
            statement: statement.into(),
            signature,
        })
    };
    let stranger = SigningKey::from_seed(&[9; 32]).expect("a key");
    let other = Epoch {
        counter: 2,
        nonce: [0; 16],
    };
    let closes = |outputs: &[server_end::Output]| {
        outputs.contains(&server_end::Output::Close(RefusalCode::Protocol))
    };
    for lie in [
        acknowledge(6, EPOCH, &key),
        acknowledge(5, other, &key),
        acknowledge(5, EPOCH, &stranger),
        server_end::Input::Malformed,
        server_end::Input::Message(ToServer::Enrol {
            secret: [0; 16].into(),
            key: AgentKey([0; 32]).0.into(),
            possession: [0; 64].into(),
        }),
    ] {
        assert!(closes(&greeted().handle(lie.clone(), now)), "{lie:?}");
    }
    let believed = greeted().handle(acknowledge(5, EPOCH, &key), now);
    assert!(
        matches!(believed[..], [server_end::Output::Acknowledged { .. }]),
        "{believed:?}"
    );
}

/// A server's end in the midst of a conversation with the agent that has this key.
fn speaking(key: &SigningKey, log: &Log<'_>, now: Duration) -> ServerEnd {
    let mut server = unspoken(key, now);
    assert_eq!(server.may_ask(), 0, "not before it knows who is there");
    server.handle(hello(None), now);
    server.handle(server_end::Input::History(log.history(None)), now);
    assert_eq!(server.may_ask(), 0, "not before the agent believes it");
    server.handle(
        server_end::Input::Message(ToServer::Pong { revision: 0 }),
        now,
    );
    server
}

#[test]
fn only_an_answer_to_what_was_asked_and_signed_by_who_was_asked_is_believed() {
    let now = Duration::from_secs(1);
    let authority = store_keys(1);
    let log = young_log(&authority);
    let [key, stranger] = [8, 9].map(|number| SigningKey::from_seed(&[number; 32]).expect("a key"));
    let held = Held {
        store: STORE,
        epoch: EPOCH,
        revision: Revision::new(5),
        hash: TableHash([7; 32]),
    };
    let asked = || {
        let mut server = speaking(&key, &log, now);
        let said = server.handle(server_end::Input::Ask(question(1)), now);
        let expected = ToAgent::Question {
            question: (&question(1)).into(),
        };
        assert_eq!(said, [server_end::Output::Send(expected)]);
        server
    };
    let hear =
        |server: &mut ServerEnd, message| server.handle(server_end::Input::Message(message), now);
    let mut server = asked();
    let again = server.handle(server_end::Input::Ask(question(1)), now);
    assert_eq!(again, [], "asked already");
    let believed = hear(&mut server, answered(&key, &question(1), held));
    let [
        server_end::Output::Answered {
            question: of,
            answer,
            ..
        },
    ] = &believed[..]
    else {
        panic!("{believed:?}")
    };
    assert_eq!(
        (*of, answer.revision, answer.hash),
        (question(1), held.revision, held.hash)
    );
    let closes = |outputs: &[server_end::Output]| {
        outputs.contains(&server_end::Output::Close(RefusalCode::Protocol))
    };
    // Said twice: the second time nobody asked.
    assert!(closes(&hear(
        &mut server,
        answered(&key, &question(1), held)
    )));
    let another_store = Held {
        store: StoreId::from_bytes([9; 16]),
        ..held
    };
    let mut another_door = question(1);
    another_door.door = door(12);
    let mut another_credential = question(1);
    another_credential.credential = CredentialId::from_bytes([2; 16]);
    let mut another_side = question(1);
    another_side.direction = Direction::Out;
    let mut another_card = question(1);
    another_card.sought.hash = CredentialHash([3; 16]);
    for lie in [
        answered(&stranger, &question(1), held),
        answered(&key, &question(2), held),
        answered(&key, &another_door, held),
        answered(&key, &another_credential, held),
        answered(&key, &another_side, held),
        answered(&key, &another_card, held),
        answered(&key, &question(1), another_store),
        ToServer::Answer {
            statement: vec![].into(),
            signature: [0; 64].into(),
        },
    ] {
        assert!(closes(&hear(&mut asked(), lie.clone())), "{lie:?}");
    }
    // So many at once, and no more.
    let mut server = speaking(&key, &log, now);
    for number in 0..=QUESTIONS as u8 {
        let sent = server.handle(server_end::Input::Ask(question(number)), now);
        assert_eq!(sent.is_empty(), usize::from(number) == QUESTIONS);
    }
    assert_eq!(server.may_ask(), 0);
    hear(&mut server, answered(&key, &question(3), held));
    assert_eq!(server.may_ask(), 1);
}

#[test]
fn an_answer_has_one_encoding_and_its_signature_is_for_nothing_else() {
    let key = SigningKey::from_seed(&[8; 32]).expect("a key");
    let held = Held {
        store: STORE,
        epoch: EPOCH,
        revision: Revision::new(300),
        hash: TableHash([7; 32]),
    };
    let ToServer::Answer {
        statement,
        signature,
    } = answered(&key, &question(1), held)
    else {
        panic!("an answer")
    };
    let answer = verified(&key.public(), &statement, &signature).expect("signed");
    for said in [
        Said::Granted {
            holder: CredentialId::from_bytes([9; 16]),
        },
        Said::WayOut,
    ]
    .into_iter()
    .chain(Reason::ALL.map(|reason| Said::Refused { reason }))
    {
        for clock in [ClockTrust::Trusted, ClockTrust::Untrusted] {
            let answer = Answer {
                said,
                clock,
                ..answer
            };
            let bytes = offgate_link::question::statement(&answer);
            let read = verified(&key.public(), &bytes, &key.sign(&bytes));
            assert_eq!(read, Ok(answer));
        }
    }
    for at in 0..statement.len() {
        let mut flipped = statement.to_vec();
        flipped[at] ^= 1;
        assert_eq!(
            verified(&key.public(), &flipped, &signature),
            Err(NotBelieved::Signature)
        );
        // Signed anew by the agent itself, other bytes are another answer or none.
        if let Ok(other) = verified(&key.public(), &flipped, &key.sign(&flipped)) {
            assert_ne!(other, answer);
        }
        let cut = &statement[..at];
        assert!(verified(&key.public(), cut, &key.sign(cut)).is_err());
    }
    assert_eq!(
        Acknowledgement::verify(&key.public(), &statement, &signature),
        Err(NotBelieved::Malformed)
    );
}

#[test]
fn that_a_renewal_is_asked_for_is_on_record_before_anything_is_read_for_it() {
    let now = Duration::from_secs(1);
    let (mut server, said) = greeted(Some(TableHash([1; 32])));
    let read = server_end::Output::Read(Some(Revision::new(7)));
    assert_eq!(said.last(), Some(&read), "a reading is under way");
    let same = server_end::Input::Read(server_end::Table::Same {
        hash: TableHash([1; 32]),
    });
    let renew = |ask| server_end::Input::Message(ToServer::Renew { ask });
    let renewed = |ask| server_end::Output::Send(ToAgent::Renewed { ask });
    let asks = server_end::Output::AsksRenewal;
    // The reading that was under way is none for it.
    assert_eq!(server.handle(renew(1), now), std::slice::from_ref(&asks));
    assert_eq!(
        server.handle(same.clone(), now),
        std::slice::from_ref(&read)
    );
    assert_eq!(server.handle(same.clone(), now), [renewed(1)]);
    assert_eq!(server.handle(renew(2), now), [asks, read]);
    assert_eq!(server.handle(same, now), [renewed(2)]);
}

/// A server's end that an agent has greeted with a table of revision 7, and what it said.
fn greeted(said: Option<TableHash>) -> (ServerEnd, Vec<server_end::Output>) {
    let now = Duration::from_secs(1);
    let authority = store_keys(1);
    let log = young_log(&authority);
    let key = SigningKey::from_seed(&[8; 32]).expect("a key");
    let mut server = unspoken(&key, now);
    let mut said = server.handle(hello(said), now);
    server.handle(server_end::Input::History(log.history(None)), now);
    let pong = ToServer::Pong { revision: 0 };
    said.extend(server.handle(server_end::Input::Message(pong), now));
    (server, said)
}

/// What a server's end says first of a table of revision 7 that an agent greets it with, when the
/// store's is of that revision too.
fn disagreements(said: Option<TableHash>, ours: TableHash) -> Vec<server_end::Output> {
    let now = Duration::from_secs(1);
    let (mut server, mut said) = greeted(said);
    let same = server_end::Table::Same { hash: ours };
    said.extend(server.handle(server_end::Input::Read(same), now));
    said.retain(|output| {
        matches!(
            output,
            server_end::Output::Disagrees(_) | server_end::Output::Read(_)
        )
    });
    said
}

#[test]
fn a_table_that_is_not_the_stores_is_told_of_and_a_whole_one_is_read() {
    let (ours, another) = (TableHash([1; 32]), TableHash([2; 32]));
    let at_seven = server_end::Output::Read(Some(Revision::new(7)));
    assert_eq!(
        disagreements(Some(ours), ours),
        std::slice::from_ref(&at_seven)
    );
    assert_eq!(
        disagreements(Some(another), ours),
        [
            at_seven,
            server_end::Output::Disagrees(Disagreement::Another(Revision::new(7))),
            server_end::Output::Read(None),
        ]
    );
    assert_eq!(
        disagreements(None, ours)[0],
        server_end::Output::Disagrees(Disagreement::Missing)
    );
}
