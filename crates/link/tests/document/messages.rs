//! One message of each kind, and what goes into them.

use offgate_core::agent::HashKey;
use offgate_core::credential::CredentialKind;
use offgate_core::door_event::{DoorEvent, Happening};
use offgate_core::id::{CredentialId, DoorId, PolicyId, QuestionId, StoreId, UserId};
use offgate_core::parameters::{Epoch, Revision, Timestamp};
use offgate_core::place::Direction;
use offgate_core::question::{Answer, Question, Said};
use offgate_core::table::admission::{ClockTrust, Holder, Reason};
use offgate_core::table::entry::{Entry, EntryKind};
use offgate_link::PROTOCOL;
use offgate_link::acknowledgement::{Above, Acknowledgement, enrolment_statement};
use offgate_link::join_token::JoinTokenText;
use offgate_link::message::{DoorName, RefusalCode, ToAgent, ToServer, WireKey, WirePosition};
use offgate_link::question;

use crate::history::*;
use crate::table::*;

pub(crate) fn acknowledgement() -> Acknowledgement {
    Acknowledgement {
        store: StoreId::from_bytes(STORE),
        epoch: Epoch {
            counter: 3,
            nonce: NONCE,
        },
        revision: Revision::new(1234),
        hash: table().hash(),
        doors: vec![DoorId::from_bytes(DOOR)],
        above: vec![above()],
    }
}

/// A refusal that overtook the table.
pub(crate) const fn above() -> Above {
    Above {
        subject: USER,
        revision: Revision::new(1240),
    }
}

pub(crate) fn events() -> Vec<(&'static str, DoorEvent)> {
    let holder = Holder {
        credential: CredentialId::from_bytes(CREDENTIALS[1]),
        user: UserId::from_bytes(USER),
    };
    let policy = PolicyId::from_bytes(POLICY);
    let refused = |reason, holder| Happening::Refused { reason, holder };
    let all = [
        (
            "granted",
            Direction::In,
            Happening::Granted { holder, policy },
        ),
        (
            "way out",
            Direction::Out,
            Happening::WayOut { holder: None },
        ),
        (
            "refused: unknown",
            Direction::In,
            refused(Reason::Unknown, None),
        ),
        (
            "refused: deactivated",
            Direction::In,
            refused(Reason::Deactivated, Some(holder)),
        ),
        ("keypad slowed", Direction::In, Happening::KeypadSlowed),
    ];
    let numbered = (7..).zip(all);
    let event = |(sequence, (name, direction, happening))| {
        let event = DoorEvent {
            sequence,
            at: Timestamp::from_microseconds(NOW),
            door: DoorId::from_bytes(DOOR),
            direction,
            presented: CredentialKind::NfcCard,
            happening,
        };
        (name, event)
    };
    numbered.map(event).collect()
}

/// Its name in the grammar.
pub(crate) const fn to_server_name(message: &ToServer) -> &'static str {
    match message {
        ToServer::Hello { .. } => "hello",
        ToServer::Acknowledge { .. } => "acknowledge",
        ToServer::Renew { .. } => "renew",
        ToServer::Events { .. } => "events",
        ToServer::Enrol { .. } => "enrol",
        ToServer::Pong { .. } => "pong",
        ToServer::Witness { .. } => "witness",
        ToServer::Doubted { .. } => "doubted",
        ToServer::Testimony { .. } => "testimony",
        ToServer::Answer { .. } => "answer",
        ToServer::Arrived { .. } => "arrived",
        ToServer::Positions { .. } => "positions",
        ToServer::Disk { .. } => "disk",
    }
}

pub(crate) fn to_server() -> Vec<ToServer> {
    let key = signing_key();
    let statement = acknowledgement().statement();
    vec![
        ToServer::Hello {
            versions: vec![PROTOCOL],
            software: "example 1.0".to_owned(),
            store: None,
            epoch: None,
            revision: 0,
            hash: [0; 32].into(),
            checkpoint: None,
        },
        ToServer::Hello {
            versions: vec![PROTOCOL],
            software: "example 1.0".to_owned(),
            store: Some(STORE.into()),
            epoch: Some(epoch()),
            revision: 1234,
            hash: table().hash().0.into(),
            checkpoint: Some((&checkpoint()).into()),
        },
        ToServer::Acknowledge {
            signature: key.sign(&statement).into(),
            statement: statement.into(),
        },
        ToServer::Renew { ask: 1 },
        ToServer::Events {
            lost: 2,
            events: events()
                .iter()
                .map(|(_, event)| event.encode().into())
                .collect(),
        },
        ToServer::Enrol {
            secret: SECRET.into(),
            key: key.public().0.into(),
            possession: key
                .sign(&enrolment_statement(&SECRET, &key.public()))
                .into(),
        },
        ToServer::Pong { revision: 1234 },
        ToServer::Witness {
            held: (&checkpoint()).into(),
        },
        ToServer::Doubted {
            held: (&checkpoint()).into(),
        },
        ToServer::Testimony {
            rulings: vec![Entry::Ruling(ruling()).encode().into()],
        },
        ToServer::Answer {
            signature: key.sign(&question::statement(&answer())).into(),
            statement: question::statement(&answer()).into(),
        },
        ToServer::Arrived { parts: 3 },
        ToServer::Positions {
            doors: vec![WirePosition {
                door: DOOR.into(),
                open: true,
                lasts: 90_500,
            }],
        },
        ToServer::Disk { works: false },
    ]
}

pub(crate) fn asked() -> Question {
    Question {
        id: QuestionId::from_bytes([0x47; 16]),
        credential: CredentialId::from_bytes(CREDENTIALS[1]),
        sought: presented()[1].sought(&HashKey::from_bytes(KEY)),
        door: DoorId::from_bytes(DOOR),
        direction: Direction::In,
    }
}

pub(crate) fn answer() -> Answer {
    let said = acknowledgement();
    Answer {
        store: said.store,
        epoch: said.epoch,
        revision: said.revision,
        hash: said.hash,
        question: question::digest_of(&asked()),
        credential: asked().credential,
        door: asked().door,
        direction: Direction::In,
        said: Said::Refused {
            reason: Reason::Lost,
        },
        at: Timestamp::from_microseconds(NOW),
        clock: ClockTrust::Trusted,
    }
}

/// Its name in the grammar.
pub(crate) const fn to_agent_name(message: &ToAgent) -> &'static str {
    match message {
        ToAgent::Welcome { .. } => "welcome",
        ToAgent::Delta { .. } => "delta",
        ToAgent::SnapshotBegin { .. } => "snapshot-begin",
        ToAgent::SnapshotPart { .. } => "snapshot-part",
        ToAgent::SnapshotEnd { .. } => "snapshot-end",
        ToAgent::Renewed { .. } => "renewed",
        ToAgent::EventsStored { .. } => "events-stored",
        ToAgent::Ping { .. } => "ping",
        ToAgent::Enrolled { .. } => "enrolled",
        ToAgent::Refused { .. } => "refused",
        ToAgent::History { .. } => "history",
        ToAgent::Question { .. } => "question",
        ToAgent::Overtake { .. } => "overtake",
    }
}

pub(crate) fn to_agent() -> Vec<ToAgent> {
    let (_, policy) = entries().swap_remove(4);
    let hash = table().hash().0;
    vec![
        ToAgent::Welcome {
            version: PROTOCOL,
            store: STORE.into(),
            epoch: epoch(),
            now: NOW,
            doors: vec![DoorName {
                door: DOOR.into(),
                name: "Front door".to_owned(),
            }],
            addresses: vec!["doors.example.org:12445".to_owned()],
        },
        ToAgent::Delta {
            previous: 1233,
            revision: 1234,
            deletes: vec![WireKey {
                kind: EntryKind::User as u8,
                id: [0x45; 16].into(),
            }],
            puts: vec![policy.encode().into()],
            hash: hash.into(),
        },
        ToAgent::SnapshotBegin { revision: 1234 },
        ToAgent::SnapshotPart {
            puts: entries()
                .iter()
                .map(|(_, entry)| entry.encode().into())
                .collect(),
        },
        ToAgent::SnapshotEnd {
            revision: 1234,
            hash: hash.into(),
        },
        ToAgent::Renewed { ask: 1 },
        ToAgent::EventsStored { up_to: 11 },
        ToAgent::Ping { now: NOW },
        ToAgent::Enrolled {
            agent: [0x46; 16].into(),
            store: STORE.into(),
            hash_key: KEY.into(),
            chain: vec![vec![0x30, 0].into(), vec![0x30, 0].into()],
        },
        ToAgent::Refused {
            code: RefusalCode::Later,
            words: "nothing was heard".to_owned(),
        },
        ToAgent::History {
            signed: signed_checkpoint().encode().into(),
            proof: consistency()
                .into_iter()
                .map(|hash| hash.0.into())
                .collect(),
        },
        ToAgent::Question {
            question: (&asked()).into(),
        },
        ToAgent::Overtake {
            rulings: vec![Entry::Ruling(ruling()).encode().into()],
        },
    ]
}

pub(crate) fn join_token() -> JoinTokenText {
    struct Fixed;
    impl offgate_core::parameters::Randomness for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(SECRET[0]);
        }
    }
    JoinTokenText::random(offgate_link::join_token::RootFingerprint(ROOT), &Fixed)
}
