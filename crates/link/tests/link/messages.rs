//! Messages have one encoding, and only what is signed is believed.

use offgate_core::credential::CredentialKind;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::{CredentialId, PolicyId, UserId};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::place::Direction;
use offgate_core::table::admission::{Holder, Reason};
use offgate_core::table::entry::TableHash;
use offgate_link::acknowledgement::{
    Above, Acknowledgement, NotBelieved, SigningKey, enrolment_statement, verify_enrolment,
};
use offgate_link::message::{RefusalCode, ToAgent, ToServer, WireCheckpoint, WireEpoch};
use proptest::prelude::*;

use crate::{EPOCH, STORE, door, question};

fn event(sequence: u64, happening: Happening) -> DoorEvent {
    DoorEvent {
        sequence,
        at: Timestamp::from_seconds(1_800_000_000),
        door: door(1),
        direction: Direction::In,
        presented: CredentialKind::NfcCard,
        happening,
    }
}

fn happenings() -> Vec<Happening> {
    let holder = Holder {
        credential: CredentialId::from_bytes([3; 16]),
        user: UserId::from_bytes([4; 16]),
    };
    let mut all = vec![
        Happening::Granted {
            holder,
            policy: PolicyId::from_bytes([5; 16]),
        },
        Happening::WayOut { holder: None },
        Happening::WayOut {
            holder: Some(holder),
        },
        Happening::KeypadSlowed,
    ];
    for reason in Reason::ALL {
        all.push(Happening::Refused {
            reason,
            holder: Some(holder),
        });
    }
    all
}

fn wire_checkpoint() -> WireCheckpoint {
    WireCheckpoint {
        epoch: WireEpoch {
            counter: 1,
            nonce: [2; 16].into(),
        },
        size: 70_000,
        root: [3; 32].into(),
    }
}

fn to_server() -> Vec<ToServer> {
    vec![
        ToServer::Hello {
            versions: vec![1],
            software: "agent 1".to_owned(),
            store: Some([1; 16].into()),
            epoch: None,
            revision: 300,
            hash: [9; 32].into(),
            checkpoint: Some(wire_checkpoint()),
        },
        ToServer::Acknowledge {
            statement: vec![1, 2, 3].into(),
            signature: [7; 64].into(),
        },
        ToServer::Renew { ask: 70_000 },
        ToServer::Events {
            lost: 3,
            events: happenings()
                .into_iter()
                .map(|it| event(1, it).encode().into())
                .collect(),
        },
        ToServer::Enrol {
            secret: [1; 16].into(),
            key: [2; 32].into(),
            possession: [3; 64].into(),
        },
        ToServer::Pong { revision: 0 },
        ToServer::Witness {
            held: wire_checkpoint(),
        },
        ToServer::Doubted {
            held: wire_checkpoint(),
        },
        ToServer::Testimony {
            rulings: vec![vec![5; 90].into()],
        },
        ToServer::Answer {
            statement: vec![1, 2, 3].into(),
            signature: [7; 64].into(),
        },
        ToServer::Arrived { parts: 70_000 },
    ]
}

fn to_agent() -> Vec<ToAgent> {
    vec![
        ToAgent::Welcome {
            version: 1,
            store: [1; 16].into(),
            epoch: WireEpoch {
                counter: 1,
                nonce: [2; 16].into(),
            },
            now: 1_800_000_000_000_000,
            doors: vec![offgate_link::message::DoorName {
                door: [1; 16].into(),
                name: "Front".to_owned(),
            }],
            addresses: vec!["doors.example.org:12445".to_owned()],
        },
        ToAgent::Delta {
            previous: 1,
            revision: 2,
            deletes: vec![offgate_link::message::WireKey {
                kind: 5,
                id: [1; 16].into(),
            }],
            puts: vec![vec![1].into()],
            hash: [0; 32].into(),
        },
        ToAgent::SnapshotBegin { revision: 9 },
        ToAgent::SnapshotPart { puts: vec![] },
        ToAgent::SnapshotEnd {
            revision: 9,
            hash: [0; 32].into(),
        },
        ToAgent::Renewed { ask: 1 },
        ToAgent::EventsStored { up_to: 9 },
        ToAgent::Ping { now: -1 },
        ToAgent::Enrolled {
            agent: [1; 16].into(),
            store: [1; 16].into(),
            hash_key: [2; 32].into(),
            chain: vec![vec![0x30].into()],
        },
        ToAgent::Refused {
            code: RefusalCode::Replaced,
            words: "another took over".to_owned(),
        },
        ToAgent::History {
            signed: vec![1, 2, 3].into(),
            proof: vec![[4; 32].into()],
        },
        ToAgent::Question {
            question: (&question(1)).into(),
        },
        ToAgent::Overtake {
            rulings: vec![vec![5; 90].into()],
        },
    ]
}

#[test]
fn messages_have_one_encoding_and_nothing_panics() {
    for message in to_server() {
        let bytes = message.encode();
        assert_eq!(ToServer::decode(&bytes).as_ref(), Ok(&message));
        for position in 0..bytes.len() {
            assert!(ToServer::decode(&bytes[..position]).is_err());
            for flip in [1, 0x20, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[position] ^= flip;
                if let Ok(other) = ToServer::decode(&flipped) {
                    assert_eq!(other.encode(), flipped);
                }
            }
        }
    }
    for message in to_agent() {
        let bytes = message.encode();
        assert_eq!(ToAgent::decode(&bytes).as_ref(), Ok(&message));
        for position in 0..bytes.len() {
            assert!(ToAgent::decode(&bytes[..position]).is_err());
        }
    }
    // An unknown kind, and a longer form of a known number.
    assert!(ToAgent::decode(&[0x82, 0x18, 0x63, 0x80]).is_err());
    assert!(ToServer::decode(&[0x82, 0x05, 0x81, 0x18, 0x00]).is_err());
    for happening in happenings() {
        let event = event(7, happening);
        assert_eq!(DoorEvent::decode(&event.encode()), Some(event));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = ToServer::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes.clone());
        }
        if let Ok(message) = ToAgent::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes.clone());
        }
        if let Some(event) = DoorEvent::decode(&bytes) {
            prop_assert_eq!(event.encode(), bytes);
        }
    }
}

#[test]
fn only_the_agents_own_signature_over_these_bytes_is_believed() {
    let key = SigningKey::from_seed(&[8; 32]).expect("a key");
    let acknowledgement = Acknowledgement {
        store: STORE,
        epoch: EPOCH,
        revision: Revision::new(77),
        hash: TableHash([3; 32]),
        doors: vec![door(1), door(2)],
        above: vec![Above {
            subject: [4; 16],
            revision: Revision::new(80),
        }],
    };
    let statement = acknowledgement.statement();
    let signature = key.sign(&statement);
    assert_eq!(
        Acknowledgement::verify(&key.public(), &statement, &signature),
        Ok(acknowledgement)
    );
    for position in 0..statement.len() {
        let mut flipped = statement.clone();
        flipped[position] ^= 1;
        assert_eq!(
            Acknowledgement::verify(&key.public(), &flipped, &signature),
            Err(NotBelieved::Signature)
        );
    }
    let other = SigningKey::from_seed(&[9; 32]).expect("a key").public();
    assert_eq!(
        Acknowledgement::verify(&other, &statement, &signature),
        Err(NotBelieved::Signature)
    );
    // Something else that this key signed is no acknowledgement.
    let proof = enrolment_statement(&[1; 16], &key.public());
    let signature = key.sign(&proof);
    assert_eq!(
        verify_enrolment(&[1; 16], &key.public(), &signature),
        Ok(())
    );
    for (secret, key, possession) in [
        ([2; 16], key.public(), signature),
        ([1; 16], other, signature),
        ([1; 16], key.public(), [0; 64]),
    ] {
        assert_eq!(
            verify_enrolment(&secret, &key, &possession),
            Err(NotBelieved::Signature)
        );
    }
    assert_eq!(format!("{key:?}"), "SigningKey(…)");
    assert_eq!(
        Acknowledgement::verify(&key.public(), &proof, &signature),
        Err(NotBelieved::Malformed)
    );
}
